"""Files of what blocks a sky: read as written, and refused with one line of advice."""

import json
import pickle

import numpy as np
import pytest
from hypothesis import given, settings
from spoiled import read_or_refused, spoiled

from skyweave.errors import InputError
from skyweave.twin.terminals import Obstruction, combine, parse_obstruction, read_obstruction
from skyweave.twin.terminals.obstruction import MAX_OBSTRUCTION_BYTES, MAX_POINTS

HORIZON = "azimuth_deg,elevation_deg\n"
POLYGONS = "polygon,azimuth_deg,elevation_deg\n"
TRIANGLE = POLYGONS + "roof,10,20\nroof,30,20\nroof,20,40\n"
ROWS = 123
KINDS = (
    "a CSV with azimuth_deg,elevation_deg (horizon) or polygon,azimuth_deg,elevation_deg, "
    "or the dish's map as JSON or 123 x 123 numbers"
)


def parsed(text: str) -> Obstruction:
    return parse_obstruction(text.encode(), "x")


def edges_of(obstruction: Obstruction) -> list:
    """Return the edges in order, each as azimuths from and to, elevations from and to."""
    edges = np.hstack([obstruction.edge_azimuth_deg, obstruction.edge_elevation_deg])
    return sorted(edges.tolist())


def some_map() -> np.ndarray:
    """Return a map with each kind of value, no row or column like another."""
    values = np.array([-1.0, 0.0, 0.25, 0.5, 1.0])
    return np.random.default_rng(1).choice(values, (ROWS, ROWS))


def message(snr=None, **fields) -> dict:
    snr = some_map().ravel().tolist() if snr is None else snr
    return {
        "numRows": ROWS, "numCols": ROWS, "snr": snr, "minElevationDeg": 10, "maxThetaDeg": 80,
        **fields,
    }  # fmt: skip


def matrix_text(snr: np.ndarray, separator: str = ",") -> str:
    return "\n".join(separator.join(f"{value:g}" for value in row) for row in snr) + "\n"


def test_a_horizon_profile_is_closed_round_the_compass_in_any_order_of_its_points(tmp_path):
    path = tmp_path / "horizon.csv"
    path.write_text(HORIZON + "270,30\n90,10\n-180,20\n", encoding="utf-8")
    expected = [[0, 90, 20, 10], [90, 180, 10, 20], [180, 270, 20, 30], [270, 360, 30, 20]]
    assert edges_of(read_obstruction(path)) == expected
    assert read_obstruction(path).zenith_inside.tolist() == [False]


def test_a_profile_may_give_north_twice_as_0_and_as_360():
    once, twice = parsed(HORIZON + "0,5\n180,9\n"), parsed(HORIZON + "0,5\n180,9\n360,5\n")
    assert edges_of(once) == edges_of(twice) == [[0, 180, 5, 9], [180, 360, 9, 5]]


def test_an_azimuth_that_rounds_to_north_is_north():
    almost, north = parsed(HORIZON + "-1e-20,5\n180,9\n"), parsed(HORIZON + "0,5\n180,9\n")
    assert edges_of(almost) == edges_of(north)


def test_a_single_point_is_a_level_horizon():
    edges = edges_of(parsed(HORIZON + "123,15\n"))
    assert [edge[2:] for edge in edges] == [[15, 15], [15, 15]]


def test_polygons_keep_their_edges_apart_and_may_repeat_their_first_vertex():
    closed = TRIANGLE + "roof,10,20\n"
    assert edges_of(parsed(TRIANGLE)) == edges_of(parsed(closed))
    assert edges_of(parsed(TRIANGLE)) == [[10, 20, 20, 40], [10, 30, 20, 20], [20, 30, 40, 20]]
    two = parsed(TRIANGLE + "tree,350,0\ntree,10,0\ntree,0,30\n")
    assert two.outline_start.tolist() == [0, 3, 7]  # the base of the tree is cut at north
    assert [350, 360, 0, 0] in edges_of(two)


def test_a_polygon_may_go_round_the_compass_once():
    loop = POLYGONS + "".join(f"sky,{azimuth},60\n" for azimuth in (0, 120, 240))
    assert parsed(loop).zenith_inside.tolist() == [True]


