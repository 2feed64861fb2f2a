"""EVAL: scores against hand work and published examples, headings, what is left out, bad input."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest

from server.decisions import scores
from server.engine import Engine
from tests.conftest import LiveServer
from udfs.catalogue import FUNCTIONS
from udfs.client import Client
from udfs.errors import BadInput, CellError, OutOfRange

EVAL = FUNCTIONS["EVAL"]
Place = tuple[str, str, Any]


def column(*cells: Any) -> list[list[Any]]:
    return [[cell] for cell in cells]


def by_place(table: list[list[Any]]) -> dict[Place, dict[str, Any]]:
    header, *rows = table
    return {(row[0], row[1], row[2]): dict(zip(header, row, strict=True)) for row in rows}


def value(found: Mapping[Place, Mapping[str, Any]], *place: Any) -> Any:
    measure, of, predicted = (*place, "", "")[:3]
    return found[measure, of, predicted]["value"]


def test_the_reference_shows_what_the_function_answers(engine: Engine) -> None:
    assert engine.call("EVAL", *EVAL.example.args) == EVAL.example.answer


def test_scores_of_labels_are_those_of_the_textbook_table(engine: Engine) -> None:
    """scikit-learn's user guide, "Classification report": class 0, 1, 2 by hand."""
    actual = ["class 0", "class 1", "class 2", "class 2", "class 0"]
    predicted = ["class 0", "class 0", "class 2", "class 1", "class 0"]
    found = by_place(engine.call("EVAL", column(*predicted), column(*actual)))
    assert value(found, "accuracy") == 0.6
    assert found["accuracy", "", ""]["in words"] == "3 of 5 right"
    for label, precision, recall, f1 in (
        ("class 0", 0.6667, 1, 0.8),
        ("class 1", 0, 0, 0),
        ("class 2", 1, 0.5, 0.6667),
    ):
        assert value(found, "precision", label) == precision
        assert value(found, "recall", label) == recall
        assert value(found, "F1", label) == f1
    assert value(found, "macro-F1") == 0.4889
    assert value(found, "confusion", "class 2", "class 1") == 1
    assert value(found, "confusion", "class 1", "class 2") == 0
    assert value(found, "commonest label", "class 0") == 0.4


def test_wilsons_interval_is_the_published_one() -> None:
    """Newcombe 1998, "Two-sided confidence intervals for the single proportion", table I."""
    for hits, rows, lo, hi in ((81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605)):
        found = scores.share(hits, rows)
        assert (found.lo, found.hi) == (pytest.approx(lo, abs=5e-5), pytest.approx(hi, abs=5e-5))


def test_labels_are_equal_as_a_sheet_compares_them(engine: Engine) -> None:
    found = by_place(
        engine.call(
            "EVAL", column(" Good", "BAD", 1, True, "x"), column("good", "bad", "1", "TRUE", "y")
        )
    )
    assert value(found, "accuracy") == 0.8
    found = by_place(engine.call("EVAL", column(True, False, True), column(1, 0, 0)))
    assert value(found, "accuracy") == 0.6667


def test_rows_left_out_are_counted_with_the_reason(engine: Engine) -> None:
    abstained = CellError("#N/A", "")
    table = engine.call(
        "EVAL",
        column("sentiment", "good", None, abstained, "bad", None, "good"),
        column("sentiment", "good", "bad", "bad", CellError("#REF!", ""), None, "good"),
    )
    found = by_place(table)
    assert value(found, "rows compared") == 2
    assert value(found, "rows left out") == 3
    assert found["rows left out", "", ""]["in words"] == (
        "2 without a prediction (1 of them errors); 1 without an actual value (1 of them errors)"
        "; row 1 was read as headings"
    )


def test_headings_are_told_from_labels(engine: Engine) -> None:
    predicted = column("predicted", *["good", "bad"] * 5)
    actual = column("truth", *["good", "good", "bad", "bad", "good"] * 2)
    found = by_place(engine.call("EVAL", predicted, actual))
    assert value(found, "rows compared") == 10
    assert found["rows left out", "", ""]["in words"].endswith("row 1 was read as headings")
    found = by_place(engine.call("EVAL", predicted[1:], actual[1:]))
    assert value(found, "rows compared") == 10
    assert found["rows left out", "", ""]["in words"] == "nothing left out"


def test_probabilities_are_ranked_and_calibrated(engine: Engine) -> None:
    """AUC, Brier score and calibration error of four rows, by hand: one pair of four is wrong."""
    found = by_place(engine.call("EVAL", column(0.1, 0.4, 0.35, 0.8), column(0, 0, 1, 1)))
    assert value(found, "AUC") == 0.75
    assert value(found, "Brier score") == 0.1581  # (.01 + .16 + .4225 + .04) / 4
    assert value(found, "calibration error") == 0.3375  # (.1 + .4 + .65 + .2) / 4
    assert value(found, "reliability", "0.8 to 0.9", 0.8) == 1
    assert value(found, "confusion", "1", "0") == 1
    assert value(found, "accuracy") == 0.75


