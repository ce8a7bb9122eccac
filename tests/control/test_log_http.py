"""A witness over HTTP says what the protocol says, byte by byte, and cannot be worn out."""

import hashlib
import http.client
import re
import shutil
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from contextlib import contextmanager

import pytest
from tests.support import rfc6962
from tests.support.made_log import (
    LOG_KEY,
    NOON_S,
    ORIGIN,
    make_log,
    policy_text,
    witness,
)

from skyweave.control.log import LogFolder, LogWriter, parse_policy, verify_folder, witness_http
from skyweave.control.log.checkpoint import Checkpoint
from skyweave.control.log.witness import MAX_REQUEST_BYTES, ask_witness, request_body
from skyweave.control.log.witness_http import WitnessServer, witness_at
from skyweave.control.signing.notes import Note, parse_note, sign_note, verified_lines
from skyweave.errors import InputError

ENTRIES = [b"entry %d" % n for n in range(9)]


def note_of(entries, origin=ORIGIN, key=LOG_KEY):
    head = Checkpoint(origin, len(entries), rfc6962.mth(entries))
    return Note(head.text, (sign_note(head.text, origin, key),)).encode()


@contextmanager
def serving(made, **options):
    with WitnessServer(made, "127.0.0.1", 0, **options) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


@pytest.fixture
def made(tmp_path):
    return witness(tmp_path, 1)


@pytest.fixture
def server(made):
    with serving(made, clock=lambda: NOON_S + 0.9) as running:
        yield running


def ask(server, request, path="/add-checkpoint", method="POST", headers=None):
    connection = http.client.HTTPConnection(*server.server_address[:2], timeout=5)
    connection.request(method, path, request, headers or {})
    reply = connection.getresponse()
    found = reply.status, reply.getheader("Content-Type"), reply.read()
    connection.close()
    return found


def raw(server, sent, wait_s=5.0):
    """All that comes back for bytes on the wire."""
    with socket.create_connection(server.server_address[:2], timeout=wait_s) as line:
        line.sendall(sent)
        line.shutdown(socket.SHUT_WR)
        pieces = []
        while piece := line.recv(65_536):
            pieces.append(piece)
    return b"".join(pieces)


def test_replies_are_those_of_the_specification(server, made):
    """c2sp.org/tlog-witness: status, Content-Type and body of each answer."""
    first = request_body(0, [], note_of(ENTRIES[:5]))
    status, kind, body = ask(server, first)
    assert (status, kind) == (200, "text/plain; charset=utf-8")
    # 4 bytes of key id, 8 of time and 64 of signature make 104 characters.
    assert re.fullmatch("— witness.example.org/1 [A-Za-z0-9+/]{102}==\n", body.decode())
    note = parse_note(note_of(ENTRIES[:5]) + body)
    (signed,) = verified_lines(note, [made.verifier], "reply")
    assert signed.time_s == NOON_S
    assert ask(server, first) == (409, "text/x.tlog.size", b"5\n")
    proof = rfc6962.proof(5, ENTRIES)
    assert ask(server, request_body(5, proof[:-1], note_of(ENTRIES)))[0] == 422
    assert ask(server, request_body(0, [], note_of(ENTRIES, origin="x.org")))[0] == 404
    assert ask(server, request_body(9, [], note_of(ENTRIES[:5])))[0] == 400
    unsigned = note_of(ENTRIES).replace(b"\n9\n", b"\n8\n")
    assert ask(server, request_body(5, proof, unsigned))[0] == 403
    assert ask(server, request_body(5, proof, note_of(ENTRIES)))[0] == 200
    assert ask(server, request_body(0, [], note_of(ENTRIES))) == (409, "text/x.tlog.size", b"9\n")


def test_what_it_cosigned_can_be_fetched_by_monitors(server, made):
    path = f"/{hashlib.sha256(ORIGIN.encode()).hexdigest()}/checkpoint"
    assert ask(server, None, path, "GET")[0] == 404
    note = note_of(ENTRIES) + "— someone.org/else AAAAAAAA\n".encode()
    line = ask(server, request_body(0, [], note))[2]
    assert ask(server, None, path, "GET") == (
        200, "text/plain; charset=utf-8", note_of(ENTRIES) + line,
    )  # fmt: skip
    for other in ("/", "/checkpoint", path + "/x", "/" + "0" * 64 + "/checkpoint"):
        assert ask(server, None, other, "GET")[0] == 404


