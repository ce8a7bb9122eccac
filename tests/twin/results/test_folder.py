"""Run folders: whole or not at all, and never in place of something that is no run."""

import errno
import json
import os

import pytest
from synthetic_run import chunk_of, labels_of, write_run

from skyweave.errors import InputError
from skyweave.twin.results import folder as stage
from skyweave.twin.results.folder import check_run_folder, draft_run_folder, load_run


@pytest.fixture
def run_folder(tmp_path):
    labels = labels_of()
    return write_run(tmp_path / "run", labels, chunk_of(labels))


def fake_run(folder, mark):
    folder.mkdir(parents=True, exist_ok=True)
    manifest = {"kind": "skyweave-run", "mark": mark}
    (folder / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")


def mark_of(folder):
    return json.loads((folder / "manifest.json").read_text("utf-8"))["mark"]


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_a_new_folder_appears_whole_with_its_parents(tmp_path):
    out = tmp_path / "deep" / "down" / "run"
    with draft_run_folder(out) as draft:
        fake_run(draft, "new")
        assert not out.exists()
    assert mark_of(out) == "new"
    assert names(out.parent) == ["run"]


def test_an_earlier_run_is_replaced(tmp_path):
    fake_run(tmp_path / "run", "old")
    (tmp_path / "run" / "map.png").write_bytes(b"old")
    with draft_run_folder(tmp_path / "run") as draft:
        fake_run(draft, "new")
        assert mark_of(tmp_path / "run") == "old"
    assert mark_of(tmp_path / "run") == "new"
    assert names(tmp_path / "run") == ["manifest.json"]
    assert names(tmp_path) == ["run"]


@pytest.mark.parametrize("error", [InputError("no"), KeyboardInterrupt(), MemoryError()])
def test_whatever_goes_wrong_the_earlier_run_stays_and_nothing_is_left(tmp_path, error):
    fake_run(tmp_path / "run", "old")

    def run():
        with draft_run_folder(tmp_path / "run") as draft:
            fake_run(draft, "half")
            raise error

    with pytest.raises(type(error)):
        run()
    assert mark_of(tmp_path / "run") == "old"
    assert names(tmp_path) == ["run"]


def test_a_failing_rename_puts_the_earlier_run_back(tmp_path, monkeypatch):
    fake_run(tmp_path / "run", "old")
    rename = stage.Path.rename

    def fails_for_drafts(path, target):
        if path.suffix == ".draft":
            raise OSError("disk")
        return rename(path, target)

    monkeypatch.setattr(stage.Path, "rename", fails_for_drafts)
    with (
        pytest.raises(InputError, match="disk; pass another"),
        draft_run_folder(tmp_path / "run") as draft,
    ):
        fake_run(draft, "new")
    assert mark_of(tmp_path / "run") == "old"
    assert names(tmp_path) == ["run"]


def test_a_link_to_a_run_stays_a_link(tmp_path):
    fake_run(tmp_path / "run", "old")
    (tmp_path / "latest").symlink_to(tmp_path / "run")
    with draft_run_folder(tmp_path / "latest") as draft:
        fake_run(draft, "new")
    assert (tmp_path / "latest").is_symlink()
    assert mark_of(tmp_path / "run") == "new"


def test_an_empty_folder_may_become_a_run(tmp_path):
    (tmp_path / "run").mkdir()
    with draft_run_folder(tmp_path / "run") as draft:
        fake_run(draft, "new")
    assert mark_of(tmp_path / "run") == "new"


def test_a_file_is_refused(tmp_path):
    (tmp_path / "run").write_text("notes")
    with pytest.raises(InputError, match="run: is a file; pass a folder with --out"):
        check_run_folder(tmp_path / "run")


@pytest.mark.parametrize("manifest", [None, "{", "[]", '{"kind": "recipe"}'])
def test_a_folder_that_is_no_run_is_refused_and_untouched(tmp_path, manifest):
    folder = tmp_path / "home"
    folder.mkdir()
    (folder / "letter.txt").write_text("dear")
    if manifest is not None:
        (folder / "manifest.json").write_text(manifest)
    before = names(folder)
    refusal = pytest.raises(InputError, match=r"home: exists and is not a run folder.*letter.txt")
    with refusal, draft_run_folder(folder):
        pytest.fail("the run must not start")
    assert names(folder) == before
    assert names(tmp_path) == ["home"]


def test_a_run_folder_with_files_of_its_owner_is_refused(tmp_path):
    fake_run(tmp_path / "run", "old")
    for number in range(5):
        (tmp_path / "run" / f"notes{number}.txt").write_text("mine")
    with pytest.raises(InputError, match=r"notes0.txt, notes1.txt, notes2.txt and 2 more.*move"):
        check_run_folder(tmp_path / "run")


def test_a_folder_that_fills_up_while_the_run_computes_is_not_deleted(tmp_path):
    (tmp_path / "run").mkdir()

    def run():
        with draft_run_folder(tmp_path / "run") as draft:
            fake_run(draft, "new")
            (tmp_path / "run" / "letter.txt").write_text("dear")

    with pytest.raises(InputError, match="is not a run folder"):
        run()
    assert names(tmp_path / "run") == ["letter.txt"]
    assert names(tmp_path) == ["run"]


def test_a_finished_run_may_be_replaced_and_loaded(run_folder):
    check_run_folder(run_folder)
    run = load_run(str(run_folder))
    assert run.folder == run_folder
    assert len(run.access) == 30 * 12
    assert len(run.fleet) == 12
    assert len(run.slots) == 30
    assert set(run.events["subject_id"]) <= set(run.fleet["terminal_id"])
    assert run.access["norad_id"].dtype == "Int32"  # a null turns no identity into a float


def test_no_folder_is_refused_with_advice(tmp_path):
    with pytest.raises(InputError, match="nowhere: no such folder; pass the folder that"):
        load_run(tmp_path / "nowhere")


def test_a_folder_without_a_manifest_is_refused_with_advice(tmp_path):
    with pytest.raises(InputError, match=r"not a run folder \(no manifest.json of a Skyweave run"):
        load_run(tmp_path)


def test_a_run_that_lacks_a_file_is_refused_with_its_name(run_folder):
    (run_folder / "events.parquet").unlink()
    with pytest.raises(InputError, match=r"events.parquet is missing; run the scenario again"):
        load_run(run_folder)


PLACES = {
    "file/sub": "is no folder|Not a directory",
    "/dev/null/x": "is no folder|Not a directory",
    "/proc/x": "No such file|no right|Permission",
    "x" * 300: "File name too long",
    "loop": "Too many levels of symbolic links",
    "nul\0": "null",
}


@pytest.mark.parametrize("place", PLACES)
def test_a_place_that_cannot_be_written_is_refused_with_its_reason(tmp_path, place):
    (tmp_path / "file").write_text("notes")
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    match = f"(?s)cannot be written: .*({PLACES[place]}).*; pass another --out$"
    with pytest.raises(InputError, match=match), draft_run_folder(tmp_path / place):
        pytest.fail("the run must not start")
    assert names(tmp_path) == ["file", "loop"]


def test_a_parent_without_the_right_to_write_is_refused_beforehand(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "access", lambda *_: False)
    with pytest.raises(InputError, match=r"run: cannot be written: no right to write in .*--out"):
        check_run_folder(tmp_path / "deep" / "run")


def test_a_disk_that_fills_up_while_the_run_computes_is_told(tmp_path):
    def run():
        with draft_run_folder(tmp_path / "run"):
            raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(InputError, match="run: cannot be written: No space left on device; pass"):
        run()
    assert names(tmp_path) == []


@pytest.mark.parametrize(
    ("place", "words"),
    [
        ("file", "a file, not a run folder; pass the folder that"),
        ("file/sub", "no such folder; pass the folder that"),
        ("loop", "no such folder; pass the folder that"),
        ("x" * 300, "cannot be read: File name too long; pass the folder that|no such folder"),
    ],
)
def test_what_is_no_folder_is_not_loaded(tmp_path, place, words):
    (tmp_path / "file").write_text("notes")
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    with pytest.raises(InputError, match=words):
        load_run(tmp_path / place)
