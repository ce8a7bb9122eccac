"""Serving satellites told from obstruction maps: drawn ones, and recorded ones with labels."""

import csv
import gzip
import json
from collections import Counter
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from scipy.spatial.transform import Rotation
from sgp4.api import WGS72, Satrec
from sgp4.exporter import export_tle
from skyfield.api import EarthSatellite, load, wgs84

from skyweave.errors import InputError
from skyweave.realism.identify import (
    ALIKE,
    NO_CANDIDATES,
    NONE_NEAR,
    TOO_FEW,
    Sky,
    _usable,
    identify,
    match,
    operators_own,
)
from skyweave.realism.pixels import Calibration, SlotTrack, track_lines
from skyweave.twin.catalogue.classes import constellations
from skyweave.twin.catalogue.read import read_catalogue

BEGIN_UTC = np.datetime64("2026-06-01T12:00:12", "s")
SITE = (47.4, 8.5)
SLOTS = 12
STEPS = 15
PLANES, PER_PLANE = 30, 20
BORESIGHT = (340.0, 66.0)
DEG_PER_PIXEL = 1.30


class Drawn:
    """A recording drawn with skyfield's angles: who served, elements, directions, maps."""

    def __init__(self) -> None:
        rng = np.random.default_rng(7)
        self.scale = load.timescale()
        self.satellites = [
            made_satellite(self.scale, plane, place)
            for plane in range(PLANES)
            for place in range(PER_PLANE)
        ]
        lat_deg, lon_deg = SITE
        self.dish = wgs84.latlon(lat_deg, lon_deg)
        starts = [self.angles(sat, np.arange(SLOTS) * 15.0) for sat in self.satellites]
        self.elevation_deg, self.azimuth_deg = np.moveaxis(np.array(starts), 1, 0)  # (N, SLOTS)
        self.serving = [
            int(rng.choice(np.flatnonzero(self.elevation_deg[:, slot] > 45.0)))
            for slot in range(SLOTS)
        ]
        self.names = [self.satellites[row].name for row in self.serving]
        self.seen = [
            self.angles(self.satellites[row], slot * 15.0 + np.arange(STEPS))
            for slot, row in enumerate(self.serving)
        ]

    def angles(self, satellite: EarthSatellite, t_s: np.ndarray) -> np.ndarray:
        """Return elevation and azimuth in degrees, (2, T)."""
        times = self.scale.utc(2026, 6, 1, 12, 0, 12.0 + t_s)
        altitude, azimuth, _ = (satellite - self.dish).at(times).altaz()
        return np.array([altitude.degrees, azimuth.degrees])

    def write_elements(self, path: Path) -> Path:
        lines = [line for sat in self.satellites for line in (sat.name, *export_tle(sat.model))]
        path.write_text("\n".join(lines) + "\n")
        return path

    def write_list(self, path: Path) -> Path:
        """Write the directions in the form of `fov_data_SITE.json`."""
        entries = []
        for slot in range(SLOTS):
            up = np.flatnonzero(self.elevation_deg[:, slot] > 20.0)
            satellites = [
                {
                    "Name": self.satellites[row].name,
                    "Azimuth": self.azimuth_deg[row, slot],
                    "Elevation": self.elevation_deg[row, slot],
                }
                for row in up.tolist()
            ]
            moment = f"{BEGIN_UTC + np.timedelta64(15 * slot, 's')}+00:00"
            entries.append({"Timestamp": moment, "Satellites": satellites})
        path.write_text(json.dumps(entries))
        return path


def made_satellite(scale, plane: int, place: int, rev_day: float = 15.06) -> EarthSatellite:
    """Return one satellite of a Walker shell at 550 km and 53 deg, read back from its TLE."""
    number = plane * PER_PLANE + place
    days = (BEGIN_UTC - np.datetime64("1949-12-31", "s")) / np.timedelta64(1, "D")
    model = Satrec()
    model.sgp4init(
        WGS72, "i", 50_000 + number, days - 0.4, 0.0, 0.0, 0.0, 1e-4, 0.0, np.radians(53.0),
        np.radians(360.0 * (place / PER_PLANE + plane * 0.37 / PLANES)) % (2 * np.pi),
        2 * np.pi * rev_day / 1440.0, 2 * np.pi * plane / PLANES,
    )  # fmt: skip
    return EarthSatellite(*export_tle(model), f"STARLINK-{1000 + number}", scale)


