"""The HTTP contract as OpenAPI 3.1, and a page for people; both written from the catalogue."""

from __future__ import annotations

import html
import json
from collections.abc import Iterable
from typing import Any

from server.jobs import JobKind
from server.settings import Settings
from udfs.client import SECONDS_PER_CELL
from udfs.function import NAMESPACE, Function

API_VERSION = "1"

_ERROR = {"$ref": "#/components/schemas/Error"}
_JSON = "application/json"


def build_openapi(
    functions: Iterable[Function], settings: Settings, job_kinds: Iterable[JobKind] = ()
) -> dict[str, Any]:
    """The contract as a JSON object."""
    functions, job_kinds = list(functions), list(job_kinds)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Shopsheet",
            "version": API_VERSION,
            "summary": "E-commerce marketing analysis for spreadsheets, on your own machine.",
            "description": (
                "Calls of worksheet functions over HTTP. Arguments are what a sheet passes: a "
                "cell, a range as an array of rows, or null for one that is left out. "
                f"At most {settings.max_cells:,} cells and {settings.max_body_bytes:,} bytes per "
                f"request; a request is given up after {settings.call_timeout_s:g} seconds "
                f"and {SECONDS_PER_CELL:g} for each of its cells."
            ),
        },
        "servers": [{"url": "/"}],
        "security": [{"token": []}],
        "paths": {**_paths(functions), **_job_paths()},
        "components": {
            "securitySchemes": {
                "token": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "The content of the token file, or of SHOPSHEET_TOKEN.",
                }
            },
            "responses": _responses(),
            "schemas": {**_schemas(functions), **_job_schemas(job_kinds)},
        },
    }


def _paths(functions: list[Function]) -> dict[str, Any]:
    example = {
        "calls": [
            {"id": str(number), "function": f.name, "args": list(f.example.args)}
            for number, f in enumerate(functions, start=1)
        ]
    }
    answer = {
        "results": [
            {"id": str(number), "value": f.example.answer, "model": "encoder@2026.11-ab12cd34"}
            for number, f in enumerate(functions, start=1)
        ]
    }
    no_token: list[dict[str, list[str]]] = []
    return {
        "/v1/calls": {
            "post": {
                "operationId": "calls",
                "summary": "Call functions.",
                "description": "One result per call, in order. A call that fails, or a cell, does "
                "not touch the others: the status is 200 all the same.",
                "parameters": [
                    {
                        "name": "Cache-Control",
                        "in": "header",
                        "schema": {"type": "string"},
                        "description": "no-store: neither read nor write the result store.",
                    }
                ],
                "requestBody": {
                    "required": True,
                    "content": {
                        _JSON: {
                            "schema": {"$ref": "#/components/schemas/Calls"},
                            "example": example,
                        }
                    },
                },
                "responses": {
                    "200": {
                        "description": "The results.",
                        "content": {
                            _JSON: {
                                "schema": {"$ref": "#/components/schemas/Results"},
                                "example": answer,
                            }
                        },
                    },
                    **_refusals("400", "401", "403", "413", "503"),
                },
            }
        },
        "/v1/functions": {"get": _read("functions", "The functions: arguments, help, example.")},
        "/v1/models": {
            "get": _read(
                "models",
                "The loaded models: version, card, scores; and the knowledge file in use, with "
                "what it adds to the name of the model per function.",
            )
        },
        "/health": {
            "get": {
                **_read(
                    "health",
                    "Whether every model answers, and whether the knowledge file can be read; "
                    "asks each model a tiny question.",
                ),
                "security": no_token,
            }
        },
        "/metrics": {
            "get": {
                "operationId": "metrics",
                "summary": "Counts and timings for Prometheus.",
                "responses": {
                    "200": {
                        "description": "Prometheus text format.",
                        "content": {"text/plain": {"schema": {"type": "string"}}},
                    },
                    **_refusals("401", "403"),
                },
            }
        },
        "/openapi.json": {"get": {**_read("openapi", "This contract."), "security": no_token}},
    }


