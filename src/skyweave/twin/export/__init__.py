"""Exports: the twin's networks in the formats of other tools."""

from skyweave.twin.export.hypatia import export_hypatia

__all__ = ["export_hypatia"]
