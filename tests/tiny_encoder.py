"""Builds a tiny real encoder without a download: a two-layer BERT that knows a few loaded words."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors

from server.artefacts import save_artefact

LABELS = ("negative", "neutral", "positive", "mixed")
LOADED_WORDS = {
    "negative": (
        "bad slow late broken awful poor worst refund damaged never 慢 破 差 坏 退 烂"
    ).split(),
    "neutral": "ok average arrived ordered colour size box 般 件 收 颜 色".split(),
    "positive": "great good love fast perfect excellent nice best happy 好 赞 棒 快 喜 爱".split(),
    "mixed": "but however although 但 却".split(),
}
PLAIN_WORDS = (
    "the a an it is was this that and or not very i we my you price value quality delivery phone "
    "shoes battery again after before week day in on of to for with . , ! ? ' - 的 了 我 是 不 很 "
    "也 这 个 物 流 太 包 装 质 量 东 西 手 机 鞋 电 池 天 ， 。 ！"
).split()
ALPHABET = "abcdefghijklmnopqrstuvwxyz0123456789"
SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")


def build_tiny_encoder(
    folder: Path, layers: int = 2, hidden: int = 64, seed: int = 7, **config: Any
) -> Path:
    """The folder of a small encoder artefact; the same arguments give the same bytes.

    Its words carry their label ("great" is positive, "慢" is negative), so that tests can expect
    an answer as well as compare two. `config` replaces values of config.json.
    """
    vocabulary = _vocabulary()
    settings: dict[str, Any] = {
        "name": "encoder",
        "artefact_version": "0.1",
        "model_type": "bert",
        "vocab_size": len(vocabulary),
        "hidden_size": hidden,
        "num_hidden_layers": layers,
        "num_attention_heads": 4,
        "intermediate_size": 2 * hidden,
        "max_position_embeddings": 128,
        "type_vocab_size": 2,
        "layer_norm_eps": 1e-12,
        "hidden_act": "gelu",
        "pooling": "mean",
        "labels": list(LABELS),
        "temperature": 1.5,
        "max_tokens": 64,
        "truncation": "head",
        **config,
    }
    card = {"name": "tiny encoder", "trained_on": "nothing: weights are drawn from a fixed seed"}
    return save_artefact(
        folder,
        _tensors(settings, vocabulary, seed),
        build_tiny_tokenizer(vocabulary).to_str(),
        settings,
        card,
    )


def build_tiny_tokenizer(vocabulary: dict[str, int] | None = None) -> Tokenizer:
    """A WordPiece tokenizer like BERT's, uncased, with one token per Chinese character."""
    vocabulary = _vocabulary() if vocabulary is None else vocabulary
    tokenizer = Tokenizer(models.WordPiece(vocabulary, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]",
        pair="[CLS] $A [SEP] $B:1 [SEP]:1",
        special_tokens=[("[CLS]", vocabulary["[CLS]"]), ("[SEP]", vocabulary["[SEP]"])],
    )
    return tokenizer


def _vocabulary() -> dict[str, int]:
    loaded = [word for words in LOADED_WORDS.values() for word in words]
    pieces = [*ALPHABET, *(f"##{letter}" for letter in ALPHABET)]
    tokens = dict.fromkeys([*SPECIAL, *loaded, *PLAIN_WORDS, *pieces])
    return {token: index for index, token in enumerate(tokens)}


def _tensors(
    settings: dict[str, Any], vocabulary: dict[str, int], seed: int
) -> dict[str, np.ndarray]:
    random = np.random.default_rng(seed)
    hidden, inner = settings["hidden_size"], settings["intermediate_size"]
    labels = settings["labels"]

    def normal(*shape: int, scale: float) -> np.ndarray:
        return (random.standard_normal(shape) * scale).astype(np.float16)

    tensors: dict[str, np.ndarray] = {}

    def layer_norm(name: str) -> None:
        tensors[f"{name}.weight"] = (1 + normal(hidden, scale=0.1)).astype(np.float16)
        tensors[f"{name}.bias"] = normal(hidden, scale=0.05)

    def dense(name: str, outputs: int, inputs: int) -> None:
        tensors[f"{name}.weight"] = normal(outputs, inputs, scale=0.5 / np.sqrt(inputs))
        tensors[f"{name}.bias"] = normal(outputs, scale=0.05)

    directions = random.standard_normal((len(labels), hidden))
    directions -= directions.mean(axis=1, keepdims=True)
    words = random.standard_normal((len(vocabulary), hidden))
    for index, label in enumerate(LABELS[: len(labels)]):
        for word in LOADED_WORDS[label]:
            words[vocabulary[word]] += 3 * directions[index]
    tensors["embeddings.word_embeddings.weight"] = words.astype(np.float16)
    tensors["embeddings.position_embeddings.weight"] = normal(
        settings["max_position_embeddings"], hidden, scale=0.1
    )
    tensors["embeddings.token_type_embeddings.weight"] = normal(
        settings["type_vocab_size"], hidden, scale=0.1
    )
    layer_norm("embeddings.LayerNorm")
    for number in range(settings["num_hidden_layers"]):
        layer = f"encoder.layer.{number}"
        for part in ("query", "key", "value"):
            dense(f"{layer}.attention.self.{part}", hidden, hidden)
        dense(f"{layer}.attention.output.dense", hidden, hidden)
        layer_norm(f"{layer}.attention.output.LayerNorm")
        dense(f"{layer}.intermediate.dense", inner, hidden)
        dense(f"{layer}.output.dense", hidden, inner)
        layer_norm(f"{layer}.output.LayerNorm")
    tensors["classifier.weight"] = (directions * (6 / hidden)).astype(np.float16)
    tensors["classifier.bias"] = np.zeros(len(labels), dtype=np.float16)
    if settings.get("embedding_layer"):
        dense("embedder", hidden, 2 * hidden)
    return tensors
