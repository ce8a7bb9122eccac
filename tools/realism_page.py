"""Write the page "How close to a real dish?" and its pictures from the committed evidence.

    python tools/realism_page.py

Reads docs/evidence/realism.json, which tools/realism_evidence.py measures on the reference data,
and the coefficients that ship with the package.  The words of the page stand in
realism_page.md.in, where ${name} is a table or a number made here.
"""

import json
import string
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from skyweave.data import read_data_text
from skyweave.twin.results.style import (
    BLUE,
    GREY,
    INK,
    ORANGE,
    SKY,
    VERMILLION,
    save,
    style,
    titled,
)
from skyweave.twin.scheduling.features import TERMS

ROOT = Path(__file__).resolve().parents[1]
EVIDENCE = ROOT / "docs" / "evidence" / "realism.json"
PAGE = ROOT / "docs" / "explanation" / "how-close-to-a-real-dish.md"
PICTURES = ROOT / "docs" / "images"
FRAME = ROOT / "tools" / "realism_page.md.in"

Evidence = dict[str, Any]

SITES = {"bri": "near Brisbane", "ucl": "near Louvain-la-Neuve"}
RULES = {  # of the table of left-out sites, in its order
    "cold": "COLD, boresight unknown",
    "cold-boresight": "COLD, boresight known",
    "warm": "WARM, boresight unknown",
    "warm-boresight": "WARM, boresight known",
    "highest-elevation": "highest elevation",
    "longest-visible": "longest visible",
    "shortest-path": "shortest range",
    "random": "random",
}
SERIES = {"mmsys24": "mmsys24 (fixed dish, Seattle gateway, 2023-09)",
          "leoviz": "LEOViz (dish on a vehicle, 2025-05)"}  # fmt: skip


# What must hold


class Demand(NamedTuple):
    """One row of what must hold; it may have several numbers, each with floor and aim."""

    what: str
    against: str
    form: str  # of one number
    names: tuple[str, ...]
    floors: tuple[float, ...]
    aims: tuple[float, ...]
    measured: Callable[[Evidence], Sequence[float]]
    at_most: bool = False  # whether less is better
    part: str = "made"  # of the evidence, which may be missing: speed wants a machine to itself

    def verdict(self, evidence: Evidence) -> str:
        """Return whether the aims are reached, the floors held, or neither."""
        if self.part not in evidence:
            return "not measured"
        values = self.measured(evidence)
        if self._meets(values, self.aims):
            return "aim reached"
        return "floor held" if self._meets(values, self.floors) else "**missed**"

    def _meets(self, values: Sequence[float], limits: Sequence[float]) -> bool:
        pairs = zip(values, limits, strict=True)
        return all(v <= limit if self.at_most else v >= limit for v, limit in pairs)

    def cells(self, evidence: Evidence) -> list[str]:
        """Return the row's cells."""
        sign = "at most" if self.at_most else "at least"
        floors, aims = self._listed(self.floors), self._listed(self.aims)
        measured = self._listed(self.measured(evidence)) if self.part in evidence else "-"
        return [
            self.what, self.against, measured, f"{sign} {floors}", aims, self.verdict(evidence)
        ]  # fmt: skip

    def _listed(self, values: Sequence[float]) -> str:
        named = zip(self.names, values, strict=True)
        return ", ".join(f"{name} {value:{self.form}}".strip() for name, value in named)


def _mean_left_out(rule: str, *scores: str) -> Callable[[Evidence], Sequence[float]]:
    def measured(evidence: Evidence) -> Sequence[float]:
        sites = evidence["serving"]["left_out"].values()
        return [float(np.mean([site[rule][score] for site in sites])) for score in scores]

    return measured


def _worst_of_halves(*errors: str) -> Callable[[Evidence], Sequence[float]]:
    def measured(evidence: Evidence) -> Sequence[float]:
        halves = [half for each in evidence["series"].values() for half in each["halves"]]
        return [max(abs(half[error]) for half in halves) for error in errors]

    return measured


def _worse_elevation_ks(evidence: Evidence) -> Sequence[float]:
    sites = evidence["serving"]["left_out"].values()
    return [max(site["cold"]["elevation_ks"] for site in sites)]


