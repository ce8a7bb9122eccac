"""Files that people name: whole or not at all, and never in another's place."""

import errno
import os
from pathlib import Path

import pytest

from skyweave.control import files
from skyweave.control.files import PRIVATE_MODE, write_new, write_over
from skyweave.errors import InputError

OLD, NEW = b"what was there\n", b"what is new\n" * 1000


def test_a_new_file_has_its_content_and_its_rights(tmp_path: Path) -> None:
    write_new(tmp_path / "vote", NEW, mode=PRIVATE_MODE)
    assert (tmp_path / "vote").read_bytes() == NEW
    assert (tmp_path / "vote").stat().st_mode & 0o777 == PRIVATE_MODE
    assert os.listdir(tmp_path) == ["vote"]


@pytest.mark.parametrize("link", [False, True])
def test_a_file_or_a_link_to_nowhere_is_not_written_over(tmp_path: Path, link: bool) -> None:
    there = tmp_path / "vote"
    if link:
        there.symlink_to("nowhere")
    else:
        there.write_bytes(OLD)
    with pytest.raises(InputError, match="a file is there already; name another, votes are not"):
        write_new(there, NEW, what="votes")
    assert there.is_symlink() is link
    assert os.listdir(tmp_path) == ["vote"]


def test_on_a_disk_without_links_a_new_file_is_whole_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_link(*_: object) -> None:
        raise OSError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(os, "link", no_link)
    write_new(tmp_path / "vote", NEW)
    with pytest.raises(InputError, match="a file is there already"):
        write_new(tmp_path / "vote", OLD)
    assert (tmp_path / "vote").read_bytes() == NEW
    assert os.listdir(tmp_path) == ["vote"]


def test_an_earlier_state_stays_until_the_new_one_is_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    charter = tmp_path / "charter"
    write_over(charter, OLD)

    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(files.os, "fsync", full)
        with pytest.raises(InputError, match="charter: No space left on device; check the name"):
            write_over(charter, NEW)
        with pytest.raises(InputError, match="vote: No space left on device"):
            write_new(tmp_path / "vote", NEW)
    assert charter.read_bytes() == OLD
    assert os.listdir(tmp_path) == ["charter"]
    write_over(charter, NEW)
    assert charter.read_bytes() == NEW


def test_a_folder_is_no_file_to_write_over(tmp_path: Path) -> None:
    (tmp_path / "charter").mkdir()
    with pytest.raises(InputError, match="charter: Is a directory; check the name"):
        write_over(tmp_path / "charter", NEW)
    assert os.listdir(tmp_path) == ["charter"]


@pytest.mark.parametrize("writes_over", [False, True])
def test_a_killed_writer_leaves_no_half_of_a_file(tmp_path: Path, writes_over: bool) -> None:
    """A half-written key or vote under its name could be taken for the whole."""
    path = tmp_path / "charter"
    if writes_over:
        path.write_bytes(OLD)
    child = os.fork()
    if child == 0:  # dies with the content half on the disk
        files.os.fsync = lambda _: os._exit(9)  # type: ignore[assignment]
        (write_over if writes_over else write_new)(path, NEW)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 9
    assert path.exists() is writes_over
    assert not writes_over or path.read_bytes() == OLD
