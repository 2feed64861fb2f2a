"""Calls to the Shopsheet server: single cells gather into one request, the same call runs once."""

from __future__ import annotations

import copy
import json
import os
import sys
import threading
import time
from collections.abc import Hashable, Iterable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from udfs import catalogue
from udfs.errors import (
    BadInput,
    CellError,
    ModelFailed,
    NotReady,
    ShopsheetError,
    error_from_code,
    short,
)
from udfs.function import ANY, Function
from udfs.kinds import from_wire, is_range, to_wire
from udfs.transport import Reply, Transport, is_loopback, split_url

DEFAULT_URL = "http://127.0.0.1:8421"
MAX_REQUESTS = 4  # requests at a time; what comes meanwhile gathers
MAX_GATHERED_CELLS = 10_000  # cells that are sent without waiting for more
SECONDS_PER_CELL = 0.02  # on top of the time-out: long columns take longer, slow machines too
MAX_CELLS = 1_000_000  # of one request, by the server's default settings
MAX_GATHER_WINDOWS = 10  # a steady stream of calls is cut after so many windows


def shopsheet_home() -> Path:
    """The one folder for token, result store, logs and installed add-in.

    SHOPSHEET_HOME, else the user's data folder of the system; it may not exist yet.
    """
    if home := os.environ.get("SHOPSHEET_HOME"):
        return Path(home).expanduser()
    if sys.platform == "win32":
        local = os.environ.get("LOCALAPPDATA")
        base = Path(local) if local else Path.home() / "AppData" / "Local"
    elif sys.platform == "darwin":
        base = Path.home() / "Library" / "Application Support"
    else:
        base = Path(os.environ.get("XDG_DATA_HOME") or "")
        if not base.is_absolute():  # the XDG standard: a relative path is to be ignored
            base = Path.home() / ".local" / "share"
    return base / "shopsheet"


def token_path() -> Path:
    """Where the server writes its token and clients on this machine read it."""
    return shopsheet_home() / "token"


@dataclass(frozen=True)
class Answer:
    """The result of one call: a value (cell or grid) or an error, and the model that gave it."""

    value: Any = None
    error: ShopsheetError | None = None
    model: str | None = None


@dataclass
class _Call:
    """A checked call that waits to be sent or answered."""

    function: Function
    args: Sequence[Any]
    shape: tuple[int, int] | None  # of the answer; None: a single value
    key: Hashable  # equal for equal calls
    options: Hashable  # equal for calls on one cell that can travel as one column; else None
    future: Future[Any]
    written: str | None = None  # the arguments as JSON, where they have been written already

    @property
    def cells(self) -> int:
        data: Any = self.args[0] if self.args else None
        return len(data) * len(data[0]) if is_range(data) else 1


