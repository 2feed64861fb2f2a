"""The listening server: real sockets, overload, slow and rude callers, ports, stopping."""

from __future__ import annotations

import http.client
import json
import selectors
import socket
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any, cast

import pytest

from server.app import create_app
from server.engine import Engine
from server.listener import Listener, PortTaken, listen_socket
from server.running import look
from server.settings import Settings
from tests.conftest import TOKEN, LiveServer
from udfs.client import Client

CALL = json.dumps({"calls": [{"id": "1", "function": "SENTIMENT", "args": ["great"]}]}).encode()


def request_bytes(body: bytes = CALL, connection: str = "close") -> bytes:
    head = (
        "POST /v1/calls HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
        f"Authorization: Bearer {TOKEN}\r\nConnection: {connection}\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    )
    return head.encode("ascii") + body


def read_answer(connection: socket.socket) -> tuple[int, dict[str, str], bytes]:
    response = http.client.HTTPResponse(connection)
    response.begin()
    body = response.read()
    headers = {name.lower(): value for name, value in response.getheaders()}
    response.close()
    return response.status, headers, body


Start = Callable[..., Listener]


@pytest.fixture
def start(settings: Settings, engine: Engine) -> Iterator[Start]:
    running: list[tuple[Listener, threading.Thread]] = []

    def begin(**changes: Any) -> Listener:
        changed = settings.changed(**changes)
        listener = Listener(create_app(changed, engine), changed)
        thread = threading.Thread(target=listener.run)
        thread.start()
        running.append((listener, thread))
        return listener

    yield begin
    for listener, _ in running:
        listener.stop()
    for _, thread in running:
        thread.join(30)
        assert not thread.is_alive()


@pytest.fixture
def stuck(engine: Engine) -> Iterator[threading.Event]:
    """An engine whose calls wait until the event is set."""
    go_on = threading.Event()
    real = engine.calls

    def wait(*args: Any, **options: Any) -> Any:
        go_on.wait(60)
        return real(*args, **options)

    engine.calls = wait  # type: ignore[method-assign]
    yield go_on
    go_on.set()


def test_the_server_and_the_engine_agree(live_server: LiveServer) -> None:
    grid = [["great price"], ["bad delivery"], ["物流太慢了"], ["ok"], [None]]
    with Client.from_environment() as client:
        for output in ("label", "score", "all"):
            assert client.call("SENTIMENT", grid, output) == live_server.engine.call(
                "SENTIMENT", grid, output
            )


def flood(listener: Listener, connections: int) -> tuple[Counter[int], list[float], set[str]]:
    """Statuses, seconds to each refusal and Retry-After values of many requests at once."""
    statuses: Counter[int] = Counter()
    seconds: list[float] = []
    retry_after: set[str] = set()
    with ExitStack() as stack:
        callers = []
        for _ in range(connections):
            caller = stack.enter_context(socket.create_connection(("127.0.0.1", listener.port), 30))
            callers.append(caller)
        started = time.monotonic()
        selector = stack.enter_context(selectors.DefaultSelector())
        for caller in callers:
            caller.sendall(request_bytes())
            selector.register(caller, selectors.EVENT_READ)
        while selector.get_map():
            ready = selector.select(timeout=60)
            assert ready, "requests were never answered"
            for key, _ in ready:
                caller = cast(socket.socket, key.fileobj)
                selector.unregister(caller)
                status, headers, body = read_answer(caller)
                statuses[status] += 1
                if status == 503:
                    seconds.append(time.monotonic() - started)
                    retry_after.add(headers["retry-after"])
                    assert "too many requests are waiting" in json.loads(body)["error"]["message"]
                else:
                    assert json.loads(body)["results"][0]["value"] == "positive"
    return statuses, seconds, retry_after


@pytest.mark.parametrize(
    ("connections", "stuck_s"), [(200, 4.0), pytest.param(2000, 40.0, marks=pytest.mark.slow)]
)
def test_overload_is_refused_at_once_and_the_rest_is_served(
    start: Start, stuck: threading.Event, connections: int, stuck_s: float
) -> None:
    listener = start(threads=4, max_queued_requests=32)
    release = threading.Timer(stuck_s, stuck.set)
    release.start()
    statuses, seconds, retry_after = flood(listener, connections)
    release.join()
    assert set(statuses) == {200, 503}
    assert statuses[200] == 4 + 32
    assert retry_after == {"1"}
    assert max(seconds) < stuck_s - 0.5, "a refusal waited for the stuck requests"
    # And it is as good as new.
    status, _, body = exchange(listener)
    assert status == 200
    assert json.loads(body)["results"][0]["value"] == "positive"


def exchange(listener: Listener, data: bytes | None = None) -> tuple[int, dict[str, str], bytes]:
    with socket.create_connection(("127.0.0.1", listener.port), 30) as connection:
        connection.sendall(request_bytes() if data is None else data)
        return read_answer(connection)


def test_many_idle_connections_do_no_harm(start: Start) -> None:
    listener = start(threads=2)
    with ExitStack() as stack:
        for _ in range(300):
            idle = socket.create_connection(("127.0.0.1", listener.port), 10)
            stack.enter_context(idle)
        assert exchange(listener)[0] == 200


def test_refused_requests_are_counted(start: Start, stuck: threading.Event) -> None:
    listener = start(threads=1, max_queued_requests=1)
    release = threading.Timer(1.0, stuck.set)
    release.start()
    statuses, _, _ = flood(listener, 10)
    release.join()
    ask = f"GET /metrics HTTP/1.0\r\nHost: localhost\r\nAuthorization: Bearer {TOKEN}\r\n\r\n"
    _, _, text = exchange(listener, ask.encode())
    assert f"shopsheet_refused_total {float(statuses[503])}".encode() in text


def test_a_connection_is_kept_for_the_next_request(start: Start) -> None:
    listener = start()
    with socket.create_connection(("127.0.0.1", listener.port), 10) as connection:
        for _ in range(3):
            connection.sendall(request_bytes(connection="keep-alive"))
            assert read_answer(connection)[0] == 200


def test_a_body_that_is_too_large_is_refused_in_our_form(start: Start) -> None:
    listener = start(max_body_bytes=2000)
    head = request_bytes().split(b"Content-Length")[0] + b"Content-Length: 999999999\r\n\r\n"
    status, headers, body = exchange(listener, head)
    assert status == 413
    assert headers["content-type"] == "application/json"
    assert "error" in json.loads(body)


def test_what_is_no_http_is_refused(start: Start) -> None:
    listener = start()
    status, _, body = exchange(listener, b"\x16\x03\x01 this is TLS or worse\r\n\r\n")
    assert status == 400
    assert "error" in json.loads(body)
    assert exchange(listener)[0] == 200


def test_a_request_that_never_ends_is_cut_off(start: Start) -> None:
    listener = start(read_timeout_s=1.0)
    with socket.create_connection(("127.0.0.1", listener.port), 20) as slow:
        slow.sendall(request_bytes()[:60])
        begun = time.monotonic()
        cut = False
        while not cut and time.monotonic() - begun < 20:
            try:
                slow.sendall(b"x")  # it keeps sending, so it is not idle
                slow.settimeout(0.2)
                cut = slow.recv(1) == b""
            except TimeoutError:
                continue
            except OSError:
                cut = True
        assert cut, "the connection was still open after 20 s"
    assert exchange(listener)[0] == 200


def test_a_caller_that_hangs_up_is_noticed(
    start: Start, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun, left = threading.Event(), threading.Event()

    def calls(*args: Any, cancelled: Callable[[], bool], **options: Any) -> list[Any]:
        begun.set()
        until = time.monotonic() + 20
        while time.monotonic() < until:
            if cancelled():
                left.set()
                break
            time.sleep(0.01)
        return []

    monkeypatch.setattr(engine, "calls", calls)
    listener = start()
    with socket.create_connection(("127.0.0.1", listener.port), 10) as connection:
        connection.sendall(request_bytes(b'{"calls": []}'))
        assert begun.wait(20)
        assert not left.wait(0.2), "it was noticed before it happened"
    assert left.wait(20)


def test_a_request_in_work_is_answered_before_the_server_stops(
    start: Start, stuck: threading.Event
) -> None:
    listener = start()
    with socket.create_connection(("127.0.0.1", listener.port), 30) as connection:
        connection.sendall(request_bytes())
        time.sleep(0.3)
        listener.stop()
        release = threading.Timer(0.3, stuck.set)
        release.start()
        status, _, body = read_answer(connection)
    release.join()
    assert status == 200
    assert json.loads(body)["results"][0]["value"] == "positive"
    until = time.monotonic() + 20
    while look(listener.url).somebody:
        assert time.monotonic() < until, "it still listens"
        time.sleep(0.1)


def test_a_port_in_use_is_refused_with_what_to_do() -> None:
    with listen_socket("127.0.0.1", 0) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(PortTaken, match=rf"Port {port} of 127.0.0.1 is used .* --port"):
            listen_socket("127.0.0.1", port)
    with pytest.raises(PortTaken, match="cannot be listened on"):
        listen_socket("192.0.2.1", 0)


def test_look_tells_shopsheet_from_others(live_server: LiveServer, free_port: int) -> None:
    found = look(live_server.url)
    assert (found.somebody, found.shopsheet, found.ready) == (True, True, True)
    assert not look(f"http://127.0.0.1:{free_port}").somebody
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]

        def answer() -> None:
            for _ in range(2):
                connection, _ = other.accept()
                connection.sendall(b"220 mail.example ESMTP\r\n")
                connection.close()

        thread = threading.Thread(target=answer)
        thread.start()
        found = look(f"http://127.0.0.1:{port}")
        thread.join()
    assert found.somebody
    assert not found.shopsheet
