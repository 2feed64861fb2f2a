"""Fine-tunes the pretrained encoder for polarity and calibrates its probabilities."""

import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
import torch.nn.functional as F
from tokenizers import Tokenizer
from torch import Tensor

from server.models.tokens import TextReader
from server.training.batches import iterate_batches, iterate_mixed_steps, pad
from server.training.corpora import LABELS, Example, fingerprint
from server.training.metrics import binary_probability, expected_calibration_error
from server.training.network import EncoderNetwork
from server.training.optimiser import MasterWeightAdamW, Schedule
from server.training.run import Run, seed_everything
from server.training.vocabulary import special_ids, without_words


@dataclass(frozen=True)
class FinetuneRecipe:
    """`repeats` says how often an epoch reads a source, or a label of it ("source/label")."""

    epochs: int = 3
    max_tokens: int = 256
    head_tokens: int = 96
    texts_per_step: int = 96
    tokens_per_batch: int = 2048
    lr: float = 1e-4
    embedding_lr: float = 3e-4
    head_lr: float = 1e-3
    weight_decay: float = 0.01
    dropout: float = 0.1
    body_dropout: float = 0.1
    masked_share: float = 0.08
    character_view_share: float = 0.1
    label_smoothing: float = 0.02
    average_decay: float = 0.98
    warmup: int = 150
    dev_share: float = 0.04
    repeats: dict[str, float] = field(default_factory=dict)
    seed: int = 20261123


def finetune(
    recipe: FinetuneRecipe,
    examples: Sequence[Example],
    tokenizer: Tokenizer,
    network: EncoderNetwork,
    run: Run,
    device: str = "cpu",
) -> tuple[EncoderNetwork, float, dict[str, float]]:
    """The fine-tuned network (moving average, fp32), its temperature and its held-out scores.

    Continues from the run's checkpoint if there is one. The held-out part is drawn per source by a
    hash of the text, so that it stays the same when examples are added.
    """
    seed_everything(recipe.seed)
    train, dev = split_examples(examples, recipe.dev_share)
    views = _read_views(tokenizer, [row.text for row in train], recipe)
    targets = np.array([[label in row.labels for label in LABELS] for row in train])
    repeats = np.array([_repeats(recipe.repeats, row) for row in train])
    plan = _plan(recipe, views, repeats)
    network.to(device=device, dtype=torch.bfloat16).train()
    network.set_body_dropout(recipe.body_dropout)
    optimiser = MasterWeightAdamW(_groups(network, recipe), average_decay=recipe.average_decay)
    schedule = Schedule(steps=len(plan), warmup=recipe.warmup)
    first = 0
    if state := run.load_checkpoint(steps=len(plan)):
        optimiser.load_state_dict(state["optimiser"])
        first = state["step"]
    run.log(stage="finetune", steps=len(plan), first=first, train=len(train), dev=len(dev))
    special = special_ids(tokenizer)
    began, tokens, losses = time.monotonic(), 0, []
    for step in range(first, len(plan)):
        batches = plan[step]
        texts = sum(len(rows) for rows, _ in batches)
        rng = np.random.default_rng((recipe.seed, step))
        torch.manual_seed(recipe.seed + step)  # dropout, the same after a stop
        loss_of_step = 0.0
        for rows, seen_as in batches:
            ids = pad([views[int(view)][i] for view, i in zip(seen_as, rows, strict=True)])
            mask = torch.from_numpy((ids != 0).astype(np.int64)).to(device)
            words = ~np.isin(ids, list(special.values()))
            hidden_words = words & (rng.random(ids.shape) < recipe.masked_share)
            inputs = torch.from_numpy(np.where(hidden_words, special["[MASK]"], ids)).to(device)
            logits = network.sentence_logits(inputs, mask, dropout=recipe.dropout)
            right = torch.from_numpy(targets[rows]).to(device)
            loss = any_of_loss(logits, right, recipe.label_smoothing) * (len(rows) / texts)
            loss.backward()
            loss_of_step += loss.item()
            tokens += ids.size
        optimiser.step(schedule.factor(step))
        losses.append(loss_of_step)
        if (step + 1) % 50 == 0:
            rate = int(tokens / (time.monotonic() - began))
            run.log(step=step + 1, loss=round(float(np.mean(losses)), 4), tokens_per_s=rate)
            losses = []
        if (step + 1) % 1000 == 0 and step + 1 < len(plan):
            optimiser.average_to_model()
            run.log(step=step + 1, **_scores(predict(network, tokenizer, dev, recipe), dev))
            optimiser.masters_to_model()
            network.train()
        run.save_checkpoint(
            {"optimiser": optimiser.state_dict(), "step": step + 1, "steps": len(plan)}
        )
    run.save_checkpoint(
        {"optimiser": optimiser.state_dict(), "step": len(plan), "steps": len(plan)}, force=True
    )
    network.float()
    optimiser.average_to_model()
    logits_of_dev = predict(network, tokenizer, dev, recipe)
    temperature = fit_temperature(logits_of_dev, dev)
    scores = _scores(logits_of_dev / temperature, dev)
    run.log(stage="finetuned", temperature=round(temperature, 4), **scores)
    return network, temperature, scores


def split_examples(
    examples: Sequence[Example], dev_share: float
) -> tuple[list[Example], list[Example]]:
    """(train, dev): by a hash of each text, so that the split outlives additions."""
    held_out = [
        int(fingerprint([row.text]), 16) / 16**16 < dev_share and row.source != "zh_eprstmt"
        for row in examples
    ]
    train = [row for row, out in zip(examples, held_out, strict=True) if not out]
    return train, [row for row, out in zip(examples, held_out, strict=True) if out]


