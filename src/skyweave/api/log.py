"""The public log of an authority: begun, written, witnessed, and checked by anyone.

Whoever verifies needs the folder alone; keys are for those who write it or witness it.
"""

from bisect import bisect_left
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from skyweave.api.charters import read_charter_file
from skyweave.api.parcels import Signer, read_limited, refuse_existing
from skyweave.api.parties import refuse_short_passphrase
from skyweave.api.words import utc
from skyweave.control.book import Book, BookWriter, cosign, examine
from skyweave.control.domain.charters import trust_of, verify_genesis
from skyweave.control.files import write_new
from skyweave.control.log.checkpoint import Checkpoint
from skyweave.control.log.monitor import compare
from skyweave.control.log.proofs import MAX_RECEIPT_BYTES, parse_receipt, prove, verify_receipt
from skyweave.control.log.store import LogFolder
from skyweave.control.log.tiles import MAX_ENTRY_BYTES
from skyweave.control.log.trust import MAX_POLICY_BYTES, TrustPolicy, parse_policy
from skyweave.control.log.verify import quorum_time_s
from skyweave.control.log.witness import Carrier, Witness
from skyweave.control.log.witness_http import WitnessServer, witness_at
from skyweave.control.objects import document_of
from skyweave.control.parcel import Parcel, read_parcel
from skyweave.control.signing.dsse import Envelope
from skyweave.control.signing.encoding import shown, to_base64
from skyweave.control.signing.keys import (
    PublicKey,
    generate_key,
    load_public_key,
    save_private_key,
)
from skyweave.control.signing.notes import (
    COSIGNATURE,
    LOG_SIGNATURE,
    MAX_NOTE_BYTES,
    VerifierKey,
    is_key_name,
    parse_verifier_key,
)
from skyweave.errors import InputError, SkyweaveError

_OWN_MACHINE = "127.0.0.1:0"


@dataclass(frozen=True)
class AskedWitness:
    """A witness to ask: at an address, or by its key file and state on this machine."""

    where: str  # URL, or KEYFILE:STATE
    passphrase: str | None = field(default=None, repr=False)

    @property
    def is_remote(self) -> bool:
        """Whether it is asked over HTTP."""
        return self.where.startswith(("http://", "https://"))


def log_key(
    file: str | Path, name: str, *, witness: bool = False, passphrase: str | None = None
) -> dict[str, Any]:
    """Return the verifier key of a log's or a witness's key file, which is made where absent.

    `passphrase` seals a new file; of an existing one only the public part is read.
    """
    path, kind = Path(file), COSIGNATURE if witness else LOG_SIGNATURE
    _refuse_name(name)
    is_new = not path.exists()
    if is_new:
        refuse_short_passphrase(path, passphrase)
        save_private_key(path, generate_key(), passphrase)
    public = load_public_key(path)
    return {
        "file": str(path),
        "is_new": is_new,
        "name": name,
        "role": "witness" if witness else "log",
        "key_id": public.key_id,
        "verifier": VerifierKey(name, kind, public).text,
    }


def log_init(
    folder: str | Path, charter: str | Path, signer: Signer, *, now_s: int
) -> dict[str, Any]:
    """Begin a log with a signed charter; the key must be the one that its trust names."""
    parcel, key = read_charter_file(Path(charter)).parcel, signer.load()
    policy = trust_of(verify_genesis(parcel.envelope, str(charter)))
    origin = _origin_of(policy, key.public, signer.key)
    book = BookWriter.create(
        Path(folder), origin, key, parcel.envelope, parcel.objects, parcel.private, now_s=now_s
    )
    return {
        "log": str(folder),
        "origin": origin,
        "genesis": book.genesis,
        **_head(book.verified.checkpoint),
        "witnesses": sorted(policy.witnesses),
        "quorum": policy.quorum,
    }


