"""The control plane's tests need its extra."""

import pytest

pytest.importorskip("cryptography", reason="the extra control is absent")
