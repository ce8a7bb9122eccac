"""Tables of terminals: whom a hash means, tables taken from tables, and a million at once."""

import hmac
import random
import time

import h3.api.numpy_int as h3_cells
import numpy as np
import pytest

from skyweave.errors import InputError
from skyweave.policy.allow_list import MIN_GRACE_S, AllowList, Listed, kit_hash
from skyweave.policy.decision import Rule, decide, decide_all
from skyweave.policy.salted import salted_hash
from skyweave.policy.snapshot import (
    Agreement,
    Directive,
    Floor,
    Kind,
    PolicyRegion,
    Snapshot,
    Subject,
    subject_hash,
)
from skyweave.policy.terminals import Terminal, Terminals

SALT = "c3" * 16
NOW_S = 1_000_000
CENTRES = ((47.0, 8.0), (-17.0, 179.9), (64.0, -21.0))


def some(count, seed=1):
    """Return terminals of few accounts and kits, so that names occur more than once."""
    rng = random.Random(seed)
    return [
        Terminal(
            f"t{rng.randrange(count)}", f"a{rng.randrange(5)}",
            rng.choice(["standard", "priority", "lifeline"]), f"k{rng.randrange(count)}",
        )
        for _ in range(count)
    ]  # fmt: skip


@pytest.mark.parametrize("salt_bytes", [16, 63, 64, 65, 200])
def test_a_salted_hash_is_that_of_the_standard_library(salt_bytes):
    """Below, at and above the block of SHA-256, where RFC 2104 treats keys differently."""
    salt = bytes(range(salt_bytes))
    hashed = salted_hash(salt.hex())
    for name in ("", "hospital-017", "île " * 50):
        assert hashed(name) == hmac.digest(salt, name.encode(), "sha256").hex()


@pytest.mark.parametrize("subject", Subject)
def test_a_hash_means_all_rows_of_its_name(subject):
    known = some(40)
    table = Terminals.of(known)
    name = {Subject.TERMINAL: lambda t: t.terminal_id, Subject.ACCOUNT: lambda t: t.account_id}
    names = [name[subject](each) for each in known]
    asked = [names[3], "nobody", names[7], names[3]]
    hashes = [subject_hash(SALT, subject, each) for each in asked]
    expected = [n for each in asked for n, other in enumerate(names) if other == each]
    assert table.rows(SALT, subject, hashes).tolist() == expected
    assert table.rows(SALT, subject, hashes[1:2]).tolist() == []
    assert table.rows(SALT, subject, []).tolist() == []
    other_salt = "3c" * 16
    again = [subject_hash(other_salt, subject, each) for each in asked]
    assert table.rows(other_salt, subject, again).tolist() == expected
    assert table.rows(other_salt, subject, hashes).tolist() == []


def test_kits_of_rows_have_their_hashes():
    known = some(40)
    table, rows = Terminals.of(known), np.array([5, 3, 5, 20])
    kits, place = table.kits(rows)
    hashes = table.kit_hashes(SALT, kits)
    assert [hashes[k] for k in place] == [kit_hash(SALT, known[n].kit_id) for n in rows]
    assert len(kits) == len({known[n].kit_id for n in rows})


@pytest.mark.parametrize(
    "rows", [[4, 0, 4, 30], [], np.arange(40) % 3 == 0], ids=["rows", "none", "mask"]
)
def test_a_table_that_was_taken_is_the_table_of_its_terminals(rows):
    known = some(40)
    whole = Terminals.of(known)
    whole.rows(SALT, Subject.TERMINAL, [subject_hash(SALT, Subject.TERMINAL, "t1")])
    kept = [known[n] for n in np.arange(40)[rows]]
    taken, made = whole.take(rows), Terminals.of(kept)
    assert len(taken) == len(kept)
    assert taken.is_lifeline.tolist() == made.is_lifeline.tolist()
    for subject in Subject:
        letter = "t" if subject is Subject.TERMINAL else "a"
        hashes = [subject_hash(SALT, subject, f"{letter}{n}") for n in range(40)]
        expected = made.rows(SALT, subject, hashes).tolist()
        assert taken.rows(SALT, subject, hashes).tolist() == expected
        assert taken.take(np.arange(len(kept))).rows(SALT, subject, hashes).tolist() == expected


