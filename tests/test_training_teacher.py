"""Learning from a larger model and from a committee, in miniature."""

import dataclasses
import hashlib
import io
import json
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from tokenizers import Tokenizer, models, pre_tokenizers, processors
from transformers import BertConfig, BertModel

from server.training import corpora
from server.training.committee import committee_probabilities, linear_reader
from server.training.corpora import LABELS, Example
from server.training.losses import any_of_loss, taught_loss
from server.training.packaged_teacher import FILES, PACKAGES, packaged_teacher
from server.training.run import Run
from server.training.teacher import TeacherRecipe, train_teacher
from server.training.train_encoder import EncoderRecipe, train_encoder
from server.training.variants import sentences_of, varied_texts, word_neighbours
from tests.test_training import RECIPE
from tests.tiny_training_data import BAD_EN, ENGLISH, GOOD_EN, build_data, build_start_model
from udfs.errors import BadInput

POSITIVE, NEGATIVE = frozenset({"positive"}), frozenset({"negative"})
TEACHER = TeacherRecipe(
    epochs=12,
    tokens_per_batch=256,
    batches_per_step=1,
    lr=2e-3,
    head_lr=1e-2,
    average_decay=0.5,
    warmup=2,
    short_words=0,
    repeats={"en_sst2": 1, "en_amazon": 1},
    varied=30,
    varied_from_words=2,
    sentences=10,
)