def _job_paths() -> dict[str, Any]:
    job = {"content": {_JSON: {"schema": {"$ref": "#/components/schemas/Job"}}}}
    job_id = {"name": "id", "in": "path", "required": True, "schema": {"type": "string"}}
    request = {"kind": "train classify", "file": "/home/me/mails.xlsx", "text": "Mail",
               "label": "Topic", "name": "mails"}  # fmt: skip
    started = {
        "operationId": "startJob",
        "summary": "Start long work: fit a model to labelled rows, score a file.",
        "description": "One job runs at a time. Ask for it until it is done.",
        "requestBody": {
            "required": True,
            "content": {
                _JSON: {"schema": {"$ref": "#/components/schemas/JobRequest"}, "example": request}
            },
        },
        "responses": {
            "202": {"description": "The job, which waits or runs.", **job},
            **_refusals("400", "401", "403", "413", "503"),
        },
    }
    shown = {"description": "The job: its state, how far it is, its result or error.", **job}
    one = {
        "get": {
            "operationId": "job",
            "summary": "How far a job is, and its result.",
            "parameters": [job_id],
            "responses": {"200": shown, **_refusals("401", "403", "404")},
        },
        "delete": {
            "operationId": "cancelJob",
            "summary": "Cancel a job; one that is over stays as it is.",
            "parameters": [job_id],
            "responses": {"202": shown, **_refusals("401", "403", "404")},
        },
    }
    return {
        "/v1/jobs": {"post": started, "get": _read("jobs", "All jobs since the server started.")},
        "/v1/jobs/{id}": one,
    }


def _read(operation: str, summary: str) -> dict[str, Any]:
    refusals = ("403", "503") if operation in ("health", "openapi") else ("401", "403", "503")
    return {
        "operationId": operation,
        "summary": summary,
        "responses": {
            "200": {
                "description": "A JSON object.",
                "content": {_JSON: {"schema": {"type": "object"}}},
            },
            **_refusals(*refusals),
        },
    }


_REFUSALS = {
    "400": ("Malformed", "The body has not the form of a request."),
    "401": ("NoToken", "The token is missing or wrong."),
    "403": ("Forbidden", "The Host header names another machine, or a page elsewhere is calling."),
    "404": ("NotFound", "There is nothing of that id."),
    "413": ("TooLarge", "Too many bytes or cells."),
    "503": ("Busy", "Loading or overloaded: try again after Retry-After seconds."),
}


def _refusals(*statuses: str) -> dict[str, Any]:
    return {
        status: {"$ref": f"#/components/responses/{_REFUSALS[status][0]}"} for status in statuses
    }


def _responses() -> dict[str, Any]:
    responses: dict[str, Any] = {
        name: {"description": text, "content": {_JSON: {"schema": _ERROR}}}
        for name, text in _REFUSALS.values()
    }
    responses["Busy"]["headers"] = {
        "Retry-After": {"schema": {"type": "integer"}, "description": "Seconds to wait."}
    }
    return responses


def _schemas(functions: list[Function]) -> dict[str, Any]:
    cell = {"type": ["string", "number", "boolean", "null"]}
    value = {"anyOf": [cell, _ERROR]}
    call_id = {"type": ["string", "integer"], "description": "Comes back with the result."}
    return {
        "Error": {
            "type": "object",
            "required": ["error"],
            "properties": {
                "error": {
                    "type": "object",
                    "required": ["code", "message"],
                    "properties": {
                        "code": {"type": "string", "examples": ["#VALUE!", "#NUM!", "#N/A"]},
                        "message": {"type": "string"},
                    },
                }
            },
        },
        "Value": {
            "description": "A cell, or a range as an array of rows; a failed cell is an Error.",
            "anyOf": [value, {"type": "array", "items": {"type": "array", "items": value}}],
        },
        "Calls": {
            "type": "object",
            "required": ["calls"],
            "properties": {
                "calls": {
                    "type": "array",
                    "items": {
                        "oneOf": [{"$ref": f"#/components/schemas/{f.name}"} for f in functions]
                    },
                }
            },
        },
        "Results": {
            "type": "object",
            "required": ["results"],
            "properties": {
                "results": {
                    "type": "array",
                    "items": {
                        "type": "object",
                        "required": ["id"],
                        "properties": {
                            "id": call_id,
                            "value": {"$ref": "#/components/schemas/Value"},
                            "model": {"type": "string"},
                            "error": {
                                "$ref": "#/components/schemas/Error/properties/error",
                            },
                        },
                    },
                }
            },
        },
        **{f.name: _call_schema(f, call_id) for f in functions},
    }


