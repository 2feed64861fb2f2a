"""Runs the encoder with torch: the reference for the fast runtime, and the way to a GPU."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, cast

import numpy as np

from server.models.tokens import Batch


class TorchBackend:
    """transformers' BertModel in float32, mean pooled, with the artefact's classifier."""

    name = "torch"
    precision = "torch"

    def __init__(
        self,
        config: Mapping[str, Any],
        tensors: Mapping[str, np.ndarray],
        threads: int | None = None,
        device: str | None = None,
    ) -> None:
        import torch
        from transformers import BertConfig, BertModel

        if threads is not None:
            torch.set_num_threads(threads)
        self._torch = torch
        self._device = device or ("cuda" if torch.cuda.is_available() else "cpu")
        wanted = {key: value for key, value in config.items() if key in BERT_SETTINGS}
        self._model = cast(Any, BertModel(BertConfig(**wanted), add_pooling_layer=False))
        state = {
            name: torch.from_numpy(array.astype(np.float32))
            for name, array in tensors.items()
            if not name.startswith("classifier.")
        }
        self._model.load_state_dict(state)
        self._model.to(self._device).eval()
        self._weight = torch.from_numpy(tensors["classifier.weight"].astype(np.float32))
        self._bias = torch.from_numpy(tensors["classifier.bias"].astype(np.float32))
        self._weight, self._bias = self._weight.to(self._device), self._bias.to(self._device)

    def run(self, batches: Sequence[Batch]) -> list[tuple[np.ndarray, np.ndarray]]:
        """Logits (B, L) and pooled vectors (B, H) of each batch, float32, in order."""
        return [self._run_one(batch) for batch in batches]

    def _run_one(self, batch: Batch) -> tuple[np.ndarray, np.ndarray]:
        torch = self._torch
        with torch.inference_mode():
            ids = torch.from_numpy(batch.token_ids).to(self._device, torch.long)
            lengths = torch.from_numpy(batch.lengths).to(self._device)
            mask = torch.arange(ids.shape[1], device=self._device)[None] < lengths[:, None]
            states = self._model(input_ids=ids, attention_mask=mask.long()).last_hidden_state
            pooled = (states * mask[..., None]).sum(1) / lengths[:, None]
            logits = pooled @ self._weight.T + self._bias
        return logits.cpu().numpy(), pooled.cpu().numpy()

    def close(self) -> None:
        """Frees the weights."""
        del self._model


BERT_SETTINGS = (
    "vocab_size",
    "hidden_size",
    "num_hidden_layers",
    "num_attention_heads",
    "intermediate_size",
    "max_position_embeddings",
    "type_vocab_size",
    "layer_norm_eps",
    "hidden_act",
)
