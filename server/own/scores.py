"""How well labels and aspects were told on rows that were held out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

Scores = dict[str, float]
BINS = 15  # Guo et al. 2017
DECIMALS = 4


def label_scores(probabilities: np.ndarray, labels: Sequence[str], truth: Sequence[str]) -> Scores:
    """Accuracy, macro-F1 over the labels that occur in `truth`, expected calibration error.

    probabilities (rows, labels).
    Source: Guo et al. 2017, equation 3, with 15 bins.
    """
    right = np.asarray(truth, dtype=object)
    guess = np.asarray(labels, dtype=object)[probabilities.argmax(axis=1)]
    confidence = probabilities.max(axis=1)
    f1s = []
    for label in sorted(set(truth)):
        hits = np.sum((guess == label) & (right == label))
        f1s.append(2 * hits / (np.sum(guess == label) + np.sum(right == label)))
    hit = guess == right
    bin_of = np.minimum((confidence * BINS).astype(int), BINS - 1)
    gaps = [
        abs(confidence[bin_of == one].mean() - hit[bin_of == one].mean()) * np.mean(bin_of == one)
        for one in np.unique(bin_of)
    ]
    return _rounded({"accuracy": hit.mean(), "macro_f1": np.mean(f1s), "ece": sum(gaps)})


def aspect_scores(
    found: Sequence[Mapping[str, str]], truth: Sequence[Mapping[str, str | None]]
) -> Scores:
    """F1 of aspects with their polarity, F1 of aspects alone, share of right polarities.

    Per text the polarity of each aspect that is mentioned. An aspect whose polarity the truth does
    not tell counts as right if it is found at all.
    """
    said = sum(len(row) for row in truth)
    guessed = sum(len(row) for row in found)
    named = whole = judged = right = 0
    for guess, true in zip(found, truth, strict=True):
        for aspect, polarity in true.items():
            if aspect in guess:
                named += 1
                judged += polarity is not None
                right += polarity is not None and guess[aspect] == polarity
                whole += polarity is None or guess[aspect] == polarity
    total = max(1, said + guessed)
    return _rounded(
        {
            "f1": 2 * whole / total,
            "aspect_f1": 2 * named / total,
            "polarity_accuracy": right / judged if judged else 0.0,
        }
    )


def _rounded(scores: Mapping[str, float]) -> Scores:
    return {name: round(float(value), DECIMALS) for name, value in scores.items()}
