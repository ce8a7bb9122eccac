"""Times of documents as people read them."""

import numpy as np

from skyweave.time import format_utc


def utc(seconds: int) -> str:
    """Return s since 1970 as UTC."""
    return format_utc(np.datetime64(seconds, "s"))


def span(from_s: int, until_s: int | None) -> str:
    """Return from when until when, for what may have no end."""
    end = "without an end" if until_s is None else f"until {utc(until_s)}"
    return f"from {utc(from_s)} {end}"
