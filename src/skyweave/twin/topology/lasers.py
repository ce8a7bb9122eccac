"""Which satellites carry laser terminals, told from the launch designators in their elements."""

import numpy as np
from numpy.typing import NDArray

from skyweave.twin.catalogue.classes import constellations
from skyweave.twin.catalogue.elements import Catalogue

# Launches in the order of their designators (year and number), as published in the satellite
# catalogue: the first with v1.5 satellites, and the months in which both generations flew.
FIRST_V1_5 = "2021-082"
FIRST_V2_MINI = "2023-026"
FIRST_V2_MINI_ONLY = "2023-113"

# Starlink v1.0 flew without lasers, but the polar batches tried them.  Most satellites of
# 2021-005 are at 53 deg and have none, so the inclination must agree.
POLAR_LASER_BATCHES = ("2021-005", "2021-006", "2021-059")
POLAR_DEG = 60.0

# While both generations flew, launches of v1.5 have 43-54 survivors and those of the heavier
# v2 mini 7-20, and only v1.5 went to the steep orbits.
V1_5_SURVIVORS = 30

# v2 mini: three heads (operator, 2023).  v1.5: three heads counted by observers, not confirmed.
TERMINALS = {"": 0, "unknown": 0, "v1.0": 0, "v1.0-laser": 3, "v1.5": 3, "v2-mini": 3}
GENERATIONS = tuple(TERMINALS)  # in arrays a generation is its place here


def laser_terminals(catalogue: Catalogue) -> NDArray[np.int64]:
    """Return the number of laser terminals of each satellite, shape (N,).

    Satellites other than Starlink's count as having none: no public list says which do.
    """
    generations, which = np.unique(satellite_generations(catalogue), return_inverse=True)
    return np.array([TERMINALS[str(label)] for label in generations], np.int64)[which]


def satellite_generations(catalogue: Catalogue) -> NDArray[np.str_]:
    """Return each Starlink satellite's generation, shape (N,): one of the keys of TERMINALS.

    Other satellites get "", Starlinks without a launch designator "unknown".  Pass the whole
    catalogue: launches of 2023 are told apart by how many of their satellites still have elements.
    """
    launch = np.array([cospar[:8] for cospar in catalogue.cospar_id.tolist()], "U8")
    starlink = constellations(catalogue) == "STARLINK"
    polar = catalogue.inclination_deg > POLAR_DEG
    rules = [
        (~starlink, ""),
        (launch == "", "unknown"),
        (np.isin(launch, POLAR_LASER_BATCHES) & polar, "v1.0-laser"),
        (launch < FIRST_V1_5, "v1.0"),
        (launch < FIRST_V2_MINI, "v1.5"),
        (launch >= FIRST_V2_MINI_ONLY, "v2-mini"),
        (polar | (_survivors(launch, starlink) >= V1_5_SURVIVORS), "v1.5"),
    ]
    conditions, labels = zip(*rules, strict=True)
    return np.select(conditions, labels, default="v2-mini")


def _survivors(launch: NDArray[np.str_], counted: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Return how many counted satellites share each satellite's launch, shape (N,)."""
    _, which = np.unique(launch, return_inverse=True)
    return np.bincount(which, weights=counted)[which].astype(np.int64)
