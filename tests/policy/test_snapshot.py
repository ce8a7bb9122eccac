"""The policy snapshot: canonical JSON there and back, and what it refuses."""

import contextlib
import hashlib
import json
import random
from dataclasses import replace

import h3.api.numpy_int as h3_cells
import numpy as np
import pytest

from skyweave.errors import InputError
from skyweave.policy import snapshot as module
from skyweave.policy.allow_list import AllowList, Listed
from skyweave.policy.snapshot import (
    Agreement,
    Claim,
    Directive,
    Disabled,
    Floor,
    Kind,
    Licence,
    LicenceStatus,
    PolicyRegion,
    Snapshot,
    Subject,
    snapshot_from_json,
    snapshot_to_json,
    subject_hash,
)

SALT = "a5" * 16
CELLS = np.unique(h3_cells.grid_disk(h3_cells.latlng_to_cell(47.0, 8.0, 5), 1)).astype(np.uint64)
LICENCE = Licence("A", "act 1", LicenceStatus.VALID, 0, None, True)
REGION = PolicyRegion("r", 2, "sha256:r", CELLS, True, (LICENCE,), (Claim("B", "treaty"),))
SUSPENSION = Directive("d", Kind.SUSPEND, "r", 1, 0, 9, "because", max_down_bps=64_000)
AGREEMENT = Agreement("a", 2, ("r",), 0, 9, Floor(1, 2, 0.05, 1.0), ("h",), (), ("order",))
LISTING = AllowList("r", "d2", 3, SALT, 0, 9, (Listed("00", "standard", "aid", 0),))
DISABLED = Disabled(Subject.ACCOUNT, "h", "d3", 4, 0, 9, "fraud")
FULL = Snapshot(7, "log.example", 5, "root", 1, 100, SALT, (REGION,), (SUSPENSION,), (AGREEMENT,),
                (LISTING,), (DISABLED,))  # fmt: skip


def test_a_snapshot_survives_its_json():
    content = snapshot_to_json(FULL)
    again = snapshot_from_json(content)
    assert snapshot_to_json(again) == content
    assert again.digest == FULL.digest
    assert again.directives == FULL.directives
    assert again.agreements == FULL.agreements
    assert again.allow_lists == FULL.allow_lists
    assert again.disabled == FULL.disabled
    assert again.regions[0].licences == REGION.licences
    np.testing.assert_array_equal(again.regions[0].cells, CELLS)
    assert not again.regions[0].cells.flags.writeable


