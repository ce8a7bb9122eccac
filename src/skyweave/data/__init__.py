"""Data shipped with the package; CREDITS.md beside this file names every origin and licence."""

import lzma
from importlib.resources import files


def read_data(name: str) -> bytes:
    """Return the content of a packaged file, decompressed when its name ends in .xz."""
    content = files(__name__).joinpath(name).read_bytes()
    return lzma.decompress(content) if name.endswith(".xz") else content


def read_data_text(name: str) -> str:
    """Return a packaged text file, decoded as UTF-8 and decompressed."""
    return read_data(name).decode("utf-8")
