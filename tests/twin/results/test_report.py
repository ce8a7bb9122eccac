"""The report: what it says, that it says it safely, and that it opens anywhere."""

import re
from dataclasses import fields, replace
from html.parser import HTMLParser

import numpy as np
import pytest
from synthetic_run import (
    chunk_of,
    facts_of,
    labels_of,
    operator_of,
    out_throughout,
    served_throughout,
    two_operators,
    write_run,
)

from skyweave.policy import Reason
from skyweave.twin.results.chunk import ARRAYS, join
from skyweave.twin.results.folder import load_run
from skyweave.twin.results.risk import by_risk
from skyweave.twin.results.style import subject

NASTY = '<script>alert("x")</script> & "sons\''


class Page(HTMLParser):
    """Reads a page strictly: every tag closed in order, texts and attributes collected."""

    VOID = ("meta", "img", "br")

    def __init__(self, html):
        super().__init__()
        self.open, self.tags, self.attributes, self.rows = [], [], [], []
        self.text = ""
        self.feed(html)
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes.extend((tag, *pair) for pair in attrs)
        if tag not in self.VOID:
            self.open.append(tag)
        if tag == "tr":
            self.rows.append("")
        if tag == "dd":
            self.text += " "

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if "style" in self.open:
            return
        data = data.replace("\u00a0", " ")
        self.text += data
        if "tr" in self.open:
            self.rows[-1] += data + " "


def page_of(folder, chunk_maker=chunk_of, labels=None, facts=None, pictures=(), before=None):
    labels = labels or labels_of()
    chunk = chunk_maker(labels)
    run = load_run(write_run(folder / "r", labels, chunk, facts, pictures=pictures, before=before))
    html = (run.folder / "report.html").read_text("utf-8")
    return run, html, Page(html)


def test_it_names_the_run_its_size_and_its_key_figures(tmp_path):
    run, _, page = page_of(tmp_path)
    text = page.text.replace("\n", " ")
    assert "Satellite internet at 12 sites, computed from the orbits of 9 satellites" in text
    assert "2026-06-14 12:00:12 to 12:07:42 UTC, every 15 s" in text
    share = 100 * run.summary["served_share"]
    assert f"{share:.1f} %of the time there was service" in page.text
    assert f"{(run.fleet['outages'] > 0).sum()}of 12 sites had a break" in page.text
    assert f"{1e3 * run.summary['rtt_s']['p50']:.0f} mstypical delay" in page.text


def test_every_site_has_a_row_those_most_at_risk_first(tmp_path):
    run, _, page = page_of(tmp_path)
    rows = [row for row in page.rows if "clinic-" in row]
    shares = [float(re.search(r"([\d.]+) %", row)[1]) for row in rows]
    assert len(rows) == 12
    assert shares == sorted(shares)
    worst = by_risk(run.fleet).iloc[0]
    first = rows[0]
    assert worst["name"] in first
    assert "Philippines" in first
    assert Reason(worst["longest_outage_reason"]).text in first
    assert worst["longest_outage_start_utc"][11:19] in first
    assert f"{1e3 * worst['rtt_p50_s']:.0f} ms / {1e3 * worst['rtt_p95_s']:.0f} ms" in first


def test_sites_are_counted_by_what_they_had(tmp_path):
    run, _, page = page_of(tmp_path, lambda labels: chunk_of(labels, out_share=0.02))
    whole = int((run.fleet["outages"] == 0).sum())
    assert 0 < whole < 12
    assert (
        f"Of 12 sites, {whole} had service all the time and {12 - whole} lost it for part"
        in page.text
    )


def test_risk_is_less_service_then_the_longer_outage_then_the_name(tmp_path):
    run, _, _ = page_of(tmp_path)
    fleet = run.fleet.head(4).copy()
    fleet["served_share"] = [0.9, 0.5, 0.9, 0.9]
    fleet["longest_outage_s"] = [15.0, 15.0, 60.0, 15.0]
    fleet["terminal_id"] = ["d", "c", "b", "a"]
    assert by_risk(fleet)["terminal_id"].tolist() == ["c", "b", "a", "d"]


