"""The catalogue itself: every attacker is met twice, and nothing is listed that proves nothing."""

import pytest
from tests.control.attacks import catalogue
from tests.control.attacks.catalogue import ATTACKS, MIN_ATTACKS_A_ROW, Row, described, without

REMOVED = without("policy.snapshot.holds")


def always(folder):
    """The harm is always done."""
    return folder.is_dir()


def never(folder):
    """The harm is never done."""
    return not folder.is_dir()


always.__name__ = never.__name__ = "test_made_up"


@pytest.mark.parametrize("row", list(Row))
def test_every_attacker_of_the_threat_model_is_met_more_than_once(row):
    found = catalogue.catalogue()[row]
    assert len(found) >= MIN_ATTACKS_A_ROW, f"{row}: add an attack"


def test_the_catalogue_is_long_enough_and_counted(record_figure):
    count = sum(map(len, catalogue.catalogue().values()))
    assert count == len(ATTACKS) >= 60
    record_figure("attacks tried, and tried again without their check", count, "", ">= 60")
    met = sum(len(found) >= MIN_ATTACKS_A_ROW for found in catalogue.catalogue().values())
    record_figure("attackers met by two attacks or more", met, f"of {len(Row)}", "all")


def test_an_attack_that_succeeds_is_no_defence(tmp_path, monkeypatch):
    with pytest.raises(AssertionError, match="the attack SUCCEEDS"):
        described(Row.ONE_HAND, (REMOVED,), always).check(tmp_path, monkeypatch)


def test_an_attack_that_its_check_does_not_stop_is_not_accepted(tmp_path, monkeypatch):
    with pytest.raises(AssertionError, match="something else stops it"):
        described(Row.ONE_HAND, (REMOVED,), never).check(tmp_path, monkeypatch)


def test_an_attack_without_a_harm_or_a_check_is_not_accepted():
    def test_silent(folder):
        return False

    for removals, attempt in (((), never), ((REMOVED,), test_silent)):
        with pytest.raises(ValueError, match="say the harm, name its check"):
            described(Row.ONE_HAND, removals, attempt)


def test_no_two_attacks_say_the_same():
    catalogue.catalogue()
    harms = [each.harm for each in ATTACKS.values()]
    assert len(set(harms)) == len(harms)
