"""LIFT_TEST: published values, hand work, intervals that hold their level, words, bad input."""

from __future__ import annotations

import csv
import gzip
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import stats

from server.decisions.arms import read_arms, split_check
from server.decisions.columns import Column
from server.decisions.comparing import adjusted, compare, family_weights
from server.decisions.lift_test import lift_test
from server.decisions.means import compare_means
from server.decisions.segments import Segments, qini, read_segments
from server.engine import Engine
from tests.conftest import LiveServer
from udfs.catalogue import FUNCTIONS
from udfs.client import Client
from udfs.errors import BadInput, CellError, OutOfRange

LIFT_TEST = FUNCTIONS["LIFT_TEST"]
DATA = Path(os.environ.get("SHOPSHEET_DATA") or Path(__file__).parents[2] / "shared" / "data")
HILLSTROM = DATA / "tabular" / "hillstrom_email.csv.gz"


def column(*cells: Any) -> list[list[Any]]:
    return [[cell] for cell in cells]


def hits(rows: int, hits: int) -> list[int]:
    return [1] * hits + [0] * (rows - hits)


def rows_of(table: list[list[Any]]) -> list[dict[str, Any]]:
    header, *rows = table
    assert header == list(LIFT_TEST.spills.columns[""])
    return [dict(zip(header, row, strict=True)) for row in rows]


def words(table: list[list[Any]], segment: str, arm: str = "") -> str:
    return next(
        str(row["in words"])
        for row in rows_of(table)
        if row["segment"] == segment and arm in (row["arm"], "")
    )


def test_the_reference_shows_what_the_function_answers(engine: Engine) -> None:
    assert engine.call("LIFT_TEST", *LIFT_TEST.example.args) == LIFT_TEST.example.answer


# The whole Hillstrom set has 21,307, 21,387 and 21,306 rows with these published visit rates.
WHOLE = (
    ("Mens E-Mail", 21_307, 0.18276),
    ("Womens E-Mail", 21_387, 0.15140),
    ("No E-Mail", 21_306, 0.10617),
)


def test_hillstroms_whole_campaign() -> None:
    """Mens less none is 7.66 points, its standard error 0.339 by hand: 7.0 to 8.3."""
    outcome = [v for _, rows, rate in WHOLE for v in hits(rows, round(rate * rows))]
    arms = [name for name, rows, _ in WHOLE for _ in range(rows)]
    table = lift_test(column("visits", *outcome), column("campaign", *arms))
    mens, womens, *_ = rows_of(table)
    assert mens["uplift"] == pytest.approx(0.0766, abs=5e-5)
    assert (mens["lo_95"], mens["hi_95"]) == pytest.approx((0.0700, 0.0832), abs=1e-4)
    assert womens["uplift"] == pytest.approx(0.0452, abs=5e-5)
    assert mens["in words"] == "Mens E-Mail raised visits by 7.7 points (7.0 to 8.3); 1 in 13 more"
    assert "fits a planned 33.3 : 33.3 : 33.3" in words(table, "check")


@pytest.mark.skipif(
    not HILLSTROM.is_file(), reason=f"needs {HILLSTROM}, which is not part of Shopsheet"
)
def test_half_of_hillstroms_campaign() -> None:
    with gzip.open(HILLSTROM, "rt", encoding="utf-8") as file:
        data = list(csv.DictReader(file))
    spend = column("spend", *(float(row["spend"]) for row in data))
    arms = column("segment", *(row["segment"] for row in data))
    table = lift_test(spend, arms, column("channel", *(row["channel"] for row in data)))
    mens = rows_of(table)[0]
    # Radcliffe 2008 reports 0.77 for the whole set; half of it must be near.
    assert mens["lo_95"] < 0.77 < mens["hi_95"]
    assert mens["p adjusted"] < 0.01
    segments = [row for row in rows_of(table) if row["segment"] in ("Web", "Phone", "Multichannel")]
    assert len(segments) == 6
    assert [row["segment"] for row in rows_of(table)].count("ranking") == 2


