"""The small core that the twin and the control plane share: pure, without clock, file or network.

`regions` turns polygons into cells, `threshold` counts quorums, `snapshot` is what crosses to the
twin, `decision` answers for a terminal in a cell, `allow_list` and `border` say what comes first,
and `reasons` names why.
"""

from skyweave.policy.decision import Decision, Decisions, decide, decide_all
from skyweave.policy.reasons import REASONS, SERVED, Reason, reason_names
from skyweave.policy.regions import Region, cells_at, margin_rings, region_from_geojson
from skyweave.policy.snapshot import Snapshot, snapshot_from_json, snapshot_to_json
from skyweave.policy.terminals import Terminal, Terminals
from skyweave.policy.threshold import Question, Quorum, Role, Vote, evaluate

__all__ = [
    "REASONS",
    "SERVED",
    "Decision",
    "Decisions",
    "Question",
    "Quorum",
    "Reason",
    "Region",
    "Role",
    "Snapshot",
    "Terminal",
    "Terminals",
    "Vote",
    "cells_at",
    "decide",
    "decide_all",
    "evaluate",
    "margin_rings",
    "reason_names",
    "region_from_geojson",
    "snapshot_from_json",
    "snapshot_to_json",
]
