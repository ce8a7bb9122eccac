"""From a list of satellites in a sky to the choices of a scheduler, to be fitted or scored."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from skyweave.errors import InputError
from skyweave.frames import earth_orientation, geodetic_to_itrf
from skyweave.realism.observations import SLOT_S, SkyList
from skyweave.time import TimeArray, instants
from skyweave.twin.catalogue import (
    Catalogue,
    age_days,
    is_direct_to_cell,
    mean_altitude_m,
    nearest_epoch,
    read_catalogue,
)
from skyweave.twin.geometry import (
    LookAngles,
    Mask,
    gso_arc,
    look_angles,
    pair_angles,
    visible_pairs,
)
from skyweave.twin.orbits import initialise, propagate
from skyweave.twin.scheduling.candidates import AGE_SLOTS, MEMORY_SLOTS
from skyweave.twin.scheduling.features import ChoiceInputs, off_pole_deg, separation_deg

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
BoolArray = NDArray[np.bool_]

MIN_ELEVATION_DEG = 25.0
LOWEST_STATION_M = 430e3  # below it a satellite is on its way up or down and serves nobody
FIRST_V2_MINI = 30_000  # STARLINK-30000 and later; 11000 to 29999 serve phones
HORIZON_SLOTS = 40  # ten minutes: longer than any pass above 25 deg at 570 km
CHUNK_SLOTS = 64  # propagated together
ELSEWHERE_DEG = 5.0  # a site at the level of its city shifts angles by 1 to 2 deg


class Place(NamedTuple):
    """Where a dish stands, as its user tells, at the level of a city."""

    lat_deg: float
    lon_deg: float


@dataclass(frozen=True)
class ChoiceSet:
    """K slots and P candidates; those of slot k are rows start[k]:start[k + 1]."""

    slot_utc: TimeArray  # (K,)
    start: IntArray  # (K + 1,)
    name: NDArray[np.str_]  # (P,)
    range_m: FloatArray  # (P,) NaN where not known
    has_views: bool  # whether age and remaining slots are known
    inputs: ChoiceInputs
    listed: IntArray  # (P,) each candidate's row in the sky list

    def __len__(self) -> int:
        return int(self.slot_utc.size)

    @property
    def slot_of(self) -> IntArray:
        """The slot of each candidate, (P,)."""
        return np.repeat(np.arange(len(self)), np.diff(self.start))

    def rows_of_listed(self, listed: IntArray) -> IntArray:
        """Return the candidate for each row of the sky list, -1 where it is none; any shape."""
        rows = np.full(int(max(self.listed.max(initial=-1), listed.max(initial=-1))) + 2, -1)
        rows[self.listed] = np.arange(self.listed.size)
        return np.asarray(rows[listed], dtype=np.int64)  # row -1 is the last, which is -1


class ElementAges(NamedTuple):
    """How well the elements fit the slots."""

    median_days: float
    used: int
    too_old: int
    without: int  # listed satellites that have no elements


def read_elements(path: str, sky: SkyList, max_age_days: float) -> tuple[Catalogue, ElementAges]:
    """Return the elements of the satellites listed, each nearest in time to the slots' middle."""
    return elements_of(read_catalogue(path), path, sky, max_age_days)


