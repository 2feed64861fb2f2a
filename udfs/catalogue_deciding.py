"""Worksheet functions that decide: scores, campaign tests, drivers. Part of the catalogue."""

from __future__ import annotations

from udfs.function import Arg, Example, Function, Spill
from udfs.kinds import Cells, Name, Number

EVAL_COLUMNS = ("measure", "of", "predicted", "value", "lo_95", "hi_95", "rows", "in words")
_EVAL_ANSWER: list[list[object]] = [
    list(EVAL_COLUMNS),
    ["rows compared", "", "", 3, "", "", 3, "of 3 rows"],
    ["rows left out", "", "", 0, "", "", 3, "nothing left out"],
    ["accuracy", "", "", 0.6667, 0.2077, 0.9385, 3, "2 of 3 right"],
    ["commonest label", "good", "", 0.6667, "", "", 3, 'always saying "good" would score this'],
    ["macro-F1", "", "", 0.6667, 0, 1, 3, "mean F1 of 2 labels"],
    ["precision", "good", "", 1, 0.2065, 1, 1, '1 of 1 called "good" were so'],
    ["recall", "good", "", 0.5, 0.0945, 0.9055, 2, '1 of 2 that were "good" were called so'],
    ["F1", "good", "", 0.6667, "", "", 2, "of precision and recall"],
    ["precision", "bad", "", 0.5, 0.0945, 0.9055, 2, '1 of 2 called "bad" were so'],
    ["recall", "bad", "", 1, 0.2065, 1, 1, '1 of 1 that were "bad" were called so'],
    ["F1", "bad", "", 0.6667, "", "", 1, "of precision and recall"],
    ["confusion", "good", "good", 1, "", "", 2, '1 of 2 that were "good" were called "good"'],
    ["confusion", "good", "bad", 1, "", "", 2, '1 of 2 that were "good" were called "bad"'],
    ["confusion", "bad", "good", 0, "", "", 1, '0 of 1 that were "bad" were called "good"'],
    ["confusion", "bad", "bad", 1, "", "", 1, '1 of 1 that were "bad" were called "bad"'],
]  # fmt: skip

EVAL = Function(
    name="EVAL",
    capability="evaluate",
    summary="How good predictions were: right answers, per label, calibration; what was left out.",
    args=(
        Arg(
            "predicted",
            Cells(),
            "Labels, probabilities from 0 to 1, or numbers: one column; or labels and beside them "
            "their confidence. A heading may stand in the first row.",
        ),
        Arg(
            "actual",
            Cells(),
            "What was true, in the same rows: labels, or for probabilities 1 and 0, TRUE and FALSE "
            "or yes and no.",
        ),
    ),
    returns="A table: accuracy, macro-F1, each label's precision and recall, confusion, "
    "calibration; each with rows, a 95 % interval where there is one, and words.",
    example=Example(
        ([["good"], ["bad"], ["bad"]], [["good"], ["bad"], ["good"]]),
        _EVAL_ANSWER,
    ),
    spills=Spill(
        columns={"": EVAL_COLUMNS},
        table=True,
    ),
)

MODEL_INFO = Function(
    name="MODEL_INFO",
    capability="model_info",
    summary="The models that answer: version, what they were trained on, how good they are.",
    args=(
        Arg(
            "model",
            Name(),
            "The name of a model, such as encoder: then all that is known of it. A table of all "
            "models, loaded and saved, if left out.",
            default=None,
        ),
    ),
    returns="A table with a row per model, or per fact: training data with licence, held-out "
    "scores, limits. It is read anew when the sheet is calculated in full.",
    example=Example(
        ("customers",),
        [
            ["about", "of", "value"],
            ["version", "", "2026.11"],
            ["state", "", "ready"],
            [
                "what it is",
                "",
                "RFM scores, BG/NBD and Gamma-Gamma, fitted to the orders of each call; no "
                "weights.",
            ],
            ["backend", "", "rules"],
            ["precision", "", "exact"],
        ],
    ),
    spills=Spill(
        columns={"": ("about", "of", "value")},
        table=True,
        without=(
            "model",
            (
                "model",
                "version",
                "state",
                "what it is",
                "trained on",
                "held-out scores",
                "licences of the data",
                "limits",
            ),
        ),
    ),
)

