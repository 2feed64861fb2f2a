"""The HTTP edge: reads requests, asks the engine, writes answers; no logic of its own."""

from __future__ import annotations

import json
import math
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from flask import Blueprint, Response, redirect, request, send_from_directory
from werkzeug.exceptions import NotFound

from server.engine import Answer, CallAbandoned, Engine
from server.guard import Guard
from server.jobs import JobRunner
from server.knowledge.shelf import ShelfState
from server.metrics import Metrics
from server.openapi import build_openapi, render_docs
from server.own.heads import all_in_use, card_of
from server.settings import Settings
from udfs import catalogue
from udfs.client import SECONDS_PER_CELL
from udfs.errors import BadInput, short
from udfs.function import NAMESPACE
from udfs.kinds import to_wire

SERVICE = "shopsheet"
HEALTH_KEEP_S = 1.0  # /health needs no token: asking it often must not keep the models busy
HEALTH_TIMEOUT_S = 5.0
MAX_ID_CHARS = 200
LOOPBACK = ("127.0.0.1", "::1")
ADDIN_SUFFIXES = {".css", ".gif", ".html", ".ico", ".js", ".json", ".map", ".png", ".svg", ".xml"}


class TooLarge(BadInput):
    """A request asks for more than the settings allow."""

    http_status = 413


class FilesFromAfar(BadInput):
    """Another machine names files of this one."""

    http_status = 403


@dataclass(frozen=True)
class WireCall:
    """One call as it came in."""

    id: str | int
    function: str
    args: list[Any]

    @cached_property
    def cells(self) -> int:
        """How many cells its ranges have, and one for the call."""
        ranges = (arg for arg in self.args if isinstance(arg, list))
        return 1 + sum(len(row) if isinstance(row, list) else 1 for arg in ranges for row in arg)


def build_routes(
    settings: Settings, engine: Engine, guard: Guard, metrics: Metrics, jobs: JobRunner
) -> Blueprint:
    """The routes of one server."""
    routes = Blueprint("routes", __name__)
    health = _HealthCheck(engine)
    contract = build_openapi(catalogue.FUNCTIONS.values(), settings, jobs.kinds.values())

    @routes.post("/v1/calls")
    def calls() -> Response:
        began = time.monotonic()
        wire_calls = read_calls(request.get_data(cache=False), settings.max_cells)
        cells = sum(call.cells for call in wire_calls)
        answers = engine.calls(
            [(call.function, call.args) for call in wire_calls],
            use_store="no-store" not in request.headers.get("Cache-Control", "").lower(),
            deadline=began + settings.call_timeout_s + SECONDS_PER_CELL * cells,
            cancelled=_caller_left(),
        )
        results = [write_result(c, a) for c, a in zip(wire_calls, answers, strict=True)]
        return _json({"results": results})

    @routes.get("/v1/functions")
    def functions() -> Response:
        declared = [function.to_json() for function in catalogue.FUNCTIONS.values()]
        return _json({"namespace": NAMESPACE, "functions": declared})

    @routes.get("/v1/models")
    def models() -> Response:
        own = {
            name: {"version": version_id, "card": card_of(settings.home, name, version_id)}
            for name, version_id in all_in_use(settings.home).items()
        }
        return _json({"models": engine.models(), "own": own, "knowledge": engine.knowledge_state()})

    @routes.post("/v1/jobs")
    def start_job() -> Response:
        wanted = _read_json(request.get_data(cache=False))
        refuse_files_from_afar(wanted, request.remote_addr)
        job = jobs.submit(wanted)
        response = _json(job.to_json(), 202)
        response.headers["Location"] = f"/v1/jobs/{job.id}"
        return response

    @routes.get("/v1/jobs")
    def all_jobs() -> Response:
        return _json({"jobs": [job.to_json() for job in jobs.all()]})

    @routes.get("/v1/jobs/<job_id>")
    def one_job(job_id: str) -> Response:
        return _json(jobs.get(job_id).to_json())

    @routes.delete("/v1/jobs/<job_id>")
    def cancel_job(job_id: str) -> Response:
        return _json(jobs.cancel(job_id).to_json(), 202)

    @routes.get("/health")
    def healthy() -> Response:
        problems = health.problems()
        ready = not any(problems.values())
        knowledge = engine.knowledge.state()
        body: dict[str, Any] = {
            "service": SERVICE,
            "status": "ready" if ready else "not ready",
            "workers": {name: problem is None for name, problem in problems.items()},
            "knowledge": _knowledge_word(knowledge),
        }
        if guard.knows_token(request):  # problems may name folders
            body["problems"] = {name: text for name, text in problems.items() if text}
            if knowledge.problem:  # the last good file is in use: ready all the same
                body["problems"]["knowledge"] = knowledge.problem
        response = _json(body, 200 if ready else 503)
        if not ready:
            response.headers["Retry-After"] = "2"
        return response

    @routes.get("/metrics")
    def read_metrics() -> Response:
        text, content_type = metrics.render()
        return Response(text, content_type=content_type)

    @routes.get("/openapi.json")
    def openapi() -> Response:
        return _json(contract)

    @routes.get("/docs")
    def docs() -> Response:
        response = Response(render_docs(contract), content_type="text/html; charset=utf-8")
        response.headers["Content-Security-Policy"] = (
            "default-src 'none'; style-src 'unsafe-inline'"
        )
        return response

    @routes.get("/")
    def front() -> Any:
        return redirect("/docs")

    @routes.get("/console")
    def console() -> Any:
        return redirect("/addin/console.html")

    @routes.get("/addin/<path:name>")
    def addin(name: str) -> Response:
        parts = name.replace("\\", "/").split("/")
        suffix = "." + name.rsplit(".", 1)[-1].lower()
        hidden = any(part.startswith(".") or part == "node_modules" for part in parts)
        if hidden or suffix not in ADDIN_SUFFIXES:
            raise NotFound
        response = send_from_directory(settings.addin_folder.resolve(), name)
        response.headers["Cache-Control"] = "no-cache"  # after an update the new file is taken
        return response

    return routes


