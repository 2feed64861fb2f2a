"""The HTTP edge: what each route answers, how requests are checked, what errors look like."""

from __future__ import annotations

import json
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from openapi_spec_validator import validate
from werkzeug.test import TestResponse

from server.app import create_app
from server.engine import Engine
from server.openapi import build_openapi
from server.settings import Settings
from udfs import catalogue
from udfs.catalogue import SENTIMENT
from udfs.errors import NotReady


def post(client: FlaskClient, *calls: dict[str, Any], **headers: str) -> TestResponse:
    return client.post("/v1/calls", json={"calls": calls}, headers=headers)


def one(client: FlaskClient, *args: Any, function: str = "SENTIMENT") -> Any:
    response = post(client, {"id": "1", "function": function, "args": list(args)})
    assert response.status_code == 200, response.text
    (result,) = response.get_json()["results"]
    return result


def message(response: TestResponse) -> str:
    error = response.get_json()["error"]
    assert error["code"] in ("#VALUE!", "#N/A")
    assert "Traceback" not in response.text
    text: str = error["message"]
    return text


def test_calls_are_answered_in_order_with_their_ids(client: FlaskClient, engine: Engine) -> None:
    response = post(
        client,
        {"id": "b", "function": "SENTIMENT", "args": [[["great"], [None], ["bad"]], "label"]},
        {"id": 7, "function": "sentiment", "args": ["great", "score"]},
        {"id": "b", "function": "SHOP.SENTIMENT", "args": ["great", None, None]},
    )
    assert response.status_code == 200
    model = engine.models()[0]["model"]
    first, second, third = response.get_json()["results"]
    assert first == {"id": "b", "value": [["positive"], [""], ["negative"]], "model": model}
    assert second["id"] == 7
    assert second["value"] == engine.call("SENTIMENT", "great", "score")
    assert third == {"id": "b", "value": "positive", "model": model}


def test_an_http_answer_equals_the_engines(client: FlaskClient, engine: Engine) -> None:
    grid = [["great price"], ["bad delivery"], ["物流太慢了"], ["ok"], [""]]
    for output in ("label", "score", "all"):
        assert one(client, grid, output)["value"] == engine.call("SENTIMENT", grid, output)


def test_failed_calls_and_cells_stand_beside_the_others(client: FlaskClient) -> None:
    response = post(
        client,
        {"id": "1", "function": "NOTHING", "args": ["x"]},
        {"id": "2", "function": "SENTIMENT", "args": [["flat"]]},
        {"id": "3", "function": "SENTIMENT", "args": [[["great"]], "label", 1]},
        {"id": "4", "function": "SENTIMENT", "args": [[[{"error": {"code": "#REF!"}}], ["great"]]]},
        {"id": "5", "function": "SENTIMENT", "args": ["great", None, 3]},
    )
    assert response.status_code == 200
    results = response.get_json()["results"]
    assert results[0]["error"]["code"] == "#VALUE!"
    assert "There is no function 'NOTHING'" in results[0]["error"]["message"]
    assert "a range is a list of rows" in results[1]["error"]["message"]
    assert results[2]["value"][0][0]["error"]["code"] == "#N/A"
    assert "is below min_confidence 1" in results[2]["value"][0][0]["error"]["message"]
    assert results[3]["value"][0][0]["error"]["code"] == "#REF!"
    assert results[3]["value"][1] == ["positive"]
    assert results[4]["error"]["code"] == "#NUM!"


