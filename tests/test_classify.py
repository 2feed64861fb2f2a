"""CLASSIFY through the engine, the client and a refreshed workbook."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import openpyxl
import pytest
import xlsxwriter

from server.capabilities import CAPABILITIES
from server.capabilities.classify import Classify
from server.engine import Engine
from tests.conftest import TOKEN, LiveServer
from udfs.client import Client
from udfs.errors import BadInput, CellError, Undecided
from udfs.kinds import MAX_TEXT_CHARS
from udfs.refresh import refresh

LABELS = "battery;delivery;shoes"
GOOD = ["great phone", "love it", "perfect fast delivery", "nice and happy", "很赞 很棒"]
BAD = ["bad phone", "awful", "slow late delivery", "broken and damaged", "很慢 很差"]
EXAMPLES = [[text, label] for pair in zip(GOOD, BAD, strict=True)
            for text, label in zip(pair, ("pass", "fail"), strict=True)]  # fmt: skip


def column(cells: list[Any]) -> list[list[Any]]:
    return [[cell] for cell in cells]


def test_a_text_that_is_a_label_gets_that_label(engine: Engine) -> None:
    assert engine.call("CLASSIFY", "delivery", LABELS) == "delivery"
    found = engine.call("CLASSIFY", column(["shoes", "battery"]), column(LABELS.split(";")))
    assert found == [["shoes"], ["battery"]]


def test_a_list_and_a_range_of_labels_are_the_same(engine: Engine) -> None:
    texts = column(["slow phone", "love the shoes", "battery"])
    answers = [
        engine.call("CLASSIFY", texts, labels)
        for labels in (LABELS, "battery ；delivery； shoes", [LABELS.split(";")], [[LABELS]])
    ]
    assert all(answer == answers[0] for answer in answers)


def test_examples_teach_labels_that_mean_nothing(engine: Engine) -> None:
    texts = column(["excellent", "worst price", "a perfect day", "the box was damaged"])
    taught = engine.call("CLASSIFY", texts, "pass;fail", None, None, EXAMPLES)
    assert taught == column(["pass", "fail", "pass", "fail"])


def test_rows_of_examples_that_are_not_filled_in_wait(engine: Engine) -> None:
    padded = [*EXAMPLES, ["not yet labelled", None], [None, None], [None, "pass"]]
    for text in ("excellent", "worst price"):
        assert engine.call("CLASSIFY", text, "pass;fail", None, None, padded) == engine.call(
            "CLASSIFY", text, "pass;fail", None, None, EXAMPLES
        )


def test_the_label_of_an_example_may_differ_in_case(engine: Engine) -> None:
    shouted = [[text, f" {label.upper()} "] for text, label in EXAMPLES]
    assert engine.call("CLASSIFY", "excellent", "pass;fail", None, None, shouted) == "pass"


def test_only_the_bad_cell_errs(engine: Engine) -> None:
    cells = [
        "battery",
        None,
        CellError("#REF!", ""),
        5,
        "😀😀",
        "x " * 20_000,
        "b" * MAX_TEXT_CHARS,
    ]
    found = [row[0] for row in engine.call("CLASSIFY", column(cells), LABELS)]
    assert found[:3] == ["battery", "", CellError("#REF!", "")]
    assert found[3] in LABELS.split(";")
    assert found[4] in LABELS.split(";")
    assert isinstance(found[5], CellError)
    assert found[6] in LABELS.split(";")


def test_below_min_confidence_it_abstains_and_says_why(engine: Engine) -> None:
    (found,) = engine.call("CLASSIFY", [["slow phone"]], LABELS, None, None, None, 1)[0]
    assert found.code == "#N/A"
    assert "closest is" in found.message
    assert "below min_confidence 1" in found.message
    assert engine.call("CLASSIFY", "slow phone", LABELS, None, None, None, 0) in LABELS


def test_multi_gives_every_label_that_applies_in_their_order(engine: Engine) -> None:
    both = [[f"{good} {bad}", "fail; pass"] for good, bad in zip(GOOD, BAD, strict=True)]
    examples = [*EXAMPLES, *both]
    texts = column(["excellent", "worst price", "excellent but worst price"])
    found = engine.call("CLASSIFY", texts, "pass;fail", None, True, examples)
    assert found[0] == ["pass"]
    assert found[1] == ["fail"]
    assert found[2] == ["pass; fail"]
    most = engine.call("CLASSIFY", texts, "pass;fail", None, True, examples, 0.001)
    assert most == column(["pass; fail"] * 3)
    none = engine.call("CLASSIFY", texts, "pass;fail", None, True, examples, 1)
    assert [cell.code for (cell,) in none] == ["#N/A"] * 3


def test_descriptions_say_what_a_label_means(engine: Engine) -> None:
    told = ("CLASSIFY", "great excellent perfect", "A;B", "bad awful worst;great excellent perfect")
    assert engine.call(*told) == "B"
    swapped = engine.call(told[0], told[1], "A;B", "great excellent perfect;bad awful worst")
    assert swapped == "A"


def test_an_empty_label_with_an_empty_description_is_no_label(engine: Engine) -> None:
    labels = column(["battery", None, "delivery", ""])
    told = column(["great", None, "bad", None])
    found = engine.call("CLASSIFY", column(["battery", "delivery"]), labels, told)
    assert found == [["battery"], ["delivery"]]


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (("x", "one"), "labels holds 1, and there are no saved labels 'one'; saved: none yet"),
        (("x", [[None], ["a"]]), "labels holds 1"),
        (("x", "a/b"), "there are no saved labels 'a/b'"),
        (("x", "one", "what it is"), "descriptions cannot be used with saved labels"),
        (("x", "a;b;A"), "labels holds 'A' twice"),
        (("x", [["a"], [CellError("#REF!", "")]]), "cell 2 of labels is the error #REF!"),
        (("x", "a;b", "one;two;three"), "descriptions holds 3 and labels 2"),
        (("x", "a;b", None, "maybe"), "multi is 'maybe'; expected TRUE or FALSE"),
        (("x", "a;b", None, None, [["t", "a"], ["u", "c"]]), "Row 2 of examples .* 'c'.*: a, b"),
        (("x", "a;b", None, None, [["t"], ["u"]]), "examples is a range of 2 by 1 .* two columns"),
        (("x", "a;b", None, None, "t"), "examples is a range of 1 by 1"),
        (("x", "a;b", None, None, [["t", CellError("#N/A", "")]]), "Row 1 of examples holds #N/A"),
        (("x", "a;b", None, True, [["t", "a; c"]]), "Row 1 of examples has the label 'c'"),
    ],
)
def test_what_does_not_fit_together_says_so(
    engine: Engine, args: tuple[Any, ...], message: str
) -> None:
    with pytest.raises((BadInput, Undecided), match=message):
        engine.call("CLASSIFY", *args)


def test_a_text_gets_the_same_label_in_any_company(engine: Engine) -> None:
    texts = [f"{word} {n}" for n in range(30) for word in ("slow", "great", "phone", "鞋")]
    together = engine.call("CLASSIFY", column(texts), "pass;fail", None, None, EXAMPLES)
    alone = [engine.call("CLASSIFY", t, "pass;fail", None, None, EXAMPLES) for t in texts]
    assert column(alone) == together


def test_a_head_is_fitted_once_and_forgetting_it_changes_nothing(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    texts = column(["excellent", "worst price", "phone"])
    args = ("CLASSIFY", texts, "pass;fail", None, None, EXAMPLES, 0.6)
    first = engine.call(*args)
    before = engine.workers["encoder"].stats().items
    with monkeypatch.context() as patch:
        patch.setattr("server.capabilities.classify.fit_head", None)  # a second fit would fail
        assert engine.call(*args) == first
    assert engine.workers["encoder"].stats().items == before
    monkeypatch.setitem(CAPABILITIES, "classify", Classify())
    assert engine.call(*args) == first


def test_labels_come_over_http_and_single_cells_share_a_request(live_server: LiveServer) -> None:
    with Client(live_server.url, TOKEN) as client:
        assert client.call("CLASSIFY", "battery", LABELS) == "battery"
        futures = [client.submit("CLASSIFY", text, LABELS) for text in ("shoes", "delivery", "")]
        assert [future.result(30) for future in futures] == ["shoes", "delivery", ""]
        found = client.call("CLASSIFY", column(["excellent"]), "pass;fail", None, False, EXAMPLES)
        assert found == [["pass"]]
        with pytest.raises(BadInput, match="labels holds 1"):
            client.call("CLASSIFY", "x", "one")


def test_a_workbook_is_refreshed(live_server: LiveServer, tmp_path: Path) -> None:
    path = tmp_path / "labels.xlsx"
    book = xlsxwriter.Workbook(path)
    sheet = book.add_worksheet("Reviews")
    sheet.write_column("A1", ["excellent", "worst price", "", "a perfect day"])
    sheet.write_column("C1", ["pass", "fail"])
    for row, example in enumerate(EXAMPLES):
        sheet.write_row(row, 4, example)
    sheet.write_dynamic_array_formula("B1", "=SHOP.CLASSIFY(A1:A4,C1:C2,,FALSE,E1:F10)", None, "")
    sheet.write_formula("H1", '=IF(SHOP.CLASSIFY("battery","battery;shoes")="battery",1,2)')
    book.close()
    with Client(live_server.url, TOKEN) as client:
        assert not refresh(path, client).errors
    sheet = openpyxl.load_workbook(path, data_only=True)["Reviews"]
    assert [sheet.cell(row, 2).value or "" for row in range(1, 5)] == ["pass", "fail", "", "pass"]
    assert sheet["H1"].value == 1
