"""Reads the sets of aspects and opinions as spans of the texts that the encoder reads."""

import gzip
import json
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from server.models.aspect_categories import fine_category
from server.models.original_spans import original_offsets
from server.training.aspect_clauses import clause_examples
from server.training.aspect_examples import SOURCES, AspectExample, AspectOpinion, Span
from server.training.corpora import EvaluationTexts, detokenise, fingerprint

COSMETICS_HELD_OUT = 0.1  # it has no dev split
LONGEST_DIANPING_OPINION = 6
_CLAUSE_END = re.compile(r"[，。！？；、：…~,.!?;\s]")


def load_aspect_examples(data: Path) -> list[AspectExample]:
    """The train and dev parts of every set, in a fixed order, evaluation texts removed.

    Then the texts that are made of clauses of Chinese reviews.
    """
    barred = EvaluationTexts(data)
    rows = [row for row in _load(data, {"train", "dev"}) if not barred.hold(row.text)]
    return rows + clause_examples(data, barred)


def load_aspect_tests(data: Path) -> list[AspectExample]:
    """The test part of every set, for the final evaluation only; noisy opinions as they are."""
    return list(_load(data, {"test"}))


def _load(data: Path, splits: set[str]) -> Iterator[AspectExample]:
    for source in SOURCES:
        path = data / "text" / f"aspects_{source}.jsonl.gz"
        with gzip.open(path, "rt", encoding="utf-8") as lines:
            for row in map(json.loads, lines):
                if row["split"] not in splits:
                    continue
                example = _example(row, source)
                if example is not None:
                    yield example


def _example(row: dict[str, Any], source: str) -> AspectExample | None:
    """The row as an example; None if a span cannot be found or its labels are not to be trusted."""
    found = row.get("quadruples") or row.get("triplets") or []
    if source == "zh_cosmetics":
        written, places = row["text"], None
        spans = list(
            spans_of_strings(written, [(q.get("aspect"), q.get("opinion")) for q in found])
        )
    else:
        written = "".join(row["tokens"]) if source == "zh_dianping" else detokenise(row["tokens"])
        places = token_places(written, row["tokens"])
        spans = [
            (_of_tokens(q.get("aspect"), places), _of_tokens(q.get("opinion"), places))
            for q in found
        ]
    text, offsets = original_offsets(written)
    items = []
    for quadruple, pair in zip(found, spans, strict=True):
        if pair is None:
            return None
        aspect, opinion = (normalised_span(span, offsets) for span in pair)
        if [aspect is None, opinion is None] != [span is None for span in pair]:
            return None
        category = quadruple.get("category")
        items.append(
            AspectOpinion(
                aspect,
                opinion,
                quadruple["polarity"],
                fine_category(category) if category else None,
            )
        )
    if source == "zh_dianping" and row["split"] != "test" and not _is_clean(text, items):
        return None
    held_out = row["split"] == "dev"
    if source == "zh_cosmetics":
        held_out = int(fingerprint([text]), 16) / 16**16 < COSMETICS_HELD_OUT
    return AspectExample(
        text, tuple(dict.fromkeys(items)), source, row.get("domain") or "", held_out
    )


def token_places(text: str, tokens: Iterable[str]) -> list[Span]:
    """Where each token stands in a text that is the tokens with spaces added or left out."""
    places = []
    at = 0
    for token in tokens:
        start = None
        for character in "".join(token.split()):
            while text[at].isspace():
                at += 1
            if text[at] != character:
                raise ValueError(f"{token!r} is not at character {at} of {text!r}")
            start = at if start is None else start
            at += 1
        places.append((at if start is None else start, at))
    return places


def spans_of_strings(
    text: str, pairs: Iterable[tuple[str | None, str | None]]
) -> Iterator[tuple[Span | None, Span | None] | None]:
    """Where the (aspect, opinion) strings stand: the nearest two places, each opinion once.

    None for a pair with a string that is not in the text.
    """
    used: set[Span] = set()
    for aspect, opinion in pairs:
        aspects = _occurrences(text, aspect)
        opinions = _occurrences(text, opinion)
        if not aspects or not opinions:
            yield None
            continue
        best = min(
            ((a, o) for a in aspects for o in opinions),
            key=lambda pair: (pair[1] in used, _gap(*pair), pair[1] or pair[0] or (0, 0)),
        )
        if best[1]:
            used.add(best[1])
        yield best


def normalised_span(span: Span | None, offsets: np.ndarray) -> Span | None:
    """The span of the normalised text that is made of a span of the written one.

    None if nothing is left of it.
    """
    if span is None:
        return None
    inside = np.flatnonzero((offsets[:, 0] < span[1]) & (offsets[:, 1] > span[0]))
    return (int(inside[0]), int(inside[-1]) + 1) if len(inside) else None


def _of_tokens(span: list[int] | None, places: list[Span]) -> Span | None:
    if span is None or span[0] < 0 or span[1] <= span[0]:
        return None
    return places[span[0]][0], places[span[1] - 1][1]


def _occurrences(text: str, part: str | None) -> list[Span | None]:
    """Every place of the string; [None] for an unsaid one."""
    if not part:
        return [None]
    return [(found.start(), found.end()) for found in re.finditer(re.escape(part), text)]


def _gap(aspect: Span | None, opinion: Span | None) -> int:
    if aspect is None or opinion is None:
        return 0
    return max(opinion[0] - aspect[1], aspect[0] - opinion[1], -1) % 10**6


def _is_clean(text: str, items: list[AspectOpinion]) -> bool:
    """Whether every opinion is a phrase: many in this set run over half a sentence."""
    for item in items:
        if item.opinion is None:
            return False
        words = text[slice(*item.opinion)]
        if len(words) > LONGEST_DIANPING_OPINION or _CLAUSE_END.search(words):
            return False
    return True