def test_shares_are_compared_as_published() -> None:
    """56/70 and 48/80, and 9/10 and 3/10: method 10 in Newcombe 1998, table II."""
    found = compare(np.array(hits(70, 56)), np.array(hits(80, 48)), binary=True)
    assert found is not None
    assert (found.lo, found.hi) == (
        pytest.approx(0.0524, abs=1e-4),
        pytest.approx(0.3339, abs=1e-4),
    )
    few = compare(np.array(hits(10, 9)), np.array(hits(10, 3)), binary=True)
    assert few is not None
    assert few.few
    assert (few.lo, few.hi) == (pytest.approx(0.1705, abs=2e-4), pytest.approx(0.8090, abs=2e-4))
    assert few.p == pytest.approx(0.01977, abs=1e-5)  # of 12 successes in 20: 2490 / 125970


def test_the_rows_missing_are_those_of_the_textbook() -> None:
    """A rate of 10 % and one of 11 % need 14,751 rows each at 80 % power (Fleiss)."""
    found = compare(np.array(hits(1000, 100)), np.array(hits(1000, 100)), binary=True)
    assert found is not None
    assert found.missing_rows == pytest.approx(2 * 14_751 - 2000, rel=0.01)
    assert found.missing_events == pytest.approx(0.1 * found.missing_rows)


def test_claims_of_a_family_hold_together() -> None:
    """Holm's procedure by hand: .01 * 3, then .02 * 2, then .04; with weights .8 and .2 halves."""
    assert adjusted([0.01, 0.04, 0.02], [1 / 3] * 3) == pytest.approx([0.03, 0.04, 0.04])
    assert adjusted([0.01, 0.01], [0.8, 0.2]) == pytest.approx([0.0125, 0.0125])
    assert adjusted([0.04, 0.011], [0.8, 0.2]) == pytest.approx([0.05, 0.05])
    assert sum(family_weights(2, 6)) == pytest.approx(1)
    assert family_weights(2, 0) == [0.5, 0.5]


# Revenue


def revenue(draw: np.random.Generator, rows: int, rate: float) -> np.ndarray:
    """Mostly 0, else lognormal with a long tail: its mean is 100 * exp(0.5) where bought."""
    bought = draw.random(rows) < rate
    return bought * draw.lognormal(np.log(100), 1, rows)


