"""What a run leaves out on purpose (`--without`), in words."""

from skyweave.twin.results.folder import Run
from skyweave.twin.results.wording import country_in_sentence, joined, place


def left_out_names(run: Run) -> str:
    """Such as "Germany and the gateway Angeles, Philippines"; "" where nothing is left out."""
    return joined([_name(run, *_parts(text)) for text in run.manifest["without"]])


def left_out_effects(run: Run) -> str:
    """What that means for the network, such as "every gateway in Germany"."""
    return joined([_effect(run, *_parts(text)) for text in run.manifest["without"]])


_GROUND = {
    "gateway": ("gateway", "gateways"),
    "pop": ("point of presence", "points of presence"),
}


def _parts(text: str) -> tuple[str, str]:
    kind, _, target = text.partition(":")
    return kind, target


def _name(run: Run, kind: str, target: str) -> str:
    if kind in _GROUND:
        one, several = _GROUND[kind]
        site = _site(run, kind, target)
        return f"the {one} {site}" if site else f"the {several} in {country_in_sentence(target)}"
    return country_in_sentence(target) if kind == "country" else target


def _effect(run: Run, kind: str, target: str) -> str:
    if kind in _GROUND and not _site(run, kind, target):
        return f"every {_GROUND[kind][0]} in {country_in_sentence(target)}"
    if kind == "country":
        return f"every gateway and every point of presence in {country_in_sentence(target)}"
    return f"the whole network of {target}" if kind == "operator" else _name(run, kind, target)


def _site(run: Run, kind: str, target: str) -> str:
    """A gateway or PoP by its id; "" where the target is no id but a country."""
    ground = run.ground
    found = ground[(ground["kind"] == kind) & (ground["id"] == target)]
    return place(found["name"].iloc[0], found["country"].iloc[0]) if len(found) else ""
