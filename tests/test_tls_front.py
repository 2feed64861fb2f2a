"""HTTPS in front of the server: real TLS sockets, rude callers, limits, stopping."""

from __future__ import annotations

import contextlib
import http.client
import json
import logging
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from server.certificates import LocalCertificate, make_certificate
from server.listener import PortTaken, listen_socket
from server.tls_front import TlsFront
from tests.conftest import TOKEN, LiveServer


def has_ipv6() -> bool:
    try:
        listen_socket("::1", 0).close()
    except (OSError, PortTaken):
        return False
    return True


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> LocalCertificate:
    return make_certificate(tmp_path_factory.mktemp("home") / "certificates")


Front = Callable[..., TlsFront]


@pytest.fixture
def front(certificate: LocalCertificate) -> Iterator[Front]:
    """Starts a front before a port; stops it afterwards."""
    running: list[TlsFront] = []

    def begin(port: int, **options: Any) -> TlsFront:
        made = TlsFront(certificate.server_context(), 0, ("127.0.0.1", port), **options)
        running.append(made)
        made.start()
        return made

    yield begin
    for each in running:
        each.stop()
        assert each.connections == 0
        assert not any(thread.name == "tls-front" for thread in threading.enumerate())


@pytest.fixture
def client_context(certificate: LocalCertificate) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=certificate.authority_path)


def connect(front: TlsFront, context: ssl.SSLContext, address: str = "127.0.0.1") -> ssl.SSLSocket:
    plain = socket.create_connection((address, front.port), timeout=10)
    try:
        return context.wrap_socket(plain, server_hostname="localhost")
    except BaseException:
        plain.close()
        raise


def until(what: Callable[[], bool], seconds: float = 10) -> bool:
    end = time.monotonic() + seconds
    while not what() and time.monotonic() < end:
        time.sleep(0.01)
    return what()


# ---- in front of the real server


def test_a_call_over_https_is_answered_as_over_http(
    front: Front, live_server: LiveServer, client_context: ssl.SSLContext
) -> None:
    https = front(live_server.port)
    texts = [[f"arrived late {number}, 包装也破了"] for number in range(2000)]
    body = json.dumps({"calls": [{"id": "1", "function": "SENTIMENT", "args": [texts]}]})
    headers = {"Authorization": f"Bearer {TOKEN}", "Content-Type": "application/json"}
    # What a browser sends along from a page of the add-in.
    page = {"Origin": https.url, "Sec-Fetch-Site": "same-origin"}
    secure = http.client.HTTPSConnection(
        "localhost", https.port, context=client_context, timeout=60
    )
    plain = http.client.HTTPConnection("127.0.0.1", live_server.port, timeout=60)
    with contextlib.closing(secure), contextlib.closing(plain):
        for _ in range(3):  # on one connection
            secure.request("POST", "/v1/calls", body, headers | page)
            response = secure.getresponse()
            over_https = response.read()
            assert response.status == 200, over_https
        plain.request("POST", "/v1/calls", body, headers)
        assert over_https == plain.getresponse().read()
        assert until(lambda: https.connections == 1)
    assert until(lambda: https.connections == 0)


def test_the_host_header_arrives_unchanged(
    front: Front, live_server: LiveServer, client_context: ssl.SSLContext
) -> None:
    https = front(live_server.port)
    for headers, status in (
        ({"Host": f"localhost:{https.port}"}, 200),
        ({"Host": "evil.example"}, 403),
        ({"Origin": "https://evil.example"}, 403),
        ({"Origin": f"https://localhost:{https.port + 1}"}, 403),
        ({"Origin": https.url}, 200),
    ):
        connection = http.client.HTTPSConnection(
            "localhost", https.port, context=client_context, timeout=30
        )
        with contextlib.closing(connection):
            connection.request("GET", "/addin/taskpane.html", headers=headers)
            response = connection.getresponse()
            response.read()
            assert response.status == status, headers


@pytest.mark.skipif(not has_ipv6(), reason="this machine has no ::1")
def test_both_addresses_of_localhost_answer(
    front: Front, live_server: LiveServer, client_context: ssl.SSLContext
) -> None:
    https = front(live_server.port)
    for address in ("127.0.0.1", "::1"):
        with connect(https, client_context, address) as connection:
            connection.sendall(b"GET /health HTTP/1.0\r\nHost: localhost\r\n\r\n")
            status_line = connection.makefile("rb").readline()
            assert b" 200 " in status_line


# ---- in front of a socket that the test holds