def earth_pixels(elevation_deg: np.ndarray, azimuth_deg: np.ndarray) -> tuple:
    """Return rows and columns in a map with north at the top and east at the right."""
    distance, azimuth = (90.0 - elevation_deg) / DEG_PER_PIXEL, np.radians(azimuth_deg)
    return 61.0 - distance * np.cos(azimuth), 61.0 + distance * np.sin(azimuth)


def dish_pixels(body_to_enu: np.ndarray, elevation_deg: np.ndarray, azimuth_deg: np.ndarray):
    """Return rows and columns in the map of a dish with these axes (3, 3), x to the left."""
    level = np.cos(np.radians(elevation_deg))
    azimuth = np.radians(azimuth_deg)
    line = np.stack([level * np.sin(azimuth), level * np.cos(azimuth),
                     np.sin(np.radians(elevation_deg))], axis=-1)  # fmt: skip
    x, y, z = np.einsum("...ij,...i->...j", body_to_enu, line).T
    distance = np.degrees(np.arccos(z)) / DEG_PER_PIXEL / np.hypot(x, y)
    return 61.0 - y * distance, 61.0 - x * distance


def upright(azimuth_deg: float, elevation_deg: float) -> np.ndarray:
    """Return the axes of a dish that stands upright, by rotating one that looks up.

    Looking up with its y axis to the south, it is tilted northward, then turned to its azimuth.
    """
    look_up = np.array([[-1.0, 0.0, 0.0], [0.0, -1.0, 0.0], [0.0, 0.0, 1.0]])
    turn = Rotation.from_euler("xz", [elevation_deg - 90.0, -azimuth_deg], degrees=True)
    return turn.as_matrix() @ look_up


def write_maps(path: Path, pixels: list, frame: int, mirrored: bool = False) -> Path:
    """Write one map a second, emptied at each slot: rows and columns (STEPS,) of each slot."""
    maps, times_s = [], []
    begin_s = float(BEGIN_UTC.astype(np.int64))
    for slot, (rows, cols) in enumerate(pixels):
        cells = np.zeros((123, 123), dtype=np.int64)
        for step, (row, col) in enumerate(zip(rows, cols, strict=True)):
            cells[round(row), round(col)] = 1
            maps.append((cells[:, ::-1] if mirrored else cells).ravel().copy())
            times_s.append(begin_s + 15.0 * slot + step + 0.4)
    lists = pa.FixedSizeListArray.from_arrays(pa.array(np.concatenate(maps)), 123 * 123)
    table = pa.table({
        "timestamp": times_s,
        "obstruction_map": lists.cast(pa.list_(pa.int64())),
        "frame_type": [frame] * len(maps),
    })  # fmt: skip
    pq.write_table(table, path)
    return path


@pytest.fixture(scope="module")
def drawn() -> Drawn:
    return Drawn()