def test_causes_are_told_in_plain_words_with_their_share(tmp_path):
    run, _, page = page_of(tmp_path)
    outages = run.manifest["outages"]
    total = sum(found["terminal_slots"] for found in outages.values())
    for reason, found in outages.items():
        (row,) = [row for row in page.rows if f" {reason} " in row]
        assert Reason(reason).text.capitalize() in row
        assert f"{100 * found['terminal_slots'] / total:.1f} %" in row
        assert f" {found['terminals']} " in row


def test_dependence_names_countries_and_points_of_presence(tmp_path):
    run, _, page = page_of(tmp_path)
    gateways = run.ground[run.ground["kind"] == "gateway"]
    shares = gateways.groupby("country")["served_share"].sum()
    for code, name in (
        ("PH", "Philippines"),
        ("JP", "Japan"),
        ("ID", "Indonesia"),
        ("", "unknown"),
    ):
        share = f"{100 * shares[code]:.1f} %"
        assert any(re.match(rf"{name} 1 gateway {share} 0", row) for row in page.rows)
    assert any("Manila, Philippines" in row for row in page.rows)


def test_texts_of_a_fleet_file_cannot_become_markup(tmp_path):
    labels = labels_of()
    nasty = np.full(labels.terminals, NASTY)
    places = np.full(labels.gateway_id.size, NASTY)
    labels = replace(
        labels,
        terminal_name=nasty,
        terminal_id=np.array([f"{NASTY}{i}" for i in range(labels.terminals)]),
        terminal_class=nasty,
        service_class=nasty,
        country=nasty,
        gateway_id=np.array([f"{NASTY}{i}" for i in range(places.size)]),
        gateway_name=places,
        gateway_country=places,
        pop_id=np.array([NASTY + "a", NASTY + "b"]),
        pop_city=places[:2],
        pop_country=places[:2],
    )
    facts = facts_of(
        title=NASTY, warnings=(NASTY,), catalogue_source=NASTY, satellites_left_out={NASTY: 1}
    )
    _, html, page = page_of(tmp_path, labels=labels, facts=facts)
    assert "script" not in page.tags
    assert "<script" not in html
    assert page.text.count(NASTY) > 5 * labels.terminals


def test_the_page_asks_nobody_for_anything(tmp_path):
    _, html, page = page_of(tmp_path, pictures=("map", "rtt"))
    assert "http" not in html.replace("http-equiv", "")
    assert "@import" not in html
    assert "url(" not in html
    assert ("meta", "content") in {(tag, name) for tag, name, _ in page.attributes}
    assert "default-src 'none'; img-src data:; style-src 'unsafe-inline'" in html
    sources = [value for _, name, value in page.attributes if name in ("src", "href")]
    assert len(sources) == 2
    assert all(source.startswith("data:image/png;base64,") for source in sources)


def test_pictures_say_in_words_what_they_show(tmp_path):
    _, _, page = page_of(tmp_path, pictures=("map", "rtt"))
    texts = [value for tag, name, value in page.attributes if (tag, name) == ("img", "alt")]
    assert len(texts) == 2
    assert all(len(text) > 80 for text in texts)


def test_tables_can_be_read_aloud_and_on_a_phone(tmp_path):
    run, html, page = page_of(tmp_path)
    assert ("html", "lang", "en") in page.attributes
    assert page.tags.count("h1") == 1
    assert page.tags.count("caption") == page.tags.count("table") == 5
    assert "viewport" in html
    scopes = {value for tag, name, value in page.attributes if (tag, name) == ("th", "scope")}
    assert scopes == {"col", "row"}
    labels = [value for tag, name, value in page.attributes if name == "data-label"]
    assert len(labels) == 12 * 7 + 6 * len(run.summary["attribution"])
    assert "Longest break" in labels


def test_a_large_fleet_shows_the_worst_and_says_where_the_others_are(tmp_path):
    labels = labels_of(terminals=2001, slots=2)
    _, _, page = page_of(tmp_path, labels=labels)
    assert sum("clinic-" in row for row in page.rows) == 500
    assert "the other 1,501 are in the file fleet.csv" in page.text.replace("\n", " ")


