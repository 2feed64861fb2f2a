"""FORECAST: the statistics, then through the engine, the client, a refreshed workbook and Calc."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import numpy as np
import openpyxl
import pytest
import xlsxwriter
from openpyxl.worksheet.formula import ArrayFormula

from server import cli
from server.engine import Engine
from server.series.autoregression import forecast_by_lags
from server.series.driver_columns import encode
from server.series.drivers import Drivers
from server.series.forecast import accuracy, forecast, smape
from tests.conftest import TOKEN, LiveServer
from tests.test_addin_libreoffice import Calc, installed_office
from udfs.catalogue_series import FORECAST
from udfs.client import Client
from udfs.errors import BadInput, CellError, OutOfRange
from udfs.refresh import refresh

__all__ = ["installed_office"]  # a fixture

HEADER = ["date", "forecast", "lo", "hi"]
DRAW = np.random.default_rng(7)
SEASON = np.round(100 + np.arange(60) + 20 * np.sin(np.arange(60) * np.pi / 6), 2)
NOISY = np.round(SEASON + DRAW.normal(0, 3, 60), 2)
MONTHS = [f"{2019 + n // 12}-{n % 12 + 1:02d}-01" for n in range(60)]
DAYS = [45000 + n for n in range(60)]


def column(cells: Any) -> list[list[Any]]:
    return [[cell] for cell in cells]


# The statistics


def test_a_series_without_noise_goes_on_as_it_was() -> None:
    ahead = forecast(SEASON[:48], (12,), 12, 95)
    assert np.abs(ahead.mean / SEASON[48:] - 1).mean() < 0.03


def test_the_regression_on_lags_continues_what_repeats() -> None:
    values = np.tile([5.0, 1, 7, 3], 20)
    ahead = forecast_by_lags(values, 6, [1, 2, 3, 4], 0, 1e-8)
    assert ahead == pytest.approx(values[:6], abs=0.01)


def test_the_interval_holds_as_often_as_it_says() -> None:
    """Over 100 series, so that a share below 0.88 or above 0.99 is hardly chance."""
    held = []
    for seed in range(100):
        draw = np.random.default_rng(seed)
        values = 50 + np.cumsum(draw.normal(0, 1, 76))
        ahead = forecast(values[:70], (), 6, 95)
        held.append(np.mean((ahead.lo <= values[70:]) & (values[70:] <= ahead.hi)))
    assert 0.88 <= np.mean(held) <= 0.99


def test_a_higher_level_is_a_wider_interval() -> None:
    wide, narrow = (forecast(NOISY, (12,), 6, level) for level in (99, 80))
    assert (wide.hi > narrow.hi).all()
    assert (wide.lo < narrow.lo).all()
    assert (wide.mean == narrow.mean).all()


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
def test_counts_are_never_negative(share: float) -> None:
    draw = np.random.default_rng(3)
    counts = ((draw.random(120) < share) * draw.poisson(2, 120)).astype(float)
    ahead = forecast(counts, (7,), 20, 95)
    assert min(ahead.mean.min(), ahead.lo.min()) >= 0
    assert abs(ahead.mean.mean() - counts[-60:].mean()) < 0.5 * counts.mean() + 0.2
    assert (ahead.lo <= ahead.mean).all()
    assert (ahead.mean <= ahead.hi).all()


def test_a_falling_series_stops_at_zero() -> None:
    ahead = forecast(np.arange(30, 0, -1.0), (), 60, 95)
    assert ahead.mean.min() >= 0
    assert ahead.lo.min() >= 0


def test_a_promotion_known_in_advance_is_expected() -> None:
    draw = np.random.default_rng(5)
    promotion = (draw.random(120) < 0.2).astype(float)
    promotion[-4:] = [1, 0, 1, 0]
    sales = 100 + 40 * promotion + draw.normal(0, 3, 120)
    drivers = Drivers(promotion[:, None], 1)
    ahead = forecast(sales[:116], (), 4, 95, drivers)
    assert ahead.mean == pytest.approx([140, 100, 140, 100], abs=6)
    assert (ahead.hi - ahead.lo).max() < 40  # the promotion is no noise any more


def test_a_driver_that_tells_nothing_changes_nothing() -> None:
    noise = np.random.default_rng(8).normal(0, 1, (72, 1))
    plain = forecast(NOISY, (12,), 12, 95)
    driven = forecast(NOISY, (12,), 12, 95, Drivers(noise, 12))
    assert driven.mean == pytest.approx(plain.mean, abs=2)


def test_texts_and_flags_are_drivers_too() -> None:
    rows = [["a", True, 1.0], ["b", False, None], ["a", None, 2.0], ["c", True, 3.0]]
    assert encode(rows).tolist() == [
        [0, 0, 1, 1], [1, 0, 0, 1], [0, 0, 0, 2], [0, 1, 1, 3],
    ]  # fmt: skip
    with pytest.raises(BadInput, match="25 different texts"):
        encode([[f"word {n}"] for n in range(25)])


def test_smape_is_that_of_the_m4_competition() -> None:
    assert smape(np.array([100.0, 0]), np.array([50.0, 0])) == pytest.approx(100 * 2 / 3 / 2)


def test_what_cannot_be_forecast_says_so() -> None:
    season = accuracy(NOISY, (12,), 12, 95)
    assert season.error < season.naive_error
    assert season.verdict.startswith("better than the seasonal naive forecast")
    walks = [np.cumsum(np.random.default_rng(n).normal(0, 1, 60)) for n in range(6)]
    verdicts = [accuracy(walk, (), 6, 95).verdict for walk in walks]
    assert any(verdict.startswith("no better than the seasonal naive") for verdict in verdicts)


# The function


def test_the_reference_shows_what_the_function_answers(engine: Engine) -> None:
    found = engine.call("FORECAST", *FORECAST.example.args)
    expected = FORECAST.example.answer
    assert found == [[pytest.approx(c) if c.__class__ is float else c for c in r] for r in expected]


def test_the_table_goes_on_in_the_times_of_the_data(engine: Engine) -> None:
    table = engine.call("FORECAST", column(NOISY), column(MONTHS), 3)
    assert [row[0] for row in table] == ["date", "2024-01-01", "2024-02-01", "2024-03-01"]
    table = engine.call("FORECAST", column(NOISY), column(DAYS), 2)
    assert [row[0] for row in table] == ["date", 45060, 45061]
    assert all(row[2] < row[1] < row[3] for row in table[1:])


def test_order_and_repeats_of_rows_do_not_matter(engine: Engine) -> None:
    order = DRAW.permutation(60)
    plain = engine.call("FORECAST", column(NOISY), column(DAYS), 4)
    mixed = engine.call("FORECAST", column(NOISY[order]), column(np.array(DAYS)[order].tolist()), 4)
    twice = engine.call("FORECAST", column([*NOISY, *NOISY]), column(DAYS * 2), 4)
    assert plain == mixed == twice


def test_each_group_is_a_series_of_its_own(engine: Engine) -> None:
    names = ["b"] * 60 + ["a"] * 60 + ["short"] * 3 + [None]
    values = [*NOISY, *NOISY[::-1], 1, 2, 3, 4]
    days = [*DAYS, *DAYS, *DAYS[:3], DAYS[0]]
    table = engine.call("FORECAST", column(values), column(days), 2, 95, None, None, column(names))
    assert table[0] == ["group", *HEADER]
    assert [row[0] for row in table[1:]] == ["b", "b", "a", "a", "short"]
    alone = engine.call("FORECAST", column(NOISY), column(DAYS), 2)
    assert [row[1:] for row in table[1:3]] == alone[1:]
    failed = table[-1][1]
    assert isinstance(failed, CellError)
    assert failed.code == "#NUM!"
    assert "3 days; at least 8 are needed: 5 more" in failed.message


def test_rows_without_a_value_at_the_end_are_what_is_asked_for(engine: Engine) -> None:
    promotion = [float(n % 5 == 0) for n in range(64)]
    sales = [100 + 50 * flag + n % 3 for n, flag in enumerate(promotion[:60])] + [None] * 4
    days = [45000 + n for n in range(64)]
    table = engine.call("FORECAST", column(sales), column(days), None, 95, column(promotion))
    assert [row[0] for row in table[1:]] == days[60:]
    assert table[1][1] > table[2][1] + 30  # step 60 is a multiple of 5
    again = engine.call(
        "FORECAST", column(sales[:60]), column(days[:60]), None, 95, column(promotion[:60]),
        column(promotion[60:]),
    )  # fmt: skip
    assert again == table


def test_the_holidays_of_a_country_are_drivers(engine: Engine) -> None:
    import holidays

    days = [44000 + n for n in range(800)]
    known = holidays.country_holidays("US", years=range(2020, 2024))
    day_zero = np.datetime64("1899-12-30")
    closed = [(day_zero + day).astype(object) in known for day in days]
    draw = np.random.default_rng(2)
    values = [20.0 if shut else 100 + draw.normal(0, 3) for shut in closed]
    at = next(n for n in range(780, 500, -1) if closed[n])
    table = engine.call("FORECAST", column(values[:at]), column(days[:at]), 3, 95, "us")
    assert table[1][1] < 60 < table[2][1]


def test_accuracy_is_one_row_per_series(engine: Engine) -> None:
    args = (column(NOISY), column(MONTHS), 12, "95%", None, None, None, "accuracy")
    with pytest.raises(BadInput, match="level"):
        engine.call("FORECAST", *args)
    header, row = engine.call("FORECAST", *args[:3], 0.95, *args[4:])
    assert header == list(FORECAST.spills.columns["accuracy"])
    found = dict(zip(header, row, strict=True))
    assert found["tests"] >= 2
    assert found["mean_error"] < found["naive_error"]
    assert 0.7 <= found["coverage"] <= 1


def test_the_same_series_is_not_computed_twice(engine: Engine) -> None:
    engine.wait_ready(20)
    worker = engine.workers["series"]
    args = (column(NOISY), column(DAYS), 5)
    first = engine.call("FORECAST", *args)
    before = worker.stats().items
    assert engine.call("FORECAST", *args) == first
    assert worker.stats().items == before
    assert engine.calls([("FORECAST", args)], use_store=False)[0].value == first


@pytest.mark.parametrize(
    ("args", "error", "message"),
    [
        ((column(NOISY[:5]), column(DAYS[:5])), OutOfRange, "5 days; at least 8.*: 3 more"),
        ((column(NOISY), column(DAYS[:9])), BadInput, "values has 60 cells, timeline has 9"),
        ((column(NOISY), column(DAYS), 0), OutOfRange, "horizon is 0"),
        ((column(NOISY), column(DAYS), 3, 20), OutOfRange, "level is 20"),
        ((column(NOISY), column(DAYS), 3, 95, "XX"), BadInput, "no holidays are known"),
        ((column(NOISY), column(DAYS), 3, 95, 5), BadInput, "drivers is one cell"),
        ((column(NOISY), column(DAYS), 3, 95, column(NOISY[:9])), BadInput, "drivers has 9 rows"),
        ((column(NOISY), column(DAYS), 3, 95, column(NOISY)), BadInput, "drivers of 3 of the 3"),
        ((column(NOISY), column(DAYS), 3, 95, None, column([1])), BadInput, "without drivers"),
        ((column(["x"] * 9), column(DAYS[:9])), OutOfRange, "None of the 9 rows"),
        ((column(NOISY[:9]), column(["soon"] * 9)), OutOfRange, "None of the 9 rows"),
        ((column([5] * 9), column([45000] * 9)), OutOfRange, "1 days; at least 8"),
    ],
)
def test_what_cannot_be_used_says_why(
    engine: Engine, args: tuple[Any, ...], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        engine.call("FORECAST", *args)


@pytest.mark.slow
def test_two_hundred_monthly_series_take_seconds(engine: Engine) -> None:
    names = [f"s{number}" for number in range(200) for _ in range(60)]
    values = [value + number for number in range(200) for value in NOISY]
    started = time.monotonic()
    table = engine.call(
        "FORECAST", column(values), column(MONTHS * 200), 12, 95, None, None, column(names)
    )
    assert time.monotonic() - started < 60
    assert len(table) == 1 + 200 * 12


# The hosts


def test_a_forecast_travels_over_http(live_server: LiveServer) -> None:
    with Client(live_server.url, TOKEN) as client:
        table = client.call("FORECAST", column(NOISY.tolist()), column(DAYS), 2)
        assert table[0] == HEADER
        assert len(table) == 3
        with pytest.raises(OutOfRange, match="5 days; at least 8"):
            client.call("FORECAST", column([1, 2, 3, 4, 5]), column(DAYS[:5]))


def test_a_refreshed_workbook_shows_the_forecast(live_server: LiveServer, tmp_path: Path) -> None:
    path = tmp_path / "sales.xlsx"
    book = xlsxwriter.Workbook(path)
    sheet = book.add_worksheet("Sales")
    for row, (day, value) in enumerate(zip(DAYS, NOISY, strict=True)):
        sheet.write_row(row, 0, [day, value])
    sheet.write_dynamic_array_formula("D1", "=SHOP.FORECAST(B1:B60,A1:A60,3)", None, "")
    book.close()
    with Client(live_server.url, TOKEN) as client:
        assert not refresh(path, client).errors
        expected = client.call("FORECAST", column(NOISY.tolist()), column(DAYS), 3)
    sheet = openpyxl.load_workbook(path, data_only=True)["Sales"]
    assert [[cell.value for cell in row] for row in sheet["D1:G4"]] == expected


def test_score_sends_a_table_elsewhere(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = tmp_path / "sales.csv"
    source.write_text("sales\n1\n", encoding="utf-8")
    for name in ("FORECAST", "ANOMALY", "LIFT"):
        arguments = ["score", str(source), "-f", name, "-c", "sales", "-o", str(tmp_path / "o.csv")]
        assert cli.main(arguments) != 0
        assert f"{name} reads whole columns" in capsys.readouterr().err


def test_calc_shows_forecasts_and_anomalies(
    installed_office: Any, live_server: LiveServer, tmp_path: Path
) -> None:
    path = tmp_path / "book.xlsx"
    book = openpyxl.Workbook()
    sheet = book.active
    assert sheet is not None
    for row, (day, value) in enumerate(zip(DAYS, NOISY, strict=True), start=1):
        sheet.cell(row, 1, day)
        sheet.cell(row, 2, float(value))
    sheet["D1"] = ArrayFormula("D1:G3", "=SHOP.FORECAST(B1:B60,A1:A60,2)")
    sheet["I1"] = ArrayFormula("I1:L60", "=SHOP.ANOMALY(B1:B60,A1:A60)")
    book.save(path)
    data = column(NOISY.tolist()), column(DAYS)
    with Client(live_server.url, TOKEN) as client:
        table = client.call("FORECAST", *data, 2)
        lines = client.call("ANOMALY", *data)[:2]
    wanted = [cell for row in [*table, *lines] for cell in row]
    places = [cell.coordinate for area in ("D1:G3", "I1:L2") for row in sheet[area] for cell in row]
    found = Calc(installed_office, tmp_path).run(
        ["open", str(path)], ["recalculate"], ["read", places]
    )[1]
    assert found == [
        ["text", cell] if isinstance(cell, str) else ["number", pytest.approx(cell)]
        for cell in wanted
    ]
