"""Every worksheet function, declared once: name, arguments, checks, help, example."""

from __future__ import annotations

import difflib
import re
from typing import Final

from udfs.catalogue_deciding import DECIDING
from udfs.catalogue_series import SERIES_FUNCTIONS
from udfs.errors import BadInput
from udfs.function import NAMESPACE, Arg, Example, Function, Listed, Numbered, Spill
from udfs.function_check import check
from udfs.kinds import (
    AnyCell,
    Cells,
    Choice,
    Dates,
    Day,
    Flag,
    Number,
    NumberOrName,
    Numbers,
    Texts,
    WordList,
)

SENTIMENT = Function(
    name="SENTIMENT",
    capability="sentiment",
    summary="How each review, question or post feels, in English or Chinese.",
    args=(
        Arg(
            "text",
            Texts(),
            "One cell or a range of texts. An empty cell gives an empty answer.",
        ),
        Arg(
            "output",
            Choice("label", "score", "all"),
            'What to return: "label"; "score" from -1 (negative) to 1 (positive); or "all" for '
            "label, score and confidence in three columns. label if left out.",
            default="label",
        ),
        Arg(
            "min_confidence",
            Number(0, 1),
            "From 0 to 1: where the model is less sure of its label than this, the answer is "
            "#N/A. 0 if left out.",
            default=0.0,
        ),
    ),
    returns="positive, negative, neutral or mixed for each text; or its score; or all three "
    "columns.",
    example=Example(("The fabric is lovely and it arrived a day early.",), "positive"),
    spills=Spill("output", {"all": ("label", "score", "confidence")}),
)


ASPECTS = Function(
    name="ASPECTS",
    capability="aspects",
    summary="What texts judge (price, battery, 物流 ...), in their own words, and how.",
    args=(
        SENTIMENT.args[0],
        Arg(
            "aspects",
            WordList(),
            'Aspects to look for, in your own words: a range or a list such as "price;battery '
            'life;售后服务". Each becomes a column. All that the texts judge if left out.',
            default=None,
        ),
        Arg(
            "layout",
            Choice("long", "wide"),
            '"wide": a column per aspect, blank where a text does not mention it; "long": a table '
            "with a row for each aspect found. wide with aspects, else long.",
            default="long",
            default_with=("aspects", "wide"),
        ),
    ),
    returns="positive, negative, neutral or mixed per aspect; or a table with words and places.",
    example=Example(
        ([["The screen is great but the battery is terrible"]], "screen;battery"),
        [["positive", "negative"]],
    ),
    spills=Spill(
        "layout",
        {
            "wide": Listed("aspects"),
            "long": (
                "row",
                "aspect",
                "category",
                "opinion",
                "polarity",
                "confidence",
                "start",
                "length",
            ),
        },
        table=("long",),
    ),
)


CLEAN = Function(
    name="CLEAN",
    capability="clean",
    summary="Texts without what scraping and platforms left in them, in English or Chinese.",
    args=(
        SENTIMENT.args[0],
        Arg(
            "output",
            Choice("text", "words"),
            'What to return: "text", tidied; or "words", its words with a space between them and '
            "without stop words. text if left out.",
            default="text",
        ),
    ),
    returns="The tidied text, or its words, of each text.",
    example=Example(("<p>Great&nbsp;value!!!!!! 😀</p>",), "Great value! 😀"),
)

KEYWORDS = Function(
    name="KEYWORDS",
    capability="keywords",
    summary="The phrases that texts are about, in English or Chinese.",
    args=(
        SENTIMENT.args[0],
        Arg(
            "top_n",
            Number(1, 1000, integer=True),
            "How many phrases, the best first: columns beside each text, or rows of the table. 5 "
            "if left out.",
            default=5,
        ),
        Arg(
            "scope",
            Choice("cell", "range"),
            '"cell": the phrases of each text in columns; "range": a table of the phrases of all '
            "texts, with score, texts that hold them, their share and a row to read. cell if left "
            "out.",
            default="cell",
        ),
        Arg(
            "stop_words",
            WordList(),
            'Words to leave out, such as your brand: a range with one in each cell, or "a;b;c".',
            default=None,
        ),
    ),
    returns="top_n columns of phrases beside each text, blank where there are fewer; or the table.",
    example=Example(
        ("Great battery life, but the side seam of the case came apart.", 3),
        [["battery life", "side seam", "case"]],
    ),
    spills=Spill(
        "scope",
        {
            "cell": Numbered("phrase", "top_n"),
            "range": ("phrase", "score", "documents", "share", "example row"),
        },
        table=("range",),
    ),
)

