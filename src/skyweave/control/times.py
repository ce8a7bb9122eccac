"""Times of documents as people read them."""

import numpy as np

from skyweave.time import format_utc


def utc(seconds: int | None) -> str:
    """Return s since 1970 as UTC; without a time, what has no end."""
    return "without an end" if seconds is None else format_utc(np.datetime64(seconds, "s"))
