"""Random numbers: each use has a seed of its own, drawn by name from the run's one seed."""

import hashlib

import numpy as np


def named_seed(seed: int, *names: str) -> np.random.SeedSequence:
    """Return the seed of one use, such as `named_seed(7, "failures", "gateway")`.

    It depends on nothing but the seed and the names, so a use that is added moves no other.
    """
    digest = hashlib.sha256("/".join(names).encode()).digest()
    return np.random.SeedSequence(seed, spawn_key=np.frombuffer(digest, "<u4").tolist())