def _least_step_ratio(evidence: Evidence) -> Sequence[float]:
    return [min(each["step_ratio"]["sampled"] for each in evidence["series"].values())]


def _of(*path: str) -> Callable[[Evidence], Sequence[float]]:
    def measured(evidence: Evidence) -> Sequence[float]:
        value: Any = evidence
        for key in path:
            value = value[key]
        return [value]

    return measured


DEMANDS = (
    Demand(
        "COLD, mean over the two left-out sites", "SatInView, clean slots", ".3f",
        ("top-1", "top-5", "MRR"), (0.15, 0.44, 0.31), (0.19, 0.48, 0.35),
        _mean_left_out("cold", "top1", "top5", "mrr"),
    ),
    Demand(
        "WARM, the same", "SatInView, clean slots", ".3f",
        ("top-1", "top-5"), (0.20, 0.50), (0.23, 0.56),
        _mean_left_out("warm", "top1", "top5"),
    ),
    Demand(
        "elevation of sampled choices: KS distance, worse site", "SatInView, clean slots", ".3f",
        ("",), (0.20,), (0.12,), _worse_elevation_ks, at_most=True,
    ),
    Demand(
        "RTT with parameters from the other half: worst relative error", "mmsys24, LEOViz", ".1%",
        ("p50", "p95"), (0.20, 0.35), (0.10, 0.20),
        _worst_of_halves("error_p50", "error_p95"), at_most=True,
    ),
    Demand(
        "step at a slot's start over a step inside it, sampled", "mmsys24, LEOViz", ".2f",
        ("",), (2.0,), (3.0,), _least_step_ratio,
    ),
    Demand(
        "medians of countries: mean absolute error in ms", "106 countries, 2026-09", ".2f",
        ("",), (5.0,), (4.0,), _of("countries", "mae_ms"), at_most=True,
    ),
    Demand(
        "medians of countries: Spearman's rank correlation", "106 countries, 2026-09", ".3f",
        ("",), (0.78,), (0.84,), _of("countries", "spearman"),
    ),
    Demand(
        "satellites read from obstruction maps", "published labels, bri, clean slots", ".1%",
        ("",), (0.95,), (0.95,), _of("identification", "bri", "share"),
    ),
    Demand(
        "scheduler: violated constraints", "brute-force checker", ".0f",
        ("",), (0.0,), (0.0,), _of("scheduler", "violations", "value"), at_most=True,
    ),
    Demand(
        "scheduler: median gap to the bound of linear programming", "HiGHS", ".2%",
        ("",), (0.10,), (0.10,), _of("scheduler", "gap_median", "value"), at_most=True,
    ),
    Demand(
        "600,000 cells, ms a slot, median of 20, two cores", "equal to plain NumPy", ".0f",
        ("",), (150.0,), (40.0,), _of("speed", "cells_ms"), at_most=True, part="speed",
    ),
    Demand(
        "a million terminals in them, full fleet, times real time", "the clock", ".0f",
        ("",), (30.0,), (100.0,), _of("speed", "times_real_time"), part="speed",
    ),
    Demand(
        "the same, GB", "peak of the process", ".2f",
        ("",), (2.0,), (2.0,), _of("speed", "memory_gb"), at_most=True, part="speed",
    ),
)  # fmt: skip


def must_hold(evidence: Evidence) -> str:
    """Return the table of every demand."""
    head = ["what", "against", "measured", "floor", "aim", "verdict"]
    return table(head, [demand.cells(evidence) for demand in DEMANDS])


