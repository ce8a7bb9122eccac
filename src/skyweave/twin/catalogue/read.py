"""One door to every catalogue: a built-in name, a file, or a folder of files."""

import os
from dataclasses import replace
from pathlib import Path

from skyweave.data import read_data
from skyweave.errors import InputError
from skyweave.twin.catalogue.cache import CACHE_PREFIX, fetched_folder
from skyweave.twin.catalogue.elements import Catalogue, RowIssue, concatenate
from skyweave.twin.catalogue.files import catalogue_format, read_content
from skyweave.twin.catalogue.omm import read_omm_csv, read_omm_json
from skyweave.twin.catalogue.omm_kvn import read_omm_kvn
from skyweave.twin.catalogue.omm_xml import read_omm_xml
from skyweave.twin.catalogue.tle import read_tle

BUILTIN = {"builtin:2026-06-14": "active_2026-06-14.tle.xz"}

_OMM_READERS = {
    "omm-json": read_omm_json,
    "omm-csv": read_omm_csv,
    "omm-xml": read_omm_xml,
    "omm-kvn": read_omm_kvn,
}


def read_catalogue(source: str | Path, *, verify_checksums: bool = True) -> Catalogue:
    """Return every readable element set of a source, with an issue for each that is not.

    `source` is a built-in name such as "builtin:2026-06-14", what was fetched of a group such as
    "cache:active", a file, or a folder, of which all files are read, and those of its folders, but
    not deeper; hidden ones are passed over.  A folder may hold many sets of one object: see
    `nearest_epoch`.  Formats are told by content, and a file of a folder that is no catalogue is
    an issue with line 0.
    `verify_checksums=False` accepts TLE lines whose checksum is wrong or missing.
    """
    name = str(source)
    if not name.strip():
        raise InputError('the catalogue source is empty; give a file, a folder or "builtin:DATE"')
    if name.startswith("builtin:"):
        return _builtin(name, verify_checksums)
    if name.startswith(CACHE_PREFIX):
        return _folder(fetched_folder(name), verify_checksums)
    if os.path.isdir(name):  # False, not an error, for names that cannot be looked up
        return _folder(Path(name), verify_checksums)
    return _file(Path(name), verify_checksums)


def _builtin(name: str, verify_checksums: bool) -> Catalogue:
    if name not in BUILTIN:
        raise InputError(
            f"{name}: there is no such built-in catalogue; expected {' or '.join(BUILTIN)}, or the "
            "name of a file or folder"
        )
    return _content(read_data(BUILTIN[name]), name, verify_checksums)


def _folder(folder: Path, verify_checksums: bool) -> Catalogue:
    parts: list[Catalogue] = []
    paths, strange = _files_in(folder)
    for path in paths:
        try:
            parts.append(_file(path, verify_checksums))
        except InputError as refusal:
            reason = str(refusal).removeprefix(f"{path}: ")
            strange.append(RowIssue(str(path), 0, reason, ""))
    if not parts:
        first = f" ({strange[0].source}: {strange[0].reason})" if strange else ""
        raise InputError(
            f"{folder}: none of the {len(strange)} files in the folder is a catalogue{first}"
        )
    whole = concatenate(parts)
    return replace(whole, issues=(*strange, *whole.issues))


def _files_in(folder: Path) -> tuple[list[Path], list[RowIssue]]:
    """Return the files of a folder and of its folders, and an issue for each entry unreadable."""
    try:
        entries = _visible(folder)
    except OSError as problem:
        raise InputError(
            f"{problem.filename}: the folder cannot be read: {problem.strerror}"
        ) from None
    names: list[str] = []
    strange: list[RowIssue] = []
    for entry in entries:
        try:
            names += [e.path for e in _visible_below(entry)]
        except OSError as problem:  # a loop of links, or a folder without the right to read
            strange.append(RowIssue(entry.path, 0, f"cannot be read: {problem.strerror}", ""))
    return [Path(name) for name in names if os.path.isfile(name)], strange


def _visible(folder: str | Path) -> list[os.DirEntry[str]]:
    with os.scandir(folder) as entries:
        return sorted((e for e in entries if not e.name.startswith(".")), key=lambda e: e.name)


def _visible_below(entry: os.DirEntry[str]) -> list[os.DirEntry[str]]:
    return _visible(entry.path) if entry.is_dir() else [entry]


def _file(path: Path, verify_checksums: bool) -> Catalogue:
    return _content(read_content(path), str(path), verify_checksums)


def _content(content: bytes, source: str, verify_checksums: bool) -> Catalogue:
    form = catalogue_format(content, source)
    if form == "tle":
        catalogue = read_tle(content, source, verify_checksums=verify_checksums)
    else:
        catalogue = _OMM_READERS[form](content, source)
    if not len(catalogue):
        raise _nothing_read(source, catalogue.issues)
    return catalogue


def _nothing_read(source: str, issues: tuple[RowIssue, ...]) -> InputError:
    if not issues:
        return InputError(f"{source}: no element set found; fetch the file again")
    first = issues[0]
    others = f" (nor is any of the {len(issues) - 1} other rows usable)" if len(issues) > 1 else ""
    return InputError(f"{source}: line {first.line}: {first.reason}{others}")