SEGMENT = Function(
    name="SEGMENT",
    capability="segment",
    summary="Customers by what they bought: how recently, how often, for how much.",
    args=(
        Arg(
            "ids",
            Texts(),
            "The customer of each order line: a column of ids or names. A line without id, date or "
            "amount is left out.",
        ),
        Arg("dates", Dates(), "The date of each order line: a column as long as ids."),
        Arg(
            "amounts",
            Numbers(),
            "The amount of each order line, refunds below 0: a column as long as ids.",
        ),
        Arg(
            "method",
            Choice("RFM", "CLV"),
            '"RFM" for scores and a named segment; "CLV" for the orders and the value expected '
            "in the next 52 weeks. RFM if left out.",
            default="RFM",
        ),
        Arg(
            "bins",
            NumberOrName(2, 10, integer=True),
            "How many steps each RFM score has, from 2 to 10. Or the name of saved cut-points (see "
            "shopsheet train): then customers are judged as those of that time were. 5 if left "
            "out.",
            default=5,
        ),
        Arg(
            "as_of",
            Day(),
            "The day from which recency counts. The last date of the data if left out.",
            default=None,
        ),
    ),
    returns="A table with a row per customer, its columns named in the first row.",
    example=Example(
        (
            [["Ann"], ["Ann"], ["Bo"]],
            [["2024-05-01"], ["2024-05-20"], ["2024-01-15"]],
            [[40.0], [25.0], [10.0]],
        ),
        [
            ["id", "R", "F", "M", "segment", "rule", "days since last", "purchases", "total"],
            [
                "Ann",
                5,
                5,
                5,
                "Champions",
                "bought on the last day, 2 or more times, more than 10 in all",
                0,
                2,
                65.0,
            ],
            [
                "Bo",
                1,
                1,
                1,
                "Lost",
                "last bought more than 0 days ago, once, up to 10 in all",
                126,
                1,
                10.0,
            ],
        ],
    ),
    spills=Spill(
        "method",
        {
            "RFM": (
                "id",
                "R",
                "F",
                "M",
                "segment",
                "rule",
                "days since last",
                "purchases",
                "total",
            ),
            "CLV": (
                "id",
                "expected orders",
                "expected value",
                "probability active",
                "days since last",
                "purchases",
                "total",
            ),
        },
        table=True,
    ),
)


CLASSIFY = Function(
    name="CLASSIFY",
    capability="classify",
    summary="Each text under labels of your own, by what it means; a few examples sharpen it.",
    args=(
        SENTIMENT.args[0],
        Arg(
            "labels",
            WordList(at_least=1, distinct=True, keep_blanks=True),
            "The labels to choose from, two or more: a range with one in each cell, or "
            '"price;quality". Or the name of saved labels (see shopsheet train): then descriptions '
            "and examples are left out.",
        ),
        Arg(
            "descriptions",
            WordList(keep_blanks=True),
            "What each label is about, in a few words: as many as labels, in their order. It helps "
            "where a label alone says little.",
            default=None,
        ),
        Arg(
            "multi",
            Flag(),
            "TRUE gives all labels that apply, with a semicolon between them; FALSE the most "
            "probable one. FALSE if left out.",
            default=False,
        ),
        Arg(
            "examples",
            Texts(),
            "Texts that you have labelled: two columns, text and label. A row that is not filled "
            "in is left out.",
            default=None,
        ),
        Arg(
            "min_confidence",
            Number(0, 1),
            "From 0 to 1: where no label is as probable as this, the answer is #N/A. 0 if left "
            "out; with multi 0.5.",
            default=0.0,
        ),
    ),
    returns="The label of each text, or its labels.",
    example=Example(("Where is my parcel?", "delivery;payment;size and fit"), "delivery"),
)

