"""Pictures: refused before drawing, the same each time, and true to the run."""

from dataclasses import replace

import numpy as np
import pytest
from matplotlib.image import imread
from synthetic_run import (
    chunk_of,
    facts_of,
    labels_of,
    out_throughout,
    served_throughout,
    write_run,
)

from skyweave.errors import InputError
from skyweave.twin.results import maps, plots
from skyweave.twin.results.folder import load_run
from skyweave.twin.results.plots import PLOTS, plot_run
from skyweave.twin.results.style import positions, style

LABELS = labels_of()


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return load_run(write_run(tmp_path_factory.mktemp("run") / "r", LABELS, chunk_of(LABELS)))


def drawn(path):
    """Share of a picture's dots that are not white."""
    pixels = imread(path)[..., :3]
    assert min(pixels.shape[:2]) > 400
    return float((pixels < 0.98).any(axis=2).mean())


@pytest.mark.parametrize("what", PLOTS)
def test_each_picture_is_drawn_the_same_twice(tmp_path, run, what):
    first, second = (plot_run(run.folder, what, tmp_path / f"{n}.png") for n in "ab")
    assert first.read_bytes() == second.read_bytes()
    assert drawn(first) > 0.02


@pytest.mark.parametrize("suffix", [".svg", ".pdf"])
def test_vector_pictures_are_the_same_twice_too(tmp_path, run, suffix):
    first, second = (plot_run(run, "rtt", tmp_path / f"{n}{suffix}") for n in "ab")
    assert first.read_bytes() == second.read_bytes()


@pytest.mark.parametrize("maker", [out_throughout, served_throughout])
@pytest.mark.parametrize("what", PLOTS)
def test_nobody_served_and_everybody_served_can_be_drawn(tmp_path, what, maker):
    run = load_run(write_run(tmp_path / "r", LABELS, maker(LABELS)))
    assert drawn(plot_run(run, what, tmp_path / "a.png")) > 0.005


@pytest.mark.parametrize("what", PLOTS)
def test_a_run_without_terminals_can_be_drawn(tmp_path, what):
    labels = labels_of(terminals=0)
    run = load_run(write_run(tmp_path / "r", labels, chunk_of(labels)))
    plot_run(run, what, tmp_path / "a.png")


@pytest.mark.parametrize("title", ["costs $5 or $6", r"$\frac{", "学校 مدرسة", "x" * 300])
def test_any_title_can_be_drawn_without_a_warning(tmp_path, title):
    run = load_run(write_run(tmp_path / "r", LABELS, chunk_of(LABELS), facts_of(title=title)))
    plot_run(run, "rtt", tmp_path / "a.png")


def test_an_unknown_picture_is_refused_with_the_known_ones(tmp_path, run):
    with pytest.raises(
        InputError, match=r"--what latency: .* use one of rtt, map, coverage, reasons"
    ):
        plot_run(run, "latency", tmp_path / "a.png")


def test_an_unknown_kind_of_file_is_refused_with_the_known_ones(tmp_path, run):
    with pytest.raises(InputError, match=r"a\.bmp: use a name that ends in \.png, \.svg, \.pdf"):
        plot_run(run, "rtt", tmp_path / "a.bmp")


def test_a_missing_folder_is_refused_before_drawing(tmp_path, run):
    with pytest.raises(InputError, match="there is no folder"):
        plot_run(run, "rtt", tmp_path / "nowhere" / "a.png")


def figure(run, what):
    with style():
        return PLOTS[what](run)


def test_the_time_series_is_that_of_the_slots(run):
    above, below = figure(run, "rtt").axes
    (median,) = above.lines
    rtt_ms = 1e3 * run.slots["rtt_p50_s"].to_numpy()
    np.testing.assert_allclose(median.get_ydata(), np.append(rtt_ms, rtt_ms[-1]))
    end_utc = np.datetime64(run.manifest["time"]["end_utc"].removesuffix("Z"))
    assert median.get_xdata()[-1] == end_utc
    assert above.get_ylabel() == "round-trip time (ms)"
    top = below.collections[0].get_paths()[0].vertices[:, 1].max()
    assert top == pytest.approx(100 * (1 - run.slots["served_share"].min()))


