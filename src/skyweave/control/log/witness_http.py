"""A witness over HTTP (c2sp.org/tlog-witness), and how a log asks one.

The server is small on purpose: a limit on each thing that a stranger can spend (bytes, seconds,
connections), and one place, `Witness.add_checkpoint`, that decides.
"""

import hashlib
import http.client
import socket
import ssl
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_address
from socketserver import TCPServer
from typing import Any
from urllib.parse import urlsplit

from skyweave.control.log.witness import MAX_REQUEST_BYTES, Carrier, Witness, WitnessReply
from skyweave.control.signing.encoding import shown
from skyweave.control.signing.notes import MAX_NOTE_BYTES
from skyweave.errors import InputError, SkyweaveError

ADD_CHECKPOINT = "/add-checkpoint"
CONNECTION_S = 10.0  # a connection's whole life: a log asks once or twice
ANSWER_S = 30.0  # that a log waits for a witness
MAX_CONNECTIONS = 32

_PLAIN = "text/plain; charset=utf-8"
_SIZE = "text/x.tlog.size"  # what the protocol wants of a 409
_UNAVAILABLE = WitnessReply(503, b"the witness cannot answer now\n")


class WitnessServer(ThreadingHTTPServer):
    """Serves a witness until it is shut down; `url` is where logs ask it."""

    daemon_threads = True
    allow_reuse_address = True
    request_queue_size = MAX_CONNECTIONS

    def __init__(
        self,
        witness: Witness,
        host: str,
        port: int,
        *,
        public: bool = False,
        clock: Callable[[], float] = time.time,
        tell: Callable[[str], None] = lambda _: None,
    ) -> None:
        _refuse_public(host, public)
        self.witness = witness
        self._clock = clock
        self._tell = tell  # what only the witness's keeper should know
        self._one_at_a_time = threading.Lock()
        self._free = threading.BoundedSemaphore(MAX_CONNECTIONS)
        self.address_family = socket.AF_INET6 if ":" in host else socket.AF_INET
        try:
            super().__init__((host, port), _Handler)
        except OSError as error:
            raise InputError(
                f"{host}:{port}: {error.strerror}; name a free port of this machine"
            ) from None

    @property
    def url(self) -> str:
        """The submission prefix."""
        host, port = self.server_address[:2]
        return f"http://[{host!s}]:{port}" if ":" in str(host) else f"http://{host!s}:{port}"

    def answer(self, request: bytes) -> WitnessReply:
        """Return the witness's answer; what it cannot decide is told to its keeper alone."""
        try:
            with self._one_at_a_time:
                return self.witness.add_checkpoint(request, int(self._clock()))
        except (SkyweaveError, OSError) as error:
            self._tell(str(error))
            return _UNAVAILABLE

    def newest(self, origin_hash: str) -> bytes | None:
        """Return the cosigned checkpoint of the log whose origin has this SHA-256, in hex."""
        for origin in self.witness.logs:
            if hashlib.sha256(origin.encode()).hexdigest() == origin_hash:
                return self.witness.newest(origin)
        return None

    def server_bind(self) -> None:
        """Bind without asking for this machine's name, which can take a network."""
        TCPServer.server_bind(self)
        self.server_name, self.server_port = str(self.server_address[0]), self.server_address[1]

    def process_request(self, request: Any, client_address: Any) -> None:
        if not self._free.acquire(blocking=False):
            self.shutdown_request(request)
            return
        super().process_request(request, client_address)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._free.release()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing of a connection that broke: it is the other side's own affair."""