# Other tables


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table in Markdown."""
    lines = [" | ".join(head), "|".join(["---"] * len(head)), *(" | ".join(row) for row in rows)]
    return "\n".join(f"| {line} |" if "---" not in line else f"|{line}|" for line in lines)


def left_out(evidence: Evidence) -> str:
    """Return the scores on each site of what was fitted on the other."""
    scores = {"top1": "top-1", "top3": "top-3", "top5": "top-5", "mrr": "MRR"}
    sites = evidence["serving"]["left_out"]
    rows = []
    for rule, name in RULES.items():
        if not all(rule in each for each in sites.values()):
            continue
        cells = [" / ".join(f"{sites[s][rule][score]:.3f}" for s in SITES) for score in scores]
        ks = " / ".join(_number(sites[s][rule].get("elevation_ks"), ".2f") for s in SITES)
        rows.append([name, *cells, ks])
    return table(["rule", *scores.values(), "elevation, KS"], rows)


def other_counts(evidence: Evidence) -> str:
    """Return how top-1 and top-5 change with raw labels, and with all candidates there are."""
    sites = evidence["serving"]["left_out"]
    rows = []
    for rule, name in RULES.items():
        if all(rule in each for each in sites.values()):
            found = [sites[s][rule] for s in SITES]
            cells = [
                [each[f"{score}_raw"] for each in found] if kind == "raw" else
                [(each["full"] if kind == "full" else each)[score] for each in found]
                for score in ("top1", "top5")
                for kind in ("clean", "raw", "full")
            ]  # fmt: skip
            rows.append([name, *(" / ".join(f"{v:.3f}" for v in cell) for cell in cells)])
    kinds = ("clean", "raw labels", "all candidates")
    head = [f"{score}, {kind}" for score in ("top-1", "top-5") for kind in kinds]
    return table(["rule", *head], rows)


def slots(evidence: Evidence) -> str:
    """Return what was scored, in a phrase."""
    sites = evidence["serving"]["sites"]
    return " and ".join(
        f"{sites[s]['slots_clean']} of {sites[s]['slots']} slots {SITES[s]} "
        f"({sites[s]['candidates_mean']['listed']:.1f} candidates each)"
        for s in SITES
    )


def coefficients(_: Evidence) -> str:
    """Return the coefficients that ship, with their standard errors."""
    models = json.loads(read_data_text("choice_model.json"))["models"]
    variants = [
        models[name][variant]
        for name in ("cold", "warm")
        for variant in ("without_boresight", "with_boresight")
    ]
    rows = []
    for term in TERMS:
        cells = [
            f"{each['coefficient'][term.name]:+.2f} ± {each['standard_error'][term.name]:.2f}"
            if term.name in each["coefficient"]
            else "-"
            for each in variants
        ]
        rows.append([term.meaning, *cells])
    head = [RULES[rule] for rule in ("cold", "cold-boresight", "warm", "warm-boresight")]
    return table(["term", *head], rows)


def statistics(evidence: Evidence) -> str:
    """Return the published statistics that `skyweave validate` computes."""
    rows = [
        [each["id"], each["quantity"], f"{each['expected']} {each['unit']}", each["actual"] or "-",
         each["verdict"].replace("_", " ")]
        for each in evidence["statistics"]["rows"]
    ]  # fmt: skip
    notes = [
        f"- {each['id']}: {each['note']}" for each in evidence["statistics"]["rows"] if each["note"]
    ]
    columns = ["id", "what", "published", "Skyweave", "verdict"]
    return "\n".join([table(columns, rows), "", *notes])


def series(evidence: Evidence) -> str:
    """Return measured and predicted quantiles of each half of each series."""
    rows = []
    for name, title in SERIES.items():
        for half in evidence["series"][name]["halves"]:
            told = [
                f"{half[f'observed_{p}_ms']:.1f} / {half[f'{p}_ms']:.1f} "
                f"({half[f'error_{p}']:+.0%})"
                for p in ("p50", "p95")
            ]
            drift = ", ".join(f"{half[f'drift_{p}']:+.0%}" for p in ("p50", "p95"))
            rows.append([title, f"{half['from']} → {half['to']}", *told, drift])
    head = ["series", "half fitted on → scored on", "p50, ms: measured / predicted",
            "p95, ms: measured / predicted", "the other half itself: p50, p95"]  # fmt: skip
    return table(head, rows)


def steps(evidence: Evidence) -> str:
    """Return the steps at slots' starts and inside slots."""
    rows = [
        [title, *(f"{evidence['series'][name]['step_ratio'][which]:.2f}"
                  for which in ("measured", "sampled"))]
        for name, title in SERIES.items()
    ]  # fmt: skip
    return table(["series", "measured", "sampled from the model"], rows)


