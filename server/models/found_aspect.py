"""What is found to be judged in a text."""

from __future__ import annotations

from dataclasses import dataclass

Span = tuple[int, int]


@dataclass(frozen=True)
class FoundAspect:
    """What is judged and by which words, as spans in characters of the text; None where unsaid.

    `probability` is that of the polarity, given that the pair is one; `pair_probability` that the
    two belong together at all.
    """

    aspect: Span | None
    opinion: Span | None
    polarity: str
    probability: float
    pair_probability: float
    category: str
    category_probability: float
