"""What the scheduler knows of the slots before, for the rules that ask."""

from dataclasses import dataclass

import numpy as np

from skyweave.twin.scheduling.candidates import MEMORY_SLOTS, FloatArray, IntArray


@dataclass(frozen=True, eq=False)
class Memory:
    """Which satellites each terminal used of late, and how busy each satellite was.

    S terminals, N satellites.
    """

    used: IntArray  # (MEMORY_SLOTS, S) satellite rows, the slot before first, -1 = none
    load: FloatArray  # (N,) share of its beams that each satellite used in the slot before

    @staticmethod
    def nothing(terminals: int, satellites: int) -> "Memory":
        """Return what is known before the first slot."""
        return Memory(np.full((MEMORY_SLOTS, terminals), -1, np.int32), np.zeros(satellites))

    def slots_since_use(self, terminal: IntArray, sat: IntArray) -> IntArray:
        """Return how many slots ago terminal[p] last used sat[p], (P,), 0 = not remembered."""
        since = np.zeros(sat.size, dtype=np.int32)
        for ago in range(MEMORY_SLOTS, 0, -1):
            since[self.used[ago - 1][terminal] == sat] = ago
        return since

    def after(self, sat: IntArray, load: FloatArray) -> "Memory":
        """Return what is known after a slot in which the terminals used `sat` (S,), -1 = none."""
        return Memory(np.vstack([sat[None, :].astype(np.int32), self.used[:-1]]), load)

    def idle(self, slots: int) -> "Memory":
        """Return what is known after slots in which nobody was served."""
        memory = self
        nobody, no_load = np.full(self.used.shape[1], -1, np.int32), np.zeros_like(self.load)
        for _ in range(min(slots, MEMORY_SLOTS)):
            memory = memory.after(nobody, no_load)
        return memory
