"""A folder is one authority's log only while log, times, objects and beginning all hold."""

import os
import shutil
import stat
from contextlib import contextmanager
from copy import copy as copy_of

import pytest
from tests.support.kept_log import SALTS, Kept
from tests.support.made_charter import (
    DAY_S,
    NOON_S,
    ORIGIN,
    MadeLog,
    key,
    made_charter,
    made_impact,
    made_region,
)

from skyweave.control import book as books
from skyweave.control.book import Book, BookWriter, cosign, examine
from skyweave.control.domain.documents import Proposal, RegionRecord, Request, digest_of
from skyweave.control.domain.entries import encode_entry
from skyweave.control.domain.machine import State
from skyweave.control.log import LogWriter
from skyweave.control.objects import Objects, store
from skyweave.control.signing import sign_envelope
from skyweave.control.signing.keys import private_key_from_seed
from skyweave.errors import InputError

OTHER = private_key_from_seed(bytes(32))
SECRET = b"Switch it off, or the licence fee doubles."


@pytest.fixture(scope="module")
def master(tmp_path_factory):
    """A log with a region, an agreement and an activation; seen by two witnesses of three."""
    log = Kept(tmp_path_factory.mktemp("master") / "log")
    region = log.region()
    log.agreement(region)
    log.decide("activate", region, "on", witness=False)
    log.keep()
    log.see()
    return log


@pytest.fixture
def made(master, tmp_path):
    """The test's own copy of it, with the witnesses' states, to write on."""
    shutil.copytree(master.folder.parent, tmp_path, dirs_exist_ok=True)
    log = copy_of(master)
    log.folder, log.signed, log.objects = tmp_path / "log", [*master.signed], {**master.objects}
    return log


@pytest.fixture
def copy(made, tmp_path):
    """What a stranger downloads: without the writer's and the keeper's own."""
    hidden = shutil.ignore_patterns(".writer", "private")
    return shutil.copytree(made.folder, tmp_path / "copy", ignore=hidden)


def test_whoever_has_a_copy_comes_to_the_same_as_the_keeper(made, copy):
    ours, theirs = Book.open(made.folder), Book.open(copy)
    assert theirs.genesis == ours.genesis == made.charter.digest
    assert theirs.entries == ours.entries
    assert len(theirs.entries) == len(made.signed)
    assert theirs.authority().directives["on"].state is State.EFFECTIVE
    assert theirs.authority().ignored == ours.authority().ignored == ()
    assert theirs.withheld == ()
    assert set(theirs.objects) == set(made.objects)
    assert not theirs.private
    assert ours.private == SALTS
    assert theirs.authority() is theirs.authority()
    assert Book.open(copy, genesis=made.charter.digest).verified.witnessed_size == len(made.signed)


def test_the_folder_s_replay_is_the_one_in_memory(made):
    in_folder = Book.open(made.folder).authority(made.now_s)
    made.witnessed = [(len(made.signed), made.now_s)]
    in_memory = made.authority()
    for name in ("regions", "agreements", "requests", "licences", "revoked"):
        assert set(getattr(in_folder, name)) == set(getattr(in_memory, name))
    assert in_folder.directives["on"].state is in_memory.directives["on"].state


def test_a_log_that_somebody_else_began_is_not_taken_for_this_one(made, tmp_path):
    """Whoever owns a key can make a whole log that holds: only its beginning tells them apart."""
    other = Kept(tmp_path / "other", made_charter(name="The other council"))
    other.see()
    assert Book.open(other.folder).genesis != made.charter.digest
    with pytest.raises(InputError, match="this is another authority's log, do not trust it"):
        Book.open(other.folder, genesis=made.charter.digest)


def test_a_log_that_changes_under_the_reader_is_refused(made, monkeypatch):
    """Or else the policy of one log could vouch for the entries of another."""
    kept = books._first_entry(made.folder)
    other = made.sign(made_charter(name="Another"), [each.person for each in made.charter.keys])
    monkeypatch.setattr(books, "_first_entry", lambda _: encode_entry(NOON_S, other))
    with pytest.raises(InputError, match="changed while it was read"):
        Book.open(made.folder)
    monkeypatch.setattr(books, "_first_entry", lambda _: kept)
    assert Book.open(made.folder)


