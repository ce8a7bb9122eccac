"""Three charters to begin from: who can do what in each, found by trying every set of people."""

import itertools

import pytest
from tests.support.made_charter import (
    ADMINISTRATION,
    AUTHORITY,
    FIVE,
    HOSPITALS,
    NOON_S,
    OPERATOR,
    PRESS,
    RELIEF,
    key,
    key_record,
    person,
    trust_text,
)

from skyweave.control.domain import charters
from skyweave.control.domain.documents import (
    DAY_S,
    Charter,
    DirectiveKind,
    Organisation,
    digest_of,
)
from skyweave.control.domain.keyring import key_id_of
from skyweave.control.domain.templates import TEMPLATES, Founding, draft
from skyweave.control.signing.dsse import sign_envelope
from skyweave.errors import InputError
from skyweave.policy import threshold

PEOPLE = [person(each, n) for each in FIVE for n in (1, 2)]


def founding(people=PEOPLE, organisations=FIVE, **fields):
    cards = tuple(key_record(name, name.rsplit("-", 1)[0]) for name in people)
    usual = {
        "name": "Port Amity",
        "organisations": tuple(
            Organisation(organisation=each, name=each) for each in organisations
        ),
        "cards": cards,
        "operator": OPERATOR,
        "authorities": {ADMINISTRATION: AUTHORITY},
        "trust": trust_text(),
        "salt_digest": digest_of(b"salt"),
        "created_s": NOON_S,
        "expires_s": NOON_S + 365 * DAY_S,
    }
    return Founding(**(usual | fields))


def decides(charter, needs, people):
    """Whether these people's approvals meet every need, as the log counts them."""
    votes = [
        threshold.Vote(key_id_of(card), "q", 1, threshold.Choice.APPROVE, NOON_S, NOON_S + 1)
        for card in charter.keys
        if card.person in people
    ]
    question = threshold.Question("q", 1, NOON_S, 0)
    return all(
        threshold.evaluate(
            charters.role_of(charter, need, {}, NOON_S, ADMINISTRATION), votes, question
        )
        for need in needs
    )


def coalitions(charter, route, size):
    """The sets of `size` people, as sorted organisations, that decide by a route on their own."""
    return {
        tuple(sorted(name.rsplit("-", 1)[0] for name in chosen))
        for chosen in itertools.combinations(PEOPLE, size)
        if decides(charter, (*route.needs, *route.authority_needs), chosen)
    }


def fewest(charter, kind):
    """How few people decide a kind, in a region that needs a licence, and which organisations."""
    routes = [route for route in charter.routes if route.kind is kind]
    for size in range(1, len(PEOPLE) + 1):
        found = set().union(*(coalitions(charter, route, size) for route in routes))
        if found:
            return size, found
    return None, set()


@pytest.fixture(scope="module", params=TEMPLATES)
def charter(request):
    return draft(request.param, founding())


def test_a_draft_is_sound_and_a_log_can_begin_with_it(charter):
    root = [key(person(each, 1)) for each in FIVE[:3]]
    envelope = sign_envelope(Charter.payload_type(), charter.encode(), root)
    assert charters.verify_genesis(envelope) == charter


def test_a_draft_has_a_way_to_decide_every_kind(charter):
    assert {route.kind for route in charter.routes} == set(DirectiveKind)


def test_nobody_and_no_organisation_changes_a_cell_alone_but_by_a_public_order(charter):
    """The whole point: one person, or one chief of many, must not hold the switch."""
    takes = {kind for kind in DirectiveKind if kind.is_reduction}
    takes |= {DirectiveKind.AMEND_REGION, DirectiveKind.AMEND_LICENCE, DirectiveKind.AMEND_CHARTER}
    for route in charter.routes:
        if route.kind not in takes:
            continue
        for organisation in FIVE:
            alone = [person(organisation, n) for n in (1, 2)]
            if decides(charter, route.needs, alone):
                assert organisation == AUTHORITY
                assert route.needs_instrument
                assert route.needs_publication
                assert route.needs_appeal
                assert route.notice_s >= 3 * DAY_S


# Who decides, with as few people as possible.  After the design's table of quorums, and in words
# in each template's trade-offs.
CONSORTIUM = {
    "activate": 3, "resume": 3, "emergency_activate": 2, "suspend": 3, "restrict": 3, "exclude": 3,
    "emergency_suspend": 2, "lift_guarantee": 3, "decided_not_to": 2, "amend_charter": 3,
    "amend_region": 3, "amend_licence": 3, "amend_agreement": 2,
}  # fmt: skip
LICENSED = {
    "activate": 3, "resume": 3, "emergency_activate": 2, "suspend": 2, "restrict": 2, "exclude": 2,
    "emergency_suspend": 2, "lift_guarantee": 3, "decided_not_to": 2, "amend_charter": 3,
    "amend_region": 3, "amend_licence": 2, "amend_agreement": 2,
}  # fmt: skip
HUMANITARIAN = {
    "activate": 3, "resume": 3, "emergency_activate": 2, "suspend": 4, "restrict": 4, "exclude": 4,
    "emergency_suspend": 2, "lift_guarantee": 4, "decided_not_to": 2, "amend_charter": 3,
    "amend_region": 4, "amend_licence": 4, "amend_agreement": 2,
}  # fmt: skip


@pytest.mark.parametrize(
    ("template", "counts"),
    [
        ("consortium", CONSORTIUM),
        ("licensed-operator", LICENSED),
        ("humanitarian", HUMANITARIAN),
    ],
)
def test_each_kind_takes_as_many_people_as_the_template_says(template, counts):
    charter = draft(template, founding())
    found = {kind.value: fewest(charter, kind)[0] for kind in DirectiveKind}
    assert found == counts


