"""Fit the models that ship with the package again, on the reference data.

    python tools/calibrate.py [NAME ...]

Each calibration writes its file in src/skyweave/data and prints what it found.  The same data give
the same bytes: the date of a fit stays where nothing else has changed.  The folder is named by
SKYWEAVE_REFERENCE_DATA.
"""

import argparse
import json
import os
import sys
import time
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

from skyweave.errors import SkyweaveError
from skyweave.realism.choice_fit import calibrate as calibrate_choice
from skyweave.realism.countries import calibrate_countries
from skyweave.realism.delay_fit import calibrate_delay

ROOT = Path(__file__).parents[1]
TARGET = ROOT / "src" / "skyweave" / "data"

Progress = Callable[[str], None]


class Calibration(NamedTuple):
    """What one model ships as, and how it is fitted: to the file's text and lines to print.

    The function gets the reference folder, the file as it is (None where there is none), the date
    of today, and where to report progress.
    """

    file: str
    fit: Callable[[Path, str | None, str, Progress], tuple[str, Iterable[str]]]


def choice(
    folder: Path, before: str | None, date: str, progress: Progress
) -> tuple[str, Iterable[str]]:
    progress("fitting the choice of satellites, each site left out once")
    return calibrate_choice(folder, before, date)


def delay(
    folder: Path, before: str | None, date: str, progress: Progress
) -> tuple[str, Iterable[str]]:
    document = calibrate_delay(folder, progress=progress)
    laws = {period: fitted["parameters"] for period, fitted in document["periods"].items()}
    return text_of(document, indent=1), [f"{period}: {law}" for period, law in laws.items()]


def countries(
    folder: Path, before: str | None, date: str, progress: Progress
) -> tuple[str, Iterable[str]]:
    # Fitted with the date of the file before it, so that what is the same gives the same bytes.
    dated = date if before is None else json.loads(before)["fitted"]
    document = calibrate_countries(folder, dated, progress)
    if before is not None and document != json.loads(before):
        document["fitted"] = date
    return text_of(document, indent=2), [f"{key}: {value}" for key, value in document.items()]


CALIBRATIONS = {
    "choice": Calibration("choice_model.json", choice),
    "delay": Calibration("delay_model.json", delay),
    "countries": Calibration("country_constant.json", countries),
}


def text_of(document: dict[str, Any], indent: int) -> str:
    return json.dumps(document, indent=indent, ensure_ascii=False) + "\n"


def reference_folder() -> Path | None:
    """Return the folder of reference data, or None where it is not."""
    folder = Path(os.environ.get("SKYWEAVE_REFERENCE_DATA", ROOT.parent / "shared" / "data"))
    return folder if (folder / "README.md").is_file() else None


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="Fit the shipped models again.")
    parser.add_argument(
        "names", nargs="*", metavar="NAME",
        help=f"which: {', '.join(CALIBRATIONS)} (default: all)",
    )  # fmt: skip
    parser.add_argument("--out", type=Path, default=TARGET, help="folder of the files")
    options = parser.parse_args(arguments)
    unknown = [name for name in options.names if name not in CALIBRATIONS]
    if unknown:
        parser.error(f"{unknown[0]} is no calibration; expected {', '.join(CALIBRATIONS)}")
    folder = reference_folder()
    if folder is None:
        print(
            "reference data absent: set SKYWEAVE_REFERENCE_DATA to its folder; "
            "the shipped models stay as they are",
            file=sys.stderr,
        )
        return 1
    try:
        options.out.mkdir(parents=True, exist_ok=True)
        for name in options.names or CALIBRATIONS:
            calibrate(CALIBRATIONS[name], folder, options.out)
    except (SkyweaveError, OSError) as refusal:
        print(refusal, file=sys.stderr)
        return 1
    return 0


def calibrate(calibration: Calibration, folder: Path, out: Path) -> None:
    """Fit one model, write its file and say whether it has changed."""
    started = time.monotonic()

    def progress(step: str) -> None:
        print(f"[{time.monotonic() - started:6.1f} s] {step}", file=sys.stderr, flush=True)

    path = out / calibration.file
    before = path.read_text(encoding="utf-8") if path.is_file() else None
    today = datetime.now(UTC).date().isoformat()
    text, lines = calibration.fit(folder, before, today, progress)
    print("\n".join(lines))
    if text == before:
        print(f"{path.name}: unchanged")
        return
    path.write_text(text, encoding="utf-8")
    print(f"{path.name}: {'written' if before is None else 'changed'}")


if __name__ == "__main__":
    sys.exit(main())
