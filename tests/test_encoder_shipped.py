"""The shipped encoder: same answers in any batch, and the fast arithmetic agrees with torch."""

from __future__ import annotations

import csv
import gzip
import os
import random
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from server.models.encoder import Encoder
from server.settings import WEIGHTS_FOLDER

ROOT = Path(__file__).parent.parent
SHIPPED = WEIGHTS_FOLDER / "encoder"
SAMPLE = ROOT / "sample_workbooks" / "reviews.csv"
# Public labelled texts; not part of the project. Another place: SHOPSHEET_DATA.
DATA = Path(os.environ.get("SHOPSHEET_DATA") or ROOT.parent / "shared" / "data")
LABELLED = ("sentiment_en_sst2.csv.gz", "sentiment_zh_online_shopping.csv.gz")

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        not (SHIPPED / "config.json").is_file(), reason=f"there are no weights in {SHIPPED}"
    ),
]


@pytest.fixture(scope="module")
def sample() -> list[str]:
    """2,000 different texts: the sample reviews, and random pairs of their sentences."""
    with SAMPLE.open(encoding="utf-8", newline="") as file:
        reviews = [row["review"] for row in csv.DictReader(file) if row["review"].strip()]
    chosen = random.Random(0)
    texts = dict.fromkeys(reviews)
    while len(texts) < 2000:
        texts[" ".join(chosen.sample(reviews, 2))] = None
    shuffled = list(texts)
    chosen.shuffle(shuffled)
    return shuffled


@pytest.fixture(scope="module")
def reference() -> Iterator[Encoder]:
    encoder = Encoder.load(SHIPPED, backend="torch")
    yield encoder
    encoder.close()


def load(precision: str | None) -> Encoder:
    try:
        return Encoder.load(SHIPPED, backend="openvino", precision=precision)
    except RuntimeError as error:  # A CPU may lack bfloat16.
        pytest.skip(f"{precision} does not run on this CPU: {error}")


@pytest.mark.parametrize("precision", [None, "int8"])
def test_answers_are_the_same_bit_for_bit_alone_in_7s_in_64s_all_and_shuffled(
    precision: str | None, sample: list[str]
) -> None:
    encoder = load(precision)
    alone = np.concatenate([encoder.predict_proba([text]) for text in sample])
    for size in (7, 64, len(sample)):
        parts = [sample[start : start + size] for start in range(0, len(sample), size)]
        together = np.concatenate([encoder.predict_proba(part) for part in parts])
        np.testing.assert_array_equal(together, alone, err_msg=f"batches of {size}")
    order = np.random.default_rng(1).permutation(len(sample))
    shuffled = np.empty_like(alone)
    shuffled[order] = encoder.predict_proba([sample[index] for index in order])
    np.testing.assert_array_equal(shuffled, alone, err_msg="shuffled")
    encoder.close()


@pytest.mark.parametrize("precision", ["f32", "bf16", "int8"])
def test_at_most_one_label_in_a_hundred_differs_from_torch(
    precision: str, sample: list[str], reference: Encoder
) -> None:
    found = load(precision).predict_proba(sample)
    expected = reference.predict_proba(sample)
    flipped = float((found.argmax(axis=1) != expected.argmax(axis=1)).mean())
    assert flipped <= 0.01


@pytest.fixture(scope="module")
def labelled() -> tuple[list[str], np.ndarray]:
    """Test texts of both languages, and whether each is positive.

    Five thousand of them: a few tens flip by rounding, either way, and over fewer texts that chance
    alone would come to a fifth of a point.
    """
    rows: list[dict[str, str]] = []
    for name in LABELLED:
        path = DATA / "text" / name
        if not path.is_file():
            pytest.skip(f"there is no {path}; it holds public labelled texts")
        with gzip.open(path, "rt", encoding="utf-8", newline="") as file:
            rows += [row for row in csv.DictReader(file) if row["split"] == "test"][:4000]
    return [row["text"] for row in rows], np.array([row["label"] == "positive" for row in rows])


def says_positive(encoder: Encoder, texts: list[str]) -> np.ndarray:
    chances = encoder.predict_proba(texts)
    negative, positive = (encoder.labels.index(label) for label in ("negative", "positive"))
    answer: np.ndarray = chances[:, positive] > chances[:, negative]
    return answer


@pytest.fixture(scope="module")
def reference_accuracy(labelled: tuple[list[str], np.ndarray], reference: Encoder) -> float:
    texts, positive = labelled
    return float((says_positive(reference, texts) == positive).mean())


@pytest.mark.parametrize("precision", ["f32", "bf16", "int8"])
def test_accuracy_stays_within_a_fifth_of_a_point_of_torch(
    precision: str, labelled: tuple[list[str], np.ndarray], reference_accuracy: float
) -> None:
    texts, positive = labelled
    accuracy = float((says_positive(load(precision), texts) == positive).mean())
    assert accuracy == pytest.approx(reference_accuracy, abs=0.002)
