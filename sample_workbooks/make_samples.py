"""Writes reviews.xlsx from reviews.csv: formulas, a summary and charts, without any answers yet.

    python sample_workbooks/make_samples.py
    shopsheet refresh sample_workbooks/reviews.xlsx

The second command puts the model's answers into the cells. The reviews are our own writing.
"""

from __future__ import annotations

import argparse
import csv
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Any

from xlsxwriter import Workbook
from xlsxwriter.utility import xl_rowcol_to_cell

HERE = Path(__file__).resolve().parent
CHANNELS = ("Web shop", "Marketplace", "Social", "Service")
LABELS = ("positive", "neutral", "mixed", "negative")
COLOURS = {"positive": "#3A9D6E", "neutral": "#A9B4BF", "mixed": "#E3A83B", "negative": "#CC5A43"}
TINTS = {"positive": "#DDF1E6", "neutral": "#E9EDF0", "mixed": "#FBEFD5", "negative": "#F8DFD9"}
INK, PAPER, LINE, QUIET = "#22384F", "#F4F6F8", "#D5DCE3", "#6B7B8C"
FONT = "Calibri"
# Excel computes a workbook anew when the number is lower than its own. Ours must not be computed
# on loading: where the add-in is missing, all answers would turn into #NAME?.
CALC_ID = 191029

FIRST_ROW = 4  # of the reviews, counted from 0


@dataclass(frozen=True)
class Review:
    """A line of reviews.csv. `our_reading` is the label that its writer had in mind."""

    day: date
    product: str
    channel: str
    language: str
    stars: int | None
    text: str
    our_reading: str


def read_reviews(path: Path = HERE / "reviews.csv") -> list[Review]:
    """The reviews in the order of the file."""
    with path.open(encoding="utf-8", newline="") as stream:
        return [
            Review(
                date.fromisoformat(row["date"]),
                row["product"],
                row["channel"],
                row["language"],
                int(row["stars"]) if row["stars"] else None,
                row["review"],
                row["our_reading"],
            )
            for row in csv.DictReader(stream)
        ]


class Book:
    """The workbook and its formats, each made once."""

    def __init__(self, path: Path, title: str) -> None:
        self.book = Workbook(str(path))
        self.book.set_calc_mode("auto", CALC_ID)
        self.book.calc_on_load = False
        self.book.set_properties(
            {
                "title": title,
                "author": "Shopsheet",
                "created": datetime(2026, 7, 1),  # the same file each time it is made
            }
        )
        self._formats: dict[tuple[tuple[str, Any], ...], Any] = {}

    def style(self, **properties: Any) -> Any:
        """The format with these properties over the usual font."""
        merged = {
            "font_name": FONT,
            "font_size": 10,
            "font_color": INK,
            "valign": "vcenter",
            **properties,
        }
        key = tuple(sorted(merged.items()))
        if key not in self._formats:
            self._formats[key] = self.book.add_format(merged)
        return self._formats[key]

    def header(self, **more: Any) -> Any:
        look = {"bold": True, "font_color": "white", "bg_color": INK, "valign": "vcenter"}
        return self.style(**{**look, "border": 1, "border_color": INK, **more})

    def colour_labels(self, sheet: Any, cells: str) -> None:
        """Cells that hold a label take its colour, as text on a tint."""
        for label in LABELS:
            shown = self.book.add_format(
                {"bg_color": TINTS[label], "font_color": INK, "bold": label == "negative"}
            )
            sheet.conditional_format(
                cells, {"type": "cell", "criteria": "==", "value": f'"{label}"', "format": shown}
            )