def test_the_json_is_canonical_and_can_be_made_by_others():
    content = snapshot_to_json(FULL)
    values = json.loads(content)
    text = json.dumps(values, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    assert text.encode() + b"\n" == content
    assert FULL.digest == f"sha256:{hashlib.sha256(content).hexdigest()}"
    assert values["format"] == "skyweave.policy-snapshot.v1"
    assert [int(cell, 16) for cell in values["regions"][0]["cells"]] == CELLS.tolist()


def test_the_digest_changes_with_every_value():
    content = json.loads(snapshot_to_json(FULL))
    digests = {FULL.digest}
    for changed in (
        replace(FULL, version=8),
        replace(FULL, log_root="other"),
        replace(FULL, directives=(replace(SUSPENSION, until_s=10),)),
        replace(FULL, regions=(replace(REGION, cells=CELLS[1:].copy()),)),
        replace(FULL, regions=(replace(REGION, claims=()),)),
        replace(FULL, agreements=(replace(AGREEMENT, exceptions=()),)),
    ):
        digests.add(changed.digest)
    assert len(digests) == 7
    assert content["version"] == 7


def test_a_whole_number_is_one_number_however_it_was_given():
    floor = replace(AGREEMENT.floor, latency_s=1)
    assert snapshot_from_json(
        snapshot_to_json(replace(FULL, agreements=(replace(AGREEMENT, floor=floor),)))
    )


def test_claims_are_recorded_and_none_is_chosen():
    both = (Claim("A", "map"), Claim("B", "treaty"))
    disputed = replace(FULL, regions=(replace(REGION, claims=both),))
    assert snapshot_from_json(snapshot_to_json(disputed)).regions[0].claims == both


def test_subjects_are_hashes_under_the_salt():
    first = subject_hash(SALT, Subject.TERMINAL, "hospital-017")
    assert len(first) == 64
    assert first != subject_hash(SALT, Subject.ACCOUNT, "hospital-017")
    assert first != subject_hash("a6" * 16, Subject.TERMINAL, "hospital-017")


WRONG = {
    "two regions of a name": ({"regions": (REGION, REGION)}, '"r" occurs twice'),
    "two directives": ({"directives": (SUSPENSION, SUSPENSION)}, '"d" occurs twice'),
    "two agreements": ({"agreements": (AGREEMENT, AGREEMENT)}, '"a" occurs twice'),
    "cells in disorder": ({"regions": (replace(REGION, cells=CELLS[::-1].copy()),)}, "ascending"),
    "no cells": ({"regions": (replace(REGION, cells=CELLS[:0]),)}, "ascending"),
    "other cells": ({"regions": (replace(REGION, cells=CELLS + np.uint64(1)),)}, "resolution 5"),
    "unknown region": ({"directives": (replace(SUSPENSION, region_id="x"),)}, '"x" is not in the'),
    "endless": ({"directives": (replace(SUSPENSION, until_s=None),)}, "every reduction expires"),
    "no time": ({"directives": (replace(SUSPENSION, until_s=10**15),)}, "whole seconds since 19"),
    "before time": ({"directives": (replace(SUSPENSION, from_s=-(10**15)),)}, "whole seconds"),
    "rate": ({"directives": (replace(SUSPENSION, max_up_bps=-1),)}, "a rate out of range"),
    "high rate": ({"directives": (replace(SUSPENSION, max_down_bps=10**16),)}, "a rate out of"),
    "empty span": ({"directives": (replace(SUSPENSION, until_s=0),)}, "ends before it begins"),
    "lifts nothing": (
        {"directives": (replace(SUSPENSION, kind=Kind.LIFT_GUARANTEE),)}, "lifts an agreement",
    ),
    "agreement elsewhere": ({"agreements": (replace(AGREEMENT, region_ids=("x",)),)}, '"x" is not'),
    "agreement's end": ({"agreements": (replace(AGREEMENT, until_s=0),)}, "ends before"),
    "floor": ({"agreements": (replace(AGREEMENT, floor=Floor(-1)),)}, "a floor out of range"),
    "share": ({"agreements": (replace(AGREEMENT, floor=Floor(availability=1.1)),)}, "out of range"),
    "latency": (
        {"agreements": (replace(AGREEMENT, floor=Floor(latency_s=float("nan"))),)}, "out of range",
    ),
    "list elsewhere": ({"allow_lists": (replace(LISTING, region_id="x"),)}, '"x" is not in the'),
    "unlogged": ({"log_size": 4}, "nothing is in effect that is not in the log"),
    "salt": ({"salt": "a5"}, "32 hexadecimal digits"),
    "long": ({"log_origin": "x" * 501}, "501 characters; at most 500"),
    "long claim": ({"regions": (replace(REGION, claims=(Claim("x" * 501, ""),)),)}, "501 char"),
    "format": ({"format": "v2"}, 'format "v2": expected "skyweave.policy'),
}  # fmt: skip


@pytest.mark.parametrize(("changed", "text"), WRONG.values(), ids=WRONG.keys())
def test_a_snapshot_that_cannot_be_is_refused(changed, text):
    with pytest.raises(InputError, match=text):
        replace(FULL, **changed)


@pytest.mark.parametrize("kind", Kind)
def test_only_what_gives_service_may_be_without_end(kind):
    endless = replace(SUSPENSION, kind=kind, until_s=None, agreement_id="a")
    if kind in (Kind.ACTIVATE, Kind.RESUME):
        assert replace(FULL, directives=(endless,))
    else:
        with pytest.raises(InputError, match="every reduction expires"):
            replace(FULL, directives=(endless,))


def test_too_many_records_or_bytes_are_refused(monkeypatch):
    monkeypatch.setattr(module, "MAX_RECORDS", 0)
    with pytest.raises(InputError, match="regions: more than 0; leave out what has ended"):
        replace(FULL)
    monkeypatch.undo()
    monkeypatch.setattr(module, "MAX_CELLS_IN_ALL", 6)
    with pytest.raises(InputError, match="more than 6 cells in all"):
        replace(FULL)
    monkeypatch.setattr(module, "MAX_BYTES", 10)
    with pytest.raises(InputError, match="a snapshot has at most 10"):
        snapshot_from_json(snapshot_to_json(FULL))


NOT_CANONICAL = {
    "not JSON": (b"{", "Invalid JSON"),
    "not UTF-8": (b"\xff", "Invalid JSON"),
    "a list": (b"[]", "make the snapshot again"),
    "deep": (b"[" * 100_000, "make the snapshot again"),
    "no end of line": (snapshot_to_json(FULL)[:-1], "not in canonical form"),
    "a key twice": (snapshot_to_json(FULL).replace(b'{"ag', b'{"version":1,"ag', 1), "canonical"),
    "a fraction": (snapshot_to_json(FULL).replace(b'"version":7', b'"version":7.5'), "version"),
    "a text": (snapshot_to_json(FULL).replace(b'"version":7', b'"version":"7"'), "version"),
    "unknown": (snapshot_to_json(FULL).replace(b'"claims"', b'"clams"'), "regions.0.clams"),
    "unknown kind": (snapshot_to_json(FULL).replace(b'"suspend"', b'"cut"'), "directives.0.kind"),
    "short cell": (snapshot_to_json(FULL).replace(b'"cells":["8', b'"cells":["'), "15 hexadec"),
    "no hexadecimal": (snapshot_to_json(FULL).replace(b'"cells":["8', b'"cells":["g'), "cells"),
    "a signed cell": (snapshot_to_json(FULL).replace(b'"cells":["8', b'"cells":["-'), "cells"),
    "no list": (b'{"regions":[{"cells":1}]}', "make the snapshot again"),
}


@pytest.mark.parametrize(("content", "text"), NOT_CANONICAL.values(), ids=NOT_CANONICAL.keys())
def test_what_is_not_exactly_canonical_is_refused_in_one_line(content, text):
    with pytest.raises(InputError, match=text) as refusal:
        snapshot_from_json(content, "policy.json")
    assert str(refusal.value).startswith("policy.json: ")
    assert "\n" not in str(refusal.value)
    assert len(str(refusal.value)) < 500


def test_random_bytes_in_it_are_refused_or_another_snapshot(full_counts):
    rng = random.Random(2)
    content = snapshot_to_json(FULL)
    for _ in range(20_000 if full_counts else 1_000):
        place = rng.randrange(len(content))
        changed = content[:place] + bytes([rng.randrange(256)]) + content[place + 1 :]
        if changed == content:
            continue
        with contextlib.suppress(InputError):
            assert snapshot_from_json(changed).digest != FULL.digest