def test_the_store_can_be_left_out(client: FlaskClient, engine: Engine) -> None:
    call = {"id": "1", "function": "SENTIMENT", "args": ["great"]}
    post(client, call, **{"Cache-Control": "no-store"})
    post(client, call, **{"Cache-Control": "max-age=0, No-Store"})
    post(client, call)
    post(client, call)
    assert engine.stats().cells["SENTIMENT", "model"] == 3
    assert engine.stats().cells["SENTIMENT", "store"] == 1


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b"", "The body is not JSON"),
        (b"{", "The body is not JSON"),
        (b"null", 'expected {"calls"'),
        (b"[]", 'expected {"calls"'),
        (b'{"calls": {}}', 'expected {"calls"'),
        (b'{"calls": [1]}', "calls[0] is 1; expected an object"),
        (b'{"calls": [{"function": "SENTIMENT", "args": []}]}', "calls[0].id is None"),
        (b'{"calls": [{"id": true, "function": "S", "args": []}]}', "calls[0].id is True"),
        (b'{"calls": [{"id": "1", "function": 5, "args": []}]}', "calls[0].function is 5"),
        (b'{"calls": [{"id": "1", "function": "S", "args": "x"}]}', "calls[0].args is 'x'"),
        (b'{"calls": [{"id": "1", "function": "S", "args": [NaN]}]}', "NaN is not a JSON value"),
        (b'{"calls": [{"id": "1", "function": "S", "args": [-Infinity]}]}', "-Infinity is not"),
        (b'{"calls": [{"id": "1", "function": "S", "args": [1e999]}]}', "1e999 is too large"),
        (b"[" + b"9" * 100_000 + b"]", "is too large"),
        (b"[" * 1_000_000, "nested too deeply"),
        (b'{"calls":' + b'{"a":' * 200_000, "nested too deeply"),
        ('{"calls": ["é"]}'.encode("latin-1"), "The body is not UTF-8"),
        (b'{"calls": [{"id": "' + b"9" * 201 + b'", "function": "S", "args": []}]}', "at most 200"),
    ],
)
def test_a_malformed_body_is_refused_with_a_reason(
    client: FlaskClient, body: bytes, expected: str
) -> None:
    response = client.post("/v1/calls", data=body, content_type="application/json")
    assert response.status_code == 400
    assert expected in message(response)


@pytest.mark.parametrize("depth", [3, 10, 400])
def test_a_nested_argument_fails_its_call_only(client: FlaskClient, depth: int) -> None:
    nested: Any = "great"
    for _ in range(depth):
        nested = [nested]
    result = one(client, nested)
    assert result["error"]["code"] == "#VALUE!"


@pytest.mark.parametrize("number", [10**15, 10**17, -(10**17), 1e300, 10**100, 0.1])
def test_large_numbers_are_read_as_texts(client: FlaskClient, number: float) -> None:
    assert one(client, [[number], ["great"]])["value"][1] == ["positive"]


def test_odd_characters_are_read(client: FlaskClient) -> None:
    args = rb'[[["\ud83d great"], ["\u0000"]]]'
    body = b'{"calls": [{"id": "1", "function": "SENTIMENT", "args": %s}]}' % args
    response = client.post("/v1/calls", data=body, content_type="application/json")
    assert response.status_code == 200
    (result,) = response.get_json()["results"]
    assert result["value"][0] == ["positive"]


def test_too_many_cells_are_refused(settings: Settings, engine: Engine, app: Flask) -> None:
    small = create_app(settings.changed(max_cells=10), engine).test_client()
    headers = {"Authorization": f"Bearer {settings.token}"}
    many = {"calls": [{"id": "1", "function": "SENTIMENT", "args": [[["great"]] * 10]}]}
    response = small.post("/v1/calls", json=many, headers=headers)
    assert response.status_code == 413
    assert "The request has 11 cells; at most 10 are taken at once" in message(response)
    singles = {"calls": [{"id": "1", "function": "SENTIMENT", "args": []}] * 11}
    assert small.post("/v1/calls", json=singles, headers=headers).status_code == 413
    few = {"calls": [{"id": "1", "function": "SENTIMENT", "args": [[["great"]] * 9]}]}
    assert small.post("/v1/calls", json=few, headers=headers).status_code == 200


def test_too_many_bytes_are_refused(settings: Settings, engine: Engine) -> None:
    small = create_app(settings.changed(max_body_bytes=2000), engine).test_client()
    response = small.post(
        "/v1/calls", data=b"x" * 2001, headers={"Authorization": f"Bearer {settings.token}"}
    )
    assert response.status_code == 413
    assert "larger than 2,000 bytes" in message(response)


