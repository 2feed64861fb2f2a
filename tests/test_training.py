"""Training in miniature: data, tokenizer, batches, optimiser, and the whole road to an artefact."""

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from server.artefacts import load_artefact
from server.models.encoder import Encoder
from server.training import corpora
from server.training.batches import iterate_batches, iterate_steps, pad
from server.training.evaluate_encoder import as_markdown, evaluate_encoder, write_into_card
from server.training.finetune_encoder import (
    FinetuneRecipe,
    split_examples,
)
from server.training.losses import any_of_loss, fit_temperature
from server.training.metrics import expected_calibration_error, macro_f1
from server.training.optimiser import MasterWeightAdamW, Schedule
from server.training.pretrain_encoder import PretrainRecipe, mask_tokens
from server.training.run import Run
from server.training.train_encoder import EncoderRecipe, train_encoder
from server.training.vocabulary import build_tokenizer, without_words
from server.training.written_texts import neutral_texts
from tests.tiny_training_data import (
    BAD_EN,
    BAD_ZH,
    GOOD_EN,
    GOOD_ZH,
    build_data,
    build_start_model,
)
from udfs.errors import BadInput

RECIPE = EncoderRecipe(
    PretrainRecipe(words=50, epochs={"zh": 0.2, "en": 1}, max_tokens=32, tokens_per_batch=1024),
    FinetuneRecipe(
        epochs=4,
        max_tokens=32,
        head_tokens=12,
        batches_per_step=4,
        tokens_per_batch=512,
        lr=2e-3,
        embedding_lr=5e-3,
        head_lr=1e-2,
        warmup=10,
        dev_share=0.1,
        repeats={"zh_queries": 0.05},
    ),
)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_data(tmp_path_factory.mktemp("training") / "data")


@pytest.fixture(scope="module")
def start_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_start_model(tmp_path_factory.mktemp("training") / "start")


