"""What the choice model looks at: the terms of its score, computed from angles alone.

The same functions serve the twin, where a slot's candidates come from geometry, and recorded
files, where they come from whoever wrote them; no position of a terminal enters but its latitude.
"""

from collections.abc import Callable, Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from skyweave.twin.scheduling.candidates import MEMORY_SLOTS

FloatArray = NDArray[np.float64]
BoolArray = NDArray[np.bool_]
IntArray = NDArray[np.int32]

# Where a dish points when its owner leaves that to it: towards the nearer pole and steeply up
# (operator's own default is 63 deg; the choices of two sites lie around 78 deg).
POLEWARD_ELEVATION_DEG = 78.0

OFF_POLE_FIRST_DEG, OFF_POLE_SECOND_DEG = 30.0, 45.0  # from where on distance counts, and doubly
BORESIGHT_CONE_DEG = 55.0  # of 976 observed choices none was further from the dish's boresight
GSO_GUARD_DEG = 18.0  # the 1 % quantile of choices is 17.4 to 17.6 deg from the geostationary arc
YOUNG_SLOTS = 1  # in view for at most so many slots counts as just risen
LEAVING_SLOTS = 1  # and for at most so many more as about to set
RECENCY_SLOTS = 2.0  # e-folding of the pull of a satellite used before


class ChoiceInputs(NamedTuple):
    """What the terms are computed from, one row per candidate, shape (P,).

    What is not known is NaN (angles), or a value at which the term is 0: then the term is left out.
    """

    elevation_deg: FloatArray
    azimuth_deg: FloatArray  # 0 = north, clockwise
    off_pole_deg: FloatArray  # to the pole-ward direction of its terminal
    gso_separation_deg: FloatArray  # to the visible geostationary arc; inf where none is up
    boresight_deg: FloatArray  # to the dish's boresight
    age_slots: IntArray  # whole slots in view before this one
    remaining_slots: IntArray  # whole slots in view from this one on
    is_v2_mini: BoolArray
    slots_since_use: IntArray  # by the same terminal; 0 = not within MEMORY_SLOTS


class Term(NamedTuple):
    """One term of the score: its name, what it says, and its value (P,)."""

    name: str
    meaning: str
    value: Callable[[ChoiceInputs], FloatArray]


def separation_deg(
    azimuth_deg: ArrayLike, elevation_deg: ArrayLike,
    other_azimuth_deg: ArrayLike, other_elevation_deg: ArrayLike,
) -> FloatArray:  # fmt: skip
    """Return the angle between directions in one sky; shapes broadcast.  NaN yields NaN.

    By haversines, which stay exact for small angles where a cosine does not.
    """
    elevation, other = np.radians(elevation_deg), np.radians(other_elevation_deg)
    turn = np.radians(np.subtract(azimuth_deg, other_azimuth_deg))
    half = np.sin((elevation - other) / 2.0) ** 2
    half = half + np.cos(elevation) * np.cos(other) * np.sin(turn / 2.0) ** 2
    return np.asarray(np.degrees(2.0 * np.arcsin(np.sqrt(np.minimum(half, 1.0)))))


def off_pole_deg(
    azimuth_deg: FloatArray, elevation_deg: FloatArray, lat_deg: ArrayLike
) -> FloatArray:
    """Return each direction's angle to the pole-ward one, (P,); on the equator that is north.

    `lat_deg` is that of the terminal, (P,) or one for all.
    """
    poleward_deg = np.where(np.asarray(lat_deg) < 0.0, 180.0, 0.0)
    return separation_deg(azimuth_deg, elevation_deg, poleward_deg, POLEWARD_ELEVATION_DEG)


def _off_pole(beyond_deg: float) -> Callable[[ChoiceInputs], FloatArray]:
    def tens_of_degrees(inputs: ChoiceInputs) -> FloatArray:
        # fmax passes over the NaN of an unknown angle, which is then left out.
        return np.asarray(np.fmax(inputs.off_pole_deg - beyond_deg, 0.0) / 10.0)

    return tens_of_degrees


def _off_boresight(inputs: ChoiceInputs) -> FloatArray:
    return (inputs.boresight_deg > BORESIGHT_CONE_DEG).astype(np.float64)


def _near_gso(inputs: ChoiceInputs) -> FloatArray:
    return (inputs.gso_separation_deg < GSO_GUARD_DEG).astype(np.float64)


def _east(inputs: ChoiceInputs) -> FloatArray:
    level = np.cos(np.radians(inputs.elevation_deg))
    return np.asarray(level * np.sin(np.radians(inputs.azimuth_deg)))


def _just_risen(inputs: ChoiceInputs) -> FloatArray:
    return (inputs.age_slots <= YOUNG_SLOTS).astype(np.float64)


def _about_to_set(inputs: ChoiceInputs) -> FloatArray:
    return (inputs.remaining_slots <= LEAVING_SLOTS).astype(np.float64)


def _v2_mini(inputs: ChoiceInputs) -> FloatArray:
    return inputs.is_v2_mini.astype(np.float64)


def _recency(inputs: ChoiceInputs) -> FloatArray:
    since = inputs.slots_since_use
    is_remembered = (since >= 1) & (since <= MEMORY_SLOTS)
    return np.where(is_remembered, np.exp(-(since - 1) / RECENCY_SLOTS), 0.0)


TERMS = (
    Term("off_pole_30", "tens of degrees beyond 30 from the pole-ward sky",
         _off_pole(OFF_POLE_FIRST_DEG)),
    Term("off_pole_45", "tens of degrees beyond 45 from the pole-ward sky",
         _off_pole(OFF_POLE_SECOND_DEG)),
    Term("off_boresight", "more than 55 deg from where the dish points", _off_boresight),
    Term("near_gso", "less than 18 deg from the geostationary arc", _near_gso),
    Term("east", "eastern sky: cos(elevation) sin(azimuth)", _east),
    Term("just_risen", "in view for at most one slot before this", _just_risen),
    Term("about_to_set", "in view for at most this slot", _about_to_set),
    Term("v2_mini", "a V2 mini satellite", _v2_mini),
    Term("recency", "served this terminal within the last ten slots", _recency),
)  # fmt: skip


def values_of(inputs: ChoiceInputs) -> FloatArray:
    """Return the value of every term for every candidate, (P, F), in the order of TERMS."""
    return np.stack([term.value(inputs) for term in TERMS], axis=1)


def weights_of(inputs: ChoiceInputs, coefficients: Mapping[str, float]) -> FloatArray:
    """Return the log-weight of every candidate, (P,): coefficients times values of terms.

    Summed term by term, because a matrix product may round differently in other company, and then
    a run cut into parts would not give the same bytes.
    """
    total = np.zeros(inputs.elevation_deg.size)
    for term in TERMS:
        if coefficients[term.name] != 0.0:
            total += coefficients[term.name] * term.value(inputs)
    return total
