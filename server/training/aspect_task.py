"""Aspects as one of the encoder's tasks: which texts a step reads, and the loss on them."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from tokenizers import Tokenizer
from torch import Tensor

from server.training.aspect_data import AspectExample, load_aspect_examples
from server.training.aspect_network import CategoryNames, aspect_loss, build_batch, build_targets
from server.training.batches import iterate_batches
from server.training.network import EncoderNetwork
from server.training.vocabulary import special_ids

TOKENS_PER_BATCH = 2048
MASKED_SHARE = 0.05


class AspectTask:
    """The training texts with aspects, as token ids and targets."""

    def __init__(
        self, examples: Sequence[AspectExample], tokenizer: Tokenizer, names: CategoryNames
    ) -> None:
        self.names = names
        self.held_out = [row for row in examples if row.held_out]
        train = [row for row in examples if not row.held_out]
        self.sources = [row.source for row in train]
        plain = Tokenizer.from_str(tokenizer.to_str())
        plain.no_truncation()
        plain.no_padding()
        encodings = plain.encode_batch([row.text for row in train])
        self.targets = build_targets(train, encodings, names)
        self._special = special_ids(tokenizer)

    @classmethod
    def load(cls, data: Path, tokenizer: Tokenizer) -> "AspectTask":
        """The task on the sets of the data folder."""
        examples = load_aspect_examples(data)
        return cls(examples, tokenizer, CategoryNames.of(examples))

    def plan(
        self, repeats: Mapping[str, float], steps: int, epochs: int, seed: int
    ) -> list[list[np.ndarray]]:
        """The batches of every step: each epoch's spread evenly over its share of the steps.

        `repeats` says how often an epoch reads a source (once where it is not named).
        """
        planned: list[list[np.ndarray]] = [[] for _ in range(steps)]
        often = np.array([repeats.get(source, 1.0) for source in self.sources])
        for epoch in range(epochs):
            draw = np.random.default_rng((seed, epoch))
            order = np.repeat(
                np.arange(len(often)), np.floor(often + draw.random(len(often))).astype(int)
            )
            lengths = [len(self.targets[i].ids) for i in order]
            batches = list(
                iterate_batches(lengths, tokens_per_batch=TOKENS_PER_BATCH, seed=seed + epoch)
            )
            first, last = steps * epoch // epochs, steps * (epoch + 1) // epochs
            for number, batch in enumerate(batches):
                step = first + number * (last - first) // len(batches)
                planned[step].append(order[batch])
        return planned

    def loss(self, network: EncoderNetwork, rows: np.ndarray, rng: np.random.Generator) -> Tensor:
        """The mean loss of these texts, some of their words hidden."""
        assert network.aspects is not None
        device = network.classifier.weight.device
        batch = build_batch([self.targets[i] for i in rows])
        words = ~np.isin(batch.ids, list(self._special.values()))
        hide = words & (rng.random(batch.ids.shape) < MASKED_SHARE)
        ids = torch.from_numpy(np.where(hide, self._special["[MASK]"], batch.ids)).to(device)
        hidden = network.hidden(ids, (ids != 0).long())
        losses = aspect_loss(network.aspects, hidden, batch, rng)
        return torch.stack(list(losses.values())).sum()
