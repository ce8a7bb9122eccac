"""A log in a folder: what its writer keeps, refuses and takes up again after a failure."""

import shutil
import stat
import threading

import pytest
from tests.support.made_log import LOG_KEY, ORIGIN, append, cosign, make_log, witness

from skyweave.control.log import LogFolder, LogWriter, create_log, durable, fsck, store
from skyweave.control.log.tiles import Tile
from skyweave.errors import InputError, SkyweaveError


def test_lost_power_takes_no_acknowledged_entry(tmp_path):
    """It may take every name and block that was not flushed: here all but the journal."""
    log, flushed = tmp_path / "log", tmp_path / "flushed"
    create_log(log, ORIGIN, LOG_KEY)
    append(log, [b"a"] * 250)
    shutil.copytree(log, flushed)
    with LogWriter(log, LOG_KEY) as writer:
        writer.append([b"c"])
        writer.append([b"d"] * 20)
        shutil.copy(log / ".writer/journal", flushed / ".writer/journal")
        said = writer.checkpoint
        kept = (log / "checkpoint").read_bytes()
    for lost in (b"", b"\0" * 100, None):  # a checkpoint emptied, of zeros, and as it was before
        once = shutil.copytree(flushed, tmp_path / f"once {lost!r:.6}".replace("\\", ""))
        if lost is not None:
            (once / "checkpoint").write_bytes(lost)
        with LogWriter(once, LOG_KEY) as again:
            assert again.checkpoint == said
        assert (once / "checkpoint").read_bytes() == kept
        assert LogFolder(once).entry(250, 271) == b"c"


def test_a_torn_journal_was_never_signed_and_is_dropped(tmp_path):
    log = tmp_path / "log"
    create_log(log, ORIGIN, LOG_KEY)
    append(log, [b"a"])
    before = shutil.copytree(log, tmp_path / "before")
    empty = (log / ".writer/journal").read_bytes()
    with LogWriter(log, LOG_KEY) as writer:
        writer.append([b"b" * 50])
        journal = (log / ".writer/journal").read_bytes()
    start, end = (len(each.rstrip(b"\0")) for each in (empty, journal))
    for cut in range(start, end, 7):
        torn = journal[:cut] + bytes(len(journal) - cut)
        (before / ".writer/journal").write_bytes(torn if cut % 2 else journal[:cut])
        with LogWriter(before, LOG_KEY) as again:
            assert again.checkpoint.size == 1
        assert b"bbb" not in (before / ".writer/journal").read_bytes()
    for cut in range(0, start, 7):
        (before / ".writer/journal").write_bytes(journal[:cut])
        with pytest.raises(InputError, match="not a log's journal; restore"):
            LogWriter(before, LOG_KEY).__enter__()


def test_partial_tiles_stay_until_the_full_one_is_durable(tmp_path):
    log = tmp_path / "log"
    create_log(log, ORIGIN, LOG_KEY)
    with LogWriter(log, LOG_KEY) as writer:
        writer.append([b"a"] * 255)
        writer.append([b"b"])
        assert (log / "tile/0/000.p/255").is_file()
    assert not (log / "tile/0/000.p").exists()
    assert not (log / "tile/entries/000.p").exists()
    assert (log / "tile/0/000").is_file()


def test_a_failed_write_closes_the_log_until_it_is_opened_anew(tmp_path, monkeypatch):
    """After a failed flush the system may forget what was written, so going on could fork."""
    create_log(tmp_path / "log", ORIGIN, LOG_KEY)
    with LogWriter(tmp_path / "log", LOG_KEY) as log:
        log.append([b"a"])

        def full(*_):
            raise OSError(28, "No space left on device")

        monkeypatch.setattr(durable.os, "replace", full)
        with pytest.raises(OSError, match="No space left"):
            log.append([b"b"])
        monkeypatch.undo()
        with pytest.raises(SkyweaveError, match="the log is closed; open it again"):
            log.append([b"c"])
    with LogWriter(tmp_path / "log", LOG_KEY) as log:
        assert log.checkpoint.size == 2
        assert log.reader.entry(1, 2) == b"b"


def test_a_second_writer_is_refused_and_let_in_later(tmp_path):
    create_log(tmp_path / "log", ORIGIN, LOG_KEY)
    second = LogWriter(tmp_path / "log", LOG_KEY)
    refused = pytest.raises(InputError, match="another process is writing the log")
    with LogWriter(tmp_path / "log", LOG_KEY), refused:
        second.__enter__()
    append(tmp_path / "log", [b"a"])
    assert LogFolder(tmp_path / "log").entry(0, 1) == b"a"


def test_a_folder_that_was_set_back_is_not_written_on(tmp_path):
    """Or else the log would sign a second history of the entries that are missing."""
    create_log(tmp_path / "log", ORIGIN, LOG_KEY)
    append(tmp_path / "log", [b"a"])
    old = (tmp_path / "log/checkpoint").read_bytes()
    append(tmp_path / "log", [b"b"])
    append(tmp_path / "log", [b"c"])
    (tmp_path / "log/checkpoint").write_bytes(old)
    with pytest.raises(InputError, match="the folder was set back, restore all of it"):
        append(tmp_path / "log", [b"d"])


