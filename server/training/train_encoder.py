"""Trains the encoder from a recipe: texts, tokenizer, pretraining, fine-tuning, artefact."""

import importlib.resources
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
from server.training.aspect_network import AspectHead
from server.training.aspect_task import AspectTask
from server.training.card import encoder_card
from server.training.evaluate_aspects import fit_thresholds, token_outputs
from server.training.finetune_encoder import (
    FinetuneRecipe,
    average_networks,
    finetune,
    predict,
)
from server.training.gather import gather_lessons
from server.training.lessons import Lessons, split_examples
from server.training.losses import fit_temperature, held_out_scores
from server.training.network import (
    HEADS,
    EncoderNetwork,
    blend_with_start_model,
    load_trained_encoder,
    packaged_start_model,
)
from server.training.pretrain_encoder import PretrainRecipe, pretrain
from server.training.run import Run
from server.training.teacher import TeacherRecipe
from udfs.errors import BadInput

CALIBRATION_TEXTS = 300  # of each language
READ_AS = {"en": "en_acos", "zh": "zh_cosmetics"}  # the style in which a user's text is read


@dataclass(frozen=True)
class EncoderRecipe:
    """What `shopsheet train encoder` does, read from a TOML file."""

    pretrain: PretrainRecipe
    finetune: FinetuneRecipe
    name: str = "custom"
    teacher: TeacherRecipe | None = None
    average_share: float = 0.3  # of the other encoder of ours, where one is given
    start_share: float = 1.0  # of an encoder of ours; the rest is of what it came from
    end_share: float = 1.0  # of what was trained; the rest is of the encoder it started from

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
                teacher=TeacherRecipe(**table.pop("teacher")) if "teacher" in table else None,
                name=path.stem if path.is_file() else name,
                **table,
            )
        except (tomllib.TOMLDecodeError, TypeError) as error:
            raise BadInput(f"The recipe {name} cannot be used: {error}.") from error


def train_encoder(
    recipe: EncoderRecipe,
    data: Path,
    work: Path,
    out: Path,
    start_model: Path | None = None,
    average_with: Path | None = None,
    teacher: Path | None = None,
) -> Path:
    """The artefact folder `out`, trained on the data folder; goes on where a run in `work` stopped.

    `average_with` is another encoder of ours, of which the start takes the recipe's share;
    `teacher` the Hugging Face folder that a recipe with a teacher fine-tunes.

    Raises: BadInput when the data folder or a model that the recipe needs is not there.
    """
    if not (data / "text").is_dir():
        raise BadInput(f"No folder {data / 'text'}. Give the data folder with --data.")
    start = start_model or packaged_start_model()
    device = "cuda" if torch.cuda.is_available() else "cpu"
    texts = corpora.load_training_texts(data)
    tokenizer, network = pretrain(recipe.pretrain, texts, start, Run(work / "pretrain"), device)
    if average_with:
        other = load_trained_encoder(average_with, len(corpora.LABELS))
        network = keep_of_start(network, other, 1 - recipe.average_share)
    if recipe.start_share < 1:
        packaged = packaged_start_model()
        network = blend_with_start_model(network, packaged, tokenizer, recipe.start_share)
    before = deepcopy(network)
    lessons = gather_lessons(
        recipe.finetune,
        recipe.teacher,
        data,
        texts,
        (start, before, tokenizer),
        teacher,
        work,
        device,
    )
    if lessons.aspects:
        network.aspects = AspectHead(network.body.config.hidden_size, lessons.aspects.names)
        if is_artefact(start) and take_over_aspects(network.aspects, start):
            before.aspects = deepcopy(network.aspects)
    network = finetune_runs(recipe.finetune, lessons, tokenizer, network, work, device)
    if recipe.end_share < 1:
        network = keep_of_start(network, before, recipe.end_share, ("body.", *HEADS))
    train, dev = split_examples(lessons.examples, recipe.finetune.dev_share)
    logits = predict(network, tokenizer, dev, recipe.finetune)
    temperature = fit_temperature(logits, dev)
    scores = held_out_scores(logits / temperature, dev)
    Run(work / "finetune").log(stage="calibrated", temperature=round(temperature, 4), **scores)
    card: dict[str, Any] = {
        "recipe_name": recipe.name,
        "recipe": asdict(recipe),
        "training_texts": {name: len(part) for name, part in texts.items()},
        "training_examples": dict(Counter(row.source for row in train)),
        "examples_fingerprint": corpora.fingerprint(row.text for row in lessons.examples),
        "held_out": scores,
    }
    if is_artefact(start):
        earlier = load_artefact(start)
        card["started_from"] = {
            "version": earlier.version,
            "recipe": earlier.card.get("recipe"),
            "share": recipe.start_share,
        }
        if average_with:
            other_version = load_artefact(average_with).version
            card["started_from"]["averaged"] = {
                "version": other_version,
                "share": recipe.average_share,
            }
    card["text"] = encoder_card(card)
    thresholds = (
        held_out_thresholds(network, tokenizer, lessons.aspects) if lessons.aspects else None
    )
    save_network(out, network, tokenizer, recipe.finetune, temperature, card, thresholds)
    calibrate_artefact(out, calibration_texts(lessons.examples))
    return out


