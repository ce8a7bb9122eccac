"""The picture of a sky: refused before drawing, the same each time, and only what is there."""

from dataclasses import replace

import numpy as np
import pytest
from matplotlib.image import imread

from skyweave.errors import InputError
from skyweave.twin.geometry import SkyCode, gso_arc, sky_codes
from skyweave.twin.results import sky
from skyweave.twin.results.sky import draw_sky, plot_sky
from skyweave.twin.results.sky_picture import (
    COULD_SERVE,
    NOT_IN_SLOT,
    SERVES,
    SkyMask,
    SkyPasses,
    SkyPicture,
)
from skyweave.twin.results.style import style
from skyweave.twin.terminals.obstruction import parse_obstruction

HOUSE = b"polygon,azimuth_deg,elevation_deg\nh,80,0\nh,80,50\nh,120,50\nh,120,0\n"
OPEN = {"min_elevation_deg": 25.0, "gso_separation_deg": 0.0, "fov_deg": np.nan}


def mask_of(obstruction=None, lat_deg=47.0, boresight=(0.0, 65.0), **limits):
    limits = OPEN | limits
    arc = gso_arc(lat_deg, 8.0, 400.0)
    codes = sky_codes(
        limits["min_elevation_deg"], limits["gso_separation_deg"], lat_deg, *boresight,
        limits["fov_deg"], obstruction,
    )  # fmt: skip
    blocked = sky_codes(0.0, 0.0, lat_deg, 0.0, 90.0, np.nan, obstruction).code != 0
    return SkyMask(codes, blocked, *limits.values(), *boresight, *arc)


def passes_of(*roles, is_sunlit=True):
    """Satellites side by side, all going north over a slot that begins at 57 deg in the south."""
    t_s = np.arange(-180.0, 301.0, 10.0)
    elevation_deg = 60.0 - 0.15 * np.abs(t_s[:, None] + 20.0) + np.zeros(len(roles))
    azimuth_deg = 170.0 + 5.0 * np.arange(len(roles)) + np.zeros((t_s.size, 1))
    elevation_deg[t_s > 200.0] = azimuth_deg[t_s > 200.0] = np.nan
    lit = np.broadcast_to(is_sunlit, len(roles)).astype(bool)
    return SkyPasses(
        t_s, azimuth_deg, elevation_deg, np.arange(len(roles), dtype=np.int64), lit, roles
    )


def picture_of(mask=None, passes=None, **changes):
    roles = (SERVES, COULD_SERVE, "gso_arc", "no_gateway_path", NOT_IN_SLOT)
    picture = SkyPicture(
        terminal_id="clinic-7",
        slot_start_utc="2026-06-14T12:00:12Z",
        outcome="served, round trip 42.1 ms",
        serving_name="STARLINK-1234",
        leaves_s=120.0,
        leaves_utc="2026-06-14T12:02:12Z",
        mask=mask or mask_of(),
        passes=passes or passes_of(*roles),
    )
    return replace(picture, **changes)


FULL = picture_of(mask_of(parse_obstruction(HOUSE, "x"), gso_separation_deg=18.0, fov_deg=110.0))
NOBODY = picture_of(passes=passes_of(), serving_name="", leaves_s=np.nan, leaves_utc="")
POLE = picture_of(mask_of(lat_deg=89.0, gso_separation_deg=18.0))


def figure(picture):
    with style():
        return draw_sky(picture)


def legend(picture):
    drawn = figure(picture).legends
    return [text.get_text().replace("\n", " ") for text in drawn[0].get_texts()] if drawn else []


def test_a_sky_is_drawn_the_same_twice(tmp_path):
    first, second = (plot_sky(FULL, tmp_path / f"{n}.png") for n in "ab")
    assert first.read_bytes() == second.read_bytes()
    pixels = imread(first)[..., :3]
    assert pixels.shape[:2] == (1072, 1440)
    assert (pixels < 0.98).any(axis=2).mean() > 0.1


@pytest.mark.parametrize("picture", [NOBODY, POLE], ids=["nobody", "pole"])
def test_skies_without_satellites_or_arc_can_be_drawn(tmp_path, picture):
    plot_sky(picture, tmp_path / "a.png")


@pytest.mark.parametrize("suffix", [".svg", ".pdf"])
def test_vector_skies_are_the_same_twice_too(tmp_path, suffix):
    first, second = (plot_sky(FULL, tmp_path / f"{n}{suffix}") for n in "ab")
    assert first.read_bytes() == second.read_bytes()


@pytest.mark.parametrize(
    ("name", "advice"),
    [("sky.gif", "use a name that ends in"), ("nowhere/sky.png", "there is no folder")],
)
def test_a_sky_in_no_fit_place_is_refused(tmp_path, name, advice):
    with pytest.raises(InputError, match=advice):
        plot_sky(FULL, tmp_path / name)


def test_the_legend_names_all_that_is_drawn():
    assert legend(FULL) == [
        "serves: STARLINK-1234",
        "hands over by 12:02:12",
        "could serve too (1)",
        "cannot serve the whole slot (1)",
        "reaches no gateway (1)",
        "full: in sunlight",
        "path of the last 60 seconds",
        "path of the next 5 minutes",
        "geostationary arc",
        "too low, under 25°",
        "within 18° of the geostationary arc",
        "outside the dish's 110° field of view",
        "obstructed",
    ]


