"""A log in a folder: one writer, and readers that need nothing but the files.

What any web server may publish: `checkpoint`, `tile/` and, for each tree size that witnesses
cosigned, `witnessed/SIZE`.  The writer's own lock and journal stand in `.writer/`.

Nothing acknowledged is lost and the log never signs two histories, wherever the process dies or
the power fails:

1. new entries go to the journal, flushed, before anything about them is signed;
2. bundles and tiles are put in place, the checkpoint last; then `append` returns;
3. now and then, and when the log is closed, all files are flushed and the journal begins anew.

What the journal holds is carried out again when the log is opened: the same entries give the same
tiles, root and signature.  A torn record was never signed, and is dropped.  Entries whose append
failed may therefore still appear after the log is opened again; look before repeating one.
"""

import shutil
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import lru_cache
from pathlib import Path
from types import TracebackType
from typing import Self

from skyweave.control.log.checkpoint import Checkpoint, checkpoint_of, parse_checkpoint
from skyweave.control.log.durable import flush, locked, place, publish, read_limited
from skyweave.control.log.journal import add_batch, begin_journal, read_journal
from skyweave.control.log.merkle import HASH_BYTES, SubtreeHash, fold, leaf_hash, root
from skyweave.control.log.tiles import (
    ENTRIES,
    MAX_BUNDLE_BYTES,
    MAX_ENTRIES,
    MAX_ENTRY_BYTES,
    TILE_HEIGHT,
    TILE_WIDTH,
    Tile,
    decode_bundle,
    encode_bundle,
    subtree_hashes,
    tile_holding,
)
from skyweave.control.signing.encoding import shown
from skyweave.control.signing.keys import PrivateKey
from skyweave.control.signing.notes import (
    LOG_SIGNATURE,
    MAX_NOTE_BYTES,
    Note,
    SignatureLine,
    VerifierKey,
    sign_note,
    verified_lines,
)
from skyweave.errors import InputError, SkyweaveError

CHECKPOINT = "checkpoint"
WITNESSED = "witnessed"
MAX_BATCH_ENTRIES = 4096
MAX_BATCH_BYTES = 1 << 25

_WRITER = ".writer"
_JOURNALLED_BATCHES = 512  # between flushes of all files
_JOURNALLED_BYTES = 1 << 26
_LEVELS = 64 // TILE_HEIGHT
_CACHED_TILES = 64


class LogFolder:
    """Reads a log's files, each checked for its length and none for its truth."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def checkpoint(self) -> bytes:
        """Return the newest checkpoint as it stands in the file."""
        return read_limited(self.folder / CHECKPOINT, MAX_NOTE_BYTES, "a log's checkpoint")

    def witnessed_sizes(self) -> list[int]:
        """Return the tree sizes with a cosigned checkpoint, ascending."""
        folder = self.folder / WITNESSED
        names = (path.name for path in folder.iterdir()) if folder.is_dir() else ()
        return sorted(int(n) for n in names if n.isascii() and n.isdigit() and n == str(int(n)))

    def witnessed(self, size: int) -> bytes:
        """Return the cosigned checkpoint of one tree size."""
        path = self.folder / WITNESSED / str(size)
        return read_limited(path, MAX_NOTE_BYTES, "a cosigned checkpoint")

    def tile(self, tile: Tile) -> bytes:
        """Return a tile's hashes, from the full tile where the partial one is gone."""
        _, content = self.content_of(tile, HASH_BYTES * TILE_WIDTH)
        return content[: tile.width * HASH_BYTES]

    def bundle(self, tile: Tile) -> list[bytes]:
        """Return a bundle's entries."""
        _, content = self.content_of(tile, MAX_BUNDLE_BYTES)
        entries = decode_bundle(content, str(self.folder / tile.path))
        if len(entries) < tile.width:
            raise self._short(tile)
        return entries[: tile.width]

    def content_of(self, tile: Tile, limit: int) -> tuple[str, bytes]:
        """Return the path and content of a tile's file, of the full one where the partial is gone.

        The writer may remove it at any moment, so it is read first and missed afterwards.
        """
        full = tile._replace(width=TILE_WIDTH).path
        what = f"{tile.width} items of the log; copy the log again"
        try:
            return tile.path, read_limited(self.folder / tile.path, limit, what)
        except InputError:
            if (self.folder / tile.path).exists() or not (self.folder / full).is_file():
                raise
        return full, read_limited(self.folder / full, limit, what)

    def entry(self, index: int, size: int) -> bytes:
        """Return one entry of a tree of `size` entries."""
        return self.bundle(tile_holding(ENTRIES, index, size))[index % TILE_WIDTH]

    def subtree(self, size: int) -> SubtreeHash:
        """Return the hashes of complete subtrees of a tree of `size` entries."""
        read = lru_cache(_CACHED_TILES)(self._whole_tile)

        def hashes(level: int, first: int, count: int) -> bytes:
            tile = tile_holding(level, first, size)
            start = first % TILE_WIDTH * HASH_BYTES
            return read(tile)[start : start + count * HASH_BYTES]

        return subtree_hashes(hashes)

    def _whole_tile(self, tile: Tile) -> bytes:
        content = self.tile(tile)
        if len(content) != tile.width * HASH_BYTES:
            raise self._short(tile)
        return content

    def _short(self, tile: Tile) -> InputError:
        path = self.folder / tile.path
        return InputError(f"{path}: fewer than {tile.width} items; copy the log again")