def test_a_fleet_of_2000_is_shown_whole(tmp_path):
    labels = labels_of(terminals=2000, slots=2)
    _, _, page = page_of(tmp_path, labels=labels)
    assert sum("clinic-" in row for row in page.rows) == 2000
    assert "the other" not in page.text


def test_unbroken_service_is_said_so(tmp_path):
    _, _, page = page_of(tmp_path, served_throughout)
    assert "100 %of the time there was service" in page.text
    assert "Every site had service all the time." in page.text
    assert "nonelongest break" in page.text
    assert "most at risk is" not in page.text


def test_nobody_served_is_a_report_too(tmp_path):
    _, _, page = page_of(tmp_path, out_throughout)
    assert "0 %of the time there was service" in page.text
    assert "Nobody was served, so there is no delay to report." in page.text
    assert "Of 12 sites, 12 had none at all." in page.text
    assert "7 min 30 s from 12:00:12" in page.text
    assert "0 ms" not in page.text


def test_a_run_without_sites_is_a_report_too(tmp_path):
    _, _, page = page_of(tmp_path, labels=labels_of(terminals=0))
    assert "The scenario has no sites." in page.text


def test_it_says_what_it_leaves_out_and_how_it_was_made(tmp_path):
    facts = facts_of(warnings=("Elements are 5 days old.",))
    _, _, page = page_of(tmp_path, facts=facts)
    text = page.text.replace("\n", " ")
    assert "a computation, not a measurement" in text
    assert "Elements are 5 days old." in text
    assert "builtin:2026-06-14" in text
    assert "direct to cell: 2" in text
    assert "Computed in 1.5 s with 2 workers on here." in text


def test_sites_that_hang_on_one_country_or_one_gateway_are_counted(tmp_path):
    def through_one_gateway(labels):
        chunk = served_throughout(labels)
        return replace(chunk, gateway=np.ones_like(chunk.gateway))

    _, _, page = page_of(tmp_path, through_one_gateway)
    assert (
        "For 12 sites every gateway used lay in one country, for 12 it was one single gateway"
        in page.text.replace("\n", " ")
    )


@pytest.mark.parametrize(
    ("hops", "words"),
    [(0, "None of it used a laser link"), (2, "In 100 % of it the signal travelled over at least")],
)
def test_the_share_of_laser_links_is_told(tmp_path, hops, words):
    def with_hops(labels):
        chunk = served_throughout(labels)
        return replace(chunk, isl_hops=np.full_like(chunk.isl_hops, hops))

    _, _, page = page_of(tmp_path, with_hops)
    assert words in page.text.replace("\n", " ")


def test_an_unknown_position_is_no_site_at_risk(tmp_path):
    number = Reason.POSITION_UNKNOWN.number

    def of_a_truck(labels):
        chunk = chunk_of(labels)
        return replace(chunk, reason=np.where(chunk.reason >= 0, number, -1).astype(np.int16))

    _, _, page = page_of(tmp_path, of_a_truck)
    text = page.text.replace("\n", " ")
    assert "most at risk is" not in text
    assert "is one in which its position was not known." in text


def through(labels, gateways, out=(), pop=None):
    """Served throughout by one gateway per terminal, except that those of `out` never are."""
    chunk = served_throughout(labels)
    pop = np.array([0, 1, 1, 1])[gateways] if pop is None else pop
    is_out = np.isin(np.arange(labels.terminals), out)
    rows = {"sat": chunk.sat, "gateway": gateways, "pop": pop, "isl_hops": chunk.isl_hops}
    lost = {name: getattr(chunk, name) for name in ARRAYS if getattr(chunk, name).dtype == float}
    number = Reason.GATEWAY_FAILED.number
    shape = chunk.reason.shape
    return replace(
        chunk,
        reason=np.broadcast_to(np.where(is_out, number, -1), shape).astype(np.int16),
        **{
            k: np.broadcast_to(np.where(is_out, -1, v), shape).astype(v.dtype)
            for k, v in rows.items()
        },
        **{k: np.where(is_out, np.nan, v) for k, v in lost.items()},
    )


