"""Pictures of paths: true to what they draw, the same each time, refused before drawing."""

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from matplotlib.image import imread

import skyweave
from skyweave.constants import FIBRE_INDEX, SPEED_OF_LIGHT_M_S
from skyweave.errors import InputError
from skyweave.policy.reasons import Reason
from skyweave.time import instants, parse_utc
from skyweave.twin.ends_by_name import endpoint
from skyweave.twin.pairs import study_pairs
from skyweave.twin.paths import Sample, paths_over_time
from skyweave.twin.results.path_plots import (
    draw_path_ecdf,
    draw_rtt_over_time,
    plot_path_ecdf,
    plot_rtt_over_time,
    rtt_over_time,
)
from skyweave.twin.results.style import style
from skyweave.twin.world import build_world

KUIPER = Path(__file__).parents[3] / "scenarios" / "hypatia" / "kuiper-630.toml"
AT_UTC = np.datetime64("2026-06-14T12:00:12", "ns")
BERN_DEG, MADRID_DEG = np.array([[46.9, 7.4]]), np.array([[40.4, -3.7]])
MEAN_RADIUS_M = 6_371_008.771  # IUGG
A_FEW_ROUNDINGS = 1e-12


def curve_of(*rtt_and_nodes, start="Bern", end="Madrid"):
    """Two seconds a sample; a reason instead of nodes where there is no path."""
    samples = [
        Sample(2.0 * k, (), nodes) if rtt_s is None else Sample(2.0 * k, ((rtt_s, nodes),), None)
        for k, (rtt_s, nodes) in enumerate(rtt_and_nodes)
    ]
    places = (np.tile(place, (len(samples), 1)) for place in (BERN_DEG, MADRID_DEG))
    return rtt_over_time(start, end, AT_UTC, samples, *places)


NOBODY, NO_WAY = Reason.NO_SATELLITE_IN_VIEW, Reason.NO_GATEWAY_PATH
CURVE = curve_of(
    (0.020, ("Bern", "1", "Madrid")),
    (0.021, ("Bern", "1", "Madrid")),
    (0.030, ("Bern", "1", "2", "Madrid")),
    (None, NOBODY),
    (None, NOBODY),
    (None, NO_WAY),
    (0.025, ("Bern", "3", "Madrid")),
    (0.024, ("Bern", "4", "Madrid")),
)


def figure_of(draw, *arguments):
    with style():
        return draw(*arguments)


def test_a_curve_knows_its_changes_outages_and_distance():
    assert np.flatnonzero(CURVE.is_change).tolist() == [2, 3, 6, 7]
    assert np.flatnonzero(np.isnan(CURVE.rtt_s)).tolist() == [3, 4, 5]
    assert CURVE.reason[2:7] == ("", NOBODY, NOBODY, NO_WAY, "")
    (lat1, lon1), (lat2, lon2) = np.radians(BERN_DEG[0]), np.radians(MADRID_DEG[0])
    cosine = np.sin(lat1) * np.sin(lat2) + np.cos(lat1) * np.cos(lat2) * np.cos(lon1 - lon2)
    assert CURVE.geodesic_m[0] == pytest.approx(MEAN_RADIUS_M * np.arccos(cosine), rel=1e-8)


def test_the_picture_of_a_pair_shows_times_outages_changes_and_bounds():
    (axes,) = figure_of(draw_rtt_over_time, CURVE).axes
    *_, stairs = axes.patches
    values_ms, edges_s, _ = stairs.get_data()
    np.testing.assert_array_equal(values_ms, 1e3 * CURVE.rtt_s)
    np.testing.assert_array_equal(edges_s, np.arange(0.0, 17.0, 2.0))
    light_ms = 2e3 * CURVE.geodesic_m[0] / SPEED_OF_LIGHT_M_S
    bounds_ms = [line.get_ydata()[0] for line in axes.lines]
    assert bounds_ms == pytest.approx([light_ms, FIBRE_INDEX * light_ms], rel=A_FEW_ROUNDINGS)
    low_ms, high_ms = axes.get_ylim()
    assert low_ms < light_ms < 30.0 < high_ms
    (marks,) = axes.collections
    assert [path.vertices[0][0] for path in marks.get_paths()] == [4.0, 6.0, 12.0, 14.0]
    legend = [text.get_text() for text in axes.figure.legends[0].get_texts()]
    assert legend == ["path changes", "no path: no gateway path", "no path: no satellite in view"]


