"""How compiled kernels are declared and how parallel ones are entered.

Nothing is compiled at import: Numba compiles at the first call and keeps the machine code on disk.
Change a helper that another file's kernel calls and Numba will not notice, so helpers live in the
file of the kernel that inlines them.
"""

import threading
from collections.abc import Callable
from typing import Any, TypeVar, cast

import numba

Function = TypeVar("Function", bound=Callable[..., Any])

# Numba's `workqueue` threading layer kills the process when two threads enter parallel kernels at
# once, so every parallel kernel is called inside `with parallel_kernels:`.
parallel_kernels = threading.Lock()


def kernel(
    *, parallel: bool = False, fastmath: Any = False, inline: bool = False
) -> Callable[[Function], Function]:
    """Return a decorator that compiles a function with Numba and caches the result on disk."""
    options: dict[str, Any] = {"cache": True, "parallel": parallel, "fastmath": fastmath}
    if inline:
        options["inline"] = "always"
    return cast(Callable[[Function], Function], numba.njit(**options))
