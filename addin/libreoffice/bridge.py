"""From Calc's cell values to calls of the Shopsheet server and back; knows no UNO.

Runs inside LibreOffice, whose own Python may be as old as 3.8: standard library only. Calc calls
an add-in in its main thread and waits, so nothing here may take long without need: a server that
does not answer is not asked again for a few seconds, and answers are remembered.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
import struct
import sys
import threading
import time
from collections import OrderedDict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from udfs.errors import BadInput, NotReady, ShopsheetError, Undecided
from udfs.transport import Reply, Transport, is_loopback, split_url

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    CalcCell = str | float
    CalcRows = tuple[tuple[CalcCell, ...], ...]
    Clock = Callable[[], float]
    Neighbours = Callable[[], Iterable[tuple[str, list[Any]]]]

DEFAULT_URL = "http://127.0.0.1:8421"
DOWN_S = 5.0  # a server that failed is left alone for so long: 2,000 cells wait for it once
CONNECT_S = 2.0
CALL_S, CELL_S, MAX_CALL_S = 10.0, 0.05, 300.0  # patience: so much, and more for each cell
MODEL_CHECK_S = 60.0  # a remembered answer needs a sign of life of its model that is newer
MEMO_BYTES = 32 * 1024 * 1024
# After so many single cells in a row that had to travel, the next ones are looked for and asked for
# together; when that was of no use, later and later.
LOOK_AHEAD_AFTER, LOOK_AHEAD_AT_MOST_AFTER = 3, 3000
LOOK_AHEAD_S = 5.0  # cells in a row come closer together than this
LOOK_AHEAD_CALLS = 2000
LOG_BYTES = 256 * 1024
LOG_REPEAT_S = 60.0

# Calc keeps an error among numbers as a NaN whose low bits are its error code.
# Source: CreateDoubleError in LibreOffice's formula/errorcodes.hxx.
_CALC_ERRORS = {
    "#NULL!": 521,
    "#DIV/0!": 532,
    "#VALUE!": 519,
    "#REF!": 524,
    "#NAME?": 525,
    "#NUM!": 503,
    "#N/A": 32767,
}
_ERROR_CODES = {number: code for code, number in _CALC_ERRORS.items()}
_NAN_BITS = 0x7FF8_0000_0000_0000
NOT_AVAILABLE = struct.pack("<Q", _NAN_BITS | _CALC_ERRORS["#N/A"])


def error_cell(code: str) -> float:
    """What Calc shows as the error `code`, such as #N/A."""
    bits = _NAN_BITS | _CALC_ERRORS.get(code, _CALC_ERRORS["#VALUE!"])
    value: float = struct.unpack("<d", struct.pack("<Q", bits))[0]
    return value


def error_code(value: float) -> str:
    """The error code that Calc passed as a NaN."""
    (bits,) = struct.unpack("<Q", struct.pack("<d", value))
    return _ERROR_CODES.get(bits & 0xFFFF_FFFF, "#NUM!")


def rows_key(value: CalcCell | CalcRows) -> tuple[str | bytes, ...]:
    """Equal for equal cells in equal rows, errors included: as numbers these equal nothing."""
    if not isinstance(value, tuple):
        return (value if isinstance(value, str) else struct.pack("<d", value),)
    cells = (cell for row in value for cell in (*row, "\n"))
    return tuple(cell if isinstance(cell, str) else struct.pack("<d", cell) for cell in cells)


def cell_type(rows: CalcRows) -> str:
    """The narrowest UNO type of the cells: string, double or any."""
    texts = {isinstance(cell, str) for row in rows for cell in row}
    return "any" if len(texts) > 1 else "string" if True in texts else "double"


def to_wire(value: Any, zero_is_empty: bool) -> Any:
    """An argument as the server reads it; a range of one cell counts as that cell.

    Calc passes an empty cell that is referred to alone as the number 0, an empty cell of a range
    as an empty text. Where a text is expected `zero_is_empty` reads that 0 as an empty cell.
    """
    if isinstance(value, (tuple, list)):
        if len(value) == 1 and len(value[0]) == 1:
            return to_wire(value[0][0], zero_is_empty)
        return [[_wire_cell(cell) for cell in row] for row in value]
    if zero_is_empty and value == 0 and not isinstance(value, bool):
        return None
    return _wire_cell(value)


