"""The networks of published studies, as scenarios shipped with the package."""

from collections.abc import Sequence
from functools import cache
from importlib.resources import files

from skyweave.twin.scenario import Scenario, Site, read_scenario
from skyweave.twin.world import World, build_world


@cache
def workload(name: str) -> World:
    """Return the world of a packaged scenario, such as "hypatia/kuiper-630"."""
    return build_world(packaged_scenario(name))


def packaged_scenario(name: str) -> Scenario:
    """Return a packaged scenario."""
    return read_scenario(str(files("skyweave.data") / f"{name}.toml"))


def named_sites(world: World, names: Sequence[str]) -> list[Site]:
    """Return the sites whose names contain the names given, one each, in their order."""
    sites = world.scenario.sites
    found = [[site for site in sites if name in site.name] for name in names]
    return [matching[0] for matching in found]