def elements_of(
    catalogue: Catalogue, path: str, sky: SkyList, max_age_days: float
) -> tuple[Catalogue, ElementAges]:
    """Return what `read_elements` returns, of a file that has been read."""
    middle = sky.slot_utc[len(sky) // 2]
    whole = nearest_epoch(catalogue, middle)
    names = np.unique(sky.name)
    catalogue = whole.take(np.isin(_plain_names(whole), names))
    if not len(catalogue):
        raise InputError(
            f"{path}: names none of the {names.size} satellites of {sky.source} (such as "
            f'"{names[0]}"); give the operator\'s elements of that day'
        )
    age = np.abs(age_days(catalogue, middle))
    median_days = float(np.median(age))
    if median_days > max_age_days:
        raise InputError(
            f"{path}: the elements are {median_days:.1f} days (median) from the slots of "
            f"{sky.source}, expected at most {max_age_days:g}, since in 4 days satellites drift by "
            "47 km; give elements of that date, or widen with --max-age-days"
        )
    fresh = age <= max_age_days
    ages = ElementAges(
        median_days, int(fresh.sum()), int((~fresh).sum()), int(names.size - len(catalogue))
    )
    return catalogue.take(fresh), ages


def _plain_names(catalogue: Catalogue) -> NDArray[np.str_]:
    """Return names as lists of candidates write them: in capitals, without tags such as [DTC]."""
    return np.array([name.upper().partition(" [")[0] for name in catalogue.name.tolist()], np.str_)


def sky_from_elements(
    catalogue: Catalogue, slot_utc: TimeArray, site: Place, max_age_days: float
) -> SkyList:
    """Return all satellites that elements put at 25 deg or more at the start of each slot."""
    middle = slot_utc[slot_utc.size // 2]
    whole = nearest_epoch(catalogue, middle)
    fresh = whole.take(np.abs(age_days(whole, middle)) <= max_age_days)
    fresh = fresh.take(np.argsort(fresh.name, kind="stable"))
    place = geodetic_to_itrf([site.lat_deg], [site.lon_deg], [0.0])
    mask = Mask.elevation(MIN_ELEVATION_DEG, 1)
    seen, looks = [], []
    for now_m in _positions(fresh, slot_utc):
        view = visible_pairs(*place, now_m, mask)
        seen.append(view.sat)
        looks.append(pair_angles(*place, now_m, view.site_rows, view.sat))
    elevation_deg, azimuth_deg, range_m = (np.concatenate(c) for c in zip(*looks, strict=True))
    return SkyList(
        source="elements",
        slot_utc=slot_utc,
        start=np.cumsum([0, *(sats.size for sats in seen)]),
        name=_plain_names(fresh)[np.concatenate(seen)],
        elevation_deg=elevation_deg,
        azimuth_deg=azimuth_deg,
        range_m=range_m,
    )


def is_operational(sky: SkyList, catalogue: Catalogue) -> BoolArray:
    """Return which listed satellites may serve dishes, (P,): not for phones, not too low.

    One without elements may: its height is not known.
    """
    names = _plain_names(catalogue)
    low = names[mean_altitude_m(catalogue) < LOWEST_STATION_M]
    unique, which = np.unique(sky.name, return_inverse=True)
    serves = ~np.isin(unique, low) & ~is_direct_to_cell(_named(catalogue, unique))
    return np.asarray(serves[which])


def _named(catalogue: Catalogue, names: NDArray[np.str_]) -> Catalogue:
    """Return a catalogue whose only use is its names."""
    rows = np.zeros(names.size, dtype=np.int64)
    return replace(catalogue.take(rows), name=names)


def build_choice_set(
    sky: SkyList,
    catalogue: Catalogue,
    site: Place | None,
    boresight_deg: tuple[float, float] | None,
    is_fresh: bool = True,
) -> ChoiceSet:
    """Return the candidates of every slot: operational and listed at 25 deg or more.

    Without a site the terms that need it are left out, as are those of the boresight without one.
    Fresh elements must stand where the list says; old ones that do not are not asked how long a
    satellite stays in view.
    """
    kept = np.flatnonzero((sky.elevation_deg >= MIN_ELEVATION_DEG) & is_operational(sky, catalogue))
    counts = np.bincount(sky.slot_of[kept], minlength=len(sky))
    start = np.concatenate([[0], np.cumsum(counts)])
    name, elevation_deg = sky.name[kept], sky.elevation_deg[kept]
    azimuth_deg = sky.azimuth_deg[kept]
    nothing = np.full(kept.size, np.nan)
    age, remaining, off_deg = _views(sky, catalogue, site)
    has_views = site is not None and off_deg <= ELSEWHERE_DEG
    if site is not None and not has_views:
        _refuse_site(sky, is_fresh)
        age[:], remaining[:] = AGE_SLOTS, HORIZON_SLOTS
    inputs = ChoiceInputs(
        elevation_deg=elevation_deg,
        azimuth_deg=azimuth_deg,
        off_pole_deg=(
            nothing if site is None else off_pole_deg(azimuth_deg, elevation_deg, site.lat_deg)
        ),
        gso_separation_deg=(
            nothing if site is None else _gso_separation_deg(site, azimuth_deg, elevation_deg)
        ),
        boresight_deg=(
            nothing if boresight_deg is None
            else separation_deg(azimuth_deg, elevation_deg, *boresight_deg)
        ),
        age_slots=age[kept],
        remaining_slots=remaining[kept],
        is_v2_mini=_is_v2_mini(name),
        slots_since_use=np.zeros(kept.size, dtype=np.int32),
    )  # fmt: skip
    return ChoiceSet(sky.slot_utc, start, name, sky.range_m[kept], has_views, inputs, kept)


def with_history(choices: ChoiceSet, served_name: NDArray[np.str_]) -> ChoiceSet:
    """Return the same candidates, knowing which satellite (K,) served in each slot before."""
    number = (choices.slot_utc - choices.slot_utc[0]).astype(np.int64) // (SLOT_S * 10**9)
    since = np.zeros(choices.name.size, dtype=np.int32)
    for k in range(len(choices)):
        rows = slice(int(choices.start[k]), int(choices.start[k + 1]))
        names = choices.name[rows]
        for before in range(max(0, k - MEMORY_SLOTS), k):  # the latest use is written last
            gap = int(number[k] - number[before])
            if gap <= MEMORY_SLOTS and served_name[before]:
                since[rows][names == served_name[before]] = gap
    return replace(choices, inputs=choices.inputs._replace(slots_since_use=since))


def _is_v2_mini(names: NDArray[np.str_]) -> BoolArray:
    unique, which = np.unique(names, return_inverse=True)
    numbers = [name.removeprefix("STARLINK-").split(" ")[0] for name in unique.tolist()]
    late = [number.isdecimal() and int(number) >= FIRST_V2_MINI for number in numbers]
    return np.array(late, dtype=np.bool_)[which]


def _gso_separation_deg(
    site: Place, azimuth_deg: FloatArray, elevation_deg: FloatArray
) -> FloatArray:
    """Return the angle to the visible geostationary arc, (P,); inf where none is up.

    The arc depends on the latitude alone; its points are 0.9 deg apart, which shifts an angle of 18
    deg by less than 0.01 deg.
    """
    arc_azimuth_deg, arc_elevation_deg = gso_arc(site.lat_deg, 0.0, 0.0)
    least = np.full(azimuth_deg.size, np.inf)
    for azimuth, elevation in zip(arc_azimuth_deg, arc_elevation_deg, strict=True):
        least = np.fmin(least, separation_deg(azimuth_deg, elevation_deg, azimuth, elevation))
    return least


def _views(
    sky: SkyList, catalogue: Catalogue, site: Place | None
) -> tuple[NDArray[np.int32], NDArray[np.int32], float]:
    """Return for how many slots each listed satellite has been in view, and still will be, (P,).

    Where it is not known, both say that it neither has just risen nor is about to set.  Last comes
    the median angle between where elements and list say a satellite stands, inf of none.
    """
    age = np.full(sky.name.size, AGE_SLOTS, dtype=np.int32)
    remaining = np.full(sky.name.size, HORIZON_SLOTS, dtype=np.int32)
    if site is None:
        return age, remaining, np.inf
    rows = _catalogue_rows(sky, catalogue)
    off_deg: list[FloatArray] = []
    for first in range(0, len(sky), CHUNK_SLOTS):
        slots = np.arange(first, min(first + CHUNK_SLOTS, len(sky)))
        part = np.arange(sky.start[slots[0]], sky.start[slots[-1] + 1])
        part = part[rows[part] >= 0]
        if not part.size:
            continue
        sats, which = np.unique(rows[part], return_inverse=True)
        utc, boundary = _boundaries(sky.slot_utc[slots])
        elevation_deg, azimuth_deg, _ = _seen(catalogue.take(sats), utc, site)
        here = boundary[sky.slot_of[part] - first]  # (P', AGE + 1 + HORIZON) places in utc
        is_up = elevation_deg[here, which[:, None]] >= MIN_ELEVATION_DEG
        age[part] = np.cumprod(is_up[:, :AGE_SLOTS][:, ::-1], axis=1).sum(axis=1)
        remaining[part] = np.cumprod(is_up[:, AGE_SLOTS + 1 :], axis=1).sum(axis=1)
        now = here[:, AGE_SLOTS], which
        off_deg.append(
            separation_deg(
                azimuth_deg[now], elevation_deg[now], sky.azimuth_deg[part], sky.elevation_deg[part]
            )
        )
    known = np.concatenate([*off_deg, np.zeros(0)])
    known = known[np.isfinite(known)]  # NaN where the propagation failed
    return age, remaining, float(np.median(known)) if known.size else np.inf


def _refuse_site(sky: SkyList, is_fresh: bool) -> None:
    """Refuse a site from which fresh elements stand elsewhere than the list says.

    By how much is not told: trying sites until it is small would find where the dish stands.
    """
    if is_fresh:
        raise InputError(
            f"{sky.source}: seen from --site the elements do not stand where the file lists them, "
            f"expected at most {ELSEWHERE_DEG:g} deg off; check the order and the signs of "
            "LAT,LON, and that the file is of that place"
        )


def _catalogue_rows(sky: SkyList, catalogue: Catalogue) -> IntArray:
    """Return the row of each listed satellite in the catalogue, by name, (P,); -1 without one."""
    row_of = {name: row for row, name in enumerate(_plain_names(catalogue).tolist())}
    unique, which = np.unique(sky.name, return_inverse=True)
    rows = np.array([row_of.get(name, -1) for name in unique.tolist()], dtype=np.int64)
    return np.asarray(rows[which])


def _boundaries(slot_utc: TimeArray) -> tuple[TimeArray, IntArray]:
    """Return the moments needed around slots, and where those of each slot are among them."""
    steps = np.arange(-AGE_SLOTS, HORIZON_SLOTS + 1) * np.timedelta64(SLOT_S, "s")
    utc, place = np.unique(slot_utc[:, None] + steps, return_inverse=True)
    return utc, place.reshape(slot_utc.size, steps.size)


def _positions(catalogue: Catalogue, utc: TimeArray) -> Iterator[FloatArray]:
    """Yield where satellites are at each moment, (N, 3) ITRF in m."""
    grid = instants(utc[0], (utc - utc[0]).astype(np.int64) * 1e-9)
    orientation, records = earth_orientation(), initialise(catalogue)
    for first in range(0, len(grid), CHUNK_SLOTS):
        part = grid.part(first, first + CHUNK_SLOTS)
        yield from propagate(catalogue, part, orientation, records=records).sat_itrf_m


def _seen(catalogue: Catalogue, utc: TimeArray, site: Place) -> LookAngles:
    """Return where each satellite stands at each moment, arrays of shape (T, N)."""
    place = geodetic_to_itrf([site.lat_deg], [site.lon_deg], [0.0])
    looks = [look_angles(*place, now_m) for now_m in _positions(catalogue, utc)]
    return LookAngles(*(np.concatenate(angle) for angle in zip(*looks, strict=True)))
