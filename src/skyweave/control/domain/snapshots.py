"""The policy snapshot of an authority: all that crosses to the twin, for any time it may ask.

A snapshot holds every directive that was or will be in effect with the span in which it really is,
so that the past and what is scheduled can be asked of it.  A version of a region is "ID@VERSION";
what rests on a version stays on its cells whatever the region becomes.
"""

from collections.abc import Collection, Iterator, Mapping
from types import MappingProxyType

from skyweave.control.domain.allow_lists import is_fair_change, parse_allow_list
from skyweave.control.domain.documents import DirectiveKind, FloorRecord
from skyweave.control.domain.objects import content_of, geometry_in
from skyweave.control.domain.rules import ACTIVATIONS, CHANGES_CELLS
from skyweave.control.domain.state import (
    AgreementState,
    Authority,
    CellArray,
    DirectiveState,
    RegionVersion,
)
from skyweave.errors import InputError
from skyweave.policy.allow_list import AllowList
from skyweave.policy.snapshot import (
    Agreement,
    Claim,
    Directive,
    Floor,
    Kind,
    PolicyRegion,
    Snapshot,
)

_NOTHING: Mapping[str, bytes] = MappingProxyType({})


def snapshot_of(
    authority: Authority,
    *,
    log_origin: str,
    log_root: str,
    salt: str,
    private: Mapping[str, bytes] = _NOTHING,
) -> Snapshot:
    """Return the policy as a log has it at `authority.now_s`.

    `salt` is hexadecimal; terminals and accounts in agreements are hashed under it.  `private`
    holds, by digest, withheld geometries and allow lists, where the reader has them.  What rests on
    a geometry that nobody here has is left out (`unseen` names it).
    """
    maker = _Maker(authority, private)
    agreements = tuple(maker.agreements())
    directives = tuple(maker.directives({each.agreement_id for each in agreements}))
    return Snapshot(
        version=authority.size,
        log_origin=log_origin,
        log_size=authority.size,
        log_root=log_root,
        charter_version=authority.charter.version,
        taken_at_s=authority.now_s,
        salt=salt,
        regions=tuple(maker.regions(directives, agreements)),
        directives=directives,
        agreements=agreements,
        allow_lists=tuple(maker.allow_lists(directives)),
    )


def unseen(authority: Authority, private: Mapping[str, bytes] = _NOTHING) -> tuple[str, ...]:
    """Return the versions of regions whose cells nobody here knows, ascending."""
    maker = _Maker(authority, private)
    return tuple(
        sorted(
            version.snapshot_id
            for versions in authority.regions.values()
            for version in versions
            if maker.cells_of(version) is None
        )
    )


def in_effect(authority: Authority) -> Iterator[DirectiveState]:
    """Yield the directives on cells that were in effect, are, or will be unless more comes."""
    for state in authority.directives.values():
        if state.does in CHANGES_CELLS and _has_span(state):
            yield state


def _has_span(state: DirectiveState) -> bool:
    if state.from_s is None or state.approved_entry is None:
        return False
    return state.until_s is None or state.from_s < state.until_s