def as_tools(fields: dict) -> dict:
    """Return the field names as protobuf has them."""
    names = {
        "numRows": "num_rows", "numCols": "num_cols", "minElevationDeg": "min_elevation_deg",
        "maxThetaDeg": "max_theta_deg", "mapReferenceFrame": "map_reference_frame",
    }  # fmt: skip
    return {names.get(key, key): value for key, value in fields.items()}


def map_forms() -> dict:
    snr, full = some_map(), message()
    return {
        "bare": json.dumps(full),
        "by grpcurl": json.dumps({"apiVersion": "26", "dishGetObstructionMap": full}, indent=2),
        "by name": json.dumps({"dish_get_obstruction_map": as_tools(full)}),
        "earth": json.dumps(message(mapReferenceFrame="FRAME_EARTH")),
        "earth by number": json.dumps(as_tools(message(mapReferenceFrame=1))),
        "unknown frame": json.dumps(message(mapReferenceFrame="FRAME_UNKNOWN")),
        "rows in the message": json.dumps(message(snr.tolist())),
        "rows alone": json.dumps(snr.tolist()),
        "no angles": json.dumps({k: full[k] for k in ("numRows", "numCols", "snr")}),
        "commas": matrix_text(snr),
        "blanks": matrix_text(snr, "  "),
        "byte-order mark": "\ufeff" + matrix_text(snr, ";\t"),
    }


@pytest.mark.parametrize("form", map_forms())
def test_the_map_of_a_dish_is_the_same_in_every_form(form):
    read = parsed(map_forms()[form]).dish_map
    snr = some_map()
    np.testing.assert_array_equal(read.blocked, (snr >= 0.0) & (snr < 0.5))
    assert (read.max_theta_deg, read.limit_theta_deg) == (80.0, 80.0)
    measured_deg_per_pixel = 1.30, 1.32  # fitted to tracks of two dishes
    assert measured_deg_per_pixel[0] <= read.deg_per_pixel <= measured_deg_per_pixel[1]


def test_the_share_without_data_is_kept_and_counts_as_clear():
    snr = np.full((ROWS, ROWS), -1.0)
    assert parsed(matrix_text(snr)).unknown_share == 1.0
    assert not parsed(matrix_text(snr)).dish_map.blocked.any()
    snr[:61] = 1.0  # all rows north of the middle
    assert parsed(matrix_text(snr)).unknown_share == pytest.approx(0.5, abs=0.01)
    snr[:] = 1.0
    snr[0, 0] = -1.0  # a corner, beyond the map's largest angle
    assert parsed(matrix_text(snr)).unknown_share == 0.0
    assert parsed(TRIANGLE).unknown_share == 0.0


def test_an_obstruction_travels_to_a_worker_and_is_known_by_identity():
    parts = [parsed(TRIANGLE), parsed(HORIZON + "0,5\n"), parsed(matrix_text(some_map()))]
    whole = combine(parts)
    there = pickle.loads(pickle.dumps(whole))
    assert edges_of(there) == edges_of(whole)
    np.testing.assert_array_equal(there.dish_map.blocked, whole.dish_map.blocked)
    assert len({whole, whole, there}) == 2


def test_two_maps_for_one_sky_are_refused():
    one = parsed(matrix_text(some_map()))
    with pytest.raises(InputError) as refusal:
        combine([one, one], "f.csv: line 2")
    assert str(refusal.value) == (
        "f.csv: line 2: 2 dish maps for one sky; give one, and what else blocks it as polygons"
    )


def changed(row: int, column: int, value) -> str:
    snr = some_map().ravel().tolist()
    snr[row * ROWS + column] = value
    return json.dumps(message(snr))


