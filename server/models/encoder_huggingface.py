"""Serves a Hugging Face sequence-classification folder (BERT family) as an encoder, with torch."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from server.models.tokens import Batch
from udfs.errors import ModelFailed

POLARITIES = ("negative", "neutral", "positive", "mixed")
MOST_TOKENS = 256
# A polarity that the model does not know has this probability.
_NEVER = 1e-12


class HuggingFaceBackend:
    """AutoModelForSequenceClassification whose own labels are added up into polarities."""

    name = "torch"
    precision = "torch"

    def __init__(self, folder: Path, threads: int | None = None, device: str | None = None) -> None:
        import torch
        from transformers import AutoModelForSequenceClassification, AutoTokenizer

        if threads is not None:
            torch.set_num_threads(threads)
        self._torch = torch
        self._device = device or ("cuda" if torch.cuda.is_available() else "cpu")
        try:
            # Safetensors only: a pickled weight file could run any code.
            model = AutoModelForSequenceClassification.from_pretrained(
                str(folder), local_files_only=True, use_safetensors=True, trust_remote_code=False
            )
            tokenizer = AutoTokenizer.from_pretrained(
                str(folder), local_files_only=True, trust_remote_code=False
            )
        except (OSError, ValueError, KeyError, ImportError, RuntimeError) as error:
            raise ModelFailed(
                f"The Hugging Face model in {folder} cannot be loaded: {error}. Expected "
                "config.json, model.safetensors and tokenizer.json of a text classifier."
            ) from error
        if not tokenizer.is_fast:
            raise ModelFailed(
                f"The tokenizer in {folder} has no tokenizer.json. Save it with "
                "AutoTokenizer(..., use_fast=True).save_pretrained(folder)."
            )
        names = [str(model.config.id2label[index]) for index in range(model.config.num_labels)]
        self._sums = polarity_sums(names)
        self._pad = tokenizer.pad_token_id or 0
        self._model = model.to(self._device).float().eval()
        self.tokenizer_json: str = tokenizer.backend_tokenizer.to_str()
        self.max_tokens = _max_tokens(model.config, tokenizer)
        self.hidden_size = int(model.config.hidden_size)

    def run(self, batches: Sequence[Batch]) -> list[tuple[np.ndarray, np.ndarray, None]]:
        """Log probabilities (B, polarities) and mean vectors (B, H) of each batch, in order."""
        return [(*self._run_one(batch), None) for batch in batches]

    def _run_one(self, batch: Batch) -> tuple[np.ndarray, np.ndarray]:
        torch = self._torch
        inside = np.arange(batch.token_ids.shape[1])[None] < batch.lengths[:, None]
        ids = np.where(inside, batch.token_ids, self._pad)
        with torch.inference_mode():
            mask = torch.from_numpy(inside).to(self._device)
            answer = self._model(
                input_ids=torch.from_numpy(ids).to(self._device, torch.long),
                attention_mask=mask.long(),
                output_hidden_states=True,
            )
            states = answer.hidden_states[-1] * mask[..., None]
            pooled = (states.sum(1) / mask.sum(1, keepdim=True)).cpu().numpy()
            probabilities = torch.softmax(answer.logits.float(), -1).cpu().numpy()
        logits = np.log(np.maximum(probabilities @ self._sums, _NEVER)).astype(np.float32)
        return logits, pooled

    def close(self) -> None:
        """Frees the weights."""
        del self._model


def polarity_sums(names: Sequence[str]) -> np.ndarray:
    """Which of a model's labels make up which polarity. Shape: (model labels, POLARITIES), 0 or 1.

    Understood: names of polarities ("NEG", "Positive", "very negative"), stars ("1 star" to
    "5 stars"), and numbered labels of two (negative, positive), three (with neutral between) or
    five (stars).
    Raises: ModelFailed if a label has none of these forms.
    """
    numbers = [_number(name) for name in names]
    found: list[str | None] = [_polarity(name) for name in names]
    if None in found and len(names) in (2, 3, 5) and None not in numbers:
        ranked = sorted(number for number in numbers if number is not None)
        if ranked == list(range(ranked[0], ranked[0] + len(names))):
            scale = _SCALES[len(names)]
            found = [scale[ranked.index(number)] for number in numbers if number is not None]
    if None in found or len(set(found)) < 2:
        raise ModelFailed(
            f"The model's labels are {', '.join(names)}. Expected polarities (negative, neutral, "
            "positive, mixed), 1 to 5 stars, or two, three or five numbered labels. Name them in "
            "id2label of its config.json."
        )
    sums = np.zeros((len(names), len(POLARITIES)), dtype=np.float32)
    for index, polarity in enumerate(found):
        sums[index, POLARITIES.index(str(polarity))] = 1
    return sums


def huggingface_version(folder: Path) -> str:
    """ "hf-ab12cd34": a hash of the weights, the tokenizer and the config."""
    digest = hashlib.sha256()
    for path in sorted([*folder.glob("*.safetensors"), *folder.glob("*.json")]):
        digest.update(path.name.encode("utf-8"))
        with path.open("rb") as file:
            while chunk := file.read(1 << 20):
                digest.update(chunk)
    return f"hf-{digest.hexdigest()[:8]}"


_SCALES = {
    2: ("negative", "positive"),
    3: ("negative", "neutral", "positive"),
    5: ("negative", "negative", "neutral", "positive", "positive"),
}


def _polarity(name: str) -> str | None:
    words = set(re.split(r"[^a-z]+", name.lower()))
    for polarity, spellings in (
        ("negative", {"negative", "neg"}),
        ("neutral", {"neutral", "neu"}),
        ("positive", {"positive", "pos"}),
        ("mixed", {"mixed", "mix"}),
    ):
        if words & spellings:
            return polarity
    return None


def _number(name: str) -> int | None:
    """The number in "LABEL_2", "4 stars" or "1"."""
    match = re.fullmatch(r"(?:label[_ ]?)?(\d+)(?:[_ ]?stars?)?", name.strip().lower())
    return int(match[1]) if match else None


def _max_tokens(config: Any, tokenizer: Any) -> int:
    # RoBERTa's positions start after its padding id, so two of them cannot be used.
    places = int(getattr(config, "max_position_embeddings", MOST_TOKENS)) - 2
    return max(8, min(MOST_TOKENS, places, int(tokenizer.model_max_length)))
