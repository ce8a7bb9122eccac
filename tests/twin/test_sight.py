"""What a dish's cone and surroundings leave of the sky, slot by slot, and what a run says of it."""

import numpy as np
import pytest

from skyweave.errors import InputError
from skyweave.policy.reasons import REASONS, SERVED
from skyweave.twin import pipeline
from skyweave.twin.geometry import look_angles
from skyweave.twin.orbits import initialise, propagate
from skyweave.twin.scenario import build_scenario
from skyweave.twin.terminals import terminal_itrf
from skyweave.twin.world import build_system

SHELL = {"altitude_km": 550, "inclination_deg": 53, "planes": 72, "per_plane": 22, "phasing": 39}
SLOTS = 6
HORIZON = "azimuth_deg,elevation_deg\n0,30\n180,50\n"  # straight lines round the compass
WALL = "polygon,azimuth_deg,elevation_deg\nwall,90,0\nwall,90,80\nwall,200,80\nwall,200,0\n"
PLACES = {
    "bern": (46.9, 7.4), "quito": (-0.2, -78.5), "perth": (-31.9, 115.9), "oslo": (59.9, 10.7),
    "suva": (-18.1, 178.4), "edmonton": (53.5, -113.5),
}  # fmt: skip
CLASSES = {  # name: full cone, tilt, tilted to, own lowest elevation, degrees
    "flat": (110.0, 0.0, None, None),
    "mast": (100.0, 30.0, None, None),
    "west": (90.0, 40.0, 270.0, 40.0),
    "bare": (None, 0.0, None, None),
}
LIMIT_DEG, ARC_DEG = 25.0, 18.0


@pytest.fixture(scope="module")
def system(tmp_path_factory):
    folder = tmp_path_factory.mktemp("sight")
    (folder / "horizon.csv").write_text(HORIZON)
    (folder / "wall.csv").write_text(WALL)
    surroundings = {"open": {}, "valley": {"horizon": "horizon.csv"},
                    "walled": {"obstruction": "wall.csv"},
                    "both": {"horizon": "horizon.csv", "obstruction": "wall.csv"}}  # fmt: skip
    terminals = [
        {"id": f"{place}-{class_}-{around}", "lat_deg": lat, "lon_deg": lon, "class": class_, **own}
        for place, (lat, lon) in PLACES.items()
        for class_ in CLASSES
        for around, own in surroundings.items()
    ]
    aimed = {"boresight_azimuth_deg": 200.0, "boresight_elevation_deg": 50.0}
    terminals.append({"id": "aimed", "lat_deg": 46.9, "lon_deg": 7.4, "class": "flat", **aimed})
    classes = [
        {"name": name, "fov_deg": cone, "tilt_deg": tilt}
        | ({} if towards is None else {"tilt_azimuth_deg": towards})
        | ({} if lowest is None else {"min_elevation_deg": lowest})
        for name, (cone, tilt, towards, lowest) in CLASSES.items()
        if cone is not None
    ]
    content = {
        "time": {"start_utc": "2026-06-14T12:00:12Z", "duration_s": 15 * SLOTS},
        "shells": [SHELL],
        "isl": {"plan": "none"},
        "visibility": {"min_elevation_deg": LIMIT_DEG, "gso_separation_deg": ARC_DEG},
        "terminal_classes": classes,
        "terminals": terminals,
    }
    return build_system(build_scenario(content, "sight", folder))


def is_blocked(terminal_id, azimuth_deg, elevation_deg):
    """Say by hand whether the files above block a direction."""
    around = terminal_id.rpartition("-")[2]
    from_north = min(azimuth_deg, 360.0 - azimuth_deg)
    in_valley = elevation_deg < 30.0 + from_north / 9.0
    behind_wall = 90.0 < azimuth_deg < 200.0 and elevation_deg < 80.0
    return (around in ("valley", "both") and in_valley) or (
        around in ("walled", "both") and behind_wall
    )


