"""No assignment breaks a limit: counted again with plain loops, from the rules alone."""

from collections import Counter

import numpy as np
from tests.support.beam_instances import Slot, random_slot

from skyweave.twin.scheduling.beams import assign, check


def violations(slot: Slot, assignment) -> list[str]:
    """Every broken rule, told without anything of the scheduler's but its answer."""
    broken = []
    beams = set()
    for t, pair in enumerate(assignment.chosen.tolist()):
        own = range(slot.terminal_start[t], slot.terminal_start[t + 1])
        can = [p for p in own if slot.score[p] != -np.inf]
        if pair == -1:
            if assignment.channel[t] != -1 or assignment.reason_no_beam[t] != bool(can):
                broken.append(f"terminal {t} has no service but a channel or the wrong reason")
            continue
        if pair not in can:
            broken.append(f"terminal {t} has a pair that is not its own")
        if assignment.reason_no_beam[t] or not 0 <= assignment.channel[t] < 8:
            broken.append(f"terminal {t} is served without a channel or with a reason")
        beams.add((int(slot.cell[t]), int(slot.sat[pair]), int(assignment.channel[t])))
    for kind, key in (("channel", (0, 2)), ("satellite", (0, 1))):
        count = Counter(tuple(beam[i] for i in key) for beam in beams)
        broken += [f"two beams of cell and {kind} {k}" for k, many in count.items() if many > 1]
    used = Counter(beam[1] for beam in beams)
    for n, (down, up) in enumerate(zip(*slot.limits, strict=True)):
        if used[n] > down or used[n] > 3 * up:
            broken.append(f"satellite {n} uses {used[n]} beams of {down} down and 3 x {up} up")
        if used[n] != assignment.beams_used[n]:
            broken.append(f"satellite {n} uses {used[n]} beams, not {assignment.beams_used[n]}")
    return broken


def left_over(slot: Slot, assignment) -> list[int]:
    """Terminals without service although a satellite they see has a beam for their cell."""
    beams = {
        (int(slot.cell[t]), int(slot.sat[p])) for t, p in enumerate(assignment.chosen) if p >= 0
    }
    of_cell = Counter(c for c, _ in beams)
    of_sat = Counter(n for _, n in beams)
    found = []
    for t in np.flatnonzero(assignment.chosen < 0).tolist():
        c = int(slot.cell[t])
        for p in range(slot.terminal_start[t], slot.terminal_start[t + 1]):
            n = int(slot.sat[p])
            limit = min(slot.limits.down[n], 3 * slot.limits.up[n])
            if slot.score[p] > -np.inf and (
                (c, n) in beams or (of_cell[c] < 8 and of_sat[n] < limit)
            ):
                found.append(t)
    return found


def test_no_random_slot_breaks_a_limit_or_leaves_a_beam_unused(full_counts, record_figure):
    slots = 10_000 if full_counts else 500
    broken = short = 0
    for seed in range(slots):
        rng = np.random.default_rng([5, seed])
        slot = random_slot(
            rng, cells=int(rng.integers(2, 25)), satellites=int(rng.integers(2, 25)), crowded=1
        )
        assignment = assign(*slot)
        found = violations(slot, assignment) + check(assignment, *slot.unranked)
        assert not found, (seed, found[0])
        assert not left_over(slot, assignment), seed
        broken += bool(found)
        short += bool(assignment.reason_no_beam.any())
    assert short > 0.8 * slots  # the limits bind nearly everywhere
    record_figure(f"beam limits broken in {slots} random slots", broken, "slots", "0")