@pytest.fixture(scope="module")
def files(drawn, tmp_path_factory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("drawn")
    earth = [earth_pixels(*angles) for angles in drawn.seen]
    body_to_enu = upright(*BORESIGHT)
    dish = [dish_pixels(body_to_enu, *angles) for angles in drawn.seen]
    return {
        "elements": drawn.write_elements(folder / "elements.tle"),
        "list": drawn.write_list(folder / "fov_data.json"),
        "earth": write_maps(folder / "earth.parquet", earth, frame=1),
        "dish": write_maps(folder / "dish.parquet", dish, frame=2),
        "unknown": write_maps(folder / "unknown.parquet", dish, frame=0),
        "mirrored": write_maps(folder / "mirrored.parquet", earth, frame=1, mirrored=True),
        "short": write_maps(folder / "short.parquet", dish[:4], frame=2),
    }


def named(document: dict) -> list[str | None]:
    return [row["satellite"] for row in document["rows"]]


@pytest.mark.parametrize("maps", ["earth", "dish", "unknown", "mirrored"])
@pytest.mark.parametrize("source", ["elements", "list"])
def test_every_drawn_satellite_is_found_again(drawn, files, maps, source, record_figure):
    if source == "elements":
        document = identify(files[maps], files["elements"], site=SITE)
    else:
        document = identify(files[maps], None, candidates=files["list"])
    assert named(document) == drawn.names
    assert document["slots"] == document["identified"] == SLOTS
    assert document["not_identified"] == {}
    assert document["calibration"]["residual_deg"] < 0.65  # half a pixel
    assert document["calibration"]["deg_per_pixel"] == pytest.approx(DEG_PER_PIXEL, abs=0.02)
    assert document["calibration"]["mirrored"] is (maps == "mirrored")
    assert min(row["confidence"] for row in document["rows"]) > 0.5
    record_figure(f"identify, drawn maps ({maps}, {source})", 100.0, "% of slots", "100 %")


def test_the_place_of_a_drawn_map_is_told(files):
    earth = identify(files["earth"], files["elements"], site=SITE)["calibration"]
    assert (earth["rotation_deg"], earth["frame"]) == (pytest.approx(0.0, abs=1.0), "FRAME_EARTH")
    assert earth["centre_elevation_deg"] == pytest.approx(90.0, abs=1.0)
    dish = identify(files["dish"], files["elements"], site=SITE)["calibration"]
    assert dish["centre_azimuth_deg"] == pytest.approx(BORESIGHT[0], abs=2.0)
    assert dish["centre_elevation_deg"] == pytest.approx(BORESIGHT[1], abs=1.0)
    assert dish["frame"] == "FRAME_UT"


def test_a_city_away_the_satellites_are_the_same(drawn, files):
    twenty_kilometres_off = (SITE[0] + 0.15, SITE[1] + 0.12)
    document = identify(files["dish"], files["elements"], site=twenty_kilometres_off)
    assert named(document) == drawn.names


def test_mirrored_maps_are_said_to_be_so(files):
    warnings = identify(files["mirrored"], files["elements"], site=SITE)["warnings"]
    assert len(warnings) == 1
    assert "fit the sky only when mirrored" in warnings[0]


def test_rows_name_number_second_and_margin(drawn, files):
    document = identify(files["dish"], files["elements"], site=SITE)
    row = document["rows"][3]
    assert row["slot_start_utc"] == "2026-06-01T12:00:57Z"
    assert row["norad_id"] == 50_000 + drawn.serving[3]
    assert row["second"] != row["satellite"]
    assert row["margin_deg"] > 0.0
    assert row["pixels"] >= 4
    assert json.loads(json.dumps(document)) == document
    listed = identify(files["dish"], files["elements"], candidates=files["list"])
    assert listed["rows"][3]["norad_id"] == 50_000 + drawn.serving[3]
    unnumbered = identify(files["dish"], None, candidates=files["list"])
    assert unnumbered["rows"][3]["norad_id"] is None


def test_few_slots_need_a_boresight(drawn, files):
    with pytest.raises(InputError, match=r"4 slots with a track; 8 are needed .* --boresight"):
        identify(files["short"], files["elements"], site=SITE)
    document = identify(files["short"], files["elements"], site=SITE, boresight=BORESIGHT)
    assert named(document) == drawn.names[:4]


def test_a_wrong_boresight_is_contradicted_not_obeyed(drawn, files):
    document = identify(files["dish"], files["elements"], site=SITE, boresight=(150.0, 60.0))
    assert named(document) == drawn.names
    assert "deg away from the boresight given" in document["warnings"][0]
    right = identify(files["dish"], files["elements"], site=SITE, boresight=BORESIGHT)
    assert right["warnings"] == []


def test_a_turning_dish_needs_its_attitude(drawn, files, tmp_path):
    t_s = np.arange(SLOTS * 15) * 1.0
    turns = Rotation.from_euler("zyx", np.stack([7.0 * t_s, 8.0 * np.sin(t_s / 40.0), 0 * t_s], 1),
                                degrees=True)  # fmt: skip
    to_enu = np.array([[0.0, 1.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, -1.0]])
    look_up = np.diag([1.0, -1.0, -1.0])  # the boresight, z, up while NED has down
    body_to_ned = turns.as_matrix() @ look_up
    quaternion = Rotation.from_matrix(body_to_ned).as_quat()[:, [3, 0, 1, 2]]
    pixels = [
        dish_pixels(to_enu @ body_to_ned[15 * slot : 15 * slot + STEPS], *angles)
        for slot, angles in enumerate(drawn.seen)
    ]
    maps = write_maps(tmp_path / "turning.parquet", pixels, frame=2)
    status = tmp_path / "status.csv"
    with status.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["timestamp", *(f"quaternion_q{part}" for part in ("Scalar", *"XYZ"))])
        begin_s = float(BEGIN_UTC.astype(np.int64))
        writer.writerows([begin_s + t, *q] for t, q in zip(t_s, quaternion.tolist(), strict=True))
    document = identify(maps, files["elements"], site=SITE, attitude=status)
    assert named(document) == drawn.names
    assert document["calibration"]["rotation_deg"] == pytest.approx(0.0, abs=1.5)
    with pytest.raises(InputError, match="for a dish that moves give its attitude"):
        identify(maps, files["elements"], site=SITE)


