"""Calc gives what the server gives: workbooks recalculated in a real LibreOffice."""

from __future__ import annotations

import json
import os
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import openpyxl
import openpyxl.utils
import openpyxl.worksheet.cell_range
import pytest
from openpyxl.worksheet.formula import ArrayFormula

from addin.build_libreoffice import IDENTIFIER, VERSION, pack
from addin.libreoffice.office import Office, find_office
from tests.conftest import TOKEN, LiveServer
from tests.wire_server import running
from udfs.client import Client
from udfs.errors import CellError, ShopsheetError

pytestmark = pytest.mark.libreoffice
SCRIPT = Path(__file__).parent / "calc_session.py"
TEXTS: list[Any] = [
    "Great value, arrived early.",
    "物流太慢了，包装也破了",
    None,
    0,
    3.5,
    "  ",
    "Broke after two days 😡",
    "=1/0",
    "还行吧，一般般",
]


@pytest.fixture(scope="session")
def installed_office(tmp_path_factory: pytest.TempPathFactory) -> Office:
    """A LibreOffice whose throw-away profile has the extension."""
    folder = tmp_path_factory.mktemp("libreoffice")
    try:
        office = find_office(profile=folder / "profile")
        _ = office.python
    except ShopsheetError as error:
        pytest.skip(error.message)
    extension = folder / "shopsheet.oxt"
    extension.write_bytes(pack())
    assert office.add(extension) == {IDENTIFIER: VERSION}
    return office


