"""The examples of the reference are what the shipped models answer."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from server.engine import Engine
from server.settings import WEIGHTS_FOLDER, Settings
from udfs.catalogue import FUNCTIONS

SHIPPED = WEIGHTS_FOLDER / "encoder"

pytestmark = pytest.mark.skipif(
    not (SHIPPED / "config.json").is_file(), reason=f"there are no weights in {SHIPPED}"
)


@pytest.fixture(scope="module")
def shipped(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    home: Path = tmp_path_factory.mktemp("home")
    settings = dataclasses.replace(
        Settings.from_environment({}, home=home), encoder_folder=SHIPPED, store=False
    )
    with Engine(settings) as engine:
        engine.wait_ready(120)
        yield engine


def roughly(cell: Any) -> Any:
    """A number as it is on any CPU: each has arithmetic of its own."""
    return pytest.approx(cell, abs=0.02) if isinstance(cell, float) else cell


@pytest.mark.parametrize("name", FUNCTIONS)
def test_the_reference_shows_what_the_shipped_models_answer(shipped: Engine, name: str) -> None:
    example = FUNCTIONS[name].example
    found = shipped.call(name, *example.args)
    if isinstance(example.answer, list):
        assert found == [[roughly(cell) for cell in row] for row in example.answer]
    else:
        assert found == roughly(example.answer)