def test_slots_that_tell_nothing_are_listed_with_their_reason(drawn, files, tmp_path):
    pixels = [dish_pixels(upright(*BORESIGHT), *angles) for angles in drawn.seen]
    rows, cols = pixels[0]
    pixels[0] = (np.repeat(rows[:1], STEPS), np.repeat(cols[:1], STEPS))  # stands still
    opposite = drawn.seen[1][:, ::-1]
    pixels[1] = dish_pixels(upright(*BORESIGHT), *opposite)  # runs the other way
    maps = write_maps(tmp_path / "maps.parquet", pixels, frame=2)
    entries = json.loads(files["list"].read_text())
    listed = tmp_path / "list.json"
    listed.write_text(json.dumps(entries[:-1]))
    document = identify(maps, None, candidates=listed)
    reasons = [row["reason"] for row in document["rows"]]
    assert reasons[0] == TOO_FEW
    assert reasons[1] in (NONE_NEAR, ALIKE)
    assert reasons[-1] == NO_CANDIDATES
    assert named(document)[2:-1] == drawn.names[2:-1]
    assert document["not_identified"] == dict(Counter(sorted(filter(None, reasons))))
    assert document["identified"] == SLOTS - 3


def test_two_satellites_on_one_track_are_not_told_apart(drawn, files, tmp_path):
    entries = json.loads(files["list"].read_text())
    for entry in entries:
        entry["Satellites"] += [
            {**satellite, "Name": satellite["Name"] + " TWIN"} for satellite in entry["Satellites"]
        ]
    listed = tmp_path / "twins.json"
    listed.write_text(json.dumps(entries))
    document = identify(files["dish"], None, candidates=listed)
    assert document["not_identified"] == {ALIKE: SLOTS}
    assert document["rows"][0]["margin_deg"] == 0.0


def test_unfit_requests_are_refused_in_one_line(files, tmp_path):
    cases = [
        ({"site": None}, r"give --elements FILE and --site LAT,LON \(a city suffices\)"),
        ({"site": (147.4, 8.5)}, "site: expected latitude from -90 to 90 and longitude"),
        ({"boresight": (0.0, 99.0)}, "boresight = 0,99; expected azimuth"),
        ({"max_age_days": 0.1}, r"elements are 0\.4 days \(median\) .* beyond 0\.1"),
        ({"max_age_days": 0.0}, "max_age_days = 0.0; expected days above 0"),
        ({"attitude": tmp_path / "none.csv"}, "none.csv: no such file"),
        ({"site": (-47.4, -100.0)}, "do not seem to belong together: check site and times"),
    ]
    for change, advice in cases:
        with pytest.raises(InputError, match=advice) as refusal:
            identify(files["dish"], files["elements"], **{"site": SITE, **change})
        assert "\n" not in str(refusal.value)
        for coordinate in ("47.4", "147.4", "8.5"):  # a terminal's place stays out of errors
            assert coordinate not in str(refusal.value).replace(str(tmp_path), "")


def test_motion_decides_where_distance_alone_would_mislead():
    middle = np.full(14, 61.0)
    track = SlotTrack(BEGIN_UTC, np.zeros(14), middle, np.linspace(59.0, 63.0, 14), 14)
    plain = Calibration(np.eye(3), DEG_PER_PIXEL, from_below=False, residual_deg=0.7)
    path = track_lines(plain, track)
    beside = Rotation.from_euler("x", 3.0, degrees=True).apply(path)  # further off, but parallel
    sky = Sky(np.array(["BACK", "BESIDE"]), np.array([1, 2]), np.stack([path[::-1], beside]))
    found = match(plain, track, sky)
    assert (found.nearest, found.second) == (1, 0)
    assert found.margin_deg < 0.0