class Client:
    """Calls to one server, from any number of threads. Close it, or use it in `with`."""

    def __init__(
        self,
        url: str = DEFAULT_URL,
        token: str | None = None,
        timeout_s: float = 120.0,
        gather_ms: float = 5.0,
        token_file: Path | None = None,
        use_store: bool = True,
    ) -> None:
        """`token_file` is read when `token` is not given; without `use_store` the server computes
        everything anew. A request takes at most `timeout_s` and SECONDS_PER_CELL for each of its
        cells, and waits at most `timeout_s` for others to finish first.
        """
        self._transport = Transport(url, timeout_s)
        self.url = self._transport.url
        self.timeout_s = timeout_s
        self._token = token
        self._token_file = token_file
        self._use_store = use_store
        self._gather_s = gather_ms / 1000
        self._condition = threading.Condition()
        self._pending: list[_Call] = []
        self._pending_cells = 0
        self._hurry = False  # the one pending call is waited for: send it alone
        self._in_flight: dict[Hashable, Future[Any]] = {}
        self._single_shapes: dict[Hashable, tuple[int, int] | None] = {}
        self._closed = False
        self._gatherer: threading.Thread | None = None
        self._senders: set[threading.Thread] = set()
        self._slots = threading.Semaphore(MAX_REQUESTS)

    @classmethod
    def from_environment(cls, **options: Any) -> Client:
        """A client for SHOPSHEET_URL and SHOPSHEET_TOKEN, else this machine and its token file.

        The token file is never sent to another machine. `options` are those of the constructor.
        """
        url = os.environ.get("SHOPSHEET_URL") or DEFAULT_URL
        token = os.environ.get("SHOPSHEET_TOKEN") or None
        token_file = token_path() if is_loopback(split_url(url)) else None
        return cls(**{"url": url, "token": token, "token_file": token_file, **options})

    def submit(self, function: str, *args: object) -> Future[Any]:
        """A future of the call's value. Calls of a few milliseconds travel in one request.

        The same call, while it is under way, gives the same future, so do not change a grid that
        you get. The future raises a ShopsheetError if the call fails; a failed cell of a grid is
        a CellError in its place.
        """
        return self._submit(function, args, in_a_hurry=False)

    def _submit(self, function: str, args: tuple[Any, ...], *, in_a_hurry: bool) -> Future[Any]:
        """As `submit`; `in_a_hurry` goes without waiting for more if nothing is under way."""
        try:
            call = self._check(function, args)
        except ShopsheetError as error:
            return _failed(error)
        with self._condition:
            if self._closed:
                return _failed(NotReady("This client is closed. Make a new one."))
            if (under_way := self._in_flight.get(call.key)) is not None:
                return under_way
            self._in_flight[call.key] = call.future
            self._pending.append(call)
            self._pending_cells += call.cells
            self._hurry = in_a_hurry and len(self._in_flight) == 1
            if self._gatherer is None:
                self._gatherer = threading.Thread(
                    target=self._gather, name="shopsheet-gather", daemon=True
                )
                self._gatherer.start()
            if len(self._pending) == 1 or self._pending_cells >= MAX_GATHERED_CELLS:
                self._condition.notify_all()
        return call.future

    def call(self, function: str, *args: object) -> Any:
        """The value of one call: a cell for a cell, rows of cells for a range.

        Raises: ShopsheetError if the call fails.
        """
        try:
            # The request ends by itself in time; this is the belt to those braces.
            longest_s = 2 * self.timeout_s + SECONDS_PER_CELL * MAX_CELLS
            return self._submit(function, args, in_a_hurry=True).result(longest_s)
        except TimeoutError as error:
            raise NotReady(f"No answer from {self.url} in {longest_s:g} s.") from error

    def call_many(self, calls: Sequence[tuple[str, Sequence[object]]]) -> list[Any]:
        """Value or ShopsheetError of each call, in order, from one request.

        Raises: NotReady or another ShopsheetError if the request as a whole fails.
        """
        return [answer.error or answer.value for answer in self.answers(calls)]

    def answers(self, calls: Sequence[tuple[str, Sequence[object]]]) -> list[Answer]:
        """As `call_many`, each value with the name and version of its model."""
        answers: list[Answer] = [Answer()] * len(calls)
        checked: list[tuple[int, _Call]] = []
        for position, (function, args) in enumerate(calls):
            try:
                checked.append((position, self._check(function, tuple(args))))
            except ShopsheetError as error:
                answers[position] = Answer(error=error)
        if checked:
            replies = self._post([call for _, call in checked])
            for (position, _), answer in zip(checked, replies, strict=True):
                answers[position] = answer
        return answers

    def get(self, path: str) -> dict[str, Any]:
        """The JSON object at `path`, such as /v1/functions, /v1/models or /health.

        Raises: NotReady if the server is not reachable or not ready, BadInput if it refuses.
        """
        reply = self._transport.send("GET", path, headers=self._headers(), retry=path != "/health")
        data = reply.json()
        if reply.status != 200:
            raise self._http_error(reply)
        if not isinstance(data, dict):
            raise NotReady(self._not_ours())
        return data

    def wait_until_ready(self, timeout_s: float = 120.0) -> dict[str, Any]:
        """The server's /health, as soon as it is green.

        Raises: NotReady saying what was missing when the time was over.
        """
        deadline = time.monotonic() + timeout_s
        while True:
            try:
                return self.get("/health")
            except NotReady:
                if time.monotonic() + 0.2 >= deadline:
                    raise
                time.sleep(0.2)

    def close(self) -> None:
        """Nothing; calls that still wait fail, connections and threads are gone."""
        with self._condition:
            self._closed = True
            pending, self._pending = self._pending, []
            senders = [*self._senders]
            self._condition.notify_all()
        error = NotReady("The client was closed before the call ran.")
        self._settle((call, _own(Answer(error=error))) for call in pending)
        self._transport.close()
        me = threading.current_thread()
        for thread in [self._gatherer, *senders]:
            if thread is not None and thread is not me:
                thread.join()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # From a call to the queue

    def _check(self, name: str, args: tuple[Any, ...]) -> _Call:
        """The call as it will be sent, checked as the server will check it."""
        function = catalogue.FUNCTIONS.get(name) or catalogue.get(name)
        single = args and function.args[0].kind.takes_range and not function.spills.reads_columns
        if single and all(map(_is_plain, args)):
            # The types belong to the keys, for True == 1 and 1 == 1.0.
            options = (function.name, args[1:], tuple(map(type, args[1:])))
            key: Hashable = (options, args[0], type(args[0]))
            # A column of single calls has the same options: check those once.
            if options not in self._single_shapes:
                if len(self._single_shapes) > 1000:
                    self._single_shapes.clear()
                self._single_shapes[options] = function.answer_shape(args)
            shape = self._single_shapes[options]
            if shape is not None and shape[0] == ANY:  # a table is no part of a column
                return _Call(function, args, shape, key, None, _running_future())
            return _Call(function, args, shape, key, options, _running_future())
        shape = function.answer_shape(args)
        written = _dumps(to_wire(args))
        return _Call(
            function, args, shape, (function.name, written), None, _running_future(), written
        )

    def _settle(self, answers: Iterable[tuple[_Call, Answer]]) -> None:
        answered = list(answers)
        with self._condition:
            for call, _ in answered:
                self._in_flight.pop(call.key, None)
        for call, answer in answered:
            if answer.error is not None:
                call.future.set_exception(answer.error)
            else:
                call.future.set_result(answer.value)

    # From the queue to requests

    def _gather(self) -> None:
        while True:
            with self._condition:
                while not self._pending and not self._closed:
                    self._condition.wait()
                if self._closed:
                    return
                self._wait_for_more()
            # While all slots are busy more calls gather; those that wait too long are told so.
            free = self._slots.acquire(timeout=self.timeout_s)
            with self._condition:
                calls, self._pending, self._pending_cells = self._pending, [], 0
                if free and not self._closed:
                    sender = threading.Thread(
                        target=self._run, args=(calls,), name="shopsheet-send", daemon=True
                    )
                    self._senders.add(sender)
                    sender.start()
                    continue
            if free:
                self._slots.release()
            error = NotReady(
                f"{MAX_REQUESTS} requests to {self.url} were still running after "
                f"{self.timeout_s:g} s. Try again when they are done."
            )
            self._settle((call, _own(Answer(error=error))) for call in calls)

    def _wait_for_more(self) -> None:
        """Nothing, after one window without a new call, when enough cells are here, or at once."""
        end = time.monotonic() + MAX_GATHER_WINDOWS * self._gather_s
        while not (self._closed or self._hurry) and self._pending_cells < MAX_GATHERED_CELLS:
            before = len(self._pending)
            left_s = min(self._gather_s, end - time.monotonic())
            if left_s <= 0:
                return
            self._condition.wait(left_s)
            if len(self._pending) == before:
                return

    def _run(self, calls: list[_Call]) -> None:
        try:
            groups = _group(calls)
            for group, answer in zip(groups, self._post_or_fail(groups), strict=True):
                self._settle(group.split(answer))
        except Exception as error:  # a bug of ours must not leave a caller waiting
            failure = ModelFailed(f"The client failed: {type(error).__name__}: {error}")
            waiting = [call for call in calls if not call.future.done()]
            self._settle((call, _own(Answer(error=failure))) for call in waiting)
            raise
        finally:
            self._slots.release()
            with self._condition:
                self._senders.discard(threading.current_thread())

    def _post_or_fail(self, groups: Sequence[_Group]) -> list[Answer]:
        try:
            return self._post([group.call for group in groups])
        except ShopsheetError as error:
            return [Answer(error=error)] * len(groups)

    # One request

    def _post(self, calls: Sequence[_Call]) -> list[Answer]:
        """The answer to each call, in order.

        Raises: ShopsheetError if the request as a whole failed.
        """
        written = (
            f'{{"id":"{number}","function":"{call.function.name}","args":'
            f"{call.written or _dumps(to_wire(call.args))}}}"
            for number, call in enumerate(calls, start=1)
        )
        body = _encode(f'{{"calls":[{",".join(written)}]}}')
        headers = {**self._headers(), "Content-Type": "application/json"}
        timeout_s = self.timeout_s + SECONDS_PER_CELL * sum(call.cells for call in calls)
        reply = self._transport.send("POST", "/v1/calls", body, headers, timeout_s=timeout_s)
        if reply.status != 200:
            raise self._http_error(reply)
        data = reply.json()
        results = data.get("results") if isinstance(data, dict) else None
        if not isinstance(results, list):
            raise NotReady(self._not_ours())
        if len(results) != len(calls):
            raise ModelFailed(
                f"The server gave {len(results)} results to {len(calls)} calls. Server and client "
                "may be of different versions: update and restart both."
            )
        return [
            _read_result(result, str(number), call)
            for number, (result, call) in enumerate(zip(results, calls, strict=True), start=1)
        ]

    def _headers(self) -> dict[str, str]:
        headers = {"Accept": "application/json", "User-Agent": "shopsheet-client"}
        if not self._use_store:
            headers["Cache-Control"] = "no-store"
        # The file is read each time: the server may have been started, or its token renewed,
        # after this client was made.
        token = self._token or _read_token(self._token_file)
        if token:
            headers["Authorization"] = f"Bearer {token}"
        return headers

    def _http_error(self, reply: Reply) -> ShopsheetError:
        """The error for a reply that is not 200, with the server's own text where it gave one."""
        data = reply.json()
        error = data.get("error") if isinstance(data, dict) else None
        code, text = None, error
        if isinstance(error, dict):
            code, text = error.get("code"), error.get("message")
        if not isinstance(text, str):
            text = ""
        if reply.status == 401:
            return self._wrong_token(text)
        if reply.status == 503:
            text = text or f"The server at {self.url} is loading or busy. Try again in a moment."
            return NotReady(text, reply.retry_after_s)
        if text and isinstance(code, str):
            return error_from_code(code, text)
        if text:
            return ModelFailed(text) if reply.status >= 500 else BadInput(text)
        return NotReady(f"{self._not_ours()} (HTTP status {reply.status})")

    def _wrong_token(self, text: str) -> ShopsheetError:
        if self._token:
            sent = "The token of SHOPSHEET_TOKEN was sent"
        elif _read_token(self._token_file):
            sent = f"The token of {self._token_file} was sent"
        elif self._token_file:
            sent = f"None was sent, for there is none in {self._token_file}"
        else:
            sent = "None was sent"
        said = f" and says: {text}" if text else "."
        error = BadInput(
            f"The server at {self.url} wants its token{said} {sent}. Set SHOPSHEET_TOKEN to the "
            "server's token; on one machine leave it unset: both then use the same file."
        )
        error.cell_error = "#N/A"  # the cell's arguments are not to blame
        return error

    def _not_ours(self) -> str:
        return (
            f"What answers at {self.url} is not a Shopsheet server of this version. "
            "Check SHOPSHEET_URL, or stop the other program and run: shopsheet serve"
        )