@pytest.fixture(scope="module")
def without_ph(tmp_path_factory):
    """Of six sites two hang on the Philippines and end, one more loses a part, three nothing.

    The site with a part lost is clinic-2, out for 12 of 30 slots; clinic-5 never had service.
    """
    labels = labels_of(terminals=6)
    before = through(labels, np.array([0, 0, 1, 1, 2, 0]), out=[5])
    now = through(labels, np.array([0, 0, 1, 1, 2, 0]), out=[0, 1, 5])
    part = through(labels, np.array([0, 0, 1, 1, 2, 0]), out=[0, 1, 2, 5])
    chunk = join([now.part(0, 18), part.part(18, 30)])
    facts = facts_of(without=("country:PH",))
    folder = tmp_path_factory.mktemp("without")
    return page_of(folder, lambda _: chunk, labels, facts, ("map", "rtt"), before)


def plain(page):
    return " ".join(page.text.split())


def test_what_is_lost_comes_first_before_and_now(without_ph):
    _, html, page = without_ph
    text = plain(page)
    headings = re.findall("<h2[^>]*>(.*?)</h2>", html)
    assert headings[0] == "Without the Philippines"
    assert "every gateway and every point of presence in the Philippines out of order" in text
    assert "83.3 % → 43.3 %of the time there is service" in text
    assert "2of 6 sites lose all service" in text
    assert "1of 6 sites lose part of it" in text
    assert "2of 6 sites lose nothing" in text
    assert (
        "Of 6 sites, 2 lose all of their service, 1 loses part of it and 2 lose nothing. "
        "1 site had no service before either. Nothing is left at Clinic 0 and Clinic 1." in text
    )


def test_what_carries_the_service_now_is_told_as_shares_of_all_time(without_ph):
    _, _, page = without_ph
    rows = [" ".join(row.split()) for row in page.rows]
    assert "Philippines 33.3 % 0 %" in rows
    assert "Japan 33.3 % 26.7 %" in rows
    assert "Indonesia 16.7 % 16.7 %" in rows
    assert rows.count("No service 16.7 % 56.7 %") == 2
    assert "Japan 50.0 % 43.3 %" in rows  # where it meets the internet


def test_the_country_that_is_lost_is_named_among_many(tmp_path):
    codes = ["DE", "AT", "BE", "CH", "CZ", "DK", "ES", "FI", "FR", "GR", "HU", "IE", "IT", "NL"]
    labels = labels_of(terminals=len(codes))
    sites = {
        f.name: np.resize(getattr(labels, f.name), len(codes))
        for f in fields(labels)
        if f.name.startswith("gateway_")
    }
    names = {"gateway_id": np.array(codes), "gateway_country": np.array(codes)}
    labels = replace(labels, **sites | names)
    gateways = np.arange(len(codes))
    pops = np.zeros_like(gateways)
    before = through(labels, gateways, pop=pops)
    now = through(labels, np.where(gateways == 0, 1, gateways), pop=pops)
    facts = facts_of(without=("country:DE",))
    _, _, page = page_of(tmp_path, lambda _: now, labels, facts, before=before)
    rows = [" ".join(row.split()) for row in page.rows]
    assert "Austria 7.1 % 14.3 %" in rows
    assert "Germany 7.1 % 0 %" in rows
    assert "4 others 28.6 % 28.6 %" in rows


def test_sites_are_sorted_by_what_they_lose_and_show_both_times(without_ph):
    _, _, page = without_ph
    rows = [" ".join(row.split()) for row in page.rows if "clinic-" in row]
    assert [re.search(r"clinic-\d", row)[0][-1] for row in rows] == list("012534")
    assert rows[0].startswith("Clinic 0 clinic-0 Philippines standard lifeline 100 % 100 % 0 %")
    assert "came down before in: Philippines 100 %" in rows[0]
    assert "40.0 % 100 % 60.0 % 3 min from 12:04:42" in rows[2]
    assert "before: none" in rows[2]
    assert "only gateway Akita, Japan" in rows[2]
    assert "none 0 % 0 %" in rows[3]
    assert "those that lose most come first" in plain(page)


