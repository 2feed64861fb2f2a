"""A larger English model that is fine-tuned for polarity and then labels texts for the encoder.

A small network learns more from the probabilities of a large one than from labels alone, and the
large one can label texts that nobody labelled (knowledge distillation, Hinton et al. 2015;
TinyBERT, Jiao et al. 2020, for the varied texts). The teacher is needed for training only.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer
from torch import Tensor, nn
from transformers import AutoConfig, AutoModel

from server.training.batches import iterate_batches, iterate_steps, pad
from server.training.corpora import LABELS, Example, fingerprint
from server.training.losses import any_of_loss, fit_temperature, held_out_scores
from server.training.optimiser import MasterWeightAdamW, Schedule
from server.training.run import Run, seed_everything
from udfs.errors import BadInput

FINISHED = "teacher.safetensors"
TEMPERATURE = "log_temperature"


@dataclass(frozen=True)
class TeacherRecipe:
    """How the teacher is fine-tuned; `repeats` as in FinetuneRecipe, 0 for a source left out.

    The teacher then labels the training texts of `labels_sources`, `varied` sentences made of those
    of SST-2 with at least `varied_from_words` words, and `sentences` out of Amazon reviews.
    Of texts with fewer than `short_words` words only `short_share` are read: the phrases of
    SST-2 are many and say little.
    """

    epochs: int = 1
    max_tokens: int = 96
    tokens_per_batch: int = 1024
    batches_per_step: int = 3
    lr: float = 5e-5
    head_lr: float = 5e-4
    weight_decay: float = 0.01
    dropout: float = 0.1
    label_smoothing: float = 0.02
    average_decay: float = 0.9
    warmup: int = 40
    short_words: int = 5
    short_share: float = 0.3
    repeats: dict[str, float] = field(default_factory=dict)
    labels_sources: tuple[str, ...] = ("en_sst2", "en_sst5")
    varied: int = 80_000
    varied_from_words: int = 6
    sentences: int = 20_000
    seed: int = 20261125


class TeacherNetwork(nn.Module):
    """Any Hugging Face encoder with the mean of its token vectors and a linear classifier."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        config = AutoConfig.from_pretrained(folder)
        kept = {"attn_implementation": "eager", "add_pooling_layer": False}
        self.body = AutoModel.from_pretrained(folder, config=config, dtype=torch.float32, **kept)
        self.classifier = nn.Linear(config.hidden_size, len(LABELS))
        self.register_buffer(TEMPERATURE, torch.zeros(()))
        self.pad_id: int = config.pad_token_id

    def logits(self, ids: Tensor, dropout: float = 0.0) -> Tensor:
        """fp32 logits of each text, shape (rows, labels)."""
        mask = (ids != self.pad_id).long()
        states = self.body(input_ids=ids, attention_mask=mask).last_hidden_state.float()
        mean = (states * mask.unsqueeze(-1)).sum(1) / mask.sum(1, keepdim=True)
        mean = F.dropout(mean, dropout, self.training)
        return F.linear(mean, self.classifier.weight.float(), self.classifier.bias.float())


class Teacher:
    """The network with its tokenizer; labels texts."""

    def __init__(self, folder: Path, max_tokens: int, device: str) -> None:
        """Raises: BadInput when the folder holds no model with a fast tokenizer."""
        if not (folder / "config.json").is_file() or not (folder / "tokenizer.json").is_file():
            raise BadInput(
                f"No model with config.json and tokenizer.json in {folder}. Give the folder of a "
                "Hugging Face encoder with --teacher, or use a recipe without a teacher."
            )
        self.network = TeacherNetwork(folder).to(device=device, dtype=torch.bfloat16)
        self.tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        self.tokenizer.no_padding()
        self.tokenizer.enable_truncation(max_tokens)
        self._device = device

    def read(self, texts: Sequence[str]) -> list[list[int]]:
        """Token ids of each text."""
        return [encoding.ids for encoding in self.tokenizer.encode_batch(list(texts))]

    def batch(self, ids: Sequence[Sequence[int]]) -> Tensor:
        """Token ids as one tensor, shape (rows, tokens)."""
        return torch.from_numpy(pad(ids, pad_id=self.network.pad_id)).to(self._device)

    def predict(self, texts: Sequence[str]) -> np.ndarray:
        """Raw logits of each text in order, shape (texts, labels)."""
        self.network.eval()
        ids = self.read(texts)
        logits = np.empty((len(texts), len(LABELS)), dtype=np.float32)
        lengths = [len(row) for row in ids]
        with torch.inference_mode():
            for rows in iterate_batches(lengths, tokens_per_batch=4096, seed=0):
                logits[rows] = self.network.logits(self.batch([ids[i] for i in rows])).cpu().numpy()
        return logits

    def probabilities(self, texts: Sequence[str], run: Run) -> np.ndarray:
        """Calibrated probabilities of each text, shape (texts, labels) float16.

        Kept in the run's folder: a run that goes on does not make them anew.
        """
        path = run.folder / f"labels-{fingerprint(texts)}.npy"
        if not path.exists():
            temperature = float(self.network.get_buffer(TEMPERATURE).exp())
            logits = torch.from_numpy(self.predict(texts) / temperature)
            np.save(path, logits.softmax(-1).numpy().astype(np.float16))
        kept: np.ndarray = np.load(path)
        return kept


