"""Writes voice_of_customer.xlsx: what the reviews say, who wrote them, what they need.

    python sample_workbooks/make_voice.py
    shopsheet refresh sample_workbooks/voice_of_customer.xlsx

The second command puts the answers into the cells. Reviews, questions and orders are made up.
"""

from __future__ import annotations

import argparse
import random
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent))

from make_samples import (
    COLOURS,
    FIRST_ROW,
    HERE,
    INK,
    LINE,
    QUIET,
    Book,
    Review,
    read_reviews,
)
from xlsxwriter.utility import xl_col_to_name

CUSTOMERS = 40
ASPECTS = ("quality", "comfort", "price", "delivery", "packaging", "customer service")
POLARITIES = ("positive", "mixed", "neutral", "negative")
FEW = 12  # rows of a table that a chart shows

FAQ = (
    ("How long does delivery take?", "Two to four working days; express arrives the next day."),
    ("How do I return an item?", "Within 30 days, with the label in the box."),
    ("Can I change the address of my order?", "Yes, until it is packed: see Orders."),
    ("Which sizes are there?", "XS to XXL; each product page has a table in centimetres."),
    ("Is there a warranty?", "Two years on electronics, one on everything else."),
    ("Which payment methods do you take?", "Cards, PayPal, Alipay and WeChat Pay."),
    ("Do you ship abroad?", "To 42 countries; duties are shown before you pay."),
    ("How do I wash the bedding?", "At 40 degrees, inside out; do not tumble dry."),
)  # fmt: skip
QUESTIONS = (
    "When will my parcel get here?",
    "I want to send these shoes back",
    "多久能送到上海？",
    "可以用支付宝吗？",
    "My earbuds broke after a year, are they still covered?",
    "I typed the wrong street, can it still be corrected?",
    "被套能机洗吗？",
    "Does the dress come in a large?",
)
TEAMS = ("logistics", "product", "service")
LABELLED = (
    ("The courier left the parcel in the rain", "logistics"),
    ("等了两个星期还没到", "logistics"),
    ("The zip broke on the second day", "product"),
    ("面料起球，穿一次就旧了", "product"),
    ("Nobody answers my e-mails", "service"),
    ("客服态度很差，一直推脱", "service"),
)


@dataclass(frozen=True)
class Order:
    """A line of the sheet Orders."""

    customer: str
    day: date
    amount: float


def customers_of(reviews: Sequence[Review], seed: int = 3) -> list[str]:
    """Who wrote each review; some wrote many."""
    draw = random.Random(seed)
    return [f"C-{1 + int(CUSTOMERS * draw.random() ** 1.6):03}" for _ in reviews]


def made_up_orders(seed: int = 4) -> list[Order]:
    """Orders of every customer over a year, by date."""
    draw = random.Random(seed)
    orders = []
    for number in range(1, CUSTOMERS + 1):
        day = date(2025, 7, 1) + timedelta(days=draw.randrange(200))
        gap = draw.choice((14, 30, 45, 90))
        while day <= date(2026, 6, 30):
            orders.append(Order(f"C-{number:03}", day, round(draw.lognormvariate(3.4, 0.6), 2)))
            if draw.random() < 0.12:
                break
            day += timedelta(days=max(1, round(draw.gauss(gap, gap / 4))))
    return sorted(orders, key=lambda order: (order.day, order.customer))