def create_log(folder: Path, name: str, key: PrivateKey) -> None:
    """Make an empty log; `name` is its origin, for example example.org/log."""
    signed = _signed(Checkpoint.empty(name), key)
    if (folder / CHECKPOINT).exists():
        raise InputError(f"{folder}: a log is there already; name another folder")
    staging = folder / _WRITER
    staging.mkdir(parents=True, exist_ok=True, mode=0o700)
    with locked(staging / "lock", "the log"):
        begin_journal(staging / "journal", signed.encode())
        publish(folder, {CHECKPOINT: signed.encode()}, staging)


def add_cosignatures(
    folder: Path, note: Note, lines: Iterable[SignatureLine], log_keys: Sequence[VerifierKey]
) -> None:
    """Publish witnesses' verified lines as `LogWriter.add_cosignatures` does, without its key."""
    with _sole_writer(folder):
        _add_cosignatures(LogFolder(folder), note, lines, log_keys)


class LogWriter:
    """The one writer of a log; use it in a `with` block, so that its lock is let go of."""

    def __init__(self, folder: Path, key: PrivateKey) -> None:
        self.reader = LogFolder(folder)
        self.checkpoint: Checkpoint  # the newest; known once the log is open
        self.note: Note
        self._key = key
        self._staging = folder / _WRITER
        self._journal = self._staging / "journal"
        self._open = ExitStack()
        self._broken = True  # until it is open, and after a failure
        self._batches = 0  # in the journal
        self._flushed_size = 0  # of the checkpoint that the journal starts from
        self._journal_end = 0  # in bytes
        self._unflushed: set[Path] = set()
        self._complete: list[Tile] = []  # since the last flush

    def __enter__(self) -> Self:
        self._open.enter_context(_sole_writer(self.reader.folder))
        try:
            self._recover()
        except BaseException:
            self._open.close()
            raise
        self._broken = False
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            if not self._broken and self._batches:
                self._flush()
        finally:
            self._broken = True
            self._open.close()

    def append(self, entries: Sequence[bytes]) -> Checkpoint:
        """Append entries and return the checkpoint that holds them, once both are durable."""
        _refuse_bad_batch(entries, self.checkpoint.size)
        if self._broken:
            raise SkyweaveError(f"{self.reader.folder}: the log is closed; open it again")
        self._broken = True  # after a failure what is on the disk is unknown: open it anew
        self._journal_end = add_batch(self._journal, self._journal_end, entries)
        self._commit(entries)
        if self._batches >= _JOURNALLED_BATCHES or self._journal_end >= _JOURNALLED_BYTES:
            self._flush()
        self._broken = False
        return self.checkpoint

    def add_cosignatures(self, note: Note, lines: Iterable[SignatureLine]) -> None:
        """Publish witnesses' lines for a checkpoint of this log, beside those it has.

        The lines must have been verified; `witness.ask_witness` returns only such.
        """
        note = _add_cosignatures(self.reader, note, lines, [self._own_key()])
        if note.text == self.note.text:
            self.note = note

    def _own_key(self) -> VerifierKey:
        return VerifierKey(self.checkpoint.origin, LOG_SIGNATURE, self._key.public)

    def _recover(self) -> None:
        """Start from the checkpoint that was flushed last and carry out the journal again."""
        journal = read_journal(self._journal)
        self.checkpoint, self.note = parse_checkpoint(journal.base, str(self._journal))
        if not verified_lines(self.note, [self._own_key()], str(self._journal)):
            raise InputError(f"{self._journal}: signed by another key; give the key of this log")
        self._flushed_size = self.checkpoint.size
        self._edge = _Edge.of(self.reader, self.checkpoint.size)
        if self._edge.root() != self.checkpoint.root:
            raise InputError(
                f"{self.reader.folder}: the tiles do not give the checkpoint's root; find the "
                "damage with skyweave log fsck and restore the folder before writing on"
            )
        seen = self._published(lost=bool(journal.batches))
        history = [self.checkpoint.text]
        for batch in journal.batches:
            self._commit(batch)
            history.append(self.checkpoint.text)
        if seen is not None and seen.text not in history:
            raise InputError(
                f"{self.reader.folder}: the published checkpoint is not one of the journal's; the "
                "folder was set back, restore all of it: writing on would fork the log"
            )
        self._merge_published(seen)
        self._flush()  # also without a batch: a torn record must not stay behind the next one

    def _published(self, *, lost: bool) -> Note | None:
        """Return the published checkpoint; lost power may have taken it, if `lost`."""
        try:
            return parse_checkpoint(self.reader.checkpoint(), CHECKPOINT)[1]
        except InputError:
            if not lost:
                raise
            return None

    def _merge_published(self, seen: Note | None) -> None:
        """Take up the cosignatures that the newest checkpoint already had."""
        size, own, note = self.checkpoint.size, self._own_key(), self.note
        if size in self.reader.witnessed_sizes():
            _, note = parse_checkpoint(self.reader.witnessed(size), f"{WITNESSED}/{size}")
        if seen is not None and seen.text == note.text:
            note = note.with_lines(x for x in seen.lines if x.key_hash != own.key_hash)
        if note != self.note:
            self.note = note
            publish(self.reader.folder, {CHECKPOINT: note.encode()}, self._staging)

    def _commit(self, entries: Sequence[bytes]) -> None:
        """Put the files of journalled entries in place, the checkpoint last."""
        files, complete = self._edge.extend(entries)
        self._unflushed |= place(self.reader.folder, files, self._staging)
        now = Checkpoint(self.checkpoint.origin, self._edge.size, self._edge.root())
        note = _signed(now, self._key)
        newest = {CHECKPOINT: note.encode()}
        self._unflushed |= place(self.reader.folder, newest, self._staging)
        self.checkpoint, self.note = now, note
        self._complete += complete
        self._batches += 1

    def _flush(self) -> None:
        """Make all files durable and begin a new journal.

        Partial tiles that a full one replaces go before they ever reach the disk, which costs a
        fraction of removing them later; those that the old journal starts from go last.
        """
        replaced = {self._partials(tile) for tile in self._complete}
        needed = {self.reader.folder / tile.path for tile in _edge_tiles(self._flushed_size)}
        spare = {x for x in self._unflushed if x.parent in replaced and x not in needed}
        for path in spare:
            path.unlink(missing_ok=True)
        flush(self._unflushed - spare)
        self._journal_end = begin_journal(self._journal, self.note.encode())
        self._flushed_size = self.checkpoint.size
        for folder in replaced:
            shutil.rmtree(folder, ignore_errors=True)
        self._unflushed, self._complete, self._batches = set(), [], 0

    def _partials(self, tile: Tile) -> Path:
        """Return the folder of a full tile's partial ones."""
        return (self.reader.folder / tile._replace(width=1).path).parent


