"""The knowledge file: read, refused with a reason, kept, and taken anew while the server runs."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import openpyxl
import pytest
import xlsxwriter

from server import cli
from server.commands import doctor
from server.knowledge.model import SHEETS, Entry, Knowledge, Synonym
from server.knowledge.reading import CHINESE_SHEETS, COLUMNS, read_knowledge
from server.knowledge.shelf import LOOK_EVERY_S, KnowledgeShelf
from server.knowledge.template import write_template
from server.settings import Settings
from server.text.names import Name, Names
from udfs.errors import BadInput

Rows = dict[str, list[list[Any]]]

SHOP: Rows = {
    "brands": [["Northpine", "North Pine;北松", "leave out"], ["Brewwell", None, None]],
    "products": [["Kettle K1", "K1；小水壶"], ["爱尔兰咖啡壶", "咖啡壶、Irish pot"], [501]],
    "synonyms": [["快递", "物流"], ["juice", "battery life"], ["tea boiler", "K1"]],
    "aspects": [["heating speed", "boils fast\ntime to boil", "performance"], [], ["售后"]],
}


def headings(sheet: str) -> list[str]:
    return list(COLUMNS.get(sheet, {}))


def write_shop(path: Path, rows: Rows = SHOP, first: dict[str, list[str]] | None = None) -> Path:
    """A workbook of these rows; `first` replaces the headings of a sheet."""
    book = xlsxwriter.Workbook(path)
    for name, data in rows.items():
        sheet = book.add_worksheet(name)
        sheet.write_row(0, 0, (first or {}).get(name) or headings(name))
        for number, row in enumerate(data, start=1):
            sheet.write_row(number, 0, row)
    book.close()
    return path


class Clock:
    """Seconds that pass when the test says so."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        self.now += 2 * LOOK_EVERY_S
        return self.now


# Reading


def test_a_workbook_says_what_is_in_it(tmp_path: Path) -> None:
    found = read_knowledge(write_shop(tmp_path / "shop.xlsx"))
    assert found.brands == (
        Entry("Northpine", ("North Pine", "北松"), left_out=True),
        Entry("Brewwell"),
    )
    assert found.products == (
        Entry("Kettle K1", ("K1", "小水壶")),
        Entry("爱尔兰咖啡壶", ("咖啡壶", "Irish pot")),
        Entry("501"),
    )
    assert found.synonyms[2] == Synonym("tea boiler", "K1")
    assert found.aspects == (
        Entry("heating speed", ("boils fast", "time to boil"), category="performance"),
        Entry("售后"),
    )


def test_a_new_file_has_every_sheet_and_changes_nothing(tmp_path: Path) -> None:
    for language in ("en", "zh"):
        path = tmp_path / f"{language}.xlsx"
        write_template(path, language)
        found = read_knowledge(path)
        assert not found
        assert found.digest() == ""
        book = openpyxl.load_workbook(path)
        names = [CHINESE_SHEETS[sheet] for sheet in SHEETS] if language == "zh" else list(SHEETS)
        assert book.sheetnames[1:] == names
        told = "".join(str(cell.value) for row in book.worksheets[0] for cell in row)
        assert "A running Shopsheet takes the file at once" in told
        assert "运行中的 Shopsheet 会立即采用" in told
        comments = [cell.comment for sheet in book.worksheets[1:] for cell in sheet[1]]
        assert sum(comment is not None for comment in comments) == sum(map(len, COLUMNS.values()))
    with pytest.raises(FileExistsError):
        write_template(tmp_path / "en.xlsx")


def test_the_examples_of_a_new_file_can_be_copied_into_its_sheets(tmp_path: Path) -> None:
    from server.knowledge.template import _EXAMPLES

    rows = {sheet: [list(row) for row in _EXAMPLES[sheet]] for sheet in SHEETS}
    found = read_knowledge(write_shop(tmp_path / "shop.xlsx", rows))
    assert found.counts() == {sheet: len(rows[sheet]) for sheet in SHEETS}


