"""The encoder: reads texts, gives logits, probabilities and vectors, the same in any batch."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from server.artefacts import load_artefact
from server.models.normalise import normalise
from server.models.tokens import Batch, TextReader, batches
from udfs.errors import ModelFailed

BACKENDS = ("auto", "openvino", "torch")
# Texts that are tokenised together: bounds the memory that a column of 100,000 rows takes.
CHUNK_TEXTS = 4096


class Backend(Protocol):
    """What runs batches: OpenVINO or torch."""

    name: str

    def run(self, batches: Sequence[Batch]) -> list[tuple[np.ndarray, np.ndarray]]: ...

    def close(self) -> None: ...


class Encoder:
    """One loaded artefact with a backend. Thread-safe: calls from several threads take turns."""

    name = "encoder"

    def __init__(
        self,
        config: Mapping[str, Any],
        reader: TextReader,
        backend: Backend,
        version: str,
        card: Mapping[str, Any],
    ) -> None:
        self.labels: tuple[str, ...] = tuple(config["labels"])
        self.temperature = float(config.get("temperature", 1.0))
        self.hidden_size = int(config["hidden_size"])
        self.version = version
        self.card = dict(card)
        self._reader = reader
        self._backend = backend
        self._lock = threading.Lock()

    @classmethod
    def load(cls, folder: Path, backend: str = "auto", threads: int | None = None) -> Encoder:
        """The encoder in an artefact folder.

        backend "auto" is the fast runtime; threads None uses all cores.
        Raises: ModelFailed if the folder or a file in it cannot be used.
        """
        if backend not in BACKENDS:
            raise ModelFailed(f"Backend {backend!r} is unknown. Choose one of {BACKENDS}.")
        artefact = load_artefact(Path(folder))
        config = artefact.config
        reader = TextReader(
            artefact.tokenizer_json,
            config["max_tokens"],
            config.get("truncation", "head"),
            config.get("head_tokens"),
        )
        runner = _backend(backend, config, artefact.tensors(), threads)
        return cls(config, reader, runner, artefact.version, artefact.card)

    @property
    def backend(self) -> str:
        """Name of what computes: "openvino" or "torch"."""
        return self._backend.name

    def predict_logits(self, texts: Sequence[str]) -> np.ndarray:
        """Raw scores, per text and label. Shape: (texts, labels), float32."""
        return self._run(texts)[0]

    def predict_proba(self, texts: Sequence[str]) -> np.ndarray:
        """Probability of each label, per text.

        Shape: (texts, labels), float32; rows sum to 1; columns as self.labels.
        Source: temperature scaling, Guo et al. 2017, section 4.2.
        """
        return softmax(self.predict_logits(texts) / self.temperature)

    def embed(self, texts: Sequence[str]) -> np.ndarray:
        """Meaning of each text: mean of its token vectors. Shape: (texts, hidden), float32."""
        return self._run(texts)[1]

    def close(self) -> None:
        """Frees the model's memory; the encoder cannot be used afterwards."""
        with self._lock:
            self._backend.close()

    def _run(self, texts: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
        logits = np.empty((len(texts), len(self.labels)), dtype=np.float32)
        pooled = np.empty((len(texts), self.hidden_size), dtype=np.float32)
        with self._lock:
            for start in range(0, len(texts), CHUNK_TEXTS):
                chunk = [normalise(text) for text in texts[start : start + CHUNK_TEXTS]]
                planned = list(batches(self._reader.read(chunk)))
                answers = self._backend.run(planned)
                for batch, (some_logits, some_pooled) in zip(planned, answers, strict=True):
                    logits[start + batch.rows] = some_logits
                    pooled[start + batch.rows] = some_pooled
        return logits, pooled


def softmax(logits: np.ndarray) -> np.ndarray:
    """Rows of probabilities; same shape."""
    powers = np.exp(logits - logits.max(axis=-1, keepdims=True))
    probabilities: np.ndarray = powers / powers.sum(axis=-1, keepdims=True)
    return probabilities


def _backend(
    backend: str, config: Mapping[str, Any], tensors: Mapping[str, np.ndarray], threads: int | None
) -> Backend:
    if backend == "torch":
        from server.models.encoder_torch import TorchBackend

        return TorchBackend(config, tensors, threads)
    from server.models.encoder_openvino import OpenVinoBackend

    return OpenVinoBackend(config, tensors, threads)
