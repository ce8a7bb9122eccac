"""The border: what a terminal is told and left with as it crosses, with bad fixes too."""

import math
import random
from dataclasses import replace

import h3.api.numpy_int as h3_cells
import numpy as np
import pytest
import shapely

from skyweave.constants import EARTH_MEAN_RADIUS_M
from skyweave.errors import InputError
from skyweave.policy.border import (
    MAX_RADIUS_M,
    Border,
    BorderRules,
    BorderState,
    Level,
    Reading,
    Zone,
    step,
)
from skyweave.policy.decision import LIFELINE_BPS, NO_LIMIT_BPS
from skyweave.policy.reasons import Reason

CENTRE = h3_cells.latlng_to_cell(47.0, 8.0, 5)
AREA = np.unique(h3_cells.grid_disk(CENTRE, 6)).astype(np.uint64)
RULES = BorderRules()
M_A_DEG = EARTH_MEAN_RADIUS_M * math.pi / 180.0


def walk(zones, every_s=15.0, rules=RULES, state=None, cell=CENTRE):
    """Return the states after readings in these zones."""
    states = [state or BorderState()]
    first_s = states[0].at_s + every_s if states[0].at_s > 0.0 else 0.0
    for n, zone in enumerate(zones):
        states.append(step(states[-1], Reading(first_s + n * every_s, zone, cell), rules))
    return states[1:]


def levels(states):
    return [state.level for state in states]


def test_the_margin_warns_at_full_service_from_the_first_fix():
    found = walk([Zone.INSIDE, Zone.MARGIN])
    assert levels(found) == [Level.INSIDE, Level.WARNED]
    assert [level.is_warning for level in levels(found)] == [False, True]
    assert RULES.limit_bps(Level.WARNED) == NO_LIMIT_BPS


@pytest.mark.parametrize("zone", [Zone.EDGE, Zone.BEYOND])
def test_what_may_be_beyond_is_restricted_and_warned_at_once(zone):
    level = walk([Zone.INSIDE, zone])[-1].level
    assert level is Level.GRACE
    assert level.is_warning
    assert 0 < RULES.limit_bps(level) < NO_LIMIT_BPS


def test_after_the_grace_comes_the_lifeline_and_then_the_end_with_its_reason():
    rules = replace(RULES, lifeline_s=600.0)
    found = levels(walk([Zone.BEYOND] * 200, rules=rules))
    assert found.index(Level.LIFELINE) == 120  # 30 min of 15 s
    assert found.index(Level.OFF) == 160
    assert rules.limit_bps(Level.LIFELINE) == LIFELINE_BPS
    assert rules.limit_bps(Level.OFF) == 0
    assert [level.reason for level in Level] == [None] * 4 + [Reason.ROAM_RESTRICTED]


def test_without_leave_for_a_lifeline_service_ends_with_the_grace():
    found = levels(walk([Zone.BEYOND] * 121, rules=replace(RULES, lifeline_s=0.0)))
    assert found[-2:] == [Level.GRACE, Level.OFF]


def test_nothing_is_cut_while_the_fix_overlaps_the_border():
    rules = replace(RULES, lifeline_s=0.0)
    assert set(levels(walk([Zone.EDGE] * 1000, rules=rules))) == {Level.GRACE}
    late = walk([Zone.BEYOND] * 100 + [Zone.EDGE] * 100, rules=rules)
    assert late[-1].level is Level.GRACE
    assert levels(walk([Zone.BEYOND] * 3, rules=rules, state=late[-1]))[1:] == [
        Level.GRACE,
        Level.OFF,
    ]


def test_a_minute_of_fixes_is_as_good_as_three():
    rules = replace(RULES, lifeline_s=0.0, grace_s=60.0)
    assert levels(walk([Zone.BEYOND] * 2, every_s=59.0, rules=rules))[-1] is Level.GRACE
    assert levels(walk([Zone.BEYOND] * 2, every_s=60.0, rules=rules))[-1] is Level.OFF


def test_one_bad_fix_does_not_start_the_grace():
    found = walk([Zone.BEYOND, Zone.BEYOND, Zone.EDGE] * 200, rules=replace(RULES, lifeline_s=0.0))
    assert found[-1].level is Level.GRACE
    assert found[-1].beyond_s == math.inf


def test_full_service_comes_back_after_ten_calm_minutes():
    found = levels(walk([Zone.EDGE] + [Zone.INSIDE] * 41))
    assert found.index(Level.INSIDE) == 40
    assert levels(walk([Zone.EDGE] + [Zone.MARGIN] * 41)).index(Level.WARNED) == 40


def test_a_fix_now_inside_now_in_the_margin_is_within():
    found = levels(walk([Zone.EDGE] + [Zone.INSIDE, Zone.MARGIN] * 21))
    assert found[40:] == [Level.WARNED] * 3


