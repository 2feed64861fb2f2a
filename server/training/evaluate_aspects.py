"""Measures the aspect heads on the test sets, beside a lexicon of what is commonest.

Run with `python -m server.training.evaluate_aspects --data DIR [--model FOLDER]`.
"""

import argparse
import json
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from tokenizers import Tokenizer

from server.artefacts import load_artefact
from server.models.aspects import AspectDecoder, FoundAspect
from server.settings import WEIGHTS_FOLDER
from server.training.aspect_data import load_aspect_examples, load_aspect_tests
from server.training.aspect_examples import AspectExample, AspectOpinion, Span
from server.training.aspect_network import MAX_TOKENS, AspectHead, cut_encoding
from server.training.batches import iterate_batches, pad
from server.training.network import EncoderNetwork, load_trained_encoder
from udfs.errors import BadInput

Reader = Callable[[Sequence[AspectExample]], list[list[AspectOpinion]]]
Key = tuple[Any, ...]
KEYS: Mapping[str, Callable[[AspectExample, AspectOpinion], Key]] = {
    "quadruple": lambda row, x: (*_shown(row, x), x.polarity, x.category),
    "triplet": lambda row, x: (*_shown(row, x), x.polarity),
    "pair": lambda row, x: _shown(row, x),
    "category_polarity": lambda _row, x: (x.category, x.polarity),
}
BIASES = (-0.5, 0.0, 0.5, 1.0, 1.5)
LEAST_PAIR_PROBABILITIES = (0.3, 0.4, 0.5, 0.6, 0.7)


@dataclass(frozen=True)
class TokenOutputs:
    """What the encoder gives for some texts: a (T, K) array and (T, 2) offsets of each."""

    outputs: list[np.ndarray]
    offsets: list[np.ndarray]


def evaluate_aspects(read: Reader, rows: Sequence[AspectExample]) -> dict[str, dict[str, float]]:
    """F1 by data set and what must agree; a set without categories has no quadruples.

    A found aspect counts when all its parts are as annotated: spans to the character, in the
    cosmetics set (which names no places) as strings; each once a text.
    """
    found = read(rows)
    table: dict[str, dict[str, float]] = {}
    for name in dict.fromkeys(row.set_name for row in rows):
        own = [(row, f) for row, f in zip(rows, found, strict=True) if row.set_name == name]
        has_categories = any(item.category for row, _ in own for item in row.items)
        table[name] = {"texts": len(own)} | {
            part: f1_score((_keys(row, row.items, part), _keys(row, f, part)) for row, f in own)
            for part in KEYS
            if has_categories or part in ("triplet", "pair")
        }
    return table


def f1_score(pairs: Iterable[tuple[set[Key], set[Key]]]) -> float:
    """Micro F1 over (what is right, what was found) of each text, to four digits."""
    right = wanted = given = 0
    for gold, found in pairs:
        right += len(gold & found)
        wanted += len(gold)
        given += len(found)
    return round(2 * right / max(1, wanted + given), 4)


@torch.inference_mode()
def token_outputs(
    network: EncoderNetwork,
    head: Callable[[torch.Tensor], torch.Tensor],
    tokenizer: Tokenizer,
    texts: Sequence[str],
) -> TokenOutputs:
    """The heads' outputs for the texts, read with torch as in training."""
    network.eval()
    encodings = [cut_encoding(e, MAX_TOKENS) for e in tokenizer.encode_batch(list(texts))]
    ids = [one for one, _ in encodings]
    outputs: list[np.ndarray] = [np.empty(0)] * len(ids)
    device = network.classifier.weight.device
    for batch in iterate_batches([len(one) for one in ids], tokens_per_batch=8192, seed=0):
        inputs = torch.from_numpy(pad([ids[i] for i in batch])).to(device)
        answers = head(network.hidden(inputs, (inputs != 0).long())).cpu().numpy()
        for i, answer in zip(batch, answers, strict=True):
            outputs[i] = answer[: len(ids[i])]
    return TokenOutputs(outputs, [offsets for _, offsets in encodings])


