"""Updating the cache against a real HTTP server on this machine, which errs in every way it can."""

import gzip
import json
import os
import re
import sys
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest

from skyweave import __version__, api
from skyweave.cli import main
from skyweave.doctor import examine
from skyweave.errors import InputError
from skyweave.twin.catalogue import check_catalogue, read_catalogue
from skyweave.twin.catalogue import download as downloads
from skyweave.twin.catalogue.cache import cache_folder, cache_root, fetched_files, file_name
from skyweave.twin.catalogue.update import CELESTRAK, update_catalogue

NOON = np.datetime64("2026-06-14T12:00:00")
TWO_HOURS = np.timedelta64(2, "h")
MINUTE = np.timedelta64(1, "m")
OBJECTS = 400
CELESTRAKS_REFUSAL = (
    b"GP data has not updated since your last successful\ndownload of GROUP=active at "
    b"2026-06-14 11:00:00 UTC.\nData is updated once every 2 hours.\n"
)


class Mirror:
    """What the server holds and does, and every request it was sent."""

    def __init__(self) -> None:
        self.content = b""
        self.etag = '"one"'
        self.last_modified = "Sun, 14 Jun 2026 10:00:00 GMT"
        self.has_etag = self.has_date = self.has_ranges = self.has_length = True
        self.packs = self.chunks = False
        self.cuts: list[int] = []  # bytes after which the next answers break off
        self.refusal: tuple[int, bytes, str] | None = None
        self.never_ends = self.shifts_ranges = False
        self.silent_after: int | None = None  # bytes; -1 is before the first header
        self.may_speak = threading.Event()
        self.redirect = ""
        self.requests: list[dict[str, str]] = []
        self.url = ""

    @property
    def headers(self) -> dict[str, str]:
        return self.requests[-1]

    def change(self, content: bytes, etag: str) -> None:
        self.content, self.etag = content, etag
        self.last_modified = "Sun, 14 Jun 2026 12:30:00 GMT"


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    mirror: Mirror

    def log_message(self, *_: object) -> None:
        pass

    def do_GET(self) -> None:
        mirror = self.mirror
        mirror.requests.append({**{k.lower(): v for k, v in self.headers.items()}, "": self.path})
        self.close_connection = True
        if mirror.silent_after == -1:
            mirror.may_speak.wait(5.0)
        elif mirror.redirect and self.path != "/moved":
            self.start(302, {"Location": mirror.redirect, "Content-Length": "0"})
        elif mirror.refusal:
            status, text, kind = mirror.refusal
            self.start(status, {"Content-Type": kind, "Content-Length": str(len(text))})
            self.wfile.write(text)
        elif mirror.never_ends:
            self.start(200, {})
            self.pour()
        elif self.is_known():
            self.start(304, self.validators())
        else:
            self.document()

    def start(self, status: int, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()

    def validators(self) -> dict[str, str]:
        date = {"Last-Modified": self.mirror.last_modified} if self.mirror.has_date else {}
        return date | ({"ETag": self.mirror.etag} if self.mirror.has_etag else {})

    def is_known(self) -> bool:
        if "if-none-match" in self.mirror.headers:
            return self.mirror.headers["if-none-match"] == self.mirror.etag
        return self.mirror.headers.get("if-modified-since") == self.mirror.last_modified

    def document(self) -> None:
        mirror = self.mirror
        whole, headers = mirror.content, self.validators()
        if mirror.packs and "gzip" in mirror.headers["accept-encoding"]:
            whole, headers = gzip.compress(whole, mtime=0), headers | {"Content-Encoding": "gzip"}
        status, body, first = 200, whole, 0
        asked = re.fullmatch(r"bytes=(\d+)-", mirror.headers.get("range", ""))
        same = mirror.headers.get("if-range") in self.validators().values()
        if asked and same and mirror.has_ranges:
            first = int(asked[1])
            status, body = 206, whole[first:]
            shown = first + 7 if mirror.shifts_ranges else first
            headers["Content-Range"] = f"bytes {shown}-{len(whole) - 1}/{len(whole)}"
        if mirror.chunks:
            headers["Transfer-Encoding"] = "chunked"
        elif mirror.has_length:
            headers["Content-Length"] = str(len(body))
        self.start(status, headers)
        if mirror.silent_after is not None:
            self.wfile.write(body[: mirror.silent_after])
            mirror.may_speak.wait(5.0)
            return
        cut = mirror.cuts.pop(0) if mirror.cuts else len(body)
        if mirror.chunks:
            self.wfile.write(b"%x\r\n%s" % (len(body), body[:cut]))
            self.wfile.write(b"\r\n0\r\n\r\n" if cut >= len(body) else b"")
        else:
            self.wfile.write(body[:cut])

    def pour(self) -> None:
        try:
            while True:
                self.wfile.write(b" " * 2**16)
        except OSError:
            pass


@pytest.fixture
def mirror(monkeypatch, tmp_path, omm_list):
    """A mirror of one group, and an empty cache."""
    mirror = Mirror()
    mirror.content = omm_list(OBJECTS)
    server = ThreadingHTTPServer(
        ("127.0.0.1", 0), type("OneHandler", (Handler,), {"mirror": mirror})
    )
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    mirror.url = f"http://127.0.0.1:{server.server_port}/gp/{{group}}.json"
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("no_proxy", "127.0.0.1,localhost")
    yield mirror
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture(scope="module")
def omm_list(texts):
    """Return a function that writes a list of n objects."""

    def listed(count: int, epoch: str = texts.omm["EPOCH"]) -> bytes:
        return texts.json(
            *(
                {
                    **texts.omm,
                    "NORAD_CAT_ID": 100_000 + n,
                    "OBJECT_NAME": f"SAT {n}",
                    "EPOCH": epoch,
                }
                for n in range(count)
            )
        )

    return listed


def update(mirror, now_utc=NOON, group="active", said=None):
    return update_catalogue(group, now_utc, (said if said is not None else []).append, mirror.url)


def refusal_of(mirror, now_utc=NOON, group="active"):
    with pytest.raises(InputError) as refusal:
        update(mirror, now_utc, group)
    assert "\n" not in str(refusal.value)
    return str(refusal.value)


def hidden(ending):
    return [path for path in cache_folder("active").iterdir() if path.name.endswith(ending)]


def test_the_address_is_celestraks_gp_data_as_omm_json():
    assert CELESTRAK.format(group="active") == (
        "https://celestrak.org/NORAD/elements/gp.php?GROUP=active&FORMAT=json"
    )


def test_a_fetched_set_is_kept_under_its_date_and_can_be_used(mirror):
    said = []
    answer = update(mirror, said=said)
    file = cache_root() / "active" / "2026-06-14T120000Z.json"
    assert answer == {
        "group": "active", "file": str(file), "objects": OBJECTS, "refused": [],
        "epoch_first": "2026-06-13T20:02:44.240928Z", "epoch_last": "2026-06-13T20:02:44.240928Z",
        "fetched": True, "next_allowed_utc": "2026-06-14T14:00:00Z",
    }  # fmt: skip
    assert file.read_bytes() == mirror.content
    assert len(read_catalogue("cache:active")) == OBJECTS
    assert read_catalogue("cache:active").norad_id.min() == 100_000  # six digits: no TLE has them
    assert said[0].startswith("catalogue active: asking 127.0.0.1:")


def test_the_request_names_skyweave_its_version_and_the_group(mirror):
    update(mirror, group="oneweb")
    assert mirror.headers[""] == "/gp/oneweb.json"
    assert f"Skyweave/{__version__}" in mirror.headers["user-agent"]
    assert mirror.headers["accept-encoding"] == "gzip"
    assert not {"if-none-match", "if-modified-since", "range"} & mirror.headers.keys()


def test_two_quick_calls_make_one_request(mirror):
    first = update(mirror)
    second = update(mirror, NOON + TWO_HOURS - MINUTE)
    assert len(mirror.requests) == 1
    assert second == first | {"fetched": False}


def test_after_two_hours_an_unchanged_set_is_not_sent_again(mirror):
    first = update(mirror)
    second = update(mirror, NOON + TWO_HOURS)
    assert mirror.headers["if-none-match"] == '"one"'
    assert mirror.headers["if-modified-since"] == mirror.last_modified
    assert (second["fetched"], second["file"]) == (False, first["file"])
    assert second["next_allowed_utc"] == "2026-06-14T16:00:00Z"
    assert len(fetched_files(cache_folder("active"))) == 1


def test_a_date_alone_is_enough_to_ask_only_for_news(mirror):
    mirror.has_etag = False
    update(mirror)
    assert update(mirror, NOON + TWO_HOURS)["fetched"] is False


def test_a_set_whose_file_was_deleted_is_fetched_whole(mirror):
    Path(update(mirror)["file"]).unlink()
    assert update(mirror, NOON + TWO_HOURS)["fetched"] is True
    assert "if-none-match" not in mirror.headers


def test_dates_add_up_and_the_nearest_epoch_of_each_object_is_used(mirror, omm_list):
    update(mirror)
    mirror.change(omm_list(3, "2026-06-14T12:10:00"), '"two"')
    later = update(mirror, NOON + TWO_HOURS)
    assert (later["fetched"], later["objects"]) == (True, 3)
    assert len(fetched_files(cache_folder("active"))) == 2
    found = check_catalogue("cache:active")
    assert (found["objects"], found["duplicates"]) == (OBJECTS, 3)
    assert found["epoch_last"] == "2026-06-14T12:10:00Z"


def test_groups_are_asked_for_independently(mirror):
    update(mirror)
    update(mirror, group="starlink")
    assert [request[""] for request in mirror.requests] == ["/gp/active.json", "/gp/starlink.json"]


def test_another_server_may_be_asked_at_once(mirror):
    mirror.refusal = (500, b"out of order", "text/plain")
    refusal_of(mirror)
    mirror.refusal = None
    mirror.url = mirror.url.replace("127.0.0.1", "localhost")
    assert update(mirror, NOON + MINUTE)["fetched"] is True


def test_a_packed_answer_is_kept_unpacked(mirror):
    mirror.packs = True
    assert Path(update(mirror)["file"]).read_bytes() == mirror.content


@pytest.mark.parametrize("packs", [False, True])
@pytest.mark.parametrize("chunks", [False, True])
def test_a_broken_connection_is_taken_up_where_it_broke(mirror, packs, chunks):
    mirror.packs, mirror.chunks, mirror.cuts = packs, chunks, [900, 500]
    said = []
    answer = update(mirror, said=said)
    assert [request.get("range") for request in mirror.requests] == [
        None, "bytes=900-", "bytes=1400-",
    ]  # fmt: skip
    assert mirror.headers["if-range"] == '"one"'
    assert Path(answer["file"]).read_bytes() == mirror.content
    assert "after 900 bytes; going on from there" in " ".join(said)
    assert hidden(".part") == []


def test_a_download_that_keeps_breaking_goes_on_two_hours_later(mirror):
    mirror.cuts = [1000] * (1 + downloads.MAX_CONTINUATIONS)
    assert "the connection broke off after 4,000 bytes; it may be asked" in refusal_of(mirror)
    (part,) = hidden(".part")
    assert part.read_bytes() == mirror.content[:4000]
    assert "may be asked again at 2026-06-14T14:00:00Z" in refusal_of(mirror, NOON + MINUTE)
    answer = update(mirror, NOON + TWO_HOURS)
    assert mirror.headers["range"] == "bytes=4000-"
    assert len(mirror.requests) == 5
    assert Path(answer["file"]).read_bytes() == mirror.content


def test_a_download_of_a_set_that_changed_meanwhile_begins_anew(mirror, omm_list):
    mirror.cuts = [1000] * 4
    refusal_of(mirror)
    mirror.change(omm_list(7), '"two"')
    answer = update(mirror, NOON + TWO_HOURS)
    assert mirror.headers["if-range"] == '"one"'
    assert (answer["objects"], Path(answer["file"]).read_bytes()) == (7, mirror.content)


def test_a_server_without_ranges_sends_the_whole_again(mirror):
    mirror.has_ranges, mirror.cuts = False, [1000]
    assert Path(update(mirror)["file"]).read_bytes() == mirror.content


@pytest.mark.parametrize("etag", ["", 'W/"weak"'])
def test_without_a_strong_validator_nothing_is_pieced_together(mirror, etag):
    mirror.etag, mirror.has_etag, mirror.has_date = etag, bool(etag), False
    mirror.cuts = [1000] if not etag else []
    if not etag:
        assert "the connection broke off after 1,000 bytes" in refusal_of(mirror)
        update(mirror, NOON + TWO_HOURS)
    else:
        mirror.has_date, mirror.cuts = True, [1000]
        update(mirror)
        assert mirror.headers["if-range"] == mirror.last_modified
    assert [r for r in mirror.requests if r.get("if-range") == etag] == []


def test_a_connection_that_brings_nothing_more_is_given_up(mirror):
    mirror.cuts = [1000, 0, 0, 0]
    assert "the connection broke off after 1,000 bytes" in refusal_of(mirror)
    assert len(mirror.requests) == 2


def test_a_beginning_that_the_server_cannot_continue_is_thrown_away(mirror):
    mirror.cuts = [1000] * 4
    refusal_of(mirror)
    mirror.refusal = (416, b"", "text/plain")
    assert "(416): Requested Range Not Satisfiable" in refusal_of(mirror, NOON + TWO_HOURS)
    assert hidden(".part") == []


def test_what_is_known_of_one_address_is_not_asked_of_another(mirror):
    update(mirror)
    mirror.url = mirror.url.replace("/gp/", "/other/")
    assert update(mirror, NOON + TWO_HOURS)["fetched"] is True
    assert "if-none-match" not in mirror.headers


def test_a_wrong_piece_is_thrown_away(mirror):
    mirror.cuts, mirror.shifts_ranges = [1000], True
    assert "the server sent another part than the one asked for" in refusal_of(mirror)
    assert hidden(".part") == []
    assert update(mirror, NOON + TWO_HOURS)["fetched"] is True


def test_a_cut_answer_without_length_is_no_catalogue(mirror):
    mirror.has_length, mirror.cuts = False, [2000]
    assert "what it sent is truncated or damaged: no whole JSON list" in refusal_of(mirror)
    assert fetched_files(cache_folder("active")) == []


def test_damaged_packing_is_refused(mirror):
    mirror.content = b"\x1f\x8b" + b"\x08" + b"x" * 100
    assert "the gzip data is damaged" in refusal_of(mirror)


def test_an_endless_answer_is_given_up_at_the_limit(mirror, monkeypatch):
    monkeypatch.setattr(downloads, "MAX_BYTES", 2**20)
    mirror.never_ends = True
    assert "the document is larger than 1 MiB" in refusal_of(mirror)
    assert hidden(".part") == []


def test_an_answer_that_trickles_is_given_up_in_the_end(mirror, monkeypatch):
    monkeypatch.setattr(downloads, "DEADLINE_S", -1.0)
    assert "the document took longer than" in refusal_of(mirror)


@pytest.mark.parametrize(
    ("silent_after", "reason"), [(-1, "(timed out|cannot be reached)"), (500, "after 500 bytes")]
)
def test_a_silent_server_is_not_waited_for_long(mirror, monkeypatch, silent_after, reason):
    monkeypatch.setattr(downloads, "TIMEOUT_S", 0.1)
    mirror.has_etag = mirror.has_date = False
    mirror.silent_after = silent_after
    assert re.search(reason, refusal_of(mirror))
    mirror.may_speak.set()


def test_a_small_answer_that_unpacks_to_too_much_is_refused(mirror):
    mirror.packs, mirror.content = True, b"[" + b" " * (65 * 2**20)
    assert "holds more than 64 MiB unpacked" in refusal_of(mirror)


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (b"<html><h1>Down for\nmaintenance</h1></html>",
         'it sent a page where OMM JSON was expected: "Down for maintenance"'),
        (b"No GP data found", 'it sent a text where OMM JSON was expected: "No GP data found"'),
        (b"1 25544U 98067A   26164.83523427  .00008738  00000+0  16534-3 0  9990\r\n", "a text"),
        (b"[]", "no element set found"),
        (b'[{"OBJECT_NAME": "X"}]', "line 1: "),
        (b'[{"a": 1}, ', "truncated or damaged"),
        (b"[" * 100_000, "truncated or damaged"),
        (b"", "the file is empty"),
        (b'{"error": "no"}', "a text where OMM JSON"),
    ],
)  # fmt: skip
def test_what_is_no_catalogue_never_takes_the_place_of_one(mirror, answer, reason):
    kept = update(mirror)
    mirror.change(answer, '"two"')
    refusal = refusal_of(mirror, NOON + TWO_HOURS)
    assert reason in refusal
    assert refusal.endswith(
        "it may be asked again at 2026-06-14T16:00:00Z; "
        "the set fetched at 2026-06-14T12:00:00Z stays"
    )
    assert [str(path) for path in fetched_files(cache_folder("active"))] == [kept["file"]]
    assert len(read_catalogue("cache:active")) == OBJECTS
    assert hidden(".part") == hidden(".new") == []