def test_better_service_takes_consistent_fixes():
    noisy = [Zone.INSIDE, Zone.INSIDE, Zone.EDGE]
    assert set(levels(walk([Zone.EDGE] + noisy * 40))) == {Level.GRACE}


def cut(rules=RULES):
    return walk([Zone.BEYOND] * 121, rules=replace(rules, lifeline_s=0.0))[-1]


def test_off_it_is_looked_at_again_when_it_moved_more_than_a_ring():
    near = h3_cells.grid_disk(CENTRE, 1).tolist()[-1]
    far = h3_cells.grid_ring(CENTRE, 2).tolist()[0]
    for cell, expected in ((near, Level.OFF), (far, Level.INSIDE), (0, Level.OFF)):
        assert walk([Zone.INSIDE] * 41, state=cut(), cell=cell)[-1].level is expected


def test_off_it_is_looked_at_again_after_the_timer():
    found = levels(walk([Zone.INSIDE] * 125, state=cut()))
    assert found.index(Level.INSIDE) == 121  # 30 min, and then three fixes


def test_a_reading_from_the_past_changes_nothing():
    state = walk([Zone.MARGIN] * 3)[-1]
    for at_s in (state.at_s, 0.0, math.nan, math.inf):
        assert step(state, Reading(at_s, Zone.BEYOND, CENTRE), RULES) == state


def test_the_state_holds_no_position():
    assert not [n for n in vars(BorderState()) if "lat" in n.split("_") or "lon" in n]


# Reading fixes


def offset(lat_deg, lon_deg, north_m, east_m):
    across = M_A_DEG * math.cos(math.radians(lat_deg))
    return lat_deg + north_m / M_A_DEG, lon_deg + east_m / across


def outline(cell):
    return shapely.Polygon([(lon, lat) for lat, lon in h3_cells.cell_to_boundary(cell)])


def test_readings_of_discs_agree_with_their_geometry(full_counts):
    """The zone is that of all cells that the disc touches, drawn with shapely."""
    border = Border(AREA, RULES)
    inner = set(h3_cells.grid_disk(CENTRE, 5).tolist())
    cells = h3_cells.grid_disk(CENTRE, 10).tolist()
    shapes = dict(zip(cells, map(outline, cells), strict=True))
    rng = random.Random(3)
    for _ in range(3_000 if full_counts else 100):
        lat, lon = 47.0 + rng.uniform(-1.2, 1.2), 8.0 + rng.uniform(-1.7, 1.7)
        radius_m = rng.uniform(0.0, 12_000.0)
        circle = shapely.Polygon(
            [
                offset(lat, lon, radius_m * math.cos(a), radius_m * math.sin(a))[::-1]
                for a in np.linspace(0.0, 2.0 * math.pi, 200)
            ]
        )
        touched = {cell for cell in cells if shapely.intersects(shapes[cell], circle)}
        licensed = touched & set(AREA.tolist())
        found = border.read(0.0, lat, lon, radius_m).zone
        least = (
            Zone.BEYOND if not licensed
            else Zone.EDGE if touched - licensed
            else Zone.INSIDE if licensed <= inner
            else Zone.MARGIN
        )  # fmt: skip
        # What the disc touches is never missed; a slightly larger disc may be read.
        assert found is least or found is Zone.EDGE or (found, least) == (Zone.MARGIN, Zone.INSIDE)


@pytest.mark.parametrize(
    ("fix", "zone"),
    [
        ((47.0, 8.0, 10.0), Zone.INSIDE),
        ((47.0, 8.0, MAX_RADIUS_M), Zone.EDGE),
        ((math.nan, 8.0, 10.0), Zone.EDGE),
        ((47.0, math.inf, 10.0), Zone.EDGE),
        ((47.0, 8.0, math.nan), Zone.EDGE),
        ((47.0, 8.0, -1.0), Zone.EDGE),
        ((47.0, 8.0, 2 * MAX_RADIUS_M), Zone.EDGE),
        ((40.0, 8.0, 10.0), Zone.BEYOND),
    ],
)
def test_no_usable_fix_is_neither_inside_nor_beyond(fix, zone):
    assert Border(AREA, RULES).read(0.0, *fix).zone is zone


@pytest.mark.parametrize(
    "changed",
    [{"grace_s": -1.0}, {"calm_s": math.inf}, {"retry_s": math.nan}, {"margin_rings": 0},
     {"consistent_fixes": 0}, {"grace_bps": 0}, {"retry_rings": -1}],
)  # fmt: skip
def test_rules_without_sense_are_refused(changed):
    with pytest.raises(InputError, match="times are 0 s or more, counts and rates 1 or more"):
        BorderRules(**changed)


