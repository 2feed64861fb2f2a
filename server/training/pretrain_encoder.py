"""Continues masked-language training of the start model on texts of both languages."""

import time
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer

from server.artefacts import is_artefact, load_artefact
from server.training.batches import iterate_batches, pad
from server.training.corpora import LABELS
from server.training.network import EncoderNetwork, load_start_model, load_trained_encoder
from server.training.optimiser import MasterWeightAdamW, Schedule
from server.training.run import Run, seed_everything
from server.training.vocabulary import build_tokenizer, special_ids, without_words

PRETRAINED = "pretrained.safetensors"
TOKENIZER = "tokenizer.json"
STEADY = 128  # hidden tokens come in multiples: matmul kernels are built once a shape


@dataclass(frozen=True)
class PretrainRecipe:
    """`epochs`: how often the texts of a language are read; 0.3 reads three tenths of them once."""

    characters: int = 3600
    words: int = 8000
    epochs: dict[str, float] = field(default_factory=lambda: {"zh": 3, "en": 0.5})
    max_tokens: int = 128
    tokens_per_batch: int = 6144
    mask_share: float = 0.2
    character_view_share: float = 0.15
    body_lr: float = 2e-4
    embedding_lr: float = 8e-4
    weight_decay: float = 0.01
    warmup: int = 200
    seed: int = 20261123


def pretrain(
    recipe: PretrainRecipe,
    texts: dict[str, list[str]],
    start_model: Path,
    run: Run,
    device: str = "cpu",
) -> tuple[Tokenizer, EncoderNetwork]:
    """The tokenizer and the trained network; continues from the run's checkpoint if there is one.

    `start_model` is a Hugging Face BERT folder, whose vocabulary is extended, or an encoder
    artefact, whose tokenizer stays.

    Each text is read with its words as tokens, or, with `character_view_share`, character by
    character, so that a word outside the list is no stranger.
    """
    tokenizer = _tokenizer(recipe, texts, start_model, run)
    done = run.folder / PRETRAINED
    seed_everything(recipe.seed)
    if is_artefact(start_model):
        network = load_trained_encoder(start_model, len(LABELS))
    else:
        network = load_start_model(start_model, tokenizer, len(LABELS), recipe.seed)
    if not any(recipe.epochs.values()):
        return tokenizer, network
    if done.exists():
        network.load_state_dict(load_file(done))
        return tokenizer, network
    network.to(device=device, dtype=torch.bfloat16).train()
    views = tokenise_views(
        tokenizer, [t for part in texts.values() for t in part], recipe.max_tokens
    )
    draw = np.random.default_rng(recipe.seed)
    rounds = [recipe.epochs[name.split("_")[0]] for name, part in texts.items() for _ in part]
    order = np.repeat(
        np.arange(len(rounds)), np.floor(rounds + draw.random(len(rounds))).astype(int)
    )
    seen_as = draw.random(len(order)) < recipe.character_view_share
    rows = [views[int(view)][i] for view, i in zip(seen_as, order, strict=True)]
    lengths = np.array([len(row) for row in rows])
    plan = list(
        iterate_batches(lengths, tokens_per_batch=recipe.tokens_per_batch, seed=recipe.seed)
    )
    optimiser = MasterWeightAdamW(_groups(network, recipe))
    schedule = Schedule(steps=len(plan), warmup=recipe.warmup)
    special = special_ids(tokenizer)
    first = 0
    if state := run.load_checkpoint(steps=len(plan)):
        optimiser.load_state_dict(state["optimiser"])
        first = state["step"]
    run.log(stage="pretrain", steps=len(plan), first=first, tokens=int(lengths.sum()))
    began, tokens, losses = time.monotonic(), 0, []
    for step in range(first, len(plan)):
        rng = np.random.default_rng((recipe.seed, step))
        ids = pad([rows[i] for i in plan[step]])
        masked, positions = mask_tokens(ids, recipe.mask_share, special, len(network.mlm_bias), rng)
        inputs = torch.from_numpy(masked).to(device)
        chosen = torch.from_numpy(positions).to(device)
        hidden = network.hidden(inputs, (inputs != 0).long())[chosen]
        targets = torch.from_numpy(ids).to(device)[chosen]
        loss = F.cross_entropy(network.mlm_logits(hidden).float(), targets)
        loss.backward()
        optimiser.step(schedule.factor(step))
        losses.append(loss.item())
        tokens += ids.size
        if (step + 1) % 50 == 0:
            rate = tokens / (time.monotonic() - began)
            run.log(step=step + 1, loss=round(float(np.mean(losses)), 4), tokens_per_s=int(rate))
            losses = []
        run.save_checkpoint(
            {"optimiser": optimiser.state_dict(), "step": step + 1, "steps": len(plan)}
        )
    network.float()
    optimiser.masters_to_model()
    save_file({k: v.contiguous().cpu() for k, v in network.state_dict().items()}, done)
    return tokenizer, network