def test_labels_with_their_confidence_are_calibrated(engine: Engine) -> None:
    rows: list[list[Any]] = [
        ["good", 0.9],
        ["bad", 0.6],
        ["good", 0.9],
        ["good", 0.9],
        ["bad", None],
    ]
    found = by_place(engine.call("EVAL", rows, column("good", "good", "good", "bad", "bad")))
    assert value(found, "rows compared") == 4
    assert found["rows left out", "", ""]["in words"] == "1 without a confidence from 0 to 1"
    assert value(found, "accuracy") == 0.5
    assert value(found, "reliability", "0.9 to 1.0", 0.9) == 0.6667
    assert value(found, "calibration error") == 0.325  # (3 * (.9 - 2/3) + .6) / 4
    with_score = [[label, 0.2, sure] for label, sure in rows]
    assert (
        by_place(engine.call("EVAL", with_score, column("good", "good", "good", "bad", "bad")))
        == found
    )


def test_a_calibrated_forecaster_is_not_called_off() -> None:
    draw = np.random.default_rng(5)
    off = 0
    for _ in range(100):
        probability = draw.beta(1, 2, 400)
        found = scores.calibration(probability, draw.random(400) < probability)
        off += found.error > found.chance_95
    assert off <= 11  # 5 expected; 11 has a chance of 0.4 %
    twice = scores.calibration(probability, draw.random(400) < probability / 2)
    assert twice.error > twice.chance_95
    assert twice.gap > 0.1


def test_delongs_interval_holds_its_level() -> None:
    draw = np.random.default_rng(7)
    inside = 0
    for _ in range(300):
        true = np.arange(120) < 40
        found = scores.area_under_curve(draw.normal(size=120) + true, true)
        assert found.lo is not None
        assert found.hi is not None
        inside += found.lo <= 0.76025 <= found.hi  # the normal distribution's of 1 / sqrt(2)
    assert inside >= 273  # 91 %


def test_numbers_have_distances(engine: Engine) -> None:
    found = by_place(engine.call("EVAL", column(110.5, 90, 30), column(100.5, 100, 24)))
    assert value(found, "mean absolute error") == 8.6667
    assert value(found, "bias") == 2
    assert value(found, "weighted percentage error") == 0.1158  # 26 / 224.5
    assert value(found, "root mean squared error") == 8.8694  # sqrt(236 / 3)


def test_chinese_labels_are_answered_in_chinese(engine: Engine) -> None:
    found = by_place(engine.call("EVAL", column("好评", "差评"), column("好评", "好评")))
    assert found["accuracy", "", ""]["in words"] == "2 行中 1 行正确"


def test_numbers_too_large_to_square_are_no_numbers(engine: Engine) -> None:
    found = by_place(engine.call("EVAL", column(1e300, 2.5, 3.5), column(1e300, 2.5, 4.5)))
    assert value(found, "accuracy") == 0.6667  # they are labels then


@pytest.mark.parametrize(
    ("args", "error", "message"),
    [
        ((column("a", "b"), column("a")), BadInput, "predicted has 2 rows, actual has 1 rows"),
        ((column(None, "a"), column("a", None)), OutOfRange, "None of the 2 rows has both"),
        (([["a", "b"]] * 2, [["a", "b"]] * 2), BadInput, "actual is a range of 2 by 2"),
        (([["a", "b"]] * 2, column("a", "b")), BadInput, "confidences from 0 to 1"),
        ((column(0.5, 0.2), column("red", "blue")), BadInput, "expected outcomes such as 1 and 0"),
        (
            (column(*(f"t{n}" for n in range(300))), column(*["a"] * 300)),
            BadInput,
            "301 different labels",
        ),
    ],
)
def test_bad_input_says_what_to_do(
    engine: Engine, args: tuple[Any, ...], error: type[Exception], message: str
) -> None:
    with pytest.raises(error) as caught:
        engine.call("EVAL", *args)
    assert message in str(caught.value)


def test_a_hundred_thousand_rows(engine: Engine) -> None:
    draw = np.random.default_rng(1)
    probability = draw.random(100_000).round(4)
    came = (draw.random(100_000) < probability).astype(int)
    found = by_place(engine.call("EVAL", column(*probability.tolist()), column(*came.tolist())))
    assert value(found, "AUC") == pytest.approx(5 / 6, abs=0.005)  # of uniform probabilities
    assert value(found, "rows compared") == 100_000


def test_over_the_wire_it_is_the_same_and_kept(live_server: LiveServer) -> None:
    args = column("good", CellError("#N/A", "")), column("good", "bad")
    with Client.from_environment() as client:
        answer = client.call("EVAL", *args)
        assert answer == live_server.engine.call("EVAL", *args)
    assert live_server.engine.stats().cells["EVAL", "store"] == 1
