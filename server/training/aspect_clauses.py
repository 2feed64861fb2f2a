"""Makes Chinese shop texts with known aspects from clauses of labelled reviews.

The Chinese sets with annotated spans are of cosmetics (nine of ten praise) and of restaurants.
Reviews of other goods are full of clauses such as "物流太慢了": a word that names a category, then
a short phrase. A phrase that stands almost only in reviews of one label has that polarity.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from server.models.aspect_categories import han_words
from server.models.normalise import normalise
from server.training.aspect_examples import CLAUSES, AspectExample, AspectOpinion
from server.training.corpora import EvaluationTexts

TEXTS = 4000
LEAST_COUNT = 4  # of a phrase, over all clauses
SURE_PRAISE = 0.8  # share of the phrase's reviews that praise
SURE_BLAME = 0.3  # reviews that praise also blame in passing, more than the other way round
TURNS = ("但是", "不过", "就是", "但")
_CUT = re.compile(r"[，。！？；、,.!?;~～\s…：:]+")
_BEFORE = "(?:就是|但是|但|不过|而且|还有|首先|这个|这款|的确|总之|感觉|觉得)?"
_LINK = "(?:也|都|还|真的|实在|确实|真|是|算|又|就|倒|更|其实){0,2}"
_NO_PHRASE = re.compile(  # at the phrase's start; anywhere in it; the only character of it
    "[的了呢和在给说来去把被对是]|.*(?:收到|告诉|就|一样|部分|来说|不用说)|"
    "[^好差快慢贵值高低小大薄厚重轻新旧脏硬软甜酸香臭棒赞足正佳糙烂]$"
)
_COMPLAINS = re.compile("有点|有些|偏|不够|不足|一般|不大")  # even where the review praises


@dataclass(frozen=True)
class Clause:
    """An aspect and the phrase after it; `link` stands between them and belongs to neither."""

    aspect: str
    link: str
    opinion: str
    polarity: str

    @property
    def text(self) -> str:
        return self.aspect + self.link + self.opinion


def clause_examples(data: Path, barred: EvaluationTexts) -> list[AspectExample]:
    """Texts of one to four clauses of training reviews, in a fixed order."""
    table = pd.read_csv(data / "text" / "sentiment_zh_online_shopping.csv.gz")
    table = table[table.split == "train"]
    reviews = [
        (text, label == "positive")
        for text, label in zip(map(normalise, map(str, table.text)), table.label, strict=True)
        if not barred.hold(text)
    ]
    return joined_clauses(find_clauses(reviews), TEXTS, seed=11)


def find_clauses(reviews: Iterable[tuple[str, bool]]) -> list[Clause]:
    """The clauses of the reviews (text, whether it praises) whose phrases have a sure polarity."""
    words = "|".join(sorted(han_words(), key=len, reverse=True))
    a_word = re.compile(words)
    pattern = re.compile(f"{_BEFORE}({words})({_LINK})([\u4e00-\u9fff]{{1,6}})")
    found: list[tuple[str, str, str]] = []
    labels: defaultdict[str, list[bool]] = defaultdict(list)
    for text, praises in reviews:
        for part in _CUT.split(text):
            match = pattern.fullmatch(part)
            if match and not (_NO_PHRASE.match(match[3]) or a_word.search(match[3])):
                found.append((match[1], match[2], match[3]))
                labels[match[3]].append(praises)
    polarity = {}
    for phrase, seen in labels.items():
        share = float(np.mean(seen))
        if len(seen) < LEAST_COUNT:
            continue
        if share <= SURE_BLAME:
            polarity[phrase] = "negative"
        elif share >= SURE_PRAISE and not _COMPLAINS.search(phrase):
            polarity[phrase] = "positive"
    unique = dict.fromkeys(found)
    return [Clause(*clause, polarity[clause[2]]) for clause in unique if clause[2] in polarity]


def joined_clauses(clauses: Sequence[Clause], texts: int, seed: int) -> list[AspectExample]:
    """Texts that join clauses about different things, as many of praise as of blame."""
    draw = np.random.default_rng(seed)
    counts = Counter(clause.polarity for clause in clauses)
    weights = np.array([1 / counts[clause.polarity] for clause in clauses])
    examples = []
    for _ in range(texts if len(counts) == 2 else 0):
        size = min(len(clauses), int(draw.integers(1, 5)))
        chosen = draw.choice(len(clauses), size, replace=False, p=weights / weights.sum())
        by_aspect = {clauses[i].aspect: clauses[i] for i in chosen}
        examples.append(_join(list(by_aspect.values()), draw))
    return examples


def _join(clauses: Sequence[Clause], draw: np.random.Generator) -> AspectExample:
    text, items = "", []
    mark = draw.choice(["，", "，", "，", "。", " ", "！"])
    for number, clause in enumerate(clauses):
        if number:
            turns = clause.polarity != clauses[number - 1].polarity and draw.random() < 0.5
            text += mark + (str(draw.choice(TURNS)) if turns else "")
        start = len(text)
        text += clause.text
        aspect = (start, start + len(clause.aspect))
        items.append(
            AspectOpinion(aspect, (len(text) - len(clause.opinion), len(text)), clause.polarity)
        )
    return AspectExample(text + str(draw.choice(["", "。", "！"])), tuple(items), CLAUSES)
