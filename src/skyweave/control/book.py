"""An authority's log with the objects beside it: verified as one, and written as one.

    book = Book.open(folder)          # all of it holds, or one line says what does not
    book.authority()                  # what follows from it

Whoever has the folder can do this: no key, no server, no clock is asked.  What makes a folder the
one that somebody means is the digest of its first charter, `genesis`; compare it with one that came
another way.
"""

from collections import ChainMap
from collections.abc import Iterable, Mapping, MutableMapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import TracebackType
from typing import Self, cast

from skyweave.control.domain.charters import trust_of, verify_genesis
from skyweave.control.domain.documents import Charter, Document
from skyweave.control.domain.entries import LoggedEntry, encode_entry, logged_entries, parse_entry
from skyweave.control.domain.replay import follow, replay
from skyweave.control.domain.state import Authority
from skyweave.control.log.checkpoint import Checkpoint, parse_checkpoint
from skyweave.control.log.fsck import fsck
from skyweave.control.log.store import (
    CHECKPOINT,
    LogFolder,
    LogWriter,
    add_cosignatures,
    create_log,
)
from skyweave.control.log.tiles import MAX_ENTRY_BYTES
from skyweave.control.log.trust import TrustPolicy, verify_checkpoint
from skyweave.control.log.verify import VerifiedLog, quorum_time_s, verify_folder
from skyweave.control.log.witness import Carrier, ask_any_witness
from skyweave.control.objects import (
    OBJECTS,
    PRIVATE,
    Named,
    Objects,
    document_of,
    named_objects,
    store,
)
from skyweave.control.signing.dsse import Envelope
from skyweave.control.signing.keys import PrivateKey
from skyweave.control.signing.notes import (
    LOG_SIGNATURE,
    Note,
    SignatureLine,
    VerifierKey,
    verified_lines,
)
from skyweave.errors import InputError
from skyweave.policy.threshold import CLOCK_TOLERANCE_S

_WRITER = ".writer"


@dataclass(frozen=True, eq=False)
class Book:
    """A folder of which every byte was checked."""

    folder: Path
    genesis: str  # digest of the charter in entry 0
    policy: TrustPolicy  # of that charter: the log's key, the witnesses and their quorum
    verified: VerifiedLog
    entries: tuple[LoggedEntry, ...]
    withheld: tuple[str, ...]  # digests of what is named and not yet published
    _replayed: dict[int, Authority] = field(default_factory=dict, repr=False)

    @classmethod
    def open(
        cls,
        folder: Path,
        *,
        genesis: str | None = None,
        quorum: bool = True,
        now_s: int | None = None,
    ) -> "Book":
        """Return a folder's book, or refuse it: log, times and objects must all hold.

        `genesis` pins the first charter.  Without `quorum` a log that its witnesses have not seen
        is read as well.  What is withheld is overdue by the log's own time, or by `now_s` (s since
        1970) where that is later.
        """
        first = _first_entry(folder)
        charter = _genesis_of(folder, first)
        if genesis is not None:
            _refuse_another_genesis(folder, charter.digest, genesis)
        policy = trust_of(charter)
        verified = verify_folder(folder, policy, quorum=quorum)
        _refuse_another_beginning(folder, verified, first)
        entries = _dated_entries(folder, verified, policy)
        for problem in Objects(folder / OBJECTS).problems():
            raise InputError(problem)
        at_s = max(now_s or 0, _last_s(entries, verified, policy))
        withheld = _withheld(folder, entries, at_s)
        return cls(folder, charter.digest, policy, verified, entries, withheld)

    @property
    def objects(self) -> Mapping[str, bytes]:
        """What is published beside the log, by digest."""
        return Objects(self.folder / OBJECTS)

    @property
    def private(self) -> Mapping[str, bytes]:
        """What only the log's keeper holds, by digest: empty in a copy."""
        return Objects(self.folder / PRIVATE)

    @property
    def last_s(self) -> int:
        """The newest time that the log or its witnesses state (s since 1970)."""
        return _last_s(self.entries, self.verified, self.policy)

    @property
    def seen_s(self) -> int | None:
        """When a quorum of witnesses last said that the newest checkpoint they know is the newest.

        Witnesses may see a log again that did not grow: `checkpoint` has their latest lines.
        """
        content = LogFolder(self.folder).checkpoint()
        newest = verify_checkpoint(content, self.policy, str(self.folder), quorum=False)
        times = (quorum_time_s(each, self.policy) for each in (*self.verified.witnessed, newest))
        return max((time_s for time_s in times if time_s is not None), default=None)

    def authority(self, now_s: int | None = None) -> Authority:
        """Return what follows from the log at `now_s`, at its own newest time where none is given.

        Only what is published counts, so that everyone who has the folder comes to the same.
        """
        at_s = self.last_s if now_s is None else now_s
        if at_s not in self._replayed:
            self._replayed[at_s] = replay(self.entries, self.objects, now_s=at_s)
        return self._replayed[at_s]