def log_append(
    folder: str | Path,
    parcels: Sequence[str | Path],
    signer: Signer,
    *,
    witnesses: Sequence[AskedWitness] = (),
    now_s: int,
) -> dict[str, Any]:
    """Append what parcels hold, publish what is due, and have witnesses see it.

    What is in the log already is not appended again; of such a parcel only the objects that were
    withheld are published.  A witness that does not answer is told of, and asked again next time.
    """
    read = [(str(path), read_parcel(Path(path))) for path in parcels]
    with BookWriter(Path(folder), signer.load()) as writer:
        carriers = [(each.where, _carrier(each, writer.book, now_s)) for each in witnesses]
        appended = _append(writer, read, now_s)
        published = writer.publish_due(now_s)
        cosigned, missing = [], []
        for where, carry in carriers:
            try:
                cosigned.append(writer.cosign(carry, where))
            except (SkyweaveError, OSError) as error:  # what was appended stays appended
                missing.append({"witness": where, "why": str(error)})
        return {
            "log": str(folder),
            "entries": appended,
            **_head(writer.book.verified.checkpoint),
            "published": list(published),
            "cosigned": cosigned,
            "not_cosigned": missing,
            "witnessed": _witnessed(writer.book),
        }


def log_cosign(
    folder: str | Path, signer: Signer, name: str, state: str | Path, *, now_s: int
) -> dict[str, Any]:
    """See a log on this machine as a witness, and put the line into its folder."""
    book = Book.open(Path(folder), quorum=False)
    key = signer.load()
    if VerifierKey(name, COSIGNATURE, key.public) not in book.policy.witnesses.values():
        raise InputError(
            f"{signer.key}: not the key of a witness {shown(name)} in the log's charter; give its "
            "file and the name in its verifier key"
        )
    witness = Witness(name, key, _logs(book.policy.logs), Path(state))
    known_as = cosign(Path(folder), lambda r: witness.add_checkpoint(r, now_s), name)
    book = Book.open(Path(folder), quorum=False)
    head = _head(book.verified.checkpoint)
    return {"log": str(folder), "witness": known_as, **head, "witnessed": _witnessed(book)}


def log_witness(
    signer: Signer,
    name: str,
    state: str | Path,
    logs: Sequence[str],
    *,
    listen: str = _OWN_MACHINE,
    public: bool = False,
    tell: Callable[[str], None] = lambda _: None,
) -> WitnessServer:
    """Return a witness's server, bound to its address; `serve_forever` runs it.

    `tell` is given what the witness's keeper should know, such as a clock that went back.
    """
    _refuse_name(name)
    host, port = _address(listen)
    keys = [parse_verifier_key(each, f"--log {each[:40]}") for each in logs]
    if not keys or any(key.kind != LOG_SIGNATURE for key in keys):
        raise InputError(
            "a witness sees logs: give each by its verifier key, name+id+key of type 1"
        )
    witness = Witness(name, signer.load(), _logs(keys), Path(state))
    return WitnessServer(witness, host, port, public=public, tell=tell)


def log_verify(
    folder: str | Path,
    *,
    genesis: str | None = None,
    quorum: bool = True,
    max_age_s: float | None = None,
    now_s: int,
) -> dict[str, Any]:
    """Verify all of a log's folder, offline, and say what is in it; or refuse it in one line.

    `max_age_s` refuses a log on which a quorum of witnesses last said a word longer ago: then what
    was decided since may be withheld.
    """
    book = Book.open(Path(folder), genesis=genesis, quorum=quorum, now_s=now_s)
    if max_age_s is not None:
        _refuse_stale(book, max_age_s, now_s)
    authority = book.authority(max(now_s, book.last_s))
    return {
        "log": book.verified.checkpoint.origin,
        "genesis": book.genesis,
        "pinned": genesis is not None,
        **_head(book.verified.checkpoint),
        "charter_version": authority.charter.version,
        "last_utc": utc(book.last_s),
        "seen_utc": None if book.seen_s is None else utc(book.seen_s),
        "witnessed": _witnessed(book),
        "objects": len(book.objects),
        "withheld": list(book.withheld),
        "ignored": [{"entry": each.entry, "why": each.why} for each in authority.ignored],
        "notices": [
            {"entry": each.entry, "at_utc": utc(each.at_s), "text": each.text}
            for each in authority.notices
        ],
    }


def log_fsck(folder: str | Path, *, now_s: int) -> dict[str, Any]:
    """Read every byte of a log's folder and list all that is wrong with it."""
    health = examine(Path(folder), now_s=now_s)
    return {
        "sound": bool(health),
        "problems": list(health.problems),
        "stray": list(health.stray),
        "genesis": health.genesis,
        "entries": health.entries,
        "witnessed": health.witnessed,
    }


