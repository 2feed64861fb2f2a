"""Argument kinds: what a host passes becomes what a capability can rely on, or a clear error."""

from __future__ import annotations

import datetime
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from udfs.errors import (
    CELL_ERRORS,
    BadInput,
    CellError,
    NotReady,
    OutOfRange,
    ShopsheetError,
    Undecided,
    error_from_code,
)
from udfs.kinds import (
    MAX_TEXT_CHARS,
    AnyCell,
    Cells,
    Choice,
    Dates,
    Day,
    Flag,
    Kind,
    Number,
    Numbers,
    Texts,
    WordList,
    from_wire,
    is_blank,
    number_text,
    to_wire,
)

errors = st.builds(CellError, st.sampled_from(CELL_ERRORS), st.text(max_size=20))
cells = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=40) | errors
grids = st.integers(1, 4).flatmap(
    lambda width: st.lists(st.lists(cells, min_size=width, max_size=width), min_size=1, max_size=4)
)


# Texts


@given(grids)
def test_texts_keep_the_shape_and_hold_only_texts_blanks_and_errors(grid: list[list[Any]]) -> None:
    parsed = Texts().parse(grid, "text")
    assert [len(row) for row in parsed] == [len(row) for row in grid]
    for cell in (cell for row in parsed for cell in row):
        assert cell is None or isinstance(cell, CellError) or (isinstance(cell, str) and cell)
        if isinstance(cell, str):
            cell.encode("utf-8")  # no half characters: a tokenizer would refuse the whole batch


@given(grids)
def test_texts_read_the_same_from_the_wire(grid: list[list[Any]]) -> None:
    texts = Texts()
    once = texts.parse(grid, "text")
    assert texts.parse(once, "text") == once
    direct = [
        [repr(cell.code) if isinstance(cell, CellError) else cell for cell in r] for r in once
    ]
    wired = texts.parse(to_wire(grid), "text")
    assert [
        [repr(cell.code) if isinstance(cell, CellError) else cell for cell in row] for row in wired
    ] == direct


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        ("good", "good"),
        (5.0, "5"),
        (5, "5"),
        (0.1, "0.1"),
        (-2.50, "-2.5"),
        (1e300, "1e+300"),
        (True, "TRUE"),
        (False, "FALSE"),
        ("", None),
        (" \t\n\u3000", None),
        (None, None),
        ("  kept  ", "  kept  "),
        ("cut \ud83d", "cut \ufffd"),
        ("whole \ud83d\ude00", "whole 😀"),
        ({"error": {"code": "#N/A", "message": "m"}}, CellError("#N/A", "m")),
        ({"error": {"code": "#REF!"}}, CellError("#REF!", "")),
    ],
)
def test_a_cell_as_text(raw: Any, expected: Any) -> None:
    assert Texts().parse(raw, "text") == [[expected]]
    assert Texts().parse(((raw,),), "text") == [[expected]]


def test_a_text_that_is_too_long_spoils_its_own_cell_only() -> None:
    longest, too_long = "x" * MAX_TEXT_CHARS, "x" * (MAX_TEXT_CHARS + 1)
    parsed = Texts().parse([[longest], [too_long]], "text")
    assert parsed[0] == [longest]
    assert isinstance(parsed[1][0], CellError)
    assert parsed[1][0].code == "#VALUE!"
    assert "32,768 characters" in parsed[1][0].message


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        ([], "empty range"),
        ([[]], "empty range"),
        (["a", "b"], r'flat list.*\[\["a"\],\["b"\]\]'),
        ([["a"], ["b", "c"]], "2 cells in row 2 and 1 in row 1"),
        ([["a"], "b"], "flat list"),
        (object(), "where a cell was expected"),
        ([[[1]]], "where a cell was expected"),
        ({"error": {"code": "#OOPS"}}, "cell error"),
        ({"error": "bad"}, "where a cell was expected"),
    ],
)
def test_what_is_no_range_is_refused(raw: Any, message: str) -> None:
    with pytest.raises(BadInput, match=message):
        Texts().parse(raw, "text")