def test_what_no_quorum_has_seen_is_refused_unless_asked_for(tmp_path):
    log = Kept(tmp_path / "log")
    with pytest.raises(InputError, match="no checkpoint is cosigned by the policy's quorum"):
        Book.open(log.folder)
    assert Book.open(log.folder, quorum=False).entries[0].witnessed_s is None
    log.see([2])
    with pytest.raises(InputError, match="cosigned by the policy's quorum"):
        Book.open(log.folder)
    log.see([0])
    assert Book.open(log.folder).entries[0].witnessed_s == log.now_s


def test_entries_carry_when_the_quorum_had_seen_them(made):
    assert {each.witnessed_s for each in Book.open(made.folder).entries} == {made.now_s}
    before = len(made.signed)
    made.wait(DAY_S)
    made.request()
    made.keep()
    assert [e.witnessed_s for e in Book.open(made.folder).entries[before:]] == [None]


# Objects


def spoil_an_object(folder):
    path = next((folder / "objects").iterdir())
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def remove_an_object(folder):
    next((folder / "objects").iterdir()).unlink()


def exchange_two_objects(folder):
    first, second = sorted((folder / "objects").iterdir())[:2]
    content = first.read_bytes()
    first.write_bytes(second.read_bytes())
    second.write_bytes(content)


def add_a_foreign_object(folder):
    (folder / "objects/readme.txt").write_text("hello")


def put_a_folder_there(folder):
    (folder / "objects" / ("0" * 64)).mkdir()


def put_a_pipe_there(folder):
    os.mkfifo(folder / "objects" / ("0" * 64))


def put_a_pipe_for_the_checkpoint(folder):
    (folder / "checkpoint").unlink()
    os.mkfifo(folder / "checkpoint")


ATTACKS = (
    spoil_an_object, remove_an_object, exchange_two_objects, add_a_foreign_object,
    put_a_folder_there, put_a_pipe_there, put_a_pipe_for_the_checkpoint,
)  # fmt: skip


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: attack.__name__)
def test_what_is_changed_beside_the_log_is_found(made, copy, attack):
    assert examine(copy)
    attack(copy)
    with pytest.raises(InputError) as refusal:
        Book.open(copy)
    assert "\n" not in str(refusal.value)
    health = examine(copy)
    assert not health
    assert all("\n" not in each for each in health.problems)


def test_an_object_is_held_against_its_name_on_every_read(made):
    book = Book.open(made.folder)
    digest = next(iter(book.objects))
    spoil = made.folder / "objects" / digest[7:]
    spoil.write_bytes(b"other")
    with pytest.raises(InputError, match="its bytes are not those of"):
        book.objects[digest]
    with pytest.raises(KeyError):
        book.objects["sha256:" + "0" * 64]
    with pytest.raises(KeyError):
        book.objects["../checkpoint"]


def test_objects_that_nothing_names_are_told_and_not_trusted(made, copy):
    extra = digest_of(b"extra")
    (copy / "objects" / extra[7:]).write_bytes(b"extra")
    assert Book.open(copy)
    assert examine(copy).stray == (f"objects/{extra[7:]}",)
    assert examine(made.folder).stray == ()


def test_a_report_lists_every_problem_and_not_the_first_alone(copy):
    spoil_an_object(copy)
    tile = next((copy / "tile/0/000.p").iterdir())
    tile.write_bytes(bytes(tile.stat().st_size))
    assert len(examine(copy).problems) == 2


# Writing


def test_what_would_have_no_effect_is_refused_and_nothing_is_written(made):
    """As a stranger's vote: the log lists such entries, its keeper does not add them."""
    proposal = made.proposal("suspend", region_of(made), "off")
    report = {proposal.impact: made.objects[proposal.impact]}
    before = published(made.folder)
    stranger = sign_envelope(proposal.payload_type(), proposal.encode(), [OTHER])
    with BookWriter(made.folder, key("log")) as writer, pytest.raises(InputError):
        writer.append([stranger], report, {}, made.now_s)
    good = made.sign(proposal, "tidewire-2")
    with BookWriter(made.folder, key("log")) as writer, pytest.raises(InputError):
        writer.append([good, stranger], report, {}, made.now_s)
    assert published(made.folder) == before


