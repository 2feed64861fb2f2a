"""The user's heads that are in use: read from disk when they are first asked for, and then kept."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from server.own.adapt import Adapted
from server.own.versions import DAMAGED, NAMELESS, Versions, names_of, refit_command
from server.semantics.few_shot import Head
from server.semantics.recent import Recent
from server.topic_models import encoder_version
from udfs.errors import BadInput, ModelFailed, short

MOST_KEPT = 64
OWN = "own model"  # where `resolve` puts a head among the arguments
SENTIMENT, CLASSIFY, ASPECTS = "sentiment", "classify", "aspects"


@dataclass(frozen=True)
class SentimentHead:
    """Probabilities of the encoder's own labels, from its vector and what it thought before."""

    adapted: Adapted

    def predict_proba(self, vectors: np.ndarray, probabilities: np.ndarray) -> np.ndarray:
        """Shape: (texts, labels), as `probabilities`; rows sum to 1."""
        prior = np.log(np.maximum(probabilities, 1e-6))
        return self.adapted.predict_proba(np.hstack([vectors, prior]), prior)


@dataclass(frozen=True)
class ClassifyHead:
    """Labels of the user's own and the head that tells them."""

    labels: tuple[str, ...]
    head: Head


@dataclass(frozen=True)
class AspectsHead:
    """Aspects of the user's own: which a text mentions, and how it judges each.

    mentions: one logit per aspect; polarity: over `polarities`, None where no row told one.
    """

    aspects: tuple[str, ...]
    polarities: tuple[str, ...]
    rates: tuple[float, float]  # how often an aspect is meant that is not, and that is, matched
    threshold: float
    mentions: Adapted
    polarity: Adapted | None


OwnHead = SentimentHead | ClassifyHead | AspectsHead


@dataclass(frozen=True)
class InUse:
    """A version that answers: its head, and the encoder whose vectors it was fitted to."""

    versions: Versions
    id: str
    encoder: str
    head: Any

    def signed(self, identity: str) -> str:
        """The model as results name it: sentiment@3-ab12cd34+encoder@2026.11-..."""
        return f"{self.versions.signature}@{self.id}+{identity}"

    def check_encoder(self, model: Any) -> None:
        """Nothing. Raises: BadInput if it was fitted to another encoder."""
        version = encoder_version(model)
        if version != self.encoder:
            raise BadInput(
                f"Version {self.id} of {self.versions.title} was fitted to encoder {self.encoder}, "
                f"and encoder {version} is in use. Fit it anew: {refit_command(self.versions)}"
            )


def build_head(kind: str, tensors: dict[str, np.ndarray], config: dict[str, Any]) -> OwnHead:
    """The head that was saved so. Raises: KeyError, TypeError or ValueError if it is not whole."""
    if kind == SENTIMENT:
        return SentimentHead(Adapted.from_tensors(tensors, exclusive=True))
    if kind == CLASSIFY:
        weights, intercepts = (tensors[name].astype(np.float64) for name in _CLASSIFY_TENSORS)
        return ClassifyHead(tuple(config["labels"]), Head(weights, intercepts, exclusive=True))
    return AspectsHead(
        tuple(config["aspects"]),
        tuple(config["polarities"]),
        (float(config["rates"][0]), float(config["rates"][1])),
        float(config["threshold"]),
        Adapted.from_tensors(tensors, exclusive=False, prefix="mentions."),
        Adapted.from_tensors(tensors, exclusive=True, prefix="polarity.")
        if "polarity.weights" in tensors
        else None,
    )


_CLASSIFY_TENSORS = ("weights", "intercepts")
_heads: Recent[InUse] = Recent(MOST_KEPT)


def load_version(versions: Versions, version_id: str) -> InUse:
    """One version, in use or not. Raises: ModelFailed if it is damaged."""

    def read() -> InUse:
        tensors, config = versions.load(version_id)
        try:
            head = build_head(versions.kind, tensors, config)
            return InUse(versions, version_id, str(config["encoder"]), head)
        except (KeyError, TypeError, ValueError, IndexError) as error:
            raise ModelFailed(
                f"Version {version_id} of {versions.title} cannot be used ({error}). Go back to "
                f"the one before with: shopsheet models back {versions.typed}"
            ) from error

    return _heads.get((versions.folder, version_id), read)


def in_use(home: Path, kind: str, name: str = NAMELESS) -> InUse | None:
    """What answers now; None where it is the model that comes with Shopsheet.

    Asked at every call, so that a new version answers at once in a server that runs.
    """
    versions = Versions(home, kind, name)
    version_id = versions.current()
    return None if version_id is None else load_version(versions, version_id)


def named_in_use(home: Path, name: str) -> InUse:
    """The classifier of that name. Raises: BadInput if there is none."""
    found = in_use(home, CLASSIFY, name) if name in names_of(home, CLASSIFY) else None
    if found is None:
        saved = ", ".join(names_of(home, CLASSIFY)) or "none yet"
        raise BadInput(
            f"labels holds 1, and there are no saved labels {short(name)}; saved: {saved}. Give "
            'two or more labels, as a range or as "price;quality", or save some with: shopsheet '
            "train classify FILE --text NAME --label NAME --name NAME"
        )
    return found


def all_in_use(home: Path) -> dict[str, str]:
    """Version of each of the user's models that answers: {"classify/returns": "3-ab12cd34"}."""
    found = {}
    for kind in (SENTIMENT, CLASSIFY, ASPECTS):
        for name in names_of(home, kind):
            versions = Versions(home, kind, name)
            try:
                version_id = versions.current()
            except ModelFailed:  # a call that needs it says so
                version_id = DAMAGED
            if version_id is not None:
                found[versions.signature] = version_id
    return found


def card_of(home: Path, signature: str, version_id: str) -> dict[str, Any]:
    """What a version learnt from and how well it does; empty where that cannot be told."""
    if version_id == DAMAGED:
        return {}
    return Versions(home, *signature.split("/", 1)).get(version_id).card
