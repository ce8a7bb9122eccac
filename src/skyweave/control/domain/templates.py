"""Three charters to begin from, each with what it protects, whom it trusts, costs, and where it
fails.

A template makes a draft: its founders read it, change it and sign it.  None fits everybody, which
is why there are three; the floors of `floors` hold in all of them.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import pydantic

from skyweave.control.domain import charters
from skyweave.control.domain.documents import (
    DAY_S,
    Charter,
    DirectiveKind,
    KeyRecord,
    Need,
    Organisation,
    RoleRecord,
    Route,
)
from skyweave.control.domain.keyring import key_id_of
from skyweave.errors import InputError

MEMBERS, OPERATOR, AGENCIES, AUTHORITY = "members", "operator", "agencies", charters.AUTHORITY

Terms = dict[str, int | bool]  # fields of a route

_THREE_DAYS_S = 3 * DAY_S
_PUBLIC: Terms = {"needs_instrument": True, "needs_publication": True}
_ORDER: Terms = {**_PUBLIC, "needs_appeal": True}
_PASSING: Terms = {"notice_s": _THREE_DAYS_S, "max_duration_s": 30 * DAY_S}  # suspend, restrict
_LONG: Terms = {"notice_s": _THREE_DAYS_S, "max_duration_s": 180 * DAY_S}  # exclude
_BRIEF: Terms = {"max_duration_s": DAY_S, "cooldown_s": 30 * DAY_S}  # emergency_suspend
_RELIEF: Terms = {"max_duration_s": _THREE_DAYS_S, "needs_emergency": True}  # emergency_activate
_REDRAWN: Terms = {"notice_s": _THREE_DAYS_S}  # a region or a licence
_AMENDED: Terms = {"notice_s": 14 * DAY_S}  # the charter
_LIFTED: Terms = {"max_duration_s": 30 * DAY_S}


@dataclass(frozen=True)
class Founding:
    """What a template cannot know: who founds, with which keys, log, witnesses and dates."""

    name: str
    organisations: tuple[Organisation, ...]
    cards: tuple[KeyRecord, ...]
    operator: str  # which of the organisations runs the network
    authorities: Mapping[str, str]  # the organisation that licenses, by administration: CH
    trust: str  # log, witnesses and quorum (tlog-policy)
    salt_digest: str
    created_s: int  # s since 1970 UTC, as is:
    expires_s: int


@dataclass(frozen=True)
class Template:
    """A way to share a switch, in words that a founder can weigh."""

    name: str
    title: str
    suits: str
    protects: str
    trusts: str
    costs: str
    fails: str
    make: Callable[[Founding], Charter]


def draft(template: str, founding: Founding) -> Charter:
    """Return the first version of a charter, unsigned, which meets every check of a charter."""
    if template not in TEMPLATES:
        raise InputError(f'template "{template}" is not known; choose {" or ".join(TEMPLATES)}')
    _check_seats(founding)
    try:
        charter = TEMPLATES[template].make(founding)
    except pydantic.ValidationError as error:
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
        where = ".".join(map(str, first["loc"]))
        raise InputError(f"charter: {where}: {first['msg'][:200]}; correct it") from None
    charters.check_charter(charter)
    return charter


def consortium(founding: Founding) -> Charter:
    """Return a charter of equals: three people of two organisations take service, with notice."""
    three = _need(MEMBERS, 3, 2)
    two_apart = _need(MEMBERS, 2, 2)
    operator = _need(OPERATOR, 2)
    kind = DirectiveKind
    routes = [
        _route(kind.ACTIVATE, [operator], authority=1),
        _route(kind.RESUME, [operator], authority=1),
        _route(kind.EMERGENCY_ACTIVATE, [two_apart], _RELIEF),
        _route(kind.SUSPEND, [three], _PASSING),
        _route(kind.RESTRICT, [three], _PASSING),
        _route(kind.EXCLUDE, [three], _LONG | _PUBLIC),
        _route(kind.EMERGENCY_SUSPEND, [two_apart], _BRIEF),
        _route(kind.LIFT_GUARANTEE, [three], _LIFTED),
        _route(kind.DECIDED_NOT_TO, [two_apart]),
        _route(kind.AMEND_CHARTER, [_root(founding)], _AMENDED),
        _route(kind.AMEND_REGION, [three], _REDRAWN),
        _route(kind.AMEND_LICENCE, [three], _REDRAWN | _PUBLIC),
        _route(kind.AMEND_AGREEMENT, [two_apart]),
    ]
    return _charter("consortium", founding, routes, agreement_needs=[_need(OPERATOR, 1)])


def licensed_operator(founding: Founding) -> Charter:
    """Return a charter under a licence: what reduces is an order of the administration, in public.

    The operator has no vote on an order, and no way to reduce without the administration.
    """
    order = _need(AUTHORITY, 2)
    both = [_need(OPERATOR, 1), _need(AUTHORITY, 1)]
    operator = _need(OPERATOR, 2)
    kind = DirectiveKind
    routes = [
        _route(kind.ACTIVATE, [operator], authority=1),
        # An order can be a suspension: the operator alone must not end it.
        _route(kind.RESUME, [operator, _need(AUTHORITY, 1)]),
        _route(kind.EMERGENCY_ACTIVATE, both, _RELIEF),
        _route(kind.SUSPEND, [order], _PASSING | _ORDER),
        _route(kind.RESTRICT, [order], _PASSING | _ORDER),
        _route(kind.EXCLUDE, [order], _LONG | _ORDER),
        _route(kind.EMERGENCY_SUSPEND, both, _BRIEF),
        _route(kind.LIFT_GUARANTEE, [_need(OPERATOR, 1), order], _LIFTED),
        _route(kind.DECIDED_NOT_TO, [operator]),
        _route(kind.AMEND_CHARTER, [_root(founding)], _AMENDED),
        _route(kind.AMEND_REGION, [operator, _need(AUTHORITY, 1)], _REDRAWN),
        _route(kind.AMEND_LICENCE, [order], _REDRAWN | _ORDER),
        _route(kind.AMEND_AGREEMENT, [operator]),
    ]
    if not founding.authorities:
        raise InputError(
            "licensed-operator: no administration licenses it; name one, as --authority CH=ofcom"
        )
    return _charter("licensed-operator", founding, routes, agreement_needs=[_need(OPERATOR, 1)])


def humanitarian(founding: Founding) -> Charter:
    """Return a charter of aid: two people bring service at once; agencies must agree to take it."""
    quick = [_need(AGENCIES, 1), _need(OPERATOR, 1)]
    two_agencies = _need(AGENCIES, 2, 2)
    agreed = [_need(AGENCIES, 3, 2), _need(OPERATOR, 1)]
    kind = DirectiveKind
    routes = [
        _route(kind.ACTIVATE, quick, authority=1),
        _route(kind.RESUME, quick, authority=1),
        _route(kind.EMERGENCY_ACTIVATE, quick, _RELIEF),
        # An operator that does not answer does not hold up help.
        _route(kind.EMERGENCY_ACTIVATE, [two_agencies], _RELIEF, name="agencies_activate"),
        _route(kind.SUSPEND, agreed, _PASSING),
        _route(kind.RESTRICT, agreed, _PASSING),
        _route(kind.EXCLUDE, agreed, _LONG | _ORDER),
        _route(kind.EMERGENCY_SUSPEND, [two_agencies], _BRIEF),
        _route(kind.LIFT_GUARANTEE, agreed, _LIFTED),
        _route(kind.DECIDED_NOT_TO, [two_agencies]),
        _route(kind.AMEND_CHARTER, [_root(founding)], _AMENDED),
        _route(kind.AMEND_REGION, agreed, _REDRAWN),
        _route(kind.AMEND_LICENCE, agreed, _REDRAWN | _ORDER),
        _route(kind.AMEND_AGREEMENT, [two_agencies]),
    ]
    return _charter("humanitarian", founding, routes, agreement_needs=quick)


TEMPLATES = {
    each.name: each
    for each in (
        Template(
            "consortium",
            "Several organisations run one network together",
            "Five organisations or so that know each other and want no one of them in charge.",
            "Nobody takes service alone, not even the operator: a suspension takes three people of "
            "two organisations, 72 hours of notice and ends after at most 30 days. What the "
            "operator wants on, two of its people switch on, with the administration where a "
            "licence is needed.",
            "That three people of two member organisations do not conspire, and that the witnesses "
            "are not theirs.",
            "Three signatures in time for every change; an even split leaves things as they are.",
            "Where two organisations are one in truth, they outvote the others. A member that "
            "leaves still counts until the charter is amended, which takes a majority of the "
            "organisations and 14 days.",
            consortium,
        ),
        Template(
            "licensed-operator",
            "One operator under a licence",
            "An operator that must obey its licensing administration, and wants to show the world "
            "what it was ordered and what it was not.",
            "The operator cannot reduce service alone, nor be asked to in private: what reduces is "
            "an order that two officials sign, with its legal instrument, where it is published "
            "and where to object, after 72 hours of notice and for a time that ends. The "
            "operator has no vote on it.",
            "The administration: two of its officials can switch a region off, in public.",
            "Little: the operator's two people switch on, with one official where a licence is "
            "needed. In an emergency one of each side is enough, for a day.",
            "Where the administration is the danger. Its order is seen, dated and can be appealed, "
            "but it is obeyed; an agreement guards against it only if the parties did not except "
            "orders when they signed.",
            licensed_operator,
        ),
        Template(
            "humanitarian",
            "Agencies and an operator keep people connected",
            "Aid agencies that bring connectivity to people in need, with an operator that offers "
            "the capacity.",
            "One of an agency and one of the operator bring service at once; in a declared "
            "emergency two agencies do it without the operator, for 72 hours. To take service it "
            "takes three people of two agencies and one of the operator. Lifeline service stays "
            "on in every suspension.",
            "The agencies: that they judge need and do not abandon people under pressure.",
            "Agencies must have people who can sign within hours, day and night.",
            "Where too few agencies are left: two of them that agree can suspend for 24 hours, "
            "once in 30 days. Where service is switched on quickly, it is also switched on by "
            "mistake more easily; it takes the slow way to end it.",
            humanitarian,
        ),
    )
}


def _check_seats(founding: Founding) -> None:
    """Refuse seats of organisations that nobody of the cards is in."""
    present = {card.organisation for card in founding.cards}
    seats = {"the operator": founding.operator}
    seats |= {f"the authority {xx}": name for xx, name in founding.authorities.items()}
    for seat, organisation in seats.items():
        if organisation not in present:
            raise InputError(
                f'{seat} is "{organisation}", of which there is no card; give one of '
                f"{', '.join(sorted(present)) or 'its people a card'}"
            )
    if founding.operator in founding.authorities.values():
        raise InputError(
            f'"{founding.operator}" is operator and authority; who licenses is another '
            "organisation than who is licensed"
        )


def _root(founding: Founding) -> Need:
    """Return the root: a majority of the organisations, and three people at least."""
    majority = max(2, len(founding.organisations) // 2 + 1)
    return _need(MEMBERS, max(3, majority), majority)


def _need(role: str, people: int, organisations: int = 1) -> Need:
    return Need(role=role, people=people, organisations=organisations)


def _route(
    kind: DirectiveKind,
    needs: Iterable[Need],
    terms: Terms | None = None,
    name: str = "",
    authority: int = 0,
) -> Route:
    return Route.model_validate(
        {
            "route": name or kind.value,
            "kind": kind,
            "needs": tuple(needs),
            "authority_needs": (_need(AUTHORITY, authority),) if authority else (),
            **(terms or {}),
        }
    )


def _charter(
    template: str, founding: Founding, routes: Sequence[Route], agreement_needs: Sequence[Need]
) -> Charter:
    needs = [need for route in routes for need in route.needs]
    named = {need.role for need in (*needs, *agreement_needs, _root(founding))}
    return Charter(
        version=1,
        name=founding.name,
        template=template,
        created_s=founding.created_s,
        expires_s=founding.expires_s,
        trust=founding.trust,
        salt_digest=founding.salt_digest,
        organisations=founding.organisations,
        keys=founding.cards,
        roles=tuple(_roles(founding, named)),
        routes=tuple(routes),
        root=_root(founding),
        agreement_needs=tuple(agreement_needs),
    )


def _roles(founding: Founding, named: Collection[str]) -> Iterator[RoleRecord]:
    """Yield the roles that the routes name and that somebody is in, and those of authorities."""
    seated = {founding.operator, *founding.authorities.values()}
    organisations = {card.organisation for card in founding.cards}
    members = {
        MEMBERS: organisations,
        OPERATOR: {founding.operator},
        AGENCIES: organisations - seated,
    }
    seats = {role: names for role, names in members.items() if role in named}
    seats |= {f"{AUTHORITY}:{xx}": {name} for xx, name in founding.authorities.items()}
    for role, names in seats.items():
        ids = tuple(key_id_of(card) for card in founding.cards if card.organisation in names)
        if ids:
            yield RoleRecord(role=role, key_ids=ids)