@pytest.fixture(scope="module")
def teacher_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Hugging Face folder with a tokenizer whose padding is not token 0, as in MPNet."""
    folder = tmp_path_factory.mktemp("teacher")
    vocab = {w: i for i, w in enumerate(["<s>", "<pad>", "</s>", "[UNK]", *ENGLISH.split()])}
    tokenizer = Tokenizer(models.WordLevel(vocab, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>", special_tokens=[("<s>", 0), ("</s>", 2)]
    )
    tokenizer.save(str(folder / "tokenizer.json"))
    torch.manual_seed(1)
    config = BertConfig(
        vocab_size=len(vocab),
        hidden_size=32,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=64,
        pad_token_id=1,
    )
    BertModel(config, add_pooling_layer=False).save_pretrained(folder)
    return folder


def english_examples() -> list[Example]:
    rows = []
    for thing in ("phone", "box", "delivery", "screen"):
        rows += [Example(f"the {thing} is {w}", POSITIVE, "en_sst2") for w in GOOD_EN]
        rows += [Example(f"the {thing} is {w}", NEGATIVE, "en_sst2") for w in BAD_EN]
    return rows


def test_a_teacher_learns_labels_and_says_them_with_probabilities(
    teacher_folder: Path, tmp_path: Path
) -> None:
    rows = english_examples()
    run = Run(tmp_path)
    teacher = train_teacher(TEACHER, teacher_folder, rows, rows[:8], run)
    texts = ["a phone so nice", "a screen so awful"]
    said = teacher.probabilities(texts, run)
    assert said.shape == (2, len(LABELS))
    assert said.astype(float).sum(1) == pytest.approx(1, abs=0.01)
    assert [LABELS[i] for i in said.argmax(1)] == ["positive", "negative"]
    again = train_teacher(TEACHER, teacher_folder, rows, rows[:8], run)
    assert np.array_equal(again.predict(texts), teacher.predict(texts))


def test_a_teacher_that_is_no_model_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"config\.json and tokenizer"):
        train_teacher(TEACHER, tmp_path, english_examples(), [], Run(tmp_path / "run"))


def test_an_encoder_learns_from_a_teacher_and_a_committee(
    teacher_folder: Path, tmp_path: Path
) -> None:
    data = build_data(tmp_path / "data")
    start = build_start_model(tmp_path / "start")
    first = train_encoder(RECIPE, data, tmp_path / "run", tmp_path / "first", start)
    recipe = dataclasses.replace(
        RECIPE,
        teacher=TEACHER,
        finetune=dataclasses.replace(RECIPE.finetune, epochs=1, self_label=True),
    )
    work, out = tmp_path / "run2", tmp_path / "second"
    with pytest.raises(BadInput, match="not installed"):
        train_encoder(recipe, data, work, out, first)
    train_encoder(recipe, data, work, out, first, first, teacher_folder)
    card = json.loads((out / "card.json").read_text("utf-8"))
    assert card["training_examples"]["en_varied"] > 0
    assert card["training_examples"]["en_sentences"] > 0
    assert card["training_examples"][corpora.SELF_LABELLED] > 0
    assert card["started_from"]["averaged"]["share"] == recipe.average_share
    text = (out / "CARD.md").read_text("utf-8")
    assert "averaged with version" in text
    assert "all-mpnet-base-v2" in text


def test_the_packaged_teacher_is_put_together_once_and_checked(
    teacher_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = io.BytesIO()
    with zipfile.ZipFile(whole, "w") as archive:
        for name in FILES:
            archive.write(teacher_folder / name, f"all-mpnet-base-v2/{name}")
        archive.writestr("all-mpnet-base-v2/1_Pooling/config.json", "{}")
    size = -(-len(whole.getvalue()) // len(PACKAGES))
    for number, package in enumerate(PACKAGES):
        piece = f"{package}/input/all-mpnet-base-v2.zip.00{number + 1}"
        about = tmp_path / f"{package.replace('-', '_')}-0.0.1.dist-info"
        about.mkdir()
        (about / "METADATA").write_text(f"Name: {package}\nVersion: 0.0.1\n", "utf-8")
        (about / "RECORD").write_text(f"{piece},,\n", "utf-8")
        (tmp_path / piece).parent.mkdir(parents=True)
        part = whole.getvalue()[number * size : (number + 1) * size]
        (tmp_path / piece).write_bytes(part)
    monkeypatch.syspath_prepend(tmp_path)
    weights = (teacher_folder / "model.safetensors").read_bytes()
    with pytest.raises(BadInput, match="SHA-256"):
        packaged_teacher(tmp_path / "wrong", "0" * 64)
    folder = packaged_teacher(tmp_path / "model", hashlib.sha256(weights).hexdigest())
    assert (folder / "model.safetensors").read_bytes() == weights
    assert (folder / "config.json").read_bytes() == (teacher_folder / "config.json").read_bytes()
    assert packaged_teacher(folder) == folder


def test_the_taught_recipe_is_read() -> None:
    recipe = EncoderRecipe.load("taught")
    assert recipe.teacher is not None
    assert recipe.teacher.repeats["en_sst2"] == 1


def test_taught_loss_is_a_mean_of_both_and_of_one_where_the_other_is_silent() -> None:
    logits = torch.tensor([[2.0, 0.0, 0.0, 0.0], [0.0, 1.0, 0.0, 0.0]])
    right = torch.tensor([[True, False, False, False], [False] * 4])
    taught = torch.tensor([[0.0] * 4, [0.25] * 4])
    log_p = logits.log_softmax(-1)
    from_teacher = -log_p[1].mean()
    loss = taught_loss(logits, right, taught, torch.tensor([0.0, 1.0]), 0.1)
    assert torch.allclose(loss, (any_of_loss(logits[:1], right[:1], 0.1) + from_teacher) / 2)
    both = taught_loss(
        logits[:1], right[:1], torch.tensor([[0.5, 0.5, 0, 0]]), torch.tensor([0.5]), 0
    )
    assert torch.allclose(both, -(log_p[0, 0] + (log_p[0, 0] + log_p[0, 1]) / 2) / 2)


def test_a_committee_moves_the_odds_of_the_poles_to_the_mean_and_leaves_the_rest() -> None:
    good = [f"质量很好{i}" for i in range(30)]
    bad = [f"质量很差{i}" for i in range(30)]
    rows = [Example(t, POSITIVE, "zh_eprstmt") for t in good]
    rows += [Example(t, NEGATIVE, "zh_eprstmt") for t in bad]
    linear = linear_reader(rows)
    undecided = np.array([[1.0, 0.5, 1.0, 0.0], [1.0, 0.5, 1.0, 0.0]], dtype=np.float32)
    before = torch.from_numpy(undecided).softmax(-1).numpy()
    after = committee_probabilities(["质量很好", "质量很差"], undecided, linear)
    assert after.sum(1) == pytest.approx(1, abs=1e-5)
    assert after[:, 1] == pytest.approx(before[:, 1])
    assert after[0, 2] > after[0, 0]
    assert after[1, 2] < after[1, 0]


def test_varied_texts_are_new_seeded_and_made_of_neighbours() -> None:
    vocab = {"good": 0, "great": 1, "phone": 2, "box": 3, "x": 4}
    tokenizer = Tokenizer(models.WordLevel(vocab, unk_token="x"))
    vectors = np.array([[1, 0.1], [1, 0], [0, 1], [0.1, 1], [5, 5]])
    near = word_neighbours(vectors, tokenizer, ["good phone"])
    assert near["good"][0] == "great"
    assert near["phone"][0] == "box"
    assert "good" not in near["good"]
    texts = ["good phone good phone", "good good phone"]
    made = varied_texts(texts, {"good": ["great"], "phone": ["box"]}, 20, seed=3)
    assert made == varied_texts(texts, {"good": ["great"], "phone": ["box"]}, 20, seed=3)
    assert len(set(made)) == len(made)
    assert not set(made) & set(texts)
    assert any("great" in text for text in made)


def test_sentences_keep_to_the_length_and_come_once() -> None:
    reviews = [
        "It works. It does what it says! Fine?",
        "It does what it says! Very very long " * 20,
    ]
    found = sentences_of(reviews, 10, seed=1)
    assert "It does what it says!" in found
    assert all(4 <= len(text.split()) <= 40 for text in found)
    assert len(set(found)) == len(found)
