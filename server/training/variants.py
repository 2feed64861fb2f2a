"""English texts that nobody wrote or labelled, for the teacher to label and the encoder to learn.

Training sentences with words exchanged for their neighbours, joined with each other, or with words
missing (data augmentation for distillation, Jiao et al. 2020, "TinyBERT", algorithm 1, there with
a masked language model), and single sentences out of long reviews.
"""

import re
from collections.abc import Mapping, Sequence

import numpy as np
from tokenizers import Tokenizer

NEIGHBOURS = 12
EXCHANGED = 0.3  # share of the words that have neighbours
MISSING = 0.04
JOINED = 0.25
JOINTS = (" , but ", " , and ", " . ", " -- ", " ; ", " , though ", " even though ", " and yet ")
WORD = re.compile(r"[a-z]{3,}$")
SENTENCE_END = re.compile(r"(?<=[.!?])\s+")


def word_neighbours(
    vectors: np.ndarray, tokenizer: Tokenizer, texts: Sequence[str]
) -> dict[str, list[str]]:
    """For each word of the texts that is one token: the words of the nearest token vectors.

    `vectors` (vocabulary, width) are the input embeddings that belong to the tokenizer.
    """
    words = {word: place for word, place in tokenizer.get_vocab().items() if WORD.match(word)}
    names = sorted(words)
    table = vectors[[words[name] for name in names]].astype(np.float32)
    table /= np.linalg.norm(table, axis=1, keepdims=True)
    used = {word for text in texts for word in text.lower().split()}
    asked = [place for place, name in enumerate(names) if name in used]
    found: dict[str, list[str]] = {}
    for start in range(0, len(asked), 1000):
        part = asked[start : start + 1000]
        near = table[part] @ table.T
        best = np.argsort(-near, axis=1)[:, : NEIGHBOURS + 1]
        for place, row in zip(part, best, strict=True):
            found[names[place]] = [names[i] for i in row if i != place]
    return found


def varied_texts(
    texts: Sequence[str], neighbours: Mapping[str, Sequence[str]], count: int, seed: int
) -> list[str]:
    """`count` texts at most, each unlike the others and unlike those given."""
    draw = np.random.default_rng(seed)
    seen = set(texts)
    made: list[str] = []
    for _ in range(2 * count):
        if len(made) == count:
            break
        words = texts[int(draw.integers(len(texts)))].split()
        if draw.random() < JOINED:
            joint = JOINTS[int(draw.integers(len(JOINTS)))]
            other = texts[int(draw.integers(len(texts)))].rstrip(" .")
            words = (other + joint + " ".join(words)).split()
        kept = [_exchanged(word, neighbours, draw) for word in words if draw.random() >= MISSING]
        text = " ".join(kept)
        if text not in seen:
            seen.add(text)
            made.append(text)
    return made


def sentences_of(
    reviews: Sequence[str], count: int, seed: int, shortest: int = 4, longest: int = 40
) -> list[str]:
    """`count` sentences at most of that many words, out of the reviews, in a seeded order."""
    found = dict.fromkeys(
        sentence
        for review in reviews
        for sentence in SENTENCE_END.split(review)
        if shortest <= len(sentence.split()) <= longest
    )
    order = np.random.default_rng(seed).permutation(len(found))[:count]
    sentences = list(found)
    return [sentences[i] for i in order]


def _exchanged(
    word: str, neighbours: Mapping[str, Sequence[str]], draw: np.random.Generator
) -> str:
    choices = neighbours.get(word.lower())
    if not choices or draw.random() >= EXCHANGED:
        return word
    return choices[int(draw.integers(len(choices)))]