def test_outages_are_shaded_from_their_first_step_to_the_next_path():
    (axes,) = figure_of(draw_rtt_over_time, CURVE).axes
    *outages, _ = axes.patches
    spans = {(p.get_x(), p.get_x() + p.get_width()): p.get_facecolor() for p in outages}
    assert sorted(spans) == [(6.0, 10.0), (10.0, 12.0)]
    assert len(set(spans.values())) == 2


def test_the_subtitle_counts_what_the_picture_shows():
    texts = [text.get_text() for text in figure_of(draw_rtt_over_time, CURVE).texts]
    assert texts[0] == "Round-trip time, Bern to Madrid"
    said = texts[1].replace("\N{NO-BREAK SPACE}", " ")
    assert said == (
        "16 s in steps of 2 s  ·  4 changes of path  ·  no path 37.5 % of the time  ·  "
        "20.0 to 30.0 ms"
    )


def test_a_long_time_is_told_in_minutes_and_a_longer_one_in_hours():
    for factor, label in ((1, "time (s)"), (50, "time (min)"), (600, "time (h)")):
        longer = replace(CURVE, t_s=CURVE.t_s * factor)
        (axes,) = figure_of(draw_rtt_over_time, longer).axes
        assert axes.get_xlabel() == f"{label} from 2026-06-14T12:00:12Z"


@pytest.mark.parametrize(
    "curve",
    [
        curve_of((None, NOBODY), (None, NOBODY)),
        curve_of((0.02, ("Bern", "1", "Madrid")), (0.02, ("Bern", "1", "Madrid"))),
        curve_of((0.02, ("a", "1", "b")), (None, NOBODY), start="$x$" * 20, end="学校"),
        curve_of(*[(None, reason) for reason in list(Reason)[:8]]),
        replace(CURVE, geodesic_m=np.zeros(8)),
    ],
)
def test_any_curve_can_be_drawn(tmp_path, curve):
    out = plot_rtt_over_time(curve, tmp_path / "a.png")
    pixels = imread(out)[..., :3]
    assert (pixels < 0.98).any(axis=2).mean() > 0.01


@pytest.mark.parametrize("suffix", [".png", ".svg", ".pdf"])
def test_pictures_are_the_same_twice(tmp_path, suffix):
    for name in "ab":
        plot_rtt_over_time(CURVE, tmp_path / f"{name}{suffix}")
        plot_path_ecdf([("mine", STUDY)], tmp_path / f"e{name}{suffix}")
    for name in ("", "e"):
        first, second = (tmp_path / f"{name}{which}{suffix}" for which in "ab")
        assert first.read_bytes() == second.read_bytes()


def study_of(sites=9, seed=3):
    """Invented figures; the last site never has a path, the first two stand close together."""
    rng = np.random.default_rng(seed)
    shape = (sites, sites)
    geodesic_m = rng.uniform(600e3, 15e6, shape)
    geodesic_m[0, 1] = 100e3
    light_s = 2.0 * geodesic_m / SPEED_OF_LIGHT_M_S
    max_rtt_s = light_s * rng.uniform(1.2, 2.5, shape)
    max_rtt_s[:, -1] = np.nan
    return SimpleNamespace(
        t_s=np.arange(5.0),
        geodesic_m=geodesic_m,
        max_rtt_s=max_rtt_s,
        min_rtt_s=max_rtt_s * rng.uniform(0.6, 1.0, shape),
        changes=rng.integers(0, 7, shape, np.int32),
        stretch=max_rtt_s / light_s,
        pairs=lambda: np.triu(geodesic_m >= 500e3, 1),
    )


STUDY = study_of()


