"""Whoever changes one byte of a published log, or its order, is found out by `fsck`."""

import itertools
import os
import random
import shutil
import sys
from contextlib import contextmanager
from functools import lru_cache

import pytest
from tests.support.made_log import append, cosign, make_log, witness

from skyweave.control.log import LogFolder, fsck, parse_receipt, prove, verify_folder
from skyweave.control.log.proofs import verify_receipt
from skyweave.control.log.tiles import decode_bundle, encode_bundle, tiles_of
from skyweave.control.signing.keys import PublicKey
from skyweave.errors import InputError

ENTRIES = [b"%d" % n for n in range(2000)]


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A cosigned log of 2,000 entries, and its policy."""
    folder = tmp_path_factory.mktemp("tamper")
    log = folder / "log"
    witnesses = [witness(folder, n) for n in range(3)]
    policy = make_log(log, ENTRIES[:1792], witnesses)
    append(log, ENTRIES[1792:])
    cosign(log, witnesses)
    return log, policy


@pytest.fixture
def copy(made, tmp_path):
    """A copy to spoil: the folder alone, as a stranger downloads it."""
    shutil.copytree(made[0], tmp_path / "copy", ignore=shutil.ignore_patterns(".writer"))
    return tmp_path / "copy"


@pytest.fixture
def remembered(monkeypatch):
    """Pure functions remember their answers: one byte is new in each check, all else is as before.

    What is remembered depends on its arguments alone, so no check is skipped.
    """
    module = "skyweave.control.log"
    for name, function in (
        ("merkle", "node_hash"), ("fsck", "leaf_hash"), ("store", "decode_bundle"),
    ):  # fmt: skip
        place = sys.modules[f"{module}.{name}"]
        monkeypatch.setattr(place, function, lru_cache(20_000)(getattr(place, function)))
    monkeypatch.setattr(PublicKey, "verifies", lru_cache(1000)(PublicKey.verifies))


def files(folder):
    found = (os.path.join(at, name) for at, _, names in os.walk(folder) for name in names)
    return sorted(x for x in found if ".writer" not in x)


def test_the_untouched_copy_is_sound_and_holds_every_entry(made, copy):
    report = fsck(copy, made[1])
    assert report.problems == ()
    assert report.stray == ()
    assert [seen.checkpoint.size for seen in report.witnessed] == [1792, 2000]
    verified = verify_folder(copy, made[1])
    assert verified.entries == tuple(ENTRIES)
    assert verified.witnessed_size == 2000


def test_a_flipped_byte_anywhere_in_the_log_is_found(
    made, copy, remembered, full_counts, record_figure
):
    rng = random.Random(2)
    places = [(path, n) for path in files(copy) for n in range(os.path.getsize(path))]
    tiles = [each for each in places if "/tile/0/" in each[0]]
    alone = [each for each in places if "/tile/0/" not in each[0]]
    if not full_counts:
        tiles, alone = rng.sample(tiles, 160), rng.sample(alone, 30)
    # Each tile is compared with the entries by itself, so that eight of them can be spoilt at once,
    # one byte in each, as long as the report names all eight and nothing else.
    for chosen in (*together(tiles), *([each] for each in rng.sample(tiles, len(tiles) // 40))):
        with spoilt(chosen, rng):
            problems = fsck(copy, made[1]).problems
        named = sorted(problem.partition(":")[0] for problem in problems)
        assert named == sorted(path for path, _ in chosen), chosen
    for each in alone:
        with spoilt([each], rng):
            assert fsck(copy, made[1]).problems, each
    assert not fsck(copy, made[1]).problems
    tried = len(tiles) + len(alone)
    record_figure("log: flipped bytes of a 2,000-entry log found", tried, "", "all")


def together(places):
    """The places in rounds, at most one of each file in a round."""
    by_file = {}
    for path, place in places:
        by_file.setdefault(path, []).append((path, place))
    for at_once in itertools.zip_longest(*by_file.values()):
        yield [each for each in at_once if each is not None]


@contextmanager
def spoilt(places, rng):
    """Flip one bit at each place, and set them right again."""
    kept = []
    for path, place in places:
        with open(path, "r+b", buffering=0) as file:
            file.seek(place)
            kept.append((path, place, file.read(1)))
            file.seek(place)
            file.write(bytes([kept[-1][2][0] ^ (1 << rng.randrange(8))]))
    yield
    for path, place, byte in kept:
        with open(path, "r+b", buffering=0) as file:
            file.seek(place)
            file.write(byte)


def test_a_flipped_bit_anywhere_in_a_receipt_is_found(made, full_counts, record_figure):
    log, policy = made  # of which every witness is needed: else a line of an unknown key is ignored
    rng = random.Random(3)
    counted = 0
    for index in (0, 255, 256, 1999):
        good = prove(LogFolder(log), index).encode()
        verify_receipt(parse_receipt(good), ENTRIES[index], policy)
        for place in range(len(good)) if full_counts else rng.sample(range(len(good)), 60):
            bad = bytearray(good)
            bad[place] ^= 1 << rng.randrange(8)
            counted += 1
            with pytest.raises(InputError):
                verify_receipt(parse_receipt(bytes(bad)), ENTRIES[index], policy)
    record_figure("log: flipped bytes of receipts found", counted, "", "all")


def cut_a_tile(folder):
    _rewrite(folder / "tile/0/003", lambda content: content[:-32])


def cut_a_bundle(folder):
    _rewrite(folder / "tile/entries/007.p/208", lambda content: content[:-1])


def add_to_a_bundle(folder):
    _rewrite(folder / "tile/entries/007.p/208", lambda content: content + b"\x00\x01x")


def swap_two_bundles(folder):
    first, second = folder / "tile/entries/001", folder / "tile/entries/002"
    content = first.read_bytes()
    first.write_bytes(second.read_bytes())
    second.write_bytes(content)


def swap_two_bundles_and_their_tiles(folder):
    swap_two_bundles(folder)
    first, second = folder / "tile/0/001", folder / "tile/0/002"
    content = first.read_bytes()
    first.write_bytes(second.read_bytes())
    second.write_bytes(content)


def repeat_an_entry(folder):
    _reorder(folder, lambda entries: [entries[0], entries[0], *entries[2:]])


def exchange_two_entries(folder):
    _reorder(folder, lambda entries: [entries[1], entries[0], *entries[2:]])


def repeat_a_tile(folder):
    shutil.copy(folder / "tile/0/001", folder / "tile/0/002")


def remove_a_tile(folder):
    (folder / "tile/1/000.p/7").unlink()


def remove_a_bundle(folder):
    (folder / "tile/entries/000").unlink()


def remove_the_checkpoint(folder):
    (folder / "checkpoint").unlink()


def set_the_checkpoint_back_with_another_root(folder):
    _rewrite(folder / "checkpoint", lambda content: content.replace(b"\n2000\n", b"\n1999\n"))


def rename_a_cosigned_checkpoint(folder):
    (folder / "witnessed/1792").rename(folder / "witnessed/1600")


def add_a_line_of_a_stranger(folder):
    _rewrite(folder / "checkpoint", lambda content: content + "— x.org AAAAAAA=\n".encode())


def _rewrite(path, change):
    path.write_bytes(change(path.read_bytes()))


def _reorder(folder, change):
    path = folder / "tile/entries/004"
    path.write_bytes(encode_bundle(change(decode_bundle(path.read_bytes(), "bundle"))))


ATTACKS = (
    cut_a_tile, cut_a_bundle, add_to_a_bundle, swap_two_bundles, swap_two_bundles_and_their_tiles,
    repeat_an_entry, exchange_two_entries, repeat_a_tile, remove_a_tile, remove_a_bundle,
    remove_the_checkpoint, set_the_checkpoint_back_with_another_root, rename_a_cosigned_checkpoint,
    add_a_line_of_a_stranger,
)  # fmt: skip


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: attack.__name__)
def test_what_is_cut_swapped_repeated_or_reordered_is_found(made, copy, attack):
    attack(copy)
    report = fsck(copy, made[1])
    assert report.problems
    assert all("\n" not in problem for problem in report.problems)
    with pytest.raises(InputError):
        verify_folder(copy, made[1])


def test_a_set_back_checkpoint_is_a_sound_older_log_that_a_monitor_reports(made, copy):
    """Rolling back to a really signed state is no damage; `compare` is what notices it."""
    shutil.copy(copy / "witnessed/1792", copy / "checkpoint")
    (copy / "witnessed/2000").unlink()
    report = fsck(copy, made[1])
    assert report.problems == ()
    assert report.checkpoint.size == 1792
    assert "tile/entries/007.p/208" in report.stray


def test_old_partial_tiles_are_checked_too(tmp_path):
    policy = make_log(tmp_path / "log", ENTRIES[:3])
    append(tmp_path / "log", ENTRIES[3:5])
    assert {p.name for p in (tmp_path / "log/tile/0/000.p").iterdir()} == {"3", "5"}
    assert fsck(tmp_path / "log", policy)
    _rewrite(tmp_path / "log/tile/0/000.p/3", lambda content: bytes(32) + content[32:])
    (problem,) = fsck(tmp_path / "log", policy).problems
    assert "tile/0/000.p/3: not what the log's 5 entries give" in problem


def test_the_files_of_a_tree_are_those_of_the_specification():
    """c2sp.org/tlog-tiles, section "Partial Tiles": the tree of 70,000, and that of 256."""
    hashes = [tile for tile in tiles_of(70_000) if tile.level >= 0]
    assert sum(t.level == 0 and t.width == 256 for t in hashes) == 273
    partial = [(t.level, t.width) for t in hashes if t.width < 256]
    assert partial == [(0, 112), (1, 17), (2, 1)]
    assert [t.path for t in tiles_of(256)] == ["tile/entries/000", "tile/0/000", "tile/1/000.p/1"]
    (path,) = (t._replace(number=1234067, width=256).path for t in list(tiles_of(1))[1:])
    assert path == "tile/0/x001/x234/067"
