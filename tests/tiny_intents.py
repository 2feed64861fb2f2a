"""A head for NEEDS without training: it reads the cues and the sentiment, and no vector."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from server.models.encoder import Encoder
from server.models.intents import (
    KINDS,
    SENTIMENTS,
    HeadShelf,
    IntentHead,
    encoder_version,
    save_head,
)
from server.text.cues import CUES

_TELLS = {
    "complaint": {"negative": 12.0},
    "praise": {"positive": 12.0},
    "other": {"neutral": 10.0},
    "question": {"question_mark": 16.0, "question": 5.0},
    "suggestion": {"suggestion": 20.0},
    "purchase intent": {"purchase": 20.0},
}


def tiny_head(width: int, encoder: str) -> IntentHead:
    """A head in which each kind listens to its own cue alone."""
    columns = (*SENTIMENTS, *CUES)
    weights = np.zeros((len(KINDS), width + len(columns)))
    for kind, tells in _TELLS.items():
        for name, weight in tells.items():
            weights[KINDS.index(kind), width + columns.index(name)] = weight
    return IntentHead(weights, np.zeros(len(KINDS)), encoder)


def build_tiny_head(folder: Path, encoder_folder: Path) -> HeadShelf:
    """A shelf with such a head on it, fitted to the encoder in that folder."""
    encoder = Encoder.load(encoder_folder)
    try:
        head = tiny_head(encoder.embedding_size, encoder_version(encoder))
    finally:
        encoder.close()
    return HeadShelf(save_head(folder, head, {}, "# Tiny\n"))