@dataclass
class _Group:
    """Calls that travel as one: single cells with the same options become one column."""

    call: _Call
    members: list[_Call]

    def split(self, answer: Answer) -> Iterable[tuple[_Call, Answer]]:
        """Each member with its part of the answer."""
        if self.members == [self.call] or answer.error is not None:
            for member in self.members:
                yield member, _own(answer)
            return
        for member, row in zip(self.members, answer.value, strict=True):
            if member.shape is not None:
                yield member, Answer([row], model=answer.model)
            elif isinstance(row[0], CellError):
                yield member, Answer(error=row[0].to_exception(), model=answer.model)
            else:
                yield member, Answer(row[0], model=answer.model)


def _group(calls: Sequence[_Call]) -> list[_Group]:
    """The calls, those on one cell with equal function and options joined into columns."""
    singles: dict[Hashable, list[_Call]] = {}
    groups: list[_Group] = []
    for call in calls:
        if call.options is None:
            groups.append(_Group(call, [call]))
        else:
            singles.setdefault(call.options, []).append(call)
    for members in singles.values():
        first = members[0]
        if len(members) == 1:
            groups.append(_Group(first, members))
            continue
        column = [[member.args[0]] for member in members]
        width = first.shape[1] if first.shape else 1
        args = (column, *first.args[1:])
        joined = _Call(first.function, args, (len(column), width), None, None, first.future)
        groups.append(_Group(joined, members))
    return groups