def write_workbook(path: Path, reviews: Sequence[Review]) -> None:
    """Nothing; `path` holds the workbook, its SHOP formulas with empty answers."""
    b = Book(path, "Reviews, read by SHOP.SENTIMENT")
    summary, rows, trial = (b.book.add_worksheet(n) for n in ("Summary", "Reviews", "Try it"))
    last = FIRST_ROW + len(reviews)  # counted from 1: the last row of the reviews
    for name, column in {
        "review_date": "A", "product": "B", "channel": "C", "review_language": "D", "stars": "E",
        "review": "F", "sentiment": "G", "score": "H",
    }.items():  # fmt: skip
        area = f"${column}${FIRST_ROW + 1}:${column}${last}"
        b.book.define_name(name, f"=Reviews!{area}")
    _write_summary(b, summary, reviews)
    _write_reviews(b, rows, reviews)
    _write_trial(b, trial)
    summary.activate()
    b.book.close()


# Sheet: Reviews


def _write_reviews(b: Book, sheet: Any, reviews: Sequence[Review]) -> None:
    columns = [("Date", 11), ("Product", 25), ("Channel", 12), ("Language", 10), ("Stars", 7),
               ("Review", 92), ("Sentiment", 12), ("Score", 9)]  # fmt: skip
    sheet.hide_gridlines(2)
    sheet.set_row(0, 30)
    sheet.write(0, 0, "Reviews", b.style(font_size=18, bold=True, valign="vcenter"))
    sheet.write(
        1, 0,
        "Sentiment and Score are formulas: =SHOP.SENTIMENT(F5) and =SHOP.SENTIMENT(F5,\"score\"). "
        "Change a review, or paste your own, and they follow.",
        b.style(font_color=QUIET, italic=True),
    )  # fmt: skip
    sheet.set_row(FIRST_ROW - 1, 22)
    for i, (name, width) in enumerate(columns):
        sheet.set_column(i, i, width)
        place = {"align": "center"} if name in ("Stars", "Sentiment", "Score") else {}
        sheet.write(FIRST_ROW - 1, i, name, b.header(**place))
    base: dict[str, Any] = {"bottom": 1, "bottom_color": LINE}
    plain, wrapped = b.style(**base), b.style(**base, text_wrap=True)
    centred = b.style(**base, align="center")
    day = b.style(**base, num_format="yyyy-mm-dd", align="left")
    score = b.style(**base, num_format="+0.00;-0.00;0.00", align="center")
    for r, review in enumerate(reviews, start=FIRST_ROW):
        sheet.write_datetime(r, 0, datetime.combine(review.day, datetime.min.time()), day)
        sheet.write_string(r, 1, review.product, plain)
        sheet.write_string(r, 2, review.channel, plain)
        sheet.write_string(r, 3, review.language, plain)
        if review.stars is None:
            sheet.write_blank(r, 4, None, centred)
        else:
            sheet.write_number(r, 4, review.stars, centred)
        sheet.write_string(r, 5, review.text, wrapped)
        sheet.set_row(r, 4.0 + 14.0 * _lines(review.text, columns[5][1]))
        sheet.write_formula(r, 6, f"=SHOP.SENTIMENT(F{r + 1})", centred, "")
        sheet.write_formula(r, 7, f'=SHOP.SENTIMENT(F{r + 1},"score")', score, "")
    end = FIRST_ROW + len(reviews)
    b.colour_labels(sheet, f"G{FIRST_ROW + 1}:G{end}")
    sheet.conditional_format(
        f"H{FIRST_ROW + 1}:H{end}",
        {
            "type": "3_color_scale",
            **{f"{place}_type": "num" for place in ("min", "mid", "max")},
            **{"min_value": -1, "mid_value": 0, "max_value": 1},
            **{"min_color": "#EDB5A9", "mid_color": "#FFFFFF", "max_color": "#A5D6BD"},
        },
    )
    sheet.autofilter(FIRST_ROW - 1, 0, end - 1, len(columns) - 1)
    sheet.freeze_panes(FIRST_ROW, 0)
    sheet.repeat_rows(FIRST_ROW - 1)
    sheet.set_landscape()
    sheet.set_paper(9)
    sheet.fit_to_pages(1, 0)
    sheet.set_footer("&L&9Shopsheet sample: reviews written for it&R&9&P / &N")