def log_monitor(
    folder: str | Path, since: str | Path, *, genesis: str | None = None
) -> dict[str, Any]:
    """Say how a log's folder stands to a checkpoint of it that was kept, or came another way."""
    earlier = read_limited(Path(since), MAX_NOTE_BYTES, "name a checkpoint that you kept")
    book = Book.open(Path(folder), genesis=genesis, quorum=False)
    found = compare(Path(folder), earlier, book.policy)
    return {
        "outcome": found.outcome.value,
        "sound": bool(found),
        "text": found.text,
        "then": _head(found.earlier),
        "now": _head(found.now),
    }


def log_prove(
    folder: str | Path,
    index: int,
    out: str | Path,
    *,
    entry: str | Path | None = None,
    trust: str | Path | None = None,
) -> dict[str, Any]:
    """Write the receipt of an entry, and where asked the entry and the policy to check it by."""
    book = Book.open(Path(folder), quorum=False)
    log = LogFolder(Path(folder))
    receipt = prove(log, index, _best_checkpoint(book, index))
    contents = {
        Path(out): receipt.encode(),
        **({} if entry is None else {Path(entry): book.verified.entries[index]}),
        **({} if trust is None else {Path(trust): _trust_text(book)}),
    }
    _refuse_same_names([out, entry, trust])
    for path in contents:
        refuse_existing(path)
    verified = verify_receipt(receipt, book.verified.entries[index], book.policy, quorum=False)
    for path, content in contents.items():
        write_new(path, content)
    return {
        "entry": index,
        "written": [str(path) for path in contents],
        "size": verified.checkpoint.size,
        "has_quorum": verified.has_quorum,
    }


def log_check(receipt: str | Path, entry: str | Path, trust: str | Path) -> dict[str, Any]:
    """Check a receipt offline, by three small files and nothing else."""
    made = parse_receipt(
        read_limited(Path(receipt), MAX_RECEIPT_BYTES, "name a receipt"), str(receipt)
    )
    content = read_limited(Path(entry), MAX_ENTRY_BYTES, "name the entry's file")
    policy = parse_policy(
        read_limited(Path(trust), MAX_POLICY_BYTES, "name a trust policy"), str(trust)
    )
    verified = verify_receipt(made, content, policy, str(receipt))
    at_s = quorum_time_s(verified, policy)
    return {
        "holds": True,
        "entry": made.index,
        "log": verified.checkpoint.origin,
        **_head(verified.checkpoint),
        "by": sorted(verified.witnessed_s),
        "at_utc": None if at_s is None else utc(at_s),
    }


def _append(
    writer: BookWriter, parcels: Sequence[tuple[str, Parcel]], now_s: int
) -> list[dict[str, Any]]:
    """Append the parcels that are new, all of them or none, and publish what the others reveal."""
    known = {_signed(each.envelope): each.index for each in writer.book.entries}
    new, revealed = dict[bytes, tuple[str, Parcel]](), dict[bytes, list[str]]()
    for file, parcel in parcels:
        signed = _signed(parcel.envelope)
        if signed in known:
            revealed[signed] = list(writer.publish(parcel.objects))
        else:
            new.setdefault(signed, (file, parcel))
    _append_new(writer, list(new.values()), now_s)
    known |= {_signed(each.envelope): each.index for each in writer.book.entries}
    rows = []
    for file, parcel in parcels:
        signed = _signed(parcel.envelope)
        is_new = new.pop(signed, None) is not None
        row = _row(file, parcel, known[signed], is_new=is_new)
        rows.append(row if is_new else row | {"revealed": revealed.get(signed, [])})
    return rows


def _append_new(writer: BookWriter, new: Sequence[tuple[str, Parcel]], now_s: int) -> None:
    """Append parcels together; where one is refused, none is, and it is said which."""
    if not new:
        return
    try:
        writer.append(*_together(new), now_s)
    except InputError as error:

        def is_refused(count: int) -> bool:
            try:
                writer.check(*_together(new[:count]), now_s)
            except InputError:
                return True
            return False

        # With the first that is refused, every longer run of them is refused.
        first = bisect_left(range(len(new) + 1), True, key=is_refused, lo=1, hi=len(new))
        raise InputError(f"{new[first - 1][0]}: {error}; nothing was appended") from None


def _together(
    parcels: Sequence[tuple[str, Parcel]],
) -> tuple[list[Envelope], dict[str, bytes], dict[str, bytes]]:
    """Return the envelopes of parcels, and all their objects, public and private."""
    objects, private = dict[str, bytes](), dict[str, bytes]()
    for _, parcel in parcels:
        objects |= parcel.objects
        private |= parcel.private
    return [parcel.envelope for _, parcel in parcels], objects, private


