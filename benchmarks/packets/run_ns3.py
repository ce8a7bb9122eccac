"""Send a ping and a TCP flow between two ground stations of an exported folder, in ns-3.

    .venv-ns3/bin/python -m benchmarks.packets.run_ns3 FOLDER FROM TO --out packets.json

A program of its own: it needs PyPI's ns3 (GPL-2.0), numpy and sgp4, reads nothing but the folder
and shares no code with the package.  Two simulations are run, the ping alone and the ping beside
TCP.  Every interface sends at one rate from a drop-tail queue of its own; at each step of the
folder the links get their delays and the nodes their routes.
"""

import argparse
import json
import math
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
from benchmarks.packets.exported_state import ExportedState, FolderError, read_state
from benchmarks.packets.pair_plan import Plan, plan_pair

DRIVER = Path(__file__).with_name("driver.cc")
S_NS = 1_000_000_000  # ns in a second
MOST_PINGS = 65_536  # ICMP's sequence number has 16 bits
DELIVERY_BIN_S = 0.1
LAST_ANSWERS_S = 1.0  # after the last ping, under the last state
TCP_KINDS = {"cubic": "ns3::TcpCubic", "newreno": "ns3::TcpNewReno"}


def main() -> int:
    options = _options()
    try:
        state = read_state(options.folder)
        duration_s = _duration_s(state, options)
        plan = plan_pair(state, options.start, options.end)
    except FolderError as problem:
        return _refuse(str(problem))
    try:
        simulator = _simulator()
    except ImportError as problem:
        return _refuse(f"ns-3 is missing ({problem}); pip install ns3 into this environment")
    answer = {
        "from": options.start,
        "to": options.end,
        "step_s": state.step_ns / S_NS,
        "duration_s": duration_s,
        "rate_bps": options.rate_bps,
        "queue_packets": options.queue_packets,
        "nodes": plan.node.size,
        "links": len(plan.link),
        "paths": _paths(state, plan),
        "alone": _simulate(simulator, state, plan, options, duration_s, tcp=None),
        "beside_tcp": _simulate(simulator, state, plan, options, duration_s, tcp=options.tcp),
    }
    options.out.write_text(json.dumps(answer), encoding="utf-8")
    return 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, help="what `skyweave export hypatia` wrote")
    parser.add_argument("start", metavar="FROM", help="a ground station's name")
    parser.add_argument("end", metavar="TO", help="another's")
    parser.add_argument("--out", type=Path, required=True, help="the JSON file to write")
    parser.add_argument("--for", dest="for_s", type=float, help="s; all of the folder")
    parser.add_argument("--ping-every", dest="ping_s", type=float, default=0.01, help="s")
    parser.add_argument("--rate-bps", type=float, default=10e6, help="of each interface")
    parser.add_argument("--queue-packets", type=int, default=100, help="of each interface")
    parser.add_argument("--tcp", choices=TCP_KINDS, default="newreno", help="congestion control")
    return parser.parse_args()


def _duration_s(state: ExportedState, options: argparse.Namespace) -> float:
    longest_s = state.steps * state.step_ns / S_NS
    duration_s = longest_s if options.for_s is None else options.for_s
    if not 0 < duration_s <= longest_s:
        raise FolderError(f"--for {duration_s:g}: expected up to the folder's {longest_s:g} s")
    if not duration_s / MOST_PINGS < options.ping_s <= duration_s:
        raise FolderError(
            f"--ping-every {options.ping_s:g}: expected {duration_s / MOST_PINGS:.2g} to "
            f"{duration_s:g} s, for one to {MOST_PINGS} pings"
        )
    if options.rate_bps < 1 or options.queue_packets < 1:
        raise FolderError("--rate-bps and --queue-packets: expected 1 or more")
    return duration_s


def _refuse(reason: str) -> int:
    print(reason, file=sys.stderr)
    return 1