class _Edge:
    """The right-hand edge of a tree: the last, partial tile of each level, and the last bundle."""

    def __init__(self, size: int, bundle: list[bytes], levels: list[bytearray]) -> None:
        self.size = size
        self._bundle = bundle
        self._levels = levels

    @classmethod
    def of(cls, reader: LogFolder, size: int) -> "_Edge":
        levels = [bytearray() for _ in range(_LEVELS)]
        bundle: list[bytes] = []
        for tile in _edge_tiles(size):
            if tile.level == ENTRIES:
                bundle = reader.bundle(tile)
            else:
                levels[tile.level] += reader.tile(tile)
        return cls(size, bundle, levels)

    def root(self) -> bytes:
        return root(self.size, subtree_hashes(self._hashes))

    def extend(self, entries: Sequence[bytes]) -> tuple[dict[str, bytes], list[Tile]]:
        """Append entries; return the files that are new, and the tiles that became full."""
        files: dict[str, bytes] = {}
        complete: list[Tile] = []
        for entry in entries:
            self._bundle.append(entry)
            if len(self._bundle) == TILE_WIDTH:
                tile = Tile(ENTRIES, self.size // TILE_WIDTH, TILE_WIDTH)
                files[tile.path] = encode_bundle(self._bundle)
                complete.append(tile)
                self._bundle.clear()
            self._add_hash(0, leaf_hash(entry), files, complete)
            self.size += 1
        grown = {0} | {tile.level + 1 for tile in complete}
        for level in grown:
            self._add_partial(level, files)
        if self._bundle:
            partial = Tile(ENTRIES, self.size // TILE_WIDTH, len(self._bundle))
            files[partial.path] = encode_bundle(self._bundle)
        return files, complete

    def _add_hash(
        self, level: int, value: bytes, files: dict[str, bytes], complete: list[Tile]
    ) -> None:
        hashes = self._levels[level]
        hashes += value
        if len(hashes) < TILE_WIDTH * HASH_BYTES:
            return
        tile = Tile(level, self.size >> (TILE_HEIGHT * (level + 1)), TILE_WIDTH)
        files[tile.path] = bytes(hashes)
        complete.append(tile)
        each = [bytes(hashes[n : n + HASH_BYTES]) for n in range(0, len(hashes), HASH_BYTES)]
        hashes.clear()
        self._add_hash(level + 1, fold(each), files, complete)

    def _add_partial(self, level: int, files: dict[str, bytes]) -> None:
        count = self.size >> (TILE_HEIGHT * level)
        if count % TILE_WIDTH:
            tile = Tile(level, count // TILE_WIDTH, count % TILE_WIDTH)
            files[tile.path] = bytes(self._levels[level])

    def _hashes(self, level: int, first: int, count: int) -> bytes:
        start = first % TILE_WIDTH * HASH_BYTES
        return bytes(self._levels[level][start : start + count * HASH_BYTES])


@contextmanager
def _sole_writer(folder: Path) -> Iterator[None]:
    if not (folder / _WRITER).is_dir():
        raise InputError(f"{folder}: no log, or a copy of one; name the folder it is made in")
    with locked(folder / _WRITER / "lock", "the log"):
        yield


def _add_cosignatures(
    log: LogFolder, note: Note, lines: Iterable[SignatureLine], log_keys: Sequence[VerifierKey]
) -> Note:
    """Publish lines for a checkpoint of the log, the lock being held; return it with all lines.

    In `witnessed/SIZE` a witness's first line stays for good: from its time on the entries count as
    seen, and seeing them once more must not move that.  `checkpoint` has the latest lines: they say
    until when nothing was appended.
    """
    source = "the cosigned checkpoint"
    cosigned = checkpoint_of(note, source)
    newest, published = parse_checkpoint(log.checkpoint(), CHECKPOINT)
    is_own = (cosigned.origin, True) == (newest.origin, cosigned.size <= newest.size)
    if not is_own or not verified_lines(note, log_keys, source):
        raise InputError(f"{source} is not of this log; ask the witnesses for its own")
    staging, latest = log.folder / _WRITER, list(lines)
    name = f"{WITNESSED}/{cosigned.size}"
    note = _with_first_lines(_cosigned_before(log, cosigned, name) or note, latest)
    publish(log.folder, {name: note.encode()}, staging)
    if cosigned == newest:
        note = published.with_lines(latest)
        publish(log.folder, {CHECKPOINT: note.encode()}, staging)
    return note


def _cosigned_before(log: LogFolder, cosigned: Checkpoint, name: str) -> Note | None:
    """Return what witnesses have said of a checkpoint so far, None where none has."""
    if cosigned.size not in log.witnessed_sizes():
        return None
    stated, note = parse_checkpoint(log.witnessed(cosigned.size), name)
    if stated != cosigned:
        raise InputError(
            f"{log.folder / name}: a FORK: the log signed another history; keep both files"
        )
    return note


def _with_first_lines(note: Note, lines: Iterable[SignatureLine]) -> Note:
    """Return a note with the lines of those who had none under it."""
    known = {(line.name, line.key_hash) for line in note.lines}
    return note.with_lines(x for x in lines if (x.name, x.key_hash) not in known)


def _edge_tiles(size: int) -> list[Tile]:
    """Return the partial tiles and the partial bundle of a tree of `size` entries."""
    tiles = []
    for level in range(ENTRIES, _LEVELS):
        number, width = divmod(size >> (TILE_HEIGHT * max(level, 0)), TILE_WIDTH)
        if width:
            tiles.append(Tile(level, number, width))
    return tiles


def _refuse_bad_batch(entries: Sequence[bytes], size: int) -> None:
    if not 0 < len(entries) <= MAX_BATCH_ENTRIES or sum(map(len, entries)) > MAX_BATCH_BYTES:
        raise InputError(
            f"{len(entries)} entries to append: expected 1 to {MAX_BATCH_ENTRIES:,} and at most "
            f"{MAX_BATCH_BYTES:,} bytes; append them in parts"
        )
    longest = max(map(len, entries))
    if longest > MAX_ENTRY_BYTES:
        raise InputError(
            f"an entry of {longest:,} bytes: at most {MAX_ENTRY_BYTES:,} fit; log its digest"
        )
    if size + len(entries) > MAX_ENTRIES:
        raise InputError(f"the log would hold more than {MAX_ENTRIES:,} entries; begin another")


def _signed(checkpoint: Checkpoint, key: PrivateKey) -> Note:
    if any(c < " " for c in checkpoint.origin) or not checkpoint.origin:
        raise InputError(f"log name {shown(checkpoint.origin)}: expected a name like example.org/a")
    line = sign_note(checkpoint.text, checkpoint.origin, key)
    return Note(checkpoint.text, (line,))