def test_chinese_sheets_and_headings_say_the_same(tmp_path: Path) -> None:
    english = read_knowledge(write_shop(tmp_path / "en.xlsx"))
    rows = {CHINESE_SHEETS[sheet]: data for sheet, data in SHOP.items()}
    first = {CHINESE_SHEETS[sheet]: list(COLUMNS[sheet].values()) for sheet in SHEETS}
    rows["品牌"] = [["Northpine", "North Pine;北松", "排除"], ["Brewwell", None, "保留"]]
    chinese = read_knowledge(write_shop(tmp_path / "zh.xlsx", rows, first))
    assert chinese == english
    assert chinese.digest() == english.digest()


def test_a_folder_of_csv_files_will_do(tmp_path: Path) -> None:
    (tmp_path / "products.csv").write_text("product,other names\nKettle K1,K1\n", encoding="utf-8")
    text = "词语,含义\n快递,物流\n"
    (tmp_path / "同义词.csv").write_text(text, encoding="gb18030")
    found = read_knowledge(tmp_path)
    assert found.products == (Entry("Kettle K1", ("K1",)),)
    assert found.synonyms == (Synonym("快递", "物流"),)
    (tmp_path / "synonym.csv").write_text("word,means\na,b\n", encoding="utf-8")
    with pytest.raises(BadInput, match=r"synonym\.csv in .* is not known; expected some of brands"):
        read_knowledge(tmp_path)


def without(sheet: str) -> Rows:
    return {name: rows for name, rows in SHOP.items() if name != sheet}


def changed(sheet: str, *rows: list[Any]) -> Rows:
    return {**SHOP, sheet: list(rows)}


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (without("synonyms"), r"no sheet 'synonyms' \(or '同义词'\). Its sheets are: brands, prod"),
        ({**SHOP, "品牌": []}, "sheets 'brands' and '品牌', which are for the same"),
        (
            changed("synonyms", ["a1", "b1"], ["A1", "c1"]),
            r"'A1' stands for 'b1' in row 2 of sheet \"synonyms\" and for 'c1' in row 3 of sheet",
        ),
        (changed("synonyms", ["K1", "Brewwell"]), "'K1' stands for 'Kettle K1' in row 2 of sheet"),
        (changed("synonyms", ["a1", "b1"], ["b1", "a1"]), "leads in a circle: 'a1' means itself"),
        (
            changed("synonyms", ["a1", None]),
            "row 2 of sheet \"synonyms\" has nothing under 'means'",
        ),
        (changed("products", [None, "K1"]), 'row 2 of sheet "products" has nothing under \'prod'),
        (
            changed("synonyms", ["a1", "b1", "maybe"]),
            "has 'maybe' under 'sentiment'; expected one of yes, no, 是, 否, or nothing",
        ),
        (
            changed("brands", ["Acme", None, "hide"]),
            "has 'hide' under 'keywords'; expected one of leave out, keep, 排除",
        ),
        (changed("aspects", ["x" * 101]), "a name of 101 characters"),
        (changed("aspects", ["a1", "w1"], ["b1", "w1"]), "'w1' stands for 'a1' in row 2"),
    ],
)
def test_what_cannot_be_meant_is_refused_with_its_row(
    tmp_path: Path, rows: Rows, message: str
) -> None:
    with pytest.raises(BadInput, match=message):
        read_knowledge(write_shop(tmp_path / "shop.xlsx", rows))


def test_a_missing_heading_is_named(tmp_path: Path) -> None:
    path = write_shop(tmp_path / "a.xlsx", SHOP, {"synonyms": ["word", "meaning"]})
    with pytest.raises(BadInput, match=r"no column 'means' \(or '含义'\).*'word', 'meaning'"):
        read_knowledge(path)
    path = write_shop(tmp_path / "b.xlsx", SHOP, {"brands": ["brand", "brand"]})
    with pytest.raises(BadInput, match="has the column 'brand' twice"):
        read_knowledge(path)


def test_an_error_cell_is_named(tmp_path: Path) -> None:
    path = write_shop(tmp_path / "shop.xlsx")
    book = openpyxl.load_workbook(path)
    book["products"]["A3"] = "#N/A"
    book["products"]["A3"].data_type = "e"
    book.save(path)
    with pytest.raises(BadInput, match="row 3 of sheet \"products\" holds #N/A under 'product'"):
        read_knowledge(path)


