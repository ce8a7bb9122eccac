"""The files of a tiled log (c2sp.org/tlog-tiles): tiles of 256 hashes, bundles of 256 entries."""

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from skyweave.control.log.merkle import HASH_BYTES, SubtreeHash, fold
from skyweave.errors import InputError

TILE_HEIGHT = 8
TILE_WIDTH = 1 << TILE_HEIGHT
MAX_ENTRY_BYTES = (1 << 16) - 1  # a bundle states lengths in two bytes
MAX_BUNDLE_BYTES = TILE_WIDTH * (2 + MAX_ENTRY_BYTES)
MAX_ENTRIES = 1 << 40

Hashes = Callable[[int, int, int], bytes]  # (level, first, count) -> count hashes of one tile


class Tile(NamedTuple):
    """One file of hashes, or of entries where `level` is -1, as a tree of some size needs it."""

    level: int
    number: int
    width: int  # 1 to 256

    @property
    def path(self) -> str:
        """Where the file stands under the log's folder."""
        kind = "entries" if self.level < 0 else str(self.level)
        groups = _groups(self.number)
        suffix = "" if self.width == TILE_WIDTH else f".p/{self.width}"
        return f"tile/{kind}/{groups}{suffix}"


ENTRIES = -1  # the level of entry bundles


def tiles_of(size: int) -> Iterator[Tile]:
    """Yield the files that a tree of `size` entries consists of: bundles, then hashes upwards."""
    for level in (ENTRIES, *range(64 // TILE_HEIGHT)):
        count = size >> (TILE_HEIGHT * max(level, 0))
        for number in range(count // TILE_WIDTH):
            yield Tile(level, number, TILE_WIDTH)
        if count % TILE_WIDTH:
            yield Tile(level, count // TILE_WIDTH, count % TILE_WIDTH)


def tile_holding(level: int, item: int, size: int) -> Tile:
    """Return the file that holds a level's item in a tree of `size` entries."""
    count = size >> (TILE_HEIGHT * max(level, 0))
    number = item // TILE_WIDTH
    return Tile(level, number, min(TILE_WIDTH, count - number * TILE_WIDTH))


def subtree_hashes(hashes: Hashes) -> SubtreeHash:
    """Return the hashes of complete subtrees, each folded from the tile level below it."""

    def subtree(height: int, number: int) -> bytes:
        level, above = divmod(height, TILE_HEIGHT)
        count = 1 << above
        found = hashes(level, number * count, count)
        return fold([found[n : n + HASH_BYTES] for n in range(0, len(found), HASH_BYTES)])

    return subtree


def encode_bundle(entries: Sequence[bytes]) -> bytes:
    """Return entries one after another, each after its length in two bytes, big-endian."""
    return b"".join(len(entry).to_bytes(2, "big") + entry for entry in entries)


def decode_bundle(content: bytes, source: str) -> list[bytes]:
    """Return the entries of a bundle, none of which may be cut."""
    entries: list[bytes] = []
    place = 0
    while place < len(content):
        start = place + 2
        place = start + int.from_bytes(content[place:start], "big")
        if start > len(content) or place > len(content):
            raise InputError(
                f"{source}: entry {len(entries)} of the bundle is cut; copy the log again"
            )
        entries.append(content[start:place])
    return entries


def _groups(number: int) -> str:
    groups = [f"{number % 1000:03d}"]
    while number := number // 1000:
        groups.append(f"x{number % 1000:03d}")
    return "/".join(reversed(groups))
