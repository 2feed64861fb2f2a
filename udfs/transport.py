"""One server over HTTP: kept-alive connections, time-outs and one retry, standard library only."""

from __future__ import annotations

import contextlib
import email.utils
import http.client
import json
import socket
import ssl
import threading
import time
from dataclasses import dataclass
from typing import Any
from urllib.parse import SplitResult, urlsplit

from udfs.errors import BadInput, NotReady

IDLE_S = 30.0  # a connection that was idle for longer is closed, not reused
RETRY_PAUSE_S = 0.2  # a server that restarts needs a moment before it listens again
MAX_RETRY_AFTER_S = 5.0  # a server that asks for more than this is busy: say so instead


@dataclass(frozen=True)
class Reply:
    """What the server answered: `body` as bytes, `retry_after_s` where it asked for a pause."""

    status: int
    body: bytes
    retry_after_s: float | None

    def json(self) -> Any:
        """The body as JSON, or None where it is none."""
        try:
            return json.loads(self.body)
        except (ValueError, RecursionError):
            return None


def split_url(url: str) -> SplitResult:
    """The parts of a server address.

    Raises: BadInput if it is not http(s)://host[:port][/prefix].
    """
    try:
        parts = urlsplit(url.strip().rstrip("/"))
        valid = parts.scheme in ("http", "https") and bool(parts.hostname) and not parts.query
        valid = valid and parts.username is None and (parts.port is None or parts.port > 0)
    except ValueError:
        valid = False
    if not valid:
        raise BadInput(
            f"The server address is {url!r}; expected something like http://127.0.0.1:8421. "
            "Correct SHOPSHEET_URL."
        )
    return parts


def is_loopback(parts: SplitResult) -> bool:
    """Whether the address is this very machine."""
    host = (parts.hostname or "").lower()
    return host in ("localhost", "::1") or host.startswith("127.")


