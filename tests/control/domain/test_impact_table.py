"""A fleet's CSV as the impact report reads it: strictly, and without a position in any error."""

import h3.api.numpy_int as h3_cells
import numpy as np
import pytest

from skyweave.control.domain import impact_table
from skyweave.control.domain.impact_table import ImpactTable, Names, parse_impact_table
from skyweave.errors import InputError

HEADER = "id,lat_deg,lon_deg,service_class,account,sponsor,kit,track"
CELL = h3_cells.latlng_to_cell(38.0, -40.0, 5)


def read(*lines, header=HEADER):
    return parse_impact_table("\n".join([header, *lines, ""]).encode(), "FLEET.csv")


def test_a_fleet_s_columns_are_read():
    found = read(
        "clinic,38.0,-40.0,lifeline,aid,fund,kit-1,",
        "ferry,,,,,,,ferry.csv",
        "mast,38.0,320.0,,,,,",
    )
    assert len(found) == 3
    assert found.cells.tolist() == [CELL, 0, CELL]
    assert found.is_moving.tolist() == [False, True, False]
    asked = found.take(np.array([0, 2]), ordinary=2)
    assert asked.is_lifeline.tolist() == [True, False, False, False]
    assert found.unplaced == 1
    for names, expected in (
        (found.service_class, ["lifeline", "standard", "standard"]),
        (found.account, ["aid", "", ""]),
        (found.sponsor, ["fund", "", ""]),
    ):
        assert names.name[names.code].tolist() == expected


def test_a_cell_stands_for_a_place_also_of_a_terminal_that_moves():
    found = read(f"a,{CELL:x},", f"b,{CELL:X},b.csv", header="terminal_id,cell,track")
    assert found.cells.tolist() == [CELL, CELL]
    assert found.is_moving.tolist() == [False, True]


def test_other_columns_blank_lines_spreadsheet_marks_and_quotes_do_not_matter():
    content = '\ufeffID,Lat_deg,LON_DEG,Name\r\n\r\na,38.0,-40.0,"x, y"\r\n,,,\r\n'.encode()
    assert parse_impact_table(content, "FLEET.csv").cells.tolist() == [CELL]


@pytest.mark.parametrize(
    ("line", "says"),
    [
        (
            "a,91.25,-40.5,,,,,",
            "lat_deg is no such number; expected decimal degrees from -90 to 90",
        ),
        ("a,38,5,400.25,,,,,", "9 cells for 8 columns; keep the comma"),
        ("a,38.5,400.25,,,,,", "lon_deg is no such number; expected decimal degrees from -180"),
        ("a,38.5,,,,,,", "lon_deg is empty"),
        ("a,,,,,,,", "lat_deg is empty"),
        ("a,nan,0,,,,,", "lat_deg is no such number"),
        ("a,38°15N,0,,,,,", "lat_deg is no such number"),
        ("a b,38.0,0,,,,,", 'id "a b": expected letters a-z, digits and single hyphens'),
        (",38.0,0,,,,,", 'id "": expected letters'),
        ("a,38.0,0,gold,,,,", 'service_class "gold": expected standard, priority, lifeline'),
        (f"a,38.0,0,,{'x' * 101},,,", "account is no text of at most 100 characters"),
        ("a,38.0,0,,,\x07,,", "sponsor is no text of at most 100 characters"),
        ('a,38.0,0,,,"x,,', "quotes do not match"),
        (f"a,38.0,0,,,{'x' * 70_000},,", "more than 65,536 characters"),
    ],
)
def test_a_row_that_cannot_be_read_refuses_the_file_with_its_line(line, says):
    with pytest.raises(InputError) as refused:
        read("ok,38.0,-40.0,,,,,", line)
    assert str(refused.value).startswith("FLEET.csv: line 3: ")
    assert says in str(refused.value)
    assert "\n" not in str(refused.value)
    assert all(number not in str(refused.value) for number in ("91.25", "38.5", "400.25", "38°"))


def test_an_id_that_occurs_twice_is_refused_with_both_lines():
    with pytest.raises(InputError, match=r'line 4: id "a" is already on line 2; give each'):
        read("a,38.0,0,,,,,", "b,38.0,0,,,,,", "a,38.0,0,,,,,")


@pytest.mark.parametrize(
    ("cell", "lat", "says"),
    [
        ("8534000000000000", "", "not an H3 cell of resolution 5"),
        (f"{h3_cells.latlng_to_cell(38.0, -40.0, 4):x}", "", "not an H3 cell of resolution 5"),
        ("85zz", "", "not an H3 cell of resolution 5"),
        (f"{CELL:x}", "38.0", "a cell and coordinates; leave one of them empty"),
    ],
)
def test_a_cell_that_is_none_is_refused(cell, lat, says):
    with pytest.raises(InputError, match=rf"FLEET\.csv: line 2: .*{says}"):
        read(f"a,{cell},{lat},{lat}", header="id,cell,lat_deg,lon_deg")


@pytest.mark.parametrize(
    ("header", "says"),
    [
        ("name,lat_deg,lon_deg", 'column "id" is missing'),
        ("id,lat_deg", "no place of the terminals"),
        ("id,terminal_id,cell", 'column "id" is there twice'),
        ("id,cell,Cell", 'column "cell" is there twice'),
        ("", 'line 1: column "id" is missing'),
    ],
)
def test_a_header_that_lacks_something_is_refused(header, says):
    with pytest.raises(InputError, match=says):
        read(header=header)


def test_a_fleet_without_a_terminal_is_refused():
    with pytest.raises(InputError, match=r"FLEET\.csv: no terminal in it; add one line for each"):
        read()


def test_what_is_no_text_is_refused():
    with pytest.raises(
        InputError, match=r"FLEET\.csv: not UTF-8 text; save the table as CSV UTF-8"
    ):
        parse_impact_table(b"id,cell\n\xff", "FLEET.csv")


def test_a_fleet_has_limits(monkeypatch):
    monkeypatch.setattr(impact_table, "MAX_TERMINALS", 2)
    with pytest.raises(InputError, match="line 4: more than 2 terminals; split the fleet"):
        read("a,38.0,0,,,,,", "b,38.0,0,,,,,", "c,38.0,0,,,,,")
    monkeypatch.setattr(impact_table, "MAX_TABLE_BYTES", 9)
    with pytest.raises(InputError, match="10 bytes, at most 9 are read"):
        parse_impact_table(b"0123456789", "FLEET.csv")


def test_columns_of_different_length_are_refused():
    with pytest.raises(InputError, match="columns of terminals differ in length"):
        ImpactTable(["a"], np.zeros(2, np.uint64), service_classes=[""], accounts=[""],
                    sponsors=[""], kits=[""], is_moving=[False])  # fmt: skip


def test_rows_in_cells_are_found_as_by_looking_at_each():
    rng = np.random.default_rng(5)
    cells = rng.integers(0, 9, 100).astype(np.uint64)
    plain = [""] * 100
    found = ImpactTable([str(n) for n in range(100)], cells, service_classes=plain, accounts=plain,
                        sponsors=plain, kits=plain, is_moving=[False] * 100)  # fmt: skip
    for asked in ([], [3], [1, 4, 8], [7, 20]):
        expected = [n for n in range(100) if cells[n] in asked]
        assert found.rows_in(np.array(asked, dtype=np.uint64)).tolist() == expected


def test_names_stand_in_order_each_once():
    names = Names.of(["b", "a", "", "b"])
    assert names.name.tolist() == ["", "a", "b"]
    assert names.code.tolist() == [2, 1, 0, 2]
