"""An impact report in plain English, line by line, for those who are about to sign."""

from collections.abc import Iterator

import numpy as np

from skyweave.control.domain.documents import DirectiveKind
from skyweave.control.domain.impact import ImpactReport, Outcome
from skyweave.control.domain.impact_public import (
    FEW,
    WITHHELD,
    Figure,
    Parts,
    PublicAgreement,
    PublicBorder,
    PublicImpact,
    exact_form,
)

_BECOMES = {
    Outcome.LOSES: "lose service",
    Outcome.WARNED: "are warned, and lose service when their grace ends",
    Outcome.LIFELINE: "keep only the lifeline",
    Outcome.RESTRICTED: "keep service at a lower rate",
    Outcome.GAINS: "gain service",
    Outcome.RAISED: "get a higher rate",
    Outcome.GUARANTEED: "keep service as it is, by an agreement",
    Outcome.KEEPS: "keep service as it is",
    Outcome.WITHOUT: "have no service, before and after",
}


def report_lines(report: ImpactReport | PublicImpact) -> list[str]:
    """Return what a report says; an exact report is told in full, small counts and all."""
    form = report if isinstance(report, PublicImpact) else exact_form(report)
    return [
        f"Impact of {form.does} on {form.region_id} from {_utc(form.at_s)}{_until(form.until_s)}:",
        *(f"  {line}" for line in _lines(form)),
    ]


def _lines(form: PublicImpact) -> Iterator[str]:
    for outcome, becomes in _BECOMES.items():
        figure = form.terminals[outcome.word]
        if outcome is Outcome.LOSES or _is_some(figure):  # losses are said, few or none
            yield f"{becomes}: {_terminals(figure)}{_parted(form, outcome)}"
    if form.by_reason:
        yield f"why, as their dishes will show it: {_listed(form.by_reason)}"
    if _is_some(form.unguaranteed):
        yield f"lose the guarantee of an agreement: {_terminals(form.unguaranteed)}"
    yield f"left without any service: {_number(form.accounts_cut_off)} accounts"
    if _is_some(form.moving):
        yield f"move, and where they go is not predicted: {_terminals(form.moving)}"
    if _is_some(form.unplaced):
        yield f"in no known cell, so not counted: {_terminals(form.unplaced)} of the fleet"
    yield from _people(form)
    if form.border is not None:
        yield from _border(form.border)
    for agreement in form.agreements:
        yield _agreement(agreement, form)
    yield f"asked for by: {', '.join(form.request_ids) or 'no request that is on record'}"


def _parted(form: PublicImpact, outcome: Outcome) -> str:
    """Return the breakdowns of an outcome, in brackets."""
    sponsors = None if form.by_sponsor is None else form.by_sponsor[outcome.word]
    title = "sponsors: " if form.step == 1 else "largest sponsors: "
    found = (("", form.by_service_class[outcome.word]), (title, sponsors))
    parts = [f"{title}{_listed(parts)}" for title, parts in found if parts]
    return f" ({'; '.join(parts)})" if parts else ""


def _listed(parts: Parts) -> str:
    largest_first = sorted(parts.items(), key=lambda item: (-item[1], item[0]))
    return ", ".join(f"{name or 'none'} {count:,}" for name, count in largest_first)


def _people(form: PublicImpact) -> Iterator[str]:
    if form.cells is None or form.people is None:
        yield "people and cells are withheld until the region's geometry is published"
        return
    for outcome in Outcome:
        cells, people = (found.get(outcome.word, 0) for found in (form.cells, form.people))
        if cells and outcome is not Outcome.WITHOUT:
            would = f"in {cells:,} cells an ordinary terminal would {_VERB[outcome]}"
            yield f"{would}; {_towns(people)} live there"


_VERB = {
    Outcome.LOSES: "lose service",
    Outcome.WARNED: "be warned",
    Outcome.LIFELINE: "keep only the lifeline",
    Outcome.RESTRICTED: "keep service at a lower rate",
    Outcome.GAINS: "gain service",
    Outcome.RAISED: "get a higher rate",
    Outcome.GUARANTEED: "keep service by an agreement",
    Outcome.KEEPS: "keep service as it is",
}


def _border(border: PublicBorder) -> Iterator[str]:
    if border.cells_beyond:
        yield (
            f"{border.cells_beyond:,} of its cells reach beyond the border: "
            f"{_towns(border.people_beyond)} outside live in them; "
            f"lose service in them: {_terminals(border.losing_beyond)}"
        )
    if border.cells_spill:
        yield (
            f"{border.cells_spill:,} cells that reach inside the border are not among them: "
            f"{_towns(border.people_spill)} inside live there"
        )


def _agreement(found: PublicAgreement, form: PublicImpact) -> str:
    says = [f"agreement {found.agreement_id} keeps {_terminals(found.protects)} on"]
    if _is_some(found.breaks):
        says.append(f"is broken for {_terminals(found.breaks)}")
    if form.at_s < found.from_s:
        says.append(f"begins only on {_utc(found.from_s)}")
    if form.until_s is None or found.until_s < form.until_s:
        says.append(f"ends before the directive, on {_utc(found.until_s)}")
    if found.blocks:
        is_final = form.does is DirectiveKind.EMERGENCY_SUSPEND
        says.append(
            "BLOCKS it" + ("" if is_final else " until the agreement's own quorum approves")
        )
    return "; ".join(says)


def _towns(people: int) -> str:
    return f"at least {people:,} people" if people else "no town's people"


def _is_some(figure: Figure) -> bool:
    return figure not in (0, FEW)


def _terminals(figure: Figure) -> str:
    return "1 terminal" if figure == 1 else f"{_number(figure)} terminals"


def _number(figure: Figure) -> str:
    if isinstance(figure, int):
        return f"{figure:,}"
    return "a withheld number of" if figure == WITHHELD else figure


def _until(until_s: int | None) -> str:
    return "" if until_s is None else f" until {_utc(until_s)}"


def _utc(at_s: int) -> str:
    minute = np.datetime64(at_s, "s").astype("datetime64[m]")
    return f"{minute} UTC".replace("T", " ", 1)