@dataclass(frozen=True)
class Health:
    """What a whole check of a folder found; truthy when it is sound."""

    problems: tuple[str, ...]
    stray: tuple[str, ...]  # files that nothing covers or names
    genesis: str | None  # None where not even the first entry can be read
    entries: int
    witnessed: int  # entries that a quorum of witnesses has seen

    def __bool__(self) -> bool:
        return not self.problems


def examine(folder: Path, *, now_s: int | None = None) -> Health:
    """Return all that is wrong with a folder, where `Book.open` refuses at the first fault."""
    try:
        charter = _genesis_of(folder, _first_entry(folder))
    except InputError as error:
        return Health((str(error),), (), None, 0, 0)
    report = fsck(folder, trust_of(charter))
    problems = [*report.problems, *Objects(folder / OBJECTS).problems()]
    stray = list(report.stray)
    if not problems:
        try:
            book = Book.open(folder, quorum=False, now_s=now_s)
            stray += _unnamed(book)
        except InputError as error:
            problems.append(str(error))
    size = report.checkpoint.size if report.checkpoint else 0
    seen = report.witnessed[-1].checkpoint.size if report.witnessed else 0
    return Health(tuple(problems), tuple(stray), charter.digest, size, seen)


def cosign(folder: Path, add_checkpoint: Carrier, who: str) -> str:
    """Have a witness see a log and publish its line beside it; return its name in the policy.

    The log's own key is not needed, its folder is.
    """
    book = Book.open(folder, quorum=False)
    note, line, name = _asked(book, add_checkpoint, who)
    add_cosignatures(folder, note, [line], book.policy.logs)
    return name