def off_boresight_deg(terminal_id, lat_deg, azimuth_deg, elevation_deg):
    """Return the angle from where the dish points, and half of its cone."""
    if terminal_id == "aimed":
        towards, height, cone = 200.0, 50.0, 110.0
    else:
        cone, tilt, towards, _ = CLASSES[terminal_id.split("-")[1]]
        towards, height = (
            (0.0 if lat_deg >= 0 else 180.0) if towards is None else towards,
            90 - tilt,
        )
    line, aim = (
        np.array([np.cos(e) * np.sin(a), np.cos(e) * np.cos(a), np.sin(e)])
        for a, e in np.radians([(azimuth_deg, elevation_deg), (towards, height)])
    )
    return np.degrees(np.arccos(np.clip(line @ aim, -1, 1))), np.inf if cone is None else cone / 2


def arc_separation_deg(lat_deg, azimuth_deg, elevation_deg):
    """Return the angle to the visible arc, scanned finely; the site on a sphere is good to 0.2."""
    lon = np.radians(np.arange(-81.0, 81.0, 0.1))
    lat, r = np.radians(lat_deg), 42_164.0 / 6_371.0
    east, north, up = (
        r * np.sin(lon),
        -r * np.sin(lat) * np.cos(lon),
        r * np.cos(lat) * np.cos(lon) - 1.0,
    )
    arc = np.stack([east, north, up], axis=-1)[up > 0]
    arc /= np.linalg.norm(arc, axis=1, keepdims=True)
    a, e = np.radians([azimuth_deg, elevation_deg])
    line = np.array([np.cos(e) * np.sin(a), np.cos(e) * np.cos(a), np.sin(e)])
    return np.degrees(np.arccos(np.clip(arc @ line, -1, 1))).min()


def expected_refusal(terminal_id, lat_deg, ends):
    """Return why the sky refuses a satellite seen at (azimuth, elevation) at both ends, by hand.

    None where nothing does, "?" where an angle is so near its limit that a hand cannot tell.
    """
    arc = [arc_separation_deg(lat_deg, *end) for end in ends]
    if any(abs(angle - ARC_DEG) < 0.3 for angle in arc):
        return "?"
    if min(arc) < ARC_DEG:
        return "gso_arc"
    aims = [off_boresight_deg(terminal_id, lat_deg, *end) for end in ends]
    if any(angle > half for angle, half in aims):
        return "field_of_view"
    return "obstructed" if any(is_blocked(terminal_id, *end) for end in ends) else None


def test_each_satellite_is_refused_for_the_first_test_it_fails_at_either_end(
    system, full_counts, record_figure
):
    world = system.parts[0].world
    records = initialise(world.fleet.catalogue)
    networks = list(pipeline.networks(world, records, SLOTS))
    sat_m = propagate(world.fleet.catalogue, world.grid, world.orientation).sat_itrf_m
    places = terminal_itrf(world.terminals, world.grid.utc)
    names = world.terminals.terminal_id.tolist()
    compared = 0
    for k, (_, service, _) in enumerate(pipeline.services(world, records, networks)):
        if k > 0 and not full_counts:
            break
        ends = [look_angles(*places.at(j), sat_m[j]) for j in (k, k + 1)]
        found = service.candidates
        lowest_deg = np.array([40.0 if "-west-" in name else LIMIT_DEG for name in names])
        seen = np.all([end.elevation_deg >= lowest_deg[:, None] for end in ends], axis=0)
        rows, sats = np.nonzero(seen)
        assert found.terminal.tolist() == rows.tolist()
        assert found.sat.tolist() == sats.tolist()
        for pair, (row, sat) in enumerate(zip(rows.tolist(), sats.tolist(), strict=True)):
            at = [(end.azimuth_deg[row, sat], end.elevation_deg[row, sat]) for end in ends]
            expected = expected_refusal(names[row], world.terminals.lat_deg[row], at)
            code = service.refused[pair]
            if expected != "?":
                compared += 1
                assert (None if code == SERVED else str(REASONS[code])) == expected, (
                    names[row],
                    at,
                )
    assert compared > (4500 if full_counts else 700)
    record_figure("satellites refused by the sky, by hand", compared, "pairs", "equal")


