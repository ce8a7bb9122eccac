"""Functions of one's own: a scenario names them as FILE.py:FUNCTION, relative to its folder."""

import contextlib
import os
import runpy
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from skyweave.errors import InputError


def load_function(name: str, folder: Path, key: str) -> Callable[..., Any]:
    """Return what `name`, FILE.py:FUNCTION, stands for; `key` is what the scenario calls it."""
    place, _, function = name.rpartition(":")
    file = folder / place
    if not os.path.isfile(file):  # unlike Path.is_file, False where it may not be looked at
        raise InputError(f'{key} = "{name}": no file {file}; write FILE.py:FUNCTION')
    with running_own(f"{file}: cannot be loaded"):
        found = runpy.run_path(str(file)).get(function)
    if not callable(found):
        raise InputError(f'{key} = "{name}": {file} has no function "{function}"')
    loaded: Callable[..., Any] = found
    return loaded


@contextlib.contextmanager
def running_own(fault: str) -> Iterator[None]:
    """Run the user's code within: what it prints goes to stderr, what it raises is one line.

    `fault` begins that line, such as "FILE.py: cannot be loaded".
    """
    try:
        with contextlib.redirect_stdout(sys.stderr):  # stdout belongs to the answer
            yield
    except (Exception, SystemExit) as error:  # it may fail in any way
        text = " ".join(str(error).split())
        raise InputError(f"{fault}: {type(error).__name__}: {text}") from error