@dataclass(frozen=True)
class Calc:
    """LibreOffice sessions with the settings that the tests' environment has."""

    office: Office
    home: Path

    def run(self, *steps: list[Any]) -> list[Any]:
        """What the steps gave, in a LibreOffice that is started for them."""
        ours = {name: value for name, value in os.environ.items() if name.startswith("SHOPSHEET_")}
        assert self.office.profile is not None
        task = {
            "soffice": str(self.office.soffice),
            "profile": self.office.profile.as_uri(),
            "environment": {
                "PATH": "/usr/bin:/bin",
                "HOME": str(self.home),
                "LC_ALL": "C.UTF-8",
                **ours,
            },
            "steps": steps,
        }
        done = subprocess.run(
            [self.office.python, str(SCRIPT)],
            input=json.dumps(task),
            capture_output=True,
            encoding="utf-8",
            timeout=300,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        results: list[Any] = json.loads(done.stdout.splitlines()[-1])
        return results


@pytest.fixture
def calc(installed_office: Office, tmp_path: Path) -> Calc:
    return Calc(installed_office, tmp_path)


def workbook(path: Path, formulas: dict[str, str | ArrayFormula]) -> Path:
    """A real .xlsx with TEXTS in A1 and down, formulas, and a wrong cached value in none."""
    book = openpyxl.Workbook()
    sheet = book.active
    assert sheet is not None
    for row, text in enumerate(TEXTS, start=1):
        sheet.cell(row, 1, text)
    for address, formula in formulas.items():
        sheet[address] = formula
    book.save(path)
    return path


def as_calc(value: Any) -> list[Any]:
    """What Calc's cell should hold for a cell of the server's answer."""
    if isinstance(value, ShopsheetError):
        return ["error", value.cell_error]
    if isinstance(value, CellError):
        return ["error", value.code]
    if isinstance(value, str):
        return ["text", value]
    return ["number", pytest.approx(value, abs=1e-12)]


def column(letter: str, values: list[Any], first_row: int = 1) -> list[str]:
    return [f"{letter}{row}" for row in range(first_row, first_row + len(values))]


def test_a_recalculated_xlsx_and_ods_hold_what_the_server_answers(
    calc: Calc, live_server: LiveServer, tmp_path: Path
) -> None:
    calls: dict[str, tuple[str, list[Any]]] = {
        # one cell
        "B1": ("SHOP.SENTIMENT(A1)", ["Great value, arrived early."]),
        "B2": ("SHOP.SENTIMENT(A2)", ["物流太慢了，包装也破了"]),
        "B3": ("SHOP.SENTIMENT(A3)", [None]),
        "B5": ("SHOP.SENTIMENT(A5)", [3.5]),
        "B6": ("SHOP.SENTIMENT(A6)", ["  "]),
        # options, and arguments that are formulas themselves
        "C1": ('SHOP.SENTIMENT(A1,"score")', ["Great value, arrived early.", "score"]),
        "C2": ('SHOP.SENTIMENT(A2,"SCORE",0.1)', ["物流太慢了，包装也破了", "score", 0.1]),
        "C3": ("SHOP.SENTIMENT(A1,,1)", ["Great value, arrived early.", None, 1]),
        "C4": ("SHOP.SENTIMENT(A1,Z1,Z2)", ["Great value, arrived early.", None, 0]),
        "C5": ('SHOP.SENTIMENT("好"&A1)', ["好Great value, arrived early."]),
        "C6": ('SHOP.SENTIMENT(A1,"stars")', ["Great value, arrived early.", "stars"]),
        "C7": ("SHOP.SENTIMENT(A1,,2)", ["Great value, arrived early.", None, 2]),
        "C8": ('shop.sentiment("lower case")', ["lower case"]),
    }
    grids: dict[str, tuple[str, list[Any]]] = {
        "D1:D7": ("SHOP.SENTIMENT(A1:A7)", [[[text] for text in TEXTS[:7]]]),
        "E1:E7": ('SHOP.SENTIMENT(A1:A7,"score")', [[[text] for text in TEXTS[:7]], "score"]),
        "F1:H7": ('SHOP.SENTIMENT(A1:A7,"all")', [[[text] for text in TEXTS[:7]], "all"]),
        "I1:K1": ('SHOP.SENTIMENT(A2,"all")', [TEXTS[1], "all"]),
        # some of these lie below a half, some above: each cell decides for itself
        "L1:L7": (
            'SHOP.SENTIMENT(A1:A7,"label",Z3)',
            [[[text] for text in TEXTS[:7]], "label", "MEDIAN"],
        ),
        "M1:M9": (
            'SHOP.SENTIMENT(IFERROR(A1:A9,""))',
            [[[None if text == "=1/0" else text] for text in TEXTS]],
        ),
    }
    with Client(live_server.url, TOKEN) as client:
        confidences = [row[2] for row in client.call("SENTIMENT", *grids["F1:H7"][1]) if row[0]]
        median = sorted(confidences)[len(confidences) // 2]
        grids["L1:L7"][1][2] = median
        answers = client.call_many(
            [("SENTIMENT", args) for _, args in [*calls.values(), *grids.values()]]
        )
    expected = {address: as_calc(a) for address, a in zip(calls, answers, strict=False)}
    for area, grid in zip(grids, answers[len(calls) :], strict=True):
        cells = [cell for row in openpyxl.worksheet.cell_range.CellRange(area).rows for cell in row]
        for (row, col), value in zip(cells, [v for line in grid for v in line], strict=True):
            expected[f"{openpyxl.utils.get_column_letter(col)}{row}"] = as_calc(value)
    assert {"text", "number", "error"} <= {kind for kind, _ in expected.values()}
    assert expected["B3"] == ["text", ""]
    codes = [kind for address, (kind, _) in expected.items() if address.startswith("L")]
    assert 0 < codes.count("error") < len(codes)

    formulas: dict[str, str | ArrayFormula] = {a: f"={f}" for a, (f, _) in calls.items()}
    formulas |= {a.split(":")[0]: ArrayFormula(a, f"={f}") for a, (f, _) in grids.items()}
    formulas["Z3"] = median
    xlsx, ods = workbook(tmp_path / "book.xlsx", formulas), tmp_path / "book.ods"
    addresses = list(expected)
    _, from_xlsx, _, from_ods = calc.run(
        ["open", str(xlsx)],
        ["recalculate"],
        ["read", addresses],
        ["save", str(ods), "calc8"],
        ["close"],
        ["open", str(ods)],
        ["recalculate"],
        ["read", addresses],
        ["close"],
    )
    assert dict(zip(addresses, from_xlsx, strict=True)) == expected
    assert dict(zip(addresses, from_ods, strict=True)) == expected


def test_answers_work_inside_ordinary_formulas(
    calc: Calc, live_server: LiveServer, tmp_path: Path
) -> None:
    with Client(live_server.url, TOKEN) as client:
        label = client.call("SENTIMENT", TEXTS[0])
        score = client.call("SENTIMENT", TEXTS[0], "score")
        labels = [row[0] for row in client.call("SENTIMENT", [[text] for text in TEXTS[:3]])]
        scores = [row[0] for row in client.call("SENTIMENT", [[TEXTS[0]], [TEXTS[1]]], "score")]
    formulas: dict[str, str | ArrayFormula] = {
        "B1": f'=IF(SHOP.SENTIMENT(A1)="{label}","yes","no")',
        "B2": f'=IF(SHOP.SENTIMENT(A1)<>"{label}","yes","no")',
        "B3": f'=SHOP.SENTIMENT(A1)="{label.upper()}"',
        "B4": '=ROUND(SHOP.SENTIMENT(A1,"score")*100,6)',
        "B5": '=IFERROR(SHOP.SENTIMENT(A1,,1),"unsure")',
        "B6": "=ISNA(SHOP.SENTIMENT(A1,,1))",
        "B7": "=SHOP.SENTIMENT(A8)",
        "B8": '=UPPER(SHOP.SENTIMENT(A1))&"!"',
        "B9": '=SUM(SHOP.SENTIMENT(A1:A2,"score"))',
        "C1": f'=SUMPRODUCT(--(SHOP.SENTIMENT(A1:A3)&""="{label}"))',
        "C2": f'=MATCH("{label}",SHOP.SENTIMENT(A1:A3),0)',
        "C3": '=INDEX(SHOP.SENTIMENT(A1,"all"),1,2)',
        "C4": f'=COUNTIF(D1:D3,"{label}")',
        "C5": '=IF(SHOP.SENTIMENT(A3)="","blank","text")',
        "C6": "=SHOP.SENTIMENT(A1,A1:A2)",
        "C7": "=SHOP.SENTIMENT(A1:A9)",
        "D1": ArrayFormula("D1:D3", "=SHOP.SENTIMENT(A1:A3)"),
        "E1": ArrayFormula("E1:E3", "=SHOP.SENTIMENT(A1)"),
    }
    book = workbook(tmp_path / "book.xlsx", formulas)
    addresses = [a for a in formulas if a not in ("D1", "E1")] + ["E1", "E2", "E3"]
    _, cells = calc.run(["open", str(book)], ["recalculate"], ["read", addresses], ["close"])
    same = float(labels.count(label))
    assert dict(zip(addresses, cells, strict=True)) == {
        "B1": ["text", "yes"],
        "B2": ["text", "no"],
        "B3": ["number", 1.0],
        "B4": ["number", pytest.approx(round(score * 100, 6))],
        "B5": ["text", "unsure"],
        "B6": ["number", 1.0],
        "B7": ["error", "#DIV/0!"],
        "B8": ["text", f"{label.upper()}!"],
        "B9": ["number", pytest.approx(sum(scores))],
        "C1": ["number", same],
        "C2": ["number", 1.0],
        "C3": ["number", pytest.approx(score)],
        "C4": ["number", same],
        "C5": ["text", "blank"],
        "C6": ["error", "#VALUE!"],
        "C7": ["error", "Err:504"],  # Calc hands no range with an error cell to an add-in
        "E1": ["text", label],
        "E2": ["text", label],
        "E3": ["text", label],
    }


def test_without_a_server_calc_does_not_wait_and_an_xlsx_keeps_what_was_saved(
    calc: Calc, live_server: LiveServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    formulas: dict[str, str | ArrayFormula] = {
        f"B{row}": f'=SHOP.SENTIMENT("text {row}")' for row in range(1, 501)
    }
    formulas["C1"] = ArrayFormula("C1:C2", '=SHOP.SENTIMENT(A1:A2,"score")')
    book, saved = workbook(tmp_path / "book.xlsx", formulas), tmp_path / "saved.xlsx"
    cells = ["B1", "B2", "B500"]
    _, before = calc.run(
        ["open", str(book)],
        ["recalculate"],
        ["read", cells],
        ["save", str(saved), "Calc MS Excel 2007 XML"],
        ["close"],
    )
    assert {kind for kind, _ in before} == {"text"}

    monkeypatch.setenv("SHOPSHEET_URL", "http://127.0.0.1:9")  # nobody listens there
    opened, seconds, after = calc.run(
        ["open", str(saved)],
        ["read", cells],
        ["recalculate"],
        ["read", [*cells, "C1", "C2"]],
        ["close"],
    )
    assert opened == before
    assert after == [["error", "#N/A"]] * 5
    assert seconds < 20  # 501 calls, of which few may have tried to connect


def test_the_token_file_lets_calc_in(
    calc: Calc,
    live_server: LiveServer,
    own_home: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("SHOPSHEET_TOKEN")
    own_home.mkdir(exist_ok=True)
    book = workbook(tmp_path / "book.xlsx", {"B1": "=SHOP.SENTIMENT(A1)"})
    steps = [["open", str(book)], ["recalculate"], ["read", ["B1"]], ["close"]]
    (own_home / "token").write_text("a wrong token", encoding="utf-8")
    assert calc.run(*steps)[1] == [["error", "#N/A"]]
    (own_home / "token").write_text(TOKEN, encoding="utf-8")
    assert calc.run(*steps)[1][0][0] == "text"


def test_a_mixed_grid_needs_a_join_before_texts_are_compared(
    calc: Calc, live_server: LiveServer, tmp_path: Path
) -> None:
    """Calc never finds equal the texts of a grid that holds numbers or errors too. If this fails,
    LibreOffice has mended it, and the advice in the README beside the add-in can go."""
    with Client(live_server.url, TOKEN) as client:
        label = client.call("SENTIMENT", TEXTS[0])
    formulas: dict[str, str | ArrayFormula] = {
        "B1": ArrayFormula("B1:D1", '=SHOP.SENTIMENT(A1,"all")'),
        "E1": f'=COUNTIF(B1:B1,"{label}")',
        "E2": f'=SUMPRODUCT(--(B1:B1&""="{label}"))',
        "E3": f'=COUNTIF(B1:B1,"{label}*")',
    }
    book = workbook(tmp_path / "book.xlsx", formulas)
    _, cells = calc.run(
        ["open", str(book)], ["recalculate"], ["read", ["E1", "E2", "E3"]], ["close"]
    )
    assert cells == [["number", 0.0], ["number", 1.0], ["number", 1.0]]


def test_a_column_of_single_formulas_travels_in_few_requests(
    calc: Calc, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = range(1, 401)
    book = openpyxl.Workbook()
    sheet = book.active
    assert sheet is not None
    for row in rows:
        sheet.cell(row, 1, f"评论 {row}" if row % 7 else f'="computed "&{row}')
        sheet.cell(row, 2, f"=SHOP.SENTIMENT(A{row})")
        sheet.cell(row, 3, f'=IF(SHOP.SENTIMENT($A{row},"score",0.5)>8,"long","short")')
    book.save(tmp_path / "book.xlsx")
    with running() as server:
        monkeypatch.setenv("SHOPSHEET_URL", server.url)
        _, labels, lengths = calc.run(
            ["open", str(tmp_path / "book.xlsx")],
            ["recalculate"],
            ["read", [f"B{row}" for row in rows]],
            ["read", [f"C{row}" for row in rows]],
            ["close"],
        )
        sent = len(server.requests)
    inputs = [f"评论 {row}" if row % 7 else f"computed {row}" for row in rows]
    assert labels == [["text", text.upper()] for text in inputs]
    assert lengths == [["text", "long" if len(text) > 8 else "short"] for text in inputs]
    computed = sum(row % 7 == 0 for row in rows)
    assert sent < 2 * computed + 20  # 800 formulas; computed texts cannot be known in advance
