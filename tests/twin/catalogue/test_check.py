"""What `skyweave catalogue check` reports."""

import json

from skyweave.twin.catalogue import SATELLITE_CLASSES, check_catalogue


def test_the_built_in_catalogue_is_reported_whole():
    report = check_catalogue("builtin:2026-06-14")
    assert list(report) == [
        "objects",
        "duplicates",
        "refused",
        "classes",
        "epoch_first",
        "epoch_last",
    ]
    assert report["objects"] == 15_699
    assert report["duplicates"] == 0
    assert report["refused"] == []
    assert tuple(report["classes"]) == SATELLITE_CLASSES
    assert sum(report["classes"].values()) == 15_699
    assert report["classes"]["direct_to_cell"] == 642
    assert report["epoch_first"] == "2026-05-16T19:27:04.075776Z"
    assert report["epoch_last"] == "2026-06-15T17:32:59.918784Z"
    json.dumps(report)


def test_refused_rows_and_older_sets_are_counted(texts, saved):
    older = [texts.changed(texts.iss[0], 21, "150.00000000"), texts.iss[1]]
    broken = texts.hst[1][:68] + "0"
    path = saved(texts.tle("ISS", *older, "ISS", *texts.iss, "HST", texts.hst[0], broken))
    report = check_catalogue(path)
    assert (report["objects"], report["duplicates"]) == (1, 1)
    assert report["refused"] == [
        {
            "line": 9,
            "reason": "the checksum in column 69 is '0' but the line adds up to 2; "
            "a character was changed",
            "text": broken,
        }
    ]
    assert report["epoch_first"] == report["epoch_last"] == "2026-06-13T20:02:44.240928Z"
    assert report["classes"]["other"] == 1


def test_of_a_folder_each_refusal_names_its_file(texts, tmp_path):
    (tmp_path / "june").mkdir()
    (tmp_path / "june" / "a.tle").write_bytes(texts.tle("ISS", *texts.iss, texts.hst[0]))
    (tmp_path / "notes.txt").write_text("hello")
    report = check_catalogue(tmp_path)
    assert [(row["line"], row["reason"].split(":")[0]) for row in report["refused"]] == [
        (0, "notes.txt"),
        (4, "june/a.tle"),
    ]


def test_of_two_dates_the_older_tells_who_rises(texts, tmp_path):
    lower = texts.changed(texts.iss[1], 53, "15.60000000")
    older = texts.changed(texts.iss[0], 21, "150.00000000")
    (tmp_path / "june.tle").write_bytes(texts.tle("ISS", *texts.iss))
    (tmp_path / "may.tle").write_bytes(texts.tle("ISS", older, lower))
    report = check_catalogue(tmp_path)
    assert report["classes"]["raising"] == report["duplicates"] == 1
