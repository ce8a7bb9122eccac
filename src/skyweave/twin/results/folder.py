"""Run folders: written beside their place under another name, then renamed; read back whole."""

import csv
import errno
import json
import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
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
    with _advising(folder, "cannot be read", "pass the folder that `skyweave run` wrote"):
        is_folder, exists = folder.is_dir(), folder.exists()
    if not is_folder:
        found = "a file, not a run folder" if exists else "no such folder"
        raise InputError(f"{folder}: {found}; pass the folder that `skyweave run` wrote")
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
    with _writing(out):
        _check_run_folder(out)


def _check_run_folder(out: Path) -> None:
    if not out.exists():
        _check_parent(out)
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


def _check_parent(out: Path) -> None:
    """Raise the error that making this folder would, as far as that can be told beforehand."""
    with suppress(FileNotFoundError):
        out.stat()  # a loop of links, a file among the parents
    nearest = next(parent for parent in out.resolve(strict=False).parents if parent.exists())
    if not nearest.is_dir():
        raise NotADirectoryError(errno.ENOTDIR, f"{nearest} is no folder")
    if not os.access(nearest, os.W_OK | os.X_OK):
        raise PermissionError(errno.EACCES, f"no right to write in {nearest}")


@contextmanager
def draft_run_folder(out: str | Path) -> Iterator[Path]:
    """Yield an empty folder beside `out`; on success it takes the place of `out`.

    Whatever goes wrong, an interrupt included, the draft is removed and what stood at `out` stays.
    Two renames replace an earlier run, so a reader finds the old folder or the new one, whole.
    """
    check_run_folder(out)
    token = secrets.token_hex(4)  # names the draft only; nothing inside depends on it
    with _writing(Path(out)):
        out = Path(out).resolve()  # a link to a run folder stays a link
        draft = out.with_name(f".{out.name}.{token}.draft")
        draft.parent.mkdir(parents=True, exist_ok=True)
        draft.mkdir()
    try:
        yield draft
        check_run_folder(out)  # the place may have changed while the run computed
        with _writing(out):
            _take_place(draft, out, out.with_name(f".{out.name}.{token}.old"))
    except ConnectionError:  # a closed pipe of the caller's, not the folder
        raise
    except OSError as error:  # such as a full disk while the tables are streamed
        raise InputError(
            f"{out}: cannot be written: {reason_of(error)}; pass another --out"
        ) from error
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
    except (OSError, RecursionError, ValueError):
        return None
    is_run = isinstance(manifest, dict) and manifest.get("kind") == KIND
    return manifest if is_run else None


def _writing(out: Path) -> AbstractContextManager[None]:
    return _advising(out, "cannot be written", "pass another --out")


@contextmanager
def _advising(folder: Path, what: str, advice: str) -> Iterator[None]:
    """Turn what the system says about a folder's name or place into advice."""
    try:
        yield
    # A loop of links is a RuntimeError to `Path.resolve`, a NUL in a name a ValueError.
    except (OSError, RuntimeError, ValueError) as error:
        raise InputError(f"{folder}: {what}: {reason_of(error)}; {advice}") from error


def reason_of(error: Exception) -> str:
    """What the system says went wrong, without the number and the path around it."""
    return getattr(error, "strerror", None) or str(error)


_DAMAGE = (
    AttributeError,
    LookupError,
    OSError,
    StopIteration,
    TypeError,
    ValueError,
    pa.ArrowException,
)


@contextmanager
def reading_run(folder: Path) -> Iterator[None]:
    """Turn whatever a damaged manifest or table of a run folder leads to into advice."""
    try:
        yield
    except _DAMAGE as error:
        found = " ".join(f"{type(error).__name__}: {error}".split())
        raise InputError(
            f"{folder}: the run folder is damaged ({found[:120]}); run the scenario again"
        ) from error


def _some(names: list[str]) -> str:
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return ", ".join(names[:3]) + more


# Columns with nulls; plain integers would turn into floats.
_NULLABLE = {
    pa.int16(): pd.Int16Dtype(), pa.int32(): pd.Int32Dtype(), pa.int64(): pd.Int64Dtype()
}  # fmt: skip


def _read_parquet(path: Path) -> pd.DataFrame:
    with reading_run(path.parent):
        frame: pd.DataFrame = pq.read_table(path).to_pandas(types_mapper=_NULLABLE.get)
        return frame.astype({"slot": "int64"})


def _read_csv(path: Path, numbers: tuple[str, ...]) -> pd.DataFrame:
    """Read a table whose texts stay texts: "NA" is Namibia, "007" an identity."""
    with reading_run(path.parent), path.open(encoding="utf-8", newline="") as file:
        texts = [name for name in next(csv.reader(file)) if name not in numbers]
    with reading_run(path.parent):
        return pd.read_csv(
            path,
            dtype={**dict.fromkeys(texts, "str"), **dict.fromkeys(numbers, "float64")},
            keep_default_na=False,
            na_values={name: [""] for name in numbers},
        )
