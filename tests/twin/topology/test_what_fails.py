"""What failures name and draw, one operator's network at a time."""

from dataclasses import replace

import numpy as np
import pytest

from skyweave.errors import InputError
from skyweave.twin.catalogue import walker_delta
from skyweave.twin.topology import (
    FailedLinks,
    Failure,
    Network,
    effect_of,
    joined_links,
    load_gateways,
    load_pops,
    parse_failure,
    plane_names,
    refuse_unknown,
)
from skyweave.twin.topology.failed_links import link_keys, parse_link, unit_hash

START = np.datetime64("2026-06-14T12:00:12", "ns")
SIX_SIGMA = 6.0  # a correct draw is beyond it once in 500 million


def network_of(operator="net"):
    pops = load_pops("builtin:2026-04-16")
    gateways = load_gateways("builtin:2026-03-20", pops)
    catalogue = walker_delta(550_000.0, 53.0, 20, 12, 7, START)
    catalogue = replace(catalogue, norad_id=catalogue.norad_id + 50_000)
    return Network(operator, catalogue, START, gateways, pops)


@pytest.fixture(scope="module")
def network():
    return network_of()


def shuffled(network):
    """The same network with satellites and gateways in another order."""
    order = np.random.default_rng(3).permutation
    return replace(
        network,
        catalogue=network.catalogue.take(order(len(network.catalogue))),
        gateways=network.gateways.take(order(len(network.gateways))),
    )


def broken_ids(effect, network):
    """The NORAD ids and the gateway ids that an effect takes."""
    gateways = network.gateways.gateway_id[effect.gateway]
    return set(network.catalogue.norad_id[effect.sat].tolist()), set(gateways.tolist())


@pytest.mark.parametrize("kind", ["satellite", "plane", "gateway", "pop", "country"])
@pytest.mark.parametrize("share", [0.001, 0.1, 0.37, 1.0])
def test_a_share_takes_so_many_of_all_there_are(kind, share, network):
    effect = effect_of(Failure(kind, share=share), network, seed=5)
    assert len(effect.names) == round(share * len(network.names(kind)))
    assert set(effect.names) <= set(network.names(kind))


@pytest.mark.parametrize("kind", ["satellite", "plane", "gateway"])
def test_a_draw_depends_on_seed_place_and_operator_and_on_no_order(kind, network):
    failure = Failure(kind, share=0.3)
    drawn = effect_of(failure, network, seed=5)
    again = effect_of(failure, shuffled(network), seed=5)
    assert broken_ids(drawn, network) == broken_ids(again, shuffled(network))
    others = [
        effect_of(failure, network, seed=6),
        effect_of(replace(failure, number=1), network, seed=5),
        effect_of(failure, network_of("other"), seed=5),
    ]
    assert len({each.names for each in (drawn, *others)}) == 4


def test_a_larger_share_takes_what_the_smaller_one_took_and_more(network):
    small, large = (
        set(effect_of(Failure("satellite", share=share), network, seed=1).names)
        for share in (0.1, 0.4)
    )
    assert small < large


def test_every_satellite_is_drawn_equally_often(network):
    share, seeds = 0.25, 400
    failure = Failure("satellite", share=share)
    hits = sum(effect_of(failure, network, seed).sat.astype(int) for seed in range(seeds))
    spread = np.sqrt(seeds * share * (1 - share))
    assert np.abs(hits - seeds * share).max() < SIX_SIGMA * spread


def test_a_plane_is_the_list_of_its_satellites(network):
    names = plane_names(network.catalogue, START)
    members = network.catalogue.norad_id[names == "0-7"]
    assert members.size == 12
    whole = effect_of(Failure("plane", ("0-7",)), network, seed=0)
    listed = Failure("satellite", tuple(str(number) for number in members))
    np.testing.assert_array_equal(whole.sat, effect_of(listed, network, seed=0).sat)


def test_a_country_takes_its_gateways_and_pops_alone(network):
    effect = effect_of(Failure("country", ("DE",)), network, seed=0)
    np.testing.assert_array_equal(effect.gateway, network.gateways.country == "DE")
    np.testing.assert_array_equal(effect.pop, network.pops.country == "DE")
    assert effect.gateway.any()
    assert effect.pop.any()
    assert not effect.sat.any()
    assert not effect.links
    assert not effect.is_core


def test_an_operator_takes_all_and_its_core_nothing_but_itself(network):
    whole = effect_of(Failure("operator", ("net",)), network, seed=0)
    core = effect_of(Failure("core", ("net",)), network, seed=0)
    assert whole.is_core
    assert core.is_core
    for name in ("sat", "gateway", "pop"):
        assert getattr(whole, name).all()
        assert not getattr(core, name).any()
    for kind in ("operator", "core"):
        assert effect_of(Failure(kind, ("other",)), network, seed=0).is_nothing
    assert effect_of(Failure("satellite", share=1.0, operator="other"), network, 0).is_nothing


def test_a_link_fails_from_either_end_and_no_other_does(network):
    links = effect_of(Failure("link", ("50003-50004",)), network, seed=0).links
    asked = np.array([[50003, 50004], [50004, 50003], [50003, 50005], [50004, 50005]])
    assert links.holds(asked).tolist() == [True, True, False, False]
    both = joined_links([links, effect_of(Failure("link", ("50004-50005",)), network, 0).links])
    assert both.holds(asked).tolist() == [True, True, False, True]