def test_refused_rows_are_reported_and_the_others_kept(mirror, texts):
    mirror.content = texts.json(texts.omm, texts.omm | {"INCLINATION": 200})
    answer = update(mirror)
    assert answer["objects"] == 1
    assert [set(row) for row in answer["refused"]] == [{"line", "reason", "text"}]
    assert "the inclination is 200, expected 0 to 180 deg" in answer["refused"][0]["reason"]


def test_celestraks_not_updated_means_nothing_newer(mirror):
    first = update(mirror)
    mirror.refusal = (403, CELESTRAKS_REFUSAL, "text/plain")
    second = update(mirror, NOON + TWO_HOURS)
    assert (second["fetched"], second["file"]) == (False, first["file"])


@pytest.mark.parametrize(
    ("status", "text", "reason"),
    [
        (
            403,
            CELESTRAKS_REFUSAL,
            "(403): GP data has not updated since your last successful downl",
        ),
        (403, b"<h1>Forbidden</h1>", "(403): Forbidden; it shuts out who asks too often: wait"),
        (404, b"Invalid query: GROUP=x", "(404): Invalid query: GROUP=x; check the name of the gr"),
        (500, b"", "(500): Internal Server Error; it may be asked again at 2026-06-14T14:00:00Z"),
        (416, b"", "(416): "),
        (304, b"", "(304): "),
        (206, b"[]", "(206): the server sent another part than the one asked for"),
    ],
)
def test_a_refusal_is_passed_on_in_one_line_with_advice(mirror, status, text, reason):
    mirror.refusal = (status, text, "text/html")
    refusal = refusal_of(mirror)
    assert re.match(r'127\.0\.0\.1:\d+, asked for "active" \(\d+\): ', refusal)
    assert reason in refusal
    assert refusal.endswith('use "builtin:2026-06-14" until then')
    again = refusal_of(mirror, NOON + MINUTE)
    assert "was asked for" in again
    assert "may be asked again at 2026-06-14T14:00:00Z" in again
    assert len(mirror.requests) == 1


