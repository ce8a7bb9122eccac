"""`skyweave region`: borders become cells, signed, versioned, and withheld where people need it."""

import json

import h3.api.numpy_int as h3
import numpy as np
import pytest
import shapely

pytest.importorskip("cryptography", reason="the extra control is not installed")

from tests.support.made_charter import DAY_S
from tests.support.signers_shell import BORDER, Shell, copied

from skyweave.control.domain.documents import RegionRecord, parse_document
from skyweave.control.domain.geometry import parse_geometry
from skyweave.control.times import utc

MAKE = ("region", "make", "border.geojson", "--id", "bay", "--title", "The bay")


@pytest.fixture(scope="module")
def master(tmp_path_factory):
    return Shell(tmp_path_factory.mktemp("shell"))


@pytest.fixture
def shell(master, tmp_path, monkeypatch):
    return copied(master, tmp_path, monkeypatch)


def record_in(parcel):
    return parse_document(parcel.envelope.payload, RegionRecord, "region")


def test_the_cells_of_a_region_are_those_whose_centre_lies_in_its_border(shell):
    parcel = shell.signed(*MAKE, by="tidewire-1")
    record = record_in(parcel)
    found = parse_geometry(parcel.objects[record.geometry], record).cells
    area = shapely.from_geojson(json.dumps(BORDER))
    near = h3.grid_disk(h3.latlng_to_cell(30.5, -39.5, 5), 20)
    centres = [h3.cell_to_latlng(cell) for cell in near.tolist()]
    inside = [shapely.contains_xy(area, lon, lat) for lat, lon in centres]
    np.testing.assert_array_equal(found, np.sort(near[inside]))


def test_claims_and_licence_stand_in_the_record_and_none_is_chosen(shell):
    words = (*MAKE, "--claim", "AMY:charter of 1902", "--claim", "BRZ:treaty: article 4")
    record = record_in(shell.signed(*words, by="tidewire-1"))
    assert [(c.administration, c.basis) for c in record.claims] == [
        ("AMY", "charter of 1902"), ("BRZ", "treaty: article 4"),
    ]  # fmt: skip
    assert record.needs_licence


def test_a_withheld_border_is_not_in_what_is_published(shell):
    parcel = shell.signed(*MAKE, "--publish-after", "20", by="tidewire-1", out="bay.parcel")
    record = record_in(parcel)
    assert record.publish_by_s == shell.log.now_s + 20 * DAY_S
    assert not parcel.objects
    assert set(parcel.private) == {record.geometry}
    shell.append("bay.parcel")
    text = shell.says("region", "show", "LOG", "bay", "--at", shell.now)
    assert f"its border is withheld until {utc(record.publish_by_s)}" in text
    published = b"".join(p.read_bytes() for p in (shell.place / "LOG" / "objects").iterdir())
    assert record.geometry.encode() not in published
    assert b"-39.5" not in published


def test_a_withheld_region_can_be_decided_by_those_who_hold_its_border(shell):
    shell.signed(*MAKE, "--no-licence", "--publish-after", "20", by="tidewire-1", out="b.parcel")
    shell.append("b.parcel")
    words = ("directive", "propose", "LOG", "--id", "on", "--kind", "activate", "--region", "bay",
             "--reason", "Storm", "--terminals", "fleet.csv")  # fmt: skip
    parcel = shell.signed(*words, by="tidewire-1", out="on.parcel")
    (report,) = parcel.objects.values()
    assert json.loads(report)["is_protected"]
    shell.append("on.parcel")
    private = shell.place / "LOG" / "private"
    for each in private.iterdir():
        each.unlink()
    told = shell.refusal(*words, "--id", "on-2", "--key", "tidewire-1.key", "--out", "o",
                         "--now", shell.now)  # fmt: skip
    assert "its border is withheld and not here" in told


def test_show_draws_the_cells_again_and_names_what_decides(shell):
    shell.log.decide("activate", shell.region, "on")
    shell.log.agreement(shell.region)
    shell.keep()
    text = shell.says("region", "show", "LOG", "port-amity", "--at", shell.now)
    for part in ("port-amity: Port-Amity, version 1,", "needs no licence",
                 "cells follow from the border by the rule: yes",
                 "on (activate): effective, from", "agreements in force: a-17"):  # fmt: skip
        assert part in text
    (found,) = shell.answer("region", "show", "LOG", "--at", shell.now)["regions"]
    assert found["digest_of_region"] == shell.region.digest_of_region


def test_show_tells_the_past_as_it_was(shell):
    before = shell.now
    shell.log.decide("activate", shell.region, "on")
    shell.keep()
    (then,) = shell.answer("region", "show", "LOG", "--at", before)["regions"]
    assert then["directives"] == []


REFUSED = {
    "no file": (("region", "make", "no.geojson", *MAKE[3:]), "no.geojson: No such file"),
    "no GeoJSON": (("region", "make", "fleet.csv", *MAKE[3:]), "fleet.csv: not JSON"),
    "a rule": ((*MAKE, "--rule", "middle"), "expected centre, inside, overlap"),
    "an id": ((*MAKE[:4], "The Bay", *MAKE[5:]), "region_id"),
    "no title": ((*MAKE[:6], ""), "title"),
    "a claim": ((*MAKE, "--claim", "mine"), "expected ADMINISTRATION:BASIS, as in CH:constitution"),
    "a claimant": ((*MAKE, "--claim", "mine:since ever"), "administration"),
    "long secrecy": ((*MAKE, "--publish-after", "31"), "up to 30 days"),
    "no secrecy": ((*MAKE, "--publish-after", "0"), "more than 0"),
    "a time": ((*MAKE, "--now", "noon"), '--now: found "noon"'),
}


@pytest.mark.parametrize("case", REFUSED)
def test_a_region_that_cannot_be_is_refused_in_a_line(case, master, monkeypatch):
    words, why = REFUSED[case]
    monkeypatch.chdir(master.place)
    told = master.refusal(*words, "--key", "tidewire-1.key", "--out", "never")
    assert why in told
    assert not (master.place / "never").exists()


def test_an_unknown_region_is_refused_with_those_there_are(shell):
    told = shell.refusal("region", "show", "LOG", "bay", "--at", shell.now)
    assert told == 'region "bay" is not in the log; it has: port-amity'