class BookWriter:
    """The one writer of a book; use it in a `with` block.

    Nothing is appended that would have no effect: every entry is checked against the state that it
    meets, by the same code that replays the log.
    """

    def __init__(self, folder: Path, key: PrivateKey) -> None:
        self.folder = folder
        self.book: Book  # as it is now; known once it is open
        self._authority: Authority  # what follows from it
        self._log = LogWriter(folder, key)
        self._open = ExitStack()

    @classmethod
    def create(
        cls,
        folder: Path,
        origin: str,
        key: PrivateKey,
        genesis: Envelope,
        objects: Mapping[str, bytes],
        private: Mapping[str, bytes] | None = None,
        *,
        now_s: int,
    ) -> Book:
        """Make a log whose first entry is a charter, and return it.

        `origin` is the log's name; it and the key must be those that the charter names.
        """
        policy = trust_of(verify_genesis(genesis))
        _refuse_another_log(policy, VerifierKey(origin, LOG_SIGNATURE, key.public))
        if not (folder / CHECKPOINT).exists():
            create_log(folder, origin, key)
        with LogWriter(folder, key) as log:
            if log.checkpoint.size:
                raise InputError(f"{folder}: a log is there already; name another folder")
            store(folder, PRIVATE, private or {}, folder / _WRITER)
            store(folder, OBJECTS, objects, folder / _WRITER)
            log.append([encode_entry(now_s, genesis)])
        return Book.open(folder, quorum=False)

    def __enter__(self) -> Self:
        self._open.enter_context(self._log)
        try:
            self._take(Book.open(self.folder, quorum=False))
        except BaseException:
            self._open.close()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._open.__exit__(kind, error, trace)

    def append(
        self,
        envelopes: Sequence[Envelope],
        objects: Mapping[str, bytes],
        private: Mapping[str, bytes],
        now_s: int,
    ) -> Checkpoint:
        """Append documents with the objects that they name; return the checkpoint that holds them.

        All or nothing: one that would have no effect is refused, and then nothing is written.  The
        objects are durable before the entry that names them.
        """
        logged_s, entries, authority = self._checked(envelopes, objects, private, now_s)
        self._store(objects, private)
        contents = [encode_entry(logged_s, each) for each in envelopes]
        checkpoint = self._log.append(contents)
        verified = replace(
            self.book.verified, checkpoint=checkpoint,
            entries=(*self.book.verified.entries, *contents),
        )  # fmt: skip
        new = _withheld(self.folder, entries[len(self.book.entries) :], logged_s)
        withheld = tuple(x for x in (*self.book.withheld, *new) if x not in objects)
        self.book = replace(
            self.book, verified=verified, entries=entries, withheld=withheld, _replayed={}
        )
        self._authority = authority
        return checkpoint

    def check(
        self,
        envelopes: Sequence[Envelope],
        objects: Mapping[str, bytes],
        private: Mapping[str, bytes],
        now_s: int,
    ) -> None:
        """Refuse what `append` would refuse; nothing is written."""
        self._checked(envelopes, objects, private, now_s)

    def publish(self, objects: Mapping[str, bytes]) -> tuple[str, ...]:
        """Publish objects that were withheld; return the digests that are new."""
        for digest in objects:
            if digest not in self.book.objects and digest not in self.book.withheld:
                raise _unnamed_object(digest)
        new = tuple(digest for digest in objects if digest not in self.book.objects)
        self._store(objects, {})
        left = tuple(each for each in self.book.withheld if each not in objects)
        self._take(replace(self.book, withheld=left, _replayed={}))
        return new

    def publish_due(self, now_s: int) -> tuple[str, ...]:
        """Publish what the keeper holds and whose day has come; return the digests."""
        due = {
            each.digest: self.book.private[each.digest]
            for each in _named_by(self.book.entries, self.book.objects)
            if each.digest in self.book.withheld
            and each.publish_by_s is not None
            and each.publish_by_s <= now_s
            and each.digest in self.book.private
        }
        return self.publish(due)

    def cosign(self, add_checkpoint: Carrier, who: str) -> str:
        """Have a witness see the log and publish its line; return its name in the policy."""
        note, line, name = _asked(self.book, add_checkpoint, who)
        self._log.add_cosignatures(note, [line])
        self._take(Book.open(self.folder, quorum=False))
        return name

    def _checked(
        self,
        envelopes: Sequence[Envelope],
        objects: Mapping[str, bytes],
        private: Mapping[str, bytes],
        now_s: int,
    ) -> tuple[int, tuple[LoggedEntry, ...], Authority]:
        """Return the time to log, all entries with the new ones, and what would follow."""
        logged_s = self._time_s(now_s)
        known = ChainMap(dict(objects), cast(MutableMapping[str, bytes], self.book.objects))
        entries = self._numbered(envelopes, logged_s)
        _refuse_incomplete(entries[len(self.book.entries) :], known, private, self.book)
        return logged_s, entries, follow(self._authority, envelopes, logged_s, known)

    def _time_s(self, now_s: int) -> int:
        """Return the time to log, which never falls."""
        last_s = self.book.last_s
        if now_s < last_s - CLOCK_TOLERANCE_S:
            raise InputError(
                f"{self.folder}: the clock stands {last_s - now_s} s before the log's newest time; "
                "set the clock right, or wait"
            )
        return max(now_s, self.book.entries[-1].logged_s)

    def _numbered(self, envelopes: Sequence[Envelope], logged_s: int) -> tuple[LoggedEntry, ...]:
        """Return the log's entries with the new ones."""
        size = len(self.book.entries)
        new = (LoggedEntry(size + n, logged_s, each) for n, each in enumerate(envelopes))
        return (*self.book.entries, *new)

    def _take(self, book: Book) -> None:
        """Go on from a book."""
        self.book, self._authority = book, book.authority()

    def _store(self, objects: Mapping[str, bytes], private: Mapping[str, bytes]) -> None:
        store(self.folder, PRIVATE, private, self.folder / _WRITER)
        store(self.folder, OBJECTS, objects, self.folder / _WRITER)


def _genesis_of(folder: Path, first: bytes) -> Charter:
    _, envelope = parse_entry(first, f"{folder}: entry 0")
    return verify_genesis(envelope, f"{folder}: entry 0")


def _first_entry(folder: Path) -> bytes:
    log = LogFolder(folder)
    head, _ = parse_checkpoint(log.checkpoint(), str(folder / CHECKPOINT))
    if head.size == 0:
        raise InputError(f"{folder}: the log is empty; begin it with skyweave log init")
    return log.entry(0, head.size)


def _refuse_another_genesis(folder: Path, found: str, expected: str) -> None:
    """Whoever makes a whole log of their own can make all of it hold, but not its beginning."""
    if found != expected:
        raise InputError(
            f"{folder}: begins with the charter {found}, expected {expected}; this is another "
            "authority's log, do not trust it"
        )


def _refuse_another_beginning(folder: Path, verified: VerifiedLog, first: bytes) -> None:
    """The first entry was read before it was verified: it must be the same still."""
    if verified.entries[0] != first:
        raise InputError(f"{folder}: changed while it was read; copy it and verify the copy")


def _refuse_another_log(policy: TrustPolicy, own: VerifierKey) -> None:
    if own not in policy.logs:
        raise InputError(
            f"the charter does not trust the log {own.text}; give the key and the name that its "
            "log line has, or sign a charter with this one"
        )


def _dated_entries(
    folder: Path, verified: VerifiedLog, policy: TrustPolicy
) -> tuple[LoggedEntry, ...]:
    return logged_entries(verified.entries, _quorum_times(verified, policy), str(folder))