def test_links_fail_each_by_itself_with_the_probability_asked_for(network):
    share = 0.2
    ids = network.catalogue.norad_id
    pairs = np.array([(a, b) for a in ids for b in ids if a < b])
    links = effect_of(Failure("link", share=share), network, seed=4).links
    failed = links.holds(pairs)
    spread = np.sqrt(len(pairs) * share * (1 - share))
    assert abs(failed.sum() - share * len(pairs)) < SIX_SIGMA * spread
    np.testing.assert_array_equal(links.holds(pairs[:, ::-1]), failed)
    # Links that share a satellite fail independently: the count at each is binomial.
    at_each = [failed[(pairs == number).any(axis=1)].sum() for number in ids[:50]]
    assert np.std(at_each) == pytest.approx(np.sqrt((ids.size - 1) * share * (1 - share)), rel=0.4)
    other = effect_of(Failure("link", share=share), network, seed=5).links.holds(pairs)
    both = (failed & other).sum()
    assert abs(both - share**2 * len(pairs)) < SIX_SIGMA * np.sqrt(share**2 * len(pairs))


def test_the_hash_is_splitmix64():
    # Steele, Lea, Flood 2014: the first outputs of the generator seeded with 1234567.
    published = [6457827717110365317, 3203168211198807973, 9817491932198370423]
    gamma, mask = 0x9E3779B97F4A7C15, 2**64 - 1
    states = np.array([(1234567 + k * gamma) & mask for k in range(3)], dtype=np.uint64)
    from skyweave.twin.topology.failed_links import _mixed

    assert _mixed(states).tolist() == published
    values = unit_hash(7, np.arange(10_000, dtype=np.uint64))
    assert 0.0 <= values.min() < 0.001
    assert 0.999 < values.max() < 1.0


def test_links_are_told_apart_by_both_ends():
    ends = np.array([[1, 2], [2, 1], [1, 3], [2, 3], [0, 999_999_999]])
    assert np.unique(link_keys(ends)).size == 4
    nothing = FailedLinks(np.empty(0, np.uint64))
    assert not nothing
    assert not nothing.holds(ends).any()


@pytest.mark.parametrize("text", ["50003", "50003-", "a-b", "50003-50003", "1-2-3", "1234567890-1"])
def test_what_is_no_link_is_refused(text):
    with pytest.raises(InputError, match=r'^here: found the link ".*", expected the NORAD ids of'):
        parse_link(text, "here")


@pytest.mark.parametrize(
    ("failure", "text"),
    [
        ("satellite:50240", 'no satellite "50240"; did you mean '),
        ("satellite:x", 'no satellite "x"; there are 50000, 50001'),
        ("link:50000-77", 'no satellite "77"; '),
        ("plane:0-77", 'no plane "0-77"; did you mean 0-19 or 0-18 or 0-17?'),
        ("plane:x", 'no plane "x"; there are 0-0, 0-1'),
        ("core:nett", 'no operator "nett"; did you mean net'),
    ],
)
def test_what_a_network_does_not_have_is_refused_with_the_near_ones(failure, text, network):
    with pytest.raises(InputError) as refusal:
        refuse_unknown(parse_failure(failure), [network])
    assert str(refusal.value).startswith(f"--without {failure}: {text}")
    assert "\n" not in str(refusal.value)


def test_a_link_between_operators_is_refused(network):
    catalogue = network.catalogue
    halves = [
        replace(network, operator=name, catalogue=catalogue.take(rows))
        for name, rows in (("a", np.arange(100)), ("b", np.arange(100, 240)))
    ]
    with pytest.raises(InputError, match="belong to different operators"):
        refuse_unknown(parse_failure("link:50001-50200"), halves)
    with pytest.raises(InputError, match=r'no operator "c"; there are a, b'):
        refuse_unknown(Failure("satellite", share=0.5, operator="c", place="f"), halves)


def test_ids_are_taken_as_people_write_them():
    assert parse_failure(" satellite:00042 ").ids == ("42",)
    assert parse_failure("link:44714-44713").ids == ("44713-44714",)
    assert str(parse_failure("satellite:00042")) == "satellite:42"
    several = Failure("gateway", tuple("abcdef"), from_utc=START)
    assert str(several) == "gateway:a,b,c,... (6) from 2026-06-14T12:00:12Z"
    assert str(Failure("link", share=0.1)) == "link:10%"


@pytest.mark.parametrize("kind", ["gateway", "satellite", "plane"])
def test_a_failure_of_what_there_is_none_of_is_refused(kind, network):
    nothing = np.zeros(0, np.int64)
    bare = replace(
        network,
        catalogue=network.catalogue.take(nothing),
        gateways=network.gateways.take(nothing),
    )
    with pytest.raises(InputError, match=f"the scenario has no {kind}s; remove this failure$"):
        refuse_unknown(parse_failure(f"{kind}:nope"), [bare])


def test_near_planes_are_those_of_the_shell_around_the_circle():
    from skyweave.twin.topology.failures import _near_planes

    names = ["53.2-540-0.4", "53.2-540-180.1", "53.2-540-355.2", "53.2-540-5.5", "70.0-570-359.9"]
    assert _near_planes("53.2-540-359.9", names) == (
        "did you mean 53.2-540-0.4 or 53.2-540-355.2 or 53.2-540-5.5?"
    )
    assert _near_planes("97.6-560-10.0", names) == _near_planes("53.2-540-x", names) == ""