def test_a_grace_shorter_than_its_proof_is_refused():
    with pytest.raises(InputError, match="grace_s = 30 is shorter than consistent_s = 60"):
        BorderRules(grace_s=30.0)


# Random crossings


def on_the_border():
    """Return points of the border: halfway between neighbours of which one is licensed."""
    licensed = set(AREA.tolist())
    pairs = [
        (cell, each)
        for cell in h3_cells.grid_ring(CENTRE, 6).tolist()
        for each in h3_cells.grid_ring(cell, 1).tolist()
        if each not in licensed
    ]
    return [
        tuple(np.mean([h3_cells.cell_to_latlng(c) for c in pair], axis=0).tolist())
        for pair in pairs
    ]


ON_THE_BORDER = on_the_border()


def random_error(rng):
    """Return what draws the error of a fix, north and east, m, and the bound that a fix states.

    Half of the receivers err anywhere in a disc of up to 5 km, which is their bound; the others
    by a normal law with a sigma of up to 5 km, whose bound of 3 sigma one fix in 90 exceeds.
    """
    scale_m = rng.uniform(0.0, 5_000.0)
    if rng.random() < 0.5:
        return lambda: (rng.gauss(0.0, scale_m), rng.gauss(0.0, scale_m)), 3.0 * scale_m

    def in_disc():
        off_m, way = scale_m * math.sqrt(rng.random()), rng.uniform(0.0, 2.0 * math.pi)
        return off_m * math.cos(way), off_m * math.sin(way)

    return in_disc, scale_m


def random_crossing(rng, border, rules):
    """Yield (time, level, whether it truly is beyond) along a straight way with wrong fixes.

    Somewhere on the way lies a point of the border.
    """
    speed_m_s, every_s = (
        rng.choice([1.0, 15.0, 30.0, 120.0, 250.0]),
        rng.choice([15.0, 30.0, 60.0, 60.0]),
    )
    draw_error_m, bound_m = random_error(rng)
    heading, state = rng.uniform(0.0, 2.0 * math.pi), BorderState()
    licensed, for_s = set(AREA.tolist()), rng.choice([1_500.0, 6_000.0])
    back_m = -speed_m_s * for_s * rng.random()
    start = rng.choice(ON_THE_BORDER)
    lat, lon = offset(*start, back_m * math.cos(heading), back_m * math.sin(heading))
    for n in range(int(for_s / every_s)):
        if rng.random() < 0.02:
            heading += math.pi
        fix = offset(lat, lon, *draw_error_m())
        radius_m = 1.01 * bound_m + speed_m_s * every_s  # the plane's error is below 1 %
        state = step(state, border.read(n * every_s, *fix, radius_m), rules)
        for _ in range(2):  # at the fix, and halfway to the next
            is_beyond = h3_cells.latlng_to_cell(lat, lon, 5) not in licensed
            yield n * every_s, state.level, is_beyond
            step_m = speed_m_s * every_s / 2.0
            lat, lon = offset(lat, lon, step_m * math.cos(heading), step_m * math.sin(heading))


def test_random_crossings_keep_the_promises(full_counts, record_figure):
    rng = random.Random(4)
    count = 10_000 if full_counts else 80
    border = Border(AREA, RULES)
    unwarned = flaps = unlicensed = cuts = crossings = 0
    for _ in range(count):
        rules = replace(RULES, lifeline_s=rng.choice([0.0, 600.0]))
        warned_s, full_s, limit_bps = math.inf, -math.inf, NO_LIMIT_BPS
        was_beyond = None
        for at_s, level, is_beyond in random_crossing(rng, border, rules):
            warned_s = min(warned_s, at_s) if level.is_warning else math.inf
            now_bps = rules.limit_bps(level)
            unlicensed += is_beyond and now_bps == NO_LIMIT_BPS
            crossings += was_beyond is not None and is_beyond != was_beyond
            was_beyond = is_beyond
            if now_bps < limit_bps:
                is_cut = now_bps == 0
                cuts += is_cut
                unwarned += is_cut and not at_s - warned_s >= rules.grace_s
                flaps += limit_bps == NO_LIMIT_BPS and at_s - full_s < 600.0
                full_s = at_s if limit_bps == NO_LIMIT_BPS else full_s
            limit_bps = now_bps
    record_figure(f"border: {count} random ways, cuts without a warning", unwarned, "", "0")
    record_figure(f"border: {count} random ways, flaps within 10 min", flaps, "", "0")
    record_figure(f"border: {count} random ways, full rate beyond", unlicensed, "fixes", "0")
    record_figure("border: crossings on these ways", crossings, "", f">= {count}")
    assert (unwarned, flaps, unlicensed) == (0, 0, 0)
    assert cuts > count / 50
    assert crossings >= count
