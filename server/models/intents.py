"""What a text is after, from the encoder's vector, its sentiment and the cues on the surface.

A small softmax head, fitted by server/training/train_needs.py to one version of the encoder, in a
folder of its own: `model.safetensors`, `config.json` and `CARD.md`.
"""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Final

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file

from server.text.cues import CUES, cues, length_of
from udfs.errors import ModelFailed

KINDS: Final = ("complaint", "question", "suggestion", "praise", "purchase intent", "other")
SENTIMENTS: Final = ("negative", "neutral", "positive", "mixed")
# Kinds that judge nothing, and their share in a text from which none of its aspects is believed:
# of held-out reviews of the aspect sets it leaves F1 as it is. Without looking at cues a text that
# is silent has at least the lower share.
SILENT: Final = ("question", "purchase intent", "other")
SURELY_SILENT: Final = 0.9
MAYBE_SILENT: Final = 0.2
FOLDER: Final = Path(__file__).parent.parent / "weights" / "needs"
FORMAT_VERSION: Final = 1
CONFIG_FILE, WEIGHTS_FILE, CARD_FILE = "config.json", "model.safetensors", "CARD.md"
TRAIN: Final = "python -m server.training.train_needs --data DIR -o"


@dataclass(frozen=True)
class IntentHead:
    """weights (kinds, features) and intercepts (kinds,); `encoder` is what it was fitted to."""

    weights: np.ndarray
    intercepts: np.ndarray
    encoder: str

    def keys(self, texts: Sequence[str], stored: Sequence[bytes]) -> list[bytes]:
        """Per text a hash of all that decides an answer: head, text, and its reading as stored."""
        return [
            hashlib.blake2b(
                one + text.encode("utf-8"), key=self._fingerprint, digest_size=16
            ).digest()
            for text, one in zip(texts, stored, strict=True)
        ]

    @cached_property
    def _fingerprint(self) -> bytes:
        digest = hashlib.blake2b(self.encoder.encode("utf-8"), digest_size=16)
        digest.update(self.weights.tobytes())
        digest.update(self.intercepts.tobytes())
        return digest.digest()

    def predict_proba(
        self,
        texts: Sequence[str],
        vectors: np.ndarray,
        probabilities: np.ndarray,
        labels: Sequence[str],
    ) -> np.ndarray:
        """Probability of each kind, per text. Shape: (texts, kinds); rows sum to 1."""
        return self._shares(features(texts, vectors, probabilities, labels))

    def judges_nothing(
        self,
        texts: Sequence[str],
        vectors: np.ndarray,
        probabilities: np.ndarray,
        labels: Sequence[str],
    ) -> np.ndarray:
        """Whether each text surely asks, plans or states, and judges nothing; bool, (texts,).

        Cues take longer to find than all the rest, and few reviews come near without them.
        """
        plain = features([""] * len(texts), vectors, probabilities, labels)
        plain[:, -1] = [length_of(text) for text in texts]
        silent = self._share_of(SILENT, plain) >= MAYBE_SILENT
        near = np.flatnonzero(silent)
        if len(near):
            own = features(
                [texts[row] for row in near.tolist()], vectors[near], probabilities[near], labels
            )
            silent[near] = self._share_of(SILENT, own) >= SURELY_SILENT
        return silent

    def _share_of(self, kinds: Sequence[str], inputs: np.ndarray) -> np.ndarray:
        places = [KINDS.index(kind) for kind in kinds]
        share: np.ndarray = self._shares(inputs)[:, places].sum(axis=1)
        return share

    def _shares(self, inputs: np.ndarray) -> np.ndarray:
        powers = inputs @ self.weights.T + self.intercepts
        powers = np.exp(powers - powers.max(axis=1, keepdims=True, initial=-np.inf))
        shares: np.ndarray = powers / powers.sum(axis=1, keepdims=True)
        return shares


def features(
    texts: Sequence[str], vectors: np.ndarray, probabilities: np.ndarray, labels: Sequence[str]
) -> np.ndarray:
    """What the head looks at: vector, probability of each sentiment, cues.

    Shape: (texts, width + sentiments + cues), float64. A sentiment that the encoder does not know
    counts as 0.
    """
    sentiments = np.zeros((len(texts), len(SENTIMENTS)))
    for column, name in enumerate(SENTIMENTS):
        if name in labels:
            sentiments[:, column] = probabilities[:, list(labels).index(name)]
    surface = np.array([cues(text) for text in texts]).reshape(len(texts), len(CUES))
    return np.hstack([vectors.astype(np.float64), sentiments, surface])


def encoder_version(model: Any) -> str:
    """The version of an encoder without the arithmetic that it happens to compute in."""
    version, _, _ = str(model.version).rpartition("-")
    return version


def save_head(folder: Path, head: IntentHead, measured: dict[str, Any], card: str) -> Path:
    """The folder, with the head and its card in it."""
    folder.mkdir(parents=True, exist_ok=True)
    tensors = {
        "weights": head.weights.astype(np.float32),
        "intercepts": head.intercepts.astype(np.float32),
    }
    save_file(tensors, folder / WEIGHTS_FILE)
    (folder / WEIGHTS_FILE).chmod(0o644)  # as the other files: safetensors makes it private
    config = {
        "format_version": FORMAT_VERSION,
        "encoder": head.encoder,
        "kinds": list(KINDS),
        "sentiments": list(SENTIMENTS),
        "cues": list(CUES),
        "measured": measured,
    }
    text = json.dumps(config, ensure_ascii=False, indent=1) + "\n"
    (folder / CONFIG_FILE).write_text(text, encoding="utf-8", newline="\n")
    (folder / CARD_FILE).write_text(card, encoding="utf-8", newline="\n")
    return folder


def load_head(folder: Path) -> IntentHead:
    """The head in a folder. Raises: ModelFailed if it cannot be used."""
    try:
        config = json.loads((folder / CONFIG_FILE).read_text(encoding="utf-8"))
        tensors = load_file(folder / WEIGHTS_FILE)
    except (OSError, ValueError, SafetensorError) as error:
        raise ModelFailed(
            f"{folder} holds no head for needs ({error}). Fit one: {TRAIN} {folder}"
        ) from error
    expected = FORMAT_VERSION, [*KINDS], [*SENTIMENTS], [*CUES]
    found = tuple(config.get(key) for key in ("format_version", "kinds", "sentiments", "cues"))
    if found != expected:
        raise ModelFailed(
            f"The head in {folder} is for another version of Shopsheet. Fit it anew: "
            f"{TRAIN} {folder}"
        )
    return IntentHead(
        tensors["weights"].astype(np.float64),
        tensors["intercepts"].astype(np.float64),
        str(config["encoder"]),
    )


class HeadShelf:
    """The head in a folder, read when it is first asked for."""

    def __init__(self, folder: Path = FOLDER) -> None:
        self.folder = folder
        self._head: IntentHead | None = None
        self._lock = threading.Lock()

    def head_for(self, model: Any) -> IntentHead:
        """The head, which was fitted to this encoder.

        Raises: ModelFailed if there is none, or it was fitted to another one.
        """
        version = encoder_version(model)
        with self._lock:
            if self._head is None or self._head.encoder != version:
                self._head = load_head(self.folder)  # it may have been fitted anew meanwhile
            head = self._head
        if head.encoder != version:
            raise ModelFailed(
                f"The head for needs belongs to encoder {head.encoder}, and this is {version}. Fit "
                f"it to this one: {TRAIN} {self.folder} --encoder FOLDER"
            )
        return head


SHIPPED: Final = HeadShelf()