def _job_schemas(kinds: Iterable[JobKind]) -> dict[str, Any]:
    requests = [
        {
            "type": "object",
            "title": kind.name,
            "description": kind.summary,
            "required": ["kind", *kind.required],
            "properties": {"kind": {"const": kind.name}, **kind.fields},
            "additionalProperties": False,
        }
        for kind in kinds
    ]
    number = {"type": "integer"}
    return {
        "JobRequest": {"oneOf": requests},
        "Job": {
            "type": "object",
            "required": ["id", "kind", "state", "progress"],
            "properties": {
                "id": {"type": "string"},
                "kind": {"type": "string"},
                "state": {"enum": ["queued", "running", "done", "failed", "cancelled"]},
                "progress": {
                    "type": "object",
                    "properties": {"step": {"type": "string"}, "done": number, "total": number},
                },
                "seconds": {"type": "number"},
                "result": {"type": "object"},
                "error": {"$ref": "#/components/schemas/Error/properties/error"},
            },
        },
    }


def _call_schema(function: Function, call_id: dict[str, Any]) -> dict[str, Any]:
    args = [
        {**arg.kind.json_schema(), "title": arg.name, "description": arg.help}
        for arg in function.args
    ]
    return {
        "type": "object",
        "title": function.signature(),
        "description": function.help(),
        "required": ["id", "function", "args"],
        "properties": {
            "id": call_id,
            "function": {"const": function.name},
            "args": {
                "type": "array",
                "prefixItems": args,
                "minItems": sum(arg.required for arg in function.args),
                "maxItems": len(args),
            },
        },
    }


_STYLE = """
:root { color-scheme: light dark; }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 50rem; margin: 2rem auto; padding: 0 1rem; }
code, pre { font: 14px/1.4 ui-monospace, monospace; background: rgba(128,128,128,.15);
  border-radius: 4px; padding: .1em .3em; }
pre { padding: .8em; overflow: auto; }
table { border-collapse: collapse; width: 100%; }
th, td { text-align: left; vertical-align: top; padding: .3em .6em;
  border-bottom: 1px solid rgba(128,128,128,.4); }
"""


def render_docs(contract: dict[str, Any]) -> str:
    """The contract as one HTML page that needs nothing from anywhere else."""
    schemas = contract["components"]["schemas"]
    calls = [
        schemas[choice["$ref"].rsplit("/", 1)[-1]]
        for choice in schemas["Calls"]["properties"]["calls"]["items"]["oneOf"]
    ]
    parts = [
        f"<h1>{_text(contract['info']['title'])}</h1>",
        f"<p>{_text(contract['info']['summary'])}</p>",
        "<h2>Functions</h2>",
        *[_function_section(call) for call in calls],
        "<h2>HTTP</h2>",
        f"<p>{_text(contract['info']['description'])}</p>",
        *[
            _route_section(path, method, operation)
            for path, methods in contract["paths"].items()
            for method, operation in methods.items()
        ],
        '<p>The whole contract: <a href="/openapi.json">openapi.json</a></p>',
    ]
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width">'
        f"<title>{NAMESPACE} functions</title><style>{_STYLE}</style></head>"
        f"<body>{''.join(parts)}</body></html>"
    )


def _function_section(call: dict[str, Any]) -> str:
    args = call["properties"]["args"]
    rows = "".join(
        f"<tr><td><code>{_text(arg['title'])}</code></td>"
        f"<td>{'' if number < args['minItems'] else 'optional'}</td>"
        f"<td>{_text(arg['description'])}</td></tr>"
        for number, arg in enumerate(args["prefixItems"])
    )
    return (
        f"<h3><code>{_text(call['title'])}</code></h3><p>{_text(call['description'])}</p>"
        f"<table><tbody>{rows}</tbody></table>"
    )


def _route_section(path: str, method: str, operation: dict[str, Any]) -> str:
    token = "" if operation.get("security") == [] else " (token)"
    text = f"<h3><code>{method.upper()} {_text(path)}</code>{token}</h3>"
    text += f"<p>{_text(operation['summary'])} {_text(operation.get('description', ''))}</p>"
    body = operation.get("requestBody", {}).get("content", {}).get(_JSON, {})
    done = operation["responses"].get("200") or operation["responses"]["202"]
    answer = done.get("content", {}).get(_JSON, {})
    for shown in (body, answer):
        if "example" in shown:
            example = json.dumps(shown["example"], ensure_ascii=False, indent=1)
            text += f"<pre>{_text(example)}</pre>"
    statuses = ", ".join(operation["responses"])
    return text + f"<p>Status: {_text(statuses)}</p>"


def _text(value: object) -> str:
    return html.escape(str(value))