def _refuse_same_names(paths: Sequence[str | Path | None]) -> None:
    """Two of them in one file would be one of them lost."""
    named = [Path(each) for each in paths if each is not None]
    for path in named:
        if named.count(path) > 1:
            raise InputError(
                f"{path}: named twice; give --out, --entry and --trust files of their own"
            )


def _row(file: str, parcel: Parcel, index: int, *, is_new: bool) -> dict[str, Any]:
    kind = document_of(parcel.envelope, file).kind
    return {"file": file, "entry": index, "kind": kind, "is_new": is_new}


def _signed(envelope: Envelope) -> bytes:
    return envelope.encode()


def _carrier(asked: AskedWitness, book: Book, now_s: int) -> Carrier:
    if asked.is_remote:
        return witness_at(asked.where)
    file, colon, state = asked.where.rpartition(":")
    if not colon or not file or not state:
        raise InputError(
            f"--witness {shown(asked.where)}: expected http://HOST:PORT, or KEYFILE:STATE of a "
            "witness on this machine"
        )
    key = Signer(Path(file), asked.passphrase).load()
    for each in book.policy.witnesses.values():
        if each.public == key.public:
            witness = Witness(each.name, key, _logs(book.policy.logs), Path(state))
            return lambda request: witness.add_checkpoint(request, now_s)
    raise InputError(f"{file}: not the key of a witness in the log's charter; give one of theirs")


def _logs(keys: Sequence[VerifierKey]) -> dict[str, list[VerifierKey]]:
    """Return a witness's logs: the keys by origin."""
    found: dict[str, list[VerifierKey]] = {}
    for key in keys:
        found.setdefault(key.name, []).append(key)
    return found


def _origin_of(policy: TrustPolicy, public: PublicKey, file: Path) -> str:
    for key in policy.logs:
        if key.public == public:
            return key.name
    raise InputError(
        f"{file}: the charter trusts the log of another key; give that key's file, or draft the "
        "charter with this key's verifier"
    )


def _refuse_name(name: str) -> None:
    if not is_key_name(name) or not name.isprintable():
        raise InputError(
            f"--name {shown(name)}: expected a name without spaces and plus signs, as "
            "example.org/log"
        )


def _address(listen: str) -> tuple[str, int]:
    host, colon, port = listen.rpartition(":")
    if not colon or not host or not (port.isascii() and port.isdigit()) or int(port) > 65_535:
        raise InputError(
            f"--listen {shown(listen)}: expected HOST:PORT, for example 127.0.0.1:8081"
        )
    return host.strip("[]"), int(port)


def _head(checkpoint: Checkpoint) -> dict[str, Any]:
    return {"size": checkpoint.size, "root": to_base64(checkpoint.root)}


def _witnessed(book: Book) -> dict[str, Any] | None:
    """Return the newest checkpoint with a quorum: how far, when, and by whom."""
    if not book.verified.witnessed:
        return None
    newest = book.verified.witnessed[-1]
    at_s = quorum_time_s(newest, book.policy)
    return {
        "size": newest.checkpoint.size,
        "at_utc": None if at_s is None else utc(at_s),
        "by": sorted(newest.witnessed_s),
        "of": len(book.policy.witnesses),
    }


def _refuse_stale(book: Book, max_age_s: float, now_s: int) -> None:
    """Whoever withholds what was appended can let a suspension live on, or a guarantee die."""
    seen_s = book.seen_s
    if seen_s is None or now_s - seen_s > max_age_s:
        when = "never" if seen_s is None else f"last {(now_s - seen_s) / 3600:.1f} h ago"
        raise InputError(
            f"{book.folder}: a quorum of witnesses saw it {when}, at most {max_age_s / 3600:g} h "
            "are allowed; fetch it again elsewhere, and ask the keeper or the witnesses"
        )


def _best_checkpoint(book: Book, index: int) -> bytes | None:
    """Return the newest checkpoint with a quorum that holds an entry, None where there is none."""
    seen = [each for each in book.verified.witnessed if each.checkpoint.size > index]
    return seen[-1].note.encode() if seen else None


def _trust_text(book: Book) -> bytes:
    charter = verify_genesis(book.entries[0].envelope)
    return charter.trust.encode()
