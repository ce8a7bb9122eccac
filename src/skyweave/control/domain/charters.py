"""Charters: who may decide what.  Each must agree with itself and leave nobody alone at a switch.

A version of a charter is signed as TUF's root metadata is: the first by its own root, every later
one by the root before it and by its own.  A key is called by the SHA-256 of its bytes, belongs to
one person of one organisation, and counts from `not_before_s` until `not_after_s`.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

from skyweave.control.domain import floors
from skyweave.control.domain.documents import (
    DAY_S,
    AgreementRecord,
    Charter,
    DirectiveKind,
    KeyRecord,
    Need,
    parse_document,
)
from skyweave.control.domain.keyring import key_id_of, public_keys, records_of
from skyweave.control.log.trust import TrustPolicy, parse_policy
from skyweave.control.signing.dsse import Envelope, signers
from skyweave.errors import InputError
from skyweave.policy import threshold

MAX_LIFE_S = 10 * 366 * DAY_S  # a charter that nobody looks at again must end by itself
AUTHORITY = floors.AUTHORITY

# How an agreement can be touched against the will of some of its parties.
_GUARDS = (DirectiveKind.LIFT_GUARANTEE, DirectiveKind.AMEND_AGREEMENT)


# Who stands for what


def trust_of(charter: Charter) -> TrustPolicy:
    """Return the log, the witnesses and the quorum of them that the charter names."""
    return parse_policy(charter.trust.encode(), "charter: trust")


def role_name(need: Need, administration: str = "") -> str:
    """Return the role of a need: "authority" stands for that of the administration named."""
    return f"{AUTHORITY}:{administration}" if need.role == AUTHORITY else need.role


def role_of(
    charter: Charter,
    need: Need,
    revoked: Mapping[str, int],
    at_s: int,
    administration: str = "",
) -> threshold.Role:
    """Return the people of a need whose keys are in their time at `at_s` (s since 1970 UTC).

    `revoked` holds the log's entry of each revocation by key id.  Refused where the charter has no
    such role, or where the keys still in their time are too few for the need ever to be met.
    """
    name = role_name(need, administration)
    keys = [
        threshold.Key(key_id, record.person, record.organisation, revoked.get(key_id))
        for key_id, record in _keys_of_role(charter, name)
        if record.not_before_s <= at_s < record.not_after_s
    ]
    return _role(name, keys, need)


def root_quorum(charter: Charter, key_ids: Iterable[str], at_s: int) -> threshold.Quorum:
    """Return whether the keys that signed a charter are its root, and who is missing."""
    role = role_of(charter, charter.root, {}, at_s)
    votes = [
        threshold.Vote(
            key_id, charter.digest, charter.version, threshold.Choice.APPROVE, at_s, at_s + 1
        )
        for key_id in key_ids
    ]
    question = threshold.Question(charter.digest, charter.version, at_s, at_entry=0)
    return threshold.evaluate(role, votes, question)


def _role(name: str, keys: Sequence[threshold.Key], need: Need) -> threshold.Role:
    return threshold.Role(name, tuple(keys), need.people, need.people, need.organisations)


def _keys_of_role(charter: Charter, name: str) -> Iterator[tuple[str, KeyRecord]]:
    listed = next((record for record in charter.roles if record.role == name), None)
    if listed is None:
        known = ", ".join(record.role for record in charter.roles)
        raise InputError(f'charter: no role "{name}"; name one of {known}, or amend the charter')
    records = records_of(charter)
    for key_id in listed.key_ids:
        if key_id not in records:
            raise InputError(
                f'charter: role "{name}": key {key_id[:12]}... is not among the keys; add its card'
            )
        yield key_id, records[key_id]


# What every charter must be


def check_charter(charter: Charter) -> None:
    """Refuse a charter that contradicts itself, that nobody could use, or that gives too much away.

    The floors under each way of deciding (module `floors`) hold for every charter.
    """
    _check_times(charter)
    _refuse_names_twice(charter)
    _refuse_a_key_twice(charter)
    _refuse_unknown_organisations(charter)
    _refuse_a_person_of_two_organisations(charter)
    _check_trust(charter)
    _check_roles(charter)
    _check_needs(charter)
    floors.check_floors(charter, trust_of(charter))


def _check_times(charter: Charter) -> None:
    if not charter.created_s < charter.expires_s <= charter.created_s + MAX_LIFE_S:
        raise InputError(
            f"charter: ends {charter.expires_s - charter.created_s:,} s after it was made, "
            f"expected 1 to {MAX_LIFE_S:,} (ten years); change expires_s"
        )
    for key in charter.keys:
        if key.not_before_s >= key.not_after_s:
            raise InputError(
                f'charter: the key of "{key.person}" ends before it begins; make its card anew'
            )


def _refuse_names_twice(charter: Charter) -> None:
    lists = {
        "organisation": [each.organisation for each in charter.organisations],
        "role": [each.role for each in charter.roles],
        "route": [each.route for each in charter.routes],
    }
    for what, names in lists.items():
        if repeated := _repeated(names):
            raise InputError(f'charter: {what} "{repeated}" stands there twice; keep one')


def _refuse_a_key_twice(charter: Charter) -> None:
    """One key under two names would be one signature and two votes."""
    if repeated := _repeated(key_id_of(record) for record in charter.keys):
        raise InputError(
            f"charter: key {repeated[:12]}... stands there twice; one key has one owner, keep one"
        )


def _refuse_unknown_organisations(charter: Charter) -> None:
    known = {each.organisation for each in charter.organisations}
    for key in charter.keys:
        if key.organisation not in known:
            raise InputError(
                f'charter: "{key.person}" is of "{key.organisation}", which is not among the '
                "organisations; add it"
            )


def _refuse_a_person_of_two_organisations(charter: Charter) -> None:
    """Somebody in two organisations would make two organisations agree alone."""
    home: dict[str, str] = {}
    for key in charter.keys:
        if home.setdefault(key.person, key.organisation) != key.organisation:
            raise InputError(
                f'charter: "{key.person}" is of "{home[key.person]}" and of "{key.organisation}"; '
                "a person signs for one organisation: choose one"
            )


def _check_trust(charter: Charter) -> None:
    trust = trust_of(charter)
    if len(trust.logs) != 1:
        raise InputError(f"charter: trust: {len(trust.logs)} log lines; a charter has one log")
    known = {key.raw for key in public_keys(charter).values()}
    for key in (*trust.logs, *trust.witnesses.values()):
        if key.public.raw in known:
            raise InputError(
                f'charter: the key of "{key.name}" is a person\'s too; make a log and each witness '
                "a key of its own"
            )
    if trust.logs[0].public in {key.public for key in trust.witnesses.values()}:
        raise InputError("charter: trust: the log is its own witness; name another witness")


def _check_roles(charter: Charter) -> None:
    for record in charter.roles:
        if record.role == AUTHORITY:
            raise InputError(
                f'charter: role "{AUTHORITY}" names no administration; write "{AUTHORITY}:CH"'
            )
        if repeated := _repeated(record.key_ids):
            raise InputError(
                f'charter: role "{record.role}": key {repeated[:12]}... stands there twice; '
                "keep one"
            )
        for _ in _keys_of_role(charter, record.role):
            pass  # each is known, or that refuses


def _check_needs(charter: Charter) -> None:
    """Refuse needs of roles that are not there, and those that nobody could ever meet."""
    for where, needs in (("root", [charter.root]), ("agreement_needs", charter.agreement_needs)):
        _check_can_be_met(charter, where, needs)
        if any(need.role == AUTHORITY for need in needs):
            raise InputError(
                f'charter: {where}: "{AUTHORITY}" of which administration is not known there; '
                f'write "{AUTHORITY}:CH" or another role'
            )
    for route in charter.routes:
        where = f'route "{route.route}"'
        _check_can_be_met(charter, where, route.needs)
        _refuse_deadlock(charter, where, route.needs)
        for need in route.authority_needs:
            _check_authority_need(charter, where, need)


def _check_authority_need(charter: Charter, where: str, need: Need) -> None:
    """Refuse what is no authority's, for the licence stands on it alone.

    There may be no authority yet: what needs one then waits until the charter is amended.
    """
    if need.role != AUTHORITY:
        raise InputError(
            f'charter: {where}: authority_needs name "{need.role}"; write "{AUTHORITY}", which '
            "stands for whichever administration it is"
        )
    if floors.administrations(charter):
        _check_can_be_met(charter, where, [need])


def _check_can_be_met(
    charter: Charter, where: str, needs: Iterable[Need], without: str = ""
) -> None:
    """Refuse needs that all the keys of the charter's life together could not meet."""
    for need in needs:
        names = floors.roles_of(charter, need)
        if not names:
            raise InputError(
                f'charter: {where}: no role "{need.role}:XX" of any administration; add one, or '
                "choose another role"
            )
        for name in names:
            keys = [
                threshold.Key(key_id, record.person, record.organisation)
                for key_id, record in _keys_of_role(charter, name)
                if record.not_before_s < charter.expires_s
                and record.not_after_s > charter.created_s
                and record.person != without
            ]
            try:
                _role(name, keys, need)
            except InputError as error:
                raise InputError(f"charter: {where}: {error}") from None


