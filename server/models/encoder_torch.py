"""Runs the encoder with torch: the reference for the fast runtime, and the way to a GPU."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, cast

import numpy as np

from server.models.tokens import Batch


class TorchBackend:
    """transformers' BertModel in float32, mean pooled, with the artefact's heads."""

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
            if not name.startswith(HEADS)
        }
        self._model.load_state_dict(state)
        self._model.to(self._device).eval()
        self._heads = {
            name: torch.from_numpy(array.astype(np.float32)).to(self._device)
            for name, array in tensors.items()
            if name.startswith(HEADS)
        }
        self._middle = config.get("embedding_layer")
        self._reads_aspects = bool(config.get("aspects"))

    def run(
        self, batches: Sequence[Batch]
    ) -> list[tuple[np.ndarray, np.ndarray, np.ndarray | None]]:
        """Logits (B, L), embeddings (B, E) and token outputs (B, T, K) or None of each batch."""
        return [self._run_one(batch) for batch in batches]

    def _run_one(self, batch: Batch) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
        torch = self._torch
        with torch.inference_mode():
            ids = torch.from_numpy(batch.token_ids).to(self._device, torch.long)
            lengths = torch.from_numpy(batch.lengths).to(self._device)
            mask = torch.arange(ids.shape[1], device=self._device)[None] < lengths[:, None]
            states = self._model(
                input_ids=ids, attention_mask=mask.long(), output_hidden_states=True
            ).hidden_states
            pooled, *middle = (
                (layer * mask[..., None]).sum(1) / lengths[:, None]
                for layer in (states[-1], *([states[self._middle]] if self._middle else ()))
            )
            logits = self._head("classifier", pooled)
            embedding = pooled
            if middle:
                embedding = self._head("embedder", torch.cat([pooled, *middle], dim=-1))
            tokens = None
            if self._reads_aspects:
                tokens = self._head("aspects.tokens", states[-1]).cpu().numpy()
        return logits.cpu().numpy(), embedding.cpu().numpy(), tokens

    def _head(self, name: str, vectors: Any) -> Any:
        return vectors @ self._heads[f"{name}.weight"].T + self._heads[f"{name}.bias"]

    def close(self) -> None:
        """Frees the weights."""
        del self._model


HEADS = ("classifier.", "embedder.", "aspects.")
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
