"""Compare the pings of run_ns3.py with what `skyweave path` says about the same pair.

    python -m benchmarks.packets.compare packets.json path.json

`path.json` is what `skyweave path SCENARIO FROM TO --every STEP --for DURATION --json` printed,
with the step of the exported folder.  A ping's round trip less what it spent at interfaces, being
sent and waiting, is its time in flight; that must be the path's at the time of sending.  A ping in
flight at a change of route may have gone another way than any sample; such pings are counted apart.
"""

import argparse
import json
import sys
from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from enum import StrEnum
from pathlib import Path
from typing import Any, NamedTuple

LARGEST_DEVIATION_S = 0.1e-3
SAME_INSTANT_S = 1e-9
LONGEST_FLIGHT_S = 1.0  # a ping that is lost within this time of a change may be lost to it


class Fate(StrEnum):
    """What became of a ping."""

    COMPARED = "answered over one unchanging path"
    ACROSS_CHANGE = "in flight at a change of route"
    OTHER_PATH = "sent while the sample had another path than the forwarding state"
    NO_PATH = "sent while there was no path"
    DROPPED = "dropped by a full queue"
    UNEXPLAINED = "lost for no known reason"


class Ping(NamedTuple):
    """One echo request as the simulation tells it; times in s, None where unanswered."""

    t_s: float
    rtt_s: float | None
    serialisation_s: float
    queueing_s: float
    dropped: bool


class Comparison(NamedTuple):
    """All pings by their fate, and for those compared how far their flight is from the path's."""

    pings: Mapping[Fate, Sequence[Ping]]
    deviation_s: Sequence[float]  # one of each ping compared

    @property
    def holds(self) -> bool:
        """Whether pings were compared, all within 0.1 ms, and every other one is accounted for."""
        unclear = [*self.pings[Fate.OTHER_PATH], *self.pings[Fate.UNEXPLAINED]]
        return not unclear and max(self.deviation_s, default=float("inf")) <= LARGEST_DEVIATION_S


def compare(
    pings: Mapping[str, Sequence[Any]],
    routes: Sequence[Mapping[str, Any]],
    samples: Sequence[Mapping[str, Any]],
) -> Comparison:
    """Compare one simulation's pings, given the routes in force, with samples of `path`."""
    change_t_s = [route["t_s"] for route in routes]
    sample_t_s = [sample["t_s"] for sample in samples]
    by_fate: dict[Fate, list[Ping]] = {fate: [] for fate in Fate}
    deviation_s = []
    for ping in _rows(pings):
        now = _latest(change_t_s, ping.t_s)
        sample = samples[_latest(sample_t_s, ping.t_s)]
        until_s = change_t_s[now + 1] if now + 1 < len(routes) else float("inf")
        route = routes[now]["there"], routes[now]["back"]
        fate = _fate(ping, route, sample["nodes"], until_s)
        by_fate[fate].append(ping)
        if fate is Fate.COMPARED:
            flight_s = ping.rtt_s - ping.serialisation_s - ping.queueing_s
            deviation_s.append(abs(flight_s - sample["rtt_s"]))
    return Comparison(by_fate, deviation_s)


def _fate(ping: Ping, route: tuple[list[str], list[str]], path: list[str], until_s: float) -> Fate:
    """Return the fate of a ping sent over a route (there and back) that holds until `until_s`."""
    if ping.dropped:
        return Fate.DROPPED
    if route != (path, path[::-1]):
        return Fate.OTHER_PATH
    flight_s = LONGEST_FLIGHT_S if ping.rtt_s is None else ping.rtt_s
    if path and ping.t_s + flight_s > until_s:
        return Fate.ACROSS_CHANGE
    if ping.rtt_s is None:
        return Fate.UNEXPLAINED if path else Fate.NO_PATH
    return Fate.COMPARED


def _rows(pings: Mapping[str, Sequence[Any]]) -> Iterator[Ping]:
    return map(Ping, *(pings[field] for field in Ping._fields))


def _latest(times_s: Sequence[float], t_s: float) -> int:
    return bisect_right(times_s, t_s + SAME_INSTANT_S) - 1


def report(name: str, found: Comparison) -> list[str]:
    """Return what one simulation showed, as lines of text."""
    lines = [f"{name}:"]
    lines += [f"  {len(pings):6d}  {fate}" for fate, pings in found.pings.items() if pings]
    compared = found.pings[Fate.COMPARED]
    if compared:
        sent = [1e3 * ping.serialisation_s for ping in compared]
        waited = [1e3 * ping.queueing_s for ping in compared]
        lines += [
            f"  being sent {min(sent):.3f} to {max(sent):.3f} ms, "
            f"waiting in queues {min(waited):.3f} to {max(waited):.3f} ms",
            f"  the rest is `skyweave path` within {1e6 * max(found.deviation_s):.2f} us "
            f"(limit {1e6 * LARGEST_DEVIATION_S:g} us)",
        ]
    return lines


def tcp_report(packets: Mapping[str, Any]) -> str:
    """Return the TCP flow's goodput as a line of text."""
    tcp = packets["beside_tcp"]["tcp"]
    goodput_bps = 8 * sum(tcp["delivered_bytes"]) / packets["duration_s"]
    drops = packets["beside_tcp"]["queue_drops"]
    return (
        f"TCP {tcp['kind']}: {1e-6 * goodput_bps:.3f} Mbit/s delivered at "
        f"{1e-6 * packets['rate_bps']:g} Mbit/s, {drops} packets dropped by full queues"
    )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("packets", type=Path, help="what run_ns3.py wrote")
    parser.add_argument("path", type=Path, help="what `skyweave path --json` printed")
    options = parser.parse_args()
    packets, path = (json.loads(file.read_text()) for file in (options.packets, options.path))
    ends = {(answer["from"], answer["to"]) for answer in (packets, path)}
    if len(ends) > 1:
        sys.exit(f"{options.path}: another pair than {options.packets}; give the same")
    holds = True
    for name in ("alone", "beside_tcp"):
        found = compare(packets[name]["ping"], packets["paths"], path["samples"])
        print(*report(f"ping {name.replace('_', ' ')}", found), sep="\n")
        holds &= found.holds
    print(tcp_report(packets))
    return int(not holds)


if __name__ == "__main__":
    sys.exit(main())
