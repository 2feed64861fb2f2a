"""What a cosine means: an encoder's own numbers, how they are fitted and kept."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from server.artefacts import update_config
from server.engine import Engine
from server.models.encoder import Encoder
from server.models.intents import FOLDER, encoder_version
from server.models.scale import DEFAULT, KEY, Scale, scale_of
from server.settings import Settings
from tests.tiny_intents import build_tiny_head
from udfs.errors import ModelFailed

DATA = Path(os.environ.get("SHOPSHEET_DATA") or Path(__file__).parents[2] / "shared" / "data")


@pytest.fixture
def folder(tiny_encoder_folder: Path, tmp_path: Path) -> Path:
    """A tiny encoder of the test's own."""
    return shutil.copytree(tiny_encoder_folder, tmp_path / "encoder")


def version(folder: Path) -> str:
    encoder = Encoder.load(folder)
    encoder.close()
    return encoder_version(encoder)


def test_a_score_of_a_half_is_where_the_nearest_is_as_likely_right_as_not() -> None:
    scale = Scale(found=0.6, found_chinese=0.7)
    assert scale.score(0.6, "slow delivery") == pytest.approx(0.5)
    assert scale.score(0.7, "物流慢") == pytest.approx(0.5)
    cosines = np.array([-0.2, 0.0, 0.3, 0.6, 0.8, 1.0])
    scores = scale.score(cosines, "slow delivery")
    assert scores[0] == 0.0
    assert scores[-1] == 1.0
    assert (np.diff(scores) >= 0).all()


def test_an_encoder_brings_its_own_numbers_and_another_version(folder: Path) -> None:
    before = version(folder)
    update_config(folder, **{KEY: {"found": 0.3}})
    encoder = Encoder.load(folder)
    encoder.close()
    assert scale_of(encoder) == Scale(found=0.3)
    assert encoder_version(encoder) != before
    assert scale_of(object()) == DEFAULT


@pytest.mark.parametrize("bad", [{"fnd": 0.3}, {"found": "0.3"}, {"found": 0}, {"same": None}])
def test_a_number_that_cannot_be_used_is_named(folder: Path, bad: dict[str, Any]) -> None:
    update_config(folder, **{KEY: bad})
    with pytest.raises(ModelFailed, match=f"{next(iter(bad))} = .*expected numbers above 0"):
        Encoder.load(folder)


def test_the_numbers_of_an_encoder_decide_answers(folder: Path, settings: Settings) -> None:
    texts = [["phone battery"], ["slow delivery"]]
    found = []
    for cosine in (0.01, 0.9999):
        update_config(folder, **{KEY: {"found": cosine}})
        with Engine(settings.changed(encoder_folder=folder)) as engine:
            found.append(engine.call("SIMILAR", "the phone battery is", texts, None, "none"))
    assert found == ["phone battery", "none"]


def test_saved_numbers_are_the_encoders_and_its_head_for_needs_stays_its_own(
    folder: Path, tmp_path: Path
) -> None:
    pytest.importorskip("pandas")
    from server.training.fit_reading import save_scale

    shelf = build_tiny_head(tmp_path / "needs", folder)
    scale = Scale(found=0.4, same=0.9)
    saved = save_scale(folder, scale, shelf.folder)
    encoder = Encoder.load(folder)
    encoder.close()
    assert encoder.scale == scale
    assert encoder_version(encoder) == saved
    assert shelf.head_for(encoder).encoder == saved


def test_a_head_of_another_encoder_is_left_alone(folder: Path, tmp_path: Path) -> None:
    pytest.importorskip("pandas")
    from server.training.fit_reading import save_scale

    head = shutil.copytree(FOLDER, tmp_path / "needs")
    before = (head / "config.json").read_bytes()
    save_scale(folder, Scale(found=0.4), head)
    assert (head / "config.json").read_bytes() == before


@pytest.mark.slow
@pytest.mark.skipif(not DATA.is_dir(), reason=f"needs the training data in {DATA}")
def test_one_command_fits_all_of_them(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("pandas")
    from server.training.fit_reading import main

    shelf = build_tiny_head(tmp_path / "needs", folder)
    arguments = ["--data", str(DATA), "--model", str(folder), "--needs", str(shelf.folder)]
    assert main([*arguments, "--save"]) == 0
    line = json.loads(capsys.readouterr().out.splitlines()[-1])
    encoder = Encoder.load(folder)
    encoder.close()
    assert encoder.scale == Scale(**line["scale"])
    assert shelf.head_for(encoder)
    measured = line["measured"]
    assert measured["several labels"]["f1"] >= measured["several labels"]["before"]