def test_files_that_are_no_workbooks_are_refused(tmp_path: Path) -> None:
    empty, text, old = (tmp_path / name for name in ("empty.xlsx", "text.xlsx", "shop.xls"))
    empty.touch()
    text.write_text("brand,keywords", encoding="utf-8")
    old.write_bytes(b"x")
    cut = write_shop(tmp_path / "cut.xlsx")
    cut.write_bytes(cut.read_bytes()[:-200])
    for path, message in (
        (empty, "empty.xlsx is an empty file"),
        (text, "text.xlsx is not a workbook"),
        (old, r"ends in '\.xls'; expected an \.xlsx workbook"),
        (cut, "cut.xlsx is not a workbook"),
        (tmp_path / "none.xlsx", "There is no knowledge file .*none.xlsx"),
        (write_shop(tmp_path / "blank.xlsx", {sheet: [] for sheet in SHEETS}), None),
    ):
        if message is None:
            assert not read_knowledge(path)
            continue
        with pytest.raises(BadInput, match=message):
            read_knowledge(path)
    (tmp_path / "folder").mkdir()
    with pytest.raises(BadInput, match="holds no csv file"):
        read_knowledge(tmp_path / "folder")


def test_likely_mistakes_are_noted(tmp_path: Path) -> None:
    rows = changed("synonyms", ["the", "kettle"], ["壶", "水壶"])
    found = read_knowledge(write_shop(tmp_path / "shop.xlsx", rows))
    assert len(found.notes) == 2
    assert "everyday word" in found.notes[0]
    assert "single character" in found.notes[1]


# Names


@pytest.fixture
def shop(tmp_path: Path) -> Knowledge:
    return read_knowledge(write_shop(tmp_path / "shop.xlsx"))


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("The K1's lid, the k1, the K12 and AK1", ["K1's", "k1"]),
        ("Tea Boilers and juicer", ["Tea Boilers"]),
        ("买了小水壶和爱尔兰咖啡壶", ["小水壶", "爱尔兰咖啡壶"]),
        ("快遞和Ｋ１都好", ["快遞", "Ｋ１"]),  # traditional, full-width
        ("北松的K1", ["北松", "K1"]),
        ("", []),
    ],
)
def test_names_are_found_whole(shop: Knowledge, text: str, found: list[str]) -> None:
    assert [text[one.start : one.end] for one in shop.names.find(text)] == found


def test_a_part_of_a_longer_chinese_word_is_no_name() -> None:
    names = Names({"小米": Name("Xiaomi"), "苹果汁": Name("juice")})
    text = "\ud83d小米手环配小米粥和苹果汁"
    assert [one.start for one in names.find(text)] == [1, 10]
    assert Names({"苹果": Name("Apple")}).find("苹果汁和大苹果") == [(5, 7, Name("Apple"))]


def test_synonyms_mean_the_product(shop: Knowledge) -> None:
    assert shop.names.replace("tea boiler") == "Kettle K1"
    assert shop.names.replace("北松小水壶好") == "Northpine Kettle K1好"
    assert shop.preferred("time to boil") == "heating speed"
    assert set(shop.forms_of("K1")) == {"Kettle K1", "小水壶", "tea boiler"}
    assert shop.forms_of("nothing known") == ()
    assert shop.names.widened("the irish pot", 10, 13) == (4, 13)


def test_names_come_back_from_json_as_they_were(shop: Knowledge) -> None:
    again = Names.from_json(shop.names.to_json())
    assert again.version == shop.names.version != ""
    assert again.find("the K1") == shop.names.find("the K1")
    assert Knowledge.from_json(shop.to_json()) == shop


def test_a_digest_tells_of_its_sheets_alone(shop: Knowledge) -> None:
    other = Knowledge(shop.brands, shop.products, shop.synonyms, (Entry("smell"),))
    names = ("brands", "products", "synonyms")
    assert other.digest() != shop.digest()
    assert other.digest(names) == shop.digest(names)
    assert Knowledge(aspects=shop.aspects).digest(names) == ""