def mask_tokens(
    ids: np.ndarray,
    share: float,
    special: dict[str, int],
    vocab_size: int,
    rng: np.random.Generator,
) -> tuple[np.ndarray, np.ndarray]:
    """The ids with `share` of the ordinary tokens hidden, and where (both of the ids' shape).

    Of the hidden ones 80 % become [MASK], 10 % a random token, 10 % stay. At least one is hidden.
    Above STEADY their number is a multiple of it.
    Source: Devlin et al. 2019, section 3.1.
    """
    mask_id = special["[MASK]"]
    ordinary = ~np.isin(ids, list(special.values()))
    chosen = ordinary & (rng.random(ids.shape) < share)
    if not chosen.any():
        chosen[tuple(np.argwhere(ordinary if ordinary.any() else ids > 0)[0])] = True
    places = np.flatnonzero(chosen)
    surplus = len(places) % STEADY if len(places) > STEADY else 0
    chosen.flat[rng.choice(places, surplus, replace=False)] = False
    fate = rng.random(ids.shape)
    masked = np.where(chosen & (fate < 0.8), mask_id, ids)
    random_ids = rng.integers(mask_id + 1, vocab_size, ids.shape)
    return np.where(chosen & (fate >= 0.9), random_ids, masked), chosen


def tokenise_views(
    tokenizer: Tokenizer, texts: list[str], max_tokens: int
) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Token ids of each text: with words as tokens, and character by character."""
    views = []
    for view in (tokenizer, without_words(tokenizer)):
        view = Tokenizer.from_str(view.to_str())
        view.enable_truncation(max_tokens)
        rows: list[np.ndarray] = []
        for start in range(0, len(texts), 10_000):
            found = view.encode_batch_fast(texts[start : start + 10_000])
            rows.extend(np.array(e.ids, dtype=np.int32) for e in found)
        views.append(rows)
    return views[0], views[1]


def _tokenizer(
    recipe: PretrainRecipe, texts: dict[str, list[str]], start_model: Path, run: Run
) -> Tokenizer:
    path = run.folder / TOKENIZER
    if is_artefact(start_model) and not path.exists():
        path.write_text(load_artefact(start_model).tokenizer_json, "utf-8")
    if not path.exists():
        # Search queries are lists of nouns; they would fill the word list with product types.
        prose = (t for name, part in texts.items() if name != "zh_queries" for t in part)
        built = build_tokenizer(
            start_model / "vocab.txt", prose, characters=recipe.characters, words=recipe.words
        )
        built.save(str(path))
    return Tokenizer.from_file(str(path))


def _groups(network: EncoderNetwork, recipe: PretrainRecipe) -> list[tuple[list, float, float]]:
    skip = ("classifier.",)
    named = [(n, p) for n, p in network.named_parameters() if not n.startswith(skip)]
    embeddings = [p for n, p in named if "word_embeddings" in n or n == "mlm_bias"]
    plain = [p for n, p in named if p.ndim == 1 and n != "mlm_bias"]
    matrices = [p for n, p in named if p.ndim == 2 and "word_embeddings" not in n]
    return [
        (embeddings, recipe.embedding_lr, 0.0),
        (plain, recipe.body_lr, 0.0),
        (matrices, recipe.body_lr, recipe.weight_decay),
    ]
