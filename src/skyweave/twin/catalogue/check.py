"""What a catalogue holds: the answer of `skyweave catalogue check`."""

import os
from pathlib import Path
from typing import Any

from skyweave.time import format_utc
from skyweave.twin.catalogue.cache import CACHE_PREFIX, fetched_folder
from skyweave.twin.catalogue.classes import SATELLITE_CLASSES, classify
from skyweave.twin.catalogue.elements import RowIssue
from skyweave.twin.catalogue.read import read_catalogue
from skyweave.twin.catalogue.select import earlier_sets, nearest_epoch


def check_catalogue(source: str | Path) -> dict[str, Any]:
    """Return how many objects a source holds, of which classes and dates, and what was refused.

    Of several sets of one object the newest counts, and an older one tells whether it rises.
    """
    if str(source).startswith(CACHE_PREFIX):
        source = fetched_folder(str(source))
    every_set = read_catalogue(source)
    newest_utc = every_set.epoch_utc.max()
    catalogue = nearest_epoch(every_set, newest_utc)
    previous = earlier_sets(every_set, catalogue)
    classes = classify(catalogue, previous if len(previous) else None).tolist()
    return {
        "objects": len(catalogue),
        "duplicates": catalogue.duplicates,
        "refused": [_refused(issue, str(source)) for issue in catalogue.issues],
        "classes": {name: classes.count(name) for name in SATELLITE_CLASSES},
        "epoch_first": format_utc(catalogue.epoch_utc.min()),
        "epoch_last": format_utc(newest_utc),
    }


def _refused(issue: RowIssue, source: str) -> dict[str, Any]:
    where = "" if issue.source == source else f"{os.path.relpath(issue.source, source)}: "
    return {"line": issue.line, "reason": where + issue.reason, "text": issue.text}