def published(folder):
    """What anyone may read: every file but the writer's own."""
    files = (path for path in folder.rglob("*") if path.is_file())
    return {path: path.read_bytes() for path in files if ".writer" not in path.parts}


def region_of(log):
    return Book.open(log.folder).authority().regions["port-amity"][-1].record


def test_a_writer_goes_on_from_what_it_wrote(made):
    """The state that an entry meets is that after the entries before it, in one open log too."""
    proposal = made.proposal("suspend", region_of(made), "off")
    report = {proposal.impact: made.objects[proposal.impact]}
    votes = [made.sign(made.ballot(proposal), each) for each in made.voters("suspend")]
    with BookWriter(made.folder, key("log")) as writer:
        with pytest.raises(InputError):
            writer.append(votes[:1], {}, {}, made.now_s)
        writer.append([made.sign(proposal, "tidewire-2")], report, {}, made.now_s)
        writer.append(votes, {}, {}, made.now_s + 60)
        with pytest.raises(InputError):
            writer.append(votes[:1], {}, {}, made.now_s + 60)
        assert writer.book.entries == Book.open(made.folder, quorum=False).entries
    state = Book.open(made.folder).authority().directives["off"].state
    assert state is State.APPROVED


def test_an_object_is_there_before_the_entry_that_names_it(made, monkeypatch):
    """Or else a crash between would leave a decision whose report nobody has."""
    directive = made.directive("suspend", region_of(made), "off")
    report = made_impact(directive, moving=20)
    proposal = Proposal(directive=directive, impact=digest_of(report))

    def lost(*_):
        raise OSError(5, "Input/output error")

    with BookWriter(made.folder, key("log")) as writer:
        monkeypatch.setattr(LogWriter, "append", lost)
        with pytest.raises(OSError, match="Input/output error"):
            writer.append(
                [made.sign(proposal, "tidewire-2")], {proposal.impact: report}, {}, made.now_s
            )
    assert Objects(made.folder / "objects")[proposal.impact] == report
    assert Book.open(made.folder)


def appended(made, document, by, objects=None, private=None, now_s=None):
    """Append one document; returns the book after it."""
    with BookWriter(made.folder, key("log")) as writer:
        envelope = made.sign(document, by)
        writer.append([envelope], objects or {}, private or {}, now_s or made.now_s)
        return writer.book


def test_a_document_without_its_object_is_refused(made):
    """Nobody could check what was decided."""
    directive = made.directive("suspend", region_of(made), "off")
    proposal = Proposal(directive=directive, impact=digest_of(b"a report that nobody kept"))
    with pytest.raises(InputError, match="the impact report of off is missing; put it into the p"):
        appended(made, proposal, "tidewire-2")
    with pytest.raises(InputError, match="was changed; copy it again"):
        appended(made, proposal, "tidewire-2", {proposal.impact: b"another"})


def test_objects_that_no_document_names_are_not_kept(made):
    """A log that keeps anything can be filled by anyone."""
    extra = {digest_of(b"extra"): b"extra"}
    with pytest.raises(InputError, match="no document names it; leave it out"):
        appended(made, request(made), "tidewire-1", {digest_of(SECRET): SECRET, **extra})
    refused = pytest.raises(InputError, match="no document names it")
    with BookWriter(made.folder, key("log")) as writer, refused:
        writer.publish(extra)


def request(made, **changes):
    fields = {
        "request_id": "r-7", "received_s": made.now_s, "asked_by": "A minister's office",
        "asked_by_kind": "state", "channel": "telephone", "summary": "",
        "text": digest_of(SECRET),
    }  # fmt: skip
    return Request(**(fields | changes))