def test_a_log_is_cosigned_over_http_and_its_growth_too(tmp_path, server, made):
    make_log(tmp_path / "log", ENTRIES[:3])
    policy = parse_policy(policy_text([made], 1).encode())
    carry = witness_at(server.url)
    for size in (3, 9):
        with LogWriter(tmp_path / "log", LOG_KEY) as log:
            if size == 9:
                log.append(ENTRIES[3:])
            note, line = ask_witness(log.reader, made.verifier, carry)
            log.add_cosignatures(note, [line])
        assert verify_folder(tmp_path / "log", policy).witnessed_size == size


def test_a_connection_serves_several_requests(server):
    connection = http.client.HTTPConnection(*server.server_address[:2], timeout=5)
    for size, status in ((5, 200), (5, 409)):
        connection.request("POST", "/add-checkpoint", request_body(0, [], note_of(ENTRIES[:size])))
        reply = connection.getresponse()
        assert (reply.status, reply.version) == (status, 11)
        reply.read()
    connection.close()


BAD = {
    "another path": (b"POST /other HTTP/1.1\r\nContent-Length: 2\r\n\r\nhi", b"404"),
    "no length": (b"POST /add-checkpoint HTTP/1.1\r\n\r\n", b"411"),
    "chunks": (
        b"POST /add-checkpoint HTTP/1.1\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"411",
    ),
    "a signed length": (b"POST /add-checkpoint HTTP/1.1\r\nContent-Length: +2\r\n\r\nhi", b"411"),
    "too much": (
        b"POST /add-checkpoint HTTP/1.1\r\nContent-Length: %d\r\n\r\n" % (MAX_REQUEST_BYTES + 1),
        b"413",
    ),
    "a number without end": (
        b"POST /add-checkpoint HTTP/1.1\r\nContent-Length: " + b"9" * 5000 + b"\r\n\r\n", b"413",
    ),
    "less than said": (b"POST /add-checkpoint HTTP/1.1\r\nContent-Length: 9\r\n\r\nhi", b"400"),
    "nonsense": (b"POST /add-checkpoint HTTP/1.1\r\nContent-Length: 2\r\n\r\nhi", b"400"),
    "another method": (b"DELETE / HTTP/1.1\r\n\r\n", b"501"),
    "no HTTP": (b"\x16\x03\x01\x00\xa5\x01\x00\x00\xa1\x03\x03\r\n\r\n", b"400"),
    "headers without end": (b"GET / HTTP/1.1\r\n" + b"a: b\r\n" * 200 + b"\r\n", b"431"),
    "a line without end": (b"GET /" + b"a" * 70_000 + b" HTTP/1.1\r\n\r\n", b"414"),
}  # fmt: skip


@pytest.mark.parametrize(("sent", "status"), BAD.values(), ids=BAD.keys())
def test_what_is_no_request_is_refused_and_the_connection_closed(server, sent, status):
    reply = raw(server, sent)
    assert status in reply[:13]  # without the version where the request had none
    assert reply.count(b"HTTP/1.") <= 1
    assert ask(server, request_body(0, [], note_of(ENTRIES)))[0] == 200


def test_a_slow_stranger_is_cut_off_and_the_others_served(made, monkeypatch):
    """One byte now and then must not hold a connection for ever, nor many of them all."""
    monkeypatch.setattr(witness_http, "CONNECTION_S", 0.3)
    monkeypatch.setattr(witness_http, "MAX_CONNECTIONS", 3)
    with serving(made, clock=lambda: NOON_S) as server:
        slow = [socket.create_connection(server.server_address[:2], timeout=5) for _ in range(3)]
        for line in slow:
            line.sendall(b"POST /add-checkpoint HTTP/1.1\r\nContent-Length: 9\r\n\r\nol")
        time.sleep(0.1)
        with pytest.raises(InputError, match="no answer"):
            witness_at(server.url)(request_body(0, [], note_of(ENTRIES)))
        for line in slow:
            ends = time.monotonic() + 5
            while line.recv(1000):
                assert time.monotonic() < ends
            line.close()
        time.sleep(0.1)
        assert ask(server, request_body(0, [], note_of(ENTRIES)))[0] == 200


