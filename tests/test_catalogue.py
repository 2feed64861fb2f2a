"""The catalogue: what it declares works, and it refuses what a host could not carry."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from typing import Any

import pytest

from udfs import catalogue
from udfs.catalogue import FUNCTIONS, SENTIMENT, SIMILAR, SUMMARIZE
from udfs.errors import BadInput, CellError, OutOfRange
from udfs.function import ANY, Arg, Example, Function, Spill
from udfs.function_check import check, looks_like_a_cell
from udfs.kinds import Choice, Number, Texts


def test_importing_the_catalogue_loads_nothing_heavy() -> None:
    script = (
        "import sys; import udfs.catalogue, udfs.client;"
        "print([name for name in ('torch', 'flask', 'numpy', 'xlwings', 'openvino', 'server')"
        " if name in sys.modules])"
    )
    found = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert found.returncode == 0, found.stderr
    assert found.stdout.strip() == "[]"


# Every declared function


@pytest.mark.parametrize("function", FUNCTIONS.values(), ids=lambda function: function.name)
def test_a_declared_function_describes_itself(function: Function) -> None:
    data = json.loads(json.dumps(function.to_json(), allow_nan=False))
    assert data["spellings"]["xlwings"] == f"SHOP_{function.name}"
    assert data["spellings"]["saved"] == f"_xldudf_SHOP_{function.name}"
    assert data["signature"].startswith(f"SHOP.{function.name}(")
    assert len(data["args"]) == len(function.args)
    assert all(arg["help"] and arg["expects"] for arg in data["args"])
    assert all(("default" in arg) is not arg["required"] for arg in data["args"])
    assert data["example"]["formula"].startswith(f"=SHOP.{function.name}(")
    assert data["example"]["answer"] is not None


def test_catalogue_names_are_upper_case_keys() -> None:
    assert all(name == function.name == name.upper() for name, function in FUNCTIONS.items())


@pytest.mark.parametrize(
    "name",
    ["SENTIMENT", "sentiment", " Shop.Sentiment ", "SHOP_SENTIMENT", "_xldudf_SHOP_SENTIMENT"],
)
def test_a_function_is_found_in_every_spelling(name: str) -> None:
    assert catalogue.get(name) is SENTIMENT


def test_an_unknown_function_names_close_ones() -> None:
    with pytest.raises(BadInput) as caught:
        catalogue.get("SENTIMETN")
    assert caught.value.message.startswith(
        "There is no function 'SENTIMETN'. Did you mean SENTIMENT"
    )
    with pytest.raises(BadInput, match=r"There is no function 'XYZ'\. There is SENTIMENT, "):
        catalogue.get("XYZ")


# SENTIMENT


def test_arguments_left_out_have_their_defaults() -> None:
    expected = {"text": [["a"]], "output": "label", "min_confidence": 0.0}
    assert SENTIMENT.bind(["a"]) == expected
    assert SENTIMENT.bind(["a", None, None]) == expected
    assert SENTIMENT.bind([[["a"]], [[None]], ""]) == expected
    assert SENTIMENT.bind(["a", "SCORE", 0.5]) == {
        "text": [["a"]],
        "output": "score",
        "min_confidence": 0.5,
    }


def test_a_blank_text_is_an_argument() -> None:
    assert SENTIMENT.bind([None])["text"] == [[None]]


@pytest.mark.parametrize(
    ("args", "error", "message"),
    [
        ([], BadInput, "text is missing. Write SHOP.SENTIMENT(text, [output], [min_confidence])."),
        (["a", "b", 0, 1], BadInput, "was given 4 arguments and takes at most 3"),
        (["a", "stars"], BadInput, 'output is \'stars\'; expected "label", "score" or "all".'),
        (["a", None, -1], OutOfRange, "min_confidence is -1; expected a number from 0 to 1."),
        ([[["a", "b"]], "all"], BadInput, 'text is 2 columns wide; with output="all"'),
    ],
)
def test_bad_arguments_say_what_to_do(
    args: list[Any], error: type[Exception], message: str
) -> None:
    with pytest.raises(error) as caught:
        SENTIMENT.bind(args)
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("args", "shape"),
    [
        (["a"], None),
        (["a", "score"], None),
        (["a", "all"], (1, 3)),
        ([[["a"]]], (1, 1)),
        ([[["a", "b"], ["c", "d"]]], (2, 2)),
        ([[["a"], ["b"]], "all"], (2, 3)),
    ],
)
def test_the_answer_grows_as_declared(args: list[Any], shape: tuple[int, int] | None) -> None:
    assert SENTIMENT.answer_shape(args) == shape


def test_columns_follow_the_option() -> None:
    assert SENTIMENT.columns(SENTIMENT.bind(["a", "all"])) == ("label", "score", "confidence")
    assert SENTIMENT.columns(SENTIMENT.bind(["a"])) == ()


def test_an_error_cell_in_the_data_is_passed_on() -> None:
    error = CellError("#DIV/0!")
    assert SENTIMENT.bind([[[error], ["a"]]])["text"] == [[error], ["a"]]


def test_the_example_is_written_as_a_formula() -> None:
    example = replace(SENTIMENT, example=Example(('say "hi"', "label", 0.5), "neutral"))
    assert example.example_formula() == '=SHOP.SENTIMENT("say ""hi""","label",0.5)'
    table = replace(SENTIMENT, example=Example(([["a", 1], [True, None]],), "x"))
    assert table.example_formula() == '=SHOP.SENTIMENT({"a",1;TRUE,})'


