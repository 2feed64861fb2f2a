"""A Hugging Face text classifier in a local folder serves polarities, without network."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from server.models.encoder import Encoder
from tests.tiny_encoder import build_tiny_tokenizer
from udfs.errors import ModelFailed

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")

POLARITIES = ("negative", "neutral", "positive", "mixed")
TEXTS = ["great shoes", "bad and slow, broken", "物流太慢了，包装也破了", "ok", "good " * 300]
TWO = ["NEGATIVE", "POSITIVE"]
THREE = ["LABEL_0", "LABEL_1", "LABEL_2"]
FIVE = ["1 star", "2 stars", "3 stars", "4 stars", "5 stars"]


def save_classifier(folder: Path, names: list[str], family: str = "bert", **saving: object) -> Path:
    """A small random classifier of a family, saved as Hugging Face saves it."""
    tokenizer = build_tiny_tokenizer()
    sizes = {
        "vocab_size": tokenizer.get_vocab_size(),
        "id2label": dict(enumerate(names)),
        "label2id": {name: index for index, name in enumerate(names)},
        "max_position_embeddings": 66,
    }
    torch.manual_seed(5)
    if family == "distilbert":
        config = transformers.DistilBertConfig(
            **sizes, dim=32, hidden_dim=64, n_layers=2, n_heads=4
        )
        model = transformers.DistilBertForSequenceClassification(config)
    else:
        small = {
            "hidden_size": 32,
            "intermediate_size": 64,
            "num_hidden_layers": 2,
            "num_attention_heads": 4,
        }
        config_class, model_class = {
            "bert": (transformers.BertConfig, transformers.BertForSequenceClassification),
            "roberta": (transformers.RobertaConfig, transformers.RobertaForSequenceClassification),
        }[family]
        model = model_class(config_class(**sizes, **small))
    with torch.no_grad():  # Larger than a fresh model's weights, so that texts differ.
        for weight in model.parameters():
            weight.mul_(4)
    model.save_pretrained(folder, **saving)
    transformers.PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        unk_token="[UNK]",
        pad_token="[PAD]",
        cls_token="[CLS]",
        sep_token="[SEP]",
        mask_token="[MASK]",
        model_max_length=64,
    ).save_pretrained(folder)
    return folder


def by_hand(folder: Path, text: str) -> np.ndarray:
    """Probabilities as the transformers documentation computes them, one text alone."""
    model = transformers.AutoModelForSequenceClassification.from_pretrained(folder).eval()
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    inputs = tokenizer(text, truncation=True, return_tensors="pt")
    inputs.pop("token_type_ids", None)
    with torch.no_grad():
        answer: np.ndarray = torch.softmax(model(**inputs).logits, -1)[0].numpy()
    return answer


@pytest.mark.parametrize("family", ["bert", "distilbert", "roberta"])
def test_a_three_class_model_of_each_family_is_served(tmp_path: Path, family: str) -> None:
    folder = save_classifier(tmp_path / "model", THREE, family)
    encoder = Encoder.load(folder)
    assert encoder.labels == POLARITIES
    assert encoder.backend == "torch"
    assert encoder.version.startswith("hf-")
    found = encoder.predict_proba(TEXTS)
    assert np.ptp(found[:, 0]) > 0.01
    for row, text in enumerate(TEXTS[:4]):  # the last is longer than transformers' own limit here
        np.testing.assert_allclose(found[row, :3], by_hand(folder, text), atol=1e-5)
    assert (found[:, 3] < 1e-9).all()
    assert encoder.embed(TEXTS).shape == (5, 32)


def test_two_classes_leave_neutral_and_mixed_at_nought(tmp_path: Path) -> None:
    folder = save_classifier(tmp_path / "model", TWO)
    found = Encoder.load(folder).predict_proba(TEXTS[:1])[0]
    negative, positive = by_hand(folder, TEXTS[0])
    np.testing.assert_allclose(found, [negative, 0, positive, 0], atol=1e-5)


def test_five_stars_add_up_to_three_polarities(tmp_path: Path) -> None:
    folder = save_classifier(tmp_path / "model", FIVE)
    found = Encoder.load(folder).predict_proba(TEXTS[:1])[0]
    one, two, three, four, five = by_hand(folder, TEXTS[0])
    np.testing.assert_allclose(found, [one + two, three, four + five, 0], atol=1e-5)


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (["neutral", "positive", "negative"], ["neutral", "positive", "negative"]),
        (["LABEL_0", "LABEL_1"], ["negative", "positive"]),
        (["0", "1", "2", "3", "4"], ["negative", "negative", "neutral", "positive", "positive"]),
        (["5 stars", "1 star", "2 stars", "3 stars", "4 stars"],
         ["positive", "negative", "negative", "neutral", "positive"]),
        (["Very Negative", "Negative", "Neutral", "Positive", "Very Positive"],
         ["negative", "negative", "neutral", "positive", "positive"]),
        (["POS", "NEG", "NEU", "MIX"], ["positive", "negative", "neutral", "mixed"]),
    ],
)  # fmt: skip
def test_spellings_of_labels(names: list[str], expected: list[str]) -> None:
    from server.models.encoder_huggingface import polarity_sums

    sums = polarity_sums(names)
    assert [POLARITIES[index] for index in sums.argmax(axis=1)] == expected
    assert sums.sum() == len(names)


@pytest.mark.parametrize(
    "names", [["joy", "anger"], ["LABEL_0"], ["LABEL_0", "LABEL_7"], ["positive", "pos"], ["a"] * 9]
)
def test_labels_that_are_no_polarities_are_refused(names: list[str]) -> None:
    from server.models.encoder_huggingface import polarity_sums

    with pytest.raises(ModelFailed, match=f"labels are {names[0]}.*id2label"):
        polarity_sums(names)


def test_pickled_weights_are_refused(tmp_path: Path) -> None:
    folder = save_classifier(tmp_path / "model", TWO)
    weights = transformers.AutoModelForSequenceClassification.from_pretrained(folder).state_dict()
    (folder / "model.safetensors").unlink()
    torch.save(weights, folder / "pytorch_model.bin")
    with pytest.raises(ModelFailed, match=r"cannot be loaded.*model\.safetensors"):
        Encoder.load(folder)


def test_a_folder_that_is_no_model_is_refused(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{}", encoding="utf-8")
    with pytest.raises(ModelFailed, match="cannot be loaded"):
        Encoder.load(tmp_path)


def test_padding_and_batch_mates_change_nothing(tmp_path: Path) -> None:
    encoder = Encoder.load(save_classifier(tmp_path / "model", FIVE, "roberta"))
    alone = np.concatenate([encoder.predict_proba([text]) for text in TEXTS])
    np.testing.assert_allclose(encoder.predict_proba(TEXTS), alone, atol=1e-5)