@pytest.fixture(scope="module")
def artefact(data: Path, start_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    work = tmp_path_factory.mktemp("training")
    return train_encoder(RECIPE, data, work / "run", work / "encoder", start_model)


def test_training_gives_an_artefact_that_reads_both_languages(artefact: Path) -> None:
    encoder = Encoder.load(artefact)
    p = encoder.predict_proba(
        ["phone great nice", "delivery bad slow", "手机不错很好", "物流太慢很差"]
    )
    encoder.close()
    score = p[:, corpora.LABELS.index("positive")] - p[:, corpora.LABELS.index("negative")]
    assert score[0] > 0.3
    assert score[2] > 0.3
    assert score[1] < -0.3
    assert score[3] < -0.3


def test_training_further_averages_runs_and_learns_its_own_labels(
    artefact: Path, data: Path, tmp_path: Path
) -> None:
    recipe = dataclasses.replace(
        RECIPE, finetune=dataclasses.replace(RECIPE.finetune, runs=2, self_label=True)
    )
    work, out = tmp_path / "run", tmp_path / "further"
    train_encoder(recipe, data, work, out, artefact)
    runs = [load_file(work / name / "finetuned.safetensors") for name in ("finetune", "finetune2")]
    name = "encoder.layer.0.output.dense.weight"
    one, two = (run[f"body.{name}"] for run in runs)
    assert not torch.equal(one, two)
    mean = load_file(out / "model.safetensors")[name]
    assert torch.allclose(mean.float(), (one + two) / 2, atol=1e-3)
    assert (out / "tokenizer.json").read_bytes() == (artefact / "tokenizer.json").read_bytes()
    card = json.loads((out / "card.json").read_text("utf-8"))
    assert card["started_from"]["version"] == load_artefact(artefact).version
    assert card["training_examples"][corpora.SELF_LABELLED] > 0
    assert card["started_from"]["version"] in (out / "CARD.md").read_text("utf-8")


def test_own_labels_need_a_model_of_ours(data: Path, start_model: Path, tmp_path: Path) -> None:
    recipe = dataclasses.replace(
        RECIPE,
        pretrain=dataclasses.replace(RECIPE.pretrain, epochs={"zh": 0.01, "en": 0.1}),
        finetune=dataclasses.replace(RECIPE.finetune, self_label=True),
    )
    with pytest.raises(BadInput, match="--start-model"):
        train_encoder(recipe, data, tmp_path / "run", tmp_path / "out", start_model)


def test_evaluation_writes_its_table_into_the_card(artefact: Path, data: Path) -> None:
    table = evaluate_encoder(artefact, data)
    assert table["sst2"]["texts"] == 2
    write_into_card(artefact, table)
    write_into_card(artefact, table)
    card = (artefact / "CARD.md").read_text("utf-8")
    assert card.count(as_markdown(table)) == 1
    facts = json.loads((artefact / "card.json").read_text("utf-8"))
    assert facts["evaluation"]["sst2"]["accuracy"] == table["sst2"]["accuracy"]


def test_a_stopped_run_continues_to_the_same_weights(
    data: Path, start_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe = dataclasses.replace(
        RECIPE, finetune=dataclasses.replace(RECIPE.finetune, epochs=1, average_decay=0.9)
    )
    whole = train_encoder(recipe, data, tmp_path / "a", tmp_path / "whole", start_model)
    monkeypatch.setattr("server.training.run.CHECKPOINT_EVERY_S", 0)
    steps = 0
    plain_step = MasterWeightAdamW.step

    def step_then_fail(self: MasterWeightAdamW, factor: float) -> float:
        nonlocal steps
        steps += 1
        if steps == limit:
            raise KeyboardInterrupt
        return plain_step(self, factor)

    monkeypatch.setattr(MasterWeightAdamW, "step", step_then_fail)
    for limit in (6, 12):  # noqa: B007 read by step_then_fail
        with pytest.raises(KeyboardInterrupt):
            train_encoder(recipe, data, tmp_path / "b", tmp_path / "pieces", start_model)
    limit = -1
    pieces = train_encoder(recipe, data, tmp_path / "b", tmp_path / "pieces", start_model)
    one = (whole / "model.safetensors").read_bytes()
    assert one == (pieces / "model.safetensors").read_bytes()


def test_no_evaluation_text_is_trained_on(data: Path) -> None:
    held_out = {t for part in corpora.load_evaluation_sets(data).values() for t in part.text}
    held_out |= {"awful price en_memd", "手机不错的", "very very ok", "a box"}
    examples = {row.text for row in corpora.load_sentiment_examples(data)}
    texts = {t for part in corpora.load_training_texts(data).values() for t in part}
    assert not held_out & examples
    assert not held_out & texts


def test_a_shared_run_of_thirteen_words_bars_a_text(data: Path, tmp_path: Path) -> None:
    barred = corpora.EvaluationTexts(data)
    words = [f"w{i}" for i in range(20)]
    barred._add([" ".join(words)])
    assert barred.hold("Before: " + " ".join(words[3:16]))
    assert not barred.hold("Before: " + " ".join(words[3:15]) + " else")


def test_labels_come_from_stars_and_aspects(data: Path) -> None:
    labels = {row.text: row.labels for row in corpora.load_sentiment_examples(data)}
    assert labels["the phone is ok"] == {"neutral", "mixed"}
    assert labels["great screen, bad box en_memd"] == {"mixed"}
    assert labels["is it a phone"] == {"neutral"}


def test_descriptions_are_neutral_and_joined_reviews_mixed(data: Path) -> None:
    rows = corpora.load_sentiment_examples(data)
    labels = {row.text: row.labels for row in rows}
    assert labels["a blue shirt of myntra"] == {"neutral"}
    assert "a blue shirt of adgen" not in labels  # it praises what it sells
    joined = [row for row in corpora.joined_examples(rows) if row.source == "zh_contrast"]
    assert joined
    for row in joined:
        assert any(word in row.text for word in (*GOOD_ZH, "nice"))
        assert any(word in row.text for word in BAD_ZH)
        assert row.labels == {"mixed"}


def test_held_out_texts_are_in_no_training_text(data: Path) -> None:
    train, dev = split_examples(corpora.load_sentiment_examples(data), 0.2)
    held_out = [row.text for row in dev if row.source == "en_amazon" and "ok" not in row.text]
    joined = [row.text for row in train if row.source in ("en_contrast", "en_long")]
    assert held_out
    assert joined
    assert not [text for text in joined for part in held_out if part in text]


def test_long_texts_keep_their_pole(data: Path) -> None:
    rows = corpora.joined_examples(corpora.load_sentiment_examples(data))
    long = [row for row in rows if row.source == "en_long"]
    assert {"positive", "negative"} == {label for row in long for label in row.labels}
    for row in long:
        words = set(row.text.split())
        assert not words & set(GOOD_EN if row.labels == {"negative"} else BAD_EN)
        assert 2 <= row.text.count("indeed") <= 4


@pytest.mark.parametrize("language", ["en", "zh"])
def test_written_texts_are_many_and_filled_in(language: str) -> None:
    texts = neutral_texts(language, 3000, seed=1)
    assert len(texts) > 1500
    assert len(set(texts)) == len(texts)
    assert not any("{" in text for text in texts)
    assert texts == neutral_texts(language, 3000, seed=1)


def test_detokenise_writes_as_people_do() -> None:
    words = ["it", "is", "n't", "bad", ",", "(", "really", ")", "!"]
    assert corpora.detokenise(words) == "it isn't bad, (really)!"


def test_tokenizer_knows_words_and_falls_back_to_characters(start_model: Path) -> None:
    texts = ["手机不错 phone"] * 40
    tokenizer = build_tokenizer(start_model / "vocab.txt", texts, characters=10, words=10)
    assert tokenizer.encode("手机不错").tokens == ["[CLS]", "手机", "不错", "[SEP]"]
    assert without_words(tokenizer).encode("手机不错").tokens[1:-1] == list("手机不错")
    assert tokenizer.encode("错手 ＰＨＯＮＥ").tokens[1:-1] == ["错", "手", "phone"]
    assert tokenizer.encode("手机不错 phone").offsets[1:4] == [(0, 2), (2, 4), (5, 10)]


def test_batches_hold_every_text_once_within_the_budget() -> None:
    lengths = np.random.default_rng(0).integers(1, 200, 5000)
    batches = list(iterate_batches(lengths, tokens_per_batch=2048, seed=3))
    assert sorted(np.concatenate(batches)) == list(range(5000))
    sizes = [len(b) * (-(-lengths[b].max() // 8) * 8) for b in batches]
    assert max(sizes) <= 2048
    assert lengths.sum() / sum(sizes) > 0.85
    again = list(iterate_batches(lengths, tokens_per_batch=2048, seed=3))
    assert all(np.array_equal(a, b) for a, b in zip(batches, again, strict=True))


def test_steps_hold_every_text_once_in_batches_of_few_shapes() -> None:
    lengths = np.random.default_rng(0).integers(1, 200, 50_000)
    steps = list(iterate_steps(lengths, batches_per_step=4, tokens_per_batch=2048, seed=3))
    batches = [batch for step in steps for batch in step]
    assert sorted(np.concatenate(batches)) == list(range(50_000))
    assert all(len(step) == 4 for step in steps[:-1])
    shapes = {(len(b), -(-lengths[b].max() // 8)) for b in batches}
    assert len(shapes) < len(batches) / 20
    spread = [np.ptp([lengths[batch].mean() for batch in step]) for step in steps[:-1]]
    assert np.median(spread) > 50  # a step is not of one length


def test_pad_rounds_up() -> None:
    assert pad([[5, 6], [7] * 9]).shape == (2, 16)


def test_masking_hides_the_asked_share_and_no_special_token() -> None:
    special = {"[PAD]": 0, "[UNK]": 1, "[CLS]": 2, "[SEP]": 3, "[MASK]": 4}
    rng = np.random.default_rng(0)
    ids = np.concatenate([np.full((100, 1), 2), rng.integers(5, 900, (100, 100))], axis=1)
    masked, chosen = mask_tokens(ids, 0.2, special, 900, rng)
    assert chosen.sum() % 128 == 0
    assert 0.17 < chosen.mean() < 0.2
    assert not chosen[:, 0].any()
    assert (masked[~chosen] == ids[~chosen]).all()
    assert 0.75 < (masked[chosen] == 4).mean() < 0.85


def test_any_of_loss_is_cross_entropy_for_one_label_and_kind_for_two() -> None:
    logits = torch.tensor([[2.0, 0.5, -1.0, 0.1]])
    one = torch.tensor([[True, False, False, False]])
    expected = torch.nn.functional.cross_entropy(logits, torch.tensor([0]))
    assert torch.allclose(any_of_loss(logits, one, 0.0), expected)
    two = torch.tensor([[True, True, False, False]])
    p = logits.softmax(-1)[0]
    assert torch.allclose(any_of_loss(logits, two, 0.0), -(p[0] + p[1]).log())


def test_optimiser_follows_plain_adamw_on_fp32_weights() -> None:
    torch.manual_seed(0)
    ours, plain = torch.nn.Linear(4, 3), torch.nn.Linear(4, 3)
    plain.load_state_dict(ours.state_dict())
    mine = MasterWeightAdamW([(list(ours.parameters()), 0.01, 0.1)], clip_norm=1e9)
    theirs = torch.optim.AdamW(
        plain.parameters(), lr=0.01, weight_decay=0.1, betas=(0.9, 0.98), eps=1e-6
    )
    x = torch.randn(8, 4)
    for _ in range(20):
        ours(x).square().sum().backward()
        mine.step(1.0)
        theirs.zero_grad()
        plain(x).square().sum().backward()
        theirs.step()
    assert torch.allclose(ours.weight, plain.weight, atol=1e-6)


def test_bf16_weights_do_not_lose_small_updates() -> None:
    weight = torch.nn.Parameter(torch.ones(1, dtype=torch.bfloat16))
    optimiser = MasterWeightAdamW([([weight], 1e-4, 0.0)])
    for _ in range(100):  # one step of 1e-4 is far below bf16's spacing near 1 (0.004)
        weight.float().sum().backward()
        optimiser.step(1.0)
    assert weight.item() == pytest.approx(0.99, abs=0.004)


def test_schedule_warms_up_and_decays_to_its_floor() -> None:
    schedule = Schedule(steps=100, warmup=10, floor=0.02)
    assert schedule.factor(0) == pytest.approx(0.1)
    assert schedule.factor(9) == pytest.approx(1.0)
    assert schedule.factor(100) == pytest.approx(0.02)


def test_temperature_undoes_overconfidence() -> None:
    rng = np.random.default_rng(1)
    logits = np.zeros((4000, 4), dtype=np.float32)
    logits[:, 0] = rng.normal(0, 1, 4000)
    p = 1 / (1 + np.exp(-logits[:, 0]))
    logits[:, 1:] = -20.0
    logits[:, 2] = 0.0
    rows = [
        corpora.Example("", frozenset({"negative" if hit else "positive"}), "x")
        for hit in rng.random(4000) < p
    ]
    assert fit_temperature(2 * logits, rows) == pytest.approx(2.0, rel=0.15)


def test_calibration_error_by_hand() -> None:
    # Two bins: confidence 0.9, three of four right; confidence 0.6, one of two right.
    positive = np.array([0.9, 0.9, 0.9, 0.9, 0.6, 0.6])
    truth = np.array([True, True, True, False, True, False])
    assert expected_calibration_error(positive, truth) == pytest.approx((4 * 0.15 + 2 * 0.1) / 6)


def test_macro_f1_by_hand() -> None:
    # a: precision 1/2, recall 1 -> 2/3; b: precision 1, recall 1/2 -> 2/3
    assert macro_f1(["a", "a", "b"], ["a", "b", "b"]) == pytest.approx(2 / 3)


def test_recipes_load_and_name_what_is_wrong(tmp_path: Path) -> None:
    assert EncoderRecipe.load("cpu").finetune.max_tokens == 384
    with pytest.raises(BadInput, match="one of: cpu, more"):
        EncoderRecipe.load("gpu-of-my-neighbour")
    wrong = tmp_path / "wrong.toml"
    wrong.write_text("[finetune]\nepoch = 3\n", encoding="utf-8")
    with pytest.raises(BadInput, match="epoch"):
        EncoderRecipe.load(str(wrong))


def test_a_missing_data_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="--data"):
        train_encoder(RECIPE, tmp_path / "nowhere", tmp_path, tmp_path / "out")


def test_run_keeps_the_newest_checkpoint(tmp_path: Path) -> None:
    run = Run(tmp_path)
    assert run.load_checkpoint(steps=9) is None
    run.save_checkpoint({"step": 1, "steps": 9})  # too early to save again
    assert run.load_checkpoint(steps=9) is None
    run.save_checkpoint({"step": 2, "steps": 9}, force=True)
    assert run.load_checkpoint(steps=9) == {"step": 2, "steps": 9}


def test_a_checkpoint_of_another_recipe_is_refused(tmp_path: Path) -> None:
    Run(tmp_path).save_checkpoint({"step": 2, "steps": 9}, force=True)
    with pytest.raises(BadInput, match=r"9 steps.*make 12"):
        Run(tmp_path).load_checkpoint(steps=12)
