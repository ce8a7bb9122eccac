"""Made-up directives, regions and terminals for impact reports, on cells at sea."""

import random
from dataclasses import replace

import h3.api.numpy_int as h3_cells
import numpy as np

from skyweave.control.domain.documents import Directive, DirectiveKind, LicenceRecord, digest_of
from skyweave.control.domain.impact_border import People
from skyweave.control.domain.impact_table import ImpactTable
from skyweave.policy import snapshot as policy
from skyweave.policy.allow_list import MIN_GRACE_S, AllowList, Listed, kit_hash
from skyweave.policy.terminals import Terminal

SALT = "7c" * 16
START_S = 1_800_000_000
CELLS = np.unique(h3_cells.grid_disk(h3_cells.latlng_to_cell(38.0, -40.0, 5), 2)).astype(np.uint64)
NOBODY = People(np.zeros(0, np.uint64), np.zeros(0), np.zeros(0), np.zeros(0, np.int64))

TERMINALS = ("clinic", "ferry", "school", "mast")
ACCOUNTS = ("", "aid", "harbour")


def region(name="amity@1", cells=CELLS, **changed):
    plain = policy.PolicyRegion(name, 1, f"sha256:{name}", cells.copy(), needs_licence=False)
    return replace(plain, **changed)


def licence(**changed):
    plain = policy.Licence("AQ", "act 1", policy.LicenceStatus.VALID, 0)
    return replace(plain, **changed)


def in_force(kind, entry=1, region_id="amity@1", **changed):
    """Return a directive of a snapshot that is in force from before to after START_S."""
    span = START_S - 1000, START_S + 10**6
    plain = policy.Directive(f"d-{entry}", policy.Kind(kind), region_id, entry, *span, "because")
    return replace(plain, **changed)


def agreement(name="a-17", entry=50, **changed):
    span = START_S - 1000, START_S + 10**6
    return replace(policy.Agreement(name, entry, ("amity@1",), *span), **changed)


def for_account(name):
    return {"account_hashes": (policy.subject_hash(SALT, policy.Subject.ACCOUNT, name),)}


def snapshot(*records, **changed):
    """Return a snapshot of regions, directives, agreements and allow lists."""
    kinds = {"regions": policy.PolicyRegion, "directives": policy.Directive,
             "agreements": policy.Agreement, "allow_lists": AllowList}  # fmt: skip
    found = {key: tuple(r for r in records if isinstance(r, kind)) for key, kind in kinds.items()}
    return policy.Snapshot(1, "made.example/log", 1000, "r" * 44, 1, START_S, SALT,
                           **(found | changed))  # fmt: skip


ON = in_force("activate", 1, until_s=None)  # the region is on


def proposed(does="suspend", **changed):
    """Return a directive as it is proposed, on the region "amity"."""
    plain = Directive(
        directive_id="proposed", does=DirectiveKind(does), route="any", charter=digest_of(b""),
        region_id="amity", owner="port", reason="an example", from_s=START_S,
        until_s=START_S + 1000, approvals_until_s=START_S,
    )  # fmt: skip
    return plain.model_copy(update=changed)


def table(terminals, cells, sponsors=None, is_moving=None):
    """Return the table of `Terminal`s in cells; without sponsors and standing by default."""
    count = len(terminals)
    return ImpactTable(
        [each.terminal_id for each in terminals],
        np.array(cells, dtype=np.uint64),
        service_classes=[each.service_class for each in terminals],
        accounts=[each.account_id for each in terminals],
        sponsors=sponsors or [""] * count,
        kits=[each.kit_id for each in terminals],
        is_moving=is_moving or [False] * count,
    )


def fleet(count, cell=CELLS[0], sponsor="", account="", service_class="standard", prefix="t"):
    """Return `count` like terminals of one cell, as rows for `table_of`."""
    return [
        (Terminal(f"{prefix}-{n}", account, service_class), int(cell), sponsor)
        for n in range(count)
    ]


def table_of(*fleets):
    """Return the table of fleets, one after the other."""
    rows = [row for each in fleets for row in each]
    return table([row[0] for row in rows], [row[1] for row in rows], [row[2] for row in rows])


