"""Random numbers: each use has a seed of its own, drawn by name from the run's one seed."""

import hashlib

import numpy as np
from numpy.typing import ArrayLike, NDArray

from skyweave.kernels import kernel


def named_seed(seed: int, *names: str) -> np.random.SeedSequence:
    """Return the seed of one use, such as `named_seed(7, "failures", "gateway")`.

    It depends on nothing but the seed and the names, so a use that is added moves no other.
    """
    digest = hashlib.sha256("/".join(names).encode()).digest()
    return np.random.SeedSequence(seed, spawn_key=np.frombuffer(digest, "<u4").tolist())


def named_key(seed: int, *names: str) -> np.uint64:
    """Return a key for `hashed_uniform`, of one use as `named_seed` names it."""
    return np.uint64(named_seed(seed, *names).generate_state(1, np.uint64)[0])


def text_keys(texts: ArrayLike) -> NDArray[np.uint64]:
    """Return a number for each text, the same on every machine, for `hashed_uniform`.

    What is such numbers already stays as it is.
    """
    if isinstance(texts, np.ndarray) and texts.dtype == np.uint64:
        return texts
    digests = [
        hashlib.blake2b(str(text).encode(), digest_size=8).digest()
        for text in np.asarray(texts).ravel()
    ]
    return np.frombuffer(b"".join(digests), "<u8").reshape(np.shape(texts))


def hashed_uniform(key: np.uint64, *counters: ArrayLike) -> NDArray[np.float64]:
    """Return numbers uniform in (0, 1), each from nothing but the key and its counters.

    The counters are whole numbers, broadcast against each other.  Unlike a stream of numbers, one
    of these does not depend on which others are drawn, so slots may be computed in any pieces.
    """
    arrays = np.broadcast_arrays(*(np.asarray(c).astype(np.uint64) for c in counters))
    uniform = np.empty(arrays[0].size)
    mixed = np.full(arrays[0].size, key, np.uint64)
    for counter in arrays:
        _mix(mixed, np.ascontiguousarray(counter).ravel())
    _to_uniform(mixed, uniform)
    return uniform.reshape(arrays[0].shape)


@kernel()
def _mix(state: NDArray[np.uint64], counter: NDArray[np.uint64]) -> None:
    # splitmix64 (Steele, Lea and Flood, OOPSLA 2014): each counter moves the state, then it is
    # stirred.
    for k in range(state.size):
        z = (state[k] ^ counter[k]) + np.uint64(0x9E3779B97F4A7C15)
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        state[k] = z ^ (z >> np.uint64(31))


@kernel()
def _to_uniform(state: NDArray[np.uint64], uniform: NDArray[np.float64]) -> None:
    for k in range(state.size):
        uniform[k] = (np.float64(state[k] >> np.uint64(12)) + 0.5) * 2.0**-52