# What the catalogue refuses


def changed(**fields: Any) -> Function:
    return replace(SENTIMENT, **fields)


TEXT = SENTIMENT.args[0]


@pytest.mark.parametrize(
    ("function", "problem"),
    [
        (changed(name="sentiment"), "capitals"),
        (changed(name="A.B"), "capitals"),
        (changed(name="TOP__N"), "capitals"),
        (changed(name="AB"), "3 to 115"),
        (changed(name="A" * 116), "3 to 115"),
        (changed(name="ABC2"), "cell address"),
        (changed(name="R1C1"), "cell address"),
        (changed(name="XFD1048576"), "cell address"),
        (changed(capability="Not a module"), "Python module"),
        (changed(summary="x" * 200, returns="y" * 60), "261 characters"),
        (changed(summary=" "), "one line of text"),
        (changed(returns="two\nlines"), "one line of text"),
        (changed(args=()), "first argument"),
        (changed(args=(Arg("text", Texts(), "h" * 256),)), "256 characters"),
        (changed(args=(Arg("text", Texts(), "h", default="x"),)), "first argument"),
        (changed(args=(Arg("Text", Texts(), "h"),), spills=Spill()), "lower case"),
        (changed(args=(Arg("end", Texts(), "h"),), spills=Spill()), "reserved word"),
        (changed(args=(Arg("lambda", Texts(), "h"),), spills=Spill()), "reserved word"),
        (changed(args=(TEXT, TEXT), spills=Spill()), "appears twice"),
        (
            changed(args=(TEXT, Arg("a", Number(), "h", default=0.0), Arg("b", Number(), "h"))),
            "b is required and stands after a",
        ),
        (
            changed(args=(TEXT, Arg("a", Choice("x"), "h", default="X")), spills=Spill()),
            "default of a",
        ),
        (changed(spills=Spill("output", {"everything": ("a", "b")})), "cannot be chosen"),
        (changed(spills=Spill("missing", {})), "cannot be chosen"),
        (
            changed(spills=Spill(columns={"": ("a",)}, table=True, given="output")),
            "defaults to None",
        ),
        (changed(example=Example(("a", "no"), "x")), "its example is refused: output is"),
    ],
)
def test_a_function_that_a_host_could_not_carry_is_refused(
    function: Function, problem: str
) -> None:
    with pytest.raises(ValueError, match="cannot be offered") as caught:
        check([function])
    assert problem in str(caught.value)


def test_one_argument_name_means_one_kind_everywhere() -> None:
    other = changed(
        name="OTHER",
        args=(Arg("text", Choice("a", "b"), "h"),),
        spills=Spill(),
        example=Example(("a",), "b"),
    )
    with pytest.raises(ValueError, match="argument text is a Choice here and a Texts elsewhere"):
        check([SENTIMENT, other])
    with pytest.raises(ValueError, match="declared twice"):
        check([SENTIMENT, SENTIMENT])


def test_columns_that_a_number_counts() -> None:
    assert SIMILAR.answer_shape(["a", "b"]) is None
    assert SIMILAR.answer_shape([[["a", "b"]], "c"]) == (1, 2)
    assert SIMILAR.answer_shape(["a", "b", None, None, 3]) == (1, 3)
    assert SIMILAR.answer_shape([[["a"], ["b"]], "c", None, None, 3]) == (2, 3)
    values = SIMILAR.bind(["a", "b", None, None, 2])
    assert SIMILAR.columns(values) == ("match_1", "match_2")
    with pytest.raises(BadInput, match=r"lookup_text is 2 columns wide; each row spills into 3"):
        SIMILAR.bind([[["a", "b"]], "c", None, None, 3])


def test_a_table_only_where_an_argument_is_given() -> None:
    column = [["a"], ["b"]]
    assert SUMMARIZE.answer_shape([column]) is None
    assert SUMMARIZE.answer_shape([[["a", "b"]]]) is None
    assert SUMMARIZE.answer_shape([column, column]) == (ANY, 3)
    assert SUMMARIZE.answer_shape(["a", "x"]) == (ANY, 3)


def test_an_empty_text_can_be_a_value() -> None:
    assert SIMILAR.bind(["a", "b", None, ""])["if_not_found"] == ""
    assert SIMILAR.bind(["a", "b", None, None])["if_not_found"] is None
    assert SIMILAR.bind(["a", "b", "", None])["return_array"] is None


@pytest.mark.parametrize("name", ["A1", "xfd1", "R", "C", "R2", "C12", "R1C1", "RC"])
def test_cell_addresses_are_recognised(name: str) -> None:
    assert looks_like_a_cell(name)


@pytest.mark.parametrize("name", ["LIFT_TEST", "SENTIMENT", "ABCD1", "A_1", "COPY"])
def test_function_names_are_not_cell_addresses(name: str) -> None:
    assert not looks_like_a_cell(name)
