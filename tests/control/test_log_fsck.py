"""A whole check of a log's folder: what it names, what it passes over, and where sizes turn."""

import pytest
from tests.support.made_log import LOG_KEY, append, cosign, make_log, witness

from skyweave.control.log import LogFolder, LogWriter, fsck

WIDTH = 256


def numbered(count, first=0):
    return [b"%d" % n for n in range(first, first + count)]


@pytest.mark.parametrize("size", [0, 1, WIDTH - 1, WIDTH, WIDTH + 1, 2 * WIDTH])
def test_a_log_is_sound_also_where_a_tile_is_just_full(tmp_path, size):
    policy = make_log(tmp_path / "log", numbered(size))
    report = fsck(tmp_path / "log", policy)
    assert (report.problems, report.stray, bool(report)) == ((), (), True)
    assert report.checkpoint.size == size


def test_a_spoilt_partial_tile_of_an_earlier_size_is_found(tmp_path):
    policy = make_log(tmp_path / "log", numbered(5))
    append(tmp_path / "log", numbered(3, 5))
    (old,) = tmp_path.glob("log/tile/0/000.p/5")
    assert fsck(tmp_path / "log", policy)
    old.write_bytes(old.read_bytes()[:-1] + b"x")
    (problem,) = fsck(tmp_path / "log", policy).problems

    assert "0/000.p/5: not what the log's 8 entries give; restore it from" in problem


def test_what_belongs_beside_a_log_is_not_stray_and_what_hides_in_it_is(tmp_path):
    folder = tmp_path / "log"
    policy = make_log(folder, numbered(3))
    names = ["objects/ab", "private/cd", "tile/objects/ef", "tile/0/000.p/0", "tile/0/x00.p/3",
             "tile/entries/000.p/9", "note.txt"]  # fmt: skip
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"")
    report = fsck(folder, policy)
    assert sorted(report.stray) == sorted(names[2:])
    assert report


def test_of_many_problems_the_first_hundred_are_told(tmp_path):
    folder = tmp_path / "log"
    policy = make_log(folder, numbered(3))
    (folder / "witnessed").mkdir(exist_ok=True)
    for size in range(1, 131):
        (folder / "witnessed" / str(size)).write_bytes(b"no note")
    assert len(fsck(folder, policy).problems) == 100


def test_a_witnessed_checkpoint_under_another_name_is_named(tmp_path):
    folder = tmp_path / "log"
    witnesses = [witness(tmp_path, n) for n in range(3)]
    policy = make_log(folder, numbered(3), witnesses)
    seen = folder / "witnessed" / "3"
    (folder / "witnessed" / "2").write_bytes(seen.read_bytes())
    (problem,) = fsck(folder, policy).problems
    assert "witnessed/2: its size is not its name's, or beyond the checkpoint's" in problem


def test_witnessed_sizes_are_told_in_their_order(tmp_path):
    folder = tmp_path / "log"
    witnesses = [witness(tmp_path, n) for n in range(3)]
    policy = make_log(folder, numbered(3), witnesses)
    append(folder, numbered(9, 3))
    cosign(folder, witnesses)
    report = fsck(folder, policy)
    assert [each.checkpoint.size for each in report.witnessed] == [3, 12]
    assert LogFolder(folder).witnessed_sizes() == [3, 12]


def test_a_writer_at_work_leaves_no_problem(tmp_path):
    policy = make_log(tmp_path / "log", numbered(3))
    with LogWriter(tmp_path / "log", LOG_KEY) as log:
        log.append([b"more"])
        assert fsck(tmp_path / "log", policy)