# Numbers and Dates


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        (5, 5.0),
        ("12.50", 12.5),
        (-3.25, -3.25),
        (" ", None),
        (None, None),
        ("£5", "#VALUE!"),
        (True, "#VALUE!"),
        (float("nan"), "#VALUE!"),
        (CellError("#REF!", ""), "#REF!"),
    ],
)
def test_a_cell_as_number(raw: Any, expected: Any) -> None:
    ((found,),) = Numbers().parse([[raw]], "amounts")
    assert (found.code if isinstance(found, CellError) else found) == expected


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        (45443, datetime.date(2024, 5, 31)),
        (45443.999, datetime.date(2024, 5, 31)),
        (61, datetime.date(1900, 3, 1)),
        ("45443", datetime.date(2024, 5, 31)),
        ("2024-05-31", datetime.date(2024, 5, 31)),
        ("2024/5/31 14:03", datetime.date(2024, 5, 31)),
        ("2024-05-31T14:03:00Z", datetime.date(2024, 5, 31)),
        ("2024年5月31日", datetime.date(2024, 5, 31)),
        ("", None),
        (None, None),
        ("03/04/2024", "#VALUE!"),
        ("2024-02-30", "#VALUE!"),
        (0, "#VALUE!"),
        (-5, "#VALUE!"),
        (1e9, "#VALUE!"),
        (True, "#VALUE!"),
        (CellError("#N/A", ""), "#N/A"),
    ],
)
def test_a_cell_as_date(raw: Any, expected: Any) -> None:
    ((found,),) = Dates().parse([[raw]], "dates")
    assert (found.code if isinstance(found, CellError) else found) == expected


def test_one_day() -> None:
    assert Day().parse("2024-05-31", "as_of") == datetime.date(2024, 5, 31)
    assert Day().parse(None, "as_of") is None
    with pytest.raises(BadInput, match=r"as_of holds 'soon'.*2024-05-31"):
        Day().parse("soon", "as_of")


# Choice and Number


def test_a_choice_in_any_case() -> None:
    kind = Choice("label", "score", "all")
    assert kind.parse(" ALL ", "output") == "all"
    assert kind.parse([["Score"]], "output") == "score"
    assert kind.choices == ("label", "score", "all")
    with pytest.raises(BadInput) as caught:
        kind.parse("lable", "output")
    assert caught.value.message == 'output is \'lable\'; expected "label", "score" or "all".'


@pytest.mark.parametrize("raw", [5, True, None, ""])
def test_a_choice_is_a_word(raw: Any) -> None:
    with pytest.raises(BadInput, match="expected"):
        Choice("a").parse(raw, "output")


def test_a_range_where_one_cell_is_wanted_is_refused() -> None:
    with pytest.raises(BadInput, match="2 by 1 cells; expected one cell"):
        Number(0, 1).parse([[0.1], [0.2]], "min_confidence")


def test_an_error_cell_as_an_option_is_that_error() -> None:
    with pytest.raises(BadInput) as caught:
        Number(0, 1).parse(CellError("#REF!", "gone"), "min_confidence")
    assert caught.value.cell_error == "#REF!"
    assert str(caught.value.message) == "min_confidence is the error #REF!. gone"
    assert caught.value.to_cell() == CellError("#REF!", "min_confidence is the error #REF!. gone")


@given(st.floats(0, 1))
def test_a_number_within_its_bounds(value: float) -> None:
    assert Number(0, 1).parse(value, "p") == value
    assert Number(0, 1).parse(repr(value), "p") == value


@given(st.floats(allow_nan=False).filter(lambda value: not 0 <= value <= 1))
def test_a_number_outside_its_bounds(value: float) -> None:
    with pytest.raises(OutOfRange if math.isfinite(value) else BadInput):
        Number(0, 1).parse(value, "p")


@pytest.mark.parametrize("raw", [True, "many", "", "nan", float("nan"), None, "0,5"])
def test_what_is_no_number_is_refused(raw: Any) -> None:
    with pytest.raises(BadInput, match="expected a number from 0 to 1"):
        Number(0, 1).parse(raw, "p")


def test_a_number_that_looks_like_a_percentage_gets_a_hint() -> None:
    with pytest.raises(OutOfRange) as caught:
        Number(0, 1).parse(80, "min_confidence")
    assert caught.value.message == (
        "min_confidence is 80; expected a number from 0 to 1. Write 80% or 0.8."
    )


