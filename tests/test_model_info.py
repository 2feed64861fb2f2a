"""MODEL_INFO: what cards say, in cells; models saved on this machine; names that do not exist."""

from __future__ import annotations

import json
from typing import Any

import pytest
from flask.testing import FlaskClient

from server.engine import Engine
from server.model_facts import Fact, read_card
from server.settings import Settings
from tests.conftest import LiveServer
from udfs.catalogue import FUNCTIONS
from udfs.client import Client
from udfs.errors import BadInput
from udfs.function import ANY

MODEL_INFO = FUNCTIONS["MODEL_INFO"]
CARD = """# Reader

Reads reviews,
in two lines.

## Data

| name | source | licence as stated | texts |
|---|---|---|---|
| shop_en | reviews | MIT | 1,200 |
| shop_zh | 评论 | not stated | 7 |

## Recipe

Secret sauce.

## Held-out scores

| test | texts | accuracy |
|---|---|---|
| film | 872 | 0.876 |

## Limits

- Irony is
  misread.
- Short texts only.
"""


def rows_of(table: list[list[Any]]) -> list[dict[str, Any]]:
    header, *rows = table
    return [dict(zip(header, row, strict=True)) for row in rows]


@pytest.fixture
def saved(settings: Settings) -> None:
    """A model of the user's own beside the loaded ones."""
    folder = settings.home / "models" / "sentiment" / "mine"
    folder.mkdir(parents=True)
    (folder / "config.json").write_text(json.dumps({"version": "3"}), encoding="utf-8")
    (folder / "CARD.md").write_text(CARD, encoding="utf-8")


def test_a_card_becomes_facts() -> None:
    assert read_card(CARD) == [
        Fact("what it is", "", "Reads reviews, in two lines."),
        Fact("Data", "shop_en: source", "reviews"),
        Fact("Data", "shop_en: licence as stated", "MIT"),
        Fact("Data", "shop_en: texts", 1200),
        Fact("Data", "shop_zh: source", "评论"),
        Fact("Data", "shop_zh: licence as stated", "not stated"),
        Fact("Data", "shop_zh: texts", 7),
        Fact("Held-out scores", "film: texts", 872),
        Fact("Held-out scores", "film: accuracy", 0.876),
        Fact("Limits", "", "Irony is misread."),
        Fact("Limits", "", "Short texts only."),
    ]


@pytest.mark.usefixtures("saved")
def test_a_table_of_all_models_loaded_and_saved(engine: Engine) -> None:
    rows = rows_of(engine.call("MODEL_INFO"))
    by_name = {row["model"]: row for row in rows}
    assert by_name["encoder"]["version"] == engine.models()[0]["version"]
    assert by_name["encoder"]["state"] == "ready"
    assert by_name["customers"]["what it is"].startswith("RFM scores")
    assert by_name["sentiment/mine"] == {
        "model": "sentiment/mine",
        "version": "3",
        "state": "saved",
        "what it is": "Reads reviews, in two lines.",
        "trained on": "shop_en, shop_zh",
        "held-out scores": "film: accuracy 0.876",
        "licences of the data": "MIT, not stated",
        "limits": "Irony is misread. Short texts only.",
    }
    assert engine.call("MODEL_INFO", [[None]]) == engine.call("MODEL_INFO")


@pytest.mark.usefixtures("saved")
@pytest.mark.parametrize("name", ["mine", "SENTIMENT/mine", "sentiment/mine@3"])
def test_all_that_is_known_of_one_model(engine: Engine, name: str) -> None:
    rows = rows_of(engine.call("MODEL_INFO", name))
    assert {"about": "Data", "of": "shop_en: texts", "value": 1200} in rows
    assert {"about": "version", "of": "", "value": "3"} in rows


def test_the_reference_shows_what_the_function_answers(engine: Engine) -> None:
    assert engine.call("MODEL_INFO", *MODEL_INFO.example.args) == MODEL_INFO.example.answer


def test_a_saved_model_is_there_the_next_time(engine: Engine, settings: Settings) -> None:
    before = engine.call("MODEL_INFO")
    folder = settings.home / "models" / "topics" / "march"
    folder.mkdir(parents=True)
    config = {"encoder": "2026.11", "topics": [{"name": "delivery", "rows": 12}], "rows": 90}
    (folder / "config.json").write_text(json.dumps(config), encoding="utf-8")
    assert len(engine.call("MODEL_INFO")) == len(before) + 1
    facts = rows_of(engine.call("MODEL_INFO", "march"))
    assert {"about": "topic", "of": "delivery", "value": 12} in facts
    (folder / "config.json").write_text("{", encoding="utf-8")  # damaged: still listed
    assert len(engine.call("MODEL_INFO")) == len(before) + 1


def test_clients_do_not_remember_it(client: FlaskClient) -> None:
    """They keep answers until their model changes, and this one tells of all models."""
    calls = [{"id": "1", "function": "MODEL_INFO", "args": []}]
    (result,) = client.post("/v1/calls", json={"calls": calls}).get_json()["results"]
    assert result["value"][1][0] == "encoder"
    assert "model" not in result


def test_an_unknown_model_names_those_there_are(engine: Engine) -> None:
    with pytest.raises(BadInput, match=r"There is no model 'gpt'\. There is encoder, text, "):
        engine.call("MODEL_INFO", "gpt")


def test_it_takes_no_argument_over_the_wire(live_server: LiveServer) -> None:
    assert MODEL_INFO.answer_shape([]) == (ANY, 8)
    assert MODEL_INFO.answer_shape(["encoder"]) == (ANY, 3)
    with Client.from_environment() as client:
        assert client.call("MODEL_INFO") == live_server.engine.call("MODEL_INFO")
        assert client.call("MODEL_INFO", None) == live_server.engine.call("MODEL_INFO")
