"""Fleet files: read as written, or refused with one line of advice."""

import os
import re

import numpy as np
import pytest
from hypothesis import given, settings
from spoiled import read_or_refused, spoiled

from skyweave.errors import InputError
from skyweave.places import is_slug
from skyweave.twin.terminals import (
    city_terminals,
    concatenate,
    make_terminals,
    parse_fleet,
    read_fleet,
)
from skyweave.twin.terminals.fleet import COLUMNS
from skyweave.twin.terminals.rows import MAX_LINE_BYTES

HEADER = "id,lat_deg,lon_deg"


def fleet(text: str):
    return parse_fleet(text.encode(), "fleet.csv")


def test_a_full_row_is_read_as_written(tmp_path):
    path = tmp_path / "fleet.csv"
    path.write_text(
        "id,name,lat_deg,lon_deg,height_wgs84_m,class,service_class,account,country,sponsor\n"
        'hospital-017,"Hospital 17, east wing",-18.9,47.5,1280.5,flat,lifeline,health,MG,Aid\n',
        encoding="utf-8",
    )
    terminals = read_fleet(path)
    assert len(terminals) == 1
    row = {name: getattr(terminals, name)[0] for name in ("terminal_id", "name", "class_")}
    assert row == {
        "terminal_id": "hospital-017",
        "name": "Hospital 17, east wing",
        "class_": "flat",
    }
    assert terminals.service_class.tolist() == ["lifeline"]
    assert (terminals.lat_deg[0], terminals.lon_deg[0]) == (-18.9, 47.5)
    assert terminals.height_wgs84_m.tolist() == [1280.5]
    assert terminals.account.tolist() == ["health"]
    assert terminals.country.tolist() == ["MG"]
    assert terminals.sponsor.tolist() == ["Aid"]
    assert terminals.pop_id.tolist() == [""]
    assert not terminals.tracks
    assert not terminals.extra


def test_absent_columns_have_their_defaults():
    terminals = fleet(f"{HEADER}\na,48.85,2.35\n")
    assert terminals.name.tolist() == ["a"]
    assert terminals.height_wgs84_m.tolist() == [0.0]
    assert terminals.class_.tolist() == ["standard"]
    assert terminals.service_class.tolist() == ["standard"]
    assert terminals.account.tolist() == terminals.sponsor.tolist() == [""]
    assert terminals.country.tolist() == ["FR"]


def test_empty_cells_have_their_defaults():
    others = sorted(set(COLUMNS) - set(HEADER.split(",")))
    terminals = fleet(f"{HEADER},{','.join(others)}\na,30,-45{',' * len(others)}\n")
    assert terminals.name.tolist() == ["a"]
    assert terminals.service_class.tolist() == ["standard"]
    assert terminals.country.tolist() == [""]  # the middle of the Atlantic


def test_countries_and_service_classes_may_be_in_any_case():
    terminals = fleet(f"{HEADER},country,service_class\na,1,2,mg,Priority\n")
    assert terminals.country.tolist() == ["MG"]
    assert terminals.service_class.tolist() == ["priority"]


def test_unknown_columns_are_kept_as_they_are():
    terminals = fleet(f"{HEADER},Ward,floor\na,1,2, north ,F1\nb,1,3,,F2\n")
    assert terminals.extra == {"Ward": ["north", ""], "floor": ["F1", "F2"]}


@pytest.mark.parametrize(
    ("written", "stored"),
    [("-180", -180.0), ("180", 180.0), ("190.5", -169.5), ("360", 0.0), ("+7.5e0", 7.5)],
)
def test_longitudes_are_stored_as_180_west_to_180_east(written, stored):
    assert fleet(f"{HEADER}\na,1,{written}\n").lon_deg.tolist() == [stored]


@pytest.mark.parametrize(
    "content",
    [
        b"\xef\xbb\xbfid,lat_deg,lon_deg\na,1,2\n",
        b"id,lat_deg,lon_deg\r\na,1,2\r\n",
        b"id,lat_deg,lon_deg\na,1,2",
        b"\n\nID , Lat_Deg,LON_DEG\n , ,\n a , 1 , 2 \n\n,,\n",
    ],
    ids=["byte-order mark", "Windows line ends", "no last line end", "capitals, spaces and blanks"],
)
def test_a_file_may_be_written_by_any_program(content):
    terminals = parse_fleet(content, "fleet.csv")
    assert terminals.terminal_id.tolist() == ["a"]
    assert (terminals.lat_deg[0], terminals.lon_deg[0]) == (1.0, 2.0)