def _wire_cell(cell: Any) -> Any:
    if isinstance(cell, float) and not math.isfinite(cell):
        code = error_code(cell) if math.isnan(cell) else "#NUM!"
        return {"error": {"code": code, "message": ""}}
    return None if cell == "" else cell


def to_calc(value: Any) -> CalcCell | CalcRows:
    """The server's value as Calc takes it: a text or a float, or rows of them.

    Calc takes neither whole numbers nor truth values from an add-in.
    """
    if isinstance(value, (list, tuple)):
        return tuple(tuple(_calc_cell(cell) for cell in row) for row in value)
    return _calc_cell(value)


def _calc_cell(cell: Any) -> CalcCell:
    if cell is None:
        return ""
    if isinstance(cell, dict):
        error = cell.get("error")
        code = error.get("code") if isinstance(error, dict) else None
        return error_cell(code if isinstance(code, str) else "#VALUE!")
    return cell if isinstance(cell, str) else float(cell)


def shopsheet_home(settings: Mapping[str, str | None]) -> Path:
    """The folder with the token, found as `udfs.client.shopsheet_home` finds it.

    Without SHOPSHEET_HOME it is the one that the installation wrote into the settings: a packaged
    LibreOffice (Flatpak, Snap) has a data folder of its own, where no token is.
    """
    if home := os.environ.get("SHOPSHEET_HOME") or settings.get("home"):
        return Path(home).expanduser()
    if sys.platform == "win32":
        local = os.environ.get("LOCALAPPDATA")
        base = Path(local) if local else Path.home() / "AppData" / "Local"
    elif sys.platform == "darwin":
        base = Path.home() / "Library" / "Application Support"
    else:
        base = Path(os.environ.get("XDG_DATA_HOME") or "")
        if not base.is_absolute():
            base = Path.home() / ".local" / "share"
    return base / "shopsheet"


class Memo:
    """Answers by the content of their call, per function, least recently used ones dropped.

    They hold while the model stays the same. Nobody tells us when it changes, so an answer is
    only given if the model was heard of in the last MODEL_CHECK_S seconds; otherwise the next
    call travels and brings the news.
    """

    def __init__(self, max_bytes: int = MEMO_BYTES, clock: Clock = time.monotonic) -> None:
        self._max_bytes = max_bytes
        self._bytes = 0
        self._clock = clock
        self._models: dict[str, tuple[str, float]] = {}
        self._entries: OrderedDict[tuple[str, bytes], tuple[Any, int]] = OrderedDict()

    def get(self, function: str, key: bytes) -> Any:
        """The remembered answer, or None."""
        _, heard = self._models.get(function, ("", -math.inf))
        entry = self._entries.get((function, key))
        if entry is None or self._clock() - heard > MODEL_CHECK_S:
            return None
        self._entries.move_to_end((function, key))
        return entry[0]

    def heard(self, function: str, model: str) -> None:
        """Nothing; a call of `function` was answered by `model`, so other models' answers go."""
        if function in self._models and self._models[function][0] != model:
            for entry in [entry for entry in self._entries if entry[0] == function]:
                self._bytes -= self._entries.pop(entry)[1]
        self._models[function] = (model, self._clock())

    def put(self, function: str, key: bytes, answer: Any, size: int) -> None:
        """Nothing; `answer`, of about `size` bytes, is remembered if it is not too large."""
        size += 200  # what an entry takes besides
        if size > self._max_bytes // 4:
            return
        old = self._entries.pop((function, key), None)
        self._bytes += size - (old[1] if old else 0)
        self._entries[(function, key)] = (answer, size)
        while self._bytes > self._max_bytes:
            self._bytes -= self._entries.popitem(last=False)[1][1]


