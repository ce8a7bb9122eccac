"""Which satellites each site sees at one instant, as sparse rows, and for how many slots more."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike, NDArray

from skyweave.errors import InputError
from skyweave.kernels import kernel
from skyweave.twin.geometry._visibility_kernel import find_pairs
from skyweave.twin.geometry.look import check_positions

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
RowArray = NDArray[np.int32]


@dataclass(frozen=True, eq=False)
class VisiblePairs:
    """Pairs of a site and a satellite it sees: one row of satellites per site (CSR).

    Site i sees `sat[site_start[i]:site_start[i + 1]]`, satellite rows in ascending order.
    """

    site_start: IntArray  # (S + 1,)
    sat: RowArray  # (P,)

    def __len__(self) -> int:
        return int(self.sat.size)

    @property
    def sites(self) -> int:
        """The number of sites, with and without a satellite."""
        return int(self.site_start.size - 1)

    @cached_property
    def site_rows(self) -> RowArray:
        """The site of each pair, shape (P,)."""
        return np.repeat(np.arange(self.sites, dtype=np.int32), np.diff(self.site_start))


@dataclass(frozen=True, eq=False)
class Mask:
    """What a site demands of a satellite in view: a lowest elevation or a longest range.

    Exactly one of the arrays is given, shape (S,).  Make one with `elevation` or `range`.
    """

    sin_min_elevation: FloatArray | None = None
    max_range_m: FloatArray | None = None

    def __post_init__(self) -> None:
        if (self.sin_min_elevation is None) == (self.max_range_m is None):
            raise InputError("a mask has one limit; use Mask.elevation(...) or Mask.range(...)")

    @property
    def limit(self) -> FloatArray:
        """Whichever of the two arrays is given."""
        limit = self.sin_min_elevation if self.max_range_m is None else self.max_range_m
        assert limit is not None
        return limit

    @staticmethod
    def elevation(min_elevation_deg: ArrayLike, sites: int) -> "Mask":
        """Demand an elevation of at least `min_elevation_deg`, one for all or shape (S,)."""
        limit_deg = _one_per_site(min_elevation_deg, sites, "min_elevation_deg")
        _refuse(limit_deg, ~(np.abs(limit_deg) <= 90.0), "min_elevation_deg", "-90..90 deg")
        return Mask(sin_min_elevation=np.sin(np.radians(limit_deg)))

    @staticmethod
    def range(max_range_m: ArrayLike, sites: int) -> "Mask":
        """Demand a straight line of at most `max_range_m`, one for all or shape (S,)."""
        limit_m = _one_per_site(max_range_m, sites, "max_range_m")
        _refuse(limit_m, ~(limit_m >= 0.0), "max_range_m", "0 m or more")
        return Mask(max_range_m=limit_m)


def visible_pairs(
    site_itrf_m: FloatArray, up_itrf: FloatArray, sat_itrf_m: FloatArray, mask: Mask
) -> VisiblePairs:
    """Return every pair of a site and a satellite that its mask admits, at one instant.

    `site_itrf_m` (S, 3) and `sat_itrf_m` (N, 3) are positions; `up_itrf` (S, 3) holds the unit
    ellipsoid normals at the sites, as `frames.geodetic_to_itrf` returns them.  Elevation is
    geometric, above the plane normal to `up_itrf`; a satellite exactly at the limit is visible.
    Sites and satellites that are not finite form no pair.
    """
    check_positions(site_itrf_m, up_itrf, sat_itrf_m)
    if mask.limit.shape != site_itrf_m.shape[:1]:
        raise InputError(
            f"the mask has shape {mask.limit.shape} for {len(site_itrf_m)} sites; "
            "make it with Mask.elevation or Mask.range for as many"
        )
    arrays = (np.ascontiguousarray(a, dtype=np.float64) for a in (site_itrf_m, up_itrf, sat_itrf_m))
    site_m, up, sat_m = arrays
    by_range = mask.max_range_m is not None
    site_start, sat = find_pairs(site_m, up, mask.limit, by_range, sat_m)
    return VisiblePairs(site_start, sat)


def pairs_by_brute_force(
    site_itrf_m: FloatArray, up_itrf: FloatArray, sat_itrf_m: FloatArray, mask: Mask
) -> VisiblePairs:
    """Return what `visible_pairs` returns, by testing all pairs: its plain reference."""
    usable = np.isfinite(np.hstack([site_itrf_m, up_itrf]).sum(axis=1))
    finite = np.flatnonzero(np.isfinite(sat_itrf_m).all(axis=1)).astype(np.int32)
    sat_m = sat_itrf_m[finite]
    seen = [
        finite[_admitted(site_itrf_m[i], up_itrf[i], sat_m, mask, i)] if usable[i] else finite[:0]
        for i in range(len(site_itrf_m))
    ]
    site_start = np.cumsum([0, *(rows.size for rows in seen)], dtype=np.int64)
    return VisiblePairs(site_start, np.concatenate([*seen, finite[:0]]))


def _admitted(
    site_m: FloatArray, up: FloatArray, sat_m: FloatArray, mask: Mask, row: int
) -> NDArray[np.bool_]:
    line_m = sat_m - site_m
    range_m = np.sqrt((line_m**2).sum(axis=1))
    if mask.max_range_m is not None:
        seen: NDArray[np.bool_] = range_m <= mask.limit[row]
    else:
        seen = (line_m * up).sum(axis=1) >= mask.limit[row] * range_m
    return seen


def remaining_slots(pairs: Sequence[VisiblePairs], horizon: int) -> list[RowArray]:
    """Return, for each pair at each boundary, for how many whole slots more it stays visible.

    `pairs` holds the same sites at the boundaries 0..K of K slots.  A pair at boundary k that is
    also present at k + 1, ..., k + r and not at k + r + 1 gets r, at most `horizon`; every pair of
    the last boundary gets 0.
    """
    counts = {p.sites for p in pairs}
    if len(counts) > 1:
        raise InputError(f"boundaries have {sorted(counts)} sites; pass the same sites at each")
    remaining = [np.zeros(len(p), dtype=np.int32) for p in pairs]
    for k in range(len(pairs) - 2, -1, -1):
        now, then = pairs[k], pairs[k + 1]
        _count_on(
            now.site_start, now.sat, then.site_start, then.sat,
            remaining[k + 1], horizon, remaining[k],
        )  # fmt: skip
    return remaining


@kernel()
def _count_on(
    start: IntArray,
    sat: RowArray,
    next_start: IntArray,
    next_sat: RowArray,
    next_remaining: RowArray,
    horizon: int,
    remaining: RowArray,
) -> None:
    for i in range(start.size - 1):
        q, stop = next_start[i], next_start[i + 1]
        for p in range(start[i], start[i + 1]):
            while q < stop and next_sat[q] < sat[p]:
                q += 1
            if q < stop and next_sat[q] == sat[p]:
                remaining[p] = min(next_remaining[q] + 1, horizon)


def keep(pairs: VisiblePairs, mask: NDArray[np.bool_]) -> VisiblePairs:
    """Return the pairs for which `mask` (P,) is true; every site stays, some perhaps empty."""
    kept = np.concatenate([[0], np.cumsum(mask, dtype=np.int64)])
    return VisiblePairs(kept[pairs.site_start], pairs.sat[mask])


def _one_per_site(values: ArrayLike, sites: int, name: str) -> FloatArray:
    array = np.asarray(values, dtype=np.float64)
    if array.shape not in ((), (sites,)):
        raise InputError(f"{name} has shape {array.shape}; pass one number or shape ({sites},)")
    return np.ascontiguousarray(np.broadcast_to(array, (sites,)))


def _refuse(values: FloatArray, wrong: NDArray[np.bool_], name: str, expected: str) -> None:
    if wrong.any():
        row = int(np.flatnonzero(wrong)[0])
        raise InputError(f"{name}[{row}] = {values[row]} is outside {expected}")