def test_pictures_say_what_is_left_out_too(without_ph):
    assert subject(without_ph[0]).startswith("Clinics  ·  without the Philippines  ·  2026-06-14")


def test_a_page_without_something_can_be_read_aloud_and_on_a_phone(without_ph):
    run, _, page = without_ph
    assert page.tags.count("caption") == page.tags.count("table") == 7
    labels = [value for _, name, value in page.attributes if name == "data-label"]
    assert len(labels) == 6 * 9 + 6 * len(run.summary["attribution"])
    assert {"Service lost", "Served before", "Served now", "Depends on now"} <= set(labels)


def test_nothing_lost_is_said_so(tmp_path):
    labels = labels_of(terminals=3)
    chunk = through(labels, np.array([1, 1, 2]))
    facts = facts_of(without=("gateway:ship",))
    _, _, page = page_of(tmp_path, lambda _: chunk, labels, facts, before=chunk)
    assert "Without the gateway Ship" in page.text
    assert "Of 3 sites, 3 lose nothing." in plain(page)
    assert "→" not in page.text


def test_everything_lost_is_a_report_too(tmp_path):
    facts = facts_of(without=("operator:Starlink",))
    labels = labels_of()
    before = served_throughout(labels)
    _, _, page = page_of(
        tmp_path, lambda _: out_throughout(labels, Reason.CORE_FAILED), facts=facts, before=before
    )
    text = plain(page)
    assert "Without Starlink" in text
    assert "with the whole network of Starlink out of order" in text
    assert "12of 12 sites lose all service" in text
    assert "Of 12 sites, 12 lose all of their service. Nothing is left at Clinic 0" in text
    assert "and 7 more." in text
    assert "No service 0 % 100 %" in [" ".join(row.split()) for row in page.rows]


def test_a_run_without_sites_and_without_something_is_a_report_too(tmp_path):
    labels = labels_of(terminals=0)
    facts = facts_of(without=("country:DE",))
    _, _, page = page_of(tmp_path, labels=labels, facts=facts, before=chunk_of(labels))
    assert "Without Germany" in page.text
    assert "The scenario has no sites." in page.text


def test_names_that_were_left_out_cannot_become_markup(tmp_path):
    labels, chunk = two_operators()
    labels = replace(labels, terminal_operator=np.full(12, NASTY))
    labels = replace(labels, gateway_operator=np.full(8, NASTY), pop_operator=np.full(4, NASTY))
    facts = facts_of(
        without=(f"operator:{NASTY}", f"gateway:{NASTY}"),
        operators=(operator_of(NASTY), operator_of(NASTY + "2")),
        landing_rules=(NASTY,),
    )
    _, html, page = page_of(tmp_path, lambda _: chunk, labels, facts, before=chunk)
    assert "<script" not in html
    assert page.text.count(NASTY) > 15


def test_operators_are_compared_only_where_there_are_several(tmp_path):
    labels, chunk = two_operators()
    facts = facts_of(operators=(operator_of(), operator_of("OneWeb", 651, 4, 2)))
    _, _, page = page_of(tmp_path / "two", lambda _: chunk, labels, facts)
    text = plain(page)
    share = 100 * chunk.is_served[:, 1::2].sum() / chunk.is_served.sum()
    assert f"OneWeb {share:.1f} % 6" in [" ".join(row.split()) for row in page.rows]
    assert "satellites of Starlink and OneWeb, 2026-06-14" in text
    assert "OneWeb: 651 satellites used, from builtin:2026-06-14; 4 gateways, 2 points" in text
    assert sum("clinic-" in row and "OneWeb" in row for row in page.rows) == 6
    _, _, alone = page_of(tmp_path / "one")
    assert "Operator" not in alone.text