SIMILAR = Function(
    name="SIMILAR",
    capability="similar",
    summary="Looks up a text by its meaning, as XLOOKUP does by its letters.",
    args=(
        Arg(
            "lookup_text",
            Texts(),
            "One cell or a range of texts to look for. An empty cell gives an empty answer.",
        ),
        Arg(
            "lookup_array",
            Texts(),
            "The column of texts to look in. The very text comes before all others; of equals the "
            "first counts.",
        ),
        Arg(
            "return_array",
            Cells(),
            "The column to answer from, as long as lookup_array. The text found if left out.",
            default=None,
        ),
        Arg(
            "if_not_found",
            AnyCell(),
            "The answer where nothing is near enough. #N/A if left out.",
            default=None,
        ),
        Arg(
            "top_n",
            Number(1, 100, integer=True),
            "How many to find, the nearest first, each in a column of its own. 1 if left out.",
            default=1,
        ),
        Arg(
            "min_score",
            Number(0, 1),
            "How near in meaning, from 0 (anything) to 1 (the very text). 0.5 if left out.",
            default=0.5,
        ),
    ),
    returns="The nearest text, or what stands beside it in return_array.",
    example=Example(
        ("earphones without a cable", [["phone case"], ["wireless headphones"], ["desk lamp"]]),
        "wireless headphones",
    ),
    spills=Spill(columns={"": Numbered("match", "top_n", least=2)}),
)

SUMMARIZE = Function(
    name="SUMMARIZE",
    capability="summarize",
    summary="What reviews say, in sentences that stand in them, praise and complaint alike.",
    args=(
        Arg(
            "texts",
            Texts(),
            "The column of texts. Empty cells and errors are left out. Where there are more than "
            "150,000 sentences, the first ones of each text are read.",
        ),
        Arg(
            "group_by",
            Cells(),
            "A column as long as texts: each of its values gets a row of its own. Rows without one "
            "are left out. One summary of all if left out.",
            default=None,
        ),
        Arg(
            "max_words",
            Number(5, 1000, integer=True),
            "How long a summary may be, row numbers aside; a Chinese character counts as a word. "
            "60 if left out.",
            default=60,
        ),
    ),
    returns="Sentences, each with the rows of texts that say so: its own, then others; +2 is two "
    "more.",
    example=Example(
        (
            [
                ["The battery lasts two days."],
                ["The strap broke within a week. The battery lasts two days"],
                ["The battery lasts two days."],
            ],
        ),
        "The battery lasts two days [1, 2, 3]; The strap broke within a week [2]",
    ),
    spills=Spill(columns={"": ("group", "reviews", "summary")}, table=True, given="group_by"),
)


NEEDS = Function(
    name="NEEDS",
    capability="needs",
    summary="The need behind each review, question or post, in English or Chinese.",
    args=(
        SENTIMENT.args[0],
        Arg(
            "taxonomy",
            WordList(),
            'Your own list of needs, matched by meaning: a range or "faster delivery;lower price". '
            "The need in the text's words if left out.",
            default=None,
        ),
        Arg(
            "output",
            Choice("label", "kind", "all", "ranked"),
            '"label": the need; "kind": complaint, question, suggestion, praise, purchase intent '
            'or other; "all": need, kind, actionability and evidence; "ranked": a table of the '
            "range's needs, then of what is praised. label if left out.",
            default="label",
        ),
    ),
    returns="The need in a few words, blank where none is named; four columns; or a table. "
    "Actionability: high names what is asked for, medium does not, low asks for nothing; unsure is "
    "one lower.",
    example=Example(("Please bring back the vanilla flavour.",), "bring back the vanilla flavour"),
    spills=Spill(
        "output",
        {
            "all": ("need", "kind", "actionability", "evidence"),
            "ranked": ("need", "kind", "count", "share", "trend", "example rows"),
        },
        table=("ranked",),
    ),
)

PROFILE_FIELDS: Final = (
    "id",
    "interests",
    "needs",
    "sentiment",
    "sentiment trend",
    "price sensitivity",
    "channel",
    "days since last",
    "purchases",
    "total",
    "next order",
    "last seen",
    "texts",
)

