"""Fine-tunes the encoder for polarity and meaning at once, and calibrates its probabilities."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer

from server.models.tokens import TextReader
from server.training.batches import iterate_batches, iterate_steps, pad
from server.training.corpora import LABELS, Example
from server.training.lessons import Lessons, split_examples
from server.training.losses import held_out_scores, taught_loss
from server.training.meaning import Meanings
from server.training.network import HEADS, EncoderNetwork
from server.training.optimiser import MasterWeightAdamW, Schedule
from server.training.run import Run, seed_everything
from server.training.vocabulary import special_ids, without_words

FINETUNED = "finetuned.safetensors"


@dataclass(frozen=True)
class FinetuneRecipe:
    """`repeats` says how often an epoch reads a source, or a label of it ("source/label").

    Of several `runs`, with other orders and masks, the weights are averaged. With `self_label`,
    unlabelled reviews are learnt with the probabilities of the start model and of a linear one.
    `meaning_weight` is the weight of one text's distance from its target vector beside that of its
    label, `aspect_weight` that of the loss on a text with aspects; 0 learns neither. Of a text
    that a teacher labelled, its probabilities have `taught_share` of the weight.
    """

    epochs: int = 3
    max_tokens: int = 256
    head_tokens: int = 96
    runs: int = 1
    batches_per_step: int = 4
    tokens_per_batch: int = 2048
    self_label: bool = False
    meaning_weight: float = 0.0
    aspect_weight: float = 0.0
    taught_share: float = 0.7
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
    score_every: int = 1000
    repeats: dict[str, float] = field(default_factory=dict)
    aspect_repeats: dict[str, float] = field(default_factory=dict)
    seed: int = 20261123


def finetune(
    recipe: FinetuneRecipe,
    lessons: Lessons,
    tokenizer: Tokenizer,
    network: EncoderNetwork,
    run: Run,
    device: str = "cpu",
) -> EncoderNetwork:
    """The fine-tuned network (moving average, fp32).

    Continues from the run's checkpoint if there is one, and reads the weights of a finished run.
    """
    done = run.folder / FINETUNED
    if done.exists():
        network.load_state_dict(load_file(done))
        return network
    seed_everything(recipe.seed)
    train, dev = split_examples(lessons.examples, recipe.dev_share)
    meanings, aspects, taught = lessons.meanings, lessons.aspects, lessons.taught
    views = _read_views(tokenizer, [row.text for row in train], recipe)
    targets = np.array([[label in row.labels for label in LABELS] for row in train])
    vectors = meanings.of([row.text for row in train]) if meanings else None
    teachings = taught.of([row.text for row in train]) if taught else None
    repeats = np.array([_repeats(recipe.repeats, row) for row in train])
    plan = _plan(recipe, views, repeats)
    has_label = np.asarray(targets.any(-1))
    has_teacher = teachings.known if teachings else np.zeros(len(train), dtype=bool)
    taught_share = np.where(has_label, recipe.taught_share * has_teacher, 1.0).astype(np.float32)
    has_label |= has_teacher
    labels_per_step = _mean_per_step(plan, has_label)
    has_vector = vectors.known if vectors else np.zeros(len(train), dtype=bool)
    vectors_per_step = _mean_per_step(plan, has_vector)
    aspect_plan: list[list[np.ndarray]] = [[] for _ in plan]
    if aspects:
        aspect_plan = aspects.plan(recipe.aspect_repeats, len(plan), recipe.epochs, recipe.seed)
    aspects_per_step = sum(len(rows) for step in aspect_plan for rows in step) / len(plan)
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
    began, tokens, losses, norms, aspect_losses = time.monotonic(), 0, [], [], [0.0]
    for step in range(first, len(plan)):
        batches = plan[step]
        rng = np.random.default_rng((recipe.seed, step))
        torch.manual_seed(recipe.seed + step)  # dropout, the same after a stop
        loss_of_step = 0.0
        for rows, seen_as in batches:
            ids = pad([views[int(view)][i] for view, i in zip(seen_as, rows, strict=True)])
            mask = torch.from_numpy((ids != 0).astype(np.int64)).to(device)
            words = ~np.isin(ids, list(special.values()))
            hidden_words = words & (rng.random(ids.shape) < recipe.masked_share)
            inputs = torch.from_numpy(np.where(hidden_words, special["[MASK]"], ids)).to(device)
            _, last, middle = network.read(inputs, mask)
            loss = last.new_zeros(())
            if labelled := np.flatnonzero(has_label[rows]).tolist():
                logits = network.classify(last[labelled], recipe.dropout)
                right = torch.from_numpy(targets[rows][labelled]).to(device)
                said = np.zeros(right.shape, dtype=np.float32)
                if teachings:
                    known = has_teacher[rows][labelled]
                    said[known] = teachings.rows(rows[labelled][known])
                loss_of_labels = taught_loss(
                    logits,
                    right,
                    torch.from_numpy(said).to(device),
                    torch.from_numpy(taught_share[rows][labelled]).to(device),
                    recipe.label_smoothing,
                )
                loss = loss + len(labelled) / labels_per_step * loss_of_labels
            if vectors and (near_to := np.flatnonzero(has_vector[rows]).tolist()):
                wanted = torch.from_numpy(vectors.rows(rows[near_to])).to(device)
                near = (network.embed(last[near_to], middle[near_to]) * wanted).sum(-1)
                distance = (1 - near).sum() / vectors_per_step
                loss = loss + recipe.meaning_weight * distance
            loss.backward()
            loss_of_step += loss.item()
            tokens += ids.size
        for rows in aspect_plan[step]:
            assert aspects is not None
            weight = recipe.aspect_weight * len(rows) / aspects_per_step
            loss = weight * aspects.loss(network, rows, rng)
            loss.backward()
            aspect_losses.append(loss.item())
        norms.append(optimiser.step(schedule.factor(step)))
        losses.append(loss_of_step)
        if (step + 1) % 50 == 0:
            run.log(
                step=step + 1,
                loss=round(float(np.mean(losses)), 4),
                aspect_loss=round(float(np.mean(aspect_losses)), 4),
                gradient_norm=round(float(np.mean(norms)), 2),
                tokens_per_s=int(tokens / (time.monotonic() - began)),
            )
            losses, norms, aspect_losses = [], [], [0.0]
        if (step + 1) % recipe.score_every == 0 and step + 1 < len(plan):
            optimiser.average_to_model()
            run.log(step=step + 1, **_held_out(network, tokenizer, dev, recipe, meanings))
            optimiser.masters_to_model()
            network.train()
        run.save_checkpoint(
            {"optimiser": optimiser.state_dict(), "step": step + 1, "steps": len(plan)}
        )
    network.float()
    optimiser.average_to_model()
    save_file({k: v.contiguous().cpu() for k, v in network.state_dict().items()}, done)
    run.log(stage="finetuned", **_held_out(network, tokenizer, dev, recipe, meanings))
    return network


def _mean_per_step(plan: list[list[tuple[np.ndarray, np.ndarray]]], counted: np.ndarray) -> float:
    """How many of the rows that are True in `counted` a step reads, on average."""
    total = sum(int(counted[rows].sum()) for step in plan for rows, _ in step)
    return max(1.0, total / len(plan))


def _held_out(
    network: EncoderNetwork,
    tokenizer: Tokenizer,
    dev: Sequence[Example],
    recipe: FinetuneRecipe,
    meanings: Meanings | None,
) -> dict[str, float]:
    logits, embeddings = read_network(network, tokenizer, dev, recipe)
    scores = held_out_scores(logits, dev)
    if meanings:
        wanted = meanings.of([row.text for row in dev])
        for language in ("en", "zh"):
            rows = np.array([row.source.startswith(language) for row in dev]) & wanted.known
            near = (embeddings[rows] * wanted.rows(np.flatnonzero(rows))).sum(-1)
            scores[f"{language}_meaning"] = round(float(near.mean()), 4)
    return scores


def average_networks(networks: Sequence[EncoderNetwork]) -> EncoderNetwork:
    """The first network with the mean of all their weights, in fp32.

    Source: model soups, Wortsman et al. 2022, equation 1 (uniform soup).
    """
    states = [network.state_dict() for network in networks]
    mean = {name: torch.stack([s[name].float() for s in states]).mean(0) for name in states[0]}
    networks[0].load_state_dict(mean)
    return networks[0]


def predict(
    network: EncoderNetwork, tokenizer: Tokenizer, rows: Sequence[Example], recipe: FinetuneRecipe
) -> np.ndarray:
    """Logits of each text in order, shape (rows, labels)."""
    return read_network(network, tokenizer, rows, recipe)[0]


@torch.inference_mode()
def read_network(
    network: EncoderNetwork, tokenizer: Tokenizer, rows: Sequence[Example], recipe: FinetuneRecipe
) -> tuple[np.ndarray, np.ndarray]:
    """Logits (rows, labels) and embeddings (rows, hidden) of each text in order."""
    network.eval()
    device = network.classifier.weight.device
    ids = _reader(tokenizer, recipe).read([row.text for row in rows])
    logits = np.empty((len(rows), len(LABELS)), dtype=np.float32)
    embeddings = np.empty((len(rows), network.embedder.out_features), dtype=np.float32)
    lengths = [len(row) for row in ids]
    for batch in iterate_batches(lengths, tokens_per_batch=8192, seed=0):
        inputs = torch.from_numpy(pad([ids[i] for i in batch])).to(device)
        _, last, middle = network.read(inputs, (inputs != 0).long())
        logits[batch] = network.classify(last).cpu().numpy()
        embeddings[batch] = network.embed(last, middle).cpu().numpy()
    return logits, embeddings


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
        for step in iterate_steps(
            lengths,
            batches_per_step=recipe.batches_per_step,
            tokens_per_batch=recipe.tokens_per_batch,
            seed=recipe.seed + epoch,
        ):
            plan.append([(order[batch], seen_as[batch]) for batch in step])
    return plan


def _groups(network: EncoderNetwork, recipe: FinetuneRecipe) -> list[tuple[list, float, float]]:
    named = [(n, p) for n, p in network.named_parameters() if not n.startswith("mlm_")]
    head = [p for n, p in named if n.startswith(HEADS)]
    body = [(n, p) for n, p in named if not n.startswith(HEADS)]
    embeddings = [p for n, p in body if "word_embeddings" in n]
    plain = [p for _, p in body if p.ndim == 1]
    matrices = [p for n, p in body if p.ndim == 2 and "word_embeddings" not in n]
    return [
        (head, recipe.head_lr, 0.0),
        (embeddings, recipe.embedding_lr, 0.0),
        (plain, recipe.lr, 0.0),
        (matrices, recipe.lr, recipe.weight_decay),
    ]
