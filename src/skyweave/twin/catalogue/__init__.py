"""Which satellites there are: dated element sets from files, and synthetic shells."""

from skyweave.twin.catalogue.altitude import (
    mean_altitude_m,
    mean_motion_rev_day,
    mean_semi_major_axis_m,
)
from skyweave.twin.catalogue.check import check_catalogue
from skyweave.twin.catalogue.classes import (
    SATELLITE_CLASSES,
    classify,
    constellations,
    is_direct_to_cell,
)
from skyweave.twin.catalogue.elements import Catalogue, RowIssue, concatenate, rows_of
from skyweave.twin.catalogue.read import BUILTIN, read_catalogue
from skyweave.twin.catalogue.select import (
    age_days,
    age_warning,
    earlier_sets,
    leave_out_old,
    median_age_days,
    nearest_epoch,
    select_names,
)
from skyweave.twin.catalogue.shells import (
    FiledShell,
    combine_shells,
    filed_shell,
    filed_shells,
    hypatia_shell,
    minimum_separation_m,
    walker_delta,
    walker_star,
    widest_phasing,
)

__all__ = [
    "BUILTIN",
    "SATELLITE_CLASSES",
    "Catalogue",
    "FiledShell",
    "RowIssue",
    "age_days",
    "age_warning",
    "check_catalogue",
    "classify",
    "combine_shells",
    "concatenate",
    "constellations",
    "earlier_sets",
    "filed_shell",
    "filed_shells",
    "hypatia_shell",
    "is_direct_to_cell",
    "leave_out_old",
    "mean_altitude_m",
    "mean_motion_rev_day",
    "mean_semi_major_axis_m",
    "median_age_days",
    "minimum_separation_m",
    "nearest_epoch",
    "read_catalogue",
    "rows_of",
    "select_names",
    "walker_delta",
    "walker_star",
    "widest_phasing",
]