def test_satellites_that_serve_nobody_are_no_candidates(drawn, tmp_path):
    low = made_satellite(drawn.scale, 0, 0, rev_day=15.9)  # 290 km: on its way up or down
    lines = [line for sat in drawn.satellites[:80] for line in (sat.name, *export_tle(sat.model))]
    lines += ["STARLINK-11007 [DTC]", *export_tle(drawn.satellites[100].model)]
    lines += ["STARLINK-9", *export_tle(low.model)]
    path = tmp_path / "elements.tle"
    path.write_text("\n".join(lines[: 3 * 81]) + "\n")
    track = SlotTrack(BEGIN_UTC.astype("datetime64[ns]"), *np.zeros((3, 0)), 0)
    usable, warnings = _usable(path, [track], 2.0)
    assert usable.norad_id.tolist() == list(range(50_000, 50_080))
    assert warnings == []
    path.write_text("\n".join([*lines[3:240], *lines[243:]]) + "\n")  # the low one for the first
    usable, _ = _usable(path, [track], 2.0)
    assert usable.norad_id.tolist() == list(range(50_001, 50_080))


def test_a_list_of_another_day_is_refused(files, tmp_path):
    text = files["list"].read_text().replace("2026-06-01", "2026-06-02")
    (tmp_path / "list.json").write_text(text)
    with pytest.raises(InputError, match=r"none of the maps' \(from 2026-06-01T12:00:12Z\)"):
        identify(files["dish"], None, candidates=tmp_path / "list.json")


def test_maps_without_a_track_are_refused(tmp_path):
    (tmp_path / "pixels.csv").write_text("2026-06-01 12:00:12,5,5\n2026-06-01 12:00:13,5,5\n")
    with pytest.raises(InputError, match="no slot has 4 new pixels one after the other"):
        identify(tmp_path / "pixels.csv", None, candidates="unread.json")


def test_an_attitude_for_maps_turned_to_the_earth_is_refused(files):
    with pytest.raises(InputError, match="FRAME_EARTH"):
        identify(files["earth"], files["elements"], site=SITE, attitude="unread.csv")


# Recorded maps


def labels_of(path: Path) -> dict[str, str]:
    """Return the published satellite of each slot: that of most of its seconds."""
    content = path.read_bytes()
    text = (gzip.decompress(content) if path.suffix == ".gz" else content).decode()
    votes: dict[str, Counter] = {}
    for row in csv.DictReader(text.splitlines()):
        moment = np.datetime64(row["Timestamp"][:19], "s")
        late = (moment.astype(np.int64) - 12) % 15
        slot = f"{moment - np.timedelta64(late, 's')}Z"
        votes.setdefault(slot, Counter())[row["Connected_Satellite"]] += 1
    return {slot: count.most_common(1)[0][0] for slot, count in votes.items()}


def shares(document: dict, labels: dict[str, str]) -> tuple[float, float, int]:
    """Return the share of labels found among clean slots and among all, and the clean slots.

    Clean: the nearest candidate within 3 deg, the second a degree further off.  A slot left
    unidentified counts as one not found.
    """
    rows = [row for row in document["rows"] if row["slot_start_utc"] in labels]
    hit = [row["satellite"] == labels[row["slot_start_utc"]] for row in rows]
    clean = [
        row["residual_deg"] is not None
        and row["residual_deg"] < 3.0
        and (row["margin_deg"] is None or row["margin_deg"] >= 1.0)
        for row in rows
    ]
    return float(np.mean(np.array(hit)[clean])), float(np.mean(hit)), sum(clean)


REDUCED_ROWS = 1500  # some 110 slots


def first_pixels(source: Path, target: Path, full_counts: bool) -> Path:
    """Copy a packed file of pixels, or without full counts its beginning."""
    lines = gzip.decompress(source.read_bytes()).splitlines(keepends=True)
    target.write_bytes(b"".join(lines if full_counts else lines[:REDUCED_ROWS]))
    return target


