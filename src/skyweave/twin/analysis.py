"""What a pair's paths do over time: changes, stretch, and what is left after a failure."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from skyweave.constants import FIBRE_INDEX, SPEED_OF_LIGHT_M_S
from skyweave.frames import great_circle_m
from skyweave.time import instants
from skyweave.twin.ends import Endpoint
from skyweave.twin.paths import Sample

FloatArray = NDArray[np.float64]


def analyse(
    start: Endpoint, end: Endpoint, at_utc: np.datetime64, samples: Sequence[Sample]
) -> dict[str, Any]:
    """Return the analysis of the samples that `paths_over_time` gave with `protection`.

    A change is a sample whose best path has other nodes than that of the sample before; to be found
    and to be lost count, too.  Stretch is the RTT over that of light, or of light in fibre, along
    the great circle between the ends on the mean sphere.
    """
    t_s = np.array([sample.t_s for sample in samples])
    nodes = [sample.paths[0][1] if sample.paths else () for sample in samples]
    rtt_s = np.array([sample.paths[0][0] if sample.paths else np.nan for sample in samples])
    changes = [k for k in range(1, len(nodes)) if nodes[k] != nodes[k - 1]]
    minutes = float(t_s[-1] - t_s[0]) / 60.0 if t_s.size else 0.0
    light_s = 2.0 * _geodesic_m(start, end, at_utc, t_s) / SPEED_OF_LIGHT_M_S
    return {
        "changes": len(changes),
        "change_times_s": [round(float(t_s[k]), 9) for k in changes],
        "changes_per_minute": len(changes) / minutes if minutes > 0.0 else None,
        "unreachable_share": float(np.isnan(rtt_s).mean()) if rtt_s.size else None,
        "stretch": {
            "geodesic": _spread(rtt_s, light_s),
            "fibre": _spread(rtt_s, FIBRE_INDEX * light_s),
        },
        "protection": [_protection(sample) for sample in samples if sample.protection],
    }


def _geodesic_m(
    start: Endpoint, end: Endpoint, at_utc: np.datetime64, t_s: FloatArray
) -> FloatArray:
    grid = instants(at_utc, t_s)
    return great_circle_m(*start.at_deg(grid).T, *end.at_deg(grid).T)


def _spread(rtt_s: FloatArray, least_s: FloatArray) -> dict[str, float] | None:
    """Return min, median and max of the stretch; None where there is no path, or no distance."""
    known = np.isfinite(rtt_s) & (least_s > 0.0)
    if not known.any():
        return None
    stretch = rtt_s[known] / least_s[known]
    return {
        "min": float(stretch.min()),
        "median": float(np.median(stretch)),
        "max": float(stretch.max()),
    }


def _protection(sample: Sample) -> dict[str, Any]:
    """Return what one instant's best path leaves after each failure on it, null where nothing."""
    rtt_s = {each.fails: each.rtt_s for each in sample.protection}
    cuts = [name for name, value in rtt_s.items() if not np.isfinite(value)]
    return {
        "t_s": round(sample.t_s, 9),
        "rtt_s": sample.paths[0][0],
        "worst_rtt_s": None if cuts else max(rtt_s.values()),
        "cut_by": cuts,
        "after": {name: None if name in cuts else value for name, value in rtt_s.items()},
    }