@pytest.mark.parametrize(("rows", "control"), [(3000, 3000), (6000, 1500)])
def test_the_interval_of_revenue_holds_its_level(
    rows: int, control: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("server.decisions.means.DRAWS", 1000)
    draw = np.random.default_rng(11)
    true = 0.01 * 100 * np.exp(0.5)  # 3 % buy instead of 2 %
    inside = 0
    for _ in range(200):
        found = compare_means(revenue(draw, rows, 0.03), revenue(draw, control, 0.02))
        inside += found.lo <= true <= found.hi
    assert 182 <= inside <= 200  # 95 % is 190; 182 has a chance of 1 %


def test_no_effect_on_revenue_is_rarely_claimed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("server.decisions.means.DRAWS", 1000)
    draw = np.random.default_rng(12)
    false = 0
    for _ in range(200):
        found = compare_means(revenue(draw, 2000, 0.02), revenue(draw, 250, 0.02))
        assert (found.p < 0.05) == (not found.lo <= 0 <= found.hi) or abs(found.p - 0.05) < 0.01
        false += found.p < 0.05
    assert false <= 17  # 5 % is 10; 17 has a chance of 2 %; Welch's test gives about 40


def test_many_values_are_compared_as_welch_does() -> None:
    draw = np.random.default_rng(3)
    first, second = draw.gamma(2, 50, 9_000), draw.gamma(2, 51, 8_000)
    found = compare_means(first, second)
    welch = stats.ttest_ind(first, second, equal_var=False)
    ends = welch.confidence_interval()
    assert (found.lo, found.hi, found.p) == pytest.approx((ends.low, ends.high, welch.pvalue))


def test_equal_columns_do_not_differ() -> None:
    found = compare_means(np.zeros(5), np.zeros(9))
    assert (found.value, found.lo, found.hi, found.p) == (0, 0, 0, 1)


# Arms and splits


@pytest.mark.parametrize(
    ("cells", "names"),
    [
        ([1, 0, 1], ("0", "1")),
        ([True, False], ("FALSE", "TRUE")),
        (["yes", "No"], ("No", "yes")),
        (["B", "A", "C"], ("A", "B", "C")),
        (
            ["Mens E-Mail", "No E-Mail", "Womens E-Mail"],
            ("No E-Mail", "Mens E-Mail", "Womens E-Mail"),
        ),
        (["实验组", "对照组"], ("对照组", "实验组")),
        (["sent", "not sent", None], ("not sent", "sent")),
        (["new page", "Control group (10%)"], ("Control group (10%)", "new page")),
        ([0, 1, 2], ("0", "1", "2")),
    ],
)
def test_the_control_is_recognised(cells: list[Any], names: tuple[str, ...]) -> None:
    assert read_arms(cells).names == names


@pytest.mark.parametrize(
    ("rows", "fits"),
    [
        ([5000, 5050], True),
        ([1000, 9000], True),
        ([980, 99_020], True),
        ([5300, 4700], False),
        ([3333, 6667], True),
        ([100_000, 98_000], False),
    ],
)
def test_a_split_that_nobody_plans_is_found(rows: list[int], fits: bool) -> None:
    assert (split_check(rows)[0] >= 0.001) is fits


def test_a_wrong_split_is_said() -> None:
    table = lift_test(
        column(*hits(5300, 900), *hits(4700, 500)), column(*["a"] * 5300, *["control"] * 4700)
    )
    assert words(table, "check").startswith("Warning: the split 47.0 : 53.0 fits no planned one")
    assert words(table, "all").endswith("first look at the split, below")


# Segments


def campaign(
    rows: int, uplift: dict[str, float], seed: int = 1
) -> tuple[list[list[Any]], list[list[Any]], list[list[Any]]]:
    """A campaign of which each segment's uplift is known; 10 % buy without it."""
    draw = np.random.default_rng(seed)
    segment = draw.choice(list(uplift), rows)
    treated = draw.random(rows) < 0.5
    chance = 0.1 + treated * np.array([uplift[name] for name in segment])
    bought = (draw.random(rows) < chance).astype(int)
    return (
        column("bought", *bought.tolist()),
        column("mailed", *treated.astype(int).tolist()),
        column("country", *segment.tolist()),
    )


def test_segments_that_respond_are_found_and_ranked() -> None:
    table = lift_test(*campaign(8000, {"de": 0.1, "fr": 0.0, "it": 0.0, "es": 0.0}))
    found = {row["segment"]: row for row in rows_of(table)}
    assert [row["segment"] for row in rows_of(table)][:2] == ["all", "de"]
    assert found["de"]["p adjusted"] < 0.001
    assert found["de"]["in words"].startswith("Treatment raised bought by ")
    for country in ("fr", "it", "es"):
        assert found[country]["p adjusted"] > 0.05
    assert found["ranking"]["p adjusted"] < 0.05
    assert "the best half of the rows brings" in found["ranking"]["in words"]


def test_a_score_is_cut_into_fifths_and_judged() -> None:
    outcome, treated, _ = campaign(6000, {"x": 0.0})
    draw = np.random.default_rng(2)
    score = draw.random(6000)
    mailed = np.array([row[0] for row in treated[1:]])
    bought = (draw.random(6000) < 0.1 + 0.2 * mailed * score).astype(int)
    table = lift_test(column("bought", *bought.tolist()), treated, column("score", *score.tolist()))
    rows = [row for row in rows_of(table) if row["segment"] not in ("all", "ranking", "check")]
    assert len(rows) == 5
    assert rows[0]["uplift"] > rows[-1]["uplift"]
    assert rows[0]["segment"].endswith(" to 1.000")
    assert words(table, "ranking").startswith(
        "The score ranks who responds to Treatment: its upper"
    )
    worse = lift_test(column("bought", *bought.tolist()), treated, column(None, *(-score).tolist()))
    assert words(worse, "ranking").startswith("The score ranks the wrong way round")
    assert outcome[0] == ["bought"]


def test_qini_by_hand() -> None:
    """Two halves with uplifts 1 and 0: the curve rises to a half at once, the area is 1/8."""
    segments = Segments(("high", "low"), np.repeat([0, 1], 8), ranked=True)
    own = np.tile([True, False], 8)
    values = np.where(own & (segments.of_row == 0), 1.0, 0.0)
    values[[0, 1, 14, 15]] = [1, 1, 1, 1]  # so that there is some variance
    values[2], values[12] = 1.0, 1.0
    found = qini(segments, own, ~own, values)
    high, low = (
        values[own & (segments.of_row == n)].mean() - values[~own & (segments.of_row == n)].mean()
        for n in (0, 1)
    )
    assert found is not None
    assert found.value == pytest.approx((high - low) / 8)
    assert found.half == pytest.approx(high / (high + low))


def test_small_segments_are_joined() -> None:
    found = read_segments(Column("", ("a",) * 30 + ("b",) * 25 + ("c", "d", None)), "en")
    assert found.names == ("a", "b", "(other)")
    assert found.of_row[-3:].tolist() == [2, 2, 2]
    assert read_segments(Column("", ("a",) * 30 + (None,) * 30), "zh").names == ("a", "（空）")
    assert read_segments(Column("new", (1, 0) * 30), "en").names == ("new 1", "new 0")


def test_no_segment_is_claimed_where_there_is_no_effect() -> None:
    false = 0
    for seed in range(60):
        table = lift_test(*campaign(1500, {"a": 0, "b": 0, "c": 0, "d": 0}, seed))
        false += any(row["p adjusted"] != "" and row["p adjusted"] < 0.05 for row in rows_of(table))
    assert false <= 8  # 5 % is 3; 8 has a chance of 1 %


# Words and bad input


def test_a_small_test_says_how_much_is_missing() -> None:
    table = lift_test(
        column("bought", *hits(40, 6), *hits(40, 5)), column(*["B"] * 41, *["A"] * 40)
    )
    said = words(table, "all")
    assert said.startswith("No effect of B on bought shown: +")
    assert "more rows (" in said
    assert "more with bought) are needed to see a 10 % change" in said
    few = lift_test(column("bought", *hits(10, 3), *hits(10, 0)), column(*["B"] * 11, *["A"] * 10))
    assert words(few, "all").startswith("Too few to tell: B +30.0 points")


def test_a_chinese_test_is_answered_in_chinese() -> None:
    table = lift_test(
        column("购买", *hits(400, 100), *hits(400, 40)),
        column("分组", *["发券"] * 400, *["对照组"] * 400),
    )
    assert words(table, "全部").startswith("发券使购买提高 15.0 个百分点（")
    assert words(table, "全部").endswith("；每 7 行多 1 个")


def test_rows_without_outcome_or_arm_are_counted() -> None:
    outcome = column(*hits(20, 9), None, CellError("#N/A"), 1, None, *hits(20, 4))
    treated = column(*["B"] * 20, "B", "A", None, None, *["A"] * 20)
    assert rows_of(lift_test(*_wire(outcome, treated)))[-1]["in words"] == (
        "2 rows without outcome, 1 without arm left out"
    )


def _wire(*grids: list[list[Any]]) -> list[Any]:
    from udfs.kinds import to_wire

    return [to_wire(grid) for grid in grids]


@pytest.mark.parametrize(
    ("args", "error", "message"),
    [
        ((column(1, 0), column("A")), BadInput, "outcome has 2 rows, treated has 1 rows"),
        ((column(1, 0), column("x", "x")), BadInput, "treated holds 1 different values"),
        ((column(1, 0), column("red", "blue")), BadInput, "none of them is plainly the control"),
        (
            (column("a", "c"), column("A", "B")),
            BadInput,
            "outcome holds 'a', 'c'; expected amounts",
        ),
        ((column(1, 0, 1), column("A", "B", "B")), OutOfRange, "Expected two or more in every arm"),
        ((column(None, None), column("A", "B")), BadInput, "outcome holds no value"),
        ((column(*range(50)), column(*range(50))), BadInput, "50 different values"),
    ],
)
def test_bad_input_says_what_to_do(
    engine: Engine, args: tuple[Any, ...], error: type[Exception], message: str
) -> None:
    with pytest.raises(error) as caught:
        engine.call("LIFT_TEST", *args)
    assert message in str(caught.value)


def test_over_the_wire_it_is_the_same_and_kept(live_server: LiveServer) -> None:
    args = campaign(300, {"a": 0.1, "b": 0.3})
    with Client.from_environment() as client:
        assert client.call("LIFT_TEST", *args) == live_server.engine.call("LIFT_TEST", *args)
    assert live_server.engine.stats().cells["LIFT_TEST", "store"] == 1
