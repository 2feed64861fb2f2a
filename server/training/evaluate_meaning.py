"""Measures the encoder's embedding beside the start model's: neighbours, and translations.

Run with `python -m server.training.evaluate_meaning --data DIR [--model FOLDER]`.
"""

import argparse
import importlib.resources
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd

from server.models.encoder import Encoder
from server.settings import Settings
from server.training.meaning import embed_with_start_model

Embed = Callable[[list[str]], np.ndarray]
NEIGHBOURS = 5
MOST_TEXTS = 4000


def evaluate_meaning(embed: Embed, data: Path) -> dict[str, float]:
    """Scores by task, each from 0 to 1 and the higher the better."""
    scores = {}
    for name, rows in labelled_sets(data).items():
        scores[name] = neighbour_accuracy(embed(list(rows.text)), rows.label.to_numpy())
    chinese, english = zip(*parallel_texts(), strict=True)
    zh, en = embed(list(chinese)), embed(list(english))
    scores["translation zh-en"], scores["translation en-zh"] = first_hits(zh, en)
    return {name: round(float(score), 4) for name, score in scores.items()}


def labelled_sets(data: Path) -> dict[str, pd.DataFrame]:
    """Test texts whose nearest neighbours should have the same label; columns text and label."""
    text = data / "text"
    intents = pd.read_csv(text / "intents_en_bitext.csv.gz").rename(
        columns={"utterance": "text", "intent": "label"}
    )
    amazon = pd.read_csv(text / "stars_en_amazon.csv.gz").rename(columns={"category": "label"})
    zh = pd.read_csv(text / "sentiment_zh_online_shopping.csv.gz").drop(columns="label")
    cars = pd.read_csv(text / "aspects_zh_cars.csv.gz").rename(columns={"subject": "label"})
    cars = cars.drop_duplicates("text", keep=False)
    sets = {
        "intents en": intents[intents.split == "test"],
        "goods en": amazon[amazon.split == "test"],
        "goods zh": zh.rename(columns={"category": "label"})[zh.split == "test"],
        "car subjects zh": cars,
    }
    return {
        name: rows[["text", "label"]].sample(min(MOST_TEXTS, len(rows)), random_state=1)
        for name, rows in sets.items()
    }


def parallel_texts() -> list[tuple[str, str]]:
    """(Chinese, English) sentences of shoppers, written for this test; none is trained on."""
    path = importlib.resources.files("server.training") / "checks" / "parallel_shopping.tsv"
    lines = path.read_text("utf-8").splitlines()
    return [(line.split("\t")[0], line.split("\t")[1]) for line in lines]


def neighbour_accuracy(vectors: np.ndarray, labels: np.ndarray) -> float:
    """Share of texts whose NEIGHBOURS nearest others mostly have the text's own label.

    vectors (texts, width) of length 1.
    """
    near = vectors @ vectors.T
    np.fill_diagonal(near, -np.inf)
    nearest = np.argsort(-near, axis=1, kind="stable")[:, :NEIGHBOURS]
    ids = {label: i for i, label in enumerate(sorted(set(labels)))}
    own = np.array([ids[label] for label in labels])
    votes = np.zeros((len(own), len(ids)))
    for rank in range(NEIGHBOURS):
        votes[np.arange(len(own)), own[nearest[:, rank]]] += 1 - 0.01 * rank  # the nearer wins
    return float(np.mean(votes.argmax(1) == own))


def first_hits(one: np.ndarray, other: np.ndarray) -> tuple[float, float]:
    """Share of rows nearest to the same row of the other side, in both directions."""
    near = one @ other.T
    rows = np.arange(len(near))
    return float(np.mean(near.argmax(1) == rows)), float(np.mean(near.argmax(0) == rows))


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--model", type=Path, default=Settings.from_environment({}).encoder_folder)
    args = parser.parse_args()
    encoder = Encoder.load(args.model)
    own = evaluate_meaning(encoder.embed, args.data)
    start = evaluate_meaning(embed_with_start_model, args.data)
    for name, score in own.items():
        print(f"{name:20} {score:.4f}   start model {start[name]:.4f}")
    print(json.dumps({"evaluation": "meaning", "encoder": own, "start_model": start}))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