def test_whole_numbers() -> None:
    kind = Number(1, integer=True)
    assert kind.parse(3.0, "top_n") == 3
    assert isinstance(kind.parse(3.0, "top_n"), int)
    with pytest.raises(BadInput, match=r"top_n is 2\.5; expected a whole number of at least 1"):
        kind.parse(2.5, "top_n")
    assert Number(hi=9).describe() == "a number of at most 9"
    assert Number().describe() == "a number"


# What hosts and the wire need


@pytest.mark.parametrize(
    ("kind", "good", "bad"),
    [
        (Texts(), ["a", 1, True, None, [["a", None], [1.5, {"error": {"code": "#N/A"}}]]], [["a"]]),
        (Choice("a", "b"), ["a", None], ["c", 1, [["a"], ["b"]]]),
        (Number(0, 1), [0, 0.5, 1, None], [2, "x"]),
        (Number(1, integer=True), [1, 7, None], [0, 1.5]),
        (WordList(), ["a;b", 1, None, ["a", "b"], [["a"], [None]]], [{"a": 1}]),
        (Flag(), [True, False, None, 1, 0, "TRUE"], ["yes", 2, [[True], [False]]]),
        (Cells(), ["a", 1, True, None, [["a", None]]], [["a"]]),
        (AnyCell(), ["a", "", 0, True, None], [[["a"], ["b"]]]),
    ],
)
def test_the_json_schema_says_what_parse_does(kind: Kind, good: list[Any], bad: list[Any]) -> None:
    schema = Draft202012Validator(kind.json_schema())
    for raw in good:
        schema.validate(raw)
        if raw is not None:
            kind.parse(raw, "arg")
    for raw in bad:
        assert not schema.is_valid(raw)
        with pytest.raises((BadInput, OutOfRange)):
            kind.parse(raw, "arg")


def test_host_metadata_follows_from_the_kind() -> None:
    assert (Texts().office_type, Texts().dimensionality) == ("any", "matrix")
    assert (Choice("a").office_type, Choice("a").dimensionality) == ("string", "scalar")
    assert (Number().office_type, Number().dimensionality) == ("number", "scalar")


@given(grids)
def test_the_wire_brings_back_what_was_sent(grid: list[list[Any]]) -> None:
    sent = [[0.5 if isinstance(c, float) and not math.isfinite(c) else c for c in r] for r in grid]
    assert from_wire(to_wire(sent)) == sent


def test_blank_arguments() -> None:
    assert is_blank(None)
    assert is_blank("  ")
    assert is_blank([[None]])
    assert is_blank([[""]])
    assert not is_blank(0)
    assert not is_blank(False)
    assert not is_blank([[None], [None]])


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_the_text_of_a_number_reads_back_as_the_number(value: float) -> None:
    assert float(number_text(value)) == value


# Errors


def test_an_error_from_the_wire_keeps_code_and_message() -> None:
    for code in CELL_ERRORS:
        error = error_from_code(code, "why")
        assert (error.cell_error, error.message) == (code, "why")
    assert isinstance(error_from_code("#VALUE!", ""), BadInput)
    assert isinstance(error_from_code("#NUM!", ""), OutOfRange)
    assert isinstance(error_from_code("#N/A", ""), Undecided)
    assert error_from_code("nonsense", "").cell_error == "#VALUE!"


def test_an_error_says_how_long_to_wait() -> None:
    assert NotReady("busy", retry_after_s=2).retry_after_s == 2
    assert NotReady("busy").to_json() == {"error": {"code": "#N/A", "message": "busy"}}


# Lists of words, flags and values of any kind


