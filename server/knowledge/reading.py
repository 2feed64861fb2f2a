"""Reads a knowledge file: a workbook with a sheet for each sort of thing, or a folder of csv files.

Sheets and headings may be English or Chinese. Every complaint names the sheet and the row, as Excel
counts it, and says what to do.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from server.knowledge.model import SHEETS, Entry, Knowledge, Synonym
from server.tables import Table, open_table, plain_value, sheet_names
from server.text.names import fold
from udfs.errors import BadInput, CellError, short
from udfs.kinds import number_text

MOST_ROWS: Final = 20_000  # of a sheet
MOST_CHARS: Final = 100  # of a name
WORKBOOKS: Final = (".xlsx", ".xlsm")
NEW_FILE: Final = "`shopsheet knowledge new` makes a file that has them all."

CHINESE_SHEETS: Final = {
    "brands": "品牌", "products": "产品", "synonyms": "同义词", "aspects": "方面",
}  # fmt: skip
# The columns of each sheet, the ones that it cannot do without first, with their Chinese names.
COLUMNS: Final[dict[str, dict[str, str]]] = {
    "brands": {"brand": "品牌", "other spellings": "其他写法", "keywords": "关键词"},
    "products": {"product": "产品", "other names": "其他叫法"},
    "synonyms": {"word": "词语", "means": "含义", "sentiment": "情感"},
    "aspects": {"aspect": "方面", "words": "说法", "category": "类别"},
}
NEEDED: Final = {"brands": 1, "products": 1, "synonyms": 2, "aspects": 1}
KEEP: Final = ("keep", "yes", "是", "保留")
LEAVE_OUT: Final = ("leave out", "no", "否", "排除")
YES: Final = ("yes", "是")
NO: Final = ("no", "否")


@dataclass(frozen=True)
class _Row:
    """The cells of a row by the English name of their column, and where it stands."""

    cells: dict[str, str]
    where: str  # 'row 3 of sheet "brands"'

    def __getitem__(self, column: str) -> str:
        """What stands under a column, on one line; "" where the column is not there."""
        return " ".join(self.cells.get(column, "").split())


def read_knowledge(path: Path) -> Knowledge:
    """What a knowledge file says.

    Raises: BadInput if it is not there, cannot be read, or says what cannot be meant.
    """
    try:
        rows = {sheet: list(_rows(table, sheet)) for sheet, table in _tables(path).items()}
    except PermissionError as error:
        raise BadInput(
            f"{path} cannot be opened: another program holds it, or you may not read it. Save and "
            "close it in Excel."
        ) from error
    except (OSError, SyntaxError, KeyError, ValueError) as error:  # of a damaged workbook
        raise BadInput(f"{path} cannot be read: {error}. Save it anew as .xlsx.") from error
    brands = [
        Entry(row["brand"], _listed(row, "other spellings"), _is(row, "keywords", LEAVE_OUT, KEEP))
        for row in rows["brands"]
    ]
    products = [Entry(row["product"], _listed(row, "other names")) for row in rows["products"]]
    synonyms = [
        Synonym(row["word"], row["means"], _is(row, "sentiment", YES, NO))
        for row in rows["synonyms"]
    ]
    aspects = [
        Entry(row["aspect"], _listed(row, "words"), category=row["category"])
        for row in rows["aspects"]
    ]
    _check_names(brands, products, synonyms, rows)
    _check_one_meaning(_forms(aspects, rows["aspects"]))
    found = Knowledge(tuple(brands), tuple(products), tuple(synonyms), tuple(aspects))
    return Knowledge(found.brands, found.products, found.synonyms, found.aspects, _notes(found))


def files_of(path: Path) -> list[Path]:
    """The files that a knowledge file consists of; none if it is not there."""
    if path.is_dir():
        return sorted(one for one in path.iterdir() if one.suffix.lower() == ".csv")
    return [path] if path.is_file() else []


# The tables


def _tables(path: Path) -> dict[str, Table | None]:
    if path.is_dir():
        return _tables_of_folder(path)
    if not path.is_file():
        raise BadInput(
            f"There is no knowledge file {path}. `shopsheet knowledge new` makes one; "
            "`shopsheet knowledge where` tells where it belongs."
        )
    if path.suffix.lower() not in WORKBOOKS:
        raise BadInput(
            f"{path.name} ends in {path.suffix!r}; expected an .xlsx workbook or a folder of csv "
            "files. Save it as .xlsx."
        )
    if not path.stat().st_size:
        raise BadInput(f"{path.name} is an empty file; expected a workbook. {NEW_FILE}")
    return {sheet: _open(path, sheet) for sheet in SHEETS}


def _open(path: Path, sheet: str) -> Table:
    """The table of a sheet, by its English or its Chinese name, in any case.

    Raises: BadInput if there is none.
    """
    names = sheet_names(path)
    wanted = (sheet, CHINESE_SHEETS[sheet])
    found = [name for name in names if name.strip().casefold() in wanted]
    if len(found) > 1:
        raise BadInput(
            f"{path.name} has the sheets {' and '.join(map(repr, found))}, which are for the same. "
            "Move the rows into one of them and delete the other."
        )
    if not found:
        raise BadInput(
            f"{path.name} has no sheet {sheet!r} (or {CHINESE_SHEETS[sheet]!r}). Its sheets are: "
            f"{', '.join(names)}. Add it, with its headings alone if you have none. {NEW_FILE}"
        )
    return open_table(path, found[0])


def _tables_of_folder(folder: Path) -> dict[str, Table | None]:
    found: dict[str, Table | None] = dict.fromkeys(SHEETS)
    by_name = {name: sheet for sheet in SHEETS for name in (sheet, CHINESE_SHEETS[sheet])}
    files = files_of(folder)
    if not files:
        expected = ", ".join(f"{sheet}.csv" for sheet in SHEETS)
        raise BadInput(f"The folder {folder} holds no csv file; expected some of {expected}.")
    for path in files:
        sheet = by_name.get(path.stem.strip().casefold())
        if sheet is None:
            expected = ", ".join(f"{sheet}.csv" for sheet in SHEETS)
            raise BadInput(
                f"{path.name} in {folder} is not known; expected some of {expected}. Rename it, or "
                "move it elsewhere."
            )
        if found[sheet] is not None:
            raise BadInput(f"{folder} holds {sheet}.csv twice, in English and in Chinese.")
        found[sheet] = open_table(path)
    return found


# The rows


def _rows(table: Table | None, sheet: str) -> Iterator[_Row]:
    if table is None:
        return
    label = table.path.name if table.path.suffix == ".csv" else f'sheet "{sheet}"'
    places = _columns(table, sheet, label)
    needed = list(COLUMNS[sheet])[: NEEDED[sheet]]
    for number, row in enumerate(table.rows(), start=2):
        where = f"row {number} of {label}"
        cells = {name: _text(row[place], where, name) for name, place in places.items()}
        if not any(cells.values()):
            continue
        if number > MOST_ROWS + 1:
            raise BadInput(f"{label} has more than {MOST_ROWS:,} rows. Keep those that matter.")
        for name in needed:
            if not cells[name]:
                raise BadInput(
                    f"{where} has nothing under {name!r}. Fill it in, or delete the row."
                )
        yield _Row(cells, where)


def _columns(table: Table, sheet: str, label: str) -> dict[str, int]:
    """Position of each column that is there, by its English name."""
    found: dict[str, int] = {}
    given = [_plain(name) for name in table.columns]
    for place, (english, chinese) in enumerate(COLUMNS[sheet].items()):
        positions = [at for at, name in enumerate(given) if name in (english, chinese)]
        if len(positions) > 1:
            raise BadInput(f"{label} has the column {english!r} twice. Delete one of them.")
        if positions:
            found[english] = positions[0]
        elif place < NEEDED[sheet]:
            shown = ", ".join(repr(name) for name in table.columns if name.strip()) or "none"
            raise BadInput(
                f"{label} of {table.path.name} has no column {english!r} (or {chinese!r}). Its "
                f"first row reads: {shown}. The headings belong there."
            )
    return found


def _plain(name: str) -> str:
    return " ".join(name.strip("\ufeff ").casefold().split())


def _text(cell: object, where: str, column: str) -> str:
    if isinstance(cell, CellError):
        raise BadInput(f"{where} holds {cell.code} under {column!r}. Correct that cell.")
    value = plain_value(cell)
    if value is None:
        return ""
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        value = number_text(value)
    return "\n".join(" ".join(line.split()) for line in str(value).strip().splitlines())


def _listed(row: _Row, column: str) -> tuple[str, ...]:
    parts = (part.strip() for part in re.split("[;；、\n]", row.cells.get(column, "")))
    return tuple(dict.fromkeys(part for part in parts if part))


def _is(row: _Row, column: str, wanted: Sequence[str], others: Sequence[str]) -> bool:
    """Whether a cell holds one of the wanted words rather than one of the others, or nothing."""
    asked = row[column]
    if asked.casefold() in ("", *wanted, *others):
        return asked.casefold() in wanted
    words = (*wanted[:1], *others[:1], *wanted[-1:], *others[-1:])
    raise BadInput(
        f"{row.where} has {short(asked)} under {column!r}; expected one of {', '.join(words)}, or "
        "nothing."
    )


# What cannot be meant

Form = tuple[str, str, str]  # as written, what it stands for, where it is said


def _forms(entries: Sequence[Entry], rows: Sequence[_Row]) -> list[Form]:
    return [
        (form, entry.name, row.where)
        for entry, row in zip(entries, rows, strict=True)
        for form in (entry.name, *entry.words)
    ]


def _check_names(
    brands: Sequence[Entry],
    products: Sequence[Entry],
    synonyms: Sequence[Synonym],
    rows: dict[str, list[_Row]],
) -> None:
    named = [*_forms(brands, rows["brands"]), *_forms(products, rows["products"])]
    same = [
        (one.word, one.means, row.where)
        for one, row in zip(synonyms, rows["synonyms"], strict=True)
    ]
    # A synonym may point to any form of a product: it then means the product.
    shown = {fold(form): name for form, name, _ in named}
    _check_one_meaning(
        [*named, *((word, shown.get(fold(means), means), where) for word, means, where in same)]
    )
    _check_no_circle({fold(word): (fold(means), where) for word, means, where in same})


def _check_one_meaning(forms: Sequence[Form]) -> None:
    first: dict[str, Form] = {}
    for form, name, where in forms:
        if len(form) > MOST_CHARS:
            raise BadInput(
                f"{where} holds a name of {len(form)} characters ({short(form)}); expected at most "
                f"{MOST_CHARS}."
            )
        other = first.setdefault(fold(form), (form, name, where))
        if fold(other[1]) != fold(name):
            raise BadInput(
                f"{short(form)} stands for {other[1]!r} in {other[2]} and for {name!r} in {where}. "
                "A word can stand for one thing only: delete it in one of them."
            )


def _check_no_circle(means: dict[str, tuple[str, str]]) -> None:
    for word, (_, where) in means.items():
        seen = {word}
        while word in means:
            word = means[word][0]
            if word in seen:
                raise BadInput(
                    f"{where} leads in a circle: {short(word)} means itself. Delete one of the "
                    "rows."
                )
            seen.add(word)


def _notes(found: Knowledge) -> tuple[str, ...]:
    """What is allowed and yet is likely to be a mistake."""
    from server.text.stopwords import STOP_WORDS

    forms = [form for form, *_ in found.names.to_json()]
    forms += [word for one in found.aspects for word in (one.name, *one.words)]
    problems: list[tuple[Callable[[str], bool], str]] = [
        (lambda form: form.casefold() in STOP_WORDS, "an everyday word that many texts hold"),
        (lambda form: len(form) < 2, "a single character, which stands in many words"),
    ]
    return tuple(
        f"{short(form)} is {reason}"
        for form in dict.fromkeys(forms)
        for wrong, reason in problems
        if wrong(form)
    )