def test_a_server_that_is_not_there_is_refused_and_left_alone(mirror):
    port = int(mirror.url.split(":")[2].split("/")[0])
    mirror.url = mirror.url.replace(str(port), "9")  # discard: nobody listens
    assert "the server cannot be reached: " in refusal_of(mirror)
    assert "may be asked again" in refusal_of(mirror, NOON + MINUTE)


def test_redirects_are_followed_on_the_web_only(mirror):
    mirror.redirect = "/moved"
    assert update(mirror)["fetched"] is True
    mirror.redirect = "ftp://127.0.0.1/x"
    assert "sends on to ftp://127.0.0.1/x, which is not safe" in refusal_of(
        mirror, group="starlink"
    )
    mirror.redirect = "/again"
    assert "redirect" in refusal_of(mirror, group="oneweb")


def test_a_clock_set_back_does_not_lock_the_cache(mirror):
    update(mirror, NOON + np.timedelta64(300, "D"))
    assert update(mirror, NOON)["fetched"] is False  # asked, and answered 304
    assert len(mirror.requests) == 2


@pytest.mark.parametrize(
    "state", ["", "{", "[]", '{"url": 5}', '{"have": {"etag": 1}, "part": {}}', "[" * 10_000,
              '{"asked_utc": "soon", "have": {}, "part": {}}']
)  # fmt: skip
def test_a_damaged_state_file_counts_as_none(mirror, state):
    update(mirror)
    (file,) = hidden(".state")
    file.write_text(state)
    assert update(mirror, NOON + MINUTE)["fetched"] is True