def test_in_a_consortium_any_two_organisations_suspend_and_the_operator_is_one_of_five():
    charter = draft("consortium", founding())
    _, found = fewest(charter, DirectiveKind.SUSPEND)
    assert all(len(set(each)) >= 2 for each in found)
    assert any(OPERATOR not in each for each in found)
    assert fewest(charter, DirectiveKind.ACTIVATE)[1] == {(AUTHORITY, OPERATOR, OPERATOR)}


def test_under_a_licence_two_officials_order_without_the_operator():
    charter = draft("licensed-operator", founding())
    for kind in ("suspend", "restrict", "exclude", "amend_licence"):
        assert fewest(charter, DirectiveKind(kind)) == (2, {(AUTHORITY, AUTHORITY)})


def test_under_a_licence_the_operator_takes_nothing_without_the_administration():
    charter = draft("licensed-operator", founding())
    everyone_else = [name for name in PEOPLE if not name.startswith(AUTHORITY)]
    for route in charter.routes:
        if route.kind.is_reduction or route.kind is DirectiveKind.AMEND_REGION:
            assert not decides(charter, route.needs, everyone_else)


def test_under_a_licence_the_operator_alone_does_not_end_an_order():
    charter = draft("licensed-operator", founding())
    resume = next(r for r in charter.routes if r.kind is DirectiveKind.RESUME)
    assert not decides(charter, resume.needs, [person(OPERATOR, n) for n in (1, 2)])


def test_in_an_emergency_agencies_bring_service_without_the_operator():
    charter = draft("humanitarian", founding())
    _, found = fewest(charter, DirectiveKind.EMERGENCY_ACTIVATE)
    agencies = {HOSPITALS, RELIEF, PRESS}
    assert any(set(each) <= agencies for each in found)
    assert any(OPERATOR in each for each in found)


def test_agencies_take_no_service_without_the_operator_nor_it_without_two_of_them():
    charter = draft("humanitarian", founding())
    agencies = {HOSPITALS, RELIEF, PRESS}
    for kind in ("suspend", "restrict", "exclude", "lift_guarantee"):
        _, found = fewest(charter, DirectiveKind(kind))
        for each in found:
            assert OPERATOR in each
            assert len(agencies & set(each)) >= 2


def test_where_no_licence_is_needed_two_people_bring_help_at_once():
    charter = draft("humanitarian", founding())
    activate = next(r for r in charter.routes if r.kind is DirectiveKind.ACTIVATE)
    assert activate.notice_s == 0
    assert decides(charter, activate.needs, [person(OPERATOR, 1), person(RELIEF, 1)])
    assert not decides(charter, activate.needs, [person(OPERATOR, 1), person(OPERATOR, 2)])


@pytest.mark.parametrize("organisations", range(3, 6))
def test_the_root_is_a_majority_of_the_organisations_and_three_people(organisations):
    names = FIVE[:organisations]
    people = [person(each, n) for each in names for n in (1, 2)]
    charter = draft("consortium", founding(people, names))
    assert charter.root.organisations == organisations // 2 + 1
    assert charter.root.people == max(3, organisations // 2 + 1)


def test_two_organisations_are_enough_for_a_licence():
    names = FIVE[:2]
    people = [person(each, n) for each in names for n in (1, 2)]
    charter = draft("licensed-operator", founding(people, names))
    assert (charter.root.people, charter.root.organisations) == (3, 2)


def test_a_network_without_administration_waits_with_what_needs_a_licence():
    charter = draft("consortium", founding(authorities={}))
    activate = next(r for r in charter.routes if r.kind is DirectiveKind.ACTIVATE)
    with pytest.raises(InputError, match="no role"):
        decides(charter, activate.authority_needs, PEOPLE)
    assert decides(charter, activate.needs, [person(OPERATOR, n) for n in (1, 2)])


@pytest.mark.parametrize("template", TEMPLATES.values(), ids=TEMPLATES)
def test_a_template_says_in_words_what_it_does_and_where_it_fails(template):
    for text in (
        template.suits, template.protects, template.trusts, template.costs, template.fails,
    ):  # fmt: skip
        assert text.endswith(".")
        assert 30 < len(text) < 400


REFUSED = {
    "no template of that name": (
        "monarchy", {}, "choose consortium or licensed-operator or humanitarian",
    ),
    "nobody of the operator": ("consortium", {"operator": "nobody"}, 'the operator is "nobody"'),
    "nobody of the authority": (
        "consortium", {"authorities": {"XYZ": "nobody"}}, 'the authority XYZ is "nobody"',
    ),
    "who licenses is who is licensed": (
        "licensed-operator", {"authorities": {ADMINISTRATION: OPERATOR}}, "operator and authority",
    ),
    "no administration to license": (
        "licensed-operator", {"authorities": {}}, "--authority CH=",
    ),
    "one person of the operator": (
        "consortium", {"people": PEOPLE[1:]}, "1 of 2 people",
    ),
    "no agency": (
        "humanitarian", {"people": PEOPLE[:4], "organisations": FIVE[:2]}, 'no role "agencies"',
    ),
    "nobody at all": ("consortium", {"people": []}, "of which there is no card"),
}  # fmt: skip


@pytest.mark.parametrize("why", REFUSED)
def test_a_template_is_not_filled_with(why):
    template, fields, words = REFUSED[why]
    with pytest.raises(InputError, match=words):
        draft(template, founding(**fields))
