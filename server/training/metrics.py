"""Scores of a classifier: accuracy, macro-F1, calibration."""

from collections.abc import Sequence

import numpy as np

from server.training.corpora import LABELS


def binary_probability(probabilities: np.ndarray) -> np.ndarray:
    """Probability of "positive" when only the two poles are asked for.

    Shape: (texts, labels) -> (texts,); p(positive) / (p(positive) + p(negative)).
    """
    positive = probabilities[:, LABELS.index("positive")]
    negative = probabilities[:, LABELS.index("negative")]
    share: np.ndarray = positive / (positive + negative)
    return share


def expected_calibration_error(positive: np.ndarray, truth: np.ndarray, bins: int = 15) -> float:
    """Mean gap between confidence and accuracy over equally wide bins, weighted by their texts.

    `positive` (texts,) is the probability of the positive class, `truth` (texts,) bool.
    Source: Guo et al. 2017, equation 3, with 15 bins.
    """
    confidence = np.maximum(positive, 1 - positive)
    right = (positive >= 0.5) == truth
    bin_of = np.minimum((confidence * bins).astype(int), bins - 1)
    gaps = [
        abs(confidence[bin_of == b].mean() - right[bin_of == b].mean()) * np.mean(bin_of == b)
        for b in np.unique(bin_of)
    ]
    return float(sum(gaps))


def macro_f1(predicted: Sequence[str], truth: Sequence[str]) -> float:
    """Mean F1 of the labels that occur in the truth."""
    guess, right = np.asarray(predicted), np.asarray(truth)
    scores = []
    for label in np.unique(right):
        hits = np.sum((guess == label) & (right == label))
        scores.append(2 * hits / max(1, np.sum(guess == label) + np.sum(right == label)))
    return float(np.mean(scores))