LIFT_COLUMNS = (
    "segment",
    "arm",
    "rows",
    "mean",
    "control rows",
    "control mean",
    "uplift",
    "lo_95",
    "hi_95",
    "relative",
    "p",
    "p adjusted",
    "in words",
)

LIFT_TEST = Function(
    name="LIFT_TEST",
    capability="lift_test",
    summary="What an A/B test or a campaign with a hold-out changed: uplift, interval, p, by "
    "segment.",
    args=(
        Arg(
            "outcome",
            Cells(),
            "What each row did: 1 and 0 (visited, bought), or an amount such as spend, 0 included. "
            "A heading names it in the words of the answer.",
        ),
        Arg(
            "treated",
            Cells(),
            "The arm of each row: 1 and 0, yes and no, or names of two or more arms of which one "
            "is called control, hold-out, no ... or A.",
        ),
        Arg(
            "segment",
            Cells(),
            "The segment of each row; or a score such as predicted uplift, which is cut into "
            "fifths. No segments if left out.",
            default=None,
        ),
    ),
    returns="A table: each arm beside the control, each segment, whether they rank the uplift "
    "(Qini), checks. p adjusted counts all comparisons.",
    example=Example(
        (
            [[1]] * 9 + [[0]] * 3 + [[1]] * 2 + [[0]] * 10,
            [["new"]] * 12 + [["control"]] * 12,
        ),
        [
            list(LIFT_COLUMNS),
            [
                "all",
                "new",
                12,
                0.75,
                12,
                0.166667,
                0.583333,
                0.184758,
                0.784003,
                3.5,
                0.004135,
                0.004135,
                "new raised the outcome by 58.3 points (18.5 to 78.4); 1 in 2 more",
            ],
            [
                "check",
                "",
                "",
                "",
                "",
                "",
                "",
                "",
                "",
                "",
                "",
                "",
                "The split 50.0 : 50.0 fits a planned 50 : 50 (p 1)",
            ],
            ["check", "", "", "", "", "", "", "", "", "", "", "", "No rows left out"],
        ],
    ),
    spills=Spill(
        columns={"": LIFT_COLUMNS},
        table=True,
    ),
)

DRIVERS_COLUMNS = (
    "factor",
    "effect in words",
    "rows",
    "mean",
    "mean of others",
    "effect",
    "lo_95",
    "hi_95",
    "unadjusted",
    "p adjusted",
    "note",
)

DRIVERS = Function(
    name="DRIVERS",
    capability="drivers",
    summary="What moves an outcome, beside what it is mixed up with, in words for a slide.",
    args=(
        Arg(
            "target",
            Cells(),
            "The outcome of each row: yes or no (1 and 0, TRUE and FALSE), a rating or an amount. "
            "A heading names it.",
        ),
        Arg(
            "features",
            Cells(),
            "What is known of the same rows, with headings: names, numbers, dates, texts. Texts "
            "are read: what they praise or complain about counts.",
        ),
        Arg(
            "top_n",
            Number(1, 100, integer=True),
            "How many factors at most. 10 if left out.",
            default=10,
        ),
    ),
    returns="A table of factors beyond chance, the surest first: effect beside the others (times "
    "as likely, or difference), interval, unadjusted; columns that give the target away are named.",
    example=Example(
        (
            [["returned"]] + [[1]] * 15 + [[0]] * 5 + [[1]] * 5 + [[0]] * 15,
            [["channel"]] + [["Web"]] * 20 + [["Shop"]] * 20,
        ),
        [
            list(DRIVERS_COLUMNS),
            [
                "channel is Shop",
                "62 % less likely: 25 % instead of 75 %",
                20,
                0.25,
                0.75,
                0.375,
                0.1688,
                0.6695,
                0.3333,
                0.001,
                "holds beside the other factors",
            ],
            ["note", "Factors looked at 1, beyond chance 1", "", "", "", "", "", "", "", "", ""],
            [
                "note",
                "40 rows; 0 without returned left out; returned in 50 % of the rows",
                "",
                "",
                "",
                "",
                "",
                "",
                "",
                "",
                "",
            ],
            ["note", "row 1 was read as headings", "", "", "", "", "", "", "", "", ""],
        ],
    ),
    spills=Spill(columns={"": DRIVERS_COLUMNS}, table=True),
)

DECIDING = (EVAL, MODEL_INFO, LIFT_TEST, DRIVERS)