def test_a_sealed_text_is_kept_by_the_keeper_and_published_on_its_day(made, tmp_path):
    """Whoever made the request cannot hold its text back on the day it is due."""
    due_s = made.now_s + DAY_S
    sealed = request(made, publish_by_s=due_s)
    with pytest.raises(InputError, match="put it into the parcel's private part"):
        appended(made, sealed, "tidewire-1")
    book = appended(made, sealed, "tidewire-1", private={sealed.text: SECRET})
    assert book.withheld == (sealed.text,)
    assert SECRET not in b"".join(
        path.read_bytes() for path in made.folder.rglob("*")
        if path.is_file() and "private" not in path.parts
    )  # fmt: skip
    assert Book.open(made.folder, now_s=due_s).withheld == (sealed.text,)
    with pytest.raises(InputError, match="the text of request r-7 is withheld beyond its day by 1"):
        Book.open(made.folder, now_s=due_s + 1)
    with BookWriter(made.folder, key("log")) as writer:
        assert writer.publish_due(due_s - 1) == ()
        assert writer.publish_due(due_s) == (sealed.text,)
        assert writer.publish_due(due_s) == ()
        assert writer.book.withheld == ()
    assert Book.open(made.folder, now_s=due_s + 1).objects[sealed.text] == SECRET


def test_a_protected_region_s_geometry_appears_on_its_day(made):
    """Until then a suspension there can be judged by nobody else than its signers."""
    geometry = made_region("north", 1)
    record = RegionRecord(
        region_id="north", version=1, title="North", digest_of_region=geometry.digest_of_region,
        geometry=digest_of(geometry.encode()), cells=int(geometry.cells.size),
        needs_licence=False, publish_by_s=made.now_s + 20 * DAY_S,
    )  # fmt: skip
    book = appended(made, record, "tidewire-1", private={record.geometry: geometry.encode()})
    assert book.authority().regions["north"][-1].cells is None
    with BookWriter(made.folder, key("log")) as writer:
        writer.publish_due(made.now_s + 20 * DAY_S)
        cells = writer.book.authority().regions["north"][-1].cells
    assert cells.tolist() == geometry.cells.tolist()


def test_a_withheld_object_may_be_published_early(made):
    sealed = request(made, publish_by_s=made.now_s + DAY_S)
    appended(made, sealed, "tidewire-1", private={sealed.text: SECRET})
    with BookWriter(made.folder, key("log")) as writer:
        assert writer.publish({sealed.text: SECRET}) == (sealed.text,)
        assert writer.publish({sealed.text: SECRET}) == ()
    assert Book.open(made.folder).withheld == ()


def test_the_keeper_s_own_cannot_be_read_by_others(made):
    assert stat.S_IMODE((made.folder / "private").stat().st_mode) == 0o700
    assert stat.S_IMODE((made.folder / ".writer").stat().st_mode) == 0o700


def test_a_clock_that_went_back_stops_the_keeper(made):
    """An entry dated before what witnesses have seen would spoil the log for good."""
    with pytest.raises(InputError, match=r"the clock stands .* s before the log's newest time"):
        appended(made, request(made), "tidewire-1", {digest_of(SECRET): SECRET}, now_s=NOON_S - 900)
    book = appended(made, request(made), "tidewire-1", {digest_of(SECRET): SECRET},
                    now_s=made.now_s - 200)  # fmt: skip
    assert book.entries[-1].logged_s >= book.entries[-2].logged_s
    assert Book.open(made.folder)


def test_a_witness_whose_clock_is_behind_does_not_spoil_the_log(made):
    """Its line would say that it saw entries before they were logged: no copy would verify."""
    made.wait(DAY_S)
    appended(made, request(made), "tidewire-1", {digest_of(SECRET): SECRET})
    before = (made.folder / "checkpoint").read_bytes()
    with pytest.raises(InputError, match="w0: its clock is 86400 s behind the log's last entry"):
        made.see([0], now_s=made.now_s - DAY_S)
    assert (made.folder / "checkpoint").read_bytes() == before
    made.see([1, 2])
    assert Book.open(made.folder).verified.witnessed_size == len(Book.open(made.folder).entries)


def test_a_witness_beside_the_log_needs_no_key_of_it(made):
    made.wait(60)
    appended(made, request(made), "tidewire-1", {digest_of(SECRET): SECRET})
    seen = Book.open(made.folder).verified.witnessed_size
    for number in (0, 2):
        assert cosign(made.folder, made.carrier(number), f"w{number}") == f"w{number}"
    assert Book.open(made.folder).verified.witnessed_size == seen + 1
    with BookWriter(made.folder, key("log")) as writer:
        with pytest.raises(InputError, match="another process is writing the log"):
            cosign(made.folder, made.carrier(1), "w1")
        assert writer.cosign(made.carrier(1), "w1") == "w1"
    assert len(Book.open(made.folder).verified.witnessed[-1].witnessed_s) == 3


