"""Run folders: written beside their place under another name, then renamed; read back whole."""

import csv
import json
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from skyweave.errors import InputError
from skyweave.twin.results.fleet import FLEET_NUMBERS, GROUND_NUMBERS

KIND = "skyweave-run"  # what manifest.json of a run folder says it is
PARTS = ("access.parquet", "events.parquet", "slots.parquet", "fleet.csv", "ground.csv")
PICTURES = ("map", "rtt", "coverage", "reasons")
FILES = ("manifest.json", "report.html", *PARTS)


@dataclass(frozen=True)
class Run:
    """A finished run: its manifest, and its tables as DataFrames that load on first use."""

    folder: Path
    manifest: dict[str, Any]

    @cached_property
    def access(self) -> pd.DataFrame:
        """One row per slot and terminal (fewer where `[results] access` asked for less)."""
        return _read_parquet(self.folder / "access.parquet")

    @cached_property
    def events(self) -> pd.DataFrame:
        """One row per handover, change of gateway or PoP, and start or end of an outage."""
        return _read_parquet(self.folder / "events.parquet")

    @cached_property
    def slots(self) -> pd.DataFrame:
        """One row per slot: the share of terminals served and their RTT percentiles."""
        return _read_parquet(self.folder / "slots.parquet")

    @cached_property
    def fleet(self) -> pd.DataFrame:
        """One row per terminal."""
        return _read_csv(self.folder / "fleet.csv", FLEET_NUMBERS)

    @cached_property
    def ground(self) -> pd.DataFrame:
        """One row per gateway and PoP: where it is and what share of the service it carried."""
        return _read_csv(self.folder / "ground.csv", GROUND_NUMBERS)

    @property
    def summary(self) -> dict[str, Any]:
        """The document that `run --json` prints."""
        wall_s = self.manifest["execution"]["wall_s"]
        return {"run": str(self.folder), **self.manifest["summary"], "wall_s": wall_s}


def load_run(folder: str | Path) -> Run:
    """Open a run folder; refuses a folder that is none or lacks a file."""
    folder = Path(folder)
    if not folder.is_dir():
        raise InputError(f"{folder}: no such folder; pass the folder that `skyweave run` wrote")
    manifest = _manifest(folder)
    if manifest is None:
        raise InputError(
            f"{folder}: not a run folder (no manifest.json of a Skyweave run); "
            "pass the folder that `skyweave run` wrote"
        )
    missing = [name for name in PARTS if not (folder / name).is_file()]
    if missing:
        raise InputError(f"{folder}: {', '.join(missing)} is missing; run the scenario again")
    return Run(folder, manifest)


def check_run_folder(out: str | Path) -> None:
    """Refuse an output place that may not become a run folder, before anything is computed.

    Free places, empty folders and earlier runs may; a run folder that also holds files which no
    run wrote may not, because replacing it would delete them.
    """
    out = Path(out)
    if not out.exists():
        return
    if not out.is_dir():
        raise InputError(f"{out}: is a file; pass a folder with --out")
    found = sorted(entry.name for entry in out.iterdir())
    if not found:
        return
    if _manifest(out) is None:
        raise InputError(
            f"{out}: exists and is not a run folder (it holds {_some(found)}); "
            "pass another --out, nothing was changed"
        )
    ours = {*FILES, *(f"{name}.png" for name in PICTURES)}
    foreign = [name for name in found if name not in ours]
    if foreign:
        raise InputError(
            f"{out}: also holds {_some(foreign)}, which no run wrote and replacing the run would "
            "delete; move it away or pass another --out"
        )


@contextmanager
def draft_run_folder(out: str | Path) -> Iterator[Path]:
    """Yield an empty folder beside `out`; on success it takes the place of `out`.

    Whatever goes wrong, an interrupt included, the draft is removed and what stood at `out` stays.
    Two renames replace an earlier run, so a reader finds the old folder or the new one, whole.
    """
    out = Path(out).resolve()  # a link to a run folder stays a link
    check_run_folder(out)
    out.parent.mkdir(parents=True, exist_ok=True)
    token = secrets.token_hex(4)  # names the draft only; nothing inside depends on it
    draft = out.with_name(f".{out.name}.{token}.draft")
    draft.mkdir()
    try:
        yield draft
        check_run_folder(out)  # the place may have changed while the run computed
        _take_place(draft, out, out.with_name(f".{out.name}.{token}.old"))
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def _take_place(draft: Path, out: Path, old: Path) -> None:
    if not out.exists():
        draft.rename(out)
        return
    out.rename(old)
    try:
        draft.rename(out)
    except BaseException:
        old.rename(out)
        raise
    shutil.rmtree(old)


def _manifest(folder: Path) -> dict[str, Any] | None:
    """The manifest of a run folder, None where there is none."""
    try:
        manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    is_run = isinstance(manifest, dict) and manifest.get("kind") == KIND
    return manifest if is_run else None


def _some(names: list[str]) -> str:
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return ", ".join(names[:3]) + more


# Columns with nulls; plain integers would turn into floats.
_NULLABLE = {pa.int16(): pd.Int16Dtype(), pa.int32(): pd.Int32Dtype()}


def _read_parquet(path: Path) -> pd.DataFrame:
    frame: pd.DataFrame = pq.read_table(path).to_pandas(types_mapper=_NULLABLE.get)
    return frame.astype({"slot": "int64"})


def _read_csv(path: Path, numbers: tuple[str, ...]) -> pd.DataFrame:
    """Read a table whose texts stay texts: "NA" is Namibia, "007" an identity."""
    with path.open(encoding="utf-8", newline="") as file:
        texts = [name for name in next(csv.reader(file)) if name not in numbers]
    return pd.read_csv(
        path,
        dtype={**dict.fromkeys(texts, "str"), **dict.fromkeys(numbers, "float64")},
        keep_default_na=False,
        na_values={name: [""] for name in numbers},
    )
