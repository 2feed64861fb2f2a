"""The encoder: reads texts, gives logits, probabilities and vectors, the same in any batch."""

from __future__ import annotations

import importlib.util
import re
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from server.artefacts import Artefact, is_artefact, load_artefact
from server.models.aspects import AspectDecoder, FoundAspect
from server.models.bert_shapes import check_settings, check_tensors
from server.models.normalise import normalise
from server.models.original_spans import original_offsets, original_span
from server.models.scale import Scale
from server.models.tokens import Batch, TextReader, batches
from udfs.errors import BadInput, ModelFailed

BACKENDS = ("auto", "openvino", "torch")
PRECISIONS = ("f32", "bf16", "int8")
# Texts that are tokenised together: bounds the memory that a column of 100,000 rows takes.
CHUNK_TEXTS = 4096
_NOTHING = np.zeros((0, 0), dtype=np.float32)
_HAN = re.compile("[\u4e00-\u9fff]")


class Backend(Protocol):
    """What runs batches: OpenVINO or torch."""

    name: str
    precision: str

    def run(
        self, batches: Sequence[Batch]
    ) -> Sequence[tuple[np.ndarray, np.ndarray, np.ndarray | None]]: ...

    def close(self) -> None: ...


@dataclass(frozen=True)
class Reading:
    """What was read in some texts, in one pass.

    probabilities (texts, labels), rows sum to 1; vectors (texts, embedding_size) of length 1;
    aspects of each text, their spans in characters of the text as it was given.
    """

    probabilities: np.ndarray
    vectors: np.ndarray
    aspects: list[list[FoundAspect]]


