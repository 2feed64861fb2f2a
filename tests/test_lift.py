"""LIFT: published results, planted effects, then through the engine and the client."""

from __future__ import annotations

import csv
import gzip
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from server.engine import Engine
from server.series.lift import lift
from tests.conftest import TOKEN, LiveServer
from udfs.catalogue_series import LIFT
from udfs.client import Client
from udfs.errors import BadInput, OutOfRange

DATA = Path(__file__).parents[2] / "shared" / "data" / "causal"


def column(cells: Any) -> list[list[Any]]:
    return [[cell] for cell in cells]


def campaign(effect: float, seed: int = 1, count: int = 100) -> tuple[np.ndarray, np.ndarray]:
    """A series with an effect on its last 20 steps, and two series that it follows."""
    draw = np.random.default_rng(seed)
    controls = 100 + np.cumsum(draw.normal(0, 1, (count, 2)), axis=0)
    values = controls @ [0.8, 0.4] + draw.normal(0, 1, count)
    values[-20:] += effect
    return values, controls


def known(values: np.ndarray) -> np.ndarray:
    return np.ones(len(values), dtype=bool)


def rows_of(name: str) -> list[dict[str, str]]:
    path = DATA / name
    if not path.is_file():
        pytest.skip(f"{path} is not here: the public data of CausalImpact's examples")
    with gzip.open(path, "rt", encoding="utf-8") as file:
        return list(csv.DictReader(file))


@pytest.mark.parametrize(
    ("name", "columns", "start", "finish", "published"),
    [
        (
            "volks.csv.gz", ("Date", "VolksWagen", "BMW", "Allianz"), "2015-09-20", None,
            (-4338, -3496, -2571),
        ),
        ("google.csv.gz", ("date", "y", "x1", "x2"), "2020-03-02", "2020-03-31", (539, 804, 1073)),
    ],
)  # fmt: skip
def test_published_effects_are_found(
    engine: Engine,
    name: str,
    columns: tuple[str, ...],
    start: str,
    finish: str | None,
    published: tuple[float, float, float],
) -> None:
    """CausalImpact in R, as published with its ports; ours must not differ by more than a tenth."""
    rows = rows_of(name)
    dates, values, *controls = ([row[column] for row in rows] for column in columns)
    header, row = engine.call(
        "LIFT", column(map(float, values)), column(dates), start, finish,
        [list(map(float, cells)) for cells in zip(*controls, strict=True)],
    )  # fmt: skip
    found = dict(zip(header, row, strict=True))
    lo, effect, hi = published
    assert found["effect"] == pytest.approx(effect, rel=0.1)
    assert lo < found["effect"] < hi
    assert found["lo"] * found["hi"] > 0
    assert found["verdict"].startswith("clear effect")


def test_a_planted_effect_lies_in_the_interval() -> None:
    inside, clear = [], []
    for seed in range(30):
        values, controls = campaign(3.0, seed)
        found = lift(values, known(values), 80, controls, (), 95)
        inside.append(found.lo <= 60 <= found.hi)
        clear.append(found.lo > 0)
    assert np.mean(inside) >= 0.85
    assert np.mean(clear) >= 0.8


def test_controls_make_the_answer_surer() -> None:
    widths = []
    for seed in range(10):
        values, controls = campaign(3.0, seed)
        for used in (np.zeros((100, 0)), controls):
            found = lift(values, known(values), 80, used, (), 95)
            widths.append(found.hi - found.lo)
    assert np.mean(widths[1::2]) < 0.6 * np.mean(widths[::2])


def test_a_season_and_a_trend_are_no_effect() -> None:
    steps = np.arange(84)
    draw = np.random.default_rng(4)
    values = 100 + steps + 20 * np.sin(steps * np.pi / 6) + draw.normal(0, 3, 84)
    found = lift(values, known(values), 72, np.zeros((84, 0)), (12,), 95)
    assert found.lo < 0 < found.hi
    assert abs(found.effect) < 0.03 * found.actual


def test_the_reference_shows_what_the_function_answers(engine: Engine) -> None:
    found = engine.call("LIFT", *LIFT.example.args)
    expected = LIFT.example.answer
    assert found == [
        [c if isinstance(c, str) else pytest.approx(c, rel=0.01, abs=1e-3) for c in row]
        for row in expected
    ]


def test_rows_after_the_end_are_not_looked_at(engine: Engine) -> None:
    values, controls = campaign(5.0)
    days = [45000 + n for n in range(100)]
    cut = engine.call(
        "LIFT", column(values[:90]), column(days[:90]), 45080, None, controls[:90].tolist()
    )
    ended = engine.call("LIFT", column(values), column(days), 45080, 45089, controls.tolist())
    assert cut == ended
    assert ended[1][0] == pytest.approx(values[80:90].sum(), rel=1e-4)


def test_missing_values_are_left_out_of_the_sums(engine: Engine) -> None:
    values, _ = campaign(0.0)
    cells: list[Any] = values.tolist()
    cells[85] = cells[40] = None
    table = engine.call("LIFT", column(cells), column(45000 + n for n in range(100)), 45080)
    actual = dict(zip(*table, strict=True))["actual"]
    assert actual == pytest.approx(values[80:].sum() - values[85], rel=1e-4)


@pytest.mark.parametrize(
    ("args", "error", "message"),
    [
        ((45005,), OutOfRange, "5 values before start; at least 10 .*: 5 more"),
        ((45500,), OutOfRange, "no value from start"),
        ((45080, 45060), BadInput, "finish .* lies before start"),
        (("soon",), BadInput, "start holds 'soon'"),
        ((None,), BadInput, "start is blank"),
        ((45080, None, [[1], [2]]), BadInput, "controls has 2 rows and values has 100"),
        ((45080, None, [["x"]] * 100), OutOfRange, "Column 1 of controls has no number"),
        ((45080, None, None, 10), OutOfRange, "level is 10"),
    ],
)
def test_what_cannot_be_used_says_why(
    engine: Engine, args: tuple[Any, ...], error: type[Exception], message: str
) -> None:
    values, _ = campaign(0.0)
    with pytest.raises(error, match=message):
        engine.call("LIFT", column(values), column(45000 + n for n in range(100)), *args)


def test_a_series_that_never_moved_cannot_be_judged(engine: Engine) -> None:
    with pytest.raises(OutOfRange, match="All values before start are equal"):
        engine.call("LIFT", column([5.0] * 30), column(45000 + n for n in range(30)), 45020)


def test_an_effect_travels_over_http(live_server: LiveServer) -> None:
    values, controls = campaign(5.0)
    days = column(45000 + n for n in range(100))
    with Client(live_server.url, TOKEN) as client:
        table = client.call("LIFT", column(values.tolist()), days, 45080, None, controls.tolist())
    assert table[0] == list(LIFT.spills.columns[""])
    assert table[1][2] == pytest.approx(100, rel=0.2)
    assert "clear effect: a rise" in table[1][-1]