@pytest.mark.parametrize(
    ("raw", "words"),
    [
        ("price;quality", ("price", "quality")),
        (" price ；  quality ; ", ("price", "quality")),
        ([["price"], ["quality; value"]], ("price", "quality; value")),
        ([["price", None, "quality"]], ("price", "quality")),
        ([["price;quality"]], ("price", "quality")),
        (["price", "quality"], ("price", "quality")),
        (("a;b",), ("a;b",)),
        ("Price;PRICE;price", ("Price",)),
        (5.0, ("5",)),
        (True, ("TRUE",)),
        (None, ()),
        (" ", ()),
        ([[None], [""]], ()),
        ("价格；质量", ("价格", "质量")),
    ],
)
def test_words_in_one_cell_or_a_range(raw: Any, words: tuple[str, ...]) -> None:
    assert WordList().parse(raw, "stop_words") == words
    assert WordList().parse(words, "stop_words") == words


def test_a_blank_holds_its_place_where_lists_are_paired() -> None:
    kind = WordList(keep_blanks=True)
    assert kind.parse([["a"], [None], ["b"], [None]], "labels") == ("a", "", "b", "")
    assert kind.parse(("a", "", "b"), "labels") == ("a", "", "b")
    assert kind.parse("a;;b", "labels") == ("a", "", "b")
    assert kind.parse([[None], [None]], "labels") == ()


def test_words_that_are_too_few_or_twice_are_refused() -> None:
    kind = WordList(at_least=2, distinct=True)
    assert kind.parse("a;b", "labels") == ("a", "b")
    with pytest.raises(BadInput, match=r"labels holds 1; expected a range or a list .* at least 2"):
        kind.parse("a", "labels")
    with pytest.raises(BadInput, match="labels holds 'A' twice"):
        kind.parse("a;b;A", "labels")


def test_an_error_among_words_is_that_error() -> None:
    with pytest.raises(BadInput, match="cell 2 of labels is the error #REF!") as caught:
        WordList().parse([["a"], [CellError("#REF!", "")]], "labels")
    assert caught.value.cell_error == "#REF!"
    with pytest.raises(BadInput, match=r"labels is the error #VALUE!.*32,768 characters"):
        WordList().parse("x" * (MAX_TEXT_CHARS + 1), "labels")


@given(grids)
def test_words_read_again_are_the_same(grid: list[list[Any]]) -> None:
    for kind in (WordList(), WordList(keep_blanks=True)):
        try:
            words = kind.parse(grid, "labels")
        except ShopsheetError:
            continue
        assert kind.parse(words, "labels") == words
        assert kind.parse(to_wire(words), "labels") == words


@pytest.mark.parametrize("raw", [True, 1, 1.0, "true", " TRUE ", [[True]]])
def test_true_in_any_host(raw: Any) -> None:
    assert Flag().parse(raw, "multi") is True


@pytest.mark.parametrize("raw", [False, 0, 0.0, "False"])
def test_false_in_any_host(raw: Any) -> None:
    assert Flag().parse(raw, "multi") is False


@pytest.mark.parametrize("raw", ["yes", 2, "", None, "1"])
def test_what_is_no_truth_value_is_refused(raw: Any) -> None:
    with pytest.raises(BadInput, match="expected TRUE or FALSE"):
        Flag().parse(raw, "multi")


def test_cells_keep_what_the_sheet_holds() -> None:
    grid = [[1, 2.5, True, "a ", None, "", float("inf"), CellError("#N/A", "m")]]
    ((*same, blank, infinite, error),) = Cells().parse(grid, "return_array")
    assert same == [1, 2.5, True, "a ", None]
    assert blank is None
    assert isinstance(infinite, CellError)
    assert infinite.code == "#NUM!"
    assert error == CellError("#N/A", "m")
    assert Cells().parse(7, "return_array") == [[7]]


def test_a_value_of_any_kind() -> None:
    kind = AnyCell()
    for value in (0.0, False, "none", ""):
        found = kind.parse(value, "if_not_found")
        assert (found, type(found)) == (value, type(value))
    assert kind.parse(None, "if_not_found") is None
    assert kind.parse([[None]], "if_not_found") == ""
    with pytest.raises(BadInput, match="2 by 1 cells; expected one cell: a value"):
        kind.parse([[1], [2]], "if_not_found")


def test_an_empty_text_is_left_out_except_where_it_is_a_value() -> None:
    assert Number().is_left_out("")
    assert Texts().is_left_out([[None]])
    assert AnyCell().is_left_out(None)
    assert not AnyCell().is_left_out("")