def test_a_slot_in_which_nobody_is_served_is_a_gap_and_not_zero(tmp_path):
    chunk, nothing = served_throughout(LABELS), out_throughout(LABELS)
    arrays = {
        name: np.concatenate([getattr(chunk, name)[:15], getattr(nothing, name)[15:]])
        for name in maps_arrays()
    }
    run = load_run(write_run(tmp_path / "r", LABELS, replace(chunk, **arrays)))
    (median,) = figure(run, "rtt").axes[0].lines
    assert np.isnan(median.get_ydata()[15:]).all()
    assert (median.get_ydata()[:15] > 0).all()


def maps_arrays():
    from skyweave.twin.results.chunk import ARRAYS

    return ARRAYS


def test_terminals_are_drawn_at_the_centres_of_their_cells(run):
    fleet = positions(run)
    edge_deg = 0.15  # a resolution 5 cell reaches about 10 km from its centre
    rng = np.random.default_rng(1)
    lat_deg, lon_deg = rng.uniform(6, 18, 12), rng.uniform(120, 126, 12)
    np.testing.assert_allclose(fleet["lat_deg"], lat_deg, rtol=0, atol=edge_deg)
    np.testing.assert_allclose(fleet["lon_deg"], lon_deg, rtol=0, atol=edge_deg)


def test_the_map_counts_what_it_shows_in_its_legend(run):
    fleet = run.fleet
    texts = [text.get_text() for text in figure(run, "map").axes[0].get_legend().get_texts()]
    out = int((fleet["outages"] > 0).sum())
    assert "terminal, served (12)" in texts
    assert f"terminal, out part of the time ({out})" in texts
    assert "gateway (1)" in texts  # the others lie outside the region
    assert "point of presence (1)" in texts


def test_a_moving_terminal_is_counted_and_not_drawn(tmp_path):
    lat_deg = np.r_[np.nan, np.linspace(6, 18, 11)]
    labels = labels_of(lat_deg=lat_deg, lon_deg=np.full(12, 121.0))
    run = load_run(write_run(tmp_path / "r", labels, chunk_of(labels)))
    assert len(positions(run)) == 11
    texts = [text.get_text() for text in figure(run, "map").texts]
    assert any("1 moving not drawn" in text for text in texts)


def test_a_fleet_across_180_degrees_gets_a_map_of_its_region(tmp_path):
    labels = labels_of(terminals=4, lat_deg=[-17, -18, -14, -21], lon_deg=[178, 179, -172, -175])
    run = load_run(write_run(tmp_path / "r", labels, chunk_of(labels)))
    fleet = positions(run)
    sheet = maps._sheet(fleet["lon_deg"].to_numpy(), fleet["lat_deg"].to_numpy())
    assert sheet.grid_deg == 5
    assert sheet.middle_deg % 360 == pytest.approx(183, abs=0.2)
    assert len(sheet.inside(fleet)) == 4


def test_a_fleet_around_the_world_gets_a_map_of_the_world():
    sheet = maps._sheet(np.array([-120.0, 0.0, 120.0]), np.array([0.0, 10.0, 20.0]))
    assert sheet.grid_deg == 30


def test_the_world_map_keeps_areas_in_proportion():
    """Equal Earth: a small square covers area times cos(latitude), wherever it lies."""
    lat_deg, step = np.linspace(-89, 89, 60), 1e-4
    lon_deg = np.linspace(-179, 179, 60)
    here = maps._equal_earth(lon_deg, lat_deg)
    east = (maps._equal_earth(lon_deg + step, lat_deg) - here) / np.radians(step)
    north = (maps._equal_earth(lon_deg, lat_deg + step) - here) / np.radians(step)
    area = east[:, 0] * north[:, 1] - east[:, 1] * north[:, 0]
    one_in_ten_thousand = 1e-4
    np.testing.assert_allclose(area, np.cos(np.radians(lat_deg)), rtol=one_in_ten_thousand)