def any_of_loss(logits: Tensor, right: Tensor, smoothing: float) -> Tensor:
    """Mean of -log(sum of the probabilities of the right labels), smoothed towards uniform.

    logits (rows, labels); right (rows, labels) bool with at least one True a row.
    """
    log_probabilities = F.log_softmax(logits, dim=-1)
    marginal = torch.logsumexp(log_probabilities.masked_fill(~right, -torch.inf), dim=-1)
    return -((1 - smoothing) * marginal + smoothing * log_probabilities.mean(-1)).mean()


@torch.inference_mode()
def predict(
    network: EncoderNetwork, tokenizer: Tokenizer, rows: Sequence[Example], recipe: FinetuneRecipe
) -> np.ndarray:
    """Logits of each text in order, shape (rows, labels)."""
    network.eval()
    device = network.classifier.weight.device
    ids = _reader(tokenizer, recipe).read([row.text for row in rows])
    logits = np.empty((len(rows), len(LABELS)), dtype=np.float32)
    lengths = [len(row) for row in ids]
    for batch in iterate_batches(lengths, tokens_per_batch=8192, seed=0):
        inputs = torch.from_numpy(pad([ids[i] for i in batch])).to(device)
        logits[batch] = network.sentence_logits(inputs, (inputs != 0).long()).cpu().numpy()
    return logits


def fit_temperature(logits: np.ndarray, rows: Sequence[Example]) -> float:
    """The temperature with the least held-out loss, each source counting the same.

    Source: temperature scaling, Guo et al. 2017, section 4.2.
    """
    right = torch.from_numpy(np.array([[label in row.labels for label in LABELS] for row in rows]))
    counts = Counter(row.source for row in rows)
    weights = torch.tensor([1 / counts[row.source] for row in rows])
    grid = np.geomspace(0.3, 3.0, 116)
    losses = []
    for temperature in grid:
        log_probabilities = F.log_softmax(torch.from_numpy(logits) / temperature, dim=-1)
        marginal = torch.logsumexp(log_probabilities.masked_fill(~right, -torch.inf), -1)
        losses.append(-(weights * marginal).sum().item())
    return float(grid[int(np.argmin(losses))])


def _scores(logits: np.ndarray, rows: Sequence[Example]) -> dict[str, float]:
    """Accuracy by source, and accuracy and calibration on the texts with a clear pole."""
    probabilities = torch.from_numpy(logits).softmax(-1).numpy()
    best = probabilities.argmax(-1)
    scores: dict[str, float] = {}
    for source in sorted({row.source for row in rows}):
        hits = [
            LABELS[b] in row.labels
            for b, row in zip(best, rows, strict=True)
            if row.source == source
        ]
        scores[source] = round(float(np.mean(hits)), 4)
    for language in ("en", "zh"):
        polar = [
            i
            for i, row in enumerate(rows)
            if row.source.startswith(language) and row.labels in ({"positive"}, {"negative"})
        ]
        positive = binary_probability(probabilities[polar])
        truth = np.array(["positive" in rows[i].labels for i in polar])
        scores[f"{language}_polarity"] = round(float(np.mean((positive >= 0.5) == truth)), 4)
        scores[f"{language}_ece"] = round(expected_calibration_error(positive, truth), 4)
    return scores


def _reader(tokenizer: Tokenizer, recipe: FinetuneRecipe) -> TextReader:
    return TextReader(tokenizer.to_str(), recipe.max_tokens, "head_tail", recipe.head_tokens)


def _read_views(
    tokenizer: Tokenizer, texts: list[str], recipe: FinetuneRecipe
) -> list[list[list[int]]]:
    return [_reader(view, recipe).read(texts) for view in (tokenizer, without_words(tokenizer))]


def _repeats(repeats: dict[str, float], row: Example) -> float:
    label = "/".join([row.source, *sorted(row.labels)])
    return repeats.get(label, repeats.get(row.source, 1.0))


def _plan(
    recipe: FinetuneRecipe, views: list[list[list[int]]], repeats: np.ndarray
) -> list[list[tuple[np.ndarray, np.ndarray]]]:
    """The batches of every step: the rows to read, and whether character by character."""
    plan = []
    for epoch in range(recipe.epochs):
        draw = np.random.default_rng((recipe.seed, epoch))
        times = np.floor(repeats + draw.random(len(repeats))).astype(int)
        order = np.repeat(np.arange(len(repeats)), times)
        seen_as = draw.random(len(order)) < recipe.character_view_share
        lengths = [len(views[int(v)][i]) for v, i in zip(seen_as, order, strict=True)]
        for step in iterate_mixed_steps(
            lengths,
            texts_per_step=recipe.texts_per_step,
            tokens_per_batch=recipe.tokens_per_batch,
            seed=recipe.seed + epoch,
        ):
            plan.append([(order[batch], seen_as[batch]) for batch in step])
    return plan


def _groups(network: EncoderNetwork, recipe: FinetuneRecipe) -> list[tuple[list, float, float]]:
    named = [(n, p) for n, p in network.named_parameters() if not n.startswith("mlm_")]
    head = [p for n, p in named if n.startswith("classifier.")]
    body = [(n, p) for n, p in named if not n.startswith("classifier.")]
    embeddings = [p for n, p in body if "word_embeddings" in n]
    plain = [p for _, p in body if p.ndim == 1]
    matrices = [p for n, p in body if p.ndim == 2 and "word_embeddings" not in n]
    return [
        (head, recipe.head_lr, 0.0),
        (embeddings, recipe.embedding_lr, 0.0),
        (plain, recipe.lr, 0.0),
        (matrices, recipe.lr, recipe.weight_decay),
    ]
