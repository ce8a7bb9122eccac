"""The ends of a path by name: sites, terminals, cities, gateways and PoPs."""

from collections.abc import Sequence

from skyweave.errors import InputError
from skyweave.places import resolve_place
from skyweave.twin.paths import (
    Endpoint,
    gateway_endpoint,
    place_endpoint,
    pop_endpoint,
    terminal_endpoint,
)
from skyweave.twin.scenario import Site
from skyweave.twin.terminals import Terminals
from skyweave.twin.world import System, World


def endpoint(world: World, name: str) -> Endpoint:
    """Resolve a name to a site, a terminal, a gateway or a PoP of the scenario, else to a city."""
    sites, terminals = world.scenario.sites, world.terminals
    if name in world.gateways.gateway_id.tolist():
        return gateway_endpoint(world, world.gateways.row(name))
    if name in world.pops.pop_id.tolist():
        return pop_endpoint(world, world.pops.row(name))
    place = resolve_place(name, _own_places(sites, terminals))
    if place.own >= len(sites):
        return terminal_endpoint(world, place.own - len(sites))
    if place.own >= 0:
        return _site_endpoint(world, sites[place.own])
    return place_endpoint(world, place.name, place.lat_deg, place.lon_deg)


def operator_of(system: System, *ends: str) -> str:
    """Return the first operator that knows all of the ends; refuse ends of different networks."""
    knowing = [_operators_knowing(system, name) for name in ends]
    shared = [name for name in knowing[0] if all(name in others for others in knowing)]
    if not shared:
        owners = " and ".join(dict.fromkeys(names[0] for names in knowing))
        raise InputError(
            f"{' and '.join(ends)} belong to {owners}: no path leads through "
            "both networks; name one with --operator and give the other end as a place"
        )
    return shared[0]


def _operators_knowing(system: System, name: str) -> list[str]:
    """Return whose a gateway, a PoP or a terminal is; any other place is all operators'."""
    worlds = [part.world for part in system.parts]
    ground = [
        world.operator
        for world in worlds
        if name in (*world.gateways.gateway_id.tolist(), *world.pops.pop_id.tolist())
    ]
    if ground or len(worlds) == 1:
        return ground or [worlds[0].operator]
    own = _own_places(worlds[0].scenario.sites, system.terminals)
    row = resolve_place(name, own).own - len(worlds[0].scenario.sites)
    if row >= 0:
        return [system.part_of(row)[0].world.operator]
    return [world.operator for world in worlds]


def _own_places(sites: Sequence[Site], terminals: Terminals) -> list[tuple[str, Sequence[str]]]:
    """Return names and aliases of a scenario's sites, then of its terminals."""
    names = zip(terminals.terminal_id.tolist(), terminals.name.tolist(), strict=True)
    return [
        *((site.name, site.aliases) for site in sites),
        *((identity, (label,) if label else ()) for identity, label in names),
    ]


def _site_endpoint(world: World, site: Site) -> Endpoint:
    return place_endpoint(world, site.name, site.lat_deg, site.lon_deg, site.height_wgs84_m)
