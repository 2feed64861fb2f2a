"""Our errors: each knows the cell error a sheet shows and the HTTP status the server sends."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

# The error values that a worksheet cell can hold and that may travel through us.
CELL_ERRORS = ("#VALUE!", "#NUM!", "#N/A", "#DIV/0!", "#REF!", "#NAME?", "#NULL!")


class ShopsheetError(Exception):
    """Base of all our errors; `message` says what was found, what was expected and what to do."""

    cell_error: str = "#N/A"
    http_status: ClassVar[int] = 500

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message

    def to_json(self) -> dict[str, Any]:
        """`{"error": {"code": ..., "message": ...}}`, as a failed call is written on the wire."""
        return {"error": {"code": self.cell_error, "message": self.message}}

    def to_cell(self) -> CellError:
        """The same failure as a cell of a grid."""
        return CellError(self.cell_error, self.message)


class BadInput(ShopsheetError):
    """An argument has the wrong kind, shape or spelling."""

    cell_error = "#VALUE!"
    http_status = 400


class OutOfRange(ShopsheetError):
    """A number lies outside what can be used."""

    cell_error = "#NUM!"
    http_status = 422


class NotReady(ShopsheetError):
    """The service is loading, busy or unreachable: the same call may work later."""

    cell_error = "#N/A"
    http_status = 503

    def __init__(self, message: str, retry_after_s: float | None = None) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class ModelFailed(ShopsheetError):
    """The model or the server broke while it worked on a valid input."""

    cell_error = "#N/A"
    http_status = 500


class Undecided(ShopsheetError):
    """The input is valid and honestly has no answer, e.g. below min_confidence."""

    cell_error = "#N/A"
    http_status = 200


@dataclass(frozen=True)
class CellError:
    """The failed cell of a grid, beside cells that succeeded."""

    code: str
    message: str = ""

    def to_json(self) -> dict[str, Any]:
        """`{"error": {"code": ..., "message": ...}}`, in the place of the cell's value."""
        return {"error": {"code": self.code, "message": self.message}}

    @classmethod
    def from_json(cls, data: object) -> CellError:
        """The failed cell that `to_json` wrote.

        Raises: BadInput if `data` is not of that form or the code is no worksheet error.
        """
        error = data.get("error") if isinstance(data, Mapping) else None
        if not isinstance(error, Mapping):
            raise BadInput(
                f"Found {short(data)} where a cell was expected: a text, a number, true, false, "
                'null or {"error": {"code": "#N/A", "message": "..."}}.'
            )
        code, message = error.get("code"), error.get("message", "")
        if not isinstance(code, str) or code not in CELL_ERRORS or not isinstance(message, str):
            raise BadInput(
                f"Found the cell error {short(error)}; expected a text as message and one of "
                f"{', '.join(CELL_ERRORS)} as code."
            )
        return cls(code, message)

    def to_exception(self) -> ShopsheetError:
        """The same failure as an exception that can be raised."""
        return error_from_code(self.code, self.message)


def error_from_code(code: str, message: str) -> ShopsheetError:
    """The exception for a cell error that came over the wire; its `cell_error` is `code`.

    #N/A becomes Undecided: over the wire nothing tells why there is no answer but the message.
    """
    known: dict[str, type[ShopsheetError]] = {
        "#VALUE!": BadInput,
        "#NUM!": OutOfRange,
        "#N/A": Undecided,
    }
    error = known.get(code, BadInput)(message)
    error.cell_error = code if code in CELL_ERRORS else "#VALUE!"
    return error


def short(value: object, limit: int = 60) -> str:
    """`value` as a message may quote it: its repr, cut to about `limit` characters."""
    text = repr(value)
    return text if len(text) <= limit else text[: limit - 1] + "…"