BAD = {
    "": f"x: empty; expected {KINDS}",
    " \n\n": f"x: empty; expected {KINDS}",
    HORIZON: "x: no points; add a line with azimuth and elevation",
    POLYGONS: "x: no polygons; add three vertices or more of one",
    HORIZON + "0,95\n": (
        "x: line 2: elevation_deg = 95: expected -90 to 90 (degrees above the horizon)"
    ),
    HORIZON + "0,5\n720,5\n": (
        "x: line 3: azimuth_deg = 720: expected -180 to 360 (degrees from north over east)"
    ),
    HORIZON + "0,nan\n": (
        'x: line 2: elevation_deg: found "nan", expected -90 to 90 (degrees above the horizon)'
    ),
    HORIZON + "0,5\n360,6\n": (
        "x: line 3: azimuth 0 deg has another elevation in line 2; keep one of them"
    ),
    HORIZON + "0,5\n" + POLYGONS + "a,0,5\n": (
        "x: line 3: 3 cells for 2 columns; quote a text that holds a comma"
    ),
    HORIZON + "0,5\n" + HORIZON: (
        'x: line 3: azimuth_deg: found "azimuth_deg", expected -180 to 360 '
        "(degrees from north over east)"
    ),
    "azimuth,elevation\n0,5\n": (
        'x: line 1: column "azimuth_deg" is missing; rename "azimuth"'
    ),
    "polygon,azimuth_deg\na,5\n": (
        'x: line 1: column "elevation_deg" is missing; add it to the header line'
    ),
    "azimuth_deg;elevation_deg\n0;5\n": (
        "x: line 1: columns are separated by semicolons; save the file with commas"
    ),
    POLYGONS + "roof,10,20\nroof,30,20\n": (
        'x: line 2: polygon "roof" has 2 different vertices; expected 3 or more: add the missing '
        "ones"
    ),
    POLYGONS + "roof,10,20\nroof,30,20\nroof,10,20\n": (
        'x: line 2: polygon "roof" has 2 different vertices; expected 3 or more: add the missing '
        "ones"
    ),
    POLYGONS + "roof,10,20\nroof,190,20\nroof,100,40\n": (
        "x: line 3: azimuth is 180 deg from that of line 2, so the way round is unclear; add a "
        "vertex between"
    ),
    POLYGONS + "".join(f"sky,{120 * k % 360},{50 + k}\n" for k in range(6)): (
        'x: line 2: polygon "sky" goes 2 times round the compass; expected once at most: split it'
    ),
    TRIANGLE + "tree,1,2\ntree,3,4\ntree,2,9\nroof,5,6\n": (
        'x: line 8: polygon "roof" goes on from line 2; keep its vertices together, or give '
        "another name"
    ),
    "0,5\n90,10\n": (
        "x: line 1: 2 numbers without a header line; a dish's map has 123 in each row, a horizon "
        "profile begins with azimuth_deg,elevation_deg"
    ),
    matrix_text(np.ones((122, 123))): (
        "x: 122 rows of 123 numbers; a dish's map has 123 of them: save all"
    ),
    matrix_text(np.ones((123, 122))): (
        "x: line 1: 122 numbers without a header line; a dish's map has 123 in each row, a horizon "
        "profile begins with azimuth_deg,elevation_deg"
    ),
    matrix_text(np.ones((ROWS, ROWS))).replace("\n1", "\none", 1): (
        'x: line 2: found "one", expected a number'
    ),
    matrix_text(np.full((ROWS, ROWS), np.nan)): (
        "x: snr in row 1, column 1 is nan; expected -1 (no data) or 0 (blocked) to 1 (clear)"
    ),
    "{": (
        "x: not JSON (Expecting property name enclosed in double quotes: line 1 column 2 (char 1))"
        "; save again what grpcurl prints, nothing else"
    ),
    "[" * 100_000: "x: not JSON (",
    '{"apiVersion": "26"}': (
        'x: "snr" is missing; expected the answer to dish_get_obstruction_map'
    ),
    json.dumps(message([1.0] * 100)): (
        "x: snr has 100 values for 123 x 123 pixels; save the whole answer again"
    ),
    json.dumps(message("clear")): 'x: "snr" is not a list; expected 15,129 numbers',
    json.dumps(message(numCols=122)): "x: a map of 123 x 122; expected a square one",
    json.dumps(message(numRows=0)): (
        "x: num_rows = 0; expected 1 to 500: save the whole answer again"
    ),
    json.dumps(message(numRows=True)): (
        "x: num_rows = True; expected 1 to 500: save the whole answer again"
    ),
    json.dumps(message(maxThetaDeg=200)): (
        "x: max_theta_deg = 200; expected 1 to 90 degrees: save the whole answer again"
    ),
    json.dumps(message(minElevationDeg=float("nan"))): (
        "x: min_elevation_deg = nan; expected 0 to 89 degrees: save the whole answer again"
    ),
    json.dumps(message(mapReferenceFrame="FRAME_UT")): (
        "x: the map is in the dish's own frame (FRAME_UT), whose place in the sky is not "
        "published; give one in FRAME_EARTH, a horizon profile or polygons"
    ),
    json.dumps(message(mapReferenceFrame=7)): (
        'x: map_reference_frame = "7"; expected FRAME_EARTH'
    ),
    changed(2, 4, float("nan")): (
        "x: snr in row 3, column 5 is nan; expected -1 (no data) or 0 (blocked) to 1 (clear)"
    ),
    changed(0, 0, 1.5): (
        "x: snr in row 1, column 1 is 1.5; expected -1 (no data) or 0 (blocked) to 1 (clear)"
    ),
    changed(122, 122, "1"): (
        "x: snr in row 123, column 123 is 1; expected -1 (no data) or 0 (blocked) to 1 (clear)"
    ),
    changed(1, 0, -0.5): (
        "x: snr in row 2, column 1 is -0.5; expected -1 (no data) or 0 (blocked) to 1 (clear)"
    ),
    changed(1, 0, None): (
        "x: snr in row 2, column 1 is None; expected -1 (no data) or 0 (blocked) to 1 (clear)"
    ),
    "[]": "x: num_rows = 0; expected 1 to 500: save the whole answer again",
    "\x7fELF\x02\x01\x01\n": "x: line 1: control character U+007F at 1; remove it",
}  # fmt: skip


