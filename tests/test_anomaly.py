"""ANOMALY: how often it is right, then through the engine, the client and a refreshed workbook."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import openpyxl
import pytest
import xlsxwriter

from server.engine import Engine
from server.series.anomaly import expect
from tests.conftest import TOKEN, LiveServer
from udfs.catalogue_series import ANOMALY
from udfs.client import Client
from udfs.errors import BadInput, CellError, OutOfRange
from udfs.refresh import refresh

CLEAN = [20.0, 22, 19, 21, 20, 23, 22, 20, 19, 21, 20, 22, 21, 20, 19, 22, 21, 20, 21, 22]
DAYS = [45000 + n for n in range(20)]


def column(cells: Any) -> list[list[Any]]:
    return [[cell] for cell in cells]


def series(kind: str, seed: int, count: int = 200) -> tuple[np.ndarray, tuple[int, ...]]:
    draw, steps = np.random.default_rng(seed), np.arange(count)
    if kind == "noise":
        return 100 + draw.normal(0, 5, count), (7,)
    if kind == "walk":
        return 50 + np.cumsum(draw.normal(0, 1, count)), ()
    if kind == "season":
        return 100 + steps + 15 * np.sin(steps * np.pi / 6) + draw.normal(0, 4, count), (12,)
    return draw.poisson(6, count).astype(float), (7,)


@pytest.mark.parametrize("kind", ["noise", "walk", "season", "counts"])
@pytest.mark.parametrize("level", [95, 99])
def test_false_alarms_are_as_rare_as_the_level_says(kind: str, level: float) -> None:
    """Of 4,000 ordinary values: never more than twice the share that the level allows."""
    false = []
    for seed in range(20):
        values, seasons = series(kind, seed)
        band = expect(values, seasons, level)
        false.append(np.mean((values < band.lo) | (values > band.hi)))
    assert np.mean(false) <= 2 * (1 - level / 100)


@pytest.mark.parametrize("kind", ["noise", "walk", "season", "counts"])
def test_planted_spikes_and_new_levels_are_found(kind: str) -> None:
    spikes, levels = [], []
    for seed in range(15):
        values, seasons = series(kind, seed)
        usual = 1.5 * np.median(np.abs(np.diff(values) - np.median(np.diff(values))))
        places = np.random.default_rng(seed).choice(np.arange(15, 190), 3, replace=False)
        spiked = values.copy()
        spiked[places] += 8 * usual
        spikes.append(np.mean(spiked[places] > expect(spiked, seasons, 99).hi[places]))
        moved = values.copy()
        moved[130:] += 8 * usual
        levels.append(np.any(moved[130:133] > expect(moved, seasons, 99).hi[130:133]))
    assert np.mean(spikes) > 0.85
    assert np.mean(levels) > 0.9


def test_anomalies_do_not_hide_one_another() -> None:
    values = np.array(CLEAN * 5)
    values[[20, 21, 40, 60, 61]] = 90
    band = expect(values, (), 99)
    assert (values > band.hi).sum() == 5
    assert band.hi.max() < 60


def test_the_reference_shows_what_the_function_answers(engine: Engine) -> None:
    found = engine.call("ANOMALY", *ANOMALY.example.args)
    expected = ANOMALY.example.answer
    assert found == [[c if isinstance(c, str) else pytest.approx(c) for c in r] for r in expected]


def test_rows_keep_their_order_and_a_bad_cell_spoils_its_row_alone(engine: Engine) -> None:
    values: list[Any] = [*CLEAN]
    values[11] = 90.0
    values[3] = None
    values[5] = CellError("#DIV/0!", "")
    order = [11, *range(11), *range(12, 20)]
    rows = engine.call("ANOMALY", column(values[n] for n in order), column(DAYS[n] for n in order))
    assert rows[0][0] == "high"
    assert rows[4][0] == ""
    assert rows[4][1] == pytest.approx(20.5, abs=2)  # what a missing value was expected to be
    assert rows[6] == [CellError("#DIV/0!", "")] * 4
    assert [row[0] for row in rows[7:]] == [""] * 13


def test_groups_have_bands_of_their_own(engine: Engine) -> None:
    values = [*CLEAN, *(100 * value for value in CLEAN), 5, 6]
    names = ["a"] * 20 + ["b"] * 20 + ["c", "c"]
    rows = engine.call("ANOMALY", column(values), column([*DAYS, *DAYS, 45000, 45001]), 99,
                       column(names))  # fmt: skip
    assert {row[0] for row in rows[:40]} == {""}
    assert rows[20][1] == pytest.approx(100 * rows[0][1], rel=1e-4)
    assert isinstance(rows[40][0], CellError)
    assert "2 steps; at least 8" in rows[41][0].message


@pytest.mark.parametrize(
    ("args", "error", "message"),
    [
        ((column(CLEAN[:4]), column(DAYS[:4])), OutOfRange, "4 steps; at least 8.*: 4 more"),
        ((column(CLEAN), column(DAYS[:4])), BadInput, "values has 20 cells, timeline has 4"),
        ((column(CLEAN), column(DAYS), 100), OutOfRange, "level is 100"),
        ((column(CLEAN), column(DAYS), 99, column([None] * 20)), BadInput, "group is blank"),
        (([[1, 2], [3, 4]], column(DAYS)), BadInput, "values is 2 columns wide"),
    ],
)
def test_what_cannot_be_used_says_why(
    engine: Engine, args: tuple[Any, ...], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        engine.call("ANOMALY", *args)


def test_single_cells_are_not_joined_into_one_series(live_server: LiveServer) -> None:
    with Client(live_server.url, TOKEN) as client:
        futures = [client.submit("ANOMALY", value, 45000) for value in CLEAN]
        for future in futures:
            with pytest.raises(OutOfRange, match="1 steps"):
                future.result(30)


def test_a_refreshed_workbook_shows_flags(live_server: LiveServer, tmp_path: Path) -> None:
    path = tmp_path / "visits.xlsx"
    book = xlsxwriter.Workbook(path)
    sheet = book.add_worksheet("Visits")
    values = [*CLEAN]
    values[7] = 80.0
    for row, (day, value) in enumerate(zip(DAYS, values, strict=True)):
        sheet.write_row(row, 0, [day, value])
    sheet.write_dynamic_array_formula("C1", "=SHOP.ANOMALY(B1:B20,A1:A20)", None, "")
    book.close()
    with Client(live_server.url, TOKEN) as client:
        assert not refresh(path, client).errors
    sheet = openpyxl.load_workbook(path, data_only=True)["Visits"]
    flags = [sheet.cell(row, 3).value for row in range(1, 21)]
    assert [flag or "" for flag in flags] == ["high" if n == 7 else "" for n in range(20)]