def _refuse_deadlock(charter: Charter, where: str, needs: Sequence[Need]) -> None:
    """Refuse what nobody could propose: who proposes does not vote, and somebody must."""
    for person in dict.fromkeys(key.person for key in charter.keys):
        try:
            _check_can_be_met(charter, where, needs, without=person)
        except InputError:
            continue
        return
    raise InputError(
        f"charter: {where}: who proposes does not vote, and then too few are left; need fewer "
        "people or add some"
    )


def _repeated(names: Iterable[str]) -> str:
    """Return a name that stands there twice, "" where none does."""
    return next((name for name, count in Counter(names).items() if count > 1), "")


# The first version and the next


def verify_genesis(envelope: Envelope, source: str = "genesis") -> Charter:
    """Return the charter of a log's first entry: version 1, sound, signed by its own root."""
    charter = charter_of(envelope, source)
    if charter.version != 1:
        raise InputError(
            f"{source}: version {charter.version} of a charter; a log begins with version 1"
        )
    check_charter(charter)
    _refuse_unsigned_genesis(charter, envelope, source)
    return charter


def charter_of(envelope: Envelope, source: str) -> Charter:
    """Return the charter in an envelope; nothing of it is checked but its form."""
    if envelope.payload_type != Charter.payload_type():
        raise InputError(
            f"{source}: found {envelope.payload_type[:80]}, expected a charter; name another file"
        )
    return parse_document(envelope.payload, Charter, source)


