"""Generates the derived files of the Office.js add-in: manifest, metadata, icons, console page."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from addin.chinese import chinese
from addin.icons import SIZES, icon
from addin.office_manifest import ORIGIN, manifest
from udfs.catalogue import FUNCTIONS
from udfs.function import NAMESPACE, Arg, Function

FOLDER = Path("addin/office_js")

Translate = Callable[[str], str]


def generated_files() -> dict[Path, str | bytes]:
    """Content of every generated file of the add-in, by its path from the repository root."""
    files: dict[Path, str | bytes] = {
        FOLDER / "manifest.xml": manifest(),
        FOLDER / "functions.json": _json(metadata(_english)),
        FOLDER / "functions.zh.json": _json(metadata(chinese)),
        FOLDER / "functions_meta.js": _meta_script(),
        FOLDER / "console.html": _console_page(),
    }
    files |= {FOLDER / f"icon-{size}.png": icon(size) for size in SIZES}
    return files


def metadata(translate: Translate) -> dict[str, Any]:
    """Custom functions metadata as Excel reads it, with help passed through `translate`.

    Ids, names and the values of choices are the same in every language: saved workbooks hold them.
    Source: "Manually create JSON metadata for custom functions", Microsoft Learn.
    """
    return {
        "allowCustomDataForDataTypeAny": False,
        "allowErrorForDataTypeAny": True,  # an error cell in a range spoils only itself
        "functions": [_function(function, translate) for function in FUNCTIONS.values()],
        "enums": [
            {
                "id": enum_id(function, arg),
                "type": "string",
                "values": [{"name": c, "stringValue": c} for c in arg.kind.choices],
            }
            for function in FUNCTIONS.values()
            for arg in function.args
            if arg.kind.choices
        ],
    }


def enum_id(function: Function, arg: Arg) -> str:
    """Name of the drop-down list of an argument: SENTIMENT_OUTPUT."""
    return f"{function.name}_{arg.name.upper()}"


def _function(function: Function, translate: Translate) -> dict[str, Any]:
    return {
        "id": function.name,
        "name": function.name,
        "description": f"{translate(function.summary)} {translate(function.returns)}",
        "helpUrl": f"{ORIGIN}/addin/console.html#{function.name}",
        "result": {"type": "any", "dimensionality": "matrix"},
        "parameters": [_parameter(function, arg, translate) for arg in function.args],
        "options": {"cancelable": True},
    }


def _parameter(function: Function, arg: Arg, translate: Translate) -> dict[str, Any]:
    parameter: dict[str, Any] = {
        "name": arg.name,
        "description": translate(arg.help),
        "type": arg.kind.office_type,
        "dimensionality": arg.kind.dimensionality,
    }
    if not arg.required:
        parameter["optional"] = True
    if arg.kind.choices:
        parameter["customEnumId"] = enum_id(function, arg)
    return parameter


def _meta_script() -> str:
    """The catalogue for functions.js and the task pane, which also work without the server."""
    functions = [
        {
            "name": function.name,
            "formula": function.dotted,
            "signature": function.signature(),
            "summary": _both(function.summary),
            "returns": _both(function.returns),
            "args": [
                {
                    "name": arg.name,
                    "help": _both(arg.help),
                    "required": arg.required,
                    "range": arg.kind.takes_range,
                    "choices": list(arg.kind.choices),
                    "type": arg.kind.office_type,
                }
                for arg in function.args
            ],
            "example": {
                "formula": function.example_formula(),
                "args": list(function.example.args),
                "answer": function.example.answer,
            },
        }
        for function in FUNCTIONS.values()
    ]
    content = {"namespace": NAMESPACE, "functions": functions}
    return (
        "// Written by `python -m addin.build` from udfs/catalogue.py. Change it there.\n"
        f"globalThis.SHOPSHEET_CATALOGUE = {_json(content).rstrip()};\n"
    )


def _both(english: str) -> dict[str, str]:
    return {"en": english, "zh": chinese(english)}


def _console_page() -> str:
    """The task pane for a plain browser: without office.js, and allowed to talk to us only."""
    page = (Path(__file__).parent / "office_js" / "taskpane.html").read_text(encoding="utf-8")
    policy = (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
        "connect-src 'self'; base-uri 'none'; form-action 'none'"
    )
    for pattern, replacement in (
        (
            r"<!-- Excel only:.*?<!-- end of Excel only -->",
            f'<meta http-equiv="Content-Security-Policy" content="{policy}">',
        ),
        (r'data-host="excel"', 'data-host="browser"'),
        (
            r"<!DOCTYPE html>\n",
            "<!DOCTYPE html>\n<!-- Written by `python -m addin.build` from taskpane.html. -->\n",
        ),
    ):
        page, count = re.subn(pattern, replacement, page, flags=re.DOTALL)
        if count != 1:
            raise ValueError(f"taskpane.html has {count} places like {pattern!r}; expected 1.")
    return page


def _english(text: str) -> str:
    return text


def _json(content: object) -> str:
    return json.dumps(content, ensure_ascii=False, indent=2) + "\n"
