"""Which of the aspects that a user names a text's own words mean."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np

from server.models.aspect_categories import SHOP_CATEGORIES, category_of_words

# Chosen on the training parts of the aspect sets: server.training.evaluate_matching.
SAME_MEANING = 0.62  # least cosine of a phrase and a name that mean the same
SAME_CATEGORY = 0.35  # least cosine where both also belong to one category
NAMES_CATEGORY = 0.55  # least cosine of a name and a category that it stands for
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
    ) -> None:
        own = forms or [(name,) for name in names]
        self._forms = [tuple(form.casefold() for form in some) for some in own]
        self._starts = np.cumsum([0, *(len(some) for some in own[:-1])])
        self._vectors = name_vectors
        near = name_vectors[self._starts] @ category_vectors.T
        self._category = [
            given or category_of_words(name.casefold()) or _nearest(row)
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
        said = np.array([any(_holds(low, form) for form in forms) for forms in self._forms])
        close = same_category & (near >= SAME_CATEGORY)
        return np.asarray(said | (near >= SAME_MEANING) | close)


def _nearest(near_categories: np.ndarray) -> str | None:
    best = int(near_categories.argmax())
    return SHOP_CATEGORIES[best] if near_categories[best] >= NAMES_CATEGORY else None


def _holds(phrase: str, name: str) -> bool:
    """Whether one of the two holds the other as whole words."""
    if not name or not phrase:
        return False
    if _HAN.search(name):
        return name in phrase or (len(phrase) > 1 and phrase in name)
    short, long = sorted((name, phrase), key=len)
    return re.search(rf"\b{re.escape(short)}(?:s|es)?\b", long) is not None
