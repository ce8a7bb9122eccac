"""Kits of an allow list: read from a CSV and hashed under a salt of the list's own."""

import csv
import os
from collections.abc import Sequence
from pathlib import Path

from skyweave.api.parcels import read_limited
from skyweave.control.domain.allow_lists import encode_allow_list, parse_allow_list
from skyweave.control.domain.documents import Directive
from skyweave.errors import InputError
from skyweave.policy.allow_list import MAX_ENTRIES, AllowList, Listed, kit_hash

MAX_KITS_BYTES = 128 * 2**20
COLUMNS = ("kit", "class", "sponsor")

_SALT_BYTES = 16

Kit = tuple[str, str, str]  # id, hardware class, sponsor


def read_kits(path: Path) -> list[Kit]:
    """Return kit, hardware class and sponsor of each line of a CSV with these columns."""
    content = read_limited(path, MAX_KITS_BYTES, "name a CSV of kits")
    try:
        rows = list(csv.reader(content.decode("utf-8-sig").splitlines(), strict=True))
    except (UnicodeDecodeError, csv.Error):
        raise InputError(f"{path}: no CSV in UTF-8; save the table as CSV UTF-8") from None
    rows = [[cell.strip() for cell in row] for row in rows]
    if not rows or tuple(rows[0]) != COLUMNS:
        raise InputError(f"{path}: line 1: expected the header {','.join(COLUMNS)}; add it")
    if len(rows) - 1 > MAX_ENTRIES:
        raise InputError(f"{path}: more than {MAX_ENTRIES:,} kits; split the region")
    found = []
    for number, row in enumerate(rows[1:], 2):
        if len(row) != len(COLUMNS) or not row[0] or max(map(len, row)) > 100:
            raise InputError(
                f"{path}: line {number}: expected {','.join(COLUMNS)}, each of at most 100 "
                "characters, and a kit; correct the line"
            )
        found.append((row[0], row[1], row[2]))
    return found


def new_list(kits: Sequence[Kit], from_s: int) -> bytes:
    """Return the object of a new list, under a salt of its own."""
    salt = os.urandom(_SALT_BYTES).hex()
    hashed = {
        kit_hash(salt, kit): Listed(kit_hash(salt, kit), terminal_class, sponsor, from_s)
        for kit, terminal_class, sponsor in kits
    }
    listed = tuple(hashed[each] for each in sorted(hashed))
    return encode_allow_list(AllowList("new", "new", 0, salt, from_s, from_s + 1, listed))


def list_of(directive: Directive, content: bytes, region_id: str, entry: int) -> AllowList:
    """Return the list that a restriction brings, as a snapshot has it."""
    if directive.until_s is None:
        raise InputError(f"directive {directive.directive_id}: without an end; give --days")
    return parse_allow_list(
        content,
        f'directive "{directive.directive_id}": allow list',
        region_id=region_id,
        directive_id=directive.directive_id,
        entry=entry,
        from_s=directive.from_s,
        until_s=directive.until_s,
    )
