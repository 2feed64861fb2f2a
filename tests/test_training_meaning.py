"""What texts mean: glosses of Chinese, target vectors, and the embedding that learns them."""

from pathlib import Path

import numpy as np
import pytest
import torch
from tokenizers import Tokenizer

from server.training.evaluate_meaning import first_hits, neighbour_accuracy, parallel_texts
from server.training.glossary import glossary, pairs, parallel_sentences
from server.training.meaning import Glosser, Meanings, english_of, meaning_of
from server.training.network import EncoderNetwork, blend_with_start_model, load_start_model
from tests.tiny_training_data import build_start_model


@pytest.fixture(scope="module")
def glosser() -> Glosser:
    return Glosser()


def test_a_review_becomes_english_words_in_its_order(glosser: Glosser) -> None:
    assert glosser.gloss("物流很慢，包装破了") == "delivery very slow ， packaging broken"
    assert glosser.gloss("iPhone 手机壳不错") == "iPhone phone case good"
    assert english_of(["Great value", "质量好"], glosser) == ["Great value", "quality good"]


def test_a_word_that_no_dictionary_has_is_told_by_its_parts(glosser: Glosser) -> None:
    assert "防辐射服" not in glosser.words
    told = glosser.gloss("防辐射服")
    assert "radiation" in told
    assert not any("\u4e00" <= c <= "\u9fff" for c in told)


def test_the_first_plain_sense_is_taken() -> None:
    assert meaning_of(["variant of 杯[bei1]", "to be (very) slow; late"]) == "slow"
    assert meaning_of(["CL:個|个[ge4]"]) == ""


def test_the_glossary_is_read_as_it_is_written() -> None:
    assert pairs("手机壳=phone case 充电器=charger\n次日达=next day delivery") == [
        ("手机壳", "phone case"),
        ("充电器", "charger"),
        ("次日达", "next day delivery"),
    ]
    words = glossary()
    assert words["性价比"] == "value for money"
    assert all("=" not in text and text.strip() for pair in words.items() for text in pair)


def test_sentences_of_both_languages_say_the_same_and_none_is_of_the_test() -> None:
    made = parallel_sentences(500, seed=1)
    assert made == parallel_sentences(500, seed=1)
    words = glossary()
    for chinese, english in made:
        assert any(zh in chinese and en in english for zh, en in words.items())
    test = parallel_texts()
    assert len(test) == 80
    assert not {chinese for chinese, _ in made} & {chinese for chinese, _ in test}


def test_target_vectors_are_found_by_text() -> None:
    meanings = Meanings(["a", "b"], np.array([[1, 0], [0, 1]], dtype=np.float16))
    found = meanings.of(["b", "unknown", "a"])
    assert found.known.tolist() == [True, False, True]
    assert found.rows(np.array([2, 0])).tolist() == [[1.0, 0.0], [0.0, 1.0]]


def test_neighbours_and_translations_are_counted() -> None:
    vectors = np.array([[1, 0], [0.9, 0.1], [0, 1], [0.1, 0.9]])
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    assert neighbour_accuracy(np.repeat(vectors, 4, 0), np.repeat([0, 0, 1, 1], 4)) == 1.0
    assert neighbour_accuracy(np.repeat(vectors[:2], 6, 0), np.array(["a", "b"] * 6)) < 1
    assert first_hits(vectors[[0, 2]], vectors[[1, 3]]) == (1.0, 1.0)
    assert first_hits(vectors[[0, 2]], vectors[[3, 1]]) == (0.0, 0.0)


@pytest.fixture(scope="module")
def start_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_start_model(tmp_path_factory.mktemp("training") / "start")


def tiny_network(folder: Path, seed: int = 1) -> tuple[Tokenizer, EncoderNetwork]:
    from server.training.vocabulary import build_tokenizer

    texts = ["手机不错 phone"] * 40
    tokenizer = build_tokenizer(folder / "vocab.txt", texts, characters=20, words=5)
    return tokenizer, load_start_model(folder, tokenizer, labels=4, seed=seed)


def test_at_first_the_embedding_is_the_mean_vector(start_model: Path) -> None:
    tokenizer, network = tiny_network(start_model)
    ids = torch.tensor([tokenizer.encode("good phone").ids])
    mask = torch.ones_like(ids)
    with torch.inference_mode():
        _, last, middle = network.read(ids, mask)
        assert torch.allclose(
            network.embed(last, middle), torch.nn.functional.normalize(last, dim=-1), atol=1e-6
        )
        assert torch.allclose(last, network.sentence_vectors(ids, mask))
    assert not torch.equal(last, middle)


def test_blending_moves_what_the_start_model_knows(start_model: Path) -> None:
    tokenizer, trained = tiny_network(start_model)
    origin = {name: p.clone() for name, p in trained.body.named_parameters()}
    with torch.no_grad():
        for parameter in trained.body.parameters():
            parameter.add_(1.0)
    blended = blend_with_start_model(trained, start_model, tokenizer, share=0.25)
    moved = dict(blended.body.named_parameters())
    name = "encoder.layer.0.output.dense.weight"
    assert torch.allclose(moved[name], origin[name] + 0.25, atol=1e-6)
    words = "embeddings.word_embeddings.weight"
    known, own = tokenizer.token_to_id("phone"), tokenizer.token_to_id("手")
    assert torch.allclose(moved[words][known], origin[words][known] + 0.25, atol=1e-6)
    assert torch.allclose(moved[words][own], origin[words][own] + 1.0, atol=1e-6)
