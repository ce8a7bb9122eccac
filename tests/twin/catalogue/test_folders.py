"""Sources: packed files, folders of many dates, files that are no catalogues among them."""

import gzip
import lzma
import os

import numpy as np
import pytest

from skyweave.data import read_data
from skyweave.errors import InputError
from skyweave.twin.catalogue import read_catalogue
from skyweave.twin.catalogue.elements import ARRAY_FIELDS


def same(one, other) -> bool:
    return all(np.array_equal(getattr(one, n), getattr(other, n)) for n in ARRAY_FIELDS)


def test_the_built_in_name_and_its_file_give_the_same_catalogue(saved):
    content = read_data("active_2026-06-14.tle.xz")
    assert same(read_catalogue(saved(content)), read_catalogue("builtin:2026-06-14"))


@pytest.mark.parametrize("pack", [bytes, gzip.compress, lzma.compress])
@pytest.mark.parametrize("form", ["tle", "json", "csv"])
@pytest.mark.parametrize("name", ["x", "x.tle", "x.json.gz", "x.csv.xz"])
def test_format_and_packing_are_told_by_content_whatever_the_name(texts, saved, pack, form, name):
    content = texts.tle("ISS", *texts.iss) if form == "tle" else getattr(texts, form)(texts.omm)
    catalogue = read_catalogue(saved(pack(content), name))
    assert catalogue.norad_id.tolist() == [25544]
    assert catalogue.cospar_id.tolist() == ["1998-067A"]
    assert catalogue.epoch_utc[0] == np.datetime64("2026-06-13T20:02:44.240928", "ns")


def test_packed_files_may_have_several_members_and_a_byte_order_mark(texts, saved):
    content = b"\xef\xbb\xbf" + texts.tle("ISS", *texts.iss)
    packed = gzip.compress(content[:50]) + gzip.compress(content[50:])
    assert read_catalogue(saved(packed)).name.tolist() == ["ISS"]
    packed = lzma.compress(content[:50]) + lzma.compress(content[50:])
    assert read_catalogue(saved(packed)).name.tolist() == ["ISS"]


def test_a_folder_is_read_in_order_of_names_one_level_deep(texts, tmp_path):
    (tmp_path / "2026" / "deep").mkdir(parents=True)
    (tmp_path / "b.tle").write_bytes(texts.tle("B", *texts.hst))
    (tmp_path / "a.json").write_bytes(texts.json(texts.omm | {"OBJECT_NAME": "A"}))
    (tmp_path / "2026" / "c.csv").write_bytes(texts.csv(texts.omm | {"OBJECT_NAME": "C"}))
    (tmp_path / "2026" / "deep" / "d.tle").write_bytes(texts.tle("D", *texts.iss))
    (tmp_path / ".hidden").write_bytes(b"hidden")
    catalogue = read_catalogue(tmp_path)
    assert catalogue.name.tolist() == ["C", "A", "B"]
    assert catalogue.issues == ()


def test_what_is_no_catalogue_in_a_folder_is_reported_and_the_others_stay(texts, tmp_path):
    (tmp_path / "a.txt").write_text("hello")
    (tmp_path / "b.tle").write_bytes(texts.tle("B", *texts.hst, "ISS", texts.iss[0]))
    (tmp_path / "c.tle").write_bytes(b"")
    catalogue = read_catalogue(tmp_path)
    assert catalogue.name.tolist() == ["B"]
    assert [(issue.source.rsplit("/", 1)[1], issue.line) for issue in catalogue.issues] == [
        ("a.txt", 0),
        ("c.tle", 0),
        ("b.tle", 5),
    ]
    assert catalogue.issues[0].reason.startswith('found "hello" and no orbital elements')
    assert catalogue.issues[1].reason.startswith("the file is empty")


def test_an_unreadable_entry_of_a_folder_is_an_issue(texts, tmp_path):
    (tmp_path / "a.tle").write_bytes(texts.tle("A", *texts.iss))
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    os.mkfifo(tmp_path / "pipe")
    catalogue = read_catalogue(tmp_path)
    assert catalogue.name.tolist() == ["A"]
    (issue,) = catalogue.issues
    assert issue.source == str(tmp_path / "loop")
    assert issue.reason.startswith("cannot be read: ")


@pytest.mark.parametrize("name", ["pipe", "/dev/zero"])
def test_pipes_and_devices_are_refused_unopened(tmp_path, name):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(InputError, match="not a regular file; copy what it holds into a file"):
        read_catalogue(tmp_path / name)