def test_the_legend_names_nothing_that_is_not_drawn():
    assert legend(NOBODY) == ["geostationary arc", "too low, under 25°"]
    assert legend(replace(NOBODY, mask=mask_of(lat_deg=89.0, min_elevation_deg=0.0))) == []


def test_shadow_and_sunlight_are_told_apart_by_the_filling():
    mixed = passes_of(COULD_SERVE, COULD_SERVE, is_sunlit=[True, False])
    texts = legend(replace(NOBODY, passes=mixed))
    assert {"full: in sunlight", "hollow: in the Earth's shadow"} <= set(texts)
    (points,) = (
        c for c in figure(replace(NOBODY, passes=mixed)).axes[0].collections if _is_dots(c)
    )
    faces = points.get_facecolors()
    assert faces[0].tolist() != faces[1].tolist()
    assert faces[1].tolist() == [1.0, 1.0, 1.0, 1.0]


def _is_dots(collection):
    return type(collection).__name__ == "PathCollection"


def test_satellites_stand_where_the_slot_begins():
    (dots,) = (c for c in figure(replace(NOBODY, passes=passes_of(COULD_SERVE))).axes[0].collections
               if _is_dots(c))  # fmt: skip
    zenith_deg, azimuth_rad = 90.0 - 57.0, np.radians(170.0)
    expected = zenith_deg * np.array([np.sin(azimuth_rad), np.cos(azimuth_rad)])
    np.testing.assert_allclose(dots.get_offsets()[0], expected, rtol=0, atol=1e-9)


def test_the_handover_is_marked_on_the_pass_where_it_happens():
    axes = figure(picture_of()).axes[0]
    (square,) = (line for line in axes.lines if line.get_marker() == "s")
    east_deg, north_deg = square.get_xdata()[0], square.get_ydata()[0]
    elevation_deg = 60.0 - 0.15 * 140.0
    assert 90.0 - np.hypot(east_deg, north_deg) == pytest.approx(elevation_deg, abs=1e-9)
    assert "12:02:12" in [text.get_text() for text in axes.texts]
    soon = picture_of(leaves_s=np.nan, leaves_utc="")
    assert not [line for line in figure(soon).axes[0].lines if line.get_marker() == "s"]


def test_each_pixel_of_the_dome_shows_the_cause_of_its_direction():
    """The house stands in the east up to 50 deg, whatever the lowest elevation is."""
    shown = sky._sampled(FULL.mask)
    row = {"north": 719, "middle": 360}
    assert shown[row["middle"], 360 + 4 * 85] == SkyCode.OBSTRUCTED  # due east, 5 deg high
    assert shown[row["middle"], 360 - 4 * 85] == SkyCode.BELOW_MIN_ELEVATION  # due west
    assert shown[360 - 4 * 50, 360] == SkyCode.GSO_ARC  # due south, 40 deg high
    assert shown[row["middle"], 360] == SkyCode.CLEAR  # the zenith
    assert shown[0, 0] == shown[row["north"], 0] == -1  # the corners are no sky


def test_the_edge_of_the_cone_stands_half_its_width_from_the_boresight():
    mask = mask_of(boresight=(200.0, 40.0), fov_deg=100.0)
    azimuth_deg, elevation_deg = sky._cone(mask, np.linspace(0.0, 360.0, 73))
    up = np.isfinite(elevation_deg)
    assert 30 < up.sum() < 73  # part of it lies below the horizon

    def line(azimuth, elevation):
        azimuth, elevation = np.radians(azimuth), np.radians(elevation)
        level = np.cos(elevation)
        return np.stack([level * np.sin(azimuth), level * np.cos(azimuth), np.sin(elevation)])

    cosine = line(azimuth_deg[up], elevation_deg[up]).T @ line(200.0, 40.0)
    np.testing.assert_allclose(np.degrees(np.arccos(cosine)), 50.0, rtol=0, atol=1e-9)


@pytest.mark.parametrize("name", ["STARLINK-$1$", "STARLINK-11072 [DTC]", "M" * 300, r"$\frac{"])
def test_any_name_can_be_drawn_and_stays_in_the_picture(tmp_path, name):
    drawn = figure(picture_of(FULL.mask, serving_name=name, terminal_id=name.lower()))
    drawn.savefig(tmp_path / "a.png")
    right = drawn.legends[0].get_window_extent().x1
    assert right <= drawn.bbox.x1
    assert all(text.get_window_extent().x1 <= drawn.bbox.x1 for text in drawn.texts)


def test_the_longest_reason_fits_into_the_heading():
    from skyweave.policy.reasons import REASONS

    longest = max((reason.text for reason in REASONS), key=len)
    drawn = figure(picture_of(outcome=f"out: {longest}"))
    drawn.canvas.draw()
    assert all(text.get_window_extent().x1 <= drawn.bbox.x1 for text in drawn.texts)
