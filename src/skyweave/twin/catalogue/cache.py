"""The user's own element sets: where `skyweave catalogue update` keeps what it fetched.

One folder per group of satellites, one file per fetch, named by its date: "active" of
2026-11-22T04:22:00Z is `skyweave/catalogue/active/2026-11-22T042200Z.json` in the cache folder.
"""

import os
import re
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from skyweave.errors import InputError

CACHE_PREFIX = "cache:"
BUILT_IN = "builtin:2026-06-14"  # what to use where nothing was fetched yet
MAX_GROUP_CHARACTERS = 60

_GROUP = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)*", re.ASCII)
_STAMP = re.compile(r"(\d{4}-\d\d-\d\d)T(\d\d)(\d\d)(\d\d)Z\.json", re.ASCII)


def cache_root(environment: Mapping[str, str] = os.environ) -> Path:
    """Return where all groups are kept; a relative XDG_CACHE_HOME counts as none, by its rules."""
    given = environment.get("XDG_CACHE_HOME", "")
    base = Path(given) if os.path.isabs(given) else Path.home() / ".cache"
    return base / "skyweave" / "catalogue"


def cache_folder(group: str) -> Path:
    """Return the folder of one group, which may not be there yet."""
    if len(group) > MAX_GROUP_CHARACTERS or not _GROUP.fullmatch(group):
        raise InputError(
            f"{group[:MAX_GROUP_CHARACTERS]!r} is no name of a group; expected letters a-z, digits "
            "and single hyphens, such as active, starlink or oneweb"
        )
    return cache_root() / group


def fetched_folder(source: str) -> Path:
    """Return the folder that a source such as "cache:active" stands for; refuse an empty one."""
    group = source.removeprefix(CACHE_PREFIX)
    folder = cache_folder(group)
    if not fetched_files(folder):
        option = "" if group == "active" else f" --group {group}"
        raise InputError(
            f"{source}: nothing was fetched into {folder} yet; run skyweave catalogue "
            f'update{option}, or use "{BUILT_IN}"'
        )
    return folder


def fetched_files(folder: Path) -> list[Path]:
    """Return what was fetched into the folder of a group, oldest first."""
    try:
        return sorted(path for path in folder.iterdir() if not np.isnat(fetched_utc(path)))
    except OSError:
        return []


def fetched_groups() -> dict[str, np.datetime64]:
    """Return when each group that is there was last fetched, by name."""
    try:
        folders = sorted(path for path in cache_root().iterdir() if _GROUP.fullmatch(path.name))
    except OSError:
        return {}
    newest = {folder.name: fetched_files(folder)[-1:] for folder in folders}
    return {group: fetched_utc(files[0]) for group, files in newest.items() if files}


def file_name(fetched_at_utc: np.datetime64) -> str:
    """Return the name of a file fetched at an instant, without colons, which some disks refuse."""
    return f"{np.datetime_as_string(fetched_at_utc, unit='s').replace(':', '')}Z.json"


def fetched_utc(path: Path) -> np.datetime64:
    """Return when a file was fetched, by its name; NaT where the name does not say."""
    found = _STAMP.fullmatch(path.name)
    stamp = f"{found[1]}T{found[2]}:{found[3]}:{found[4]}" if found else "NaT"
    try:
        return np.datetime64(stamp, "s")
    except ValueError:  # of that form, and yet no date
        return np.datetime64("NaT", "s")
