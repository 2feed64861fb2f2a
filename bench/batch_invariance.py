"""Whether a text's answer depends on its batch: alone, in 7s, in 64s, all at once, shuffled.

    python bench/batch_invariance.py --texts reviews.csv --limit 2000

Ends in one JSON line: labels flipped, largest difference of a score, and whether all is the same
bit for bit. Exits 1 if a label flips or a score differs by more than 0.0005.
"""

from __future__ import annotations

import random
from collections.abc import Sequence

import numpy as np
from common import distinct_texts, parser, print_result, rows_of, texts_of

MOST_DIFFERENCE = 0.0005


def main() -> int:
    options = parser(__doc__)
    options.add_argument("--limit", type=int, default=2000, help="number of texts")
    options.add_argument("--precision", choices=("f32", "bf16", "int8"), help="default: as served")
    options.add_argument("--backend", default="auto", choices=("auto", "openvino", "torch"))
    chosen = options.parse_args()
    from server.models.encoder import Encoder

    texts = distinct_texts(texts_of(rows_of(chosen.texts), chosen.column), chosen.limit)
    encoder = Encoder.load(chosen.folder, backend=chosen.backend, precision=chosen.precision)
    found = compare(encoder, texts)
    for name, (flips, difference, same) in found.items():
        print(f"{name:12s} labels flipped {flips}, score differs {difference:.7f}, bits {same}")
    print_result(
        "batch_invariance",
        {
            "texts": len(texts),
            "model": encoder.version,
            "precision": encoder.precision,
            "labels_flipped": sum(flips for flips, _, _ in found.values()),
            "score_difference": max(difference for _, difference, _ in found.values()),
            "bit_identical": all(same for _, _, same in found.values()),
        },
    )
    bad = any(flips or difference > MOST_DIFFERENCE for flips, difference, _ in found.values())
    return int(bad)


def compare(encoder: object, texts: Sequence[str]) -> dict[str, tuple[int, float, bool]]:
    """Per way of batching: labels flipped, largest score difference, the same bit for bit."""
    predict = encoder.predict_proba  # type: ignore[attr-defined]
    labels: tuple[str, ...] = encoder.labels  # type: ignore[attr-defined]
    alone = np.concatenate([predict([text]) for text in texts])
    ways = {"in 7s": 7, "in 64s": 64, "all": len(texts)}
    answers = {
        name: np.concatenate(
            [predict(texts[start : start + size]) for start in range(0, len(texts), size)]
        )
        for name, size in ways.items()
    }
    order = list(range(len(texts)))
    random.Random(1).shuffle(order)
    shuffled = np.empty_like(alone)
    shuffled[order] = predict([texts[index] for index in order])
    answers["shuffled"] = shuffled
    return {name: difference_of(alone, answer, labels) for name, answer in answers.items()}


def difference_of(
    first: np.ndarray, second: np.ndarray, labels: Sequence[str]
) -> tuple[int, float, bool]:
    """Labels flipped, largest difference of a score, whether all bits are the same."""
    scores = [score_of(some, labels) for some in (first, second)]
    return (
        int((first.argmax(axis=1) != second.argmax(axis=1)).sum()),
        float(np.abs(scores[0] - scores[1]).max()),
        bool((first == second).all()),
    )


def score_of(probabilities: np.ndarray, labels: Sequence[str]) -> np.ndarray:
    """SENTIMENT's score, -1 to 1; for other labels, the probability of the first."""
    if {"positive", "negative"} <= set(labels):
        place = list(labels).index
        score: np.ndarray = (
            probabilities[:, place("positive")] - probabilities[:, place("negative")]
        )
        return score
    first: np.ndarray = probabilities[:, 0]
    return first


if __name__ == "__main__":
    raise SystemExit(main())
