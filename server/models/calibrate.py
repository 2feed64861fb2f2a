"""Adds the int8 ranges to a trained artefact, from texts like those it will read."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from server.artefacts import Artefact, load_artefact, save_quantisation
from server.models.encoder import read_batches, reader_of
from server.models.quantise import calibrate


def calibrate_artefact(folder: Path, texts: Sequence[str]) -> Artefact:
    """The artefact with `quantisation.safetensors` in its folder; its version changes with it.

    A few hundred texts suffice, of every language and length that the model serves; they are not
    stored. Takes about 15 seconds. Needs no torch.
    """
    artefact = load_artefact(folder)
    batches = read_batches(reader_of(artefact.config, artefact.tokenizer_json), texts)
    tables = calibrate(artefact.config, artefact.tensors(), batches)
    return save_quantisation(folder, tables)