class Bridge:
    """Calls of worksheet functions from Calc, answered by one server.

    `functions` says for each function which of its arguments read a 0 as an empty cell;
    `settings` may hold "url" and "home", which the environment overrides.
    """

    def __init__(
        self,
        functions: Mapping[str, Sequence[bool]],
        settings: Mapping[str, str | None],
        clock: Clock = time.monotonic,
    ) -> None:
        self._functions = functions
        self._home = shopsheet_home(settings)
        self._url = os.environ.get("SHOPSHEET_URL") or settings.get("url") or DEFAULT_URL
        self._clock = clock
        self._lock = threading.Lock()
        self._memo = Memo(clock=clock)
        self._transport: Transport | None = None
        self._down: tuple[float, ShopsheetError] = (-math.inf, NotReady(""))
        self._logged: dict[str, float] = {}
        self._travelled = 0  # single cells in a row that were not in memory
        self._travelled_at = -math.inf
        self._look_ahead_after = LOOK_AHEAD_AFTER
        self._asked_ahead: set[bytes] = set()
        self._ahead_was_used = True

    def call(
        self, function: str, args: Sequence[Any], neighbours: Neighbours | None = None
    ) -> CalcCell | CalcRows:
        """The value of one call as Calc takes it; a call that fails is the error of one cell.

        `neighbours` finds calls that may come next. It is asked when a column is being filled.
        """
        try:
            wire = self.wire_args(function, args)
            with self._lock:
                return self._answer(function, wire, neighbours)
        except ShopsheetError as error:
            self._log(f"{function}: {error.message}")
            return error_cell(error.cell_error)
        except Exception as error:  # a bug of ours: Calc would only say that something failed
            self._log(f"{function}: {type(error).__name__}: {error}")
            return error_cell("#VALUE!")

    def close(self) -> None:
        """Nothing; no connection is open."""
        with self._lock:
            if self._transport is not None:
                self._transport.close()
                self._transport = None

    def wire_args(self, function: str, args: Sequence[Any]) -> list[Any]:
        """The arguments of a call on the wire, without those left out at the end."""
        empty_zeros = self._functions[function]
        wire = [to_wire(arg, empty_zeros[position]) for position, arg in enumerate(args)]
        while len(wire) > 1 and wire[-1] is None:
            wire.pop()
        return wire

    def _answer(
        self, function: str, args: Sequence[Any], neighbours: Neighbours | None
    ) -> CalcCell | CalcRows:
        key = _key(function, args)
        remembered = self._memo.get(function, key)
        if remembered is not None:
            self._ahead_was_used = self._ahead_was_used or key in self._asked_ahead
            return remembered  # type: ignore[no-any-return]
        until, error = self._down
        if self._clock() < until:
            raise error
        calls = {key: (function, args)}
        if neighbours is not None and not isinstance(args[0], list):
            calls.update(self._look_ahead(key, neighbours))
        try:
            results = self._post(calls)
        except BadInput:
            if len(calls) == 1:
                raise
            results = self._post({key: (function, args)})  # what was guessed may be to blame
        for this, result in results.items():
            self._remember(calls[this][0], this, result)
        if "error" in results[key]:
            raise _failure(results[key]["error"])
        return to_calc(results[key].get("value"))

    def _remember(self, function: str, key: bytes, result: Mapping[str, Any]) -> None:
        model = result.get("model")
        if isinstance(model, str) and "error" not in result:
            self._memo.heard(function, model)
            answer = to_calc(result.get("value"))
            cells = rows_key(answer)
            # #N/A may be over in a moment: the next time the server is asked again.
            if NOT_AVAILABLE not in cells:
                size = sum(len(cell) for cell in cells) + 60 * len(cells)
                self._memo.put(function, key, answer, size)

    def _look_ahead(
        self, key: bytes, neighbours: Neighbours
    ) -> dict[bytes, tuple[str, Sequence[Any]]]:
        """Calls that are likely to come after this one and are not in memory, by their keys."""
        now = self._clock()
        self._travelled = 1 + (self._travelled if now - self._travelled_at < LOOK_AHEAD_S else 0)
        self._travelled_at = now
        if self._travelled < self._look_ahead_after:
            return {}
        self._travelled = 0
        if self._ahead_was_used:
            self._look_ahead_after = LOOK_AHEAD_AFTER
        else:
            self._look_ahead_after = min(2 * self._look_ahead_after, LOOK_AHEAD_AT_MOST_AFTER)
        found: dict[bytes, tuple[str, Sequence[Any]]] = {}
        try:
            for function, args in neighbours():
                if function in self._functions:
                    wire = self.wire_args(function, args)
                    found[_key(function, wire)] = (function, wire)
        except Exception as error:  # a guess that fails must not fail the cell
            self._log(f"looking ahead: {type(error).__name__}: {error}")
        keys = list(found)
        here = keys.index(key) if key in found else 0
        wanted = [
            other
            for other in keys[here:] + keys[:here]
            if other != key and self._memo.get(found[other][0], other) is None
        ]
        self._asked_ahead = set(wanted[:LOOK_AHEAD_CALLS])
        self._ahead_was_used = False
        return {other: found[other] for other in wanted[:LOOK_AHEAD_CALLS]}

    def _post(
        self, calls: Mapping[bytes, tuple[str, Sequence[Any]]]
    ) -> dict[bytes, Mapping[str, Any]]:
        """The result of each call, from one request.

        Raises: NotReady or another ShopsheetError; the server is then left alone for a while.
        """
        wire = [
            {"id": str(number), "function": function, "args": args}
            for number, (function, args) in enumerate(calls.values())
        ]
        cells = sum(_count_cells(args[0]) for _, args in calls.values())
        try:
            if self._transport is None:
                self._transport = Transport(self._url, CALL_S, CONNECT_S)
            self._transport.timeout_s = min(MAX_CALL_S, CALL_S + CELL_S * cells)
            body = _dumps({"calls": wire})
            reply = self._transport.send("POST", "/v1/calls", body, self._headers())
            results = _results(reply, len(wire))
        except NotReady as error:
            pause_s = min(DOWN_S, error.retry_after_s or DOWN_S)
            self._down = (self._clock() + pause_s, error)
            raise
        self._down = (-math.inf, NotReady(""))
        return dict(zip(calls, results))  # noqa: B905 - Python 3.8

    def _headers(self) -> dict[str, str]:
        headers = {"Content-Type": "application/json"}
        token = os.environ.get("SHOPSHEET_TOKEN")
        if not token and is_loopback(split_url(self._url)):  # never sent to another machine
            try:
                token = (self._home / "token").read_text(encoding="utf-8").strip()
            except (OSError, UnicodeDecodeError):
                token = None
        if token:
            headers["Authorization"] = f"Bearer {token}"
        return headers

    def _log(self, message: str) -> None:
        """Nothing; Calc cannot show why a cell failed, so the reason goes to a file.

        The file holds no more than LOG_BYTES twice, and the same reason once a minute.
        """
        now = self._clock()
        if now - self._logged.get(message, -math.inf) < LOG_REPEAT_S:
            return
        if len(self._logged) > 1000:
            self._logged.clear()
        self._logged[message] = now
        path = log_path(self._home)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            if path.exists() and path.stat().st_size > LOG_BYTES:
                path.replace(path.with_suffix(".old.log"))
            with path.open("a", encoding="utf-8") as log:
                log.write(f"{time.strftime('%Y-%m-%d %H:%M:%S')} {message}\n")
        except OSError:  # a log that cannot be written must not spoil the cell
            pass