PROFILE = Function(
    name="PROFILE",
    capability="profile",
    summary="Customers by what they write and buy, in shop, social media and service.",
    args=(
        Arg(
            "ids",
            Texts(),
            "The customer of each text: a column of ids or names. A row without one is left out.",
        ),
        Arg("texts", Texts(), "Reviews, questions or posts: a column as long as ids."),
        Arg(
            "dates",
            Dates(),
            "The date of each text: a column as long as ids. Needed for the trend of sentiment.",
            default=None,
        ),
        Arg(
            "orders",
            Cells(),
            "A range of three columns, id, date and amount, with a row per order; refunds below 0. "
            "It has rows of its own, as many as you like. From 100 repeat buyers on, next order "
            "leans on what is usual among them all.",
            default=None,
        ),
        Arg(
            "channels",
            Cells(),
            "Where each text comes from, such as shop, social or service: a column as long as ids.",
            default=None,
        ),
        Arg(
            "fields",
            WordList(distinct=True),
            "Columns, in your order; all if left out. Blank if too little is known: trend under 6 "
            "dated texts on 3 days, price sensitivity under 5 texts, channel under 3 with half in "
            "one, next order under 4 order days or silent for 2 gaps.",
            default=PROFILE_FIELDS,
        ),
        Arg(
            "as_of",
            Day(),
            "The day from which recency counts; later rows are not looked at. The last date of the "
            "data if left out.",
            default=None,
        ),
    ),
    returns="A table with a row per customer, its columns named in the first row.",
    example=Example(
        (
            [["Ann"], ["Bo"]],
            [["love the battery"], ["slow delivery"]],
            [["2024-05-20"], ["2024-05-21"]],
            [["Ann", "2024-05-01", 40.0], ["Ann", "2024-05-18", 25.0]],
            None,
            "id;days since last;purchases;total;last seen;texts",
        ),
        [
            ["id", "days since last", "purchases", "total", "last seen", "texts"],
            ["Ann", 3, 2, 65.0, "2024-05-20", 1],
            ["Bo", "", "", "", "2024-05-21", 1],
        ],
    ),
    spills=Spill(columns={"": Listed("fields")}, table=True),
)


TOPICS = Function(
    name="TOPICS",
    capability="topics",
    summary="What texts are about: topics by name, how many mention each, and how they feel.",
    args=(
        Arg(
            "text",
            Texts(),
            "The column of texts. A text may mention several topics. Empty cells and errors are "
            "left out.",
        ),
        Arg(
            "model_or_labels",
            WordList(),
            'Topics of your own, two or more: a range or "delivery;price". Or the name of saved '
            "topics (see shopsheet train): then each text gets the one it says most of. Found in "
            "the texts if left out.",
            default=None,
        ),
        Arg(
            "max_topics",
            Number(1, 100, integer=True),
            "How many topics to find at most, from 1 to 100. 12 if left out.",
            default=12,
        ),
        Arg(
            "language",
            Choice("auto", "en", "zh"),
            'Language of names and terms where texts are mixed: "en", "zh", or "auto" for that of '
            "most texts. auto if left out.",
            default="auto",
        ),
    ),
    returns="A table: sentiment is that of the sentences on the topic; effect is how texts with it "
    "differ from the others in sentiment, with a 95 % interval.",
    example=Example(
        (
            [
                ["The battery lasts two days."],
                ["Delivery was slow."],
                ["Slow delivery, great battery."],
            ],
            "battery;delivery",
        ),
        [
            [
                "topic",
                "terms",
                "count",
                "share",
                "sentiment",
                "effect",
                "lo_95",
                "hi_95",
                "example",
                "row",
            ],
            ["battery", "battery", 2, 0.6667, 0.0645, "", "", "", "The battery lasts two days", 1],
            ["delivery", "delivery", 2, 0.6667, -0.4118, "", "", "", "Delivery was slow", 2],
        ],
    ),
    spills=Spill(
        columns={
            "": (
                "topic",
                "terms",
                "count",
                "share",
                "sentiment",
                "effect",
                "lo_95",
                "hi_95",
                "example",
                "row",
            )
        },
        table=True,
        single="model_or_labels",
    ),
)


def get(name: str) -> Function:
    """The function of that name, in any case and in any host's spelling.

    Raises: BadInput naming the closest functions.
    """
    plain = re.sub(rf"^(_XLDUDF_)?{NAMESPACE}[._]", "", name.strip().upper())
    if plain in FUNCTIONS:
        return FUNCTIONS[plain]
    close = difflib.get_close_matches(plain, FUNCTIONS, n=3, cutoff=0.5)
    known = "Did you mean " if close else "There is "
    raise BadInput(
        f"There is no function {name.strip()[:80]!r}. {known}{', '.join(close or FUNCTIONS)}"
        f"{'?' if close else '.'}"
    )


_ALL = (
    SENTIMENT,
    ASPECTS,
    CLEAN,
    KEYWORDS,
    TOPICS,
    SEGMENT,
    CLASSIFY,
    SIMILAR,
    SUMMARIZE,
    NEEDS,
    PROFILE,
    *DECIDING,
    *SERIES_FUNCTIONS,
)
check(_ALL)
FUNCTIONS: Final[dict[str, Function]] = {function.name: function for function in _ALL}