def test_columns_of_different_length_are_refused():
    with pytest.raises(InputError, match="differ in length; give one value a terminal"):
        Terminals(["a", "b"], ["x"], ["standard"] * 2, [""] * 2)


def test_many_kits_stand_on_a_list_as_each_one_does():
    rng = random.Random(3)
    kits = [f"k{n}" for n in range(30)]
    for _ in range(50):
        listed = sorted(
            (
                Listed(kit_hash(SALT, kit), "c", "s", NOW_S - rng.randrange(-2, 3),
                       rng.choice([None, NOW_S - 1, NOW_S, NOW_S + 1]))
                for kit in rng.sample(kits, rng.randrange(20))
            ),
            key=lambda each: each.kit_hash,
        )  # fmt: skip
        known = AllowList("r", "d", 1, SALT, NOW_S - 1, NOW_S + 9, tuple(listed))
        hashes = [kit_hash(SALT, kit) for kit in kits]
        is_listed, grace_until_s = known.standing(hashes, NOW_S)
        assert is_listed.tolist() == [known.has(each, NOW_S) for each in hashes]
        assert grace_until_s.tolist() == [known.grace_until_s(each) for each in hashes]


def policy_for(count):
    """Return a policy with every kind of record, `count` terminals and their cells."""
    areas = [
        np.unique(h3_cells.grid_disk(h3_cells.latlng_to_cell(*centre, 5), 20)).astype(np.uint64)
        for centre in CENTRES
    ]
    regions = [PolicyRegion(f"r{n}", 1, "sha256:r", a, False) for n, a in enumerate(areas)]
    ids = [f"terminal-{n}" for n in range(count)]
    kits = [f"kit-{n}" for n in range(count)]
    some_ids = ids[:: max(1, count // 1_000)]
    named = tuple(subject_hash(SALT, Subject.TERMINAL, each) for each in some_ids)
    listed = (Listed(kit_hash(SALT, kit), "c", "s", 0) for kit in kits[:: max(1, count // 20_000)])
    directives = [
        Directive(f"on{n}", Kind.ACTIVATE, f"r{n}", n, NOW_S, None, "x") for n in range(3)
    ]
    suspension = Directive("off", Kind.SUSPEND, "r0", 9, NOW_S, NOW_S + 9, "x")
    guarantee = Agreement("a", 10, ("r0", "r1"), NOW_S, NOW_S + 9, Floor(10**6), named)
    listing = AllowList(
        "r2", "list", 11, SALT, NOW_S, NOW_S + 9,
        tuple(sorted(listed, key=lambda each: each.kit_hash)), MIN_GRACE_S,
    )  # fmt: skip
    policy = Snapshot(
        1, "log", 12, "root", 1, NOW_S, SALT, tuple(regions), (*directives, suspension),
        (guarantee,), (listing,),
    )  # fmt: skip
    rng = np.random.default_rng(1)
    cells = rng.choice(np.concatenate(areas), count)
    table = Terminals(ids, [f"account-{n % 999}" for n in range(count)], ["standard"] * count, kits)
    return policy, table, cells, ids, kits


def test_a_million_terminals_are_decided_before_anybody_waits(full_counts, record_figure):
    count = 1_000_000 if full_counts else 20_000
    policy, table, cells, ids, kits = policy_for(count)
    wall_s = []
    for _ in range(20 if full_counts else 2):
        started = time.perf_counter()
        found = decide_all(policy, table, cells, NOW_S)
        wall_s.append(time.perf_counter() - started)
    for n in range(0, count, count // 200):
        one = Terminal(ids[n], f"account-{n % 999}", "standard", kits[n])
        assert found[n] == decide(policy, one, int(cells[n]), NOW_S)
    assert {Rule.GUARANTEED, Rule.SUSPENDED, Rule.ACTIVE} == set(found.rule.tolist())
    p95_s = float(np.quantile(wall_s[1:], 0.95))  # the first call hashes the names
    record_figure(f"decisions: {count} terminals at once, p95", p95_s, "s", "1 s")
    record_figure(f"decisions: {count} terminals at once, first call", wall_s[0], "s", "")
    noisy_machine = 3.0
    assert p95_s < 1.0 * noisy_machine
