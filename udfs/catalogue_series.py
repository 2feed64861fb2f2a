"""The functions of series over time: FORECAST, ANOMALY, LIFT."""

from __future__ import annotations

from udfs.function import Arg, Example, Function, Spill
from udfs.kinds import Cells, Choice, Number, Numbers, Texts
from udfs.kinds_series import Level, Moment, Times

MOST_AHEAD = 1000

VALUES = Arg(
    "values",
    Numbers(),
    "The numbers to look at: a column with a row per time. Empty cells and errors count as "
    "missing.",
)
TIMELINE = Arg(
    "timeline",
    Times(),
    "The date or time of each value, in any order, with a constant step: days, weeks, months, "
    "hours ... Up to 30 % may be missing; values of one time are averaged.",
)
GROUP = Arg(
    "group",
    Texts(),
    "A column as long as values: each of its values is a series of its own, such as a product or a "
    "shop. One series if left out.",
    default=None,
)

FORECAST = Function(
    name="FORECAST",
    capability="forecast",
    summary="What comes next in one series or in thousands: sales, visits, stock.",
    args=(
        VALUES,
        TIMELINE,
        Arg(
            "horizon",
            Number(1, MOST_AHEAD, integer=True),
            "How many steps ahead. As many as rows at the end have no value, else as suits the "
            "step: 48 hours, 28 days, 13 weeks, 12 months, 8 quarters if left out.",
            default=None,
        ),
        Arg(
            "level",
            Level(50, 99.9),
            "How many in 100 values shall lie from lo to hi. 95 if left out.",
            default=95.0,
        ),
        Arg(
            "drivers",
            Cells(),
            "What is known in advance, such as price or promotion: columns as long as values. Or a "
            'country for its holidays: "US", "CN".',
            default=None,
        ),
        Arg(
            "future_drivers",
            Cells(),
            "The drivers of the steps ahead, a row for each. Not needed where rows without a value "
            "at the end of the data hold them.",
            default=None,
        ),
        GROUP,
        Arg(
            "output",
            Choice("forecast", "accuracy"),
            '"forecast", or "accuracy": how forecasts made earlier went, beside what stood a '
            "season before (naive), and how often the interval held. forecast if left out.",
            default="forecast",
        ),
    ),
    returns="A table: date (a day number, to be shown as a date; text where yours is), forecast, "
    "lo, hi for each step ahead, after the group if there are groups; or the test.",
    example=Example(
        (
            [[value] for value in (52, 49, 55, 53, 57, 54, 58, 60, 57, 61, 63, 60)],
            [[f"2024-{month:02d}"] for month in range(1, 13)],
            2,
        ),
        [
            ["date", "forecast", "lo", "hi"],
            ["2025-01-01", 61.5151, 55.2687, 67.7614],
            ["2025-02-01", 61.8987, 54.485, 69.3124],
        ],
    ),
    spills=Spill(
        "output",
        {
            "forecast": ("date", "forecast", "lo", "hi"),
            "accuracy": (
                "tests",
                "steps",
                "mean_error",
                "naive_error",
                "smape",
                "naive_smape",
                "mase",
                "naive_mase",
                "coverage",
                "verdict",
            ),
        },
        table=True,
        first=("group", "group"),
    ),
)


ANOMALY = Function(
    name="ANOMALY",
    capability="anomaly",
    summary="Which values of a series are out of line, with trend and season considered.",
    args=(
        VALUES,
        TIMELINE,
        Arg(
            "level",
            Level(50, 99.99),
            "How many in 100 ordinary values shall lie from lo to hi; of the others an alarm is "
            "false. 99 if left out.",
            default=99.0,
        ),
        GROUP,
    ),
    returns="flag (high, low, or blank), expected, lo and hi of each row, in the order of the "
    "data.",
    example=Example(
        (
            [[value] for value in (20, 22, 19, 21, 20, 60, 22, 20, 19, 21, 20, 22)],
            [[45292 + day] for day in range(12)],
        ),
        [
            ["", 22.7578, 12.9804, 32.5351],
            ["", 21.1925, 11.4152, 30.9698],
            ["", 22.975, 13.1977, 32.7524],
            ["", 24.2501, 14.4728, 34.0275],
            ["", 19.2152, 9.4379, 28.9925],
            ["high", 18.7646, 8.9872, 28.5419],
            ["", 22.9173, 13.1399, 32.6946],
            ["", 21.2752, 11.4978, 31.0525],
            ["", 19.3826, 9.6052, 29.1599],
            ["", 18.1148, 8.3374, 27.8921],
            ["", 19.1344, 9.3571, 28.9118],
            ["", 18.7403, 8.963, 28.5177],
        ],
    ),
    spills=Spill(columns={"": ("flag", "expected", "lo", "hi")}, together=True),
)


LIFT = Function(
    name="LIFT",
    capability="lift",
    summary="What a campaign did to a series: what happened beside what would have happened.",
    args=(
        VALUES,
        TIMELINE,
        Arg("start", Moment(), "The first day or time of the campaign."),
        Arg(
            "finish",
            Moment(),
            "The last day or time that counts; later rows are not looked at. The last of the data "
            "if left out.",
            default=None,
        ),
        Arg(
            "controls",
            Numbers(),
            "Series that the campaign did not touch, such as other regions or the market: columns "
            "as long as values. They make the answer much surer.",
            default=None,
        ),
        Arg(
            "level",
            Level(50, 99.9),
            "How sure the interval shall be: 95 in 100 such intervals hold the true effect. 95 if "
            "left out.",
            default=95.0,
        ),
    ),
    returns="A table with one row: actual, expected, effect, its interval and probability, how "
    "placebo campaigns before it went, and the verdict in words.",
    example=Example(
        (
            [[value] for value in (10, 12, 11, 13, 12, 11, 10, 12, 13, 11, 12, 10, 18, 19, 17)],
            [[45292 + day] for day in range(15)],
            45304,
        ),
        [
            [
                "actual",
                "expected",
                "effect",
                "lo",
                "hi",
                "effect_share",
                "probability",
                "placebo",
                "error_before",
                "verdict",
            ],
            [
                54.0,
                34.2494,
                19.7506,
                6.3619,
                33.1394,
                0.5767,
                0.993,
                0.0,
                0.0836,
                "clear effect: a rise of 58% that chance does not explain at level 95",
            ],
        ],
    ),
    spills=Spill(
        columns={
            "": (
                "actual",
                "expected",
                "effect",
                "lo",
                "hi",
                "effect_share",
                "probability",
                "placebo",
                "error_before",
                "verdict",
            )
        },
        table=True,
    ),
)

SERIES_FUNCTIONS = (FORECAST, ANOMALY, LIFT)