def test_single_points_are_counted_by_country_and_marked_by_site(tmp_path):
    labels = labels_of(terminals=4)
    chunk = through(labels, np.array([1, 1, 0, 2]))
    half = chunk.gateway.copy()
    half[:15, 3] = 0  # clinic-3: half of the time the Philippines, else Indonesia
    _, html, page = page_of(tmp_path, lambda _: replace(chunk, gateway=half), labels)
    rows = [" ".join(row.split()) for row in page.rows]
    assert "Japan 1 gateway 50.0 % 2" in rows
    assert "Philippines 1 gateway 37.5 % 1" in rows
    assert "Indonesia 1 gateway 12.5 % 0" in rows
    assert "Japan Tokyo 75.0 % 75.0 % 3" in rows
    sites = [row for row in rows if "clinic-" in row]
    assert "only gateway Akita, Japan only internet at Tokyo, Japan" in sites[0]
    assert "gateway Angeles, Philippines (50.0 %) only internet at Tokyo" in sites[3]
    assert html.count('<strong class="single">only</strong>') == 3 * 2 + 1
    assert "For 4 sites it met the internet in one country only." in plain(page)


def test_several_gateways_of_one_country_are_a_single_point_too(tmp_path):
    labels = labels_of(terminals=1)
    labels = replace(labels, gateway_country=np.array(["PH", "PH", "ID", ""]))
    chunk = through(labels, np.array([0]))
    gateway = chunk.gateway.copy()
    gateway[:10] = 1
    _, _, page = page_of(tmp_path, lambda _: replace(chunk, gateway=gateway), labels)
    (site,) = [" ".join(row.split()) for row in page.rows if "clinic-" in row]
    assert "gateway Angeles, Philippines (66.7 %), only in the Philippines" in site


@pytest.mark.parametrize(
    ("obstructed", "words"),
    [
        (0, "weather, how many others share a satellite and trees or buildings near a dish."),
        (3, "satellite and trees or buildings near a dish at the 9 sites that did not say what"),
        (12, "Not in this run: data rates, weather and how many others share a satellite."),
    ],
)
def test_trees_and_buildings_are_left_out_only_where_nobody_told_them(tmp_path, obstructed, words):
    _, _, page = page_of(tmp_path, facts=facts_of(obstructed=obstructed))
    assert words in plain(page)
    assert ("counted in for" in page.text) == (obstructed > 0)


@pytest.mark.parametrize(
    ("obstructed", "cones", "words"),
    [
        (0, 0, "every dish sees all of the sky above its lowest angle"),
        (0, 1, "only the part of the sky that the dish is turned to counted for 1 of 12 dishes"),
        (12, 0, "what stands around the dish was counted in for 12 of 12 dishes"),
        (
            3,
            5,
            "only the part of the sky that the dish is turned to counted for 5 of 12 dishes; what",
        ),
    ],
)
def test_how_much_of_the_sky_the_dishes_see_is_told(tmp_path, obstructed, cones, words):
    _, _, page = page_of(tmp_path, facts=facts_of(obstructed=obstructed, cones=cones))
    assert f"View of the sky {words}" in plain(page)


def test_landing_rules_are_told_as_sentences(tmp_path):
    rules = ("all terminals may come down only in PH, DE, FR and may not X in US", "buses may Y.")
    _, _, page = page_of(tmp_path / "r", facts=facts_of(landing_rules=rules))
    assert (
        "Landing rules All terminals may come down only in the Philippines, Germany and France and "
        "may not X in the United States of America. Buses may Y." in plain(page)
    )
    _, _, free = page_of(tmp_path / "free")
    assert "Landing rules none: service may come down to the ground in any country" in plain(free)


@pytest.mark.parametrize(
    ("access", "words"),
    [
        ("all", "every site in every step"),
        ("changes", "every site whenever something changes for it"),
    ],
)
def test_the_page_says_which_rows_the_access_table_keeps(tmp_path, access, words):
    facts = facts_of(scenario={"results": {"access": access}})
    _, _, page = page_of(tmp_path, facts=facts)
    assert f"access.parquet ({words})" in plain(page)
