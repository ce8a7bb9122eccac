"""`import skyweave` is light: fast, and without any of the heavy libraries."""

import subprocess
import sys

HEAVY = ("numba", "scipy", "pandas", "pyarrow", "matplotlib", "numpy")


def test_importing_skyweave_loads_no_heavy_library_and_compiles_nothing():
    code = f"import sys, skyweave; print([m for m in {HEAVY} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_the_public_names_are_there_and_others_are_not():
    import pytest

    import skyweave

    for name in skyweave.__all__:
        assert getattr(skyweave, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = skyweave.nothing
