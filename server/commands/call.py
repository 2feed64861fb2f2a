"""`shopsheet call`: one function call from the command line."""

from __future__ import annotations

import argparse
import json
from typing import Any

HELP = 'Call one function: shopsheet call SENTIMENT "great value"'


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("function", metavar="NAME", help="function, such as SENTIMENT")
    parser.add_argument(
        "args",
        metavar="ARG",
        nargs="*",
        help='text, number, or JSON array: ["a","b"] is a column, [["a","b"]] a row; "" leaves '
        "an argument out",
    )
    parser.add_argument("--json", action="store_true", help="print the whole result as JSON")
    parser.add_argument(
        "--no-store", action="store_true", help="compute anew: neither read nor keep results"
    )


def run(args: argparse.Namespace) -> int:
    """0 if the call has a value, 1 if it has none."""
    from udfs.errors import CellError
    from udfs.kinds import to_wire

    raw_args = [read_argument(text) for text in args.args]
    value, error, model = _answer(args.function, raw_args, use_store=not args.no_store)
    if error is None and isinstance(value, CellError):
        error = value.to_exception()
    if args.json:
        result = error.to_json() if error is not None else {"value": to_wire(value)}
        print(json.dumps({**result, "model": model}, ensure_ascii=False))
    elif error is not None:
        raise error
    else:
        print(show(value))
    return 0 if error is None else 1


def read_argument(text: str) -> Any:
    """What a sheet would pass: None for "", a number, rows of cells for a JSON array, or text."""
    if not text:
        return None
    if text.lstrip().startswith("["):
        try:
            value = json.loads(text)
        except (ValueError, RecursionError):
            return text  # a text that begins with a bracket
        if value and not any(isinstance(row, list) for row in value):
            return [[cell] for cell in value]
        return value
    try:
        return json.loads(text) if text.strip()[-1].isdigit() else text
    except ValueError:
        return text


def show(value: Any) -> str:
    """The value as lines of tab-separated cells; a failed cell shows its error code."""
    from udfs.errors import CellError

    def cell(content: Any) -> str:
        if isinstance(content, CellError):
            return content.code
        return "" if content is None else str(content)

    if isinstance(value, list):
        return "\n".join("\t".join(cell(content) for content in row) for row in value)
    return cell(value)


def _answer(function: str, raw_args: list[Any], use_store: bool) -> tuple[Any, Any, str | None]:
    """Value, error and model, from the running server or, without one, computed here."""
    from server.local import open_caller
    from server.settings import Settings
    from udfs import catalogue

    catalogue.get(function).bind(raw_args)  # a wrong call need not wait for a model
    with open_caller(Settings.from_environment(), use_store=use_store) as caller:
        answer = caller.answers([(function, raw_args)])[0]
    return answer.value, answer.error, answer.model
