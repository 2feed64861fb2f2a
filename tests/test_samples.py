"""The sample workbook: what make_samples writes, and the same answers in every host."""

from __future__ import annotations

import importlib.util
import re
import sys
import warnings
import zipfile
from collections import Counter
from pathlib import Path
from types import ModuleType
from typing import Any

import openpyxl
import pytest

from tests.conftest import TOKEN, LiveServer
from tests.test_addin_libreoffice import Calc, calc, installed_office  # noqa: F401 (fixtures)
from udfs.client import Client
from udfs.refresh import refresh

FOLDER = Path(__file__).parent.parent / "sample_workbooks"
SHIPPED = FOLDER / "reviews.xlsx"


def script(name: str) -> ModuleType:
    """A script of the folder, as a module."""
    spec = importlib.util.spec_from_file_location(name, FOLDER / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def make_samples() -> ModuleType:
    return script("make_samples")


@pytest.fixture
def fresh(make_samples: ModuleType, tmp_path: Path) -> Path:
    """The workbook as make_samples writes it now."""
    path = tmp_path / "reviews.xlsx"
    assert make_samples.main(["-o", str(path)]) == 0
    return path


def load(path: Path, **options: bool) -> openpyxl.Workbook:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # openpyxl would lose the data bars; we only read
        return openpyxl.load_workbook(path, **options)


def contents(path: Path) -> dict[str, list[list[Any]]]:
    """Formulas and constants of every sheet."""
    return {
        ws.title: [[cell.value for cell in row] for row in ws.rows] for ws in load(path).worksheets
    }


def values(path: Path, sheet: str) -> list[list[Any]]:
    return [[cell.value for cell in row] for row in load(path, data_only=True)[sheet].rows]


def test_the_reviews_are_two_hundred_in_two_languages(make_samples: ModuleType) -> None:
    reviews = make_samples.read_reviews()
    assert len({review.text for review in reviews}) == 200
    assert Counter(review.language for review in reviews) == {"English": 100, "Chinese": 100}
    chinese = re.compile("[\u4e00-\u9fff]")
    assert all(bool(chinese.search(r.text)) == (r.language == "Chinese") for r in reviews)
    readings = Counter(review.our_reading for review in reviews)
    assert set(readings) == set(make_samples.LABELS)
    assert min(readings.values()) >= 20
    assert {review.channel for review in reviews} == set(make_samples.CHANNELS)


def test_the_shipped_workbook_is_the_one_that_make_samples_writes(fresh: Path) -> None:
    assert contents(SHIPPED) == contents(fresh)


def test_nothing_makes_excel_compute_it_on_loading() -> None:
    """Where the add-in is missing, that would turn every answer into #NAME?."""
    with zipfile.ZipFile(SHIPPED) as archive:
        workbook = archive.read("xl/workbook.xml").decode()
        app = archive.read("docProps/app.xml").decode()
    assert re.findall("<calcPr[^>]*>", workbook) == ['<calcPr calcId="191029"/>']
    assert "<Application>Microsoft Excel</Application>" in app  # LibreOffice trusts its values


def test_a_refresh_fills_every_answer_and_the_summary(
    fresh: Path, live_server: LiveServer, make_samples: ModuleType
) -> None:
    with Client(live_server.url, TOKEN) as client:
        refresh(fresh, client)
        reviews = make_samples.read_reviews()
        answers = client.call("SENTIMENT", [[review.text] for review in reviews], "all")
    rows = values(fresh, "Reviews")[make_samples.FIRST_ROW :]
    assert [row[6] for row in rows] == [label for label, _, _ in answers]
    assert [row[7] for row in rows] == [score for _, score, _ in answers]
    expected = Counter(label for label, _, _ in answers)
    summary = values(fresh, "Summary")
    starts = [i for i, row in enumerate(summary) if row[2] == "Reviews"]
    assert len(starts) == 4
    for start in starts:
        assert summary[start][3:7] == list(make_samples.LABELS)
        table = []
        for row in summary[start + 1 :]:
            if row[2] is None:
                break
            table.append(row)
        assert sum(row[2] for row in table) == 200
        for i, label in enumerate(make_samples.LABELS):
            assert sum(row[3 + i] for row in table) == expected[label], summary[start][1]
        for row in table:
            assert sum(row[3:7]) == row[2]
            assert row[7] == pytest.approx(row[3] / row[2])
    assert summary[3][1] == 200
    assert summary[3][2] == pytest.approx(expected["positive"] / 200)
    assert summary[3][6] == pytest.approx(sum(score for _, score, _ in answers) / 200)
    trial = [row[2:5] for row in values(fresh, "Try it")[4:9]]
    assert trial[0][0] in make_samples.LABELS
    assert -1 <= trial[1][0] <= 1
    assert trial[2][0] in make_samples.LABELS
    assert all(isinstance(number, float) for number in trial[2][1:])
    assert trial[4][0] in ("answer today", "thank them")


@pytest.mark.libreoffice
def test_calc_computes_the_same_answers(
    fresh: Path,
    live_server: LiveServer,
    calc: Calc,  # noqa: F811
    make_samples: ModuleType,
) -> None:
    last = make_samples.FIRST_ROW + 200
    cells = [f"Reviews!{column}{row}" for row in (5, 6, 104, last) for column in "GH"]
    cells += [f"Summary!{cell}" for cell in ("C4", "G4", "D9", "G9", "H9", "I9")]
    cells += ["'Try it'!C5", "'Try it'!C6", "'Try it'!C7", "'Try it'!D7", "'Try it'!E7"]
    plain = [cell.replace("'", "") for cell in cells]
    computed = calc.run(["open", str(fresh)], ["recalculate"], ["read", plain], ["close"])[1]
    with Client(live_server.url, TOKEN) as client:
        refresh(fresh, client)
    book = load(fresh, data_only=True)
    for cell, (kind, value) in zip(plain, computed, strict=True):
        sheet, _, address = cell.rpartition("!")
        wanted = book[sheet][address].value
        assert kind == ("text" if isinstance(wanted, str) else "number"), cell
        assert value == (wanted if kind == "text" else pytest.approx(wanted, abs=1e-9)), cell


@pytest.mark.libreoffice
def test_calc_without_the_extension_shows_what_is_saved(
    fresh: Path, live_server: LiveServer, tmp_path: Path
) -> None:
    """A newcomer opens the file before anything is installed: no #NAME? anywhere."""
    from addin.libreoffice.office import find_office
    from udfs.errors import ShopsheetError

    with Client(live_server.url, TOKEN) as client:
        refresh(fresh, client)
    try:
        office = find_office(profile=tmp_path / "empty-profile")
        _ = office.python
    except ShopsheetError as error:
        pytest.skip(error.message)
    cells = ["Reviews!G5", "Reviews!H204", "Summary!C4", "Try it!C5", "Try it!D7"]
    shown = Calc(office, tmp_path).run(["open", str(fresh)], ["read", cells])[0]
    book = load(fresh, data_only=True)
    for cell, (kind, value) in zip(cells, shown, strict=True):
        sheet, _, address = cell.rpartition("!")
        wanted = book[sheet][address].value
        assert (kind, value) == (
            ("text", wanted) if isinstance(wanted, str) else ("number", pytest.approx(wanted))
        )


# The voice of the customer


VOICE = FOLDER / "voice_of_customer.xlsx"
VOICE_SHEETS = ("Reviews", "Topics", "Needs", "Keywords", "Aspects", "Summaries", "Customers",
                "Segments", "Answers", "Teams")  # fmt: skip


@pytest.fixture(scope="module")
def make_voice() -> ModuleType:
    return script("make_voice")


def formulas(path: Path) -> dict[tuple[str, str], str]:
    """Every formula by sheet and cell; of a table only its own cell, not where it spills."""
    found = {}
    for sheet in load(path).worksheets:
        for row in sheet.rows:
            for cell in row:
                text = getattr(cell.value, "text", cell.value)
                if isinstance(text, str) and text.startswith("="):
                    found[sheet.title, cell.coordinate] = text
    return found


def test_the_second_workbook_has_the_formulas_that_make_voice_writes(
    make_voice: ModuleType, tmp_path: Path
) -> None:
    path = tmp_path / "voice.xlsx"
    assert make_voice.main(["-o", str(path)]) == 0
    assert formulas(VOICE) == formulas(path)
    asked = {text.split("(")[0] for text in formulas(VOICE).values() if "SHOP" in text}
    assert len(asked) == 9


def test_every_table_of_the_second_workbook_is_filled_and_holds_no_error() -> None:
    book = load(VOICE, data_only=True)
    for name in VOICE_SHEETS:
        cells = [cell.value for row in book[name].iter_rows(min_row=5) for cell in row]
        assert sum(cell not in (None, "") for cell in cells) > 15, name
        assert not [cell for cell in cells if isinstance(cell, str) and cell.startswith("#")], name
    overview = [[cell.value for cell in row] for row in book["Overview"]["B5:G10"]]
    for name, positive, mixed, neutral, negative, net in overview:
        assert positive + mixed + neutral + negative > 0, name
        assert net == positive - negative