def test_who_sees_only_refused_satellites_hears_at_which_test_the_last_fell(system):
    world = system.parts[0].world
    records = initialise(world.fleet.catalogue)
    networks = list(pipeline.networks(world, records, SLOTS))
    order = ["gso_arc", "field_of_view", "obstructed"]
    told = set()
    for (_, service, _), network in zip(
        pipeline.services(world, records, networks), networks, strict=True
    ):
        access, _ = pipeline.serve(world, records, [network])
        for row in range(len(world.terminals)):
            codes = service.refused[service.candidates.terminal == row]
            if codes.size and (codes != SERVED).all():
                last = max((str(REASONS[code]) for code in codes), key=order.index)
                assert REASONS[access.reason[0, row]] == last
                told.add(last)
    assert {"field_of_view", "obstructed"} <= told


@pytest.mark.parametrize(
    ("section", "text"),
    [
        ({"terminal_classes": [{"name": "dish"}]}, "fov_deg is missing; add it, it is known only"),
        ({"terminal_classes": [{"name": "dish", "fov_deg": 0}]}, "fov_deg = 0 .*greater than 0"),
        ({"terminal_classes": [{"name": "dish", "fov_deg": 200}]}, "fov_deg = 200"),
        ({"terminal_classes": [{"name": "mini", "tilt_deg": 91}]}, "tilt_deg = 91"),
        ({"terminal_classes": [{"name": "mini"}, {"name": "mini"}]}, '"mini" is described twice'),
        ({"terminals": [{"id": "a", "lat_deg": 1, "lon_deg": 2, "boresight_azimuth_deg": 3}]},
         "boresight_azimuth_deg and boresight_elevation_deg go together"),
        ({"terminals": [{"id": "a", "lat_deg": 1, "lon_deg": 2, "horizon": "no.csv"}]},
         "no.csv: no such file"),
        ({"terminals": [{"id": "a", "lat_deg": 1, "lon_deg": 2, "operator": "acme"}]},
         'terminal "a": operator "acme": there are network'),
        ({"visibility": {"mode": "range", "max_range_m": 1e6}, "terminal_classes": [
            {"name": "mini", "min_elevation_deg": 30}],
          "terminals": [{"id": "a", "lat_deg": 1, "lon_deg": 2, "class": "mini"}]},
         'min_elevation_deg has no meaning with visibility.mode = "range"'),
        ({"operators": [{"name": "a", "shells": [SHELL], "gateways": {}}]},
         r"each of \[\[operators\]\] has its own .*: shells"),
    ],
)  # fmt: skip
def test_a_dish_that_cannot_be_is_refused_in_one_line(section, text, tmp_path):
    content = {
        "time": {"start_utc": "2026-06-14T12:00:12Z", "duration_s": 15},
        "shells": [SHELL],
        **section,
    }
    with pytest.raises(InputError, match=text) as refusal:
        build_system(build_scenario(content, "dish", tmp_path))
    assert "\n" not in str(refusal.value)


def test_classes_nobody_has_and_boresights_without_a_cone_are_warnings():
    terminal = {"id": "a", "lat_deg": 1, "lon_deg": 2}
    aimed = {"boresight_azimuth_deg": 3, "boresight_elevation_deg": 60}
    content = {
        "time": {"start_utc": "2026-06-14T12:00:12Z", "duration_s": 15},
        "shells": [SHELL],
        "terminal_classes": [{"name": "mini"}],
        "terminals": [terminal | aimed],
    }
    warnings = build_system(build_scenario(content, "dish")).warnings
    assert 'no terminal is of the class "mini"' in warnings
    assert any(text.startswith("boresights given to no effect: 1;") for text in warnings)