@pytest.mark.parametrize(("place", "least"), [("bri", 0.95), ("ucl", 0.85)])
def test_recorded_tracks_give_the_published_labels(
    reference_data, full_counts, tmp_path, place, least, record_figure
):
    folder = reference_data / "measurements" / "satinview_2024-07-17"
    labels = labels_of(folder / f"first_{place}.csv.gz")
    source = folder / f"white_pixel_coordinates_xor_{place}.csv.gz"
    pixels = first_pixels(source, tmp_path / "pixels.csv", full_counts)
    document = identify(pixels, None, candidates=folder / f"fov_data_{place}.json.gz")
    clean, all_slots, count = shares(document, labels)
    limit = ">= 95 % (published labels, clean slots)" if place == "bri" else "reported"
    record_figure(f"identify, {place}, {count} clean slots", 100 * clean, "%", limit)
    record_figure(f"identify, {place}, all slots", 100 * all_slots, "%", "reported")
    assert clean >= least
    assert count > (450 if full_counts else 90)
    assert 1.27 < document["calibration"]["deg_per_pixel"] < 1.35
    assert document["calibration"]["residual_deg"] < 1.1


def test_recorded_tracks_give_the_labels_from_elements_and_a_city_too(
    reference_data, full_counts, tmp_path, record_figure
):
    folder = reference_data / "measurements" / "satinview_2024-07-17"
    labels = labels_of(folder / "first_bri.csv.gz")
    source = folder / "white_pixel_coordinates_xor_bri.csv.gz"
    pixels = first_pixels(source, tmp_path / "pixels.csv", full_counts)
    brisbane = (-27.47, 153.03)
    document = identify(pixels, folder / "starlink_gp_2024-07-17.tle.gz", site=brisbane)
    clean, _, count = shares(document, labels)
    record_figure(f"identify, bri by elements, {count} clean slots", 100 * clean, "%", "reported")
    assert clean >= 0.95


def test_a_recording_on_a_turning_vehicle_fits_its_elements_but_not_its_labels(
    reference_data, record_figure
):
    """The satellites found explain nearly all tracks; the four published ones lie far off.

    LEOViz turns the map by the boresight's azimuth alone and leaves out how the vehicle leans and
    heads; with the attitude that the dish itself reports, its four labels are 65 deg or more from
    the tracks, so they are no ground truth here.  What holds is that the dish's own attitude makes
    the tracks fit (residual 0.8 deg, no rotation left), and that ten minutes later it does not.
    """
    folder = reference_data / "measurements" / "leoviz_2025-05-29"
    maps, elements, status, labels = (
        next(folder.glob(name))
        for name in ("obstruction_map-*", "starlink-tle-*", "GRPC_STATUS-*", "serving_satellite_*")
    )
    city = (48.5, -124.3)
    document = identify(maps, elements, site=city, attitude=status)
    calibration = document["calibration"]
    share = document["identified"] / document["slots"]
    _, agreed, _ = shares(document, labels_of(labels))
    record_figure("identify, LEOViz vehicle, slots identified", 100 * share, "%", "reported")
    record_figure("identify, LEOViz, labels agreed (4 slots)", 100 * agreed, "%", "reported")
    record_figure("identify, LEOViz, residual", calibration["residual_deg"], "deg", "reported")
    assert share > 0.8
    assert abs(calibration["rotation_deg"]) < 1.0
    assert calibration["centre_elevation_deg"] > 89.0
    assert not calibration["mirrored"]
    assert calibration["residual_deg"] < 1.0


def test_the_same_recording_fits_no_other_time(reference_data, full_counts, tmp_path):
    folder = reference_data / "measurements" / "leoviz_2025-05-29"
    seconds = 500 if full_counts else 250
    table = pq.read_table(next(folder.glob("obstruction_map-*"))).slice(0, seconds)
    later = pa.compute.add(table["timestamp"], 600.0)
    maps = tmp_path / "later.parquet"
    pq.write_table(table.set_column(0, "timestamp", later), maps)
    with gzip.open(next(folder.glob("GRPC_STATUS-*")), "rt") as file:
        reports = list(csv.DictReader(file))
    status = tmp_path / "later.csv"
    with status.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(reports[0]))
        writer.writeheader()
        writer.writerows({**row, "timestamp": float(row["timestamp"]) + 600.0} for row in reports)
    with pytest.raises(InputError, match="do not seem to belong together"):
        identify(maps, next(folder.glob("starlink-tle-*")), site=(48.5, -124.3), attitude=status)


def test_satellites_of_other_operators_are_left_out_and_counted():
    fleet = read_catalogue("builtin:2026-06-14")
    own, others = operators_own(fleet)
    assert set(constellations(own)) == {"STARLINK"}
    assert others == len(fleet) - len(own) > 5000
    nobody = fleet.take(constellations(fleet) == "ONEWEB")
    assert operators_own(nobody) == (nobody, 0)