def write_workbook(path: Path, reviews: Sequence[Review]) -> None:
    """Nothing; `path` holds the workbook, its SHOP formulas with empty answers."""
    b = Book(path, "Voice of the customer, read by SHOP functions")
    names = ("Overview", "Reviews", "Topics", "Needs", "Keywords", "Aspects", "Summaries",
             "Customers", "Segments", "Answers", "Teams", "Orders")  # fmt: skip
    sheets = {name: b.book.add_worksheet(name) for name in names}
    orders = made_up_orders()
    end, last_order = FIRST_ROW + len(reviews), FIRST_ROW + len(orders)
    for name, column in {
        "review_date": "A", "customer": "B", "product": "C", "channel": "D", "review": "E",
    }.items():  # fmt: skip
        b.book.define_name(name, f"=Reviews!${column}${FIRST_ROW + 1}:${column}${end}")
    for name, column in {"order_id": "A", "order_date": "B", "order_amount": "C"}.items():
        b.book.define_name(name, f"=Orders!${column}${FIRST_ROW + 1}:${column}${last_order}")
    b.book.define_name("orders", f"=Orders!$A${FIRST_ROW + 1}:$C${last_order}")

    _write_reviews(b, sheets["Reviews"], reviews)
    _write_orders(b, sheets["Orders"], orders)
    _write_tables(b, sheets)
    _write_answers(b, sheets["Answers"])
    _write_teams(b, sheets["Teams"], reviews)
    _write_overview(b, sheets["Overview"], end)
    sheets["Overview"].activate()
    b.book.close()


def _title(b: Book, sheet: Any, title: str, note: str) -> None:
    sheet.hide_gridlines(2)
    sheet.set_row(0, 30)
    sheet.write(0, 0, title, b.style(font_size=18, bold=True, valign="vcenter"))
    sheet.write(1, 0, note, b.style(font_color=QUIET, italic=True))
    sheet.freeze_panes(FIRST_ROW, 0)
    sheet.set_landscape()
    sheet.set_paper(9)
    sheet.fit_to_pages(1, 0)
    sheet.set_footer("&L&9Shopsheet sample: reviews and orders are made up&R&9&P / &N")


def _heads(b: Book, sheet: Any, columns: Sequence[tuple[str, float]]) -> None:
    sheet.set_row(FIRST_ROW - 1, 22)
    for i, (name, width) in enumerate(columns):
        sheet.set_column(i, i, width)
        sheet.write(FIRST_ROW - 1, i, name, b.header())


# The data


def _write_reviews(b: Book, sheet: Any, reviews: Sequence[Review]) -> None:
    first, last = xl_col_to_name(5), xl_col_to_name(4 + len(ASPECTS))
    _title(
        b, sheet, "Reviews",
        f"Columns {first} to {last} are one formula: =SHOP.ASPECTS(review, the headings). "
        "Write another aspect over a heading, in your own words.",
    )  # fmt: skip
    columns = [("Date", 11), ("Customer", 10), ("Product", 25),
               ("Channel", 12), ("Review", 80),
               *((name, 11) for name in ASPECTS)]  # fmt: skip
    _heads(b, sheet, columns)
    base: dict[str, Any] = {"bottom": 1, "bottom_color": LINE}
    plain, wrapped = b.style(**base), b.style(**base, text_wrap=True)
    day = b.style(**base, num_format="yyyy-mm-dd", align="left")
    centred = b.style(**base, align="center")
    for r, (review, customer) in enumerate(
        zip(reviews, customers_of(reviews), strict=True), start=FIRST_ROW
    ):
        sheet.write_datetime(r, 0, datetime.combine(review.day, datetime.min.time()), day)
        for i, text in enumerate((customer, review.product, review.channel), start=1):
            sheet.write_string(r, i, text, plain)
        sheet.write_string(r, 4, review.text, wrapped)
        for i in range(len(ASPECTS)):
            sheet.write_blank(r, 5 + i, None, centred)
    end = FIRST_ROW + len(reviews)
    area = f"{first}{FIRST_ROW + 1}:{last}{end}"
    sheet.write_dynamic_array_formula(
        area, f"=SHOP.ASPECTS(review,${first}${FIRST_ROW}:${last}${FIRST_ROW})", centred, ""
    )
    b.colour_labels(sheet, area)


