"""Waitress, bounded: listens, refuses at once when too much waits, stops cleanly.

Waitress by itself queues without limit, looks at its sockets with select() (which fails above 1,024
of them) and refuses nobody before the connection limit, from where on new callers just hang.
"""

from __future__ import annotations

import errno
import json
import os
import select
import socket
import threading
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from flask import Flask
from waitress import wasyncore
from waitress.adjustments import Adjustments
from waitress.channel import HTTPChannel
from waitress.server import TcpWSGIServer
from waitress.task import ErrorTask, ThreadedTaskDispatcher

from server.settings import Settings
from udfs.errors import NotReady

RETRY_AFTER_S = 1
BACKLOG = 2048  # connections that the system holds until we accept them
WINDOWS_CONNECTIONS = 480  # select() takes 512 sockets there
SPARE_FILES = 128  # for models, the store and libraries, beside the connections
HEADER_BYTES = 32 * 1024
IDLE_CONNECTION_S = 120


class PortTaken(NotReady):
    """Another program listens where this server wants to."""


class Busy:
    """The answer to a request that is refused because too many wait; shaped like waitress'."""

    def to_response(self, ident: str | None = None) -> tuple[str, list[tuple[str, str]], bytes]:
        message = "The server is busy: too many requests are waiting. Try again in a moment."
        return _json_error(
            "503 Service Unavailable", message, [("Retry-After", str(RETRY_AFTER_S))]
        )


def _json_error(
    status: str, message: str, headers: list[tuple[str, str]] | None = None
) -> tuple[str, list[tuple[str, str]], bytes]:
    code = "#VALUE!" if status.startswith("4") else "#N/A"
    body = json.dumps({"error": {"code": code, "message": message}}).encode("utf-8")
    return status, [("Content-Type", "application/json"), *(headers or [])], body


class _JsonErrorTask(ErrorTask):
    """An error before Flask is reached, in the same form as all our errors."""

    def execute(self) -> None:
        error = self.request.error
        if not isinstance(error, Busy):
            status, _, _ = error.to_response()
            made = _json_error(status, f"{error.reason}: {error.body}")
        else:
            made = error.to_response()
        self.status, headers, body = made
        self.response_headers.extend(headers)
        self.set_close_on_finish()
        self.content_length = len(body)
        self.write(body)


class _Channel(HTTPChannel):
    """One connection; remembers since when it has been sending a request."""

    error_task_class = _JsonErrorTask
    receiving_since: float | None = None

    def received(self, data: bytes) -> bool:
        if self.request is None:
            self.receiving_since = time.time()
        more: bool = super().received(data)
        if self.request is None:
            self.receiving_since = None
        return more


class _Dispatcher(ThreadedTaskDispatcher):
    """Threads that serve requests, and one that refuses those that are too many."""

    def __init__(self, max_queued: int, on_refused: Callable[[], object]) -> None:
        super().__init__()
        self._max_queued = max_queued
        self._on_refused = on_refused
        self._refused: deque[Any] = deque()
        self._refusing = threading.Condition()
        self._stopped = False
        self._refuser = threading.Thread(target=self._refuse, name="refuser", daemon=True)
        self._refuser.start()

    def add_task(self, task: Any) -> None:
        if len(self.queue) < self._max_queued:
            with self.lock:
                self.queue.append(task)
                self.queue_cv.notify()
            return
        # The caller holds a lock of the connection, so another thread must answer.
        with self._refusing:
            self._refused.append(task)
            self._refusing.notify()

    def shutdown(self, cancel_pending: bool = True, timeout: float = 5) -> bool:
        with self._refusing:
            self._stopped = True
            self._refusing.notify()
        self._refuser.join(timeout)
        done: bool = super().shutdown(cancel_pending, timeout)
        return done

    def _refuse(self) -> None:
        while True:
            with self._refusing:
                self._refusing.wait_for(lambda: self._refused or self._stopped)
                if not self._refused:
                    return
                channel = self._refused.popleft()
            if channel.requests:
                if not channel.requests[0].error:
                    channel.requests[0].error = Busy()
                try:
                    channel.service()
                except Exception:
                    self.logger.exception("could not refuse a request")
            self._on_refused()


class _Server(TcpWSGIServer):
    """Also closes connections that take too long to send a request."""

    channel_class = _Channel
    read_timeout_s = 60.0

    def maintenance(self, now: float) -> None:
        super().maintenance(now)
        for channel in self.active_channels.values():
            since = channel.receiving_since
            if since is not None and now - since > self.read_timeout_s:
                channel.will_close = True


