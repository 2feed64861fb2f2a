"""Builds the encoder as an OpenVINO graph straight from its weights; needs neither torch nor ONNX.

Shapes: B texts, T tokens (padded), H hidden, N heads, D = H / N, L labels.
Source: BERT, Devlin et al. 2019; tensor names as in Hugging Face's BertModel.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import openvino as ov
from openvino import opset13 as ops

Node = Any  # OpenVINO's Python nodes carry no usable types.


class FloatLinear:
    """Matrix products in the runtime's own floating point."""

    def __call__(self, x: Node, site: str, weight: np.ndarray, bias: np.ndarray) -> Node:
        product = ops.matmul(x, _constant(weight), False, True)
        return ops.add(product, _constant(bias.astype(np.float32)))


def build_graph(
    config: Mapping[str, Any], tensors: Mapping[str, np.ndarray], linear: Any = None
) -> ov.Model:
    """A graph (token_ids (B,T) i32, lengths (B,) i32) -> (logits (B,L), embedding (B,E)) f32,
    and of a model that reads aspects what its decoder wants of each token: (B,T,K).

    The embedding is what `embedder` makes of the mean token vectors of the last and of a middle
    layer; in a model without one it is the mean of the last layer.
    `linear` makes the matrix products (site name, weight, bias): floating point when left out.
    """
    linear = linear or FloatLinear()
    token_ids = ops.parameter([-1, -1], ov.Type.i32, name="token_ids")
    lengths = ops.parameter([-1], ov.Type.i32, name="lengths")
    shape = ops.shape_of(token_ids, "i32")
    tokens = ops.gather(shape, np.int32(1), np.int32(0))  # T

    mask = _mask(lengths, tokens)  # (B,T)
    attention_bias = ops.unsqueeze(  # (B,1,1,T)
        ops.multiply(ops.subtract(mask, np.float32(1)), np.float32(1e4)),
        np.array([1, 2], dtype=np.int32),
    )
    weights = ops.unsqueeze(mask, np.int32(2))  # (B,T,1)
    count = ops.convert(ops.unsqueeze(lengths, np.int32(1)), "f32")

    def mean(values: Node) -> Node:  # (B,T,H) -> (B,H)
        return ops.divide(ops.reduce_sum(ops.multiply(values, weights), np.int32(1)), count)

    x = middle = _embeddings(config, tensors, token_ids, tokens)
    for number in range(config["num_hidden_layers"]):
        x = _layer(config, tensors, f"encoder.layer.{number}", x, attention_bias, linear)
        if number + 1 == config.get("embedding_layer"):
            middle = x
    pooled = mean(x)
    logits = _head(pooled, "classifier", tensors)
    embedding = pooled
    if config.get("embedding_layer"):
        embedding = _head(ops.concat([pooled, mean(middle)], 1), "embedder", tensors)
    outputs = {"logits": logits, "embedding": embedding}
    if config.get("aspects"):
        outputs["aspects"] = _head(x, "aspects.tokens", tensors)
    model = ov.Model(list(outputs.values()), [token_ids, lengths], "encoder")
    for output, name in zip(model.outputs, outputs, strict=True):
        output.get_tensor().set_names({name})
    return model


def _head(x: Node, name: str, tensors: Mapping[str, np.ndarray]) -> Node:
    return FloatLinear()(x, name, tensors[f"{name}.weight"], tensors[f"{name}.bias"])


def _mask(lengths: Node, tokens: Node) -> Node:
    places = ops.range(np.int32(0), tokens, np.int32(1), "i32")
    inside = ops.less(ops.unsqueeze(places, np.int32(0)), ops.unsqueeze(lengths, np.int32(1)))
    return ops.convert(inside, "f32")


def _embeddings(
    config: Mapping[str, Any], tensors: Mapping[str, np.ndarray], token_ids: Node, tokens: Node
) -> Node:
    words = ops.gather(
        _constant(tensors["embeddings.word_embeddings.weight"]), token_ids, np.int32(0)
    )
    # Token type is always 0 here, so its row joins the positions.
    places = (
        tensors["embeddings.position_embeddings.weight"].astype(np.float32)
        + tensors["embeddings.token_type_embeddings.weight"][0].astype(np.float32)
    )  # fmt: skip
    used = ops.slice(
        ops.constant(places),
        np.array([0], dtype=np.int32),
        ops.unsqueeze(tokens, np.int32(0)),
        np.array([1], dtype=np.int32),
        np.array([0], dtype=np.int32),
    )
    return _layer_norm(config, tensors, "embeddings.LayerNorm", ops.add(words, used))


def _layer(
    config: Mapping[str, Any],
    tensors: Mapping[str, np.ndarray],
    name: str,
    x: Node,
    attention_bias: Node,
    linear: Any,
) -> Node:
    hidden, heads = config["hidden_size"], config["num_attention_heads"]
    depth = hidden // heads

    def dense(value: Node, part: str) -> Node:
        weight, bias = tensors[f"{name}.{part}.weight"], tensors[f"{name}.{part}.bias"]
        return linear(value, f"{name}.{part}", weight, bias)

    def split_heads(value: Node, order: list[int]) -> Node:
        split = ops.reshape(value, np.array([0, 0, heads, depth], dtype=np.int32), True)
        return ops.transpose(split, np.array(order, dtype=np.int32))

    query = split_heads(dense(x, "attention.self.query"), [0, 2, 1, 3])  # (B,N,T,D)
    key = split_heads(dense(x, "attention.self.key"), [0, 2, 1, 3])
    value = split_heads(dense(x, "attention.self.value"), [0, 2, 1, 3])
    scores = ops.multiply(ops.matmul(query, key, False, True), np.float32(depth**-0.5))
    weights = ops.softmax(ops.add(scores, attention_bias), 3)
    mixed = ops.transpose(
        ops.matmul(weights, value, False, False), np.array([0, 2, 1, 3], dtype=np.int32)
    )
    context = ops.reshape(mixed, np.array([0, 0, hidden], dtype=np.int32), True)
    x = _layer_norm(
        config,
        tensors,
        f"{name}.attention.output.LayerNorm",
        ops.add(dense(context, "attention.output.dense"), x),
    )
    inner = ops.gelu(dense(x, "intermediate.dense"), "ERF")
    return _layer_norm(
        config, tensors, f"{name}.output.LayerNorm", ops.add(dense(inner, "output.dense"), x)
    )


def _layer_norm(
    config: Mapping[str, Any], tensors: Mapping[str, np.ndarray], name: str, x: Node
) -> Node:
    centred = ops.mvn(
        x, ops.constant(np.array([-1], dtype=np.int32)), True, config["layer_norm_eps"],
        "INSIDE_SQRT",
    )  # fmt: skip
    scaled = ops.multiply(centred, _constant(tensors[f"{name}.weight"].astype(np.float32)))
    return ops.add(scaled, _constant(tensors[f"{name}.bias"].astype(np.float32)))


def _constant(array: np.ndarray) -> Node:
    """A constant; float16 stays as it is stored and is widened where it is used."""
    constant = ops.constant(array)
    return ops.convert(constant, "f32") if array.dtype == np.float16 else constant