def _write_orders(b: Book, sheet: Any, orders: Sequence[Order]) -> None:
    _title(b, sheet, "Orders", "A row per order, as a shop exports it.")
    _heads(b, sheet, [("Customer", 12), ("Date", 12), ("Amount", 12)])
    for r, order in enumerate(orders, start=FIRST_ROW):
        sheet.write_string(r, 0, order.customer, b.style())
        when = datetime.combine(order.day, datetime.min.time())
        sheet.write_datetime(r, 1, when, b.style(num_format="yyyy-mm-dd", align="left"))
        sheet.write_number(r, 2, order.amount, b.style(num_format="#,##0.00"))


# Tables that one formula fills

SHARE = {"num_format": "0%", "align": "center"}
COUNT = {"align": "center"}
SCORE = {"num_format": "+0.00;-0.00;0.00", "align": "center"}
WRAP = {"text_wrap": True}
DAY = {"num_format": "yyyy-mm-dd", "align": "left"}
TABLES: dict[str, tuple[str, str, tuple[tuple[str, float, dict[str, Any]], ...]]] = {
    "Topics": (
        "=SHOP.TOPICS(review)",
        "Topics found in the reviews; effect: how reviews with the topic differ in sentiment.",
        (("topic", 26, {}), ("terms", 44, {}), ("count", 9, COUNT), ("share", 9, SHARE),
         ("sentiment", 11, SCORE), ("effect", 10, SCORE), ("lo_95", 9, SCORE), ("hi_95", 9, SCORE),
         ("example", 70, {}), ("row", 7, COUNT)),
    ),
    "Needs": (
        '=SHOP.NEEDS(review,,"ranked")',
        "What customers need, most often named first; trend: later reviews against earlier ones.",
        (("need", 40, {}), ("kind", 18, {}), ("count", 9, COUNT), ("share", 9, SHARE),
         ("trend", 11, {}), ("example rows", 24, {})),
    ),
    "Keywords": (
        '=SHOP.KEYWORDS(review,40,"range")',
        "The phrases that the reviews are about.",
        (("phrase", 30, {}), ("score", 10, {"num_format": "0.00"}), ("documents", 11, COUNT),
         ("share", 9, SHARE), ("example row", 12, COUNT)),
    ),
    "Aspects": (
        "=SHOP.ASPECTS(review)",
        "Everything the reviews judge, with the words that judge it. "
        "=MID(review, start, length) is the aspect.",
        (("row", 7, COUNT), ("aspect", 24, {}), ("category", 20, {}), ("opinion", 30, {}),
         ("polarity", 11, {}), ("confidence", 11, {"num_format": "0%"}), ("start", 8, COUNT),
         ("length", 8, COUNT)),
    ),
    "Summaries": (
        "=SHOP.SUMMARIZE(review,product,40)",
        "Both sides of each product in its customers' own sentences; numbers are rows of reviews.",
        (("group", 27, {}), ("reviews", 9, COUNT), ("summary", 130, WRAP)),
    ),
    "Customers": (
        "=SHOP.PROFILE(customer,review,review_date,orders,channel)",
        "A row per customer from reviews and orders; blank where too little is known.",
        (
            ("id", 9, {}), ("interests", 30, {}), ("needs", 30, {}), ("sentiment", 10, SCORE),
            ("trend", 10, {}), ("price sensitivity", 15, SHARE), ("preferred channel", 16, {}),
            ("days since last", 13, COUNT), ("purchases", 10, COUNT),
            ("total", 10, {"num_format": "#,##0.00"}), ("next order", 12, DAY),
            ("last seen", 12, DAY), ("texts", 8, COUNT), ("orders", 8, COUNT)),
    ),
    "Segments": (
        "=SHOP.SEGMENT(order_id,order_date,order_amount)",
        "Recency, frequency and money in fifths, a name for each group, and its rule in words.",
        (("id", 9, {}), ("R", 6, COUNT), ("F", 6, COUNT), ("M", 6, COUNT), ("segment", 20, {}),
         ("rule", 78, {}), ("days since last", 14, COUNT), ("purchases", 11, COUNT),
         ("total", 11, {"num_format": "#,##0.00"})),
    ),
}  # fmt: skip