def worst_countries(evidence: Evidence) -> str:
    """Return the ten countries that are furthest off, with the likely cause."""
    rows = {row["country"]: row for row in evidence["countries"]["rows"]}
    cells = []
    for each in evidence["countries"]["worst"]:
        row = rows[each["country"]]
        off_ms = row["predicted_ms"] - row["observed_ms"]
        cells.append([each["country"], f"{row['observed_ms']:.1f}", f"{row['predicted_ms']:.1f}",
                      f"{off_ms:+.1f}", each["cause"].partition("; ")[2]])  # fmt: skip
    return table(["country", "observed, ms", "predicted, ms", "error, ms", "likely cause"], cells)


def identified(evidence: Evidence) -> str:
    """Return how often the satellite read from the maps is the published one."""
    rows = [
        [SITES[s], f"{found['slots']}", f"{found['share']:.1%}", f"{found['slots_all']}",
         f"{found['share_all']:.1%}"]
        for s in SITES
        for found in [evidence["identification"][s]]
    ]  # fmt: skip
    head = ["site", "clean slots", "published label found", "all slots", "published label found"]
    return table(head, rows)


def cells(evidence: Evidence) -> str:
    """Return how fast each rule serves 600,000 cells, and how many it serves."""
    if "speed" not in evidence:
        return "Not measured: it wants a machine to itself."
    keys = ("rule", "cells_a_satellite", "median_ms", "least_ms", "busy_ms", "new_cells")
    rows = [
        [*(case[key] for key in keys), f"{float(case['served_share']):.1%}"]
        for case in evidence["speed"]["cases"]
    ]
    head = ["rule", "cells a satellite at most", "median, ms a slot", "least, ms", "busy, ms",
            "cells decided anew a slot", "cells served"]  # fmt: skip
    load = (
        f"Two cores, on which {evidence['speed']['load']:g} programs ran on average, this among "
        'them; "busy" adds up what both cores spent on it:'
    )
    return f"{load}\n\n{table(head, rows)}"


def constants(evidence: Evidence) -> dict[str, str]:
    """Return single numbers that the text names."""
    countries, sites = evidence["countries"], evidence["serving"]["sites"]
    without = countries["beside"]["without_domestic_only"]
    heights = {s: evidence["serving"]["elevation"][s] for s in SITES}
    return {
        "made": evidence["made"]["date"],
        "version": evidence["made"]["version"],
        "country_count": str(countries["countries"]),
        "country_mae": f"{countries['mae_ms']:.2f}",
        "country_spearman": f"{countries['spearman']:.3f}",
        "country_median": f"{countries['median_error_ms']:.1f}",
        "country_constant_only": f"{countries['beside']['constant_only_mae_ms']:.1f}",
        "country_left_out": f"{countries['fit']['leave_one_out_mae_ms']:.2f}",
        "country_constant": f"{countries['constant']['constant_ms']:.1f}",
        "country_constant_error": f"{countries['constant']['standard_error_ms']:.1f}",
        "domestic": ", ".join(countries["domestic_only"]),
        "without_domestic": f"{without['mae_ms']:.2f} ms and {without['spearman']:.3f}",
        "among_all": _among_all(evidence),
        "instances": f"{evidence['scheduler']['violations']['instances']:,}",
        "gap_instances": str(evidence["scheduler"]["gap_median"]["instances"]),
        "gap_worst": f"{evidence['scheduler']['gap_worst']['value']:.1%}",
        "probes": str(evidence["probes"]["probes"]),
        "probes_first": f"{evidence['probes']['first']:.0%}",
        "probes_two": f"{evidence['probes']['first_two']:.0%}",
        "probes_town": f"{evidence['probes']['of_some_town']:.0%}",
        "ks_bri": f"{_full_ks(evidence, 'bri'):.2f}",
        "ks_ucl": f"{_full_ks(evidence, 'ucl'):.2f}",
        "vehicle": "{identified} of {slots}".format_map(evidence["identification"]["leoviz"]),
        "all_candidates": " / ".join(f"{sites[s]['candidates_mean']['full']:.1f}" for s in SITES),
        "judged": _judged(evidence),
        "gains": " and ".join(f"{_gain_deg(heights[s]):.0f}" for s in SITES),
    }


def _full_ks(evidence: Evidence, site: str) -> float:
    """Return the elevation distance of COLD among all candidates."""
    found: float = evidence["serving"]["left_out"][site]["cold"]["full"]["elevation_ks"]
    return found


