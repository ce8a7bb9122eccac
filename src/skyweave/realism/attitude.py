"""Which way a moving dish was turned, moment by moment, from the status it reports.

A dish on a vehicle reports the quaternion that turns its body axes to north, east, down; its z axis
is the boresight.  LEOViz records it as columns quaternion_qScalar, _qX, _qY and _qZ beside a unix
`timestamp`.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from skyweave.errors import InputError
from skyweave.realism.maps import plain_content
from skyweave.time import TimeArray
from skyweave.twin.terminals.rows import Quantity, parse_rows

FloatArray = NDArray[np.float64]

TIME = Quantity("timestamp", 1e8, 4e9, "unix seconds")
QUATERNION = tuple(
    Quantity(f"quaternion_q{part}".casefold(), -1.01, 1.01, "part of a unit quaternion")
    for part in ("Scalar", "X", "Y", "Z")
)
MAX_GAP_S = 5.0  # between two reports: a turning dish is anywhere by then

_NED_TO_ENU = np.array([[0.0, 1.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, -1.0]])
_FORM = "a CSV of dish status with timestamp and quaternion_qScalar, _qX, _qY, _qZ"


@dataclass(frozen=True, eq=False)
class Attitude:
    """A dish's attitude over time: W reports in order."""

    unix_s: FloatArray  # (W,) rising
    quaternion: FloatArray  # (W, 4) scalar first; neighbours on one side of the sphere

    def body_to_enu(self, utc: TimeArray) -> FloatArray:
        """Return the matrices (M, 3, 3) from the dish's axes to east, north, up.

        NaN where no report lies within MAX_GAP_S on both sides.
        """
        unix_s = utc.astype("datetime64[ns]").astype(np.int64) / 1e9
        parts = [np.interp(unix_s, self.unix_s, part) for part in self.quaternion.T]
        matrix = _NED_TO_ENU @ _rotation(np.stack(parts, axis=1))
        after = np.searchsorted(self.unix_s, unix_s).clip(1, len(self.unix_s) - 1)
        gap_s = np.maximum(unix_s - self.unix_s[after - 1], self.unix_s[after] - unix_s)
        matrix[gap_s > MAX_GAP_S] = np.nan
        return np.asarray(matrix)


def read_attitude(path: str | Path) -> Attitude:
    """Read a dish's attitude from the status that LEOViz and like recorders write."""
    source = str(path)
    columns = (TIME.column, *(part.column for part in QUATERNION))
    rows = parse_rows(plain_content(path, _FORM), source, columns, columns)
    if len(rows) < 2:
        raise InputError(f"{source}: {len(rows)} reports; expected two or more: {_FORM}")
    unix_s = rows.numbers(TIME)
    quaternion = np.stack([rows.numbers(part) for part in QUATERNION], axis=1)
    order = np.argsort(unix_s, kind="stable")
    length = np.linalg.norm(quaternion, axis=1)
    wrong = np.flatnonzero(np.abs(length - 1.0) > 0.02)
    if wrong.size:
        raise InputError(
            f"{rows.at(int(wrong[0]))}: a quaternion of length {length[wrong[0]]:.3f}; expected 1: "
            "give the dish's own values, scalar first"
        )
    return Attitude(unix_s[order], _one_side(quaternion[order]))


def _one_side(quaternion: FloatArray) -> FloatArray:
    """Return the same attitudes with signs such that neighbours can be interpolated."""
    turned = np.sum(quaternion[1:] * quaternion[:-1], axis=1) < 0.0
    sign = np.where(np.cumsum(np.concatenate([[False], turned])) % 2 == 1, -1.0, 1.0)
    return np.asarray(quaternion * sign[:, None])


def _rotation(quaternion: FloatArray) -> FloatArray:
    """Return rotation matrices (M, 3, 3) of quaternions (M, 4), scalar first, of any length."""
    w, x, y, z = (quaternion / np.linalg.norm(quaternion, axis=1, keepdims=True)).T
    rows = [
        [1.0 - 2.0 * (y * y + z * z), 2.0 * (x * y - w * z), 2.0 * (x * z + w * y)],
        [2.0 * (x * y + w * z), 1.0 - 2.0 * (x * x + z * z), 2.0 * (y * z - w * x)],
        [2.0 * (x * z - w * y), 2.0 * (y * z + w * x), 1.0 - 2.0 * (x * x + y * y)],
    ]
    return np.asarray(np.moveaxis(np.array(rows), 2, 0))
