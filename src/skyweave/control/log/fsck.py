"""Check every byte of a log's folder against its signed checkpoint."""

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from skyweave.control.log.checkpoint import Checkpoint
from skyweave.control.log.merkle import SubtreeHash, fold, leaf_hash, root
from skyweave.control.log.store import CHECKPOINT, WITNESSED, LogFolder
from skyweave.control.log.tiles import (
    ENTRIES,
    MAX_BUNDLE_BYTES,
    TILE_WIDTH,
    Tile,
    encode_bundle,
    subtree_hashes,
    tiles_of,
)
from skyweave.control.log.trust import TrustPolicy, VerifiedCheckpoint, verify_checkpoint
from skyweave.errors import InputError

MAX_PROBLEMS = 100
MAX_STRAY = 1000

# The writer's own, and what stands beside the log: `control.objects` checks that.
_BESIDE = frozenset({".writer", "objects", "private"})


@dataclass(frozen=True)
class FsckReport:
    """What a whole check found; truthy when the folder is sound."""

    checkpoint: Checkpoint | None  # None where not even its signature held
    problems: tuple[str, ...]  # one line each, the first MAX_PROBLEMS
    stray: tuple[str, ...]  # files that no checkpoint covers: an append under way, or foreign
    witnessed: tuple[VerifiedCheckpoint, ...]  # with quorum, ascending by size

    def __bool__(self) -> bool:
        return not self.problems


def fsck(folder: Path, policy: TrustPolicy) -> FsckReport:
    """Return the state of a log's folder: every tile, bundle and checkpoint in it is read.

    Signature lines of keys that the policy does not name are problems here, though other readers
    pass over them: nothing in a published folder should be beyond checking.
    """
    return check_folder(folder, policy)[0]


def check_folder(folder: Path, policy: TrustPolicy) -> tuple[FsckReport, list[bytes]]:
    """Return what `fsck` finds, and the entries; they count only where the report is sound."""
    check = _Check(LogFolder(folder), policy)
    try:
        check.run()
    except InputError as error:  # without a checkpoint, or tiles to read, the rest says nothing
        check.problems.append(str(error))
    report = FsckReport(
        check.head, tuple(check.problems[:MAX_PROBLEMS]), check.stray(), tuple(check.witnessed)
    )
    return report, check.entries


