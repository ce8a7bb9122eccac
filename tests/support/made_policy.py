"""Made-up policies over the places of the small network, and terminals that move among them."""

import random
from dataclasses import replace

import h3.api.numpy_int as h3_cells
import numpy as np
from tests.support.small_network import PLACES, content

from skyweave.policy.allow_list import MIN_GRACE_S, AllowList, Listed, kit_hash
from skyweave.policy.snapshot import (
    Agreement,
    Directive,
    Disabled,
    Floor,
    Kind,
    Licence,
    LicenceStatus,
    PolicyRegion,
    Snapshot,
    Subject,
    subject_hash,
)
from skyweave.time import format_utc
from skyweave.twin.scenario import build_scenario
from skyweave.twin.world import VerifiedPolicy, build_system

SALT = "5a" * 16
START_UTC = np.datetime64("2026-06-14T12:00:12", "ns")
START_S = int(START_UTC.astype(np.int64)) // 10**9
GENESIS = "sha256:" + "0" * 64


def disk(lat_deg, lon_deg, rings):
    """Return the cells around a place, ascending."""
    centre = h3_cells.latlng_to_cell(lat_deg, lon_deg, 5)
    return np.unique(h3_cells.grid_disk(centre, rings)).astype(np.uint64)


def region(name, cells, **changed):
    plain = PolicyRegion(name, 1, f"sha256:{name}", cells.copy(), needs_licence=False)
    return replace(plain, **changed)


def licence(**changed):
    return replace(Licence("A", "act 1", LicenceStatus.VALID, 0), **changed)


def directive(kind, entry, region_id, from_s=START_S - 1000, until_s=START_S + 10**6, **changed):
    plain = Directive(f"d-{entry}", kind, region_id, entry, from_s, until_s, "the quorum says so")
    return replace(plain, **changed)


def agreement(entry, *region_ids, terminals=(), accounts=(), **changed):
    plain = Agreement(
        f"a-{entry}", entry, region_ids, START_S - 1000, START_S + 10**6,
        terminal_hashes=tuple(subject_hash(SALT, Subject.TERMINAL, each) for each in terminals),
        account_hashes=tuple(subject_hash(SALT, Subject.ACCOUNT, each) for each in accounts),
    )  # fmt: skip
    return replace(plain, **changed)


def snapshot(*records, **changed):
    """Return a snapshot of regions, directives, agreements, allow lists and what is disabled."""
    kinds = {
        "regions": PolicyRegion, "directives": Directive, "agreements": Agreement,
        "allow_lists": AllowList, "disabled": Disabled,
    }  # fmt: skip
    found = {key: tuple(r for r in records if isinstance(r, kind)) for key, kind in kinds.items()}
    return Snapshot(
        version=1, log_origin="made.example/log", log_size=1000, log_root="r" * 44,
        charter_version=1, taken_at_s=START_S, salt=SALT, **(found | changed),
    )  # fmt: skip


def everywhere():
    """Return a policy under which every place of the small network is on."""
    cells = np.unique(np.concatenate([disk(*place, 3) for place in PLACES.values()]))
    return snapshot(region("all", cells), directive(Kind.ACTIVATE, 1, "all"))


def obeying(folder, policy, without=(), **changes):
    """Return the small network's system under a policy, None for none."""
    scenario = build_scenario(content(folder, **changes), "obeying", folder)
    return build_system(scenario, without, policy and VerifiedPolicy(policy, GENESIS))


def track(folder, name, fixes):
    """Write a track of (seconds from the start, lat_deg, lon_deg); return its file's name."""
    lines = [
        f"{format_utc(START_UTC + np.timedelta64(round(t_s * 1e3), 'ms'))},{lat},{lon}"
        for t_s, lat, lon in fixes
    ]
    text = "\n".join(["time_utc,lat_deg,lon_deg", *lines, ""])
    (folder / f"{name}.csv").write_text(text, encoding="utf-8")
    return f"{name}.csv"


def random_policy(rng: random.Random, span_s: int) -> Snapshot:
    """Return a policy of any records over the places, that begin and end within `span_s`."""
    regions = [
        region(
            f"r{n}", disk(*rng.choice(list(PLACES.values())), rng.randint(0, 3)),
            needs_licence=rng.random() < 0.4,
            licences=tuple(
                licence(from_s=begin, until_s=end, allows_lifeline_beyond=rng.random() < 0.5)
                for begin, end in _spans(rng, span_s, rng.randint(0, 2))
            ),
        )
        for n in range(rng.randint(1, 12))
    ]  # fmt: skip
    names = [each.region_id for each in regions]
    agreements = [
        agreement(
            100 + n, *rng.sample(names, rng.randint(1, min(2, len(names)))),
            terminals=rng.sample(list(PLACES), rng.randint(0, 2)),
            accounts=rng.sample(["aid", "post"], rng.randint(0, 1)),
            from_s=begin, until_s=end, exceptions=("order",) if rng.random() < 0.3 else (),
            floor=Floor(rng.choice([0, 10**6])),
        )
        for n, (begin, end) in enumerate(_spans(rng, span_s, rng.randint(0, 4)))
    ]  # fmt: skip
    directives = [
        _random_directive(rng, n, names, agreements, *span)
        for n, span in enumerate(_spans(rng, span_s, rng.randint(2, 25)))
    ]
    lists = [_random_list(rng, 300 + n, names, *span) for n, span in
             enumerate(_spans(rng, span_s, rng.randint(0, 2)))]  # fmt: skip
    disabled = [
        Disabled(subject, subject_hash(SALT, subject, name), f"x-{n}", 400 + n, begin, end, "due")
        for n, (begin, end) in enumerate(_spans(rng, span_s, rng.randint(0, 2)))
        for subject, name in [rng.choice([(Subject.TERMINAL, "rome"), (Subject.ACCOUNT, "aid")])]
    ]
    return snapshot(*regions, *agreements, *directives, *lists, *disabled)


def _spans(rng, span_s, count):
    for _ in range(count):
        begin = START_S + rng.randint(-span_s, span_s)
        yield begin, begin + rng.randint(1, 2 * span_s)


def _random_directive(rng, entry, names, agreements, begin, end):
    kinds = [each for each in Kind if agreements or each is not Kind.LIFT_GUARANTEE]
    weights = [5 if each is Kind.ACTIVATE else 1 for each in kinds]
    (kind,) = rng.choices(kinds, weights)
    lifts = rng.choice(agreements).agreement_id if kind is Kind.LIFT_GUARANTEE else ""
    return directive(
        kind, entry, rng.choice(names), begin, end, agreement_id=lifts,
        exception=rng.choice(["", "", "order"]), spares_lifeline=rng.random() < 0.5,
        max_down_bps=rng.choice([None, 0, 10**6]) if kind is Kind.RESTRICT else None,
        max_up_bps=rng.choice([None, 10**5]) if kind is Kind.RESTRICT else None,
    )  # fmt: skip


def _random_list(rng, entry, names, begin, end):
    # The grace of a list is 72 h or more, so some must have begun before.
    begin -= rng.choice([0, MIN_GRACE_S])
    kits = [
        Listed(kit_hash(SALT, f"kit-{k}"), "standard", "fund", begin, left)
        for k, left in ((1, None), (2, begin + rng.randint(1, 400)))
        if rng.random() < 0.7
    ]
    return AllowList(
        rng.choice(names), f"l-{entry}", entry, SALT, begin, end,
        tuple(sorted(kits, key=lambda kit: kit.kit_hash)), MIN_GRACE_S,
    )  # fmt: skip
