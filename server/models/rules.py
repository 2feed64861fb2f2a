"""Models without weights: rules and statistics, with a version that explains a changed cell."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any


class Rules:
    """What the engine needs of a model, for one that has nothing to load."""

    name: str
    version: str  # to be raised whenever an answer may change
    about: str
    backend = "rules"
    precision = "exact"
    labels: tuple[str, ...] = ()

    @property
    def card(self) -> dict[str, Any]:
        return {"name": self.name, "about": self.about}

    def check(self) -> None:
        """Nothing; there is nothing that could have failed to load."""

    def close(self) -> None:
        """Nothing to free."""


class TextRules(Rules):
    """Cleaning and cutting of texts."""

    name = "text"
    version = "2026.11"
    about = "Rules, word lists and a segmenter for English and Chinese; no weights."

    def clean(self, text: str) -> str:
        """As server.text.clean.clean."""
        from server.text.clean import clean  # its libraries are loaded when first needed

        return clean(text)

    def words(self, text: str, *names: Any) -> list[str]:
        """As server.text.words.words."""
        from server.text.words import words  # the segmenter's dictionary takes a second

        return words(text, *names)

    def phrases(self, text: str, *names: Any) -> list[Any]:
        """As server.text.phrases.units, for the two below."""
        from server.text.phrases import units

        return units(text, *names)

    def keywords(self, phrases: list[Any], top_n: int, stops: tuple[str, ...]) -> list[str]:
        """As server.text.keywords.rank_text."""
        from server.text.keywords import rank_text, stop_list, units_of, without

        return rank_text(list(without(units_of(phrases), stop_list(stops))), top_n)

    def keywords_of_range(
        self, texts: list[list[Any]], top_n: int, stops: tuple[str, ...]
    ) -> Sequence[tuple[str, float, int, int]]:
        """As server.text.keywords.rank_texts."""
        from server.text.keywords import rank_texts, stop_list, units_of, without

        stopped = stop_list(stops)
        return rank_texts([list(without(units_of(text), stopped)) for text in texts], top_n)


class CustomerStatistics(Rules):
    """Scores and models of order histories, fitted to the data of each call."""

    name = "customers"
    version = "2026.11"
    about = "RFM scores, BG/NBD and Gamma-Gamma, fitted to the orders of each call; no weights."

    def segment(self, **orders: Any) -> list[list[Any]]:
        """As server.customers.segment.segment."""
        from server.customers.segment import segment  # scipy

        return segment(**orders)


class Decisions(Rules):
    """Scores of predictions and tests of campaigns, computed on the data of each call."""

    name = "decisions"
    version = "2026.11"
    about = "Statistics of the columns of each call (numpy, scipy); no weights."

    def evaluate(self, **grids: Any) -> list[list[Any]]:
        """As server.decisions.evaluate.evaluate."""
        from server.decisions.evaluate import evaluate  # scipy

        return evaluate(**grids)

    def lift_test(self, **grids: Any) -> list[list[Any]]:
        """As server.decisions.lift_test.lift_test."""
        from server.decisions.lift_test import lift_test

        return lift_test(**grids)


class SeriesStatistics(Rules):
    """Models of series over time, fitted to the data of each call."""

    name = "series"
    version = "2026.11"
    about = (
        "Exponential smoothing, Theta, CES, MSTL (statsforecast), regressions on lags and drivers, "
        "and structural models (statsmodels), fitted to the series of each call; no weights."
    )

    def run(self, task: str, items: Sequence[Any]) -> list[Any]:
        """As server.series.tasks.run."""
        from server.series.tasks import run  # statsforecast: 3 seconds and 150 MB

        return run(task, items)


RULES: dict[str, type[Rules]] = {
    rules.name: rules for rules in (TextRules, CustomerStatistics, Decisions, SeriesStatistics)
}
