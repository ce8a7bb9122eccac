"""Pixels of a dish's map and the satellites they followed: made-up dishes and the recorded ones."""

import numpy as np
import pytest
from tests.support import made_dish

from skyweave.errors import InputError
from skyweave.realism.labels import label_slots
from skyweave.realism.observations import Track, read_sky_list, read_track
from skyweave.twin.scheduling.features import separation_deg

HALF_A_DEGREE = 0.5
SLOTS = 24


@pytest.fixture(scope="module")
def dish(tmp_path_factory):
    """A dish that takes satellites of its field of view at random."""
    rng = np.random.default_rng(11)

    def choose(sky):
        inside = [
            n for n, (_, azimuth, elevation, _) in enumerate(sky)
            if separation_deg(azimuth, elevation, *made_dish.BORESIGHT_DEG) < 50.0
        ]  # fmt: skip
        return int(rng.choice(inside))

    return made_dish.make_dish(tmp_path_factory.mktemp("dish"), SLOTS, choose)


@pytest.fixture(scope="module")
def files(dish):
    return read_track(dish.chosen), read_sky_list(dish.candidates)


def test_every_slot_of_a_made_dish_gets_its_satellite_back(dish, files):
    sky = files[1]
    labels = label_slots(*files)
    assert sky.name[labels.published].tolist() == dish.names
    # A dense sky leaves a few slots in doubt; where there is none the answer is right.
    assert labels.is_clean.sum() >= 0.8 * SLOTS
    named = sky.name[labels.nearest]
    assert (named[labels.is_clean] == np.array(dish.names)[labels.is_clean]).all()
    assert (labels.residual_deg < 1.0).all()


def test_two_satellites_half_a_degree_apart_leave_their_slot_in_doubt(dish, files, tmp_path):
    track, sky = files
    doubtful = int(np.flatnonzero(label_slots(track, sky).is_clean)[4])
    beside = [list(rows) for rows in dish.skies]
    for k in (doubtful, doubtful + 1):  # in the slot after too, from which its motion is told
        beside[k] += [
            ("TWIN", azimuth, elevation + HALF_A_DEGREE, range_m)
            for name, azimuth, elevation, range_m in dish.skies[k]
            if name == dish.names[doubtful]
        ]
    path = made_dish.write_candidates(tmp_path / "fov_data_twin.json", sky.slot_utc, beside)
    labels = label_slots(track, read_sky_list(path))
    assert labels.margin_deg[doubtful] < 1.0
    assert not labels.is_clean[doubtful]
    assert labels.is_clean.sum() >= 0.8 * SLOTS - 2


def test_the_map_of_a_made_dish_is_found_again(files):
    pixel_map = label_slots(*files).pixel_map
    azimuth_deg, elevation_deg = pixel_map.boresight_deg
    off_deg = separation_deg(azimuth_deg, elevation_deg, *made_dish.BORESIGHT_DEG)
    assert off_deg < HALF_A_DEGREE
    assert pixel_map.deg_per_px == pytest.approx(made_dish.DEG_PER_PX, rel=0.01)
    assert pixel_map.residual_deg < made_dish.DEG_PER_PX / 2.0  # pixels are rounded


def test_wrong_names_do_not_move_the_map_and_are_found_out(dish, files):
    track, sky = files
    wrong = track.name.copy()
    first_of = {name: k for k, name in enumerate(dish.names)}
    rows = np.flatnonzero(wrong == dish.names[3])
    other = next(row[0] for row in dish.skies[3] if row[0] not in first_of)
    wrong[rows] = other
    labels = label_slots(Track(track.source, track.t_utc, track.y_px, track.x_px, wrong), sky)
    assert sky.name[labels.published[3]] == other
    assert sky.name[labels.nearest[3]] == dish.names[3]


def swapped(track):
    return Track(track.source, track.t_utc, track.x_px, track.y_px, track.name)


def flipped(track):
    return Track(track.source, track.t_utc, 122.0 - track.y_px, track.x_px, track.name)


@pytest.mark.parametrize("spoil", [swapped, flipped])
def test_a_mirrored_map_is_refused(files, spoil):
    with pytest.raises(InputError, match=r"fit the sky only when mirrored .* X and Y swapped"):
        label_slots(spoil(files[0]), files[1])


def test_names_that_the_candidates_do_not_list_are_refused(files):
    track, sky = files
    strangers = Track(track.source, track.t_utc, track.y_px, track.x_px,
                      np.full(track.name.size, "STARLINK-1"))  # fmt: skip
    with pytest.raises(InputError, match=r"only 0 of 336 rows name a satellite .* of one site"):
        label_slots(strangers, sky)


def test_pixels_that_follow_nothing_are_refused(files):
    track, sky = files
    rng = np.random.default_rng(1)
    noise = rng.integers(20, 100, (2, track.t_utc.size)).astype(float)
    with pytest.raises(InputError, match="do not seem to be of one site and time"):
        label_slots(Track(track.source, track.t_utc, *noise, track.name), sky)


def test_a_slot_without_rows_has_no_label(files):
    track, sky = files
    kept = np.arange(track.t_utc.size) >= made_dish.SECONDS  # all but the first slot's
    labels = label_slots(
        Track(track.source, *(getattr(track, c)[kept] for c in ("t_utc", "y_px", "x_px", "name"))),
        sky,
    )
    assert labels.published_name[0] == ""
    assert (labels.published[0], labels.nearest[0]) == (-1, -1)
    assert not labels.is_clean[0]
    assert labels.is_clean[1:].any()


# Of an independent study of the same recordings.
STUDY = {
    "bri": {"deg_per_px": (1.30, 1.32), "elevation": 62.0, "clean": 476, "differs": 0.020},
    "ucl": {"deg_per_px": (1.30, 1.33), "elevation": 71.0, "clean": 445, "differs": 0.128},
}


@pytest.mark.parametrize("site", ["bri", "ucl"])
def test_recorded_labels_are_as_clean_as_an_independent_study_found(
    reference_data, record_figure, site
):
    folder = reference_data / "measurements" / "satinview_2024-07-17"
    sky = read_sky_list(folder / f"fov_data_{site}.json.gz")
    labels = label_slots(read_track(folder / f"first_{site}.csv.gz"), sky)
    low, high = STUDY[site]["deg_per_px"]
    assert low <= labels.pixel_map.deg_per_px <= high
    assert labels.pixel_map.residual_deg < 1.1
    # The study had all satellites above 25 deg, the file only those near the boresight.
    assert labels.pixel_map.boresight_deg[1] == pytest.approx(STUDY[site]["elevation"], abs=5.0)
    assert abs(int(labels.is_clean.sum()) - STUDY[site]["clean"]) <= 25
    listed = labels.published >= 0
    differs = (labels.nearest != labels.published)[listed].mean()
    assert differs == pytest.approx(STUDY[site]["differs"], abs=0.015)
    record_figure(f"{site}: published label is not the nearest", differs, "share of slots", "none")
