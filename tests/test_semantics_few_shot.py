"""The head of the user's own labels: zero-shot at its centre, moved by examples."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.optimize import approx_fprime

from server.semantics import few_shot
from server.semantics.few_shot import Strength, fit_head
from server.semantics.recent import Recent

COLD = replace(few_shot.DEFAULT, temperature_spread=1e-6)  # the temperature stays 1


def unit(rows: np.ndarray) -> np.ndarray:
    scaled: np.ndarray = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    return scaled


def clusters(
    labels: int = 4, each: int = 30, width: int = 32, seed: int = 5
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Centres, vectors around them, and the label_id of each vector."""
    random = np.random.default_rng(seed)
    centres = unit(random.standard_normal((labels, width)))
    label_ids = np.repeat(np.arange(labels), each)
    return centres, unit(centres[label_ids] + 0.25 * random.standard_normal(
        (labels * each, width))), label_ids  # fmt: skip


def test_without_examples_it_is_the_softmax_of_scaled_cosines() -> None:
    labels = np.eye(3)[:2]
    head = fit_head(labels, strength=Strength(scale=2.0))
    # Cosines 0.6 and 0.8: odds exp(2 * 0.2).
    found = head.predict_proba(np.array([[0.6, 0.8, 0.0]]))
    assert found[0, 1] / found[0, 0] == pytest.approx(np.exp(0.4))
    assert found.sum() == pytest.approx(1.0)
    empty = np.zeros((0, 3)), np.zeros((0, 2))
    assert (fit_head(labels, *empty).weights == fit_head(labels).weights).all()


def test_without_examples_a_label_applies_from_a_cosine_on() -> None:
    head = fit_head(np.eye(2), exclusive=False, strength=Strength(multi_scale=10, multi_cosine=0.3))
    found = head.predict_proba(np.array([[0.3, 0.8]]))
    assert found[0, 0] == pytest.approx(0.5)
    assert found[0, 1] == pytest.approx(1 / (1 + np.exp(-5.0)))


def test_one_example_in_one_dimension_by_hand() -> None:
    # Labels +1 and -1 on a line, the example at 1 is of the second: with d the move of the second
    # weight (the first moves by -d) and e that of the intercepts, the slope of the loss is
    # -p(first) + d / freedom = 0 with logit(first) = 2 * scale - 2 * d - 2 * e, likewise for e.
    strength = replace(COLD, scale=0.5, freedom=2.0, intercept_freedom=1.0)
    head = fit_head(
        np.array([[1.0], [-1.0]]), np.array([[1.0]]), np.array([[0.0, 1.0]]), strength=strength
    )
    d, e = head.weights[1, 0] + 0.5, head.intercepts[1]
    first = 1 / (1 + np.exp(-(1 - 2 * d - 2 * e)))
    assert d == pytest.approx(2.0 * first, abs=1e-5)
    assert e == pytest.approx(first, abs=1e-5)
    assert head.weights[0, 0] - 0.5 == pytest.approx(-d, abs=1e-5)


@pytest.mark.parametrize("exclusive", [True, False])
def test_the_head_is_where_the_loss_is_flat(exclusive: bool) -> None:
    centres, vectors, label_ids = clusters(labels=3, each=4, width=6)
    targets = np.eye(3)[label_ids]
    strength = COLD
    head = fit_head(centres, vectors, targets, exclusive, strength)
    start = fit_head(centres, exclusive=exclusive)

    def loss(flat: np.ndarray) -> float:
        weights, intercepts = flat[:18].reshape(3, 6), flat[18:]
        found = few_shot.Head(weights, intercepts, exclusive).predict_proba(vectors)
        value = -np.log(found[targets == 1]).sum()
        if not exclusive:
            value -= np.log(1 - found[targets == 0]).sum()
        moved = ((weights - start.weights) ** 2).sum() / strength.freedom
        moved += ((intercepts - start.intercepts) ** 2).sum() / strength.intercept_freedom
        return float(value + moved / 2)

    best = np.concatenate([head.weights.ravel(), head.intercepts])
    assert np.abs(approx_fprime(best, loss, 1e-6)).max() < 1e-3


def test_examples_move_it_smoothly_and_make_it_better() -> None:
    centres, vectors, label_ids = clusters()
    names = unit(centres + 0.5 * np.random.default_rng(1).standard_normal(centres.shape))
    loss = []
    for shots in (0, 1, 2, 4, 8, 16):
        chosen = [k for label in range(4) for k in np.flatnonzero(label_ids == label)[:shots]]
        head = fit_head(names, vectors[chosen], np.eye(4)[label_ids[chosen]])
        found = head.predict_proba(vectors)
        loss.append(-np.log(found[np.arange(len(found)), label_ids]).mean())
    assert loss == sorted(loss, reverse=True)


def test_weak_belief_in_an_example_changes_next_to_nothing() -> None:
    centres, vectors, label_ids = clusters()
    before = fit_head(centres).predict_proba(vectors)
    shy = replace(COLD, freedom=1e-9, intercept_freedom=1e-9)
    after = fit_head(centres, vectors[:1], np.eye(4)[label_ids[:1]], strength=shy).predict_proba(
        vectors
    )
    assert np.abs(after - before).max() < 1e-6


def test_the_same_examples_give_the_same_head_in_any_order() -> None:
    centres, vectors, label_ids = clusters()
    targets = np.eye(4)[label_ids]
    first = fit_head(centres, vectors, targets)
    again = fit_head(centres, vectors, targets)
    assert (first.weights == again.weights).all()
    order = np.random.default_rng(0).permutation(len(vectors))
    other = fit_head(centres, vectors[order], targets[order])
    assert (other.weights == first.weights).all()


def test_a_head_that_unseen_examples_prove_wrong_is_less_sure() -> None:
    centres, vectors, label_ids = clusters()
    noisy = np.random.default_rng(2).permutation(label_ids)  # labels that mean nothing
    sure = fit_head(centres, vectors, np.eye(4)[noisy], strength=COLD).predict_proba(vectors)
    wary = fit_head(centres, vectors, np.eye(4)[noisy]).predict_proba(vectors)
    assert (wary.argmax(axis=1) == sure.argmax(axis=1)).all()
    assert wary.max(axis=1).mean() < 0.8 * sure.max(axis=1).mean()


def test_an_example_with_two_labels_teaches_both() -> None:
    centres, vectors, label_ids = clusters()
    both = unit(vectors[label_ids == 0][:10] + vectors[label_ids == 1][:10])
    targets = np.tile([1.0, 1.0, 0.0, 0.0], (10, 1))
    found = fit_head(centres, both, targets, exclusive=False).predict_proba(both)
    assert (found[:, :2] > 0.5).all()
    assert (found[:, 2:] < 0.5).all()


def test_what_was_made_lately_is_kept_within_bounds() -> None:
    recent: Recent[str] = Recent(10, len)
    made: list[str] = []

    def make(value: str) -> str:
        made.append(value)
        return value

    for value in ("aaaa", "bbbb", "aaaa", "cccc", "aaaa", "d" * 11, "bbbb"):
        assert recent.get(value, lambda value=value: make(value)) == value  # type: ignore[misc]
    assert made == ["aaaa", "bbbb", "cccc", "d" * 11, "bbbb"]
    assert "aaaa" in recent
    assert "cccc" not in recent
    assert "d" * 11 not in recent