def _lines(text: str, width: int) -> int:
    """Lines that the text takes in a cell of that width; a Chinese character is two wide."""
    wide = sum(2.0 if char > "\u2e80" else 1.0 for char in text)
    return max(1, -int(-wide // (width * 1.2)))


# Sheet: Summary


def _write_summary(b: Book, sheet: Any, reviews: Sequence[Review]) -> None:
    sheet.hide_gridlines(2)
    sheet.set_default_row(18)
    sheet.set_column("A:A", 2)
    sheet.set_column("B:B", 26)
    sheet.set_column("C:J", 10.5)
    sheet.set_column("K:K", 3)
    sheet.set_column("L:U", 9)
    months = sorted({review.day.replace(day=1) for review in reviews})
    sheet.set_row(0, 34)
    sheet.write("B1", "What customers say", b.style(font_size=22, bold=True, valign="vcenter"))
    sheet.write(
        "B2",
        f"{months[0]:%B} to {months[-1]:%B %Y}. Every label comes from =SHOP.SENTIMENT on the "
        "sheet Reviews, in English and Chinese alike; nothing left this machine.",
        b.style(font_color=QUIET),
    )
    _tiles(b, sheet, reviews)
    products = list(dict.fromkeys(sorted(review.product for review in reviews)))
    by_product = _table(
        b,
        sheet,
        7,
        "Product",
        "product",
        {p: [r for r in reviews if r.product == p] for p in products},
    )
    by_month = _table(
        b, sheet, by_product[1] + 3, "Month", None,
        {m: [r for r in reviews if r.day.replace(day=1) == m] for m in months},
    )  # fmt: skip
    by_channel = _table(
        b, sheet, by_month[1] + 3, "Channel", "channel",
        {c: [r for r in reviews if r.channel == c] for c in CHANNELS},
    )  # fmt: skip
    by_language = _table(
        b, sheet, by_channel[1] + 3, "Language", "review_language",
        {x: [r for r in reviews if r.language == x] for x in ("English", "Chinese")},
    )  # fmt: skip
    last = by_language[1] + 3
    _disagreement(b, sheet, last)
    _share_chart(b, sheet, by_product)
    _month_chart(b, sheet, by_month)
    sheet.set_landscape()
    sheet.set_paper(9)
    sheet.fit_to_pages(1, 1)
    sheet.print_area(0, 0, last + 4, 20)


def _tiles(b: Book, sheet: Any, reviews: Sequence[Review]) -> None:
    tiles = [
        ("B", "B", "reviews", "=COUNTA(review)", "0", INK, len(reviews)),
        ("C", "D", "positive", '=COUNTIF(sentiment,"positive")/COUNTA(review)', "0%",
         COLOURS["positive"], ""),
        ("E", "F", "negative", '=COUNTIF(sentiment,"negative")/COUNTA(review)', "0%",
         COLOURS["negative"], ""),
        ("G", "H", "mean score", '=IFERROR(AVERAGE(score),"")', "+0.00;-0.00;0.00", INK, ""),
        ("I", "J", "mean stars", '=IFERROR(AVERAGE(stars),"")', "0.0", INK, _stars(reviews)),
    ]  # fmt: skip
    sheet.set_row(3, 32)
    sheet.set_row(4, 18)
    edge = {"bg_color": PAPER, "align": "center"}
    for left, right, name, formula, number, colour, value in tiles:
        figure = b.style(**edge, font_size=22, bold=True, font_color=colour, num_format=number,
                         valign="bottom", top=5, top_color=colour)  # fmt: skip
        caption = b.style(**edge, font_color=QUIET, valign="top")
        if left == right:
            sheet.write_formula(f"{left}4", formula, figure, value)
            sheet.write(f"{left}5", name, caption)
        else:
            sheet.merge_range(f"{left}4:{right}4", "", figure)
            sheet.write_formula(f"{left}4", formula, figure, value)
            sheet.merge_range(f"{left}5:{right}5", name, caption)


def _stars(reviews: Sequence[Review]) -> float | str:
    """What the workbook computes: the mean of the stars, empty where there are none."""
    stars = [review.stars for review in reviews if review.stars is not None]
    return sum(stars) / len(stars) if stars else ""


def _table(
    b: Book,
    sheet: Any,
    row: int,
    title: str,
    name: str | None,
    groups: Mapping[Any, Sequence[Review]],
) -> tuple[int, int]:
    """First and last row of a table that counts labels by group.

    name: of the column that holds the keys of `groups`; None where they are months.
    """
    heads = [title, "Reviews", *LABELS, "% positive", "Score", "Stars"]
    sheet.set_row(row, 20)
    for i, head in enumerate(heads):
        colour = COLOURS.get(head)
        look = b.header(**({"align": "center"} if i else {}), **({"bg_color": colour} if colour
                        else {}))  # fmt: skip
        sheet.write(row, 1 + i, head, look)
    line: dict[str, Any] = {"bottom": 1, "bottom_color": LINE}
    count = b.style(**line, align="center", num_format='0;-0;"·"')
    share = b.style(**line, align="center", num_format="0%")
    score = b.style(**line, align="center", num_format="+0.00;-0.00;0.00")
    stars = b.style(**line, align="center", num_format="0.0")
    for offset, (key, members) in enumerate(groups.items(), start=1):
        r = row + offset
        cell = f"$B{r + 1}"
        if isinstance(key, date):
            sheet.write_datetime(r, 1, datetime(key.year, key.month, 1),
                                 b.style(**line, num_format="mmmm yyyy", align="left"))  # fmt: skip
            where = f'review_date,">="&{cell},review_date,"<"&EDATE({cell},1)'
        else:
            sheet.write_string(r, 1, key, b.style(**line))
            where = f"{name},{cell}"
        sheet.write_formula(r, 2, f"=COUNTIFS({where})", count, len(members))
        for i in range(len(LABELS)):
            head = xl_rowcol_to_cell(row, 3 + i, row_abs=True)
            sheet.write_formula(r, 3 + i, f"=COUNTIFS({where},sentiment,{head})", count, 0)
        sheet.write_formula(r, 7, f'=IF(C{r + 1}=0,"",D{r + 1}/C{r + 1})', share, "")
        sheet.write_formula(r, 8, f'=IFERROR(AVERAGEIFS(score,{where}),"")', score, "")
        sheet.write_formula(r, 9, f'=IFERROR(AVERAGEIFS(stars,{where}),"")', stars,
                            _stars(members))  # fmt: skip
    first, end = row + 2, row + 1 + len(groups)
    sheet.conditional_format(
        f"H{first}:H{end}",
        {"type": "data_bar", "bar_solid": True, "bar_color": "#BFE3CF", "min_type": "num",
         "min_value": 0, "max_type": "num", "max_value": 1, "bar_no_border": True},
    )  # fmt: skip
    return row + 1, row + len(groups)


def _disagreement(b: Book, sheet: Any, row: int) -> None:
    """Where a star average misleads."""
    sheet.write(row, 1, "Where stars and words disagree", b.style(bold=True, font_size=11))
    notes = [
        ('=COUNTIFS(stars,">=4",sentiment,"negative")', "reviews with 4 or 5 stars read negative"),
        ('=COUNTIFS(stars,"<=2",sentiment,"positive")', "reviews with 1 or 2 stars read positive"),
        ('=COUNTIFS(stars,"",sentiment,"negative")',
         "negative posts and messages carry no stars at all: a star average never sees them"),
    ]  # fmt: skip
    for offset, (formula, text) in enumerate(notes, start=1):
        number = b.style(align="right", bold=True, num_format="0")
        sheet.write_formula(row + offset, 1, formula, number, 0)
        sheet.write(row + offset, 2, text, b.style())


def _share_chart(b: Book, sheet: Any, rows: tuple[int, int]) -> None:
    chart = b.book.add_chart({"type": "bar", "subtype": "percent_stacked"})
    header = rows[0] - 1
    for i, label in enumerate(LABELS):
        chart.add_series(
            {
                "name": ["Summary", header, 3 + i],
                "categories": ["Summary", rows[0], 1, rows[1], 1],
                "values": ["Summary", rows[0], 3 + i, rows[1], 3 + i],
                "fill": {"color": COLOURS[label]},
                "gap": 45,
            }
        )
    font = {"name": FONT, "size": 9, "color": INK}
    chart.set_title({"name": "How each product is received", "overlay": False,
                     "name_font": {"name": FONT, "size": 12, "color": INK}})  # fmt: skip
    chart.set_y_axis({"reverse": True,
            "crossing": "max", "num_font": font, "line": {"color": LINE},
                      "major_tick_mark": "none"})  # fmt: skip
    chart.set_x_axis({"num_font": font, "num_format": "0%", "line": {"none": True},
                      "major_gridlines": {"visible": True, "line": {"color": LINE}}})  # fmt: skip
    chart.set_legend({"position": "bottom", "font": font})
    chart.set_chartarea({"border": {"color": LINE}})
    chart.set_size({"width": 620, "height": 292})
    sheet.insert_chart(rows[0] - 1, 11, chart, {"description": "Share of each label by product"})


def _month_chart(b: Book, sheet: Any, rows: tuple[int, int]) -> None:
    chart = b.book.add_chart({"type": "column", "subtype": "stacked"})
    header = rows[0] - 1
    for i, label in enumerate(LABELS):
        chart.add_series(
            {
                "name": ["Summary", header, 3 + i],
                "categories": ["Summary", rows[0], 1, rows[1], 1],
                "values": ["Summary", rows[0], 3 + i, rows[1], 3 + i],
                "fill": {"color": COLOURS[label]},
                "gap": 55,
            }
        )
    line = b.book.add_chart({"type": "line"})
    line.add_series(
        {
            "name": ["Summary", header, 7],
            "categories": ["Summary", rows[0], 1, rows[1], 1],
            "values": ["Summary", rows[0], 7, rows[1], 7],
            "y2_axis": True,
            "line": {"color": INK, "width": 2},
            "marker": {"type": "circle", "size": 6, "fill": {"color": "white"},
                       "border": {"color": INK}},
        }
    )  # fmt: skip
    chart.combine(line)
    font = {"name": FONT, "size": 9, "color": INK}
    chart.set_title({"name": "Month by month", "overlay": False,
                     "name_font": {"name": FONT, "size": 12, "color": INK}})  # fmt: skip
    chart.set_x_axis({"num_font": font, "num_format": "mmm", "line": {"color": LINE},
                      "text_axis": True})  # fmt: skip
    chart.set_y_axis({"num_font": font, "line": {"none": True},
                      "major_gridlines": {"visible": True, "line": {"color": LINE}}})  # fmt: skip
    line.set_y2_axis({"num_font": font, "num_format": "0%", "min": 0, "max": 1,
                      "line": {"none": True}})  # fmt: skip
    chart.set_legend({"position": "bottom", "font": font})
    chart.set_chartarea({"border": {"color": LINE}})
    chart.set_size({"width": 620, "height": 292})
    sheet.insert_chart(
        rows[0] - 1, 11, chart, {"description": "Labels and share of positive by month"}
    )


# Sheet: Try it

# Text, formulas from column C on, what they give. Each fills one cell: LibreOffice computes array
# formulas on loading, and without the extension they would show #NAME? instead of what is saved.
TRIALS = (
    (
        "Great value, arrived a day early!",
        ["SHOP.SENTIMENT({})"],
        "The label: positive, neutral, mixed or negative.",
    ),
    (
        "物流太慢了，包装也破了",
        ['SHOP.SENTIMENT({},"score")'],
        "The score, from -1 (negative) to 1 (positive).",
    ),
    (
        "Lovely fabric, but the zip broke on day one.",
        [f'INDEX(SHOP.SENTIMENT({{}},"all"),1,{part})' for part in (1, 2, 3)],
        'Label, score and confidence. On its own, SHOP.SENTIMENT(B7,"all") fills three cells.',
    ),
    (
        "还行吧，先用一段时间再说",
        ['IFERROR(SHOP.SENTIMENT({},"label",0.9),"please read")'],
        "Where the model is less than 90% sure it gives #N/A: leave those to a person.",
    ),
    (
        "I want my money back.",
        ['IF(SHOP.SENTIMENT({})="negative","answer today","thank them")'],
        "Inside an ordinary formula.",
    ),
)
NOTES = (
    (
        "A whole column with one formula",
        "Into an empty cell of Excel: =SHOP.SENTIMENT(B5:B9). The answers fill five cells, with "
        "one request for all of them.",
        "In LibreOffice: select five cells, type it, press Ctrl+Shift+Enter.",
    ),
    (
        "If the answers do not change",
        "Excel: install the Shopsheet add-in. Without it the cells keep what the file holds, and "
        "a cell that is computed anew shows #NAME?.",
        "LibreOffice: install the Shopsheet extension, then Data > Calculate > Recalculate Hard.",
        "Neither: shopsheet refresh sample_workbooks/reviews.xlsx writes the answers into the "
        "file; nobody needs to have it open.",
    ),
)


def _write_trial(b: Book, sheet: Any) -> None:
    sheet.hide_gridlines(2)
    sheet.set_default_row(18)
    for columns, width in {"A:A": 2, "B:B": 46, "C:E": 13, "F:F": 3, "G:G": 62, "H:H": 72}.items():
        sheet.set_column(columns, width)
    sheet.set_row(0, 34)
    quiet = b.style(font_color=QUIET)
    sheet.write("B1", "Try it", b.style(font_size=22, bold=True, valign="vcenter"))
    sheet.write("B2", "Type over a text in column B: the formulas read it again.", quiet)
    for i, head in enumerate(["Text", "Answer", "", "", None, "Formula", "What it gives"]):
        if head is not None:
            sheet.write(3, 1 + i, head, b.header())
    text = b.style(bg_color="#FFF9E5", border=1, border_color=LINE)
    answer = b.style(border=1, border_color=LINE, num_format="0.00;-0.00;0.00", align="center")
    code = b.style(font_name="Consolas")
    sheet.set_row(3, 22)
    for row, (words, formulas, note) in enumerate(TRIALS, start=4):
        sheet.set_row(row, 22)
        sheet.write_string(row, 1, words, text)
        filled = [formula.format(f"B{row + 1}") for formula in formulas]
        for i, formula in enumerate(filled):
            sheet.write_formula(row, 2 + i, f"={formula}", answer, "")
        sheet.write_string(row, 6, f"={filled[0]}", code)
        sheet.write_string(row, 7, note, quiet)
    row = 5 + len(TRIALS)
    b.colour_labels(sheet, f"C5:C{row - 1}")
    for title, *lines in NOTES:
        sheet.write(row, 1, title, b.style(bold=True, font_size=11))
        for offset, line in enumerate(lines, start=1):
            sheet.write_string(row + offset, 1, line, quiet)
        row += len(lines) + 2
    sheet.set_landscape()
    sheet.set_paper(9)
    sheet.fit_to_pages(1, 1)


def main(argv: Sequence[str] | None = None) -> int:
    """Exit status."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("-o", "--output", type=Path, default=HERE / "reviews.xlsx")
    args = parser.parse_args(argv)
    reviews = read_reviews()
    write_workbook(args.output, reviews)
    print(f"{args.output}: {len(reviews)} reviews. Now: shopsheet refresh {args.output}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