def finetune_runs(
    recipe: FinetuneRecipe,
    lessons: Lessons,
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
        own_recipe = replace(recipe, seed=seed)
        return finetune(own_recipe, lessons, tokenizer, own, Run(folder), device)

    if recipe.runs > 1 and device == "cpu":
        threads = max(1, torch.get_num_threads() // recipe.runs)
        context = multiprocessing.get_context("spawn")
        with ProcessPoolExecutor(recipe.runs, context, torch.set_num_threads, (threads,)) as pool:
            jobs = [
                pool.submit(
                    _save_finetuned,
                    replace(recipe, seed=seed),
                    lessons,
                    tokenizer,
                    network,
                    folder,
                )
                for seed, folder in zip(seeds, folders, strict=True)
            ]
            for job in jobs:
                job.result()
    return average_networks([tune(*pair) for pair in zip(seeds, folders, strict=True)])


def take_over_aspects(head: AspectHead, start: Path) -> bool:
    """Whether an encoder of ours tells the same aspects; then the head gets its weights."""
    artefact = load_artefact(start)
    kept = {
        name.removeprefix("aspects."): tensor
        for name, tensor in artefact.tensors().items()
        if name.startswith("aspects.")
    }
    return bool(kept) and head.take_over(kept, artefact.config["aspects"])


def keep_of_start(
    network: EncoderNetwork,
    before: EncoderNetwork,
    share: float,
    parts: tuple[str, ...] = ("body.", "classifier."),
) -> EncoderNetwork:
    """`network` with `share` of its own weights in these parts, and the rest of those of `before`.

    Source: weight-space ensembling, Wortsman et al. 2022, "Robust fine-tuning of zero-shot models".
    """
    earlier = dict(before.named_parameters())
    with torch.no_grad():
        for name, parameter in network.named_parameters():
            if name.startswith(parts) and name in earlier:
                parameter.copy_(torch.lerp(earlier[name], parameter, share))
    return network


def _save_finetuned(
    recipe: FinetuneRecipe,
    lessons: Lessons,
    tokenizer: Tokenizer,
    network: EncoderNetwork,
    folder: Path,
) -> None:
    """Leaves the weights of a run in its folder, where `finetune` finds them."""
    finetune(recipe, lessons, tokenizer, network, Run(folder))


def held_out_thresholds(
    network: EncoderNetwork, tokenizer: Tokenizer, aspects: AspectTask
) -> dict[str, list[float]]:
    """By style, the thresholds that suit the held-out texts with aspects."""
    assert network.aspects is not None
    rows = aspects.held_out
    made = token_outputs(network, network.aspects, tokenizer, [row.text for row in rows])
    return fit_thresholds(made, rows, *network.aspects.export())


def calibration_texts(examples: Sequence[corpora.Example]) -> list[str]:
    """Some labelled texts of each language, evenly drawn over the sources."""
    chosen = []
    unlike = {corpora.SELF_LABELLED, *corpora.UNLABELLED}  # terms are no reviews
    for language in ("en", "zh"):
        rows = [r for r in examples if r.source.startswith(language) and r.source not in unlike]
        chosen += [row.text for row in rows[:: max(1, len(rows) // CALIBRATION_TEXTS)]]
    return chosen


def save_network(
    out: Path,
    network: EncoderNetwork,
    tokenizer: Tokenizer,
    recipe: FinetuneRecipe,
    temperature: float,
    card: dict[str, Any],
    thresholds: dict[str, list[float]] | None = None,
) -> Path:
    """Writes the artefact: body and heads in fp16, how to read texts, the card."""
    state = {**network.body.state_dict(), **_prefixed("classifier.", network.classifier)}
    if recipe.meaning_weight:
        state |= _prefixed("embedder.", network.embedder)
    aspect_config = None
    if network.aspects is not None:
        aspect_tensors, aspect_config = network.aspects.export()
        aspect_config |= {"read_as": READ_AS}
        if thresholds:
            aspect_config["thresholds"] = thresholds
        state |= {f"aspects.{name}": torch.from_numpy(t) for name, t in aspect_tensors.items()}
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
        "aspects": aspect_config,
        "embedding_layer": network.middle if recipe.meaning_weight else None,
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