class _Check:
    """One pass over a folder: entries give leaf hashes, these give tiles, these give roots."""

    def __init__(self, log: LogFolder, policy: TrustPolicy) -> None:
        self.log = log
        self.policy = policy
        self.head: Checkpoint | None = None
        self.entries: list[bytes] = []
        self.problems: list[str] = []
        self.witnessed: list[VerifiedCheckpoint] = []
        self.covered = {CHECKPOINT}

    def run(self) -> None:
        newest = self._verified(self.log.checkpoint(), CHECKPOINT)
        self.head = newest.checkpoint
        size = self.head.size
        levels = self._levels(size)
        for tile in tiles_of(size):
            self._compare(tile, levels, size)
        subtree = _subtree(levels)
        if root(size, subtree) != self.head.root:
            self._problem(CHECKPOINT, "the entries do not give the signed root")
        self._check_witnessed(newest, subtree)
        self._check_old_partials(levels, size)

    def stray(self) -> tuple[str, ...]:
        return tuple(path for path in self._files() if path not in self.covered)[:MAX_STRAY]

    def _levels(self, size: int) -> list[list[bytes]]:
        """Return the hashes of each tile level, computed from the entries alone."""
        for tile in tiles_of(size):
            if tile.level != ENTRIES:
                break
            self.entries += self.log.bundle(tile)
        levels = [[leaf_hash(entry) for entry in self.entries]]
        while len(levels[-1]) >= TILE_WIDTH:
            below = levels[-1]
            ends = range(TILE_WIDTH, len(below) + 1, TILE_WIDTH)
            levels.append([fold(below[end - TILE_WIDTH : end]) for end in ends])
        return levels

    def _compare(self, tile: Tile, levels: Sequence[Sequence[bytes]], size: int) -> None:
        """Compare a file with what the entries give, byte by byte."""
        name, content = self.log.content_of(tile, MAX_BUNDLE_BYTES)
        self.covered.add(name)
        expected = self._expected(tile, levels)
        if content != expected if name == tile.path else not content.startswith(expected):
            self._problem(name, f"not what the log's {size} entries give")

    def _expected(self, tile: Tile, levels: Sequence[Sequence[bytes]]) -> bytes:
        start = tile.number * TILE_WIDTH
        if tile.level == ENTRIES:
            return encode_bundle(self.entries[start : start + tile.width])
        return b"".join(levels[tile.level][start : start + tile.width])

    def _check_old_partials(self, levels: Sequence[Sequence[bytes]], size: int) -> None:
        """Compare partial tiles of earlier, smaller trees with the log as it is now."""
        for tile in _partials(self._files()):
            if tile.path in self.covered or tile.level >= len(levels):
                continue
            count = len(self.entries if tile.level == ENTRIES else levels[tile.level])
            if tile.number * TILE_WIDTH + tile.width <= count:
                self._compare(tile, levels, size)

    def _check_witnessed(self, newest: VerifiedCheckpoint, subtree: SubtreeHash) -> None:
        found = {newest.checkpoint.size: newest} if newest.has_quorum else {}
        for size in self.log.witnessed_sizes():
            name = f"{WITNESSED}/{size}"
            self.covered.add(name)
            try:
                seen = self._verified(self.log.witnessed(size), name)
            except InputError as error:
                self.problems.append(str(error))
                continue
            stated = seen.checkpoint
            if stated.size != size or size > newest.checkpoint.size:
                self._problem(name, "its size is not its name's, or beyond the checkpoint's")
            elif stated.root != root(size, subtree):
                self._problem(name, "a FORK: the log signed another history; keep both files")
            elif seen.has_quorum:
                found[size] = seen
        self.witnessed = [found[size] for size in sorted(found)]

    def _verified(self, content: bytes, name: str) -> VerifiedCheckpoint:
        source = str(self.log.folder / name)
        verified = verify_checkpoint(content, self.policy, source, quorum=False)
        if self.head is not None and verified.checkpoint.origin != self.head.origin:
            self._problem(name, "of another log")
        known = {(k.name, k.key_hash) for k in (*self.policy.logs, *self.policy.witnesses.values())}
        if any((line.name, line.key_hash) not in known for line in verified.note.lines):
            self._problem(name, "a signature line of a key that the policy does not name")
        return verified

    def _problem(self, name: str, what: str) -> None:
        self.problems.append(f"{self.log.folder / name}: {what}; restore it from another copy")

    def _files(self) -> Iterator[str]:
        for at, folders, names in os.walk(self.log.folder):
            place = Path(at).relative_to(self.log.folder)
            folders[:] = sorted(set(folders) - _BESIDE) if at == str(self.log.folder) else folders
            yield from sorted((place / name).as_posix() for name in names)


def _subtree(levels: Sequence[Sequence[bytes]]) -> SubtreeHash:
    def hashes(level: int, first: int, count: int) -> bytes:
        return b"".join(levels[level][first : first + count])

    return subtree_hashes(hashes)


def _partials(names: Iterator[str]) -> Iterator[Tile]:
    """Yield the partial tiles among file names, as `Tile.path` writes them."""
    for name in names:
        kind, _, rest = name.removeprefix("tile/").partition("/")
        number, partial, width = rest.replace("x", "").partition(".p/")
        digits = number.replace("/", "")
        if not partial or not (digits.isdecimal() and width.isdecimal()) or len(digits) > 15:
            continue
        level = ENTRIES if kind == "entries" else int(kind) if kind.isdecimal() else TILE_WIDTH
        tile = Tile(level, int(digits), int(width[:4]))
        if tile.path == name and 0 < tile.width < TILE_WIDTH:
            yield tile