BAD = {
    "an empty file": ("", r"fleet.csv: empty; expected a header line with id, name, lat_deg"),
    "a header and nothing else": (HEADER, r"a header line and no terminal; add one line for each"),
    "latitude 95": (f"{HEADER}\na,95,2", r"line 2: lat_deg = 95: expected -90 to 90.*swapped\?"),
    "longitude 361": (f"{HEADER}\na,1,361", r"line 2: lon_deg = 361: expected -180 to 360"),
    "NaN": (f"{HEADER}\na,nan,2", r'line 2: lat_deg: found "nan", expected -90 to 90 \(degrees n'),
    "infinity": (f"{HEADER}\na,1,inf", r'line 2: lon_deg: found "inf"'),
    "overflow": (f"{HEADER}\na,1e999,2", r"line 2: lat_deg = 1e999: expected -90 to 90"),
    "micro-degrees": (f"{HEADER}\na,1,47500000", r"are they micro-degrees\? divide by 1,000,000"),
    "1e-7 degrees": (f"{HEADER}\na,488566000,2", r"units of 1e-7 degrees\? divide by 10,000,000"),
    "NMEA": (f"{HEADER}\na,4852.5,2", r"degrees and minutes \(ddmm.mm\)\? write decimal degrees"),
    "sexagesimal": (f"{HEADER}\na,48°51'N,2", r"write decimal degrees, south and west negative"),
    "a decimal comma": (f'{HEADER}\na,"48,85",2', r'found "48,85".*use a decimal point'),
    "digits of another script": (f"{HEADER}\na,٤٨,2", r'line 2: lat_deg: found "٤٨"'),
    "underscores": (f"{HEADER}\na,4_8,2", r'line 2: lat_deg: found "4_8"'),
    "a missing latitude": (f"{HEADER}\na,,2", r"line 2: lat_deg is empty; expected -90 to 90"),
    "a height in millimetres": (
        f"{HEADER},height_wgs84_m\na,1,2,1280500",
        r"height_wgs84_m = 1280500: expected -1000 to 100000 \(metres.*is it in millimetres\?",
    ),
    "a height too deep": (f"{HEADER},height_wgs84_m\na,1,2,-9000", r"= -9000: .*; write metres"),
    "a repeated id": (
        f"{HEADER}\na,1,2\nb,1,2\na,3,4",
        r'line 4: id "a" is already on line 2; give each terminal its own id',
    ),
    "an id that is no slug": (
        f"{HEADER}\nWard 7 (Öst),1,2",
        r'line 2: id "Ward 7 \(Öst\)": expected letters a-z, digits and single hyphens, '
        r'at most 100, such as "ward-7-ost"',
    ),
    "an empty id": (f"{HEADER}\n,1,2", r"line 2: id is empty; expected letters a-z"),
    "an unknown service class": (
        f"{HEADER},service_class\na,1,2,gold",
        r'line 2: service_class "gold": expected standard, priority, lifeline, or nothing',
    ),
    "a country of three letters": (
        f"{HEADER},country\na,1,2,MDG",
        r'line 2: country "MDG": expected two letters of ISO 3166-1 such as "MG"',
    ),
    "a long name": (f"{HEADER},name\na,1,2,{'x' * 101}", r"line 2: name has 101 characters"),
    "a missing column": ("id,lat_deg\na,1", r'line 1: column "lon_deg" is missing; add it'),
    "a misnamed column": ("id,latitude,lon_deg\na,1,2", r'"lat_deg" is missing; rename "latitude"'),
    "a doubled column": (f"{HEADER},ID\na,1,2,b", r'line 1: column "id" is there twice; remove'),
    "a nameless column": (f"{HEADER},\na,1,2,", r"line 1: column 4 has no name; name it or remove"),
    "too few cells": (f"{HEADER}\na,1", r"line 2: 2 cells for 3 columns; keep the comma of an em"),
    "too many cells": (f"{HEADER}\na,1,2,3", r"line 2: 4 cells for 3 columns; quote a text that"),
    "an open quote": (f'{HEADER}\n"a,1,2\nb,1,2', r"line 2: quotes do not match"),
    "semicolons": ("id;lat_deg;lon_deg\na;1;2", r"separated by semicolons; save .* with commas"),
    "tabs": (
        "id\tlat_deg\tlon_deg\na\t1\t2",
        r"control character|separated by tabs; save the file",
    ),
    "a line over 64 KiB": (
        f"{HEADER}\na,1,{'2' * MAX_LINE_BYTES}",
        r"line 2: 65,540 bytes long; at most 65,536 are read: does the file have line ends\?",
    ),
    "old Macintosh line ends": (f"{HEADER}\ra,1,2\r", r"U\+000D at 19; end lines with LF or CRLF"),
    "a NUL": (f"{HEADER}\na\0,1,2", r"line 2: control character U\+0000 at 2; remove it"),
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_fleet_is_refused_with_advice(name):
    text, advice = BAD[name]
    with pytest.raises(
        InputError, match=f"^fleet.csv: .*{advice.removeprefix('fleet.csv: ')}"
    ) as e:
        fleet(text)
    assert "\n" not in str(e.value)


@pytest.mark.parametrize(
    ("content", "advice"),
    [
        (f"{HEADER}\na,1,2".encode("utf-16"), "UTF-16 text; save the file as CSV UTF-8"),
        (b"PK\x03\x04rest of a spreadsheet", "a spreadsheet or archive; save the table as CSV"),
        (b"id,lat_deg,lon_deg\n\xe9,1,2", "line 2: byte 1 is not UTF-8; save the file as CSV UTF"),
    ],
)
def test_a_file_of_another_kind_is_refused_with_advice(content, advice):
    with pytest.raises(InputError, match=re.escape(f"fleet.csv: {advice}")):
        parse_fleet(content, "fleet.csv")


def test_a_file_that_cannot_be_opened_is_refused_with_advice(tmp_path):
    with pytest.raises(InputError, match=r"none.csv: no such file; check the name"):
        read_fleet(tmp_path / "none.csv")
    with pytest.raises(InputError, match=r"a folder; expected a CSV file in it"):
        read_fleet(tmp_path)
    with pytest.raises(InputError, match=r"cannot be read \("):
        read_fleet("fleet\0.csv")


def test_a_file_over_64_mb_is_refused_unread(tmp_path):
    path = tmp_path / "huge.csv"
    with path.open("wb") as file:
        file.truncate(64 * 2**20 + 1)
    with pytest.raises(InputError, match=r"67,108,865 bytes; at most 67,108,864 are read: split"):
        read_fleet(path)


def test_a_file_of_too_many_rows_is_refused(monkeypatch):
    monkeypatch.setattr("skyweave.twin.terminals.rows.MAX_ROWS", 2)
    assert len(fleet(f"{HEADER}\na,1,2\nb,1,2\n")) == 2
    with pytest.raises(InputError, match=r"fleet.csv: 3 rows; at most 2 are read: split it"):
        fleet(f"{HEADER}\na,1,2\nb,1,2\nc,1,2\n")


def test_no_error_tells_where_a_terminal_stands():
    lat, lon = "-18.9137", "47.5361"
    for row in (f"A,{lat},{lon}", f"a,{lat},{lon},x", f"a,{lat},{lon}\na,{lat},{lon}"):
        with pytest.raises(InputError) as refusal:
            fleet(f"{HEADER}\n{row}")
        assert lat not in str(refusal.value)
        assert lon not in str(refusal.value)


GOOD = [
    "id,lat_deg,lon_deg\na,1,2\nb-2,-89.5,359\n",
    "\ufeffid,lat_deg,lon_deg,kit\r\na,1e1,.5,x\r\n",
    f'{",".join(COLUMNS[:10])}\na,"A, B",48.85,2.35,35,flat,Priority,acme,FR,aid\nb,,0,0,,,,,,\n',
]
FRAGMENTS = [
    *(
        "",
        "\n",
        "\r",
        ",",
        '"',
        "-",
        "+",
        ".",
        "e",
        "9",
        "0",
        "\0",
        "é",
        "٤",
        "\ufeff",
        "\u2028",
        " ",
    ),
    *("nan", "inf", "1e999", "-91", "400", "48°51'N", "gold", "MDG", "id", "lat_deg", "\t", ";"),
    *("x" * 101, ",,,\n", "\na,1,2\n", "\udc80"),
]


def test_any_content_is_a_fleet_or_refused_in_one_line(full_counts, record_figure):
    count = 20_000 if full_counts else 2_000
    outcomes = {"read": 0, "refused": 0}

    @settings(max_examples=count, deadline=None, database=None)
    @given(content=spoiled(GOOD, FRAGMENTS))
    def check(content):
        terminals = read_or_refused(parse_fleet, content, "fleet.csv")
        outcomes["refused" if terminals is None else "read"] += 1
        if terminals is not None:
            assert_sound(terminals)

    check()
    assert min(outcomes.values()) > count // 20
    record_figure(
        "fleet files, random: clean or InputError",
        sum(outcomes.values()),
        "inputs",
        "no other outcome",
    )


def assert_sound(terminals):
    ids = terminals.terminal_id.tolist()
    assert len(set(ids)) == len(ids) > 0
    assert all(is_slug(terminal_id) for terminal_id in ids)
    assert (np.abs(terminals.lat_deg) <= 90.0).all()
    assert (np.abs(terminals.lon_deg) <= 180.0).all()
    assert np.isfinite(terminals.height_wgs84_m).all()
    assert all(len(column) == len(ids) for column in terminals.extra.values())


def test_cities_are_terminals_with_unique_ids():
    terminals = city_terminals(1800)
    ids = terminals.terminal_id.tolist()
    assert "city-tokyo" in ids
    assert len(set(ids)) == 1800
    assert all(is_slug(terminal_id) for terminal_id in ids)
    assert not terminals.height_wgs84_m.any()
    assert terminals.name[ids.index("city-tokyo")] == "Tokyo"
    assert terminals.country[ids.index("city-tokyo")] == "JP"


def test_a_city_keeps_its_id_in_a_longer_list():
    few, many = city_terminals(300), city_terminals(3000)
    assert many.terminal_id[:300].tolist() == few.terminal_id.tolist()


def test_sets_are_put_together_in_order():
    first = fleet(f"{HEADER},ward\na,1,2,north\n")
    second = fleet(f"{HEADER},floor\nb,3,4,F1\nc,5,6,F2\n")
    both = concatenate([first, second])
    assert both.terminal_id.tolist() == ["a", "b", "c"]
    assert both.lat_deg.tolist() == [1.0, 3.0, 5.0]
    assert both.extra == {"ward": ["north", "", ""], "floor": ["", "F1", "F2"]}


def test_sets_put_together_or_taken_apart_keep_whose_tracks_and_skylines_are_whose(tmp_path):
    for name, high in (("one", 30), ("two", 40)):
        folder = tmp_path / name
        folder.mkdir()
        (folder / "skyline.csv").write_text(f"azimuth_deg,elevation_deg\n0,{high}\n180,5\n")
        fixes = "2026-06-14T12:00:00Z,1,2\n2026-06-14T13:00:00Z,1,3\n"
        (folder / "track.csv").write_text(f"time_utc,lat_deg,lon_deg\n{fixes}")
        rows = f"{name}-moves,,,track.csv,\n{name}-stands,3,4,,skyline.csv\n"
        (folder / "fleet.csv").write_text(f"{HEADER},track,horizon\n{rows}")
    first, second = (read_fleet(tmp_path / name / "fleet.csv") for name in ("one", "two"))
    both = concatenate([first, second])
    assert both.obstructions == {1: first.obstructions[1], 3: second.obstructions[1]}
    assert both.tracks == {0: first.tracks[0], 2: second.tracks[0]}
    taken = both.take(np.array([3, 2]))
    assert taken.obstructions == {0: second.obstructions[1]}
    assert taken.tracks == {1: second.tracks[0]}


def test_an_id_in_two_sets_is_refused_with_their_names():
    one = fleet(f"{HEADER}\na,1,2\n")
    with pytest.raises(InputError) as refusal:
        concatenate([one, one], ["fleet.csv", "[[terminals]]"])
    assert str(refusal.value) == (
        'terminal id "a" is in fleet.csv and in [[terminals]]; give each terminal its own id'
    )
    with pytest.raises(InputError, match="is twice in x; give"):
        concatenate([make_terminals(["a", "a"], 0.0, 0.0)], ["x"])


def test_rows_are_taken_with_everything_that_belongs_to_them():
    terminals = fleet(f"{HEADER},ward\na,1,2,n\nb,3,4,s\nc,5,6,e\n")
    taken = terminals.take(np.array([2, 0]))
    assert taken.terminal_id.tolist() == ["c", "a"]
    assert taken.lon_deg.tolist() == [6.0, 2.0]
    assert taken.extra == {"ward": ["e", "n"]}
    assert terminals.take(terminals.lat_deg > 2.0).terminal_id.tolist() == ["b", "c"]


@pytest.mark.parametrize("name", ["pipe", "/dev/zero"])
def test_pipes_and_devices_are_refused_unopened(tmp_path, name):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(InputError, match="not a regular file; copy what it holds into a file"):
        read_fleet(tmp_path / name)


def test_a_kit_is_kept_for_the_allow_lists_and_in_no_other_column():
    terminals = fleet(f"{HEADER},kit\na,1,2,KIT00012-a\nb,1,3,\n")
    assert terminals.kit.tolist() == ["KIT00012-a", ""]
    assert terminals.extra == {}


@pytest.mark.parametrize("kit", ["KIT 1", "k" * 101, "ü", "kit_1"])
def test_what_is_no_kit_is_refused_unseen(kit):
    with pytest.raises(InputError) as refused:
        fleet(f"{HEADER},kit\na,1,2,{kit}\n")
    assert kit not in str(refused.value)
    assert "line 2: kit" in str(refused.value)
