"""Settings: defaults, the environment, what is passed, and what is refused."""

from __future__ import annotations

from dataclasses import FrozenInstanceError
from pathlib import Path

import pytest

from server.settings import Settings
from udfs.client import shopsheet_home
from udfs.errors import BadInput


def test_defaults_stay_on_this_machine() -> None:
    settings = Settings.from_environment({})
    assert settings.host == "127.0.0.1"
    assert settings.port == 8421
    assert settings.url == "http://127.0.0.1:8421"
    assert settings.home == shopsheet_home()
    assert settings.encoder_folder.parts[-3:] == ("server", "weights", "encoder")


def test_what_is_passed_wins_over_the_environment() -> None:
    environment = {"SHOPSHEET_PORT": "9000", "SHOPSHEET_THREADS": " 3 "}
    settings = Settings.from_environment(environment, port=9001, host=None)
    assert (settings.port, settings.threads, settings.host) == (9001, 3, "127.0.0.1")


def test_every_kind_of_setting_is_read() -> None:
    settings = Settings.from_environment(
        {
            "SHOPSHEET_ENCODER": "/models/mine",
            "SHOPSHEET_STORE": "no",
            "SHOPSHEET_CALL_TIMEOUT_S": "1.5",
            "SHOPSHEET_ALLOWED_ORIGINS": "https://a.example, https://b.example;",
            "SHOPSHEET_TOKEN": "a-token-of-mine",
            "SHOPSHEET_BACKEND": "torch",
            "SHOPSHEET_PRECISION": "f32",
        }
    )
    assert settings.encoder_folder == Path("/models/mine")
    assert settings.store is False
    assert settings.call_timeout_s == 1.5
    assert settings.allowed_origins == ("https://a.example", "https://b.example")
    assert settings.token == "a-token-of-mine"
    assert settings.backend == "torch"
    assert settings.precision == "f32"


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("SHOPSHEET_PORT", "99999", "expected a number from 0 to 65535"),
        ("SHOPSHEET_PORT", "http", "expected a whole number"),
        ("SHOPSHEET_BATCH_MS", "soon", "expected a number"),
        ("SHOPSHEET_CALL_TIMEOUT_S", "nan", "expected a number from"),
        ("SHOPSHEET_STORE", "perhaps", "expected 1 or 0"),
        ("SHOPSHEET_BACKEND", "abacus", "expected one of auto, openvino, torch"),
        ("SHOPSHEET_PRECISION", "f16", "expected one of auto, f32, bf16, int8"),
    ],
)
def test_a_wrong_value_is_named(name: str, value: str, message: str) -> None:
    with pytest.raises(BadInput) as error:
        Settings.from_environment({name: value})
    assert name in error.value.message
    assert message in error.value.message


@pytest.mark.parametrize(
    ("host", "url"),
    [("0.0.0.0", "http://127.0.0.1:1"), ("::1", "http://[::1]:1"), ("::", "http://[::1]:1")],
)
def test_the_url_is_one_that_this_machine_can_use(host: str, url: str) -> None:
    assert Settings(home=Path(), host=host, port=1).url == url


def test_settings_cannot_be_changed() -> None:
    with pytest.raises(FrozenInstanceError):
        Settings(home=Path()).port = 1  # type: ignore[misc]
