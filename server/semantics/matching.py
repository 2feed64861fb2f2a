"""Which of the aspects that a user names a text's own words mean."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np

from server.models.aspect_categories import SHOP_CATEGORIES, category_of_words
from server.models.scale import DEFAULT, Scale

OPEN_CATEGORIES = ("overall", "other")  # say nothing of what is judged

_HAN = re.compile("[\u4e00-\u9fff]")


class AspectMatcher:
    """Tells the named aspects of a phrase and its category.

    `name_vectors` (names, width) and `category_vectors` (categories, width), in the order of
    SHOP_CATEGORIES, have length 1.
    """

    def __init__(
        self,
        names: Sequence[str],
        name_vectors: np.ndarray,
        category_vectors: np.ndarray,
        scale: Scale = DEFAULT,
    ) -> None:
        self._scale = scale
        self._names = [_Name(name.casefold()) for name in names]
        self._vectors = name_vectors
        near = name_vectors @ category_vectors.T
        self._category = [
            category_of_words(name.casefold()) or _nearest(row, scale.names_category)
            for name, row in zip(names, near, strict=True)
        ]

    def match(self, phrase: str | None, vector: np.ndarray | None, category: str) -> np.ndarray:
        """Which names a phrase (None if unsaid) of this category means, shape (names,) bool."""
        same_category = np.array(
            [category == own and category not in OPEN_CATEGORIES for own in self._category]
        )
        if phrase is None or vector is None:
            return np.asarray(same_category)
        near = self._vectors @ vector
        said = np.array([name.is_said(phrase.casefold()) for name in self._names])
        close = same_category & (near >= self._scale.same_category)
        return np.asarray(said | (near >= self._scale.same_meaning) | close)


class _Name:
    """One name that a user gave, and how it is found in words."""

    def __init__(self, name: str) -> None:
        """`name` in small letters."""
        self._name = name
        self._chinese = _HAN.search(name) is not None
        self._whole = _whole_word(name)

    def is_said(self, phrase: str) -> bool:
        """Whether name or phrase holds the other as whole words."""
        name = self._name
        if not name or not phrase:
            return False
        if self._chinese:
            return name in phrase or (len(phrase) > 1 and phrase in name)
        if len(name) <= len(phrase):  # "in" first: a column has tens of thousands of phrases
            return name in phrase and self._whole.search(phrase) is not None
        return phrase in name and _whole_word(phrase).search(name) is not None


def _whole_word(word: str) -> re.Pattern[str]:
    return re.compile(rf"\b{re.escape(word)}(?:s|es)?\b")


def _nearest(near_categories: np.ndarray, least: float) -> str | None:
    best = int(near_categories.argmax())
    return SHOP_CATEGORIES[best] if near_categories[best] >= least else None
