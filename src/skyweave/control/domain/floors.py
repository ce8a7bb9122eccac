"""What no charter may go below, whoever signs it: how many must agree, how early, for how long.

A floor is what keeps "the charter allows it" from meaning "one person can".  People and
organisations are counted as the fewest that could meet all needs of a route together.
"""

import itertools
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

from skyweave.control.domain.documents import DAY_S, Charter, DirectiveKind, Need, Route
from skyweave.control.domain.keyring import records_of
from skyweave.control.log.trust import TrustPolicy
from skyweave.errors import InputError

AUTHORITY = "authority"
HOUR_S = 3600


@dataclass(frozen=True)
class Floor:
    """The least that a route of a kind demands; 0 or None: nothing."""

    people: int = 1
    organisations: int = 1  # an order of an administration needs its own instead
    notice_s: int = 0
    max_duration_s: int | None = None
    cooldown_s: int = 0
    says: tuple[str, ...] = ()  # fields of `Route` that must be set
    may_be_order: bool = False


_PUBLIC = ("needs_instrument", "needs_publication")
_ORDER = (*_PUBLIC, "needs_appeal")
_WORDS = {
    "needs_instrument": "a named legal instrument",
    "needs_publication": "the place of its publication",
    "needs_appeal": "where those affected may object",
    "needs_emergency": "a declared emergency by name",
}
_THREE_DAYS_S = 3 * DAY_S

FLOORS = {
    DirectiveKind.ACTIVATE: Floor(people=2),
    DirectiveKind.RESUME: Floor(people=2),
    DirectiveKind.EMERGENCY_ACTIVATE: Floor(
        2, 2, max_duration_s=_THREE_DAYS_S, says=("needs_emergency",)
    ),
    DirectiveKind.SUSPEND: Floor(
        2, 2, _THREE_DAYS_S, max_duration_s=30 * DAY_S, may_be_order=True
    ),
    DirectiveKind.EMERGENCY_SUSPEND: Floor(
        2, 2, max_duration_s=DAY_S, cooldown_s=30 * DAY_S
    ),
    DirectiveKind.RESTRICT: Floor(
        2, 2, _THREE_DAYS_S, max_duration_s=30 * DAY_S, may_be_order=True
    ),
    DirectiveKind.EXCLUDE: Floor(
        2, 2, _THREE_DAYS_S, max_duration_s=180 * DAY_S, says=_PUBLIC, may_be_order=True
    ),
    DirectiveKind.LIFT_GUARANTEE: Floor(2, 2, max_duration_s=180 * DAY_S, may_be_order=True),
    DirectiveKind.DECIDED_NOT_TO: Floor(),
    DirectiveKind.AMEND_CHARTER: Floor(2, notice_s=14 * DAY_S),
    # A region drawn smaller, or a licence declared void, takes service as an exclusion does.
    DirectiveKind.AMEND_REGION: Floor(2, 2, _THREE_DAYS_S, may_be_order=True),
    DirectiveKind.AMEND_LICENCE: Floor(2, 2, _THREE_DAYS_S, says=_PUBLIC, may_be_order=True),
    DirectiveKind.AMEND_AGREEMENT: Floor(people=2),
}  # fmt: skip


def check_floors(charter: Charter, trust: TrustPolicy) -> None:
    """Refuse routes below the floors; `trust` is what the charter's own text says."""
    _refuse_unwitnessed_reductions(charter, trust)
    _refuse_weak_root(charter)
    for route in charter.routes:
        _refuse_too_few_people(charter, route)
        _refuse_one_organisation(charter, route)
        _refuse_short_notice(route)
        _refuse_no_end(route)
        _refuse_short_cooldown(route)
        _refuse_missing_statements(route)
        _refuse_amendment_below_root(charter, route)
        _refuse_licence_change_below_exclusion(charter, route)
        _refuse_licence_without_authority(route)


def administrations(charter: Charter) -> tuple[str, ...]:
    """Return the administrations that have a role in the charter."""
    prefix = f"{AUTHORITY}:"
    return tuple(x.role.removeprefix(prefix) for x in charter.roles if x.role.startswith(prefix))


def roles_of(charter: Charter, need: Need) -> tuple[str, ...]:
    """Return the roles that a need may stand for: several where it names no administration."""
    if need.role != AUTHORITY:
        return (need.role,)
    return tuple(f"{AUTHORITY}:{each}" for each in administrations(charter))


def is_order(route: Route) -> bool:
    """Return whether a route is an order of the administration, public and open to appeal."""
    signed = any(need.role == AUTHORITY and need.people >= 2 for need in route.needs)
    return signed and all(getattr(route, field) for field in _ORDER)


def covers(needs: Collection[Need], others: Iterable[Need]) -> bool:
    """Return whether needs ask at least as much as others: of each role as many or more."""
    return all(
        any(
            need.role == other.role
            and need.people >= other.people
            and need.organisations >= other.organisations
            for need in needs
        )
        for other in others
    )


