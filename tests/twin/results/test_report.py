"""The report: what it says, that it says it safely, and that it opens anywhere."""

import re
from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pytest
from synthetic_run import (
    chunk_of,
    facts_of,
    labels_of,
    out_throughout,
    served_throughout,
    write_run,
)

from skyweave.policy import Reason
from skyweave.twin.results.folder import load_run
from skyweave.twin.results.risk import by_risk

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

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if "style" in self.open:
            return
        data = data.replace("\u00a0", " ")
        self.text += data
        if "tr" in self.open:
            self.rows[-1] += data + " "


def page_of(folder, chunk_maker=chunk_of, labels=None, facts=None, pictures=()):
    labels = labels or labels_of()
    run = load_run(write_run(folder / "r", labels, chunk_maker(labels), facts, pictures=pictures))
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
    _, html, page = page_of(tmp_path)
    assert ("html", "lang", "en") in page.attributes
    assert page.tags.count("h1") == 1
    assert page.tags.count("caption") == page.tags.count("table") == 4
    assert "viewport" in html
    scopes = {value for tag, name, value in page.attributes if (tag, name) == ("th", "scope")}
    assert scopes == {"col", "row"}
    labels = [value for tag, name, value in page.attributes if name == "data-label"]
    assert len(labels) == 12 * 7
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
