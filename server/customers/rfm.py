"""Scores customers by recency, frequency and monetary value, and names segments by the scores.

Scores are 1 to `bins`, more is better. The cut-points are saved, so that next month's customers
fall into the same bins. Source of the scores: Hughes, "Strategic Database Marketing", 1994,
chapter on RFM, except that equal values always get equal scores here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from server.customers.orders import CustomerSummary
from udfs.errors import BadInput, OutOfRange, short
from udfs.kinds import number_text

FORMAT_VERSION = 1
MIN_BINS, MAX_BINS = 2, 10
LEVELS = 5  # the segments are defined over scores 1 to 5

# Segment: recency levels lo to hi, frequency levels lo to hi. Every pair of levels is in exactly
# one. Source: the eleven segments of Putler, "RFM Analysis For Successful Customer Segmentation"
# (putler.com/rfm-analysis), whose ranges overlap; laid out without overlap as in the grid in
# common use (about 25 cells of recency by frequency, e.g. the `seg_map` of pandas tutorials).
# Ours: that grid has no "Lost"; it takes the oldest level of its "Hibernating".
SEGMENTS: dict[str, tuple[int, int, int, int]] = {
    "Champions": (5, 5, 4, 5),
    "Loyal": (3, 4, 4, 5),
    "Potential loyalists": (4, 5, 2, 3),
    "New": (5, 5, 1, 1),
    "Promising": (4, 4, 1, 1),
    "Needs attention": (3, 3, 3, 3),
    "About to sleep": (3, 3, 1, 2),
    "Cannot lose them": (1, 2, 5, 5),
    "At risk": (1, 2, 3, 4),
    "Hibernating": (2, 2, 1, 2),
    "Lost": (1, 1, 1, 2),
}


@dataclass(frozen=True)
class Cuts:
    """Cut-points of one measure: group k holds the values above at[k - 1] and up to at[k].

    `at` rises and every point is a value that occurred; `scores` has one more: of each group.
    """

    at: tuple[float, ...]
    scores: tuple[int, ...]

    def group(self, values: np.ndarray) -> np.ndarray:
        """Group of each value, 0 to len(at); shape as `values`."""
        return np.asarray(np.searchsorted(np.array(self.at), values, side="left"))

    def score(self, values: np.ndarray) -> np.ndarray:
        """Score of each value; shape as `values`."""
        return np.asarray(np.array(self.scores)[self.group(values)])

    def bounds(self, lo_group: int, hi_group: int) -> tuple[float | None, float | None]:
        """What those groups lie above and go up to; None where there is no end."""
        above = self.at[lo_group - 1] if lo_group else None
        return above, self.at[hi_group] if hi_group < len(self.at) else None


@dataclass(frozen=True)
class RfmScheme:
    """The cut-points of all three measures; recency in days since the last purchase."""

    bins: int
    recency: Cuts
    frequency: Cuts
    monetary: Cuts

    def to_json(self) -> dict[str, Any]:
        """The scheme as JSON holds it; `from_json` reads it back."""
        cuts = {
            name: {"at": list(cut.at), "scores": list(cut.scores)}
            for name, cut in self._cuts().items()
        }
        return {"format_version": FORMAT_VERSION, "bins": self.bins, **cuts}

    def _cuts(self) -> dict[str, Cuts]:
        return {
            "recency": self.recency,
            "frequency": self.frequency,
            "monetary": self.monetary,
        }

    @classmethod
    def from_json(cls, data: object) -> RfmScheme:
        """The scheme that `to_json` wrote.

        Raises: BadInput if `data` is not of that form.
        """
        if not isinstance(data, Mapping) or data.get("format_version") != FORMAT_VERSION:
            raise BadInput(
                f"Found {short(data)}; expected saved RFM cut-points of format {FORMAT_VERSION}. "
                "Score the customers anew to make them."
            )
        bins = _read_bins(data.get("bins"))
        return cls(
            bins,
            _read_cuts(data, "recency", bins, falling=True),
            _read_cuts(data, "frequency", bins),
            _read_cuts(data, "monetary", bins),
        )


@dataclass(frozen=True)
class RfmTable:
    """Scores, segment and rule of each customer; every field has one entry per id."""

    ids: tuple[str, ...]
    recency: np.ndarray  # scores, 1 to bins
    frequency: np.ndarray
    monetary: np.ndarray
    segments: tuple[str, ...]
    rules: tuple[str, ...]  # "bought in the last 30 days, 6 or more times, more than 240 in all"


def fit_scheme(summary: CustomerSummary, bins: int = 5) -> RfmScheme:
    """Cut-points that part these customers into `bins` groups as equal as ties allow.

    Equal values get equal scores. Where that leaves fewer groups than bins (most customers bought
    once), the groups are spread over the scores: the lowest is 1, the highest `bins`. Where all
    values are equal, frequency and monetary score 1 and recency scores `bins`.
    Raises: BadInput if `bins` is no whole number, OutOfRange if it is not 2 to 10.
    """
    bins = _read_bins(bins)
    return RfmScheme(
        bins,
        recency=_fit_cuts(summary.days_since_last, bins, falling=True),
        frequency=_fit_cuts(summary.purchases, bins),
        monetary=_fit_cuts(summary.total, bins),
    )


def _read_bins(bins: object) -> int:
    if isinstance(bins, bool) or not isinstance(bins, (int, np.integer)):
        raise BadInput(f"bins is {short(bins)}; expected a whole number, such as 5.")
    if not MIN_BINS <= bins <= MAX_BINS:
        raise OutOfRange(f"bins is {bins}; expected {MIN_BINS} to {MAX_BINS}, such as 5.")
    return int(bins)


def _fit_cuts(values: np.ndarray, bins: int, *, falling: bool = False) -> Cuts:
    ordered = np.sort(values)
    # The value that k of `bins` parts of the customers do not exceed; whole numbers, no rounding.
    points = {float(ordered[-(-k * len(ordered) // bins) - 1]) for k in range(1, bins)}
    at = tuple(sorted(points - {float(ordered[-1])}))
    scores = _spread(len(at) + 1, bins)
    return Cuts(at, tuple(bins + 1 - score for score in scores) if falling else scores)


def _spread(groups: int, bins: int) -> tuple[int, ...]:
    """Scores of `groups` groups, evenly from 1 to `bins` and rounded half up; 1 for a lone one."""
    steps = groups - 1
    if not steps:
        return (1,)
    return tuple(1 + (2 * group * (bins - 1) + steps) // (2 * steps) for group in range(groups))


def _read_cuts(data: Mapping[str, Any], name: str, bins: int, *, falling: bool = False) -> Cuts:
    cut = data.get(name)
    at = cut.get("at") if isinstance(cut, Mapping) else None
    scores = cut.get("scores") if isinstance(cut, Mapping) else None
    if not (
        isinstance(at, list)
        and isinstance(scores, list)
        and all(isinstance(x, (int, float)) and np.isfinite(x) for x in at)
        and all(isinstance(x, int) and 1 <= x <= bins for x in scores)
        and all(lo < hi for lo, hi in pairwise(at))
        and scores == sorted(scores, reverse=falling)
        and len(scores) == len(at) + 1
    ):
        raise BadInput(
            f"The saved cut-points of {name} are {short(cut)}; expected rising numbers under "
            f'"at" and one more score from 1 to {bins} under "scores". Score the customers anew.'
        )
    return Cuts(tuple(float(x) for x in at), tuple(scores))


def score_customers(summary: CustomerSummary, scheme: RfmScheme) -> RfmTable:
    """Scores, segment and rule of each customer, by the cut-points of `scheme`.

    The rule says in which range of each measure the customer lies.
    """
    measures = (
        (scheme.recency, summary.days_since_last),
        (scheme.frequency, summary.purchases),
        (scheme.monetary, summary.total),
    )
    groups = np.stack([cuts.group(values) for cuts, values in measures], axis=1)
    recency, frequency, monetary = (cuts.score(values) for cuts, values in measures)
    # A few hundred different triples at most, however many customers there are.
    triples, triple_of = np.unique(groups, axis=0, return_inverse=True)
    rules = [_rule_in_words(scheme, *((int(g), int(g)) for g in triple)) for triple in triples]
    grid = _segment_grid(scheme.bins)
    return RfmTable(
        ids=summary.ids,
        recency=recency,
        frequency=frequency,
        monetary=monetary,
        segments=tuple(
            grid[pair] for pair in zip(recency.tolist(), frequency.tolist(), strict=True)
        ),
        rules=tuple(rules[triple] for triple in triple_of.reshape(-1).tolist()),
    )


def segment_rules(scheme: RfmScheme) -> dict[str, str]:
    """What makes a customer a member of each segment, in words; segments nobody can reach left out.

    A customer belongs to a segment if and only if its rule holds: monetary value is no part of it.
    """
    levels = _spread(scheme.bins, LEVELS)
    rules = {}
    for segment, (r_lo, r_hi, f_lo, f_hi) in SEGMENTS.items():
        recent = [g for g, s in enumerate(scheme.recency.scores) if r_lo <= levels[s - 1] <= r_hi]
        often = [g for g, s in enumerate(scheme.frequency.scores) if f_lo <= levels[s - 1] <= f_hi]
        if recent and often:
            rules[segment] = _rule_in_words(
                scheme, (recent[0], recent[-1]), (often[0], often[-1]), None
            )
    return rules


def _segment_grid(bins: int) -> dict[tuple[int, int], str]:
    """The segment of each pair of recency and frequency score."""
    levels = _spread(bins, LEVELS)
    return {
        (recency, frequency): next(
            name
            for name, (r_lo, r_hi, f_lo, f_hi) in SEGMENTS.items()
            if r_lo <= levels[recency - 1] <= r_hi and f_lo <= levels[frequency - 1] <= f_hi
        )
        for recency in range(1, bins + 1)
        for frequency in range(1, bins + 1)
    }


Span = tuple[int, int]  # first and last group


def _rule_in_words(scheme: RfmScheme, recency: Span, frequency: Span, monetary: Span | None) -> str:
    words = [
        _recency_words(*scheme.recency.bounds(*recency)),
        _frequency_words(*scheme.frequency.bounds(*frequency)),
    ]
    if monetary:
        words.append(_monetary_words(*scheme.monetary.bounds(*monetary)))
    return ", ".join(word for word in words if word)


def _recency_words(above: float | None, up_to: float | None) -> str:
    if above is None:
        if up_to is None:
            return "bought at any time"
        return f"bought in the last {up_to:.0f} days" if up_to > 1 else _ON_THE_DAY[up_to]
    if up_to is None:
        return f"last bought more than {_days(above)} ago"
    if above + 1 == up_to:
        return f"last bought {_days(up_to)} ago"
    return f"last bought {above + 1:.0f} to {up_to:.0f} days ago"


_ON_THE_DAY = {0.0: "bought on the last day", 1.0: "bought in the last day"}


def _days(days: float) -> str:
    return "1 day" if days == 1 else f"{days:.0f} days"


def _frequency_words(above: float | None, up_to: float | None) -> str:
    fewest = 1 if above is None else int(above) + 1
    if up_to is None:
        return f"{fewest} or more times" if fewest > 1 else "any number of times"
    if fewest == up_to:
        return "once" if fewest == 1 else f"{fewest} times"
    return f"{fewest} to {up_to:.0f} times"


def _monetary_words(above: float | None, up_to: float | None) -> str:
    if above is None:
        return "any amount in all" if up_to is None else f"up to {number_text(up_to)} in all"
    if up_to is None:
        return f"more than {number_text(above)} in all"
    return f"more than {number_text(above)} and up to {number_text(up_to)} in all"