def test_a_reader_beside_the_writer_always_finds_a_log_that_holds(tmp_path, full_counts):
    """Partial tiles go when the full one is there: between looking for one and reading it, too."""
    policy = make_log(tmp_path / "log", [b"x"])
    done = threading.Event()

    def write():
        while not done.is_set():
            with LogWriter(tmp_path / "log", LOG_KEY) as log:
                for _ in range(40):
                    log.append([b"entry"] * 7)

    writer = threading.Thread(target=write)
    writer.start()
    try:
        for _ in range(400 if full_counts else 20):
            assert not fsck(tmp_path / "log", policy).problems
    finally:
        done.set()
        writer.join()


def test_a_partial_tile_that_is_gone_is_found_in_the_full_one(tmp_path):
    make_log(tmp_path / "log", [b"entry"] * 256)
    partial = Tile(0, 0, 100)
    name, content = LogFolder(tmp_path / "log").content_of(partial, 10**6)
    assert name == "tile/0/000"
    assert LogFolder(tmp_path / "log").tile(partial) == content[:3200]
    with pytest.raises(InputError, match="No such file"):
        LogFolder(tmp_path / "log").tile(Tile(0, 1, 100))


@pytest.mark.parametrize("name", ["", "two\nlines", "a\tb"])
def test_a_log_s_name_stands_in_one_line(name, tmp_path):
    with pytest.raises(InputError, match="expected"):
        create_log(tmp_path / "log", name, LOG_KEY)
    assert not (tmp_path / "log").exists()


def test_a_log_is_made_once_and_its_journal_is_its_writer_s_alone(tmp_path):
    create_log(tmp_path / "a/log", ORIGIN, LOG_KEY)
    assert stat.S_IMODE((tmp_path / "a/log/.writer").stat().st_mode) == 0o700
    with pytest.raises(InputError, match="a log is there already"):
        create_log(tmp_path / "a/log", ORIGIN, LOG_KEY)


def test_a_batch_has_limits(tmp_path, monkeypatch):
    create_log(tmp_path / "log", ORIGIN, LOG_KEY)
    monkeypatch.setattr(store, "MAX_ENTRIES", 5)
    with LogWriter(tmp_path / "log", LOG_KEY) as log:
        for entries, text in (
            ([], "0 entries to append"),
            ([b""] * 4097, "4097 entries to append"),
            ([bytes(1 << 16)], "an entry of 65,536 bytes"),
            ([bytes(65_535)] * 600, "and at most 33,554,432 bytes"),
            ([b""] * 6, "more than 5 entries"),
        ):
            with pytest.raises(InputError, match=text):
                log.append(entries)
        assert log.append([bytes(65_535)] * 5).size == 5
        with pytest.raises(InputError, match="more than 5 entries"):
            log.append([b""])
    monkeypatch.undo()
    with LogWriter(tmp_path / "log", LOG_KEY) as log:
        assert log.append([b""] * 4096).size == 4101


def test_a_closed_log_takes_nothing(tmp_path):
    create_log(tmp_path / "log", ORIGIN, LOG_KEY)
    with LogWriter(tmp_path / "log", LOG_KEY) as log:
        log.append([b"a"])
    with pytest.raises(SkyweaveError, match="the log is closed"):
        log.append([b"b"])


def test_a_checkpoint_that_is_missing_without_lost_power_stops_the_writer(tmp_path):
    """With an empty journal nothing was under way, so somebody removed it."""
    create_log(tmp_path / "log", ORIGIN, LOG_KEY)
    append(tmp_path / "log", [b"a"])
    (tmp_path / "log/checkpoint").unlink()
    with pytest.raises(InputError, match="No such file"):
        append(tmp_path / "log", [b"b"])


def test_tiles_that_do_not_give_the_root_stop_the_writer(tmp_path):
    create_log(tmp_path / "log", ORIGIN, LOG_KEY)
    append(tmp_path / "log", [b"a", b"b"])
    (tmp_path / "log/tile/0/000.p/2").write_bytes(bytes(64))
    with pytest.raises(InputError, match="find the damage with skyweave log fsck"):
        append(tmp_path / "log", [b"c"])


def test_a_cosigned_checkpoint_survives_the_loss_of_the_newest(tmp_path):
    """Lost power may take the checkpoint's file: witnesses' lines come back from `witnessed`."""
    made = witness(tmp_path, 1)
    make_log(tmp_path / "log", [b"a"])
    with LogWriter(tmp_path / "log", LOG_KEY) as log:
        log.append([b"b"])
        shutil.copytree(tmp_path / "log", tmp_path / "lost")
    cosign(tmp_path / "log", [made])
    shutil.copytree(tmp_path / "log/witnessed", tmp_path / "lost/witnessed")
    (tmp_path / "lost/checkpoint").unlink()
    with LogWriter(tmp_path / "lost", LOG_KEY) as log:
        assert len(log.note.lines) == 2
    assert LogFolder(tmp_path / "lost").checkpoint() == LogFolder(tmp_path / "log").checkpoint()


def test_files_are_flushed_now_and_then_and_old_partials_go(tmp_path, monkeypatch):
    monkeypatch.setattr(store, "_JOURNALLED_BATCHES", 3)
    create_log(tmp_path / "log", ORIGIN, LOG_KEY)
    begun, begin = [], store.begin_journal

    def noted(path, base):
        begun.append(int(base.split(b"\n")[1]))
        return begin(path, base)

    monkeypatch.setattr(store, "begin_journal", noted)
    with LogWriter(tmp_path / "log", LOG_KEY) as log:
        for _ in range(7):
            log.append([b"a"])
    assert begun == [0, 3, 6, 7]  # opened, twice full, closed