def test_a_second_update_at_the_same_time_is_kept_out(mirror):
    import fcntl

    folder = cache_folder("active")
    folder.mkdir(parents=True)
    with (folder / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert "another update of this group is under way" in refusal_of(mirror)
    assert mirror.requests == []


@contextmanager
def as_an_ordinary_user():
    """Give up the rights of root for a while, who may write anywhere."""
    if os.geteuid() != 0:
        yield
        return
    nobody = 65534
    os.seteuid(nobody)
    try:
        yield
    finally:
        os.seteuid(0)


def test_a_cache_that_cannot_be_written_is_refused(mirror, tmp_path):
    (tmp_path / "cache").mkdir(mode=0o500)
    with as_an_ordinary_user():
        assert "cannot be written: Permission denied" in refusal_of(mirror)


def test_a_file_in_the_place_of_the_cache_is_refused_before_asking(mirror, tmp_path):
    (tmp_path / "cache").write_text("")
    assert "cannot be written: " in refusal_of(mirror)
    assert mirror.requests == []


@pytest.mark.parametrize(
    "url",
    ["file:///etc/passwd", "ftp://example.org/x", "example.org", "http://", "https:///x", "",
     "http://exa mple.org/", "http://example.org/\n", "http://[::1", "http://a:70000/",
     "http://example.org/" + "x" * 2000],
)  # fmt: skip
def test_an_address_that_is_none_of_the_web_is_refused(mirror, url):
    if url:
        mirror.url = url
        assert "--from" in refusal_of(mirror)
        assert not cache_root().exists()


def test_a_password_in_an_address_is_refused_and_not_repeated(mirror):
    mirror.url = "https://someone:secret@example.org/x"
    refusal = refusal_of(mirror)
    assert "leave it out" in refusal
    assert "secret" not in refusal


@pytest.mark.parametrize("group", ["", "../up", "Active", "a" * 61, "a/b", "a--b", "a&FORMAT=tle"])
def test_a_name_that_is_no_group_is_refused(mirror, group):
    assert "is no name of a group; expected letters" in refusal_of(mirror, group=group)
    with pytest.raises(InputError, match="is no name of a group"):
        read_catalogue(f"cache:{group}")


@pytest.mark.parametrize(("group", "option"), [("active", ""), ("oneweb", " --group oneweb")])
def test_an_empty_cache_advises_how_to_fill_it(mirror, group, option):
    with pytest.raises(InputError) as refusal:
        read_catalogue(f"cache:{group}")
    assert f'run skyweave catalogue update{option}, or use "builtin:2026-06-14"' in str(
        refusal.value
    )


def test_the_cache_is_where_the_desktop_rules_say(monkeypatch):
    assert cache_root({"XDG_CACHE_HOME": "/x"}) == Path("/x/skyweave/catalogue")
    home = Path.home() / ".cache" / "skyweave" / "catalogue"
    assert cache_root({"XDG_CACHE_HOME": "relative"}) == cache_root({}) == home


def test_other_files_in_the_cache_are_no_fetches(mirror):
    folder = cache_folder("active")
    folder.mkdir(parents=True)
    for name in ("notes.txt", "2026-13-45T000000Z.json", "2026-06-14T120000Z.json.bak"):
        (folder / name).write_text("x")
    assert fetched_files(folder) == []
    assert file_name(NOON) == "2026-06-14T120000Z.json"


def test_the_doctor_names_the_cache_and_its_age(mirror):
    assert examine(NOON)["cached_catalogue_age_days"] == {}
    update(mirror)
    answer = examine(NOON + np.timedelta64(36, "h"))
    assert answer["catalogue_cache"] == str(cache_root())
    assert answer["cached_catalogue_age_days"] == {"active": 1.5}


def test_python_fetches_several_groups_from_one_mirror(mirror):
    fetched = api.catalogue_update(["active", "oneweb", "active"], url=mirror.url)
    assert [answer["group"] for answer in fetched] == ["active", "oneweb"]
    with pytest.raises(InputError, match="is no name of a group"):
        api.catalogue_update(["starlink", "../x"], url=mirror.url)
    assert len(mirror.requests) == 2
    with pytest.raises(InputError, match=r"write \{group\} in it"):
        api.catalogue_update(["active", "oneweb"], url="http://127.0.0.1/x.json")


def test_the_command_prints_one_document_and_talks_on_stderr(mirror, monkeypatch, capsys):
    def command(*arguments):
        monkeypatch.setattr(sys, "argv", ["skyweave", "catalogue", "update", *arguments])
        with pytest.raises(SystemExit) as left:
            main()
        return left.value.code, *capsys.readouterr()

    status, said, progress = command("--from", mirror.url, "--json")
    assert status == 0
    assert json.loads(said)["objects"] == OBJECTS
    assert "catalogue active: asking 127.0.0.1:" in progress
    status, said, _ = command("--from", mirror.url, "--group", "active", "--group", "oneweb")
    assert status == 0
    assert 'source = "cache:oneweb"' in said
    assert len(mirror.requests) == 2
    status, said, refusal = command("--from", "ftp://example.org/x")
    assert (status, said, refusal.count("\n")) == (1, "", 1)
