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
    SHOP_CATEGORIES, have length 1. Where the user's own file knows a name, `forms` holds all that
    it is called, itself first, and `name_vectors` has a row for each; `categories` is then the one
    that the file gives it.
    """

    def __init__(
        self,
        names: Sequence[str],
        name_vectors: np.ndarray,
        category_vectors: np.ndarray,
        forms: Sequence[Sequence[str]] = (),
        categories: Sequence[str | None] = (),
        scale: Scale = DEFAULT,
    ) -> None:
        own = forms or [(name,) for name in names]
        self._scale = scale
        self._forms = [tuple(form.casefold() for form in some) for some in own]
        self._names = [[_Name(form) for form in some] for some in self._forms]
        self._starts = np.cumsum([0, *(len(some) for some in own[:-1])])
        self._vectors = name_vectors
        near = name_vectors[self._starts] @ category_vectors.T
        self._category = [
            given or category_of_words(name.casefold()) or _nearest(row, scale.names_category)
            for name, row, given in zip(names, near, categories or [None] * len(names), strict=True)
        ]

    def match(self, phrase: str | None, vector: np.ndarray | None, category: str) -> np.ndarray:
        """Which names a phrase (None if unsaid) of this category means, shape (names,) bool.

        A phrase that the user's file lists under a name means that one alone.
        """
        same_category = np.array(
            [category == own and category not in OPEN_CATEGORIES for own in self._category]
        )
        if phrase is None or vector is None:
            return np.asarray(same_category)
        low = phrase.casefold()
        listed = np.array([len(forms) > 1 and low in forms for forms in self._forms])
        if listed.any():
            return listed
        near = np.maximum.reduceat(self._vectors @ vector, self._starts)
        said = np.array([any(form.is_said(low) for form in forms) for forms in self._names])
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