def fewest(charter: Charter, needs: Sequence[Need]) -> tuple[int, int]:
    """Return the fewest people, and organisations, that meet all needs at once.

    Needs whose roles share nobody add up; those that share somebody may be met by the same.  It is
    a lower bound: where more are needed in truth, the floors hold all the more.
    """
    people = [_members(charter, need, "person") for need in needs]
    organisations = [_members(charter, need, "organisation") for need in needs]
    return (
        _most_apart(people, [need.people for need in needs]),
        _most_apart(organisations, [need.organisations for need in needs]),
    )


def _most_apart(members: Sequence[frozenset[str]], counts: Sequence[int]) -> int:
    """Return the largest sum of counts over members of which no two overlap."""
    every = range(len(counts))
    choices = itertools.chain.from_iterable(
        itertools.combinations(every, size) for size in range(1, len(counts) + 1)
    )
    return max(
        sum(counts[n] for n in chosen)
        for chosen in choices
        if all(not members[a] & members[b] for a, b in itertools.combinations(chosen, 2))
    )


def _members(charter: Charter, need: Need, field: str) -> frozenset[str]:
    names = roles_of(charter, need)
    ids = {key_id for role in charter.roles if role.role in names for key_id in role.key_ids}
    return frozenset(
        str(getattr(record, field))
        for key_id, record in records_of(charter).items()
        if key_id in ids
    )


def _refuse_unwitnessed_reductions(charter: Charter, trust: TrustPolicy) -> None:
    """Without witnesses a log's keeper could show a cut to some and hide it from others."""
    if any(r.kind.is_reduction for r in charter.routes) and trust.has_quorum(frozenset()):
        raise InputError(
            "charter: trust: no witness is needed, and service can be taken; name witnesses and "
            "a quorum of them"
        )


def _refuse_weak_root(charter: Charter) -> None:
    """Who changes the charter changes every quorum in it."""
    if charter.root.people < 2 or charter.root.organisations < 2:
        raise InputError(
            f"charter: root: {charter.root.people} people of {charter.root.organisations} "
            "organisations; expected at least 2 of 2: raise them"
        )


def _refuse_too_few_people(charter: Charter, route: Route) -> None:
    people, least = fewest(charter, route.needs)[0], FLOORS[route.kind].people
    if people < least:
        raise _below(route, f"{people} could decide alone", f"at least {least} people")


def _refuse_one_organisation(charter: Charter, route: Route) -> None:
    floor = FLOORS[route.kind]
    organisations = fewest(charter, route.needs)[1]
    if organisations >= floor.organisations or (floor.may_be_order and is_order(route)):
        return
    order = ", or an order with instrument, publication and appeal" if floor.may_be_order else ""
    raise _below(
        route,
        f"{organisations} organisation could decide alone",
        f"at least {floor.organisations}{order}",
    )


def _refuse_short_notice(route: Route) -> None:
    least_s = FLOORS[route.kind].notice_s
    if route.notice_s < least_s:
        raise _below(route, f"notice of {_hours(route.notice_s)}", f"at least {_hours(least_s)}")


def _refuse_no_end(route: Route) -> None:
    most_s = FLOORS[route.kind].max_duration_s
    if most_s is not None and not 0 < (route.max_duration_s or 0) <= most_s:
        found = "no longest duration" if not route.max_duration_s else _hours(route.max_duration_s)
        raise _below(route, found, f"at most {_hours(most_s)}")


def _refuse_short_cooldown(route: Route) -> None:
    least_s = FLOORS[route.kind].cooldown_s
    if route.cooldown_s < least_s:
        raise _below(
            route, f"cooldown of {_hours(route.cooldown_s)}", f"at least {_hours(least_s)}"
        )


def _refuse_missing_statements(route: Route) -> None:
    for field in FLOORS[route.kind].says:
        if not getattr(route, field):
            raise _below(route, f"{field} is not set", _WORDS[field])


def _refuse_amendment_below_root(charter: Charter, route: Route) -> None:
    """The root of the charter is what an amendment changes: nothing less may do it."""
    if route.kind is DirectiveKind.AMEND_CHARTER and not covers(route.needs, [charter.root]):
        raise _below(route, "fewer signatures than the root", "the root's need among its needs")


def _refuse_licence_change_below_exclusion(charter: Charter, route: Route) -> None:
    """A licence declared void by fewer would be a back door to an exclusion."""
    exclusions = [r for r in charter.routes if r.kind is DirectiveKind.EXCLUDE]
    if route.kind is DirectiveKind.AMEND_LICENCE and not any(
        covers(route.needs, other.needs) for other in exclusions
    ):
        raise _below(
            route, "fewer signatures than an exclusion", "those of a route of the kind exclude"
        )


def _refuse_licence_without_authority(route: Route) -> None:
    """Where a licence is needed, nobody brings one but with its administration's word."""
    if route.kind is DirectiveKind.ACTIVATE and not route.authority_needs:
        raise _below(route, "no authority_needs", f'a need of "{AUTHORITY}" for licensed regions')


def _below(route: Route, found: str, expected: str) -> InputError:
    return InputError(
        f'charter: route "{route.route}" ({route.kind}): {found}; expected {expected}: change the '
        "route"
    )


def _hours(seconds: int) -> str:
    return f"{seconds / HOUR_S:g} h"
