"""What polarity is trained and judged by: loss, temperature, held-out scores."""

from collections import Counter
from collections.abc import Sequence

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from server.training.corpora import LABELS, MADE_SOURCES, Example
from server.training.metrics import binary_probability, expected_calibration_error


def any_of_loss(logits: Tensor, right: Tensor, smoothing: float) -> Tensor:
    """Mean of -log(sum of the probabilities of the right labels), smoothed towards uniform.

    logits (rows, labels); right (rows, labels) bool with at least one True a row.
    """
    return _any_of_losses(F.log_softmax(logits, dim=-1), right, smoothing).mean()


def taught_loss(
    logits: Tensor, right: Tensor, taught: Tensor, share: Tensor, smoothing: float
) -> Tensor:
    """Mean over the rows of the loss on their labels and on a teacher's probabilities.

    logits, right, taught (rows, labels); share (rows,) is the weight of the teacher: 1 where a row
    has no label, 0 where the teacher said nothing.
    Source: knowledge distillation, Hinton et al. 2015, section 2, at temperature 1.
    """
    log_probabilities = F.log_softmax(logits, dim=-1)
    unlabelled = ~right.any(-1, keepdim=True)
    own = _any_of_losses(log_probabilities, right | unlabelled, smoothing)
    from_teacher = -(taught * log_probabilities).sum(-1)
    return torch.lerp(own, from_teacher, share).mean()


def _any_of_losses(log_probabilities: Tensor, right: Tensor, smoothing: float) -> Tensor:
    marginal = torch.logsumexp(log_probabilities.masked_fill(~right, -torch.inf), dim=-1)
    return -((1 - smoothing) * marginal + smoothing * log_probabilities.mean(-1))


def fit_temperature(logits: np.ndarray, rows: Sequence[Example]) -> float:
    """The temperature with the least held-out loss, each source counting the same.

    Sources that we made are left out: their labels are surer than any reader's.

    Source: temperature scaling, Guo et al. 2017, section 4.2.
    """
    right = torch.from_numpy(np.array([[label in row.labels for label in LABELS] for row in rows]))
    counts = Counter(row.source for row in rows)
    weights = torch.tensor([(row.source not in MADE_SOURCES) / counts[row.source] for row in rows])
    grid = np.geomspace(0.3, 3.0, 116)
    losses = []
    for temperature in grid:
        log_probabilities = F.log_softmax(torch.from_numpy(logits) / temperature, dim=-1)
        marginal = torch.logsumexp(log_probabilities.masked_fill(~right, -torch.inf), -1)
        losses.append(-(weights * marginal).sum().item())
    return float(grid[int(np.argmin(losses))])


def held_out_scores(logits: np.ndarray, rows: Sequence[Example]) -> dict[str, float]:
    """Accuracy by source, and accuracy and calibration on the texts with a clear pole."""
    probabilities = torch.from_numpy(logits).softmax(-1).numpy()
    best = probabilities.argmax(-1)
    scores: dict[str, float] = {}
    for source in sorted({row.source for row in rows}):
        hits = [
            LABELS[b] in row.labels
            for b, row in zip(best, rows, strict=True)
            if row.source == source
        ]
        scores[source] = round(float(np.mean(hits)), 4)
    for language in ("en", "zh"):
        polar = [
            i
            for i, row in enumerate(rows)
            if row.source.startswith(language) and row.labels in ({"positive"}, {"negative"})
        ]
        if not polar:
            continue
        positive = binary_probability(probabilities[polar])
        truth = np.array(["positive" in rows[i].labels for i in polar])
        scores[f"{language}_polarity"] = round(float(np.mean((positive >= 0.5) == truth)), 4)
        scores[f"{language}_ece"] = round(expected_calibration_error(positive, truth), 4)
    return scores
