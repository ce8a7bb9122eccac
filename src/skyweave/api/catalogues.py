"""Element sets: what is in them, and today's."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from skyweave.api.scenarios import Progress, silent
from skyweave.errors import InputError
from skyweave.twin.catalogue import check_catalogue
from skyweave.twin.catalogue.cache import cache_folder
from skyweave.twin.catalogue.update import update_catalogue


def catalogue_check(source: str) -> dict[str, Any]:
    """Read element sets and report what is in them and what was refused."""
    return check_catalogue(source)


def catalogue_update(
    groups: Sequence[str] = ("active",),
    *,
    url: str | None = None,
    progress: Progress = silent,
) -> list[dict[str, Any]]:
    """Fetch groups of satellites from CelesTrak into the user's cache; say what each then holds.

    No server is asked for a group more often than every two hours.  `url` is a mirror's address,
    in which {group} stands for the name of the group.
    """
    if url is not None and len(set(groups)) > 1 and "{group}" not in url:
        raise InputError("--from names one address for several groups; write {group} in it")
    for group in groups:
        cache_folder(group)  # refuses a wrong name before any server is asked
    now_utc = np.datetime64("now")
    return [update_catalogue(group, now_utc, progress, url) for group in dict.fromkeys(groups)]