def _simulator() -> Any:
    """Compile the driver with cppyy, which ns3 brings, and return its namespace."""
    from ns import ns  # the loader of every ns-3 module

    ns.cppyy.cppdef(DRIVER.read_text(encoding="utf-8"))
    return ns.cppyy.gbl.packets


def _simulate(
    simulator: Any,
    state: ExportedState,
    plan: Plan,
    options: argparse.Namespace,
    duration_s: float,
    *,
    tcp: str | None,
) -> dict[str, Any]:
    began_s = time.monotonic()
    network = simulator.PairNetwork(plan.node.size, *plan.ends, options.queue_packets)
    _add_links(network, state, plan, options.rate_bps)
    _schedule(network, state, plan, duration_s)
    network.AddPing(round(options.ping_s * S_NS), round(duration_s / options.ping_s))
    if tcp:
        network.AddTcp(TCP_KINDS[tcp], round(DELIVERY_BIN_S * S_NS))
    network.Run(round((duration_s + LAST_ANSWERS_S) * S_NS))
    answer = {
        "ping": _pings(network),
        "queue_drops": int(network.queue_drops),
        "events": int(network.events),
        "wall_s": time.monotonic() - began_s,
    }
    return answer | ({"tcp": _tcp(network, tcp, duration_s)} if tcp else {})


def _add_links(network: Any, state: ExportedState, plan: Plan, rate_bps: float) -> None:
    for (a, b), is_gsl in zip(plan.link.tolist(), plan.is_gsl.tolist(), strict=True):
        factors = state.gsl_rate_factor[plan.node[[a, b]]] if is_gsl else (1.0, 1.0)
        network.AddLink(a, b, *(round(rate_bps * float(factor)) for factor in factors))


def _schedule(network: Any, state: ExportedState, plan: Plan, duration_s: float) -> None:
    """Tell the simulation all delays and routes beforehand: at equal times they come first."""
    steps = min(state.steps, math.ceil(duration_s * S_NS / state.step_ns))
    for step, delay_ns in enumerate(np.rint(plan.delay_s[:steps] * S_NS).astype(int).tolist()):
        network.DelaysFrom(step * state.step_ns, delay_ns)
    for change in plan.changes:
        if change.step < steps:
            network.RouteFrom(change.step * state.step_ns, *change[1:])


def _pings(network: Any) -> dict[str, list[Any]]:
    echoes = list(network.echoes)
    return {
        "t_s": [echo.sent_ns / S_NS for echo in echoes],
        "rtt_s": [echo.rtt_ns / S_NS if echo.rtt_ns >= 0 else None for echo in echoes],
        "serialisation_s": [echo.serialisation_ns / S_NS for echo in echoes],
        "queueing_s": [echo.queueing_ns / S_NS for echo in echoes],
        "dropped": [bool(echo.dropped) for echo in echoes],
    }


def _tcp(network: Any, kind: str, duration_s: float) -> dict[str, Any]:
    """Return what TCP delivered up to the end, and not while the last pings were waited for."""
    bins = math.floor(duration_s / DELIVERY_BIN_S + 1e-9)
    delivered = [int(count) for count in network.delivered_bytes][:bins]
    return {
        "kind": kind,
        "bin_s": DELIVERY_BIN_S,
        "delivered_bytes": delivered + [0] * (bins - len(delivered)),
        "window_t_s": [int(at) / S_NS for at in network.window_ns],
        "window_bytes": [int(count) for count in network.window_bytes],
    }


def _paths(state: ExportedState, plan: Plan) -> list[dict[str, Any]]:
    names = [str(row) for row in range(len(state.satellites))] + state.station_names
    return [
        {
            "t_s": step * state.step_ns / S_NS,
            "there": [names[node] for node in there],
            "back": [names[node] for node in back],
        }
        for step, there, back in plan.paths
    ]


if __name__ == "__main__":
    sys.exit(main())
