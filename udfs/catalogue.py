"""Every worksheet function, declared once: name, arguments, checks, help, example."""

from __future__ import annotations

import difflib
import re
from typing import Final

from udfs.errors import BadInput
from udfs.function import NAMESPACE, Arg, Example, Function, Spill
from udfs.function_check import check
from udfs.kinds import Choice, Dates, Day, Number, Numbers, Texts

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
            Number(2, 10, integer=True),
            "How many steps each RFM score has, from 2 to 10. 5 if left out.",
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


_ALL = (SENTIMENT, CLEAN, SEGMENT)
check(_ALL)
FUNCTIONS: Final[dict[str, Function]] = {function.name: function for function in _ALL}