@pytest.fixture
def behind() -> Iterator[socket.socket]:
    """Where the front forwards to."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(10)
        yield server


def pair(
    front: TlsFront, behind: socket.socket, context: ssl.SSLContext
) -> tuple[ssl.SSLSocket, socket.socket]:
    """A client's TLS connection and the server's end of it."""
    client = connect(front, context)
    server, _ = behind.accept()
    server.settimeout(10)
    return client, server


def test_bytes_pass_unchanged_both_ways(
    front: Front, behind: socket.socket, client_context: ssl.SSLContext
) -> None:
    https = front(behind.getsockname()[1])
    client, server = pair(https, behind, client_context)
    block = bytes(range(256)) * 16_384  # 4 MiB: more than any buffer on the way

    def receive(end: socket.socket) -> bytes:
        received = bytearray()
        while len(received) < len(block) and (data := end.recv(65_536)):
            received += data
        return bytes(received)

    with client, server:
        for sender, receiver in ((client, server), (server, client)):
            sending = threading.Thread(target=sender.sendall, args=(block,))
            sending.start()
            assert receive(receiver) == block
            sending.join()


def test_what_the_server_sent_before_it_closed_still_arrives(
    front: Front, behind: socket.socket, client_context: ssl.SSLContext
) -> None:
    https = front(behind.getsockname()[1])
    client, server = pair(https, behind, client_context)
    with client:
        server.sendall(b"x" * 300_000)
        server.close()
        received = 0
        while data := client.recv(65_536):
            received += len(data)
            time.sleep(0.001)
        assert received == 300_000
    assert until(lambda: https.connections == 0)


def test_when_the_client_leaves_the_server_sees_it(
    front: Front, behind: socket.socket, client_context: ssl.SSLContext
) -> None:
    https = front(behind.getsockname()[1])
    for leave in (lambda end: end.unwrap(), lambda end: None):
        client, server = pair(https, behind, client_context)
        client.sendall(b"question")
        assert server.recv(100) == b"question"
        with contextlib.suppress(OSError):
            leave(client)  # with TLS's good-bye, or just gone
        client.close()
        with server:
            assert server.recv(100) == b""
    assert until(lambda: https.connections == 0)


def test_a_client_that_ends_its_sending_side_ends_the_connection(
    front: Front, behind: socket.socket, client_context: ssl.SSLContext
) -> None:
    https = front(behind.getsockname()[1])
    client, server = pair(https, behind, client_context)
    with client, server:
        client.sendall(b"question")
        client.shutdown(socket.SHUT_WR)
        assert server.recv(100) == b"question"
        assert server.recv(100) == b""
    assert until(lambda: https.connections == 0)


def test_who_does_not_speak_tls_is_cut_off_and_others_are_served(
    front: Front, behind: socket.socket, client_context: ssl.SSLContext
) -> None:
    https = front(behind.getsockname()[1], handshake_s=0.5)
    silent = socket.create_connection(("127.0.0.1", https.port), timeout=10)
    plain = socket.create_connection(("127.0.0.1", https.port), timeout=10)
    plain.sendall(b"GET / HTTP/1.1\r\n\r\n")
    client, server = pair(https, behind, client_context)
    with client, server, silent, plain:
        client.sendall(b"question")
        assert server.recv(100) == b"question"
        for rude in (silent, plain):
            with contextlib.suppress(ConnectionResetError):
                while rude.recv(1000):  # perhaps TLS's word for it
                    pass
        assert until(lambda: https.connections == 1)


def test_a_client_that_takes_nothing_does_not_hold_a_connection_for_ever(
    front: Front, behind: socket.socket, client_context: ssl.SSLContext
) -> None:
    https = front(behind.getsockname()[1], stuck_s=0.5)
    client, server = pair(https, behind, client_context)
    with client, server:
        with contextlib.suppress(OSError):
            for _ in range(1000):  # until the front gives up
                server.sendall(b"x" * 100_000)
        assert until(lambda: https.connections == 0)


def test_more_connections_than_allowed_are_refused_at_once(
    front: Front, behind: socket.socket, client_context: ssl.SSLContext
) -> None:
    https = front(behind.getsockname()[1], max_connections=2)
    pairs = [pair(https, behind, client_context) for _ in range(2)]
    with pytest.raises(OSError, match=r"(?i)eof|reset|abort|closed"):
        connect(https, client_context)
    for end in pairs.pop():
        end.close()
    assert until(lambda: https.connections == 1)
    pairs.append(pair(https, behind, client_context))
    for client, server in pairs:
        client.close()
        server.close()


def test_nobody_behind_ends_the_connection(
    front: Front, free_port: int, client_context: ssl.SSLContext
) -> None:
    https = front(free_port)
    with connect(https, client_context) as client:
        assert client.recv(100) == b""
    assert until(lambda: https.connections == 0)


def test_stopping_closes_open_connections_and_frees_the_port(
    certificate: LocalCertificate,
    behind: socket.socket,
    client_context: ssl.SSLContext,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("server.tls_front.FINISH_S", 0.5)
    target = ("127.0.0.1", behind.getsockname()[1])
    https = TlsFront(certificate.server_context(), 0, target)
    https.start()
    client, server = pair(https, behind, client_context)
    with client, server:
        https.stop()
        with contextlib.suppress(OSError):
            assert client.recv(100) == b""
        with contextlib.suppress(OSError):
            assert server.recv(100) == b""
    https.stop()
    again = TlsFront(certificate.server_context(), https.port, target)
    again.stop()  # never started


def test_a_taken_port_is_named_with_what_to_do(certificate: LocalCertificate) -> None:
    addresses = ["127.0.0.1", "::1"] if has_ipv6() else ["127.0.0.1"]
    for address in addresses:
        with listen_socket(address, 0) as other:
            port = other.getsockname()[1]
            with pytest.raises(PortTaken) as error:
                TlsFront(certificate.server_context(), port, ("127.0.0.1", 1))
            assert f"Port {port} of {address}" in error.value.message
            assert "SHOPSHEET_HTTPS_PORT" in error.value.message


def test_rude_callers_leave_no_noise_in_the_log(
    front: Front,
    behind: socket.socket,
    client_context: ssl.SSLContext,
    caplog: pytest.LogCaptureFixture,
) -> None:
    https = front(behind.getsockname()[1])
    with caplog.at_level(logging.WARNING):
        for _ in range(5):
            socket.create_connection(("127.0.0.1", https.port)).close()
            with pytest.raises(ssl.SSLCertVerificationError):
                connect(https, ssl.create_default_context())
            client, server = pair(https, behind, client_context)
            client.sendall(b"question")
            client.close()
            server.close()
        assert until(lambda: https.connections == 0)
    assert caplog.records == []