def root_signers(charter: Charter, envelope: Envelope) -> tuple[str, ...]:
    """Return the ids of the charter's keys whose signatures in the envelope hold."""
    return signers(envelope, public_keys(charter), Charter.payload_type())


def _refuse_unsigned_genesis(charter: Charter, envelope: Envelope, source: str) -> None:
    quorum = root_quorum(charter, root_signers(charter, envelope), charter.created_s)
    if not quorum:
        raise InputError(
            f"{source}: the root has not signed: so far {', '.join(quorum.missing)}; have them "
            "sign the charter first"
        )


def check_amendment(
    old: Charter,
    new: Charter,
    agreements: Iterable[AgreementRecord] = (),
    revoked: Collection[str] = (),
) -> None:
    """Refuse a next version that skips one, changes what may not change, or lowers a guard.

    `agreements` are those in force, `revoked` the ids of keys that the log revokes.  That the roots
    of both versions signed is for their quorums to say, as is the consent of `agreements_touched`.
    """
    check_charter(new)
    _refuse_another_version(old, new)
    _refuse_earlier_date(old, new)
    _refuse_other_trust(old, new)
    _refuse_relabelled_keys(old, new)
    _refuse_revoked_keys(new, revoked)
    if any(True for _ in agreements):
        _refuse_lowered_guards(old, new)


def agreements_touched(
    old: Charter, new: Charter, agreements: Iterable[AgreementRecord]
) -> tuple[str, ...]:
    """Return the agreements whose own quorum must consent, for their parties' keys change.

    Whoever could give a party new signers could sign in its name and lift what guards it.
    """
    changed = {
        record.organisation
        for one, other in ((old, new), (new, old))
        for record in one.keys
        if record not in other.keys
    }
    return tuple(each.agreement_id for each in agreements if changed & set(each.parties))


def _refuse_another_version(old: Charter, new: Charter) -> None:
    """Neither back to what was replaced nor past versions that nobody saw."""
    if new.version != old.version + 1:
        raise InputError(
            f"charter: version {new.version} after {old.version}; expected {old.version + 1}"
        )


def _refuse_earlier_date(old: Charter, new: Charter) -> None:
    if new.created_s < old.created_s:
        raise InputError(
            "charter: dated before the version that it amends; set created_s to its day"
        )


def _refuse_other_trust(old: Charter, new: Charter) -> None:
    """Another log or salt would leave what stands in this one without witness or meaning."""
    for name in ("trust", "salt_digest"):
        if getattr(new, name) != getattr(old, name):
            raise InputError(
                f"charter: {name} differs from version {old.version}; start a new log to change it"
            )


def _refuse_relabelled_keys(old: Charter, new: Charter) -> None:
    """A key given to another name would make one person two, or move a vote elsewhere."""
    before = records_of(old)
    for key_id, record in records_of(new).items():
        was = before.get(key_id, record)
        if (was.person, was.organisation) != (record.person, record.organisation):
            raise InputError(
                f'charter: key {key_id[:12]}... of "{was.person}" of "{was.organisation}" changes '
                "its owner; make a new key"
            )


def _refuse_revoked_keys(new: Charter, revoked: Collection[str]) -> None:
    for key_id, record in records_of(new).items():
        if key_id in revoked:
            raise InputError(
                f'charter: key {key_id[:12]}... of "{record.person}" was revoked; make a new key'
            )


def _refuse_lowered_guards(old: Charter, new: Charter) -> None:
    """While agreements are in force, what may touch them takes as many signatures as before."""
    if not floors.covers([new.root.model_copy(update={"role": old.root.role})], [old.root]):
        raise _lowered("root")
    if not floors.covers(new.agreement_needs, old.agreement_needs):
        raise _lowered("agreement_needs")
    for route in new.routes:
        if route.kind in _GUARDS and not any(
            floors.covers(route.needs, was.needs) for was in old.routes if was.kind is route.kind
        ):
            raise _lowered(f'route "{route.route}"')


def _lowered(where: str) -> InputError:
    return InputError(
        f"charter: {where}: fewer signatures than the version before, while agreements are in "
        "force; keep as many, or wait until they end"
    )
