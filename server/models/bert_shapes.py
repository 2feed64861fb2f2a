"""The tensors that a BERT encoder artefact must hold."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from udfs.errors import ModelFailed

NEEDED_SETTINGS = (
    "vocab_size",
    "hidden_size",
    "num_hidden_layers",
    "num_attention_heads",
    "intermediate_size",
    "max_position_embeddings",
    "type_vocab_size",
    "layer_norm_eps",
    "labels",
    "max_tokens",
)


def check_settings(config: Mapping[str, Any]) -> None:
    """Raises: ModelFailed if config.json lacks a setting or asks for more than the weights can."""
    missing = [name for name in NEEDED_SETTINGS if name not in config]
    if missing:
        raise ModelFailed(f"config.json of the model has no {', '.join(missing)}. Train it again.")
    if config.get("hidden_act", "gelu") != "gelu" or config.get("pooling", "mean") != "mean":
        raise ModelFailed(
            f"The model has hidden_act {config.get('hidden_act')!r} and pooling "
            f"{config.get('pooling')!r}; this Shopsheet computes gelu and mean."
        )
    if not 0 <= (config.get("embedding_layer") or 0) <= config["num_hidden_layers"]:
        raise ModelFailed(
            f"embedding_layer is {config['embedding_layer']}, but the model has "
            f"{config['num_hidden_layers']} layers. Correct config.json."
        )
    if config["max_tokens"] > config["max_position_embeddings"]:
        raise ModelFailed(
            f"max_tokens is {config['max_tokens']}, but the model knows only "
            f"{config['max_position_embeddings']} positions. Correct config.json."
        )


def check_tensors(config: Mapping[str, Any], tensors: Mapping[str, np.ndarray]) -> None:
    """Raises: ModelFailed if a tensor is missing or has another shape than config.json says."""
    for name, shape in tensor_shapes(config).items():
        if name not in tensors:
            raise ModelFailed(
                f"model.safetensors has no tensor {name}, which config.json calls for. "
                "Copy the model folder again, or train it again."
            )
        if tensors[name].shape != shape:
            raise ModelFailed(
                f"Tensor {name} has shape {tensors[name].shape}; config.json says {shape}. "
                "Copy the model folder again, or train it again."
            )


def tensor_shapes(config: Mapping[str, Any]) -> dict[str, tuple[int, ...]]:
    """Name and shape of each tensor, named as in Hugging Face's BertModel."""
    hidden, inner = config["hidden_size"], config["intermediate_size"]
    shapes: dict[str, tuple[int, ...]] = {
        "embeddings.word_embeddings.weight": (config["vocab_size"], hidden),
        "embeddings.position_embeddings.weight": (config["max_position_embeddings"], hidden),
        "embeddings.token_type_embeddings.weight": (config["type_vocab_size"], hidden),
        **_norm("embeddings.LayerNorm", hidden),
        **_dense("classifier", len(config["labels"]), hidden),
    }
    if config.get("embedding_layer"):
        shapes |= _dense("embedder", config.get("embedding_size", hidden), 2 * hidden)
    if config.get("aspects"):
        shapes |= _dense("aspects.tokens", token_outputs(config["aspects"]), hidden)
    for number in range(config["num_hidden_layers"]):
        layer = f"encoder.layer.{number}"
        for part in ("query", "key", "value"):
            shapes |= _dense(f"{layer}.attention.self.{part}", hidden, hidden)
        shapes |= _dense(f"{layer}.attention.output.dense", hidden, hidden)
        shapes |= _norm(f"{layer}.attention.output.LayerNorm", hidden)
        shapes |= _dense(f"{layer}.intermediate.dense", inner, hidden)
        shapes |= _dense(f"{layer}.output.dense", hidden, inner)
        shapes |= _norm(f"{layer}.output.LayerNorm", hidden)
    return shapes


def token_outputs(aspects: Mapping[str, Any]) -> int:
    """Numbers that the aspect decoder wants of each token: six tags a style, two role vectors."""
    return 6 * len(aspects["styles"]) + 2 * int(aspects["role_size"])


def _dense(name: str, outputs: int, inputs: int) -> dict[str, tuple[int, ...]]:
    return {f"{name}.weight": (outputs, inputs), f"{name}.bias": (outputs,)}


def _norm(name: str, size: int) -> dict[str, tuple[int, ...]]:
    return {f"{name}.weight": (size,), f"{name}.bias": (size,)}