def _own(answer: Answer) -> Answer:
    """The answer with an exception of its own: threads that raise the same one would mix up."""
    if answer.error is None:
        return answer
    return Answer(error=copy.copy(answer.error), model=answer.model)


def _read_result(result: object, number: str, call: _Call) -> Answer:
    """The answer in one element of "results", its shape checked."""
    if not isinstance(result, dict) or str(result.get("id")) != number:
        raise ModelFailed(f"The server's result {number} is {short(result)}, not that of the call.")
    model = result.get("model")
    model = model if isinstance(model, str) else None
    try:
        if "error" in result:
            return Answer(error=CellError.from_json(result).to_exception(), model=model)
        value = from_wire(result.get("value"))
    except BadInput as error:
        return Answer(error=ModelFailed(f"The server's answer is broken: {error}"), model=model)
    found = _shape(value)
    if not _fits(found, call.shape):
        return Answer(
            error=ModelFailed(
                f"The server answered {call.function.dotted} with {_shape_text(found)}; expected "
                f"{_shape_text(call.shape)}. Server and client may be of different versions."
            ),
            model=model,
        )
    if isinstance(value, CellError):
        return Answer(error=value.to_exception(), model=model)
    return Answer(value, model=model)


def _shape(value: Any) -> tuple[int, int] | str | None:
    """Rows and columns of a grid, None for a cell, "ragged" for what is neither."""
    if not isinstance(value, list):
        return None
    widths = {len(row) if isinstance(row, list) else -1 for row in value}
    nested = any(isinstance(cell, list) for row in value if isinstance(row, list) for cell in row)
    if len(widths) != 1 or nested or -1 in widths:
        return "ragged"
    return len(value), widths.pop()