class Transport:
    """Requests to one server, from any thread. Proxies of the environment are never used."""

    def __init__(self, url: str, timeout_s: float, connect_timeout_s: float = 5.0) -> None:
        self._parts = split_url(url)
        self.url = self._parts.geturl()
        self.timeout_s = timeout_s
        self._connect_timeout_s = min(connect_timeout_s, timeout_s)
        self._lock = threading.Lock()
        self._idle: list[tuple[float, http.client.HTTPConnection]] = []
        self._busy: dict[http.client.HTTPConnection, socket.socket] = {}
        self._closing = threading.Event()

    def send(
        self,
        method: str,
        path: str,
        body: bytes | None = None,
        headers: dict[str, str] | None = None,
        retry: bool = True,
        timeout_s: float | None = None,
    ) -> Reply:
        """The server's reply, whatever its status, within `timeout_s` (by default the transport's).

        A connection that fails, or a 503 that names a short pause, is tried once more: every
        request of ours may be repeated. A time-out is not, for the server is still at it.
        Raises: NotReady if there is no reply.
        """
        timeout_s = self.timeout_s if timeout_s is None else timeout_s
        deadline = time.monotonic() + timeout_s
        retried = not retry
        fresh = False
        while True:
            reused = False
            try:
                connection, reused = self._connect(fresh)
            except OSError as error:  # refused, unknown host, no answer in time, bad certificate
                failure: Exception | None = error
            else:
                try:
                    reply = self._exchange(connection, deadline, method, path, body, headers or {})
                    failure = None
                except TimeoutError as error:
                    raise NotReady(self._timeout_message(timeout_s)) from error
                except (OSError, http.client.HTTPException) as error:
                    failure = error
            if failure is not None:
                if self._closing.is_set():
                    raise NotReady("The connection was closed while the call ran.") from failure
                fresh = True
                if reused:  # the server may close an idle connection at any time
                    continue
                if retried or not self._pause(RETRY_PAUSE_S, deadline):
                    raise NotReady(self._unreachable_message(failure)) from failure
                retried = True
                continue
            wait_s = reply.retry_after_s
            busy = reply.status == 503 and wait_s is not None and wait_s <= MAX_RETRY_AFTER_S
            if busy and not retried and self._pause(wait_s or 0.0, deadline):
                retried = True
                continue
            return reply

    def close(self) -> None:
        """Nothing; afterwards no connection is open and every running request has failed."""
        self._closing.set()
        with self._lock:
            idle, self._idle = self._idle, []
            busy = list(self._busy.values())
        for _, connection in idle:
            connection.close()
        for sock in busy:
            _interrupt(sock)

    def _connect(self, fresh: bool) -> tuple[http.client.HTTPConnection, bool]:
        """An open connection and whether it was used before."""
        stale: list[http.client.HTTPConnection] = []
        found = None
        with self._lock:
            while self._idle and found is None:
                since, connection = self._idle.pop()
                if fresh or time.monotonic() - since > IDLE_S:
                    stale.append(connection)
                else:
                    found = connection
                    self._busy[connection] = connection.sock
        for connection in stale:
            connection.close()
        if found is not None:
            return found, True
        host, port = self._parts.hostname or "", self._parts.port
        timeout_s = self._connect_timeout_s
        new: http.client.HTTPConnection
        if self._parts.scheme == "https":
            context = ssl.create_default_context()
            new = http.client.HTTPSConnection(host, port, timeout=timeout_s, context=context)
        else:
            new = http.client.HTTPConnection(host, port, timeout=timeout_s)
        try:
            new.connect()
        except BaseException:
            new.close()
            raise
        with self._lock:
            self._busy[new] = new.sock
            closing = self._closing.is_set()
        if closing:  # close() may have looked before we were there
            self._release(new, keep=False)
            raise ConnectionAbortedError("closed")
        return new, False

    def _exchange(
        self,
        connection: http.client.HTTPConnection,
        deadline: float,
        method: str,
        path: str,
        body: bytes | None,
        headers: dict[str, str],
    ) -> Reply:
        # A socket time-out bounds each read, not the whole: a server that drips bytes would hold
        # us for ever. The watchdog ends the connection at the deadline.
        late = threading.Event()
        sock = connection.sock

        def expire() -> None:
            late.set()
            _interrupt(sock)

        watchdog = threading.Timer(max(0.0, deadline - time.monotonic()), expire)
        watchdog.daemon = True
        keep = False
        try:
            watchdog.start()
            sock.settimeout(max(0.01, deadline - time.monotonic()))
            connection.request(method, self._parts.path + path, body, headers)
            response = connection.getresponse()
            content = response.read()
            retry_after_s = _seconds(response.getheader("Retry-After"))
            keep = not (response.will_close or late.is_set())
        except (OSError, http.client.HTTPException) as error:
            if late.is_set():
                raise TimeoutError("deadline passed") from error
            raise
        finally:
            watchdog.cancel()
            self._release(connection, keep)
        if late.is_set():
            raise TimeoutError("deadline passed")
        return Reply(response.status, content, retry_after_s)

    def _release(self, connection: http.client.HTTPConnection, keep: bool) -> None:
        with self._lock:
            self._busy.pop(connection, None)
            keep = keep and not self._closing.is_set()
            if keep:
                self._idle.append((time.monotonic(), connection))
        if not keep:
            connection.close()

    def _pause(self, wait_s: float, deadline: float) -> bool:
        """Whether there was time to wait, and nobody closed us meanwhile."""
        if time.monotonic() + wait_s >= deadline:
            return False
        return not self._closing.wait(wait_s)

    def _unreachable_message(self, error: Exception) -> str:
        if isinstance(error, ssl.SSLError):
            return (
                f"No secure connection to {self.url}: {error}. Check that the address and the "
                "server's certificate belong together."
            )
        if isinstance(error, http.client.HTTPException) and not isinstance(error, OSError):
            return (
                f"What answers at {self.url} does not speak HTTP as a Shopsheet server does "
                f"({type(error).__name__}). Check SHOPSHEET_URL, or stop the other program."
            )
        hint = "Start it with: shopsheet serve"
        if not is_loopback(self._parts):
            hint = "Check SHOPSHEET_URL and that the machine can be reached."
        if isinstance(error, socket.gaierror):
            hint = "The host name is unknown. Check SHOPSHEET_URL."
        return f"The Shopsheet server does not answer at {self.url}. {hint}"

    def _timeout_message(self, timeout_s: float) -> str:
        return (
            f"The Shopsheet server at {self.url} gave no answer within {timeout_s:g} s. "
            "Try fewer cells at once, or look at the server's output for what it is doing."
        )


def _interrupt(sock: socket.socket) -> None:
    """Nothing; a thread that reads from this socket wakes with an error."""
    with contextlib.suppress(OSError):
        sock.shutdown(socket.SHUT_RDWR)


def _seconds(retry_after: str | None) -> float | None:
    """Seconds of a Retry-After header, which is a number or a date; None where it is neither."""
    if retry_after is None:
        return None
    try:
        return max(0.0, float(retry_after))
    except ValueError:
        pass
    try:
        moment = email.utils.parsedate_to_datetime(retry_after)
    except ValueError:
        return None
    return max(0.0, moment.timestamp() - time.time())
