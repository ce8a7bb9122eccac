"""Allow lists: adding is quick; removing takes notice, a reason and an address for the appeal."""

from dataclasses import fields

import pytest

from skyweave.errors import InputError
from skyweave.policy.allow_list import (
    MIN_GRACE_S,
    MIN_REMOVAL_NOTICE_S,
    AllowList,
    Listed,
    kit_hash,
    with_kit,
    without_kit,
)

SALT = "0f" * 16
EMPTY = AllowList("r", "d1", 1, SALT, 100, 10**9)
HASH = kit_hash(SALT, "kit-1")
NOTICE = {"reason": "sold", "appeal": "https://example.org/appeal"}


def test_the_hash_is_that_of_rfc_2104():
    """openssl dgst -sha256 -mac HMAC -macopt hexkey:0f0f... on the six bytes of the id."""
    import hmac

    assert kit_hash(SALT, "kit-1") == hmac.digest(b"\x0f" * 16, b"kit-1", "sha256").hex()
    assert kit_hash("1f" * 16, "kit-1") != HASH


def test_a_kit_works_from_the_second_it_is_added():
    known = with_kit(EMPTY, "kit-1", "standard", "aid", 500)
    assert [known.has(HASH, at_s) for at_s in (499, 500, 10**8)] == [False, True, True]
    assert EMPTY.kits == ()


def test_the_list_holds_no_id_of_kit_or_person():
    known = with_kit(EMPTY, "kit-1", "standard", "aid", 500)
    assert "kit-1" not in repr(known)
    names = {f.name for f in fields(Listed)}
    assert names == {
        "kit_hash", "terminal_class", "sponsor", "from_s", "until_s", "removal_reason", "appeal",
    }  # fmt: skip


def test_a_removal_takes_notice_and_leaves_a_grace():
    known = with_kit(EMPTY, "kit-1", "standard", "aid", 500)
    end_s = 600 + MIN_REMOVAL_NOTICE_S
    removed = without_kit(known, "kit-1", 600, end_s, **NOTICE)
    assert [removed.has(HASH, at_s) for at_s in (600, end_s - 1, end_s)] == [True, True, False]
    assert removed.grace_until_s(HASH) == end_s + MIN_GRACE_S
    assert removed.kits[0].removal_reason == "sold"
    assert EMPTY.grace_until_s(HASH) == 100 + MIN_GRACE_S
    with pytest.raises(InputError, match="announced already"):
        without_kit(removed, "kit-1", 700, end_s + 100, **NOTICE)
    again = with_kit(removed, "kit-1", "standard", "aid", 700)
    assert again.has(HASH, end_s + 1)
    assert again.kits[0].from_s == 500


def test_a_kit_removed_before_the_list_began_has_the_grace_of_all():
    old = AllowList("r", "d1", 1, SALT, 100, 10**9, (Listed(HASH, "c", "s", 1, 50),))
    assert old.grace_until_s(HASH) == 100 + MIN_GRACE_S


@pytest.mark.parametrize(
    ("asked", "text"),
    [
        ({"kit_id": "kit-2"}, "the kit is not listed; check its id"),
        ({"at_s": 499}, "the kit is not listed"),
        ({"until_s": 599 + MIN_REMOVAL_NOTICE_S}, "14.0 days of notice; a removal takes 14 days"),
        ({"reason": " "}, "says why and where its owner may object; give a reason and an appeal"),
        ({"appeal": ""}, "give a reason and an appeal"),
    ],
)
def test_nobody_is_removed_in_silence(asked, text):
    known = with_kit(EMPTY, "kit-1", "standard", "aid", 500)
    plain = {"kit_id": "kit-1", "at_s": 600, "until_s": 600 + MIN_REMOVAL_NOTICE_S, **NOTICE}
    with pytest.raises(InputError, match=text):
        without_kit(known, **{**plain, **asked})


@pytest.mark.parametrize(
    ("changed", "text"),
    [
        ({"until_s": 100}, "ends before it begins"),
        ({"grace_s": MIN_GRACE_S - 1}, "give 259,200 .72 h. to"),
        ({"grace_s": 10**9}, "to 31,622,400"),
        ({"kits": (Listed("a", "c", "s", 0, 10**12),)}, "centuries away"),
        ({"salt": "0f" * 15}, "salt is not 32 hexadecimal"),
        ({"salt": "0F" * 16}, "salt is not 32 hexadecimal"),
        ({"salt": "0f" * 16 + "0"}, "salt is not 32 hexadecimal"),
        ({"kits": (Listed("b", "c", "s", 0), Listed("a", "c", "s", 0))}, "ascending order"),
        ({"kits": (Listed("a", "c", "s", 0),) * 2}, "each once"),
    ],
)
def test_a_list_that_cannot_be_is_refused(changed, text):
    plain = {"region_id": "r", "directive_id": "d", "entry": 1, "salt": SALT, "from_s": 100,
             "until_s": 10**9}  # fmt: skip
    with pytest.raises(InputError, match=text):
        AllowList(**{**plain, **changed})


def test_many_kits_are_found_as_in_a_set():
    known = EMPTY
    for n in range(100):
        known = with_kit(known, f"kit-{n}", "standard", "aid", 500)
    assert all(known.has(kit_hash(SALT, f"kit-{n}"), 500) for n in range(100))
    assert not known.has(kit_hash(SALT, "kit-100"), 500)
