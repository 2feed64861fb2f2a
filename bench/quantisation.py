"""What the fast arithmetic costs in accuracy: each precision against torch, on labelled texts.

    python bench/quantisation.py --texts sentiment.csv.gz --label-column label --limit 2000

Ends in one JSON line: per precision labels flipped, accuracy and its difference in points, largest
and mean difference of a probability, and CPU seconds per 1,000 texts. Needs torch.
"""

from __future__ import annotations

import random
import time
from collections.abc import Sequence
from typing import Any

import numpy as np
from common import TEXT_COLUMNS, parser, print_result, rows_of


def main() -> None:
    options = parser(__doc__)
    options.add_argument("--label-column", default="label")
    options.add_argument("--split", help="take only rows whose split column says this")
    options.add_argument("--limit", type=int, default=2000, help="number of texts")
    chosen = options.parse_args()
    from server.artefacts import load_artefact
    from server.models.encoder import Encoder

    rows = rows_of(chosen.texts)
    if chosen.split:
        rows = [row for row in rows if row["split"] == chosen.split]
    if len(rows) > chosen.limit:
        rows = random.Random(0).sample(rows, chosen.limit)
    column = chosen.column or next(name for name in TEXT_COLUMNS if name in rows[0])
    texts = [row[column] for row in rows]
    right = [row[chosen.label_column].strip().lower() for row in rows]

    reference, labels, cpu_s = answers(Encoder.load(chosen.folder, backend="torch"), texts)
    exact = accuracy(reference, right, labels)
    print(f"{'torch':6s} accuracy {exact:.4f}   CPU {cpu_s:6.2f} s per 1,000")
    found: dict[str, Any] = {"torch": {"accuracy": exact, "cpu_s_per_1000": round(cpu_s, 2)}}
    precisions = ["f32", "bf16"]
    precisions += ["int8"] if load_artefact(chosen.folder).quantisation() else []
    for precision in precisions:
        try:
            encoder = Encoder.load(chosen.folder, backend="openvino", precision=precision)
        except RuntimeError as error:
            print(f"{precision:6s} does not run on this CPU: {error}")
            continue
        given, _, cpu_s = answers(encoder, texts)
        encoder.close()
        flips = float((given.argmax(axis=1) != reference.argmax(axis=1)).mean())
        score = accuracy(given, right, labels)
        gap = np.abs(given - reference)
        found[precision] = {
            "flipped_percent": round(100 * flips, 3),
            "accuracy": round(score, 4),
            "accuracy_points": round(100 * (score - exact), 3),
            "probability_mean_difference": float(gap.mean()),
            "probability_max_difference": float(gap.max()),
            "cpu_s_per_1000": round(cpu_s, 2),
        }
        print(
            f"{precision:6s} accuracy {score:.4f} ({100 * (score - exact):+.2f} points)   flipped "
            f"{100 * flips:.2f} %   probability differs by {gap.mean():.5f}, at most "
            f"{gap.max():.4f}   CPU {cpu_s:6.2f} s per 1,000"
        )
    version = load_artefact(chosen.folder).version
    print_result("quantisation", {"texts": len(texts), "model": version, **found})


def answers(encoder: Any, texts: Sequence[str]) -> tuple[np.ndarray, tuple[str, ...], float]:
    """Probabilities, labels, and CPU seconds per 1,000 texts after a warm-up."""
    encoder.predict_proba(texts[:200])
    start = time.process_time()
    probabilities = encoder.predict_proba(texts)
    return probabilities, encoder.labels, (time.process_time() - start) / len(texts) * 1000


def accuracy(probabilities: np.ndarray, right: Sequence[str], labels: Sequence[str]) -> float:
    """Share of right answers among the labels that the file uses."""
    used = [index for index, label in enumerate(labels) if label in set(right)]
    if not used:
        raise SystemExit(f"No label of the file is one of the model's: {', '.join(labels)}")
    names = [labels[used[index]] for index in probabilities[:, used].argmax(axis=1)]
    return sum(name == label for name, label in zip(names, right, strict=True)) / len(names)


if __name__ == "__main__":
    main()