class Encoder:
    """One loaded model with a backend. Thread-safe: calls from several threads take turns.

    A text's answer is the same, bit for bit, whatever else is asked with it (OpenVINO): each text
    is padded to its own canonical length, and only texts of one length share a batch.
    """

    name = "encoder"

    def __init__(
        self,
        config: Mapping[str, Any],
        reader: TextReader,
        backend: Backend,
        version: str,
        card: Mapping[str, Any],
        decoder: AspectDecoder | None = None,
    ) -> None:
        self.labels: tuple[str, ...] = tuple(config["labels"])
        self.temperature = float(config.get("temperature", 1.0))
        self.hidden_size = int(config["hidden_size"])
        self.embedding_size = int(config.get("embedding_size", self.hidden_size))
        # Other arithmetic gives slightly other answers: those must not share a result store.
        self.version = f"{version}-{backend.precision}"
        self.card = dict(card)
        self.scale = Scale.of(config)
        self._reader = reader
        self._backend = backend
        self._decoder = decoder
        self._styles: Mapping[str, str] = (config.get("aspects") or {}).get("read_as", {})
        self._lock = threading.Lock()

    @classmethod
    def load(
        cls,
        folder: Path,
        backend: str = "auto",
        threads: int | None = None,
        precision: str | None = None,
    ) -> Encoder:
        """The encoder in an artefact folder, or in a Hugging Face sequence-classification folder.

        backend "auto" is OpenVINO where it is installed (torch for a Hugging Face folder);
        threads None uses all cores; precision None picks the fastest of f32, bf16 and int8 that
        stays exact enough on this CPU.
        Raises: ModelFailed if the folder or a file in it cannot be used.
        """
        if backend not in BACKENDS or precision not in (None, *PRECISIONS):
            raise ModelFailed(
                f"Found backend {backend!r} and precision {precision!r}. Choose the backend from "
                f"{', '.join(BACKENDS)} and the precision from {', '.join(PRECISIONS)}."
            )
        folder = Path(folder)
        if not is_artefact(folder) and (folder / "config.json").is_file():
            return cls._load_huggingface(folder, threads)
        artefact = load_artefact(folder)
        check_settings(artefact.config)
        reader = reader_of(artefact.config, artefact.tokenizer_json)
        if reader.vocabulary_size > artefact.config["vocab_size"]:
            raise ModelFailed(
                f"tokenizer.json in {folder} has {reader.vocabulary_size} tokens, the weights only "
                f"{artefact.config['vocab_size']}. They are from different models."
            )
        tensors = artefact.tensors()
        runner = _backend(backend, artefact, tensors, threads, precision)
        decoder = _decoder(artefact, tensors)
        return cls(artefact.config, reader, runner, artefact.version, artefact.card, decoder)

    @classmethod
    def _load_huggingface(cls, folder: Path, threads: int | None) -> Encoder:
        _need("torch", "a Hugging Face model")
        from server.models.encoder_huggingface import (
            POLARITIES,
            HuggingFaceBackend,
            huggingface_version,
        )

        runner = HuggingFaceBackend(folder, threads)
        config = {"labels": POLARITIES, "hidden_size": runner.hidden_size}
        reader = TextReader(runner.tokenizer_json, runner.max_tokens)
        card = {"name": folder.name, "source": "a Hugging Face folder", "measured": {}}
        return cls(config, reader, runner, huggingface_version(folder), card)

    @property
    def aspect_categories(self) -> tuple[str, ...]:
        """What an aspect can belong to; empty for a model that reads no aspects."""
        return self._decoder.shop_categories if self._decoder else ()

    @property
    def backend(self) -> str:
        """Name of what computes: "openvino" or "torch"."""
        return self._backend.name

    @property
    def precision(self) -> str:
        """Arithmetic of the matrix products: "f32", "bf16" or "int8"; "torch" is torch's f32."""
        return self._backend.precision

    def predict_logits(self, texts: Sequence[str]) -> np.ndarray:
        """Raw scores, per text and label. Shape: (texts, labels), float32."""
        return self._run(texts, want_aspects=False)[0]

    def predict_proba(self, texts: Sequence[str]) -> np.ndarray:
        """Probability of each label, per text.

        Shape: (texts, labels), float32; rows sum to 1; columns as self.labels.
        Source: temperature scaling, Guo et al. 2017, section 4.2.
        """
        return softmax(self.predict_logits(texts) / self.temperature)

    def embed(self, texts: Sequence[str]) -> np.ndarray:
        """Meaning of each text, of length 1. Shape: (texts, embedding_size), float32."""
        return unit(self._run(texts, want_aspects=False)[1])

    def read(self, texts: Sequence[str]) -> Reading:
        """Probabilities, vectors and aspects of the texts, from one pass."""
        logits, vectors, aspects = self._run(texts, want_aspects=True)
        return Reading(softmax(logits / self.temperature), unit(vectors), aspects)

    def close(self) -> None:
        """Frees the model's memory; the encoder cannot be used afterwards."""
        with self._lock:
            self._backend.close()

    def _run(
        self, texts: Sequence[str], *, want_aspects: bool
    ) -> tuple[np.ndarray, np.ndarray, list[list[FoundAspect]]]:
        logits = np.empty((len(texts), len(self.labels)), dtype=np.float32)
        vectors = np.empty((len(texts), self.embedding_size), dtype=np.float32)
        aspects: list[list[FoundAspect]] = []
        want_aspects = want_aspects and self._decoder is not None
        with self._lock:
            for start in range(0, len(texts), CHUNK_TEXTS):
                chunk = check_texts(texts[start : start + CHUNK_TEXTS])
                places: list[np.ndarray] = []
                normal = [normalise(text) for text in chunk]
                if want_aspects:
                    ids, places = self._reader.read_places(normal)
                else:
                    ids = self._reader.read(normal)
                planned = list(batches(ids))
                answers = self._backend.run(planned)
                outputs: list[np.ndarray] = [_NOTHING] * len(chunk)
                for batch, (some_logits, some_vectors, tokens) in zip(
                    planned, answers, strict=True
                ):
                    logits[start + batch.rows] = some_logits
                    vectors[start + batch.rows] = some_vectors
                    if want_aspects and tokens is not None:
                        for row, length, one in zip(
                            batch.rows.tolist(), batch.lengths.tolist(), tokens, strict=True
                        ):
                            outputs[row] = one[:length]
                if want_aspects:
                    aspects += self._decode(chunk, normal, outputs, places)
        return logits, vectors, aspects or [[] for _ in texts]

    def _decode(
        self,
        texts: Sequence[str],
        normal: Sequence[str],
        outputs: Sequence[np.ndarray],
        places: Sequence[np.ndarray],
    ) -> list[list[FoundAspect]]:
        assert self._decoder is not None
        styles = [self._styles["zh" if _HAN.search(text) else "en"] for text in normal]
        found = self._decoder.decode(outputs, places, styles, texts=normal)
        return [
            aspects if text == clean or not aspects else in_original(aspects, text)
            for aspects, text, clean in zip(found, texts, normal, strict=True)
        ]