@pytest.mark.parametrize("text", BAD, ids=range(len(BAD)))
def test_a_bad_file_is_refused_with_one_line_of_advice(text):
    with pytest.raises(InputError) as refusal:
        parsed(text)
    found = str(refusal.value)
    assert len(found.splitlines()) == 1
    if BAD[text].endswith("("):  # the rest depends on the Python
        assert found.startswith(BAD[text])
    else:
        assert found == BAD[text]


@pytest.mark.parametrize(
    ("content", "text"),
    [
        (b"\x89PNG\r\n\x1a\n", "x: line 1: byte 1 is not UTF-8; save the file as CSV UTF-8"),
        (b"PK\x03\x04ab", "x: a spreadsheet or archive; save the table as CSV UTF-8"),
        (b"\xff\xfe0\x00", "x: UTF-16 text; save the file as CSV UTF-8"),
        (
            b" " * (MAX_OBSTRUCTION_BYTES + 1),
            "x: 4,194,305 bytes; at most 4,194,304 are read: give one site's obstruction per file",
        ),
        (
            HORIZON.encode() + b"1,1\n" * (MAX_POINTS + 1),
            "x: 10,001 points; at most 10,000 are read: thin them out",
        ),
    ],
)
def test_binary_and_oversized_files_are_refused(content, text):
    with pytest.raises(InputError) as refusal:
        parse_obstruction(content, "x")
    assert str(refusal.value) == text


def test_a_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(InputError, match="no such file; check the name and the folder"):
        read_obstruction(tmp_path / "none.csv")


SMALL_MAP = json.dumps(message([1, 0, -1, 0.5], numRows=2, numCols=2))
GOOD = [HORIZON + "0,5\n90,10\n200,7\n", TRIANGLE + "tree,350,0\ntree,10,0\ntree,0,30\n", SMALL_MAP]
FRAGMENTS = ["", "\n", ",", "nan", "-1", "360", "1e999", '"', "{", "[", "]", "null", "\x00", "999"]


@settings(max_examples=300, deadline=None)
@given(spoiled(GOOD, FRAGMENTS))
def test_a_spoiled_file_is_read_or_refused_with_one_line(content):
    obstruction = read_or_refused(parse_obstruction, content, "x.csv")
    if obstruction is not None:
        assert np.isfinite(edges_of(obstruction)).all()
        assert (np.diff(obstruction.edge_azimuth_deg) > 0.0).all()