class _Handler(BaseHTTPRequestHandler):
    server: WitnessServer
    server_version, sys_version = "skyweave-witness", ""
    protocol_version = "HTTP/1.1"
    error_message_format, error_content_type = "%(code)d %(message)s\n", _PLAIN
    timeout = CONNECTION_S

    def setup(self) -> None:
        super().setup()
        # A time-out of each read lets a stranger send a byte now and then for ever.
        self._deadline = threading.Timer(CONNECTION_S, self._cut)
        self._deadline.daemon = True
        self._deadline.start()

    def finish(self) -> None:
        self._deadline.cancel()
        super().finish()

    def do_POST(self) -> None:
        length = self.headers.get("Content-Length", "")
        if self.path != ADD_CHECKPOINT:
            self._refuse(404, b"ask POST /add-checkpoint\n")
        elif not (length.isascii() and length.isdigit()) or "Transfer-Encoding" in self.headers:
            self._refuse(411, b"a request states its Content-Length\n")
        elif len(length) > 9 or int(length) > MAX_REQUEST_BYTES:
            self._refuse(413, b"at most %d bytes are read\n" % MAX_REQUEST_BYTES)
        else:
            self._answer(self.rfile.read(int(length)), int(length))

    def do_GET(self) -> None:
        head, _, rest = self.path.removeprefix("/").partition("/")
        found = self.server.newest(head) if rest == "checkpoint" else None
        if found is None:
            self._refuse(404, b"no checkpoint of such a log was cosigned here\n")
        else:
            self._reply(200, found)

    def log_message(self, *_: object) -> None:
        """Keep no record of who asked."""

    def _answer(self, request: bytes, length: int) -> None:
        if len(request) < length:  # cut short: what is left of it may still look like a request
            self._refuse(400, b"the request is shorter than its Content-Length\n")
            return
        reply = self.server.answer(request)
        self._reply(*reply, _SIZE if reply.status == 409 else _PLAIN)

    def _refuse(self, status: int, why: bytes) -> None:
        """Answer without having read all, and hang up: the rest is no next request."""
        self.close_connection = True
        self._reply(status, why)

    def _reply(self, status: int, body: bytes, content_type: str = _PLAIN) -> None:
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(body)

    def _cut(self) -> None:
        try:
            self.connection.shutdown(socket.SHUT_RDWR)
        except OSError:  # it has gone by itself
            return


def witness_at(url: str, timeout_s: float = ANSWER_S) -> Carrier:
    """Return what carries requests to the witness whose submission prefix is `url`."""
    parts = urlsplit(url)
    connect = {"http": _connect, "https": _connect_safely}.get(parts.scheme)
    if connect is None or not parts.hostname or parts.query or parts.fragment:
        raise InputError(
            f"witness {shown(url)}: expected an address as http://127.0.0.1:8081 or https://..."
        )
    place, path = (parts.hostname, _port(parts.netloc, url)), parts.path.rstrip("/")

    def carry(request: bytes) -> WitnessReply:
        try:
            with_answer = connect(*place, timeout_s)
            try:
                with_answer.request("POST", path + ADD_CHECKPOINT, request)
                reply = with_answer.getresponse()
                return WitnessReply(reply.status, reply.read(MAX_NOTE_BYTES))
            finally:
                with_answer.close()
        except (OSError, http.client.HTTPException) as error:
            said = str(error) or type(error).__name__
            raise InputError(
                f"witness {shown(url)}: no answer ({said}); see that it runs, and cosign later"
            ) from None

    return carry


def _connect(host: str, port: int | None, timeout_s: float) -> http.client.HTTPConnection:
    return http.client.HTTPConnection(host, port, timeout=timeout_s)


def _connect_safely(host: str, port: int | None, timeout_s: float) -> http.client.HTTPConnection:
    context = ssl.create_default_context()
    return http.client.HTTPSConnection(host, port, timeout=timeout_s, context=context)


def _port(place: str, url: str) -> int | None:
    try:
        return urlsplit(f"//{place}").port
    except ValueError:
        raise InputError(f"witness {shown(url)}: the port is not 0 to 65535; correct it") from None


def _refuse_public(host: str, public: bool) -> None:
    """A witness is for its own machine unless its keeper says otherwise: it has no sign-in."""
    try:
        is_own = host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        is_own = False
    if not is_own and not public:
        raise InputError(
            f"{shown(host)}: other machines could reach it; listen on 127.0.0.1, or add --public "
            "where a firewall or proxy stands before it"
        )
