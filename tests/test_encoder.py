"""The encoder answers alike in any batch, in any backend, and refuses what it cannot serve."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from server.artefacts import load_artefact, update_config
from server.models.calibrate import calibrate_artefact
from server.models.encoder import Encoder, read_batches, reader_of, softmax
from server.models.quantise import activation_range, calibrate, round_weights
from server.models.tokens import TextReader, batches, padded_length
from tests.tiny_encoder import LOADED_WORDS, PLAIN_WORDS, build_tiny_encoder, build_tiny_tokenizer
from udfs.errors import BadInput, ModelFailed

PRECISIONS = ("f32", "bf16", "int8")


def some_texts(count: int, seed: int = 1) -> list[str]:
    """Reviews of one to sixty words, both languages, about half with loaded words."""
    random = np.random.default_rng(seed)
    words = [*PLAIN_WORDS, *(word for some in LOADED_WORDS.values() for word in some), "zebra77"]
    return [" ".join(random.choice(words, size=int(random.integers(1, 60)))) for _ in range(count)]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = build_tiny_encoder(tmp_path_factory.mktemp("models") / "encoder")
    calibrate_artefact(folder, some_texts(200, seed=2))
    return folder


@pytest.fixture(scope="module")
def encoder(folder: Path) -> Iterator[Encoder]:
    encoder = Encoder.load(folder)
    yield encoder
    encoder.close()


def load(folder: Path, precision: str) -> Encoder:
    try:
        return Encoder.load(folder, backend="openvino", precision=precision)
    except RuntimeError as error:  # A CPU may lack bfloat16.
        pytest.skip(f"{precision} does not run on this CPU: {error}")


def test_loaded_words_decide_the_label(encoder: Encoder) -> None:
    texts = [
        "great shoes, I love it",
        "bad and slow, broken",
        "物流太慢了，包装也破了",
        "很好 很棒",
    ]
    labels = [encoder.labels[index] for index in encoder.predict_proba(texts).argmax(axis=1)]
    assert labels == ["positive", "negative", "negative", "positive"]


def test_shapes_and_sums(encoder: Encoder) -> None:
    texts = some_texts(5)
    assert encoder.predict_logits(texts).shape == (5, 4)
    assert encoder.embed(texts).shape == (5, encoder.hidden_size) == (5, 64)
    np.testing.assert_allclose(encoder.predict_proba(texts).sum(axis=1), 1, atol=1e-6)
    assert encoder.predict_proba([]).shape == (0, 4)


def test_probabilities_are_logits_over_the_temperature(encoder: Encoder) -> None:
    logits = encoder.predict_logits(["good"])[0].astype(float)
    powers = [np.exp(value / 1.5) for value in logits]  # 1.5: the tiny encoder's temperature
    expected = [power / sum(powers) for power in powers]
    np.testing.assert_allclose(encoder.predict_proba(["good"])[0], expected, atol=1e-6)


@pytest.mark.parametrize("precision", PRECISIONS)
def test_an_answer_is_the_same_bit_for_bit_in_any_batch(folder: Path, precision: str) -> None:
    encoder = load(folder, precision)
    texts = some_texts(300)
    alone = np.concatenate([encoder.predict_logits([text]) for text in texts])
    order = np.random.default_rng(3).permutation(len(texts))
    shuffled = np.empty_like(alone)
    shuffled[order] = encoder.predict_logits([texts[index] for index in order])
    for size in (7, 64, len(texts)):
        parts = [texts[start : start + size] for start in range(0, len(texts), size)]
        together = np.concatenate([encoder.predict_logits(part) for part in parts])
        np.testing.assert_array_equal(together, alone, err_msg=f"batches of {size}")
    np.testing.assert_array_equal(shuffled, alone, err_msg="shuffled")
    vectors = np.concatenate([encoder.embed([text]) for text in texts[:50]])
    np.testing.assert_array_equal(encoder.embed(texts)[:50], vectors)
    encoder.close()


@pytest.mark.parametrize(("precision", "near"), [("f32", 1e-5), ("bf16", 2e-3), ("int8", 0.01)])
def test_the_fast_runtime_agrees_with_torch(folder: Path, precision: str, near: float) -> None:
    reference = Encoder.load(folder, backend="torch")
    assert (reference.backend, reference.precision) == ("torch", "torch")
    texts = some_texts(300)
    expected, found = reference.predict_proba(texts), load(folder, precision).predict_proba(texts)
    assert np.abs(found - expected).max() < near
    sure = np.sort(expected, axis=1)[:, -1] - np.sort(expected, axis=1)[:, -2] > 2 * near
    assert sure.sum() > 50
    np.testing.assert_array_equal(found.argmax(axis=1)[sure], expected.argmax(axis=1)[sure])


def test_int8_really_rounds(folder: Path) -> None:
    texts = some_texts(20)
    exact, rounded = (load(folder, name).predict_logits(texts) for name in ("f32", "int8"))
    assert 1e-4 < np.abs(exact - rounded).max() < 0.3


def test_arithmetic_is_part_of_the_version(folder: Path) -> None:
    versions = {name: load(folder, name).version for name in ("f32", "int8")}
    artefact = load_artefact(folder)
    assert versions == {name: f"{artefact.version}-{name}" for name in versions}


def test_calibration_is_repeatable_and_renews_the_version(tmp_path: Path) -> None:
    folder = build_tiny_encoder(tmp_path / "encoder")
    plain = load_artefact(folder)
    assert plain.quantisation() == {}
    texts = some_texts(50)
    first = calibrate_artefact(folder, texts)
    tables = first.quantisation()
    assert first.version != plain.version
    assert calibrate_artefact(folder, texts).version == first.version
    layers = plain.config["num_hidden_layers"]
    assert len(tables) == layers * 3 * 2
    assert not any(name.startswith("encoder.layer.0.output.dense") for name in tables)
    assert tables["encoder.layer.0.attention.self.scale"].shape == (64,)


def test_int8_without_ranges_says_so(tmp_path: Path) -> None:
    folder = build_tiny_encoder(tmp_path / "encoder")
    with pytest.raises(ModelFailed, match="no int8 ranges"):
        Encoder.load(folder, precision="int8")


@pytest.mark.skipif(sys.platform == "darwin", reason="oneDNN's ISA limit is for x86")
def test_a_cpu_whose_int8_sums_overflow_computes_in_float(folder: Path) -> None:
    """Imitates a CPU without VNNI; the precision is asked of the runtime, not read from a list."""
    code = (
        "from server.models.encoder_openvino import adds_int8_exactly; print(adds_int8_exactly())"
    )
    answers = {}
    for isa in ("AVX2", "AVX512_CORE_VNNI"):
        environment = {**os.environ, "ONEDNN_MAX_CPU_ISA": isa}
        command = [sys.executable, "-c", code]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
        answers[isa] = done.stdout.strip()
    if answers["AVX512_CORE_VNNI"] == "False":
        pytest.skip("this CPU has no VNNI")
    assert answers["AVX2"] == "False"


def test_rounding_of_weights_by_hand() -> None:
    rounded, step = round_weights(np.array([[1.0, -2.54, 0.004], [0, 0, 0]], dtype=np.float32))
    assert rounded.tolist() == [[50, -127, 0], [0, 0, 0]]
    np.testing.assert_allclose(step, [[0.02], [1]])


@pytest.mark.parametrize(("lo", "hi"), [(-1.0, 2.0), (-0.17, 24.0), (-5.0, 5.0), (0.0, 1.0)])
def test_zero_is_exact_in_an_activation_range(lo: float, hi: float) -> None:
    low, high = activation_range(lo, hi)
    step = (high - low) / 255
    assert abs(low / step - round(low / step)) < 1e-3
    assert low <= lo + step
    assert high >= hi - step


def test_torch_answers_do_not_depend_on_the_batch_either(folder: Path) -> None:
    encoder = Encoder.load(folder, backend="torch")
    texts = some_texts(60)
    alone = np.concatenate([encoder.predict_proba([text]) for text in texts])
    together = encoder.predict_proba(texts)
    np.testing.assert_array_equal(together.argmax(axis=1), alone.argmax(axis=1))
    np.testing.assert_allclose(together, alone, atol=1e-5)


def test_threads_that_share_an_encoder_get_their_own_answers(encoder: Encoder) -> None:
    parts = [some_texts(40, seed=seed) for seed in range(8)]
    expected = [encoder.predict_logits(part) for part in parts]
    found: dict[int, np.ndarray] = {}

    def work(index: int) -> None:
        found[index] = encoder.predict_logits(parts[index])

    threads = [threading.Thread(target=work, args=(index,)) for index in range(len(parts))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for index, answer in enumerate(expected):
        np.testing.assert_array_equal(found[index], answer)


def test_empty_odd_and_endless_texts_have_answers(encoder: Encoder) -> None:
    odd = ["", " ", "\ud83d half an emoji", "\x00", "😀👍", "很" * 32_767, "a" * 32_767]
    answers = encoder.predict_proba([*odd, "great"])
    assert np.isfinite(answers).all()
    np.testing.assert_array_equal(answers[-1], encoder.predict_proba(["great"])[0])


def test_something_else_than_a_text_is_refused(encoder: Encoder) -> None:
    with pytest.raises(BadInput, match="Found int where the encoder expected a text"):
        encoder.predict_logits(["good", 3])  # type: ignore[list-item]


def test_head_and_tail_of_a_long_text_are_kept() -> None:
    tokenizer = build_tiny_tokenizer().to_str()
    text = " ".join(["great"] * 20 + ["the"] * 100 + ["bad"] * 20)
    head = TextReader(tokenizer, 16)
    both = TextReader(tokenizer, 16, "head_tail", head_tokens=6)
    (whole,) = TextReader(tokenizer, 500).read([text])
    assert head.read([text]) == [whole[:15] + whole[-1:]]
    assert both.read([text]) == [whole[:6] + whole[-10:]]
    assert both.read(["great bad"]) == head.read(["great bad"])
    with pytest.raises(ValueError, match="truncation is 'middle'"):
        TextReader(tokenizer, 16, "middle")


def test_batches_hold_every_text_once_in_texts_of_one_length() -> None:
    random = np.random.default_rng(4)
    ids = [list(range(1, int(random.integers(3, 130)))) for _ in range(500)]
    seen: list[int] = []
    for batch in batches(ids, batch_tokens=256):
        rows, length = batch.token_ids.shape
        assert rows & (rows - 1) == 0
        assert rows == 1 or rows * length <= 256
        assert length % 8 == 0
        for row, place in enumerate(batch.rows):
            one = ids[place]
            assert padded_length(len(one)) == length
            assert batch.token_ids[row].tolist() == one + [0] * (length - len(one))
            assert batch.lengths[row] == len(one)
        seen += batch.rows.tolist()
    assert sorted(seen) == list(range(500))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"hidden_act": "relu"}, "computes gelu and mean"),
        ({"max_tokens": 4096}, "knows only 128 positions"),
        ({"vocab_size": 999}, r"word_embeddings\.weight has shape .* says \(999, 64\)"),
        ({"num_hidden_layers": 3}, r"no tensor encoder\.layer\.2"),
    ],
)
def test_a_config_that_does_not_fit_the_weights_is_refused(
    tmp_path: Path, change: dict[str, object], message: str
) -> None:
    folder = build_tiny_encoder(tmp_path / "encoder")
    update_config(folder, **change)
    with pytest.raises(ModelFailed, match=message):
        Encoder.load(folder)


def test_an_unknown_backend_names_the_choices(folder: Path) -> None:
    with pytest.raises(ModelFailed, match=r"'tensorrt'.*auto, openvino, torch"):
        Encoder.load(folder, backend="tensorrt")


def test_torch_refuses_an_arithmetic_that_it_does_not_have(folder: Path) -> None:
    with pytest.raises(ModelFailed, match=r"'int8'.*openvino"):
        Encoder.load(folder, backend="torch", precision="int8")


def test_openvino_loads_and_answers_without_torch(folder: Path) -> None:
    code = (
        "import sys\n"
        "sys.modules['torch'] = sys.modules['transformers'] = None\n"
        "from server.models.encoder import Encoder\n"
        f"print(Encoder.load({str(folder)!r}).predict_logits(['great']).shape)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stdout.strip() == "(1, 4)", done.stderr


def test_loading_leaves_the_threads_free_to_run_on_any_core(folder: Path) -> None:
    """OpenVINO's pinning would bind the caller's thread to one core for good."""
    if not hasattr(os, "sched_getaffinity"):
        pytest.skip("this system cannot tell a thread's cores")
    before = os.sched_getaffinity(0)
    encoder = load(folder, "f32")
    encoder.predict_logits(some_texts(5))
    artefact = load_artefact(folder)
    some = read_batches(reader_of(artefact.config, artefact.tokenizer_json), some_texts(5))
    calibrate(artefact.config, artefact.tensors(), some)
    assert os.sched_getaffinity(0) == before


def test_freeing_a_model_right_after_work_never_hangs(folder: Path) -> None:
    """With callbacks, OpenVINO's threads wanted Python's lock while its destructor held it."""
    code = (
        "from server.models.encoder import Encoder\n"
        "for _ in range(15):\n"
        f"    encoder = Encoder.load({str(folder)!r}, precision='f32')\n"
        "    encoder.predict_logits(['good', 'bad ' * 30] * 30)\n"
        "    encoder.close()\n"
    )
    done = subprocess.run([sys.executable, "-c", code], timeout=120, check=False)
    assert done.returncode == 0


def test_a_tokenizer_of_another_model_is_refused(tmp_path: Path) -> None:
    folder = build_tiny_encoder(tmp_path / "encoder")
    tensors = load_artefact(folder).tensors()
    name = "embeddings.word_embeddings.weight"
    tensors[name] = tensors[name][:50].copy()
    save_file(tensors, folder / "model.safetensors")
    update_config(folder, vocab_size=50)
    with pytest.raises(ModelFailed, match="tokens, the weights only 50"):
        Encoder.load(folder)


def test_softmax_of_large_numbers_is_finite() -> None:
    np.testing.assert_allclose(softmax(np.array([[1e4, 1e4, -1e4]])), [[0.5, 0.5, 0]])


def test_extra_tensors_do_no_harm_and_missing_ones_are_named(tmp_path: Path) -> None:
    folder = build_tiny_encoder(tmp_path / "encoder")
    tensors = load_artefact(folder).tensors()
    del tensors["classifier.bias"]
    save_file(tensors, folder / "model.safetensors")
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    del config["sha256"]
    (folder / "config.json").write_text(json.dumps(config), encoding="utf-8")
    with pytest.raises(ModelFailed, match=r"no tensor classifier\.bias"):
        Encoder.load(folder)