def log_path(home: Path) -> Path:
    """The file with the reasons why cells failed in Calc."""
    return home / "logs" / "libreoffice.log"


def _dumps(data: object) -> bytes:
    return json.dumps(data, separators=(",", ":")).encode("ascii")


def _key(function: str, args: Sequence[Any]) -> bytes:
    return hashlib.sha256(_dumps([function, args])).digest()


def _count_cells(data: Any) -> int:
    return sum(len(row) for row in data) if isinstance(data, list) else 1


def _results(reply: Reply, count: int) -> list[Mapping[str, Any]]:
    """The results in a reply. Raises: ShopsheetError if the request as a whole failed."""
    data = reply.json()
    if reply.status != 200:
        error = data.get("error") if isinstance(data, dict) else None
        message = error.get("message") if isinstance(error, dict) else None
        text = message if isinstance(message, str) else f"The server answered {reply.status}."
        if reply.status in (400, 413, 422):
            raise BadInput(text)
        raise NotReady(text, reply.retry_after_s)
    results = data.get("results") if isinstance(data, dict) else None
    if (
        not isinstance(results, list)
        or len(results) != count
        or not all(isinstance(one, dict) and {"value", "error"} & set(one) for one in results)
    ):
        raise NotReady("What answers there is no Shopsheet server. Check SHOPSHEET_URL.")
    return results


def _failure(error: Any) -> ShopsheetError:
    """The exception for the error of a call; #N/A and #VALUE! are told apart by their code."""
    fields = error if isinstance(error, dict) else {}
    failure = Undecided(str(fields.get("message", "")))
    code = fields.get("code")
    failure.cell_error = code if code in _CALC_ERRORS else "#VALUE!"
    return failure
