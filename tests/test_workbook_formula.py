"""Formula text: our calls and all references are found, whatever the spelling."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from openpyxl.formula import Tokenizer
from openpyxl.formula.tokenizer import Token

from udfs.workbook.book import Book, Sheet, Table
from udfs.workbook.cells import Area
from udfs.workbook.formula import Call, Expr, FormulaSyntaxError, may_call_us, own_name, parse
from udfs.workbook.sheet import SheetCells
from udfs.workbook.translate import Reads, Scope, reads_of


@pytest.fixture
def book() -> Book:
    found = Book(tab_names=["S", "My Data", "三月", "Last"])
    for name in found.tab_names:
        found.sheets[name.casefold()] = Sheet(name, f"{name}.xml", SheetCells())
    found.names = {
        (None, "reviews"): "'My Data'!$A$2:$A$9",
        ("s", "reviews"): "S!$B$1",
        (None, "above"): "S!A1048576",
        (None, "loop"): "loop+1",
        (None, "scored"): 'SHOP.SENTIMENT(reviews,"score")',
    }
    found.tables = {
        "t1": Table("T1", "My Data", Area(3, 2, 8, 4), ("a", "b c", "d]"), 1, 1),
    }
    return found


def reads(book: Book, formula: str, row: int = 5, col: int = 7, sheet: str = "s") -> Reads:
    return reads_of(parse(formula), Scope(book, sheet, row, col))


def areas(book: Book, formula: str, row: int = 5) -> list[str]:
    return [f"{sheet}!{area}" for sheet, area in reads(book, formula, row).areas]


@pytest.mark.parametrize(
    ("formula", "expected"),
    [
        ("A1+$B$2", ["s!A1", "s!B2"]),
        ("SUM(B9:A1,C:D,3:4)", ["s!A1:B9", "s!C1:D1048576", "s!A3:XFD4"]),
        ("'My Data'!A1&三月!B2", ["my data!A1", "三月!B2"]),
        ("SUM('My Data:Last'!A1)", ["my data!A1", "三月!A1", "last!A1"]),
        ("Nowhere!A1", []),
        ("reviews", ["s!B1"]),
        ("'My Data'!reviews", ["my data!A2:A9"]),
        ("above", ["s!G4"]),
        ("T1[a]", ["my data!B4:B7"]),
        ("T1[[#This Row],[b c]]", ["my data!C5"]),
        ("T1[@[b c]]", ["my data!C5"]),
        ("T1[@a]", ["my data!B5"]),
        ("T1[[a]:[d']]]", ["my data!B4:D7"]),
        ("T1[#All]", ["my data!B3:D8"]),
        ("T1[[#Headers],[#Data],[a]]", ["my data!B3:B7"]),
        ("T1[[#Totals],[a]]", ["my data!B8"]),
        ("T1[]", ["my data!B4:D7"]),
        ('"A1"&LOG10(1)&1E5&#REF!', []),
        ("_xlfn.LET(_xlpm.A,C1,_xlpm.A)", ["s!C1"]),
        ("G28#", ["s!G28"]),
    ],
)
def test_what_a_formula_reads(book: Book, formula: str, expected: list[str]) -> None:
    assert areas(book, formula) == expected


def test_what_cannot_be_known_beforehand(book: Book) -> None:
    assert reads(book, 'INDIRECT("A1")').dynamic
    assert reads(book, "SUM(A1:INDEX(B:B,5))").dynamic
    assert reads(book, "SUM(A1:Last!B2)").dynamic
    assert not reads(book, "INDEX(A1:B2,1)").dynamic


@pytest.mark.parametrize(
    ("formula", "problem"),
    [
        ("[3]Sheet1!A1", "another workbook"),
        ("'C:\\x\\[b.xlsx]S'!A1", "another workbook"),
        ("T9[a]", "no table T9"),
        ("T1[zz]", "no column zz"),
        ("loop", "refers to itself"),
        ("tools.xlam!CLEAN_UP(A1)", "another add-in"),
        ('RTD("a",,B1)', "RTD"),
    ],
)
def test_what_is_out_of_reach_is_told(book: Book, formula: str, problem: str) -> None:
    found = reads(book, f"{formula}+A1")
    assert problem in found.problem
    assert ("s", Area(1, 1, 1, 1)) in found.areas  # what else it reads is known all the same


def test_our_calls_are_found_in_names_too(book: Book) -> None:
    assert reads(book, "AVERAGE(scored)").calls == ["SENTIMENT"]


@pytest.mark.parametrize(
    "spelling",
    ["SHOP.SENTIMENT", "_xldudf_SHOP_SENTIMENT", "_xll.Shop.Sentiment", "shop_sentiment"],
)
def test_own_names(spelling: str) -> None:
    assert own_name(spelling) == "SENTIMENT"
    assert may_call_us(f"IF({spelling}(A1)=1,2)")


@pytest.mark.parametrize("spelling", ["WORKSHOP.SENTIMENT", "SHOPSENTIMENT", "SHOP", "FORECAST"])
def test_names_that_are_not_ours(spelling: str) -> None:
    assert own_name(spelling) is None


@pytest.mark.parametrize("formula", ["SUM(A1", "A1)", '"open', "{1,2", "A1&&&\x00"])
def test_what_is_no_formula_is_refused(formula: str) -> None:
    with pytest.raises(FormulaSyntaxError):
        parse(formula)


def calls_of(expr: Expr) -> list[str]:
    found: list[str] = []
    for node in expr:
        if isinstance(node, Call):
            found.append(node.spelling)
            for arg in node.args:
                found += calls_of(arg)
    return found


ATOMS = st.sampled_from(
    [
        "A1", "$B$2:C9", "D:E", "'It''s 我'!A1", "Sheet2!$A1", '"say ""SHOP.X(A1)"" "', "1.5",
        "TRUE", "{1,2;3,4}", "name_1", "#N/A", "Table1[col a]",
    ]
)  # fmt: skip
FUNCTIONS = st.sampled_from(
    ["SUM", "IF", "_xlfn.XLOOKUP", "SHOP.SENTIMENT", "_xldudf_SHOP_SENTIMENT", "LOG10"]
)
FORMULAS = st.recursive(
    ATOMS,
    lambda inner: st.one_of(
        st.builds(
            lambda name, args: f"{name}({','.join(args)})",
            FUNCTIONS,
            st.lists(inner, min_size=1, max_size=3),
        ),
        st.builds(lambda a, op, b: f"{a}{op}{b}", inner, st.sampled_from("+-*/&=<>"), inner),
        inner.map(lambda a: f"({a})"),
        inner.map(lambda a: f"-{a}%"),
    ),
    max_leaves=12,
)


@given(FORMULAS)
@settings(max_examples=300, deadline=None)
def test_calls_are_those_that_openpyxl_finds(formula: str) -> None:
    theirs = [
        token.value[:-1]
        for token in Tokenizer(f"={formula}").items
        if token.type == Token.FUNC and token.subtype == Token.OPEN
    ]
    assert calls_of(parse(formula)) == theirs