def test_each_panel_is_the_share_of_pairs_that_are_not_above():
    figure = figure_of(draw_path_ecdf, [("mine", STUDY), ("other", study_of(seed=4))])
    rows = np.triu(np.ones((9, 9), bool), 1)
    rows[0, 1] = False
    rows[:, -1] = False
    least_s, most_s = STUDY.min_rtt_s[rows], STUDY.max_rtt_s[rows]
    expected = (
        STUDY.stretch[rows], 1e3 * (most_s - least_s), most_s / least_s, STUDY.changes[rows]
    )  # fmt: skip
    for axes, values in zip(figure.axes, expected, strict=True):
        assert axes.get_xlabel()
        value, share = axes.lines[0].get_data()
        assert (np.diff(value) >= 0).all()
        for at in np.linspace(values.min() - 1.0, values.max() + 1.0, 200):
            step = np.searchsorted(value, at, side="right") - 1
            drawn = 0.0 if step < 0 else share[step]
            assert drawn == pytest.approx((values <= at).mean(), abs=A_FEW_ROUNDINGS)
        assert value[-1] >= axes.get_xlim()[1] - A_FEW_ROUNDINGS
    legend = [text.get_text() for text in figure.legends[0].get_texts()]
    assert legend[0].replace("\N{NO-BREAK SPACE}", " ") == "mine, 27 pairs"


def test_a_single_pair_and_five_scenarios_can_be_drawn(tmp_path):
    plot_path_ecdf([("one", study_of(sites=4))], tmp_path / "one.png")
    labels = ("costs $5 or $6", "学校", "x" * 100, r"$\frac{", "")
    plot_path_ecdf([(label, STUDY) for label in labels], tmp_path / "five.png")


def test_wrong_pictures_are_refused_before_they_are_drawn(tmp_path):
    one = curve_of((0.02, ("a", "1", "b")))
    nowhere = SimpleNamespace(**vars(STUDY) | {"max_rtt_s": np.full((9, 9), np.nan)})
    out = tmp_path / "a.png"
    for plot, source, where, text in (
        (plot_rtt_over_time, CURVE, tmp_path / "a.bmp", r"a\.bmp: use a name that ends in"),
        (plot_rtt_over_time, one, out, "draws at least 2 instants; give --every and --for"),
        (plot_path_ecdf, [("a", STUDY)], tmp_path / "no" / "a.png", "there is no folder"),
        (plot_path_ecdf, [], out, "draws 1 to 5 scenarios, found 0; leave"),
        (plot_path_ecdf, [("a", STUDY)] * 6, out, "draws 1 to 5 scenarios, found 6"),
        (plot_path_ecdf, [("mine", nowhere)], out, r"^mine: no pair .*; add \[\[sites\]\] or take"),
    ):
        with pytest.raises(InputError, match=text):
            plot(source, where)
    assert list(tmp_path.iterdir()) == []


def test_the_engine_s_own_samples_and_studies_are_drawn(tmp_path):
    world = build_world(skyweave.load_scenario(KUIPER))
    at_utc = parse_utc(world.scenario.time.start_utc)
    t_s = np.arange(0.0, 40.0, 8.0)
    ends = [endpoint(world, name) for name in ("Manila", "Dalian")]
    places = [end.at_deg(instants(at_utc, t_s)) for end in ends]
    samples = list(paths_over_time(world, *ends, at_utc, t_s))
    curve = rtt_over_time(ends[0].name, ends[1].name, at_utc, samples, *places)
    assert curve.rtt_s.tolist() == [sample.paths[0][0] for sample in samples]
    assert np.flatnonzero(curve.is_change).tolist() == [3, 4]  # Hypatia: at 18.0 and 27.6 s
    plot_rtt_over_time(curve, tmp_path / "rtt.png")
    study = study_pairs(world, world.scenario.sites[:20], at_utc, t_s[:2])
    plot_path_ecdf([("Kuiper", study)], tmp_path / "ecdf.png")
    assert (tmp_path / "ecdf.png").stat().st_size > 20_000
