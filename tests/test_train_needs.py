"""The head for NEEDS, fitted to the tiny encoder by the one command."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

pytest.importorskip("pandas")

import pandas as pd

from server.models.encoder import Encoder
from server.models.intents import CARD_FILE, KINDS, HeadShelf
from server.training.train_needs import HELD_OUT, WRITTEN, main, read_examples

LEAST_OF_EACH = 60


def build_data(folder: Path) -> Path:
    """The three files that training reads, in miniature."""
    text = folder / "text"
    text.mkdir(parents=True)
    stars = [
        (split, stars, words)
        for split in ("train", "test")
        for stars, words in (
            (1, "a slow and broken phone, awful"),
            (5, "a great phone, love it"),
        )
    ]
    pd.DataFrame(stars * 8, columns=["split", "stars", "text"]).to_csv(
        text / "stars_en_amazon.csv.gz", index=False
    )
    labels = [
        (split, label, words)
        for split in ("train", "test")
        for label, words in (
            ("negative", "物流太慢，包装破了，质量太差，要退货"),
            ("positive", "手机很好，电池很棒，物流很快，很喜欢"),
        )
    ]
    pd.DataFrame(labels * 8, columns=["split", "label", "text"]).to_csv(
        text / "sentiment_zh_online_shopping.csv.gz", index=False
    )
    requests = [
        (split, intent, f"{words} {number}")
        for split in ("train", "test")
        for intent, words in (
            ("complaint", "file a complaint"),
            ("track_order", "where is my order"),
            ("place_order", "want to buy some products"),
            ("edit_account", "change my details"),
        )
        for number in range(4)
    ]
    pd.DataFrame(requests, columns=["split", "intent", "utterance"]).to_csv(
        text / "intents_en_bitext.csv.gz", index=False
    )
    return folder


def test_the_written_examples_are_many_and_the_held_out_ones_others() -> None:
    written, held_out = read_examples(WRITTEN), read_examples(HELD_OUT)
    for examples, least in ((written, LEAST_OF_EACH), (held_out, 15)):
        for kind in KINDS:
            own = [t for t, k in zip(examples.texts, examples.kinds, strict=True) if k == kind]
            english = sum(text.isascii() for text in own)
            assert min(english, len(own) - english) >= least
    assert not set(written.texts) & set(held_out.texts)
    assert len(set(written.texts)) == len(written.texts)


def test_one_command_fits_the_head_to_an_encoder(
    tmp_path: Path, tiny_encoder_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data, folder = build_data(tmp_path / "data"), tmp_path / "needs"
    arguments = ["--data", str(data), "-o", str(folder), "--encoder", str(tiny_encoder_folder)]
    assert main(arguments) == 0
    measured = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert measured["written, English"]["texts"] >= 90
    assert measured["written, English"]["accuracy"] > 0.5  # by the cues alone; chance is 0.17
    assert "Held-out scores" in (folder / CARD_FILE).read_text(encoding="utf-8")
    encoder = Encoder.load(tiny_encoder_folder)
    try:
        head = HeadShelf(folder).head_for(encoder)
        texts = ["Is it washable?", "希望颜色更多"]
        reading = encoder.read(texts)
        shares = head.predict_proba(texts, reading.vectors, reading.probabilities, encoder.labels)
    finally:
        encoder.close()
    assert [KINDS[kind] for kind in shares.argmax(axis=1)] == ["question", "suggestion"]
    assert shares.sum(axis=1) == pytest.approx([1, 1])
