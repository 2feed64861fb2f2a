"""What the aspect sets are read into: texts with spans."""

from dataclasses import dataclass

SOURCES = ("en_acos", "en_memd", "en_dmaste", "zh_cosmetics", "zh_dianping")
# Made texts are annotated in the way of a set that people annotated.
CLAUSES = "zh_clauses"
STYLES = {**{name: name for name in SOURCES}, CLAUSES: "zh_cosmetics"}

Span = tuple[int, int]


@dataclass(frozen=True)
class AspectOpinion:
    """What is judged and by which words, as spans of the text; None where that stays unsaid."""

    aspect: Span | None
    opinion: Span | None
    polarity: str
    category: str | None = None  # as `fine_category` spells it


@dataclass(frozen=True)
class AspectExample:
    """A normalised text with all its aspects, of the train or (held out) the dev part."""

    text: str
    items: tuple[AspectOpinion, ...]
    source: str
    domain: str = ""
    held_out: bool = False

    @property
    def style(self) -> str:
        """The way it is annotated: one of SOURCES."""
        return STYLES[self.source]

    @property
    def set_name(self) -> str:
        """Source and domain: the texts that share a list of categories."""
        return f"{self.source}/{self.domain}" if self.domain else self.source
