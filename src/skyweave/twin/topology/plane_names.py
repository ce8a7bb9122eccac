"""Names of orbital planes, for people and for lists of failures."""

import numpy as np
from numpy.typing import NDArray

from skyweave.twin.catalogue.elements import Catalogue
from skyweave.twin.topology.planes import Planes, find_planes

BoolArray = NDArray[np.bool_]
TextArray = NDArray[np.str_]


def plane_names(
    catalogue: Catalogue, epoch_utc: np.datetime64, among: BoolArray | None = None
) -> TextArray:
    """Return the name of each satellite's plane, shape (N,), "" where it flies in none.

    No two planes share a name.  In synthetic shells it is `SHELL-PLANE`, as in "0-12"; planes found
    in a real fleet are called by inclination, altitude and RAAN at `epoch_utc`, in degrees and
    kilometres: "53.2-540-123.4".  There `among` marks the rows to look at (default: all).
    """
    on_grid = catalogue.grid_shell >= 0
    shell, plane = catalogue.grid_shell.astype("U"), catalogue.grid_plane.astype("U")
    synthetic = np.char.add(np.char.add(shell, "-"), plane)
    if on_grid.all():
        return synthetic
    planes = find_planes(catalogue, epoch_utc, ~on_grid if among is None else ~on_grid & among)
    found = np.append(found_plane_names(planes), "")[planes.plane]  # -1 reads the last
    return np.where(on_grid, synthetic, found)


def found_plane_names(planes: Planes) -> TextArray:
    """Return the names of planes that were found, shape (Q,), each another."""
    shells = _shell_names(planes, 0)
    if len(set(shells)) < len(shells):  # two shells within one kilometre
        shells = _shell_names(planes, 1)
    # Planes of one shell are more than 0.4 deg apart, so that a tenth tells them apart.
    return np.array(
        [
            f"{shells[shell]}-{round(raan_deg, 1) % 360.0:.1f}"
            for shell, raan_deg in zip(
                planes.plane_shell.tolist(), planes.plane_raan_deg.tolist(), strict=True
            )
        ],
        dtype=np.str_,
    )


def _shell_names(planes: Planes, decimals: int) -> list[str]:
    """Return inclination and altitude of each shell; families of inclination differ by 0.25 deg."""
    return [
        f"{inclination_deg:.1f}-{altitude_m / 1e3:.{decimals}f}"
        for inclination_deg, altitude_m in zip(
            planes.shell_inclination_deg.tolist(), planes.shell_altitude_m.tolist(), strict=True
        )
    ]
