"""Write docs/validation.md: every published result beside what this checkout computes.

python tools/validation_page.py

It takes about as long as `skyweave validate`, and needs the extra `weather`: without it the rows on
rain, cloud and air would be missing from the page.
"""

import sys
import time
from importlib.util import find_spec
from pathlib import Path

from skyweave.validation import as_markdown, validate

PAGE = Path(__file__).parents[1] / "docs" / "validation.md"


def main() -> None:
    if find_spec("itur") is None:
        sys.exit("the page needs the rows on weather: pip install 'skyweave[weather]' first")
    started = time.monotonic()

    def progress(step: str) -> None:
        print(f"[{time.monotonic() - started:6.1f} s] {step}", file=sys.stderr, flush=True)

    PAGE.write_text(as_markdown(validate(progress=progress)), encoding="utf-8")


if __name__ == "__main__":
    main()
