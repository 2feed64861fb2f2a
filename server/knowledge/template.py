"""Writes an empty knowledge file: headings with explanations, and a first sheet with examples.

A new file changes no answer: the examples stand where they are not read.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import xlsxwriter

from server.knowledge.model import SHEETS
from server.knowledge.reading import CHINESE_SHEETS, COLUMNS
from server.models.aspect_categories import SHOP_CATEGORIES

READ_ME: Final = {"en": "Read me", "zh": "说明"}
LINES: Final = 32  # height of a row with two lines; a program that opens the file may not fit it
ROWS: Final = 5_000  # that get the drop-down lists

_SHEETS: Final = {
    "brands": (
        "Brands that stay whole. keywords: leave out = keywords, topics and words do not show it.",
        "需要保持完整的品牌。关键词列填“排除”时，关键词、主题和分词结果不显示该品牌。",
    ),
    "products": (
        "Your products. Their other names are counted as the product.",
        "您的产品。其他叫法都计为该产品。",
    ),
    "synonyms": (
        "A word, and the one thing that it is counted as. sentiment: yes for slang.",
        "一个词语，以及它应计为什么，只能对应一个含义。网络用语请在“情感”列填“是”。",
    ),
    "aspects": (
        "What you want to know of your shop. words: what customers call it. category: optional.",
        "您关心的方面。说法：客户怎么称呼它。类别：可不填。",
    ),
}
_NOTES: Final = {
    "brand": ("The name as it is shown.", "显示的名称。"),
    "other spellings": ("Other spellings, with ; between them.", "其他写法，用分号隔开。"),
    "keywords": (
        'Empty or "keep": shown. "leave out": not shown in keywords, topics and words.',
        "空着或“保留”：显示。“排除”：不出现在关键词、主题和分词结果中。",
    ),
    "product": ("The name as it is shown.", "显示的名称。"),
    "other names": (
        "What customers call it, with ; between them.",
        "客户对它的叫法，用分号隔开。",
    ),
    "word": ("What customers write.", "客户写的词语。"),
    "means": (
        "What it is counted as: a product, or another word.",
        "应计为什么：一个产品，或另一个词语。",
    ),
    "sentiment": (
        "yes: SENTIMENT and PROFILE read the meaning in place of the word, as for slang.",
        "填“是”：SENTIMENT 和 PROFILE 用含义代替该词来判断，适合网络用语。",
    ),
    "aspect": ("The name as it is shown.", "显示的名称。"),
    "words": ("What customers call it, with ; between them.", "客户对它的说法，用分号隔开。"),
    "category": (
        "Shown under category. One from the list also helps to find it by meaning.",
        "显示在 category 列。填列表中的类别还有助于按含义查找。",
    ),
}
_EXAMPLES: Final[dict[str, tuple[tuple[str, ...], ...]]] = {
    "brands": (("Northpine", "North Pine;北松", "leave out"), ("Brewwell", "", "keep")),
    "products": (("Kettle K1", "K1;小水壶"), ("爱尔兰咖啡壶", "咖啡壶;Irish pot")),
    "synonyms": (
        ("快递", "物流"),
        ("juice", "battery life"),
        ("tea boiler", "Kettle K1"),
        ("智商税", "不值得买", "yes"),
    ),
    "aspects": (
        ("heating speed", "boils fast;time to boil;烧水速度", "performance"),
        ("售后", "售后服务;退换货;after-sales", "service"),
    ),
}
_IN_CHINESE: Final = {"leave out": "排除", "keep": "保留", "yes": "是"}
_HOW: Final = (
    (
        "Fill in the other sheets and save. A running Shopsheet takes the file at once.",
        "填写其他工作表并保存。运行中的 Shopsheet 会立即采用。",
    ),
    (
        "Keep the sheets' names and their first rows. Empty rows do no harm.",
        "请保留工作表名称和第一行标题。空行没有影响。",
    ),
    (
        "`shopsheet knowledge check` tells what is wrong; until then the last good file counts.",
        "`shopsheet knowledge check` 会指出问题；在改正之前沿用上一个正确的文件。",
    ),
    (
        "The examples below are not read; copy what you need into the sheets.",
        "下面的示例不会被读取；需要的请复制到相应工作表。",
    ),
)


def write_template(path: Path, language: str = "en") -> None:
    """Nothing; a new workbook is at `path`, with names in English or Chinese ("zh").

    Raises: FileExistsError if there is a file, OSError if it cannot be written.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("xb"):
        pass  # never over a user's file
    book = xlsxwriter.Workbook(path)
    try:
        bold = book.add_format({"bold": True, "bg_color": "#DCE6F1", "border": 1})
        wrapped = book.add_format({"text_wrap": True, "valign": "top"})
        _read_me(book.add_worksheet(READ_ME[language]), language, bold, wrapped)
        for sheet in SHEETS:
            _data_sheet(book.add_worksheet(_sheet_name(sheet, language)), sheet, language, bold)
    finally:
        book.close()


def _sheet_name(sheet: str, language: str) -> str:
    return CHINESE_SHEETS[sheet] if language == "zh" else sheet


def _headings(sheet: str, language: str) -> list[str]:
    return [zh if language == "zh" else en for en, zh in COLUMNS[sheet].items()]


def _read_me(sheet: Any, language: str, bold: Any, wrapped: Any) -> None:
    sheet.set_column(0, 1, 52, wrapped)
    sheet.set_column(2, 2, 20, wrapped)
    sheet.write_row(0, 0, ["Knowledge of your shop", "关于您店铺的知识"], bold)
    row = 1
    for both in _HOW:
        sheet.set_row(row, LINES)
        sheet.write_row(row, 0, both)
        row += 1
    for name in SHEETS:
        row += 1
        sheet.write(row, 0, f"{name} / {CHINESE_SHEETS[name]}", bold)
        sheet.set_row(row + 1, LINES)
        sheet.write_row(row + 1, 0, _SHEETS[name])
        sheet.write_row(row + 2, 0, _headings(name, language), bold)
        for example in _EXAMPLES[name]:
            chinese = [_IN_CHINESE.get(cell, cell) for cell in example]
            sheet.write_row(row + 3, 0, chinese if language == "zh" else example)
            row += 1
        row += 3


def _data_sheet(sheet: Any, name: str, language: str, bold: Any) -> None:
    headings = _headings(name, language)
    sheet.set_column(0, len(headings) - 1, 30)
    sheet.freeze_panes(1, 0)
    for column, (english, heading) in enumerate(zip(COLUMNS[name], headings, strict=True)):
        sheet.write(0, column, heading, bold)
        sheet.write_comment(0, column, "\n".join(_NOTES[english]), {"x_scale": 2})
    if name == "brands":
        choices = ["保留", "排除"] if language == "zh" else ["keep", "leave out"]
        sheet.data_validation(1, 2, ROWS, 2, {"validate": "list", "source": choices})
    if name == "synonyms":
        choices = ["是", "否"] if language == "zh" else ["yes", "no"]
        sheet.data_validation(1, 2, ROWS, 2, {"validate": "list", "source": choices})
    if name == "aspects":
        # A cell's list holds 255 characters: the categories stand in a hidden column.
        sheet.write_column(1, 25, SHOP_CATEGORIES)
        sheet.set_column(25, 25, None, None, {"hidden": True})
        source = f"=$Z$2:$Z${len(SHOP_CATEGORIES) + 1}"
        options = {"validate": "list", "source": source, "error_type": "information"}
        sheet.data_validation(1, 2, ROWS, 2, options)