class Listener:
    """A server that listens as soon as it is made; `run` serves until `stop`."""

    def __init__(
        self, app: Flask, settings: Settings, listening: socket.socket | None = None
    ) -> None:
        """A server on `listening`, or on a socket of its own.

        Raises: PortTaken.
        """
        self._socket = listening or listen_socket(settings.host, settings.port)
        address, port = self._socket.getsockname()[:2]
        self.port: int = port
        self.url = settings.changed(port=self.port).url
        self._stopping = threading.Event()
        self._map: dict[int, Any] = {}
        adjustments = Adjustments(
            listen=f"[{address}]:{self.port}" if ":" in address else f"{address}:{self.port}",
            threads=settings.threads,
            connection_limit=_affordable_connections(settings.max_connections),
            backlog=BACKLOG,
            asyncore_use_poll=True,
            channel_request_lookahead=1,  # so that a caller who hangs up is noticed
            channel_timeout=IDLE_CONNECTION_S,
            cleanup_interval=max(1, min(30, int(settings.read_timeout_s / 2))),
            max_request_body_size=settings.max_body_bytes,
            max_request_header_size=HEADER_BYTES,
            log_socket_errors=False,
            clear_untrusted_proxy_headers=True,
            ident="shopsheet",
        )
        metrics = app.extensions["shopsheet"]["metrics"]
        self._dispatcher = _Dispatcher(settings.max_queued_requests, metrics.count_refused)
        self._dispatcher.set_thread_count(settings.threads)
        self._adjustments = adjustments
        self._server = _Server(
            app.wsgi_app,
            map=self._map,
            _sock=self._socket,
            dispatcher=self._dispatcher,
            adj=adjustments,
            sockinfo=(
                self._socket.family,
                self._socket.type,
                self._socket.proto,
                self._socket.getsockname(),
            ),
            bind_socket=False,
        )
        self._server.read_timeout_s = settings.read_timeout_s

    @property
    def stopped(self) -> bool:
        """Whether `stop` was called."""
        return self._stopping.is_set()

    def run(self) -> None:
        """Nothing, after `stop` was called; the requests in work are finished first."""
        try:
            while not self._stopping.is_set():
                wasyncore.loop(timeout=1, use_poll=True, map=self._map, count=1)
        finally:
            self._close()

    def stop(self) -> None:
        """Nothing; may be called from any thread and from a signal handler."""
        self._stopping.set()
        with suppress(OSError, ValueError):
            self._server.pull_trigger()

    def _close(self) -> None:
        self._server.accepting = False
        self._dispatcher.shutdown(timeout=10)
        # What the threads have just written is still in the buffers of their connections.
        until = time.monotonic() + 2
        while time.monotonic() < until and any(
            channel.total_outbufs_len for channel in self._server.active_channels.values()
        ):
            wasyncore.loop(timeout=0.05, use_poll=True, map=self._map, count=1)
        self._server.trigger.close()
        wasyncore.close_all(self._map, ignore_all=True)
        self._socket.close()


def listen_socket(host: str, port: int) -> socket.socket:
    """A socket that listens; who connects waits until it is served. Port 0 takes a free one.

    Raises: PortTaken if somebody listens there already, or the address cannot be used.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listening = socket.socket(family, socket.SOCK_STREAM)
    try:
        if os.name == "nt":
            # SO_REUSEADDR would let two programs share a port on Windows.
            listening.setsockopt(socket.SOL_SOCKET, getattr(socket, "SO_EXCLUSIVEADDRUSE"), 1)  # noqa: B009
        else:
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind((host, port))
        # Not later: until then another program could take the port.
        listening.listen(BACKLOG)
        return listening
    except OSError as error:
        listening.close()
        taken = error.errno in (errno.EADDRINUSE, errno.EACCES, getattr(errno, "WSAEADDRINUSE", -1))
        if taken:
            raise PortTaken(
                f"Port {port} of {host} is used by another program or may not be used. Choose "
                "another one with --port, and tell clients with SHOPSHEET_URL."
            ) from error
        raise PortTaken(
            f"{host} port {port} cannot be listened on ({error.strerror or error}). "
            "Use an address of this machine, such as 127.0.0.1."
        ) from error
    except OverflowError as error:
        listening.close()
        raise PortTaken(f"{port} is no port; expected a number from 0 to 65535.") from error


def _affordable_connections(wanted: int) -> int:
    """As many connections as the system lets a process open."""
    if not hasattr(select, "poll"):
        return min(wanted, WINDOWS_CONNECTIONS)
    try:
        import resource
    except ImportError:
        return min(wanted, WINDOWS_CONNECTIONS)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = wanted + SPARE_FILES
    if soft != resource.RLIM_INFINITY and soft < needed:
        most = needed if hard == resource.RLIM_INFINITY else min(needed, hard)
        with suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
        soft = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
        if soft < needed:
            return max(8, soft - SPARE_FILES)
    return wanted