def in_original(aspects: Sequence[FoundAspect], text: str) -> list[FoundAspect]:
    """The aspects found in `normalise(text)`, their spans in `text` itself."""
    _, offsets = original_offsets(text)

    def move(span: tuple[int, int] | None) -> tuple[int, int] | None:
        return span and original_span(span, offsets)

    return [replace(one, aspect=move(one.aspect), opinion=move(one.opinion)) for one in aspects]


def unit(vectors: np.ndarray) -> np.ndarray:
    """The vectors at length 1; same shape."""
    lengths = np.linalg.norm(vectors, axis=-1, keepdims=True)
    scaled: np.ndarray = vectors / np.maximum(lengths, 1e-12)
    return scaled


def softmax(logits: np.ndarray) -> np.ndarray:
    """Rows of probabilities; same shape."""
    powers = np.exp(logits - logits.max(axis=-1, keepdims=True))
    probabilities: np.ndarray = powers / powers.sum(axis=-1, keepdims=True)
    return probabilities


def reader_of(config: Mapping[str, Any], tokenizer_json: str) -> TextReader:
    """The tokeniser as config.json wants it: longest text, and what is kept of a longer one."""
    return TextReader(
        tokenizer_json,
        config["max_tokens"],
        config.get("truncation", "head"),
        config.get("head_tokens"),
    )


def check_texts(texts: Sequence[str]) -> Sequence[str]:
    """The texts. Raises: BadInput if one of them is no text."""
    for text in texts:
        if not isinstance(text, str):
            raise BadInput(f"Found {type(text).__name__} where the encoder expected a text.")
    return texts


def read_batches(reader: TextReader, texts: Sequence[str]) -> list[Batch]:
    """The batches of these texts, normalised as in training.

    Raises: BadInput if one of them is no text.
    """
    return list(batches(reader.read([normalise(text) for text in check_texts(texts)])))


def _decoder(artefact: Artefact, all_tensors: Mapping[str, np.ndarray]) -> AspectDecoder | None:
    config = artefact.config.get("aspects")
    if not config:
        return None
    prefix = "aspects."
    tensors = {
        name.removeprefix(prefix): array
        for name, array in all_tensors.items()
        if name.startswith(prefix)
    }
    return AspectDecoder(tensors, config)


def _backend(
    backend: str,
    artefact: Artefact,
    tensors: Mapping[str, np.ndarray],
    threads: int | None,
    precision: str | None,
) -> Backend:
    check_tensors(artefact.config, tensors)
    if backend == "auto":
        backend = "openvino" if importlib.util.find_spec("openvino") else "torch"
    if backend == "torch":
        _need("torch", 'backend "torch"')
        if precision not in (None, "f32"):
            raise ModelFailed(
                f'Found precision {precision!r} with backend "torch", which computes in f32. '
                'Choose the backend "openvino".'
            )
        from server.models.encoder_torch import TorchBackend

        return TorchBackend(artefact.config, tensors, threads)
    _need("openvino", 'backend "openvino"')
    from server.models.encoder_openvino import OpenVinoBackend

    return OpenVinoBackend(artefact.config, tensors, artefact.quantisation(), threads, precision)


def _need(package: str, purpose: str) -> None:
    packages = {"torch": ("torch", "transformers"), "openvino": ("openvino",)}[package]
    missing = [name for name in packages if importlib.util.find_spec(name) is None]
    if missing:
        raise ModelFailed(
            f"{' and '.join(missing)} not installed, which {purpose} needs. "
            f"Run: pip install {' '.join(missing)}"
        )
