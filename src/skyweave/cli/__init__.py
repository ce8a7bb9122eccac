"""The command line: parse, call one public function, print."""

from skyweave.cli.app import main

__all__ = ["main"]
