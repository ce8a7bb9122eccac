"""A temporary file with one value per terminal and slot, read back by terminal or in order."""

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

Values = NDArray[Any]


class SlotFile:
    """Values of one type, (slots, terminals), written in slot order; `close` drops the file."""

    def __init__(self, folder: Path, slots: int, terminals: int, dtype: DTypeLike) -> None:
        self.shape = (slots, terminals)
        self._dtype = np.dtype(dtype)
        # It lives as long as this object, whose `close` closes it.
        self._file: Any = tempfile.TemporaryFile(dir=folder, buffering=0)  # noqa: SIM115

    def add(self, values: Values) -> None:
        """Append the values of the next slots, (K, terminals)."""
        values.tofile(self._file)

    def close(self) -> None:
        """Drop the file."""
        self._file.close()

    def columns(self, samples: int) -> Iterator[tuple[slice, Values]]:
        """Yield groups of terminals with all their slots, (slots, group): some `samples` each."""
        slots, terminals = self.shape
        step = max(1, samples // max(1, slots))
        for start in range(0, terminals, step):
            block = slice(start, min(start + step, terminals))
            yield block, self._columns(block.start, block.stop)

    def rows(self, samples: int) -> Iterator[Values]:
        """Yield groups of slots with all their terminals, (group, terminals): some `samples`."""
        slots, terminals = self.shape
        step = max(1, samples // max(1, terminals))
        for start in range(0, slots, step):
            values = np.empty((min(start + step, slots) - start, terminals), self._dtype)
            self._read(values, start * terminals)
            yield values

    def _columns(self, start: int, stop: int) -> Values:
        slots, terminals = self.shape
        values = np.empty((slots, stop - start), self._dtype)
        if stop - start == terminals:
            self._read(values, 0)
            return values
        for k in range(slots):
            self._read(values[k], k * terminals + start)
        return values

    def _read(self, into: Values, start: int) -> None:
        """Fill an array with the values that follow the first `start`."""
        # Not a memory map: its pages would count as ours, and grow with the run.
        self._file.seek(start * into.itemsize)
        rest = into.view(np.uint8).data.cast("B") if into.size else memoryview(b"")
        while rest:
            rest = rest[self._file.readinto(rest) :]
