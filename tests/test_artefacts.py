"""An artefact folder is saved whole, loaded checked, and refused with a reason when damaged."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from server import artefacts
from server.artefacts import (
    FORMAT_VERSION,
    is_artefact,
    load_artefact,
    save_artefact,
    update_config,
    upgrade_config,
)
from server.models.encoder import Encoder
from tests.tiny_encoder import build_tiny_encoder
from udfs.errors import ModelFailed

TEXTS = ["great shoes", "slow and bad", "物流太慢了"]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return build_tiny_encoder(tmp_path / "encoder")


def test_saved_is_what_is_loaded(folder: Path) -> None:
    first = load_artefact(folder)
    copy = save_artefact(
        folder.parent / "copy", first.tensors(), first.tokenizer_json, first.config, first.card
    )
    second = load_artefact(copy)
    assert (second.version, second.config, second.card) == (
        first.version,
        first.config,
        first.card,
    )
    for name, tensor in first.tensors().items():
        assert tensor.dtype == np.float16
        np.testing.assert_array_equal(second.tensors()[name], tensor)
    encoders = [Encoder.load(one) for one in (folder, copy)]
    np.testing.assert_array_equal(*(encoder.predict_logits(TEXTS) for encoder in encoders))


def test_the_same_arguments_build_the_same_bytes(folder: Path, tmp_path: Path) -> None:
    other = build_tiny_encoder(tmp_path / "other")
    for file in sorted(path.name for path in folder.iterdir()):
        assert (folder / file).read_bytes() == (other / file).read_bytes(), file


def test_saving_replaces_an_older_artefact_and_leaves_nothing_beside_it(folder: Path) -> None:
    before = load_artefact(folder).version
    build_tiny_encoder(folder, seed=8)
    assert load_artefact(folder).version != before
    assert [path.name for path in folder.parent.iterdir()] == ["encoder"]


def test_a_failed_save_keeps_the_older_artefact(folder: Path) -> None:
    before = load_artefact(folder)
    with pytest.raises(TypeError):
        save_artefact(
            folder, before.tensors(), before.tokenizer_json, before.config, {"a": object()}
        )
    assert load_artefact(folder).version == before.version
    assert [path.name for path in folder.parent.iterdir()] == ["encoder"]


@pytest.mark.parametrize("change", [{"temperature": 2.0}, {"max_tokens": 32}])
def test_whatever_changes_answers_changes_the_version(
    folder: Path, change: dict[str, object]
) -> None:
    before = load_artefact(folder).version
    after = update_config(folder, **change)
    assert after.version != before
    assert after.version.startswith("0.1-")
    assert load_artefact(folder).config.items() >= change.items()


def test_a_card_that_is_rewritten_keeps_the_version(folder: Path) -> None:
    before = load_artefact(folder).version
    (folder / "card.json").write_text('{"accuracy": 0.9}', encoding="utf-8")
    after = load_artefact(folder)
    assert after.card == {"accuracy": 0.9}
    assert after.version == before


def test_windows_line_ends_in_the_tokenizer_are_the_same_model(folder: Path) -> None:
    before = load_artefact(folder).version
    path = folder / "tokenizer.json"
    path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n"))
    assert load_artefact(folder).version == before


def test_a_changed_byte_in_the_weights_is_found(folder: Path) -> None:
    path = folder / "model.safetensors"
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(bytes(content))
    with pytest.raises(ModelFailed, match=r"model\.safetensors cannot be used: its checksum"):
        load_artefact(folder)


def test_weights_cut_short_are_found_even_without_a_checksum(folder: Path) -> None:
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    del config["sha256"]
    (folder / "config.json").write_text(json.dumps(config), encoding="utf-8")
    path = folder / "model.safetensors"
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(ModelFailed, match=r"model\.safetensors cannot be used"):
        load_artefact(folder).tensors()


@pytest.mark.parametrize("name", ["config.json", "tokenizer.json", "model.safetensors"])
def test_a_missing_file_is_named(folder: Path, name: str) -> None:
    (folder / name).unlink()
    with pytest.raises(ModelFailed, match=f"has no {name}"):
        load_artefact(folder)


def test_a_missing_folder_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(ModelFailed, match=r"No model folder at .*nowhere.*SHOPSHEET_ENCODER"):
        load_artefact(tmp_path / "nowhere")


def test_config_that_is_no_json_is_named(folder: Path) -> None:
    (folder / "config.json").write_text("{", encoding="utf-8")
    assert not is_artefact(folder)
    with pytest.raises(ModelFailed, match=r"config\.json cannot be used: it is not readable JSON"):
        load_artefact(folder)


def test_a_newer_format_asks_for_an_upgrade_of_shopsheet() -> None:
    with pytest.raises(ModelFailed, match=f"has format 99.*up to {FORMAT_VERSION}.*Upgrade"):
        upgrade_config({"format_version": 99})


def test_an_old_format_is_upgraded_step_by_step() -> None:
    old = {"format_version": 0, "labels": ["a", "b"]}
    new = upgrade_config(old)
    assert new == {
        "format_version": FORMAT_VERSION,
        "labels": ["a", "b"],
        "truncation": "head",
        "artefact_version": "0",
    }
    assert old["format_version"] == 0
    assert sorted(artefacts._UPGRADES) == list(range(FORMAT_VERSION))


def test_a_folder_of_another_kind_is_refused() -> None:
    with pytest.raises(ModelFailed, match=r"no format_version.*not a Shopsheet model"):
        upgrade_config({"model_type": "bert"})
