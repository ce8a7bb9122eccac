"""Content of measured files, plain or packed with gzip, within a limit."""

import zlib

from skyweave.errors import InputError

GZIP_MAGIC = b"\x1f\x8b"


def unpacked(content: bytes, source: str, limit: int) -> bytes:
    """Return what a file holds: all members of a gzip file, or a plain one as it is.

    Files laid end to end, as `cat a.gz b.gz` does, have several members.
    """
    if not content.startswith(GZIP_MAGIC):
        return content
    pieces: list[bytes] = []
    room = limit
    while content:
        stream = zlib.decompressobj(wbits=31)
        try:
            piece = stream.decompress(content, room + 1)
        except zlib.error as problem:
            raise InputError(
                f"{source}: the gzip data is damaged ({problem}); fetch the file again"
            ) from None
        if len(piece) > room:
            raise InputError(f"{source}: more than {limit / 2**20:g} MiB unpacked; split the file")
        if not stream.eof:
            raise InputError(f"{source}: the gzip data ends too early; fetch the file again")
        pieces.append(piece)
        room -= len(piece)
        content = stream.unused_data.lstrip(b"\0")  # padding, as tape and block devices add
    return b"".join(pieces)