def test_two_logs_asking_at_once_are_both_answered(made):
    """And never two histories: what is known is read and written in one step."""
    answers = []
    with serving(made, clock=lambda: NOON_S) as server:
        requests = [request_body(0, [], note_of(ENTRIES[:n])) for n in (4, 5, 6, 7, 8, 9)]
        threads = [
            threading.Thread(target=lambda r=r: answers.append(ask(server, r)[0])) for r in requests
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert sorted(answers) == [200, 409, 409, 409, 409, 409]


def test_what_only_the_keeper_should_know_is_told_to_nobody_else(made):
    """As the path of the state: the stranger hears that it cannot answer, the keeper hears why."""
    told, now_s = [], [NOON_S]
    with serving(made, clock=lambda: now_s[0], tell=told.append) as server:
        assert ask(server, request_body(0, [], note_of(ENTRIES[:5])))[0] == 200
        now_s[0] -= 100
        grown = request_body(5, rfc6962.proof(5, ENTRIES), note_of(ENTRIES))
        status, _, body = ask(server, grown)
    assert (status, body) == (503, b"the witness cannot answer now\n")
    assert len(told) == 1
    assert "the clock stands before the last cosignature" in told[0]


@pytest.mark.parametrize("host", ["0.0.0.0", "192.0.2.1", "::", "example.org", ""])
def test_other_machines_are_let_in_only_when_asked_for(host, made):
    with pytest.raises(InputError, match="other machines could reach it"):
        WitnessServer(made, host, 0)


def test_a_taken_port_is_refused_in_one_line(server, made):
    with pytest.raises(InputError, match="name a free port"):
        WitnessServer(made, *server.server_address[:2])


@pytest.mark.parametrize(
    ("url", "text"),
    [
        ("ftp://127.0.0.1/", "expected an address as http"),
        ("http://", "expected an address as http"),
        ("127.0.0.1:80", "expected an address as http"),
        ("http://127.0.0.1:99999", "port is not 0 to 65535"),
        ("http://127.0.0.1:80/?x=1", "expected an address as http"),
    ],
)
def test_an_address_that_is_none_is_refused(url, text):
    with pytest.raises(InputError, match=text):
        witness_at(url)


def test_an_absent_witness_is_told_in_one_line():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with pytest.raises(InputError, match=r"no answer .* see that it runs, and cosign later"):
        witness_at(f"http://127.0.0.1:{port}")(b"old 0\n\n")


def test_a_published_folder_is_served_by_any_web_server(tmp_path):
    """An outsider needs plain files: checkpoint, bundles and tiles at the paths of the format."""
    policy = make_log(tmp_path / "log", [b"entry %d" % n for n in range(300)])
    shutil.copytree(tmp_path / "log", tmp_path / "www", ignore=shutil.ignore_patterns(".writer"))
    command = [sys.executable, "-u", "-m", "http.server", "0", "--bind", "127.0.0.1"]
    with subprocess.Popen(
        command, cwd=tmp_path / "www", stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as web:
        try:
            port = re.search(r"port (\d+)", web.stdout.readline())[1]
            copy = tmp_path / "fetched"
            for path in (
                "checkpoint", "tile/entries/000", "tile/entries/001.p/44", "tile/0/000",
                "tile/0/001.p/44", "tile/1/000.p/1",
            ):  # fmt: skip
                with urllib.request.urlopen(f"http://127.0.0.1:{port}/{path}", timeout=5) as reply:
                    (copy / path).parent.mkdir(parents=True, exist_ok=True)
                    (copy / path).write_bytes(reply.read())
        finally:
            web.terminate()
    found = verify_folder(copy, policy, quorum=False)
    assert found.checkpoint.size == 300
    assert LogFolder(copy).entry(299, 300) == b"entry 299"
