"""Measures an encoder folder on the held-out sentiment sets and writes the table into its card."""

import json
import time
from pathlib import Path
from typing import Any

import numpy as np

from server.artefacts import CARD_FILE, CARD_TEXT_FILE
from server.models.encoder import Encoder
from server.training.corpora import LABELS, load_evaluation_sets
from server.training.metrics import binary_probability, expected_calibration_error, macro_f1

BEGIN, END = "<!-- evaluation -->", "<!-- /evaluation -->"
POLES = ("negative", "positive")


def evaluate_encoder(folder: Path, data: Path, backend: str = "auto") -> dict[str, dict[str, Any]]:
    """Scores by test set: texts, accuracy, macro-F1, calibration error, share off the poles.

    On a set that knows only two labels the answer is the likelier pole, whatever the model thinks
    of neutral and mixed; `off_poles` is how often it would have shown one of those two.
    """
    encoder = Encoder.load(folder, backend)
    if tuple(encoder.labels) != LABELS:
        raise ValueError(f"labels are {encoder.labels}; the test sets need {LABELS}")
    table = {}
    for name, rows in load_evaluation_sets(data).items():
        began = time.monotonic()
        probabilities = encoder.predict_proba(list(rows.text))
        table[name] = {
            **(_binary if set(rows.label) <= set(POLES) else _three_way)(probabilities, rows.label),
            "seconds": round(time.monotonic() - began, 1),
        }
    encoder.close()
    return table


def _binary(probabilities: np.ndarray, labels: Any) -> dict[str, Any]:
    positive = binary_probability(probabilities)
    truth = (labels == "positive").to_numpy()
    shown = np.array(LABELS)[probabilities.argmax(-1)]
    return {
        "texts": len(truth),
        "accuracy": round(float(np.mean((positive >= 0.5) == truth)), 4),
        "macro_f1": round(macro_f1(np.where(positive >= 0.5, *POLES[::-1]).tolist(), labels), 4),
        "ece": round(expected_calibration_error(positive, truth), 4),
        "off_poles": round(float(np.mean(~np.isin(shown, POLES))), 4),
    }


def _three_way(probabilities: np.ndarray, labels: Any) -> dict[str, Any]:
    """A set with neutral but without mixed: mixed counts as neutral."""
    shown = np.array(LABELS)[probabilities.argmax(-1)]
    shown[shown == "mixed"] = "neutral"
    polar = np.isin(labels, POLES)
    positive = binary_probability(probabilities)
    return {
        "texts": len(labels),
        "accuracy": round(float(np.mean(shown == labels)), 4),
        "macro_f1": round(macro_f1(shown.tolist(), labels), 4),
        "polar_accuracy": round(
            float(np.mean((positive >= 0.5)[polar] == (labels == "positive")[polar])), 4
        ),
    }


def as_markdown(table: dict[str, dict[str, Any]]) -> str:
    """The table as it stands in the card."""
    lines = [
        "| test set | texts | accuracy | macro-F1 | calibration error | shown neutral or mixed |",
        "|---|---|---|---|---|---|",
    ]
    for name, row in table.items():
        cells = [row.get(key, "") for key in ("texts", "accuracy", "macro_f1", "ece", "off_poles")]
        lines.append(" | ".join(["| " + name, *map(str, cells)]) + " |")
    return "\n".join(lines)


def write_into_card(folder: Path, table: dict[str, dict[str, Any]]) -> None:
    """Puts the table into card.json and between the marks of CARD.md, or at its end."""
    path = folder / CARD_TEXT_FILE
    text = path.read_text(encoding="utf-8") if path.exists() else "# Model card\n"
    block = f"{BEGIN}\n{as_markdown(table)}\n{END}"
    if BEGIN in text and END in text:
        text = text[: text.index(BEGIN)] + block + text[text.index(END) + len(END) :]
    else:
        text = text.rstrip() + f"\n\n## Held-out scores\n\n{block}\n"
    path.write_text(text, encoding="utf-8", newline="\n")
    facts_path = folder / CARD_FILE
    facts = json.loads(facts_path.read_text(encoding="utf-8")) if facts_path.exists() else {}
    facts["evaluation"] = {
        name: {k: v for k, v in row.items() if k != "seconds"} for name, row in table.items()
    }
    text = json.dumps(facts, ensure_ascii=False, indent=1) + "\n"
    facts_path.write_text(text, encoding="utf-8", newline="\n")