def test_latitude_bands_count_each_fixed_terminal_once(run):
    bands = plots._latitude_bands(run)
    assert bands["terminals"].sum() == 12
    mean = (bands["served_share"] * bands["terminals"]).sum() / 12
    assert mean == pytest.approx(run.fleet["served_share"].mean())
    assert (bands["lat_deg"] % 5 == 2.5).all()


def test_reasons_are_drawn_with_their_words_and_shares(run):
    texts = [text.get_text() for text in figure(run, "reasons").axes[0].texts]
    outages = run.manifest["outages"]
    assert len(texts) == len(outages)
    total = sum(found["terminal_slots"] for found in outages.values())
    for text, found in zip(texts, outages.values(), strict=True):
        assert f"{100 * found['terminal_slots'] / total:.1f} %" in text


@pytest.mark.parametrize(
    ("what", "name", "content"),
    [
        ("rtt", "manifest.json", b'{"kind": "skyweave-run"}'),
        ("reasons", "manifest.json", b'{"kind": "skyweave-run", "outages": 3}'),
        ("rtt", "slots.parquet", b"garbage"),
        ("map", "fleet.csv", b""),
        ("coverage", "fleet.csv", b"a,b\n1,2\n"),
        ("map", "fleet.csv", b"cell,served_share\nnowhere,x\n"),
        ("map", "ground.csv", b"\xff\xfe"),
    ],
)
def test_a_damaged_run_is_told_and_not_drawn(tmp_path, what, name, content):
    folder = write_run(tmp_path / "r", LABELS, chunk_of(LABELS))
    (folder / name).write_bytes(content)
    with pytest.raises(InputError, match=r"r: the run folder is damaged \(.*\); run the scenario"):
        plot_run(folder, what, tmp_path / "a.png")
    assert not (tmp_path / "a.png").exists()


def test_a_picture_that_cannot_be_written_is_told(tmp_path, run):
    out = tmp_path / f"{'x' * 300}.png"
    with pytest.raises(InputError, match=r"cannot be written: File name too long; choose another"):
        plot_run(run, "rtt", out)


def test_a_single_band_of_latitude_stands_beside_numbers(tmp_path):
    labels = labels_of(terminals=1, lat_deg=[12.0], lon_deg=[121.0])
    run = load_run(write_run(tmp_path / "r", labels, chunk_of(labels)))
    drawn = figure(run, "coverage")
    low, high = drawn.axes[0].get_ylim()
    assert sum(low <= tick <= high for tick in drawn.axes[0].get_yticks()) >= 2
    assert any("1\N{NO-BREAK SPACE}terminal  " in text.get_text() for text in drawn.texts)


def test_colours_span_at_least_ten_milliseconds():
    assert maps._colour_limits(np.array([30.0, 31.0])) == pytest.approx((25.5, 35.5))
    assert maps._colour_limits(np.array([2.0])) == (0.0, 10.0)
    assert maps._colour_limits(np.linspace(0, 100, 101)) == pytest.approx((2.0, 98.0))


def test_few_sites_of_a_region_are_named(run):
    texts = {text.get_text() for text in figure(run, "map").axes[0].texts}
    assert texts == set(run.fleet["name"])


def test_the_caption_knows_what_the_map_shows(tmp_path, run):
    assert maps.shown_on_map(run)["broken"]
    served = load_run(write_run(tmp_path / "r", LABELS, served_throughout(LABELS)))
    shown = {mark for mark, is_shown in maps.shown_on_map(served).items() if is_shown}
    assert shown - {"disputed"} == {"served", "gateways", "pops"}