def _write_tables(b: Book, sheets: dict[str, Any]) -> None:
    for name, (formula, note, parts) in TABLES.items():
        sheet = sheets[name]
        _title(b, sheet, name, f"{note} One formula fills the sheet: {formula}")
        for i, (_, width, look) in enumerate(parts):
            sheet.set_column(i, i, width, b.style(**look))
        sheet.set_row(FIRST_ROW - 1, 22, b.style(bold=True, bottom=2, bottom_color=INK))
        sheet.write_dynamic_array_formula(
            f"A{FIRST_ROW}:A{FIRST_ROW}",
            formula,
            b.style(bold=True, bottom=2, bottom_color=INK),
            "",
        )
    b.colour_labels(sheets["Aspects"], f"E{FIRST_ROW + 1}:E1200")


# Formulas per cell


def _write_answers(b: Book, sheet: Any) -> None:
    _title(
        b, sheet, "Answers",
        "Questions of customers find the answer by meaning, in either language: =SHOP.SIMILAR.",
    )  # fmt: skip
    looks = b.style(text_wrap=True, bottom=1, bottom_color=LINE)
    columns = [("Customer asks", 52), ("Nearest answer", 62), ("", 4),
               ("Question in the FAQ", 40), ("Answer", 62)]  # fmt: skip
    _heads(b, sheet, columns)
    last = FIRST_ROW + len(FAQ)
    for r, (question, answer) in enumerate(FAQ, start=FIRST_ROW):
        sheet.write_string(r, 3, question, looks)
        sheet.write_string(r, 4, answer, looks)
    asked = f"A{FIRST_ROW + 1}:A{FIRST_ROW + len(QUESTIONS)}"
    for r, question in enumerate(QUESTIONS, start=FIRST_ROW):
        sheet.write_string(r, 0, question, looks)
        sheet.write_blank(r, 1, None, looks)
    lookup = f"$D${FIRST_ROW + 1}:$D${last},$E${FIRST_ROW + 1}:$E${last}"
    sheet.write_dynamic_array_formula(
        f"B{FIRST_ROW + 1}:B{FIRST_ROW + len(QUESTIONS)}",
        f'=SHOP.SIMILAR({asked},{lookup},"ask a colleague",1,0.3)',
        looks,
        "",
    )


def _write_teams(b: Book, sheet: Any, reviews: Sequence[Review]) -> None:
    _title(
        b, sheet, "Teams",
        "Complaints sorted by your own labels, which six examples explain: =SHOP.CLASSIFY.",
    )  # fmt: skip
    looks = b.style(text_wrap=True, bottom=1, bottom_color=LINE)
    columns = [("Complaint", 80), ("Team", 14), ("", 4),
               ("Example", 50), ("Its team", 14),
               ("Labels", 14)]  # fmt: skip
    _heads(b, sheet, columns)
    complaints = [review for review in reviews if review.our_reading == "negative"][:30]
    for r, review in enumerate(complaints, start=FIRST_ROW):
        sheet.write_string(r, 0, review.text, looks)
        sheet.write_blank(r, 1, None, looks)
    for r, (text, team) in enumerate(LABELLED, start=FIRST_ROW):
        sheet.write_string(r, 3, text, looks)
        sheet.write_string(r, 4, team, looks)
    for r, team in enumerate(TEAMS, start=FIRST_ROW):
        sheet.write_string(r, 5, team, looks)
    first, end = FIRST_ROW + 1, FIRST_ROW + len(complaints)
    sheet.write_dynamic_array_formula(
        f"B{first}:B{end}",
        f"=SHOP.CLASSIFY(A{first}:A{end},$F${first}:$F${FIRST_ROW + len(TEAMS)},,,"
        f"$D${first}:$E${FIRST_ROW + len(LABELLED)})",
        looks,
        "",
    )


# The first sheet


