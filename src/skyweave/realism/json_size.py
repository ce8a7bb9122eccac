"""A limit on JSON before it is read: packed or not, a small file can fill the memory."""

from skyweave.errors import InputError

MAX_HOLDERS = 4_000_000  # lists and objects: irtt's of 400,000 round trips; 1 GB at worst
MAX_VALUES = 20_000_000


def check_json_size(content: str | bytes, source: str) -> None:
    """Refuse JSON of more lists, objects and values than memory is planned for."""
    if isinstance(content, str):
        lists, objects, commas = (content.count(mark) for mark in "[{,")
    else:
        lists, objects, commas = (content.count(mark) for mark in (b"[", b"{", b","))
    if lists + objects > MAX_HOLDERS or commas > MAX_VALUES:
        raise InputError(
            f"{source}: {lists + objects:,} JSON lists and objects with {commas:,} commas; at most "
            f"{MAX_HOLDERS:,} and {MAX_VALUES:,} are read: split the file"
        )