def _quorum_times(verified: VerifiedLog, policy: TrustPolicy) -> list[tuple[int, int]]:
    """Return the size of each witnessed checkpoint, and when its quorum was complete."""
    times = ((each, quorum_time_s(each, policy)) for each in verified.witnessed)
    return [(each.checkpoint.size, time_s) for each, time_s in times if time_s is not None]


def _last_s(entries: Sequence[LoggedEntry], verified: VerifiedLog, policy: TrustPolicy) -> int:
    witnessed = (time_s for _, time_s in _quorum_times(verified, policy))
    return max(entries[-1].logged_s, max(witnessed, default=0))


def _named_by(entries: Iterable[LoggedEntry], objects: Mapping[str, bytes]) -> Iterable[Named]:
    """Yield what the entries name; what is no document has no effect and names nothing."""
    for entry in entries:
        try:
            document: Document = document_of(entry.envelope, f"entry {entry.index}")
            found = named_objects(document, objects)
        except InputError:
            continue
        yield from found


def _withheld(folder: Path, entries: Iterable[LoggedEntry], at_s: int) -> tuple[str, ...]:
    """Return the digests of what is named and not there, none of them beyond its day."""
    objects, found = Objects(folder / OBJECTS), dict[str, None]()
    for each in _named_by(entries, objects):
        if each.digest not in objects:
            _refuse_withheld(each, folder, at_s)
            found[each.digest] = None
    return tuple(found)


def _refuse_withheld(named: Named, folder: Path, at_s: int) -> None:
    """Nobody can judge a decision on what is never shown."""
    if named.publish_by_s is None:
        raise InputError(
            f"{folder}: {named.what} is missing; copy {OBJECTS}/{named.digest[7:]} as well"
        )
    if at_s > named.publish_by_s:
        raise InputError(
            f"{folder}: {named.what} is withheld beyond its day by {at_s - named.publish_by_s} s; "
            f"ask the log's keeper for {OBJECTS}/{named.digest[7:]}"
        )


def _refuse_incomplete(
    entries: Iterable[LoggedEntry],
    objects: Mapping[str, bytes],
    private: Mapping[str, bytes],
    book: Book,
) -> None:
    """Refuse new entries that are too long, that lack an object, or objects that none names."""
    named = set(book.withheld)
    for entry in entries:
        _refuse_long(entry)
        document = document_of(entry.envelope, f"entry {entry.index}")
        for each in named_objects(document, objects):
            _refuse_missing(each, objects, private, entry.logged_s)
            named.add(each.digest)
    for digest in objects:
        if digest not in named and digest not in book.objects:
            raise _unnamed_object(digest)


def _refuse_missing(
    named: Named, objects: Mapping[str, bytes], private: Mapping[str, bytes], logged_s: int
) -> None:
    """The keeper takes in what is published later, so that nobody else can hold it back then."""
    if named.digest in objects:
        return
    if named.publish_by_s is None or named.publish_by_s < logged_s:
        raise InputError(f"{named.what} is missing; put it into the parcel ({named.digest})")
    if named.digest not in private:
        raise InputError(
            f"{named.what} is missing; put it into the parcel's private part, the log's keeper "
            "publishes it on its day"
        )


def _refuse_long(entry: LoggedEntry) -> None:
    length = len(encode_entry(entry.logged_s, entry.envelope))
    if length > MAX_ENTRY_BYTES:
        raise InputError(
            f"a document of {length:,} bytes with its signatures: at most {MAX_ENTRY_BYTES:,} fit "
            "into an entry; put long texts into an object"
        )


def _unnamed_object(digest: str) -> InputError:
    return InputError(
        f"object {digest[:23]}...: no document names it; leave it out, the log keeps nothing else"
    )


def _unnamed(book: Book) -> list[str]:
    named = {each.digest for each in _named_by(book.entries, book.objects)}
    return [f"{OBJECTS}/{each[7:]}" for each in book.objects if each not in named]


def _asked(book: Book, add_checkpoint: Carrier, who: str) -> tuple[Note, SignatureLine, str]:
    """Return a witness's verified line over the newest checkpoint and its name in the policy."""
    witnesses = book.policy.witnesses
    note, line, key = ask_any_witness(
        LogFolder(book.folder), list(witnesses.values()), add_checkpoint, who
    )
    (signed,) = verified_lines(Note(note.text, (line,)), [key], who)
    _refuse_early_witness(book, signed.time_s or 0, who)
    return note, line, next(name for name, each in witnesses.items() if each == key)


def _refuse_early_witness(book: Book, time_s: int, who: str) -> None:
    """A line that is dated before the entries under it would spoil the log for good."""
    ahead_s = book.entries[-1].logged_s - time_s
    if ahead_s > CLOCK_TOLERANCE_S:
        raise InputError(
            f"{who}: its clock is {ahead_s} s behind the log's last entry; find out whose clock is "
            "wrong, its cosignature was not published"
        )