def _among_all(evidence: Evidence) -> str:
    """Return the figures of the serving satellite among all candidates, means of the sites."""
    sites = [evidence["serving"]["left_out"][s] for s in SITES]
    cold, warm = (
        {score: np.mean([site[rule]["full"][score] for site in sites]) for score in
         ("top1", "top5", "mrr")}
        for rule in ("cold", "warm")
    )  # fmt: skip
    ks = max(site["cold"]["full"]["elevation_ks"] for site in sites)
    return (
        f"COLD top-1 {cold['top1']:.3f}, top-5 {cold['top5']:.3f}, MRR {cold['mrr']:.3f}; "
        f"WARM top-1 {warm['top1']:.3f}, top-5 {warm['top5']:.3f}; elevation {ks:.3f}"
    )


def _judged(evidence: Evidence) -> str:
    verdicts = [each["verdict"] for each in evidence["statistics"]["rows"]]
    return f"{verdicts.count('reproduced')} of {len(verdicts)} are reproduced"


def _gain_deg(heights: dict[str, list[float]]) -> float:
    """Return the median of observed elevation above that of all in view."""
    chosen, seen = (
        float(np.interp(0.5, heights[name], heights["elevation_deg"]))
        for name in ("observed", "in_view")
    )
    return chosen - seen


def _number(value: float | None, form: str) -> str:
    return "-" if value is None else format(value, form)


TABLES = {
    "must_hold": must_hold,
    "left_out": left_out,
    "other_counts": other_counts,
    "slots": slots,
    "coefficients": coefficients,
    "statistics": statistics,
    "series": series,
    "steps": steps,
    "worst_countries": worst_countries,
    "identified": identified,
    "cells": cells,
}


def page(evidence: Evidence) -> str:
    """Return the whole page."""
    frame = string.Template(FRAME.read_text(encoding="utf-8"))
    made = {name: make(evidence) for name, make in TABLES.items()}
    return frame.substitute(made | constants(evidence))


# Pictures


def draw_choices(evidence: Evidence, out: Path) -> None:
    """Draw how often the serving satellite is among the first of each rule."""
    shown = {"warm": BLUE, "cold": SKY, "highest-elevation": ORANGE, "random": GREY}
    scores = {"top1": "first", "top3": "among three", "top5": "among five"}
    sites = evidence["serving"]["left_out"]
    with _figure(7.6, 3.9) as (figure, (axes,)):
        titled(
            figure,
            "Is the satellite that served among the first of a rule?",
            "Share of clean slots; the dots are the two sites, each scored by the other's fit",
        )
        for k, (rule, colour) in enumerate(shown.items()):
            x = np.arange(len(scores)) + 0.2 * (k - 1.5)
            each = np.array([[sites[s][rule][score] for score in scores] for s in SITES])
            axes.bar(x, each.mean(axis=0), 0.18, color=colour, label=RULES[rule].split(",")[0])
            axes.plot(np.broadcast_to(x, each.shape).ravel(), each.ravel(), "o", color=INK, ms=3)
        axes.set_xticks(range(len(scores)), scores.values())
        axes.set_ylabel("share of slots")
        axes.grid(axis="x", visible=False)
        axes.legend(loc="upper left", ncols=2)
        save(figure, out)


def draw_elevation(evidence: Evidence, out: Path) -> None:
    """Draw the distribution of serving elevation at each site, observed and by rule."""
    lines = {
        "observed": ("observed", INK, "-"),
        "cold": ("sampled from COLD of the other site", BLUE, "-"),
        "highest-elevation": ("highest elevation", ORANGE, "-"),
        "in_view": ("all in view", GREY, ":"),
    }
    with _figure(8.6, 4.3, columns=2) as (figure, both):
        titled(
            figure,
            "How high the serving satellite stands",
            "Share of clean slots served from at most that elevation",
        )
        for axes, (site, town) in zip(both, SITES.items(), strict=True):
            found = evidence["serving"]["elevation"][site]
            for key, (label, colour, dashes) in lines.items():
                axes.plot(found["elevation_deg"], found[key], dashes, color=colour, label=label)
            axes.set_title(town, loc="left", fontsize=10)
            axes.set_xlabel("elevation, deg")
        both[0].set_ylabel("share of slots")
        figure.legend(*both[0].get_legend_handles_labels(), loc="lower center", ncols=4)
        save(figure, out)