class _Maker:
    """Turns states into records; asks for each geometry once."""

    def __init__(self, authority: Authority, private: Mapping[str, bytes]) -> None:
        self.authority = authority
        self.private = private
        self._cells: dict[str, CellArray | None] = {}

    def cells_of(self, version: RegionVersion) -> CellArray | None:
        """Return a version's cells, published or private, None where neither is here."""
        if version.cells is not None:
            return version.cells
        name = version.snapshot_id
        if name not in self._cells:
            geometry = geometry_in(self.private, version.record)
            self._cells[name] = None if geometry is None else geometry.cells
        return self._cells[name]

    def directives(self, agreement_ids: Collection[str]) -> Iterator[Directive]:
        """Yield what rests on cells known here; a lift of none of these agreements says nothing."""
        for state in in_effect(self.authority):
            version = _region_of(self.authority, state)
            if self.cells_of(version) is None:
                continue
            directive = self._directive(state, version)
            if not directive.agreement_id or directive.agreement_id in agreement_ids:
                yield directive

    def _directive(self, state: DirectiveState, version: RegionVersion) -> Directive:
        directive = state.proposal.directive
        assert state.approved_entry is not None
        assert state.from_s is not None
        lifts = ""
        if state.does is DirectiveKind.LIFT_GUARANTEE:
            lifts = self._version_at(directive.agreement_id, state.from_s).snapshot_id
        return Directive(
            directive_id=directive.directive_id,
            kind=Kind(state.does.value),
            region_id=version.snapshot_id,
            entry=state.approved_entry,
            from_s=state.from_s,
            until_s=state.until_s,
            reason=directive.reason,
            agreement_id=lifts,
            exception=directive.exception,
            max_down_bps=directive.max_down_bps,
            max_up_bps=directive.max_up_bps,
            spares_lifeline=not directive.forbids_lifeline,
        )

    def _version_at(self, agreement_id: str, at_s: int) -> AgreementState:
        """Return the version of an agreement that holds at a time, the newest where none does."""
        versions = [
            each
            for each in self.authority.agreement_history
            if each.record.agreement_id == agreement_id
        ]
        return next((each for each in versions if each.holds(at_s)), versions[-1])

    def agreements(self) -> Iterator[Agreement]:
        for state in self.authority.agreement_history:
            known = [each for each in state.regions if self.cells_of(each) is not None]
            if state.from_s < state.until_s and known:
                yield _agreement(state, known)

    def regions(
        self, directives: tuple[Directive, ...], agreements: tuple[Agreement, ...]
    ) -> Iterator[PolicyRegion]:
        """Yield the versions that records rest on.

        Only where a quorum switched on, or an agreement guarantees, may a region make service
        lawful by needing no licence: a region that one person drew to be suspended must not.
        """
        gives = {d.region_id for d in directives if DirectiveKind(d.kind.value) in ACTIVATIONS}
        gives |= {region_id for each in agreements for region_id in each.region_ids}
        named = gives | {d.region_id for d in directives}
        for versions in self.authority.regions.values():
            for version in versions:
                cells = self.cells_of(version)
                if version.snapshot_id in named and cells is not None:
                    yield self._region(version, cells, is_lawful=version.snapshot_id in gives)

    def _region(self, version: RegionVersion, cells: CellArray, *, is_lawful: bool) -> PolicyRegion:
        record = version.record
        licences = self.authority.licences.get(record.region_id, ())
        return PolicyRegion(
            region_id=version.snapshot_id,
            version=record.version,
            digest=record.digest_of_region,
            cells=cells,
            needs_licence=record.needs_licence or not is_lawful,
            licences=licences if is_lawful else (),
            claims=tuple(Claim(each.administration, each.basis) for each in record.claims),
        )

    def allow_lists(self, directives: tuple[Directive, ...]) -> Iterator[AllowList]:
        for directive in directives:
            digests = self.authority.directives[directive.directive_id].allow_lists
            if digests:
                yield self._newest_list(directive, digests)

    def _newest_list(self, directive: Directive, digests: tuple[tuple[str, int], ...]) -> AllowList:
        """Return the list after all changes but those that cut somebody off without notice.

        A change that is no list changes nothing: its keeper alone must not stop a policy.
        """
        newest = self._allow_list(directive, digests[0][0])
        for digest, at_s in digests[1:]:
            self._refuse_unknown_list(directive, digest)
            try:
                changed = self._allow_list(directive, digest)
            except InputError:
                continue
            if is_fair_change(newest, changed, at_s):
                newest = changed
        return newest

    def _refuse_unknown_list(self, directive: Directive, digest: str) -> None:
        what = f'directive "{directive.directive_id}": allow list'
        if digest not in self.private:
            raise InputError(
                f"{what}: not in this copy of the log, and without it nobody knows who is listed; "
                "ask the log's keeper for it"
            )

    def _allow_list(self, directive: Directive, digest: str) -> AllowList:
        self._refuse_unknown_list(directive, digest)
        what = f'directive "{directive.directive_id}": allow list'
        assert directive.until_s is not None  # a restriction always ends
        return parse_allow_list(
            content_of(self.private, digest, what),
            what,
            region_id=directive.region_id,
            directive_id=directive.directive_id,
            entry=directive.entry,
            from_s=directive.from_s,
            until_s=directive.until_s,
        )


def _region_of(authority: Authority, state: DirectiveState) -> RegionVersion:
    directive = state.proposal.directive
    versions = authority.regions[directive.region_id]
    return next(each for each in versions if each.digest == directive.region)


def _agreement(state: AgreementState, regions: list[RegionVersion]) -> Agreement:
    record = state.record
    return Agreement(
        agreement_id=state.snapshot_id,
        entry=state.entry,
        region_ids=tuple(each.snapshot_id for each in regions),
        from_s=state.from_s,
        until_s=state.until_s,
        floor=_floor(record.floor),
        terminal_hashes=record.terminal_hashes,
        account_hashes=record.account_hashes,
        exceptions=record.exceptions,
    )


def _floor(record: FloorRecord) -> Floor:
    return Floor(**record.model_dump())
