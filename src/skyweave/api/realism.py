"""How close the twin is to real dishes, on anyone's files."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from skyweave.api.policy import system_of
from skyweave.api.scenarios import Progress, ScenarioSource, load_scenario, silent, warned
from skyweave.errors import InputError
from skyweave.places import check_country_codes
from skyweave.realism import compare as comparison
from skyweave.realism import countries, identify, pings, serving
from skyweave.realism.compare_plot import plot_compare
from skyweave.time import parse_utc
from skyweave.twin.results.style import check_picture

Pair = tuple[float, float]


def compare(
    scenario: ScenarioSource,
    measured: str | Path,
    *,
    terminal: str | None = None,
    read: str | None = None,
    out: str | Path | None = None,
    progress: Progress = silent,
) -> dict[str, Any]:
    """Lay a measured series of round trips over a run of a scenario, for one of its terminals.

    Without `terminal` that is the first.  `read` is when a dish's history was read, where the file
    does not tell.  `out` is a picture to draw.
    """
    if out is not None:
        check_picture(Path(out))
    system = system_of(load_scenario(scenario))
    found = comparison.compare(
        system, measured, terminal, read_utc=None if read is None else parse_utc(read, "--read"),
        progress=warned(system, progress),
    )  # fmt: skip
    if out is not None:
        plot_compare(found, out)
    return found


def realism_serving(
    chosen: str | Path,
    candidates: str | Path,
    elements: str | Path,
    *,
    site: Pair | None = None,
    boresight: Pair | None = None,
    max_age_days: float | None = None,
    seed: int = 0,
    progress: Progress = silent,
) -> dict[str, Any]:
    """Say how every rule ranks the satellites that a dish is known to have used.

    `site` is latitude and longitude of its city, `boresight` azimuth and elevation that it tells;
    what needs one that is not given is left out, and said to be.
    """
    return serving.score_serving(
        chosen, candidates, elements, site=_site(site), boresight=_boresight(boresight),
        seed=seed, progress=progress, **_age(max_age_days),
    )  # fmt: skip


def realism_countries(
    metrics: str | Path,
    *,
    domestic_only: Sequence[str] | None = None,
    progress: Progress = silent,
) -> dict[str, Any]:
    """Predict each country's median latency with the shipped constant, and say how good that is.

    `domestic_only` are two-letter countries whose gateways are taken to serve nobody abroad, a
    hypothesis: Bangladesh, Indonesia and Turkey by default.
    """
    if domestic_only is None:
        return countries.predict_countries(metrics, progress)
    check_country_codes(domestic_only, "--domestic-only: ")
    return countries.predict_countries(metrics, progress, domestic_only=tuple(domestic_only))


def realism_pings(
    series: str | Path,
    *,
    period: str | None = None,
    geometry_ms: float | None = None,
    read: str | None = None,
    seed: int = 0,
) -> dict[str, Any]:
    """Say how a measured series of round trips looks, and how close the delay model comes to it.

    `geometry_ms` is propagation there and back, that of the model's own paths by default; `read`
    when a dish's history was read, where the file does not tell.
    """
    return pings.score_pings(
        series,
        period=period,
        geometry_rtt_s=None if geometry_ms is None else geometry_ms / 1e3,
        read_utc=None if read is None else parse_utc(read, "--read"),
        seed=seed,
    )


def realism_identify(
    maps: str | Path,
    *,
    elements: str | Path | None = None,
    candidates: str | Path | None = None,
    site: Pair | None = None,
    boresight: Pair | None = None,
    attitude: str | Path | None = None,
    start: str | None = None,
    max_age_days: float | None = None,
) -> dict[str, Any]:
    """Say which satellite served in each slot that a dish's obstruction maps tell of."""
    if elements is None and candidates is None:
        raise InputError(
            "which satellites were there? give --elements with --site, or --candidates"
        )
    return identify.identify(
        maps, elements, site=_site(site), boresight=_boresight(boresight), attitude=attitude,
        candidates=candidates, start_utc=None if start is None else parse_utc(start, "--start"),
        **_age(max_age_days),
    )  # fmt: skip


def _site(site: Pair | None) -> Pair | None:
    return _within(site, "--site", "LAT,LON", (90.0, 360.0))


def _boresight(boresight: Pair | None) -> Pair | None:
    return _within(boresight, "--boresight", "AZ,EL", (360.0, 90.0))


def _within(pair: Pair | None, option: str, form: str, limits: Pair) -> Pair | None:
    if pair is not None and not all(abs(x) <= limit for x, limit in zip(pair, limits, strict=True)):
        raise InputError(f"{option}: expected {form} in degrees, within {limits}; swap them?")
    return pair


def _age(max_age_days: float | None) -> dict[str, float]:
    return {} if max_age_days is None else {"max_age_days": max_age_days}