def _write_overview(b: Book, sheet: Any, end: int) -> None:
    sheet.hide_gridlines(2)
    sheet.set_default_row(18)
    sheet.set_column("A:A", 2)
    sheet.set_column("B:B", 24)
    sheet.set_column("C:G", 10)
    sheet.set_column("H:H", 3)
    sheet.set_column("I:T", 9)
    sheet.set_row(0, 34)
    sheet.write("B1", "Voice of the customer", b.style(font_size=22, bold=True, valign="vcenter"))
    sheet.write(
        "B2",
        "200 reviews in English and Chinese, read on this machine. Each figure follows from the "
        "sheets behind: change a review and all of it changes.",
        b.style(font_color=QUIET),
    )
    for i, head in enumerate(("What is judged", *POLARITIES, "net")):
        sheet.write(3, 1 + i, head, b.header(**({"align": "center"} if i else {})))
    for r, name in enumerate(ASPECTS, start=4):
        column = xl_col_to_name(5 + r - 4)
        area = f"Reviews!${column}${FIRST_ROW + 1}:${column}${end}"
        sheet.write_formula(r, 1, f"=Reviews!{column}{FIRST_ROW}", b.style(), name)
        for i, polarity in enumerate(POLARITIES, start=2):
            sheet.write_formula(r, i, f'=COUNTIF({area},"{polarity}")', b.style(align="center"), 0)
        sheet.write_formula(r, 6, f"=C{r + 1}-F{r + 1}", b.style(num_format="+0;-0;0", **COUNT), 0)
    last = 4 + len(ASPECTS)
    chart = b.book.add_chart({"type": "bar", "subtype": "stacked"})
    for i, polarity in enumerate(POLARITIES, start=2):
        column = xl_col_to_name(i)
        chart.add_series(
            {
                "name": polarity,
                "categories": f"=Overview!$B$5:$B${last}",
                "values": f"=Overview!${column}$5:${column}${last}",
                "fill": {"color": COLOURS[polarity]},
                "gap": 60,
            }
        )
    _finish_chart(chart, "How customers judge it")
    sheet.insert_chart("I4", chart, {"x_scale": 1.25, "y_scale": 0.95})
    _insert_bar(b, sheet, "B13", "Topics, by reviews that mention them", "Topics", "A", "C")
    _insert_bar(b, sheet, "I19", "Needs, by reviews that name them", "Needs", "A", "C")
    sheet.set_landscape()
    sheet.set_paper(9)
    sheet.fit_to_pages(1, 1)


def _insert_bar(
    b: Book, sheet: Any, place: str, title: str, table: str, names: str, values: str
) -> None:
    first, last = FIRST_ROW + 1, FIRST_ROW + FEW
    chart = b.book.add_chart({"type": "bar"})
    chart.add_series(
        {
            "categories": f"={table}!${names}${first}:${names}${last}",
            "values": f"={table}!${values}${first}:${values}${last}",
            "fill": {"color": INK},
            "gap": 50,
        }
    )
    _finish_chart(chart, title)
    chart.set_legend({"none": True})
    sheet.insert_chart(place, chart, {"x_scale": 1.2, "y_scale": 1.25})


def _finish_chart(chart: Any, title: str) -> None:
    font = {"color": INK, "size": 9}
    chart.set_title({"name": title, "name_font": {"color": INK, "size": 12}, "overlay": False})
    chart.set_y_axis({"reverse": True, "num_font": font, "line": {"color": LINE}})
    chart.set_x_axis(
        {"num_font": font, "major_gridlines": {"visible": True, "line": {"color": LINE}}}
    )
    chart.set_legend({"position": "bottom", "font": font})
    chart.set_chartarea({"border": {"none": True}})


def main(argv: Sequence[str] | None = None) -> int:
    """Exit status."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("-o", "--output", type=Path, default=HERE / "voice_of_customer.xlsx")
    args = parser.parse_args(argv)
    reviews = read_reviews()
    write_workbook(args.output, reviews)
    print(f"{args.output}: {len(reviews)} reviews. Now: shopsheet refresh {args.output}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