def test_a_copy_is_not_written_on(copy):
    with pytest.raises(InputError, match="no log, or a copy of one"):
        BookWriter(copy, key("log")).__enter__()


def test_a_log_begins_with_its_own_charter_alone(tmp_path):
    charter = made_charter()
    log = MadeLog(charter)
    genesis, folder = log.signed[0][1], tmp_path / "log"
    with pytest.raises(InputError, match="the charter does not trust the log"):
        BookWriter.create(folder, ORIGIN, OTHER, genesis, {}, now_s=NOON_S)
    with pytest.raises(InputError, match="the charter does not trust the log"):
        BookWriter.create(folder, "x.org", key("log"), genesis, {}, now_s=NOON_S)
    unsigned = log.sign(charter, ["tidewire-1"])
    with pytest.raises(InputError, match="root has not signed"):
        BookWriter.create(folder, ORIGIN, key("log"), unsigned, {}, now_s=NOON_S)
    assert not folder.exists()
    BookWriter.create(folder, ORIGIN, key("log"), genesis, {}, now_s=NOON_S)
    with pytest.raises(InputError, match="a log is there already"):
        BookWriter.create(folder, ORIGIN, key("log"), genesis, {}, now_s=NOON_S)


def test_a_beginning_that_was_interrupted_can_be_made_again(tmp_path, monkeypatch):
    genesis, folder = MadeLog().signed[0][1], tmp_path / "log"

    def lost(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(LogWriter, "append", lost)
    with pytest.raises(OSError, match="No space left"):
        BookWriter.create(folder, ORIGIN, key("log"), genesis, {}, now_s=NOON_S)
    monkeypatch.undo()
    with pytest.raises(InputError, match="the log is empty; begin it with skyweave log init"):
        Book.open(folder)
    assert not examine(folder)
    assert BookWriter.create(folder, ORIGIN, key("log"), genesis, {}, now_s=NOON_S).entries


def test_seeing_a_log_again_moves_nothing_that_has_begun(made):
    """A suspension that began, or an emergency that was confirmed in time, would begin later."""
    before = [each.witnessed_s for each in Book.open(made.folder).entries]
    seen_s = Book.open(made.folder).seen_s
    made.wait(DAY_S)
    made.see([0, 1])
    for _ in range(2):
        after = Book.open(made.folder)
        assert [each.witnessed_s for each in after.entries] == before
        assert (seen_s, after.seen_s) == (made.now_s - DAY_S, made.now_s)
        with BookWriter(made.folder, key("log")):
            pass
    assert examine(made.folder)


# Each refusal, and what its absence would let through


@contextmanager
def without(monkeypatch, name):
    with monkeypatch.context() as patched:
        patched.setattr(books, name, lambda *_, **__: None)
        yield


def test_without_its_refusal_each_attack_on_a_folder_succeeds(made, copy, monkeypatch):
    remove_an_object(copy)
    with without(monkeypatch, "_refuse_withheld"):
        assert Book.open(copy).withheld
    with without(monkeypatch, "_refuse_another_genesis"):
        assert Book.open(made.folder, genesis="sha256:" + "0" * 64)
    made.wait(DAY_S)
    appended(made, request(made), "tidewire-1", {digest_of(SECRET): SECRET})
    spoilt = pytest.raises(InputError, match="do not trust the log")
    with without(monkeypatch, "_refuse_early_witness"), spoilt:
        made.see([0, 1], now_s=made.now_s - DAY_S)


def test_a_store_writes_what_is_new_alone(tmp_path):
    (tmp_path / ".writer").mkdir()
    digest = digest_of(b"a")
    for _ in range(2):
        store(tmp_path, "objects", {digest: b"a"}, tmp_path / ".writer")
    assert dict(Objects(tmp_path / "objects")) == {digest: b"a"}
    with pytest.raises(InputError, match="at most 33,554,432 are kept"):
        store(tmp_path, "objects", {digest_of(b""): bytes(2**25 + 1)}, tmp_path / ".writer")