def _knowledge_word(state: ShelfState) -> str:
    """none, in use, or problem: the file cannot be read, and the last good one is in use."""
    if state.problem:
        return "problem"
    return "in use" if state.knowledge else "none"


def refuse_files_from_afar(wanted: object, address: str | None) -> None:
    """Nothing. Raises: FilesFromAfar if another machine names files of this one: the token lets
    colleagues use the models, not the user's folders."""
    if address in LOOPBACK or not isinstance(wanted, dict):
        return
    named = [name for name in ("file", "output") if wanted.get(name)]
    if named:
        raise FilesFromAfar(
            f"{' and '.join(named)} can be named from the server's own machine only. Send rows "
            "instead."
        )


def read_calls(body: bytes, max_cells: int) -> list[WireCall]:
    """The calls of a request body, checked for form but not for their arguments.

    Raises: BadInput saying where the body is wrong, TooLarge if it holds too many cells.
    """
    data = _read_json(body)
    calls = data.get("calls") if isinstance(data, dict) else None
    if not isinstance(calls, list):
        raise BadInput(
            f"The body is {short(data)}; expected "
            '{"calls": [{"id": "1", "function": "SENTIMENT", "args": ["great value"]}]}.'
        )
    read = [_read_call(call, f"calls[{index}]") for index, call in enumerate(calls)]
    cells = sum(call.cells for call in read)
    if cells > max_cells:
        raise TooLarge(
            f"The request has {cells:,} cells; at most {max_cells:,} are taken at once. "
            "Split the range, or raise SHOPSHEET_MAX_CELLS."
        )
    return read


def write_result(call: WireCall, answer: Answer) -> dict[str, Any]:
    """The answer to one call as the wire carries it."""
    if answer.error is not None:
        return {"id": call.id, **answer.error.to_json()}
    result = {"id": call.id, "value": to_wire(answer.value)}
    return result if answer.model is None else {**result, "model": answer.model}


def _read_call(call: object, where: str) -> WireCall:
    if not isinstance(call, dict):
        raise BadInput(
            f'{where} is {short(call)}; expected an object with "id", "function" and "args".'
        )
    call_id, function, args = call.get("id"), call.get("function"), call.get("args")
    is_id = isinstance(call_id, str | int) and not isinstance(call_id, bool)
    if not is_id or len(str(call_id)) > MAX_ID_CHARS:
        raise BadInput(
            f"{where}.id is {short(call_id)}; expected a text of at most {MAX_ID_CHARS} "
            "characters or a whole number."
        )
    if not isinstance(function, str):
        raise BadInput(f"{where}.function is {short(function)}; expected a name as a text.")
    if not isinstance(args, list):
        raise BadInput(f"{where}.args is {short(args)}; expected an array of arguments.")
    assert isinstance(call_id, str | int)
    return WireCall(call_id, function, args)


def _read_json(body: bytes) -> Any:
    try:
        return json.loads(
            body, parse_float=_finite, parse_int=_whole, parse_constant=_refuse_constant
        )
    except RecursionError:
        raise BadInput("The body is nested too deeply; a range is an array of rows.") from None
    except UnicodeDecodeError as error:
        raise BadInput(f"The body is not UTF-8: {error.reason} at byte {error.start}.") from None
    except ValueError as error:
        raise BadInput(f"The body is not JSON: {error}.") from None


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(f"the number {text[:40]} is too large")
    return number


def _whole(text: str) -> int | float:
    # Beyond 15 digits a sheet has no whole numbers; beyond thousands Python refuses to read them.
    return int(text) if len(text) <= 18 else _finite(text)


def _refuse_constant(text: str) -> float:
    raise ValueError(f"{text} is not a JSON value")


def _caller_left() -> Callable[[], bool]:
    """Asks waitress whether the caller has hung up; other servers cannot tell."""
    left: Callable[[], bool] = request.environ.get("waitress.client_disconnected", lambda: False)
    return left


def _json(data: object, status: int = 200) -> Response:
    text = json.dumps(data, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    # Half a character can only stand in a string, where its escape means the same.
    body = text.encode("utf-8", "backslashreplace")
    return Response(body, status=status, mimetype="application/json")


class _HealthCheck:
    """Asks the models at most once in a while, however often it is asked."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._lock = threading.Lock()
        self._checked = float("-inf")
        self._problems: dict[str, str | None] = {}

    def problems(self) -> dict[str, str | None]:
        """Per worker what is wrong, None if nothing is."""
        with self._lock:
            age = time.monotonic() - self._checked
            # A problem is looked at afresh, so that "ready" is not seen late.
            if age > HEALTH_KEEP_S or any(self._problems.values()):
                self._problems = self._engine.health(HEALTH_TIMEOUT_S)
                self._checked = time.monotonic()
            return dict(self._problems)


__all__ = ["CallAbandoned", "TooLarge", "WireCall", "build_routes", "read_calls", "write_result"]
