"""What fails in a run (`--without`, `[[failures]]`), in words."""

from collections.abc import Mapping, Sequence
from typing import Any

from skyweave.twin.results.folder import Run
from skyweave.twin.results.wording import count, country_in_sentence, joined, moment, percent, place

MOST_NAMES = 5  # failures, or ids of one, that are named in a sentence

Failed = Mapping[str, Any]  # one of `failures` in the manifest

_WORDS = {
    "satellite": ("satellite", "satellites"),
    "link": ("laser link", "laser links"),
    "plane": ("orbital plane", "orbital planes"),
    "gateway": ("gateway", "gateways"),
    "pop": ("point of presence", "points of presence"),
    "country": ("country", "countries"),
    "operator": ("operator", "operators"),
    "core": ("core software", "core software"),
}
_GROUND = ("gateway", "pop")


def left_out_names(run: Run) -> str:
    """Such as "Germany and the gateway Angeles, Philippines"; "" where nothing is left out."""
    return _listed([_name(run, failed) for failed in _failures(run)], "failure")


def left_out_effects(run: Run) -> str:
    """What that means for the network and when, such as "every gateway in Germany"."""
    start_utc = run.manifest["time"]["start_utc"] if "time" in run.manifest else ""
    return _listed(
        [_effect(run, each) + _when(each, start_utc) for each in _failures(run)], "failure"
    )


def is_for_a_time(run: Run) -> bool:
    """Whether something that fails does not do so from beginning to end."""
    return any(_when(failed, "") for failed in _failures(run))


def _failures(run: Run) -> Sequence[Failed]:
    texts = [text.partition(":") for text in run.manifest["without"]]
    told = [{"kind": kind, "target": target} for kind, _, target in texts]
    return run.manifest.get("failures") or told  # runs of version 0.2 hold the texts alone


def _listed(texts: Sequence[str], what: str) -> str:
    more = len(texts) - MOST_NAMES
    return joined([*texts[:MOST_NAMES], f"{count(more, f'more {what}')}"] if more > 0 else texts)


def _when(failed: Failed, start_utc: str) -> str:
    begin, end = failed.get("from_utc"), failed.get("to_utc")
    if begin and end:
        return f" (from {moment(begin, start_utc)} to {moment(end, start_utc)} UTC)"
    if begin:
        return f" (from {moment(begin, start_utc)} UTC on)"
    return f" (until {moment(end, start_utc)} UTC)" if end else ""


def _name(run: Run, failed: Failed) -> str:
    kind, target = failed["kind"], failed["target"]
    one, several = _WORDS[kind]
    if failed.get("share") is not None:
        return _drawn(failed, one, several)
    if "," in target:
        return _several(run, failed, several)
    if kind in _GROUND:
        site = _site(run, kind, target)
        return f"the {one} {site}" if site else f"the {several} in {country_in_sentence(target)}"
    if kind == "country":
        return country_in_sentence(target)
    if kind == "operator":
        return str(target)
    return f"the {one} of {target}" if kind == "core" else f"the {one} {target}"


def _drawn(failed: Failed, one: str, several: str) -> str:
    counts = [operator["count"] for operator in failed["operators"]]
    if None in counts:
        return f"{percent(failed['share'])} of the {several}, drawn at random"
    return f"{count(sum(counts), one, several)} drawn at random"


def _several(run: Run, failed: Failed, several: str) -> str:
    """Name a few; of more only how many they are, each counted once."""
    kind = failed["kind"]
    ids = list(dict.fromkeys(id_ for each in failed["operators"] for id_ in each["ids"]))
    number = max([each["count"] for each in failed["operators"]], default=0)
    if number > MOST_NAMES or len(ids) > MOST_NAMES:
        return f"{max(number, len(ids)):,} {several}"
    if kind == "country":
        return joined([country_in_sentence(code) for code in ids])
    if kind in ("operator", "core"):
        return joined(ids) if kind == "operator" else f"the {several} of {joined(ids)}"
    names = [_site(run, kind, id_) or id_ for id_ in ids] if kind in _GROUND else ids
    return f"the {several} {joined(names)}"


def _effect(run: Run, failed: Failed) -> str:
    kind, target = failed["kind"], failed["target"]
    if failed.get("share") is not None or "," in target:
        name = _name(run, failed)
        whole = {
            "country": f"every gateway and every point of presence in {name}",
            "operator": f"the whole networks of {name}",
        }
        return whole.get(kind, name)
    if kind in _GROUND and not _site(run, kind, target):
        return f"every {_WORDS[kind][0]} in {country_in_sentence(target)}"
    if kind == "country":
        return f"every gateway and every point of presence in {country_in_sentence(target)}"
    return f"the whole network of {target}" if kind == "operator" else _name(run, failed)


def _site(run: Run, kind: str, target: str) -> str:
    """A gateway or PoP by its id; "" where the target is no id but a country."""
    ground = run.ground
    found = ground[(ground["kind"] == kind) & (ground["id"] == target)]
    return place(found["name"].iloc[0], found["country"].iloc[0]) if len(found) else ""
