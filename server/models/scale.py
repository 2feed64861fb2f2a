"""What a cosine means: every number that must fit the vectors of one encoder, in one place.

An encoder's config.json may hold its own under "scale", fitted to it by
`python -m server.training.fit_reading`; what it lacks is as below.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, Final

import numpy as np

from udfs.errors import ModelFailed

_HAN = re.compile("[\u4e00-\u9fff]")
KEY: Final = "scale"  # in config.json


@dataclass(frozen=True)
class Scale:
    """Cosines from which something holds, and how fast a cosine makes it more probable."""

    # CLASSIFY
    label_scale: float = 15.0  # from a cosine to a logit
    label_freedom: float = 300.0  # variance of a weight around its label's vector
    multi_scale: float = 12.6  # the same where several labels may apply
    multi_cosine: float = 0.31  # from which a label applies
    # SIMILAR and the list of needs in NEEDS
    found: float = 0.64  # where the nearest text is as likely the right one as not
    found_chinese: float = 0.69  # of a Chinese text to any: all Chinese vectors lie nearer
    need: float = 0.68
    need_chinese: float = 0.83
    # ASPECTS with names
    same_meaning: float = 0.62  # of a phrase and a name
    same_category: float = 0.35  # of these where both belong to one category
    names_category: float = 0.55  # of a name and the category that it stands for
    # SUMMARIZE; likeness is the mean of that in meaning and that in words
    unrelated: float = 0.32  # likeness up to which a sentence does not speak for another
    spoken_for: float = 0.626  # likeness from which it speaks for it wholly
    same: float = 0.86  # cosine from which sentences of the same words say the same

    def score(self, cosine: float | Sequence[float] | np.ndarray, wanted: str) -> Any:
        """A cosine to the text that is wanted, as users see it, from 0 to 1.

        0.5 is where what is nearest is as likely right as not, with any encoder and language.
        """
        found = self.found_chinese if _HAN.search(wanted) else self.found
        return np.interp(cosine, [0.0, found, 1.0], [0.0, 0.5, 1.0])

    def least_need(self, words: str) -> float:
        """Cosine from which these words of a need mean one of the user's list."""
        return self.need_chinese if _HAN.search(words) else self.need

    @classmethod
    def of(cls, config: Mapping[str, Any]) -> Scale:
        """The scale in a config.json. Raises: ModelFailed if a number in it cannot be used."""
        given = config.get(KEY) or {}
        names = {one.name for one in fields(cls)}
        for name, value in given.items():
            known = name in names and isinstance(value, (int, float))
            if not known or not np.isfinite(value) or value <= 0:
                raise ModelFailed(
                    f'"{KEY}" in config.json holds {name} = {value!r}; expected numbers above 0 '
                    f"for some of {', '.join(sorted(names))}. Fit them again: python -m "
                    "server.training.fit_reading --data DIR --model FOLDER --save"
                )
        return cls(**given)


DEFAULT: Final = Scale()


def scale_of(model: Any) -> Scale:
    """The scale of an encoder; the default one of a model that has none of its own."""
    scale: Scale = getattr(model, KEY, DEFAULT)
    return scale