def train_teacher(
    recipe: TeacherRecipe,
    folder: Path,
    train: Sequence[Example],
    dev: Sequence[Example],
    run: Run,
    device: str = "cpu",
) -> Teacher:
    """The model of a folder, fine-tuned on labelled texts; goes on where the run stopped."""
    seed_everything(recipe.seed)
    teacher = Teacher(folder, recipe.max_tokens, device)
    network = teacher.network
    if (run.folder / FINISHED).exists():
        network.load_state_dict(load_file(run.folder / FINISHED))
        return teacher
    rows = _chosen(recipe, train)
    ids = teacher.read([row.text for row in rows])
    targets = torch.tensor([[label in row.labels for label in LABELS] for row in rows])
    plan = [
        step
        for epoch in range(recipe.epochs)
        for step in iterate_steps(
            [len(row) for row in ids],
            batches_per_step=recipe.batches_per_step,
            tokens_per_batch=recipe.tokens_per_batch,
            seed=recipe.seed + epoch,
        )
    ]
    optimiser = MasterWeightAdamW(_groups(network, recipe), average_decay=recipe.average_decay)
    schedule = Schedule(steps=len(plan), warmup=recipe.warmup)
    first = 0
    if state := run.load_checkpoint(steps=len(plan)):
        optimiser.load_state_dict(state["optimiser"])
        first = state["step"]
    run.log(stage="teacher", steps=len(plan), first=first, train=len(rows), dev=len(dev))
    began, tokens, losses = time.monotonic(), 0, []
    network.train()
    for step in range(first, len(plan)):
        torch.manual_seed(recipe.seed + step)  # dropout, the same after a stop
        count = sum(map(len, plan[step]))
        for batch in plan[step]:
            inputs = teacher.batch([ids[i] for i in batch])
            logits = network.logits(inputs, recipe.dropout)
            loss = any_of_loss(logits, targets[batch].to(device), recipe.label_smoothing)
            (loss * len(batch) / count).backward()
            losses.append(loss.item())
            tokens += inputs.numel()
        optimiser.step(schedule.factor(step))
        if (step + 1) % 25 == 0:
            speed = int(tokens / (time.monotonic() - began))
            run.log(step=step + 1, loss=round(float(np.mean(losses)), 4), tokens_per_s=speed)
            losses = []
        run.save_checkpoint(
            {"optimiser": optimiser.state_dict(), "step": step + 1} | {"steps": len(plan)}
        )
    optimiser.average_to_model()
    held_out = teacher.predict([row.text for row in dev])
    temperature = fit_temperature(held_out, dev)
    network.get_buffer(TEMPERATURE).fill_(float(np.log(temperature)))
    state_dict = {k: v.contiguous().cpu() for k, v in network.state_dict().items()}
    save_file(state_dict, run.folder / FINISHED)
    scores = held_out_scores(held_out / temperature, dev)
    run.log(stage="teacher ready", temperature=round(temperature, 3), **scores)
    return teacher


def _chosen(recipe: TeacherRecipe, train: Sequence[Example]) -> list[Example]:
    """The rows of an epoch, whole and shares of sources drawn by the seed."""
    draw = np.random.default_rng(recipe.seed).random(len(train))
    rows = []
    for row, chance in zip(train, draw, strict=True):
        label = "/".join([row.source, *sorted(row.labels)])
        share = recipe.repeats.get(label, recipe.repeats.get(row.source, 0.0))
        if row.source == "en_sst2" and len(row.text.split()) < recipe.short_words:
            share *= recipe.short_share
        rows += [row] * int(share + chance)
    return rows


def _groups(
    network: TeacherNetwork, recipe: TeacherRecipe
) -> list[tuple[list[nn.Parameter], float, float]]:
    body = list(network.body.parameters())
    return [
        (list(network.classifier.parameters()), recipe.head_lr, 0.0),
        ([p for p in body if p.ndim == 1], recipe.lr, 0.0),
        ([p for p in body if p.ndim > 1], recipe.lr, recipe.weight_decay),
    ]