def random_case(rng: random.Random):
    """Return (directive, region, terminals, cells, snapshot before it, its allow list)."""
    drawn = {name: _some_cells(rng) for name in ("amity@1", "amity@2", "cove@1", "sound@1")}
    regions = tuple(
        region(
            name, cells, needs_licence=rng.random() < 0.4,
            licences=tuple(licence(until_s=rng.choice([None, START_S, START_S + 1]))
                           for _ in range(rng.randrange(2))),
        )
        for name, cells in drawn.items()
    )  # fmt: skip
    own = rng.choice(regions)
    known = regions if rng.random() < 0.8 else tuple(each for each in regions if each is not own)
    names = [each.region_id for each in known]
    agreements = [_random_agreement(rng, n, names) for n in range(rng.randrange(3))]
    kinds = [k for k in policy.Kind if agreements or k is not policy.Kind.LIFT_GUARANTEE]
    before = [_random_directive(rng, n, kinds, names, agreements) for n in range(rng.randrange(6))]
    lists = [_random_list(rng, 30 + n, rng.choice(names)) for n in range(rng.choice([0, 0, 1]))]
    policy_before = snapshot(*known, *before, *agreements, *lists)
    directive = _random_proposal(rng, kinds, own, before, agreements)
    brought = None
    if directive.does is DirectiveKind.RESTRICT and own in known and rng.random() < 0.5:
        brought = _random_list(rng, 1000, own.region_id)
    who = [
        Terminal(f"{rng.choice(TERMINALS)}-{n % 3}", rng.choice(ACCOUNTS),
                 rng.choice(["standard", "standard", "priority", "lifeline"]),
                 f"k{rng.randrange(4)}")
        for n in range(rng.randrange(60))
    ]  # fmt: skip
    where = [rng.choice([0, *CELLS.tolist(), *own.cells.tolist()]) for _ in who]
    return directive, own, who, where, policy_before, brought


def _some_cells(rng):
    return CELLS[sorted(rng.sample(range(CELLS.size), rng.randint(1, 10)))]


def _random_agreement(rng, n, names):
    named = rng.choice(["everyone", "terminals", "accounts"])
    hashed = policy.subject_hash
    return agreement(
        f"a-{n}", 100 + n, region_ids=tuple(rng.sample(names, rng.randint(1, 2))),
        from_s=START_S - rng.randrange(2), until_s=START_S + rng.randrange(1, 3),
        floor=policy.Floor(rng.randrange(3), rng.randrange(3)),
        terminal_hashes=tuple(hashed(SALT, policy.Subject.TERMINAL, f"{t}-{k}")
                              for t in TERMINALS[:2] for k in range(3) if named == "terminals"),
        account_hashes=(hashed(SALT, policy.Subject.ACCOUNT, rng.choice(ACCOUNTS)),)
        if named == "accounts" else (),
        exceptions=rng.choice([(), (), ("safety",), ("order", "safety")]),
    )  # fmt: skip


def _random_directive(rng, entry, kinds, names, agreements):
    kind = rng.choice([*kinds, policy.Kind.ACTIVATE, policy.Kind.ACTIVATE])
    return in_force(
        kind, entry, rng.choice(names), from_s=START_S + rng.choice([-9, -1, 0, 1]),
        until_s=START_S + rng.randrange(2, 9), exception=rng.choice(["", "", "safety", "order"]),
        agreement_id=rng.choice(agreements).agreement_id
        if kind is policy.Kind.LIFT_GUARANTEE else "",
        max_down_bps=rng.choice([None, 1, 2]), max_up_bps=rng.choice([None, 1, 2]),
        spares_lifeline=rng.random() < 0.5,
    )  # fmt: skip


def _random_list(rng, entry, region_id):
    kits = sorted(
        (Listed(kit_hash(SALT, f"k{k}"), "standard", "", START_S - 5)
         for k in rng.sample(range(4), rng.randrange(4))),
        key=lambda kit: kit.kit_hash,
    )  # fmt: skip
    from_s = START_S - (rng.choice([0, MIN_GRACE_S]) if entry < 1000 else 0)
    return AllowList(region_id, f"l-{entry}", entry, SALT, from_s, START_S + 10**6, tuple(kits))


def _random_proposal(rng, kinds, own, before, agreements):
    does = rng.choice([*map(DirectiveKind, kinds), DirectiveKind.AMEND_LICENCE])
    brings = does is DirectiveKind.AMEND_LICENCE or (
        does is DirectiveKind.ACTIVATE and rng.random() < 0.3
    )
    return proposed(
        does,
        region_id=own.region_id.partition("@")[0],
        agreement_id=rng.choice(agreements).agreement_id
        if does is DirectiveKind.LIFT_GUARANTEE else "",
        exception=rng.choice(["", "", "safety"]),
        max_down_bps=rng.choice([None, 1]), max_up_bps=rng.choice([None, 1, 2]),
        supersedes=rng.choice(["", "", *(each.directive_id for each in before)]),
        licence=LicenceRecord(administration=rng.choice(["AQ", "XZ"]), instrument="act 2",
                              status=rng.choice(["valid", "void"]), from_s=START_S)
        if brings else None,
    )  # fmt: skip