def _fits(found: tuple[int, int] | str | None, expected: tuple[int, int] | None) -> bool:
    if expected is not None and expected[0] == ANY and isinstance(found, tuple):
        return found[1] == expected[1]
    return found == expected


def _shape_text(shape: tuple[int, int] | str | None) -> str:
    if shape is None:
        return "one value"
    if isinstance(shape, tuple) and shape[0] == ANY:
        return f"a table of {shape[1]} columns"
    return f"{shape[0]} by {shape[1]} cells" if isinstance(shape, tuple) else "no proper grid"


def _is_plain(value: object) -> bool:
    """Whether this is one cell that can be part of a key."""
    return value is None or isinstance(value, (str, float, int, CellError))


def _running_future() -> Future[Any]:
    """A future that cannot be cancelled: others may wait for the same one."""
    future: Future[Any] = Future()
    future.set_running_or_notify_cancel()
    return future


def _failed(error: ShopsheetError) -> Future[Any]:
    future = _running_future()
    future.set_exception(error)
    return future


def _read_token(path: Path | None) -> str | None:
    try:
        return path.read_text(encoding="utf-8").strip() or None if path else None
    except (OSError, UnicodeDecodeError):
        return None  # the server will say that it wants a token


def _dumps(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _encode(text: str) -> bytes:
    """JSON as bytes; half an emoji, cut by LEFT(), travels as the escape that JSON has for it."""
    return text.encode("utf-8", "backslashreplace")