def draw_series(evidence: Evidence, out: Path) -> None:
    """Draw measured and modelled round-trip times, and where in a slot they jump."""
    with _figure(8.6, 4.1, columns=2) as (figure, (quantiles, phases)):
        titled(
            figure,
            "Round-trip times of two dishes",
            "Measured (lines) and by the model (dashed)",
        )
        for (name, title), colour in zip(SERIES.items(), (BLUE, VERMILLION), strict=True):
            found, label = evidence["series"][name], title.partition(" (")[0]
            quantiles.plot(found["share"], found["second_half_ms"], color=colour, label=label)
            quantiles.plot(found["share"], found["by_first_half_ms"], "--", color=colour)
            measured, sampled = (found["phase_step_ms"][key] for key in ("measured", "sampled"))
            phases.plot(found["phase_s"], measured, color=colour, label=label)
            phases.plot(found["phase_s"], sampled, "--", color=colour)
        for axes in (quantiles, phases):
            axes.plot([], [], "--", color=GREY, label="model")
            axes.legend(loc="upper center")
        quantiles.set_title("quantiles of the second half, by the first", loc="left", fontsize=10)
        quantiles.set_xlabel("share of samples below")
        quantiles.set_ylabel("RTT, ms")
        phases.set_title("step of the median RTT in a slot", loc="left", fontsize=10)
        phases.set_xlabel("seconds after the slot's start")
        phases.set_ylabel("mean step, ms")
        phases.set_ylim(bottom=0.0)
        save(figure, out)


def draw_countries(evidence: Evidence, out: Path) -> None:
    """Draw each country's observed and predicted median, the worst ten by name."""
    countries = evidence["countries"]
    worst = {each["country"] for each in countries["worst"]}
    with _figure(6.4, 6.0) as (figure, (axes,)):
        titled(
            figure,
            "Median round-trip time of countries, 2026-09",
            f"{countries['countries']} countries, one constant for all; "
            f"mean absolute error {countries['mae_ms']:.2f} ms",
        )
        least, most = (
            15.0,
            5.0 + max(max(row["observed_ms"], row["predicted_ms"]) for row in countries["rows"]),
        )
        axes.plot([least, most], [least, most], color=GREY, lw=0.8)
        for row in countries["rows"]:
            at, is_worst = (row["observed_ms"], row["predicted_ms"]), row["country"] in worst
            axes.plot(*at, "o", ms=4, color=VERMILLION if is_worst else BLUE)
            if is_worst:
                axes.annotate(row["country"], at, (4, -3), textcoords="offset points", fontsize=8)
        axes.set(xlim=(least, most), ylim=(least, most), aspect="equal")
        axes.set_xlabel("observed, ms")
        axes.set_ylabel("predicted, ms")
        save(figure, out)


@contextmanager
def _figure(width: float, height: float, columns: int = 1) -> Iterator[tuple[Any, Any]]:
    """Open a figure in the house style with room for its heading; close it afterwards."""
    with style():
        import matplotlib.pyplot as plt

        figure, axes = plt.subplots(1, columns, figsize=(width, height), squeeze=False)
        figure.subplots_adjust(
            left=0.8 / width, right=0.98, bottom=0.85 / height, top=1.0 - 1.0 / height, wspace=0.25
        )
        try:
            yield figure, axes[0]
        finally:
            plt.close(figure)


DRAWINGS = {
    "realism-choices.png": draw_choices,
    "realism-elevation.png": draw_elevation,
    "realism-rtt.png": draw_series,
    "realism-countries.png": draw_countries,
}


def main() -> int:
    if not EVIDENCE.is_file():
        print(f"{EVIDENCE.relative_to(ROOT)} is absent; run tools/realism_evidence.py first")
        return 1
    evidence = json.loads(EVIDENCE.read_text(encoding="utf-8"))
    PAGE.write_text(page(evidence), encoding="utf-8")
    for name, draw in DRAWINGS.items():
        draw(evidence, PICTURES / name)
    print(f"wrote {PAGE.relative_to(ROOT)} and {len(DRAWINGS)} pictures")
    return 0


if __name__ == "__main__":
    sys.exit(main())
