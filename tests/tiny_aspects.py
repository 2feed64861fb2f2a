"""A tiny encoder that also reads aspects: its heads learn a dozen words in a few seconds."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import torch

from server.artefacts import load_artefact, save_artefact
from server.training.aspect_examples import AspectExample, AspectOpinion
from server.training.aspect_network import (
    AspectHead,
    CategoryNames,
    aspect_loss,
    build_batch,
    build_targets,
)
from server.training.network import load_trained_encoder
from tests.tiny_encoder import build_tiny_encoder, build_tiny_tokenizer

STEPS = 160
READ_AS = {"en": "en_acos", "zh": "zh_cosmetics"}
ENGLISH = ("price", "delivery", "battery", "shoes")
CHINESE = ("物流", "包装", "电池")
OPINIONS = {
    "positive": ("great", "good", "fast", "好", "快"),
    "negative": ("bad", "slow", "broken", "慢", "破"),
}
CATEGORIES = {
    "price": "LAPTOP#PRICE", "delivery": "SHIPPING#GENERAL", "battery": "BATTERY#QUALITY",
    "shoes": "LAPTOP#QUALITY", "物流": "物流", "包装": "包装", "电池": "BATTERY#QUALITY",
}  # fmt: skip


def build_tiny_aspect_encoder(folder: Path) -> Path:
    """The folder of a tiny encoder with an embedder and aspect heads; always the same bytes."""
    build_tiny_encoder(folder, embedding_layer=1)
    torch.manual_seed(0)
    examples = _examples()
    names = CategoryNames.of(examples)
    targets = build_targets(
        examples, build_tiny_tokenizer().encode_batch([row.text for row in examples]), names
    )
    network = load_trained_encoder(folder, 4).eval()
    head = AspectHead(network.body.config.hidden_size, names)
    optimiser = torch.optim.Adam(head.parameters(), lr=0.01)
    draw = np.random.default_rng(0)
    for _ in range(STEPS):
        batch = build_batch([targets[i] for i in draw.choice(len(targets), 24, replace=False)])
        ids = torch.from_numpy(batch.ids)
        with torch.no_grad():
            hidden = network.hidden(ids, (ids != 0).long())
        loss = torch.stack(list(aspect_loss(head, hidden, batch, draw).values())).sum()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    tensors, config = head.export()
    with torch.no_grad():  # else all vectors of a network that learnt nothing are alike
        batch = build_batch(targets)
        ids = torch.from_numpy(batch.ids)
        _, last, middle = network.read(ids, (ids != 0).long())
        both = torch.cat([last, middle], dim=-1).mean(0)
        centre = -(network.embedder.weight @ both)
    plain = load_artefact(folder)
    tensors = {f"aspects.{name}": t.astype(np.float16) for name, t in tensors.items()}
    tensors["embedder.bias"] = centre.numpy().astype(np.float16)
    config = plain.config | {"aspects": config | {"read_as": READ_AS}}
    return save_artefact(
        folder, {**plain.tensors(), **tensors}, plain.tokenizer_json, config, plain.card
    )


def _examples() -> list[AspectExample]:
    rows = []
    for aspects, plain, joined, source in (
        (ENGLISH, "the {} is {}", " but ", "en_acos"),
        (CHINESE, "{}{}", "，", "zh_cosmetics"),
    ):
        single = [
            (aspect, word, polarity)
            for polarity, words in OPINIONS.items()
            for word in words
            for aspect in aspects
            if word.isascii() == aspect.isascii()
        ]
        for parts in [(one,) for one in single] + list(itertools.permutations(single[::3], 2)):
            text, items = "", []
            for aspect, word, polarity in parts:
                text += (joined if text else "") + plain.format(aspect, word)
                end = len(text)
                start = text.rindex(aspect)
                items.append(
                    AspectOpinion(
                        (start, start + len(aspect)),
                        (end - len(word), end),
                        polarity,
                        CATEGORIES[aspect],
                    )
                )
            rows.append(AspectExample(text, tuple(items), source))
    rows += [AspectExample("i ordered it on the day", (), "en_acos")] * 6
    rows += [AspectExample("收 件", (), "zh_cosmetics")] * 6
    return rows
