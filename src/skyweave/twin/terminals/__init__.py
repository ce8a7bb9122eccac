"""Terminals: fleets, cities and tracks, and where each terminal is at every instant."""

from skyweave.twin.terminals.fleet import city_terminals, parse_fleet, read_fleet
from skyweave.twin.terminals.obstruction import (
    DishMap,
    Obstruction,
    combine,
    parse_obstruction,
    read_obstruction,
)
from skyweave.twin.terminals.positions import TerminalPositions, terminal_itrf
from skyweave.twin.terminals.table import SERVICE_CLASSES, Terminals, concatenate, make_terminals
from skyweave.twin.terminals.tracks import (
    Position,
    Track,
    great_circle_track,
    parse_track,
    read_track,
    write_track,
)

__all__ = [
    "SERVICE_CLASSES",
    "DishMap",
    "Obstruction",
    "Position",
    "TerminalPositions",
    "Terminals",
    "Track",
    "city_terminals",
    "combine",
    "concatenate",
    "great_circle_track",
    "make_terminals",
    "parse_fleet",
    "parse_obstruction",
    "parse_track",
    "read_fleet",
    "read_obstruction",
    "read_track",
    "terminal_itrf",
    "write_track",
]
