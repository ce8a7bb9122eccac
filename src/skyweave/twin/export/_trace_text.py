"""What replays a trace: packet opportunities for mahimahi, a shell script for tc and netem."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
BoolArray = NDArray[np.bool_]

PACKET_BITS = 8 * 1500  # what one opportunity of mahimahi's carries
MIN_LIMIT = 1000  # packets, netem's own default


def opportunities_ms(up: BoolArray, every_ms: int, rate_bps: int) -> IntArray:
    """Return when packets may leave, rising, in whole milliseconds from the start.

    `up` (T,) says of each step of `every_ms` whether there is a path.  In k bits' worth of time
    with a path there are k / 12,000 opportunities, rounded up, and none lies within an outage.

    Mahimahi starts again at a file's last line.  A trace with a path at its start has its first
    opportunity there, at the end of its last step, so that a turn takes the trace's whole time;
    else the last one closes the trace, if there is a path then.  A trace that begins and ends with
    an outage can only start again too early.
    """
    steps = np.flatnonzero(up)
    whole = PACKET_BITS * 1000  # bits of a packet, times milliseconds in a second
    count = -(-steps.size * every_ms * rate_bps // whole)
    with_path_ms = np.arange(count, dtype=np.int64) * whole // rate_bps
    at_ms: IntArray = steps[with_path_ms // every_ms] * every_ms + with_path_ms % every_ms
    end_ms = up.size * every_ms
    if up[0]:
        return np.append(at_ms[1:], end_ms)
    if up[-1]:
        at_ms[-1] = end_ms
    return at_ms


def netem_limit(rate_bps: int, longest_rtt_s: float) -> int:
    """Return how many packets netem has to hold: twice what is under way, at least its default."""
    return max(MIN_LIMIT, int(np.ceil(2.0 * rate_bps * longest_rtt_s / PACKET_BITS)))


def netem_changes(one_way_s: FloatArray, every_ms: int) -> Iterator[tuple[int, int, int]]:
    """Yield time in ms, delay in microseconds and loss in percent wherever they change.

    `one_way_s` (T,) is NaN in an outage, which keeps the delay of before it: packets that are
    under way arrive.
    """
    up = np.isfinite(one_way_s)
    first = one_way_s[np.argmax(up)]  # known where there is any
    last: tuple[int, int] | None = None
    delay_us = round(float(first) * 1e6)
    for step, (is_up, delay_s) in enumerate(zip(up.tolist(), one_way_s.tolist(), strict=True)):
        if is_up:
            delay_us = round(delay_s * 1e6)
        now = delay_us, 0 if is_up else 100
        if now != last:
            yield step * every_ms, *now
        last = now


def netem_script(
    changes: Iterator[tuple[int, int, int]], duration_ms: int, limit: int, rate_bps: int
) -> Iterator[str]:
    """Yield the lines of the script; nothing that a user named is in it."""
    first = next(changes)
    settings = f"limit {limit} rate {rate_bps}bit"
    yield from _HEAD.replace("@SETTINGS@", settings).splitlines()
    yield "begin {1} {2}".format(*first)
    for change in changes:
        yield "at {} {} {}".format(*change)
    yield f"finish {duration_ms}"


# The time is read from /proc/uptime: it knows no clock set back, and `read` starts no process.
_HEAD = r"""#!/bin/sh
# Written by Skyweave. Plays a path's delay and outages on what one network device sends.
#   sh netem.sh DEVICE       as root; ends by itself, and Ctrl-C ends it early
#   sh netem.sh -n DEVICE    prints the commands and runs none
# It touches DEVICE alone. Where that has a queueing discipline of its own the script stops and
# changes nothing; at its end it removes the one that it added, by its handle, and no other.
set -u
handle=5357:
settings='@SETTINGS@'
dry=0
if [ "${1:-}" = -n ]; then dry=1; shift; fi
if [ $# -ne 1 ] || [ -z "$1" ]; then echo "usage: sh netem.sh [-n] DEVICE" >&2; exit 2; fi
device=$1
pause=
late_ms=0

now() {
    read -r up _ </proc/uptime
    now_ms=$((${up%.*} * 1000 + 1${up#*.}0 - 1000))
}

netem() { # add|change, delay in microseconds, loss in percent
    tc qdisc "$1" dev "$device" root handle $handle netem delay "${2}us" loss "$3%" $settings
}

show() { # time in ms, add|change, delay in microseconds, loss in percent
    echo "$1 ms: tc qdisc $2 dev $device root handle $handle netem" \
        "delay ${3}us loss $4% $settings"
}

stop() {
    trap - EXIT
    if [ -n "$pause" ]; then kill "$pause" 2>/dev/null; fi
    tc qdisc del dev "$device" root handle $handle
}

begin() {
    if [ $dry = 1 ]; then show 0 add "$1" "$2"; return; fi
    if ! sleep 0.01; then echo "netem.sh: sleep takes no fractions here" >&2; exit 1; fi
    if ! netem add "$1" "$2"; then
        echo "netem.sh: $device takes no netem, or has a qdisc of its own; nothing changed" >&2
        exit 1
    fi
    trap stop EXIT
    trap 'exit 129' HUP
    trap 'exit 130' INT
    trap 'exit 143' TERM
    now
    start_ms=$now_ms
}

wait_until() {
    now
    left_ms=$((start_ms + $1 - now_ms))
    if [ $left_ms -gt 0 ]; then
        fraction=$((left_ms % 1000 + 1000))
        sleep $((left_ms / 1000)).${fraction#1} &
        pause=$!
        wait $pause
        pause=
    elif [ $((-left_ms)) -gt $late_ms ]; then
        late_ms=$((-left_ms))
    fi
}

at() {
    if [ $dry = 1 ]; then show "$1" change "$2" "$3"; return; fi
    wait_until "$1"
    netem change "$2" "$3" || exit 1
}

finish() {
    if [ $dry = 1 ]; then return; fi
    wait_until "$1"
    echo "netem.sh: done; at worst $late_ms ms late" >&2
}
"""