def test_overload_is_503_with_retry_after(settings: Settings) -> None:
    with Engine(settings.changed(max_waiting_items=2)) as engine:
        engine.wait_ready(60)
        busy = create_app(settings, engine).test_client()
        busy.environ_base["HTTP_AUTHORIZATION"] = f"Bearer {settings.token}"
        column = [["one"], ["two"], ["three"]]
        response = post(busy, {"id": "1", "function": "SENTIMENT", "args": [column]})
        assert response.status_code == 503
        assert int(response.headers["Retry-After"]) >= 1
        assert "The server is busy" in message(response)


def test_an_unexpected_error_is_logged_under_its_reference(
    client: FlaskClient,
    engine: Engine,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def broken() -> None:
        raise RuntimeError("secret")

    monkeypatch.setattr(engine, "models", broken)
    response = client.get("/v1/models")
    assert response.status_code == 500
    text = message(response)
    assert "secret" not in text
    reference = text.split("reference ")[1].rstrip(".")
    assert f"error {reference} at GET /v1/models" in caplog.text
    assert "RuntimeError: secret" in caplog.text


def test_unknown_places_and_methods(client: FlaskClient) -> None:
    assert "There is nothing at /v2. See /docs." in message(client.get("/v2"))
    response = client.get("/v1/calls")
    assert response.status_code == 405
    assert "GET is not possible at /v1/calls" in message(response)


def test_functions_come_from_the_catalogue(client: FlaskClient) -> None:
    body = client.get("/v1/functions").get_json()
    assert body["namespace"] == "SHOP"
    assert [f["name"] for f in body["functions"]] == list(catalogue.FUNCTIONS)
    assert body["functions"][0] == json.loads(json.dumps(SENTIMENT.to_json()))


def test_models_show_version_and_card(client: FlaskClient, engine: Engine) -> None:
    model, *rules = client.get("/v1/models").get_json()["models"]
    assert [one["name"] for one in rules] == ["text", "customers", "decisions", "series"]
    assert model["name"] == "encoder"
    assert model["state"] == "ready"
    assert model["model"] == f"encoder@{model['version']}"
    assert model["precision"] in ("f32", "bf16", "int8")
    assert model["card"]["name"] == "tiny encoder"
    assert set(model["labels"]) == {"negative", "neutral", "positive", "mixed"}


def test_health_is_green_only_when_the_model_answers(
    settings: Settings, client: FlaskClient, own_home: Any
) -> None:
    assert client.get("/health").get_json() == {
        "service": "shopsheet",
        "status": "ready",
        "workers": {
            "encoder": True,
            "text": True,
            "customers": True,
            "decisions": True,
            "series": True,
        },
        "knowledge": "none",
        "problems": {},
    }
    with Engine(settings.changed(encoder_folder=own_home / "missing")) as broken:
        with pytest.raises(NotReady):
            broken.wait_ready(60)
        app = create_app(settings, broken)
        response = app.test_client().get("/health")
        assert response.status_code == 503
        assert response.headers["Retry-After"]
        assert response.get_json() == {
            "service": "shopsheet",
            "status": "not ready",
            "workers": {
                "encoder": False,
                "text": True,
                "customers": True,
                "decisions": True,
                "series": True,
            },
            "knowledge": "none",
        }
        known = app.test_client().get(
            "/health", headers={"Authorization": f"Bearer {settings.token}"}
        )
        assert "No model folder at" in known.get_json()["problems"]["encoder"]


def test_health_asked_often_does_not_keep_the_model_busy(
    client: FlaskClient, engine: Engine
) -> None:
    client.get("/health")
    before = engine.stats().workers[0].batches
    for _ in range(50):
        client.get("/health")
    assert engine.stats().workers[0].batches - before <= 3


def test_metrics_count_what_happened(client: FlaskClient) -> None:
    one(client, [["great"], ["bad"], [""]])
    one(client, "great")
    client.get("/nowhere")
    text = client.get("/metrics").text
    assert 'shopsheet_requests_total{route="/v1/calls",status="200"} 2.0' in text
    assert 'shopsheet_requests_total{route="other",status="404"} 1.0' in text
    assert 'shopsheet_cells_total{function="SENTIMENT",source="model"} 2.0' in text
    assert 'shopsheet_cells_total{function="SENTIMENT",source="store"} 1.0' in text
    assert 'shopsheet_cells_total{function="SENTIMENT",source="none"} 1.0' in text
    assert 'shopsheet_worker_ready{worker="encoder"} 1.0' in text
    assert 'shopsheet_worker_failed_items_total{worker="encoder"} 0.0' in text
    assert "shopsheet_store_hits_total 1.0" in text
    assert 'shopsheet_request_seconds_count{route="/v1/calls"} 2.0' in text


def test_the_contract_is_valid_openapi(client: FlaskClient, app: Flask) -> None:
    contract = client.get("/openapi.json").get_json()
    validate(contract)
    routes: dict[str, set[str]] = {}
    for rule in app.url_map.iter_rules():
        methods = (rule.methods or set()) - {"HEAD", "OPTIONS"}
        routes.setdefault(rule.rule.replace("<job_id>", "{id}"), set()).update(methods)
    for path, methods in contract["paths"].items():
        assert {method.upper() for method in methods} == routes[path]
    assert set(routes) - set(contract["paths"]) == {"/", "/docs", "/console", "/addin/<path:name>"}


def test_the_contracts_examples_hold(client: FlaskClient) -> None:
    from jsonschema import Draft202012Validator

    contract = client.get("/openapi.json").get_json()
    media = contract["paths"]["/v1/calls"]["post"]["requestBody"]["content"]["application/json"]

    def check(name: str, value: Any) -> None:
        schema = {"$ref": f"#/components/schemas/{name}", "components": contract["components"]}
        Draft202012Validator(schema).validate(value)

    check("Calls", media["example"])
    response = client.post("/v1/calls", json=media["example"])
    assert response.status_code == 200
    check("Results", response.get_json())
    check("Results", one_of_each(client))
    check("Error", client.post("/v1/calls", data=b"").get_json())


def one_of_each(client: FlaskClient) -> Any:
    return post(
        client,
        {"id": "1", "function": "NOTHING", "args": []},
        {"id": 2, "function": "SENTIMENT", "args": [[["great"], [""]], "all", 1]},
    ).get_json()


def test_the_docs_page_needs_nothing_from_elsewhere(client: FlaskClient) -> None:
    response = client.get("/docs")
    assert response.mimetype == "text/html"
    assert "SHOP.SENTIMENT(text, [output], [min_confidence])" in response.text
    assert "POST /v1/calls" in response.text
    for elsewhere in ("http://", "https://", "<script", "src=", "@import"):
        assert elsewhere not in response.text
    assert response.headers["Content-Security-Policy"].startswith("default-src 'none'")
    assert client.get("/").headers["Location"] == "/docs"


def test_docs_escape_what_the_catalogue_says() -> None:
    from dataclasses import replace
    from pathlib import Path

    from server.openapi import render_docs

    sharp = replace(SENTIMENT, summary="Is <b>a</b> & b?")
    page = render_docs(build_openapi([sharp], Settings(home=Path())))
    assert "Is &lt;b&gt;a&lt;/b&gt; &amp; b?" in page
    assert "<b>" not in page


def test_addin_files_are_served_and_nothing_else(
    settings: Settings, engine: Engine, own_home: Any
) -> None:
    folder = own_home / "addin"
    (folder / "node_modules").mkdir(parents=True)
    (folder / "icons").mkdir()
    for name in ("taskpane.html", "icons/a.png", ".secret.json", "node_modules/x.js", "notes.py"):
        (folder / name).write_bytes(b"content")
    (own_home / "token.json").write_text("secret", encoding="utf-8")
    public = create_app(settings.changed(addin_folder=folder), engine).test_client()
    page = public.get("/addin/taskpane.html")
    assert page.status_code == 200
    assert page.mimetype == "text/html"
    assert page.headers["Cache-Control"] == "no-cache"
    page.close()
    public.get("/addin/icons/a.png").close()
    for hidden in (
        ".secret.json",
        "node_modules/x.js",
        "notes.py",
        "../token.json",
        "..%2ftoken.json",
        "missing.html",
        "icons",
    ):
        assert public.get(f"/addin/{hidden}").status_code == 404, hidden