def artefact_reader(folder: Path) -> Reader:
    """Reads with a saved encoder, each text in its data set's style and categories.

    Raises: BadInput if that encoder reads no aspects.
    """
    artefact = load_artefact(folder)
    if not artefact.config.get("aspects"):
        raise BadInput(
            f"The encoder in {folder} reads no aspects; expected one that was trained to."
        )
    network = load_trained_encoder(folder, len(artefact.config["labels"]))
    prefix = "aspects."
    tensors = {
        name.removeprefix(prefix): array
        for name, array in artefact.tensors().items()
        if name.startswith(prefix)
    }
    weight, bias = (torch.from_numpy(tensors[f"tokens.{n}"]).float() for n in ("weight", "bias"))
    decoder = AspectDecoder(tensors, artefact.config["aspects"])
    tokenizer = Tokenizer.from_str(artefact.tokenizer_json)

    def read(rows: Sequence[AspectExample]) -> list[list[AspectOpinion]]:
        texts = [row.text for row in rows]
        made = token_outputs(network, lambda x: F.linear(x, weight, bias), tokenizer, texts)
        return decoded(decoder, made, rows)

    return read


def torch_reader(network: EncoderNetwork, head: AspectHead, tokenizer: Tokenizer) -> Reader:
    """Reads with the head's own thresholds, each text in its data set's style and categories."""

    def read(rows: Sequence[AspectExample]) -> list[list[AspectOpinion]]:
        made = token_outputs(network, head, tokenizer, [row.text for row in rows])
        return decoded(AspectDecoder(*head.export()), made, rows)

    return read


def decoded(
    decoder: AspectDecoder, made: TokenOutputs, rows: Sequence[AspectExample]
) -> list[list[AspectOpinion]]:
    """What the decoder finds in the rows, with the fine categories of their data sets."""
    styles, sets = [row.style for row in rows], [row.set_name for row in rows]
    texts = [row.text for row in rows]
    found = decoder.decode(made.outputs, made.offsets, styles, sets, texts)
    return [[_plain(item) for item in one] for one in found]


def fit_thresholds(
    made: TokenOutputs,
    rows: Sequence[AspectExample],
    tensors: Mapping[str, np.ndarray],
    config: Mapping[str, Any],
) -> dict[str, list[float]]:
    """By style, the thresholds with the best held-out F1 of triplets."""
    best: dict[str, tuple[float, list[float]]] = {}
    for bias in BIASES:
        for least in LEAST_PAIR_PROBABILITIES:
            own = {"thresholds": {style: [bias, least] for style in config["styles"]}}
            found = decoded(AspectDecoder(tensors, {**config, **own}), made, rows)
            for style in config["styles"]:
                score = f1_score(
                    (_keys(row, row.items, "triplet"), _keys(row, f, "triplet"))
                    for row, f in zip(rows, found, strict=True)
                    if row.style == style
                )
                if score > best.get(style, (-1.0, []))[0]:
                    best[style] = score, [bias, least]
    return {style: thresholds for style, (_, thresholds) in best.items()}


class LexiconReader:
    """The floor: words that are mostly an opinion in training, with their commonest polarity.

    Each is paired with the nearest word that is mostly an aspect; the category is the commonest of
    that aspect (of the opinion, where none is near). A text without any has all unsaid.
    """

    LEAST_COUNT = 2
    LEAST_SHARE = 0.5
    NEAR = 30  # characters

    def __init__(self, rows: Sequence[AspectExample]) -> None:
        self._texts: dict[str, list[AspectExample]] = defaultdict(list)
        for row in rows:
            self._texts[row.set_name].append(row)
        self._read_as = {name: _Lexicon(own, self) for name, own in self._texts.items()}

    def __call__(self, rows: Sequence[AspectExample]) -> list[list[AspectOpinion]]:
        return [self._read_as[row.set_name].read(row.text) for row in rows]


