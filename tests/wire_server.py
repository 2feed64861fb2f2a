"""A small real HTTP server that speaks the wire contract and can be told to misbehave."""

from __future__ import annotations

import contextlib
import json
import socket
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Handle = Callable[["Handler"], bool]


def answer_cell(cell: Any, output: str) -> Any:
    """A stand-in model: the label of a text is the text in capitals, its score its length."""
    if isinstance(cell, dict):
        return [cell] * 3 if output == "all" else cell
    text = "" if cell is None else str(cell)
    if text == "unsure":
        bad = {"error": {"code": "#N/A", "message": "confidence 0.55 is below 0.8"}}
        return [bad] * 3 if output == "all" else bad
    if output == "all":
        return [text.upper(), float(len(text)), 0.9] if text.strip() else ["", "", ""]
    return (text.upper() if output == "label" else float(len(text))) if text.strip() else ""


def answer_call(call: dict[str, Any]) -> dict[str, Any]:
    args = call["args"]
    output = (args[1] if len(args) > 1 else None) or "label"
    if args[0] == "call fails":
        return {"id": call["id"], "error": {"code": "#VALUE!", "message": "the server's own text"}}
    if not isinstance(args[0], list):
        value = answer_cell(args[0], output)
        value = [value] if output == "all" else value
    elif output == "all":
        value = [answer_cell(row[0], output) for row in args[0]]
    else:
        value = [[answer_cell(cell, output) for cell in row] for row in args[0]]
    return {"id": call["id"], "value": value, "model": "encoder@1"}


class Handler(BaseHTTPRequestHandler):
    """Answers calls; a test may put a function in `server.script` that answers instead once."""

    protocol_version = "HTTP/1.1"
    server: WireServer
    disable_nagle_algorithm = True

    def do_POST(self) -> None:
        self.body = self.rfile.read(int(self.headers["Content-Length"]))
        self.reply()

    def do_GET(self) -> None:
        self.body = b""
        self.reply()

    def reply(self) -> None:
        with self.server.lock:
            self.server.requests.append(json.loads(self.body) if self.body else {})
            self.server.headers.append(dict(self.headers))
            script = self.server.script.pop(0) if self.server.script else None
        if script is not None and not script(self):
            return
        if self.path == "/v1/calls":
            calls = json.loads(self.body)["calls"]
            self.send_json(200, {"results": [answer_call(call) for call in calls]})
        else:
            self.send_json(200, {"path": self.path})

    def send_json(self, status: int, data: object, headers: dict[str, str] | None = None) -> None:
        self.send_bytes(status, json.dumps(data).encode(), headers)

    def send_bytes(self, status: int, body: bytes, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def drop(self) -> None:
        self.close_connection = True
        self.connection.shutdown(socket.SHUT_RDWR)

    def log_message(self, *_: object) -> None:
        pass


class WireServer(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.lock = threading.Lock()
        self.requests: list[Any] = []
        self.headers: list[dict[str, str]] = []
        self.script: list[Handle] = []
        self.released = threading.Event()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def handle_error(self, *_: object) -> None:
        pass  # a client that hangs up is what some tests are about


@contextlib.contextmanager
def running() -> Iterator[WireServer]:
    """A server on a free port that is gone afterwards."""
    server = WireServer()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield server
    finally:
        server.released.set()
        server.shutdown()
        server.server_close()
        thread.join()