# The file in use


def touch_later(path: Path, seconds: float) -> None:
    stat = path.stat()
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns + int(seconds * 1e9)))


def test_a_changed_file_is_taken_and_a_bad_one_is_not(tmp_path: Path) -> None:
    path = tmp_path / "shop.xlsx"
    shelf = KnowledgeShelf(path, tmp_path / "kept.json", clock=Clock())
    assert not shelf.current()
    assert shelf.state().problem is None
    first = shelf_knowledge = read_knowledge(write_shop(path))
    assert shelf.current() == first
    path.write_bytes(b"half a file")
    assert shelf.current() == first
    assert "not a workbook" in str(shelf.state().problem)
    # A new start does not lose what was in use; neither does another file get it.
    anew = KnowledgeShelf(path, tmp_path / "kept.json", clock=Clock())
    assert anew.current() == first
    assert anew.state().problem
    other = KnowledgeShelf(tmp_path / "x.xlsx", tmp_path / "kept.json", True, clock=Clock())
    assert not other.current()
    assert "There is no knowledge file" in str(other.state().problem)
    second = read_knowledge(write_shop(path, changed("aspects", ["smell"])))
    touch_later(path, 5)
    assert shelf.current() == second != shelf_knowledge
    assert shelf.state().problem is None
    path.unlink()
    assert not shelf.current()


def test_a_file_that_was_only_saved_again_is_not_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_shop(tmp_path / "shop.xlsx")
    shelf = KnowledgeShelf(path, clock=Clock())
    before = shelf.current()
    touch_later(path, 60)
    assert shelf.current() is before


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="root may read everything")
def test_a_file_that_may_not_be_read_says_so(tmp_path: Path) -> None:
    path = write_shop(tmp_path / "shop.xlsx")
    path.chmod(0)
    shelf = KnowledgeShelf(path, clock=Clock())
    assert not shelf.current()
    assert "cannot be" in str(shelf.state().problem)


# Commands


def test_the_command_makes_finds_and_checks(
    settings: Settings, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    place = settings.knowledge_path
    assert cli.main(["knowledge", "where"]) == 0
    assert "is not there" in capsys.readouterr().out
    assert cli.main(["knowledge", "new", "--language", "zh"]) == 0
    assert str(place) in capsys.readouterr().out
    assert cli.main(["knowledge", "check"]) == 0
    assert "it changes nothing yet" in capsys.readouterr().out
    assert cli.main(["knowledge", "new"]) == 1
    assert "is there already and is left as it is" in capsys.readouterr().err
    elsewhere = tmp_path / "elsewhere.xlsx"
    assert cli.main(["knowledge", "new", str(elsewhere)]) == 0
    assert "SHOPSHEET_KNOWLEDGE=" in capsys.readouterr().out
    assert cli.main(["knowledge", "new", str(tmp_path / "x.csv")]) == 1
    assert "does not end in .xlsx" in capsys.readouterr().err
    bad = write_shop(tmp_path / "bad.xlsx", without("aspects"))
    assert cli.main(["knowledge", "check", str(bad)]) == 1
    assert "no sheet 'aspects'" in capsys.readouterr().err


def test_doctor_tells_of_the_file(settings: Settings) -> None:
    assert doctor.check_knowledge(settings).mark == "note"
    settings.home.mkdir(parents=True, exist_ok=True)
    write_shop(settings.knowledge_path)
    found = doctor.check_knowledge(settings)
    assert (found.mark, "3 products" in found.text) == ("ok", True)
    settings.knowledge_path.write_bytes(b"")
    found = doctor.check_knowledge(settings)
    assert found.mark == "problem"
    assert "empty file" in found.text
    assert "The last good one is in use: 2 brands" in found.text


def test_the_environment_may_name_the_file(settings: Settings, tmp_path: Path) -> None:
    named = Settings.from_environment({"SHOPSHEET_KNOWLEDGE": str(tmp_path / "x.xlsx")})
    assert named.knowledge_path == tmp_path / "x.xlsx"
    assert Settings.from_environment({}).knowledge_path == settings.knowledge_path