class _Lexicon:
    """What is commonest in one data set."""

    def __init__(self, rows: Sequence[AspectExample], limits: LexiconReader) -> None:
        self._near = limits.NEAR
        words: tuple[Counter[str], Counter[str]] = (Counter(), Counter())
        polarities: defaultdict[str, Counter[str]] = defaultdict(Counter)
        categories: defaultdict[str, Counter[str | None]] = defaultdict(Counter)
        for row in rows:
            for item in row.items:
                parts = [row.text[slice(*s)].lower() if s else "" for s in _spans(item)]
                for found, part in zip(words, parts, strict=True):
                    found[part] += 1
                polarities[parts[1]][item.polarity] += 1
                categories[parts[0] or parts[1]][item.category] += 1
        self._polarity = {word: c.most_common(1)[0][0] for word, c in polarities.items()}
        self._category = {word: c.most_common(1)[0][0] for word, c in categories.items()}
        every = Counter(
            (item.polarity, item.category)
            for row in rows
            for item in row.items
            if item.aspect is None and item.opinion is None
        ) or Counter((item.polarity, item.category) for row in rows for item in row.items)
        self._unsaid = every.most_common(1)[0][0]
        text = "\n".join(row.text.lower() for row in rows)
        self._aspects, self._opinions = (
            _pattern(
                word
                for word, count in found.items()
                if word
                and count >= limits.LEAST_COUNT
                and count >= limits.LEAST_SHARE * len(_whole_word(word).findall(text))
            )
            for found in words
        )

    def read(self, text: str) -> list[AspectOpinion]:
        lowered = text.lower()
        aspects = [found.span() for found in self._aspects.finditer(lowered)]
        items = []
        for found in self._opinions.finditer(lowered):
            near = [(_gap(a, found.span()), a) for a in aspects if a != found.span()]
            gap, aspect = min(near, default=(self._near + 1, None))
            aspect = aspect if gap <= self._near else None
            about = lowered[slice(*aspect)] if aspect else found.group()
            items.append(
                AspectOpinion(
                    aspect,
                    found.span(),
                    self._polarity[found.group()],
                    self._category.get(about, self._unsaid[1]),
                )
            )
        polarity, category = self._unsaid
        return items or [AspectOpinion(None, None, polarity, category)]


def as_markdown(
    table: Mapping[str, Mapping[str, float]], floor: Mapping[str, Mapping[str, float]]
) -> str:
    """Both tables as one; in each cell F1, then the lexicon's."""
    lines = [
        "| set | texts | " + " | ".join(part.replace("_", "-") for part in KEYS) + " |",
        "|---|---|" + "---|" * len(KEYS),
    ]
    for name, row in table.items():
        cells = [
            f"{row[part]:.3f} ({floor[name][part]:.3f})" if part in row else "" for part in KEYS
        ]
        lines.append(f"| {name} | {row['texts']} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _keys(row: AspectExample, items: Iterable[AspectOpinion], part: str) -> set[Key]:
    return {KEYS[part](row, item) for item in items}


def _shown(row: AspectExample, item: AspectOpinion) -> Key:
    """The item's spans, or their strings where the data set names no places."""
    if row.source != "zh_cosmetics":
        return _spans(item)
    return tuple(row.text[slice(*span)] if span else None for span in _spans(item))


def _spans(item: AspectOpinion) -> tuple[Span | None, Span | None]:
    return item.aspect, item.opinion


def _plain(found: FoundAspect) -> AspectOpinion:
    return AspectOpinion(found.aspect, found.opinion, found.polarity, found.category)


def _gap(one: Span, other: Span) -> int:
    return max(one[0] - other[1], other[0] - one[1])


def _whole_word(words: str) -> re.Pattern[str]:
    """A pattern of the words, whole; Chinese has no word ends."""
    return re.compile(rf"(?<![a-z0-9]){re.escape(words)}(?![a-z0-9])")


def _pattern(words: Iterable[str]) -> re.Pattern[str]:
    """Any of the words, the longest first."""
    longest_first = sorted(words, key=len, reverse=True)
    either = "|".join(map(re.escape, longest_first)) or r"(?!)"
    return re.compile(rf"(?<![a-z0-9])(?:{either})(?![a-z0-9])")


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--model", type=Path, default=WEIGHTS_FOLDER / "encoder")
    args = parser.parse_args()
    tests = load_aspect_tests(args.data)
    table = evaluate_aspects(artefact_reader(args.model), tests)
    train = [row for row in load_aspect_examples(args.data) if not row.held_out]
    floor = evaluate_aspects(LexiconReader(train), tests)
    print(as_markdown(table, floor))
    print(json.dumps({"evaluation": "aspects", "encoder": table, "lexicon": floor}))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
