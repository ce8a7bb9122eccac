"""The tables of `skyweave realism` and `skyweave compare`; machines take --json."""

from typing import Any

from rich.console import Console
from rich.text import Text

from skyweave.cli.show import key_values, ms, plain_table


def serving(found: dict[str, Any]) -> None:
    """Print how well each rule foretells who serves."""
    key_values(
        "Who serves",
        {
            "slots": found["slots"],
            "slots with a clear label": found["slots_clean"],
            "candidates a slot": f"{found['candidates_mean']:.1f}",
        },
    )
    table = plain_table("Rules", "rule", "top 1", "top 3", "top 5", "MRR", "KS of elevation")
    for name, score in found["rules"].items():
        shares = (f"{score[key]:.1%}" for key in ("top1", "top3", "top5"))
        table.add_row(name, *shares, f"{score['mrr']:.2f}", f"{score['elevation_ks']:.2f}")
    Console().print(table)
    for text in found["left_out"]:
        print(f"left out: {text}")
    if found["fitted_on"]["overlaps"]:
        print(f"note: {found['fitted_on']['note']}")


def countries(found: dict[str, Any]) -> None:
    """Print how close the medians of countries are, and the worst of them."""
    key_values(
        "Median latency of countries",
        {
            "countries": found["countries"],
            "mean absolute error": f"{found['mae_ms']:.2f} ms",
            "median error": f"{found['median_error_ms']:.2f} ms",
            "Spearman": _or_dash(found["spearman"], ".2f"),
        },
    )
    beside = found["beside"]
    print(f"one constant for all, without geometry: {beside['constant_only_mae_ms']:.2f} ms")
    if found["domestic_only"]:
        without = beside["without_domestic_only"]
        print(
            f"without the hypothesis that gateways in {', '.join(found['domestic_only'])} serve "
            f"nobody abroad: {without['mae_ms']:.2f} ms, "
            f"Spearman {_or_dash(without['spearman'], '.2f')}"
        )
    of_country = {row["country"]: row for row in found["rows"]}
    table = plain_table("Worst", "country", "observed", "predicted", "cause", texts=("cause",))
    for worst in found["worst"]:
        row = of_country[worst["country"]]
        table.add_row(
            worst["country"], f"{row['observed_ms']:.1f} ms", f"{row['predicted_ms']:.1f} ms",
            Text(worst["cause"]),
        )  # fmt: skip
    Console().print(table)


def pings(found: dict[str, Any]) -> None:
    """Print how a measured series looks beside the model's."""
    model, steps = found["model"], found["slots"]
    key_values(
        found["file"],
        {
            "packets": f"{found['packets']:,}",
            "lost": f"{found['loss_share']:.1%}",
            "model": model["period"],
            "step at a slot's start over that inside": _or_dash(steps["step_ratio"], ".1f"),
            "the same of the model": _or_dash(model["sampled"]["step_ratio"], ".1f"),
            "KS": f"{model['ks']:.3f}",
        },
    )
    table = plain_table("Round trip", "", "measured", "predicted", "error")
    for level, measured_s in model["measured_rtt_s"].items():
        error = f"{model['relative_error'][level]:+.1%}"
        table.add_row(level, ms(measured_s), ms(model["predicted_rtt_s"][level]), error)
    Console().print(table)
    if model["is_fitted_on_this_file"]:
        print("note: the model was fitted on this file, so this is no validation")
    for text in found["issues"]:
        print(f"note: {text}")


def identified(found: dict[str, Any]) -> None:
    """Print which satellite served in each slot."""
    table = plain_table(
        f"{found['identified']} of {found['slots']} slots identified", "slot begins", "satellite",
        "confidence", "off", "next by", texts=("satellite",),
    )  # fmt: skip
    table.columns[0].no_wrap = True  # reasons give way, so that 80 characters hold all of a time
    for row in found["rows"]:
        if row["satellite"] is None:
            table.add_row(row["slot_start_utc"], Text(row["reason"], "dim"))
        else:
            table.add_row(
                row["slot_start_utc"], row["satellite"], f"{row['confidence']:.2f}",
                f"{row['residual_deg']:.1f} deg", _or_dash(row["margin_deg"], "+.1f"),
            )  # fmt: skip
    Console().print(table)
    for text in found["warnings"]:
        print(f"warning: {text}")


def _or_dash(value: float | None, form: str) -> str:
    return "-" if value is None else format(value, form)


def comparison(found: dict[str, Any]) -> None:
    """Print how a measured series compares with a run."""
    measured, rtt = found["measured"], found["rtt_s"]
    key_values(
        f"{found['terminal']}: {measured['file']}",
        {
            "measured": f"{measured['from_utc']} to {measured['to_utc']}",
            "packets": f"{measured['packets']:,}, {measured['lost']:,} lost",
            "slots": f"{found['slots']:,}, {found['slots_not_covered']:,} without a packet",
        },
    )
    table = plain_table("Round trip", "", "measured", "predicted", "error")
    for level, measured_s in rtt["measured"].items():
        error = _or_dash(rtt["relative_error"][level], "+.1%")
        table.add_row(level, _time(measured_s), _time(rtt["predicted"][level]), error)
    Console().print(table)
    table = plain_table(
        "Measured less predicted, by slot", "reason", "state", "slots", "lost", "p5", "p50", "p95",
        texts=("state",),
    )  # fmt: skip
    for row in found["residual_by_reason"]:
        spread = (_time(row["residual_s"][level]) for level in ("p5", "p50", "p95"))
        lost = _or_dash(row["loss_share"], ".1%")
        table.add_row(row["reason"], row["state"], f"{row['slots']:,}", lost, *spread)
    Console().print(table)
    for text in found["notes"]:
        print(f"note: {text}")


def _time(seconds: float | None) -> str:
    return _or_dash(None if seconds is None else 1e3 * seconds, ".1f") + (
        "" if seconds is None else " ms"
    )
