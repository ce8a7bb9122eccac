"""Orbits: mean elements and a time grid to positions, the only stage that sees kilometres."""

from skyweave.twin.orbits.ephemeris import Ephemeris
from skyweave.twin.orbits.propagation import propagate, propagate_teme
from skyweave.twin.orbits.records import Sgp4Records, initialise

__all__ = ["Ephemeris", "Sgp4Records", "initialise", "propagate", "propagate_teme"]
