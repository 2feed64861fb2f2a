"""Fixtures: a tiny real encoder, an engine on it, the Flask client and a server that listens."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient

from server.app import create_app
from server.engine import Engine
from server.listener import Listener
from server.settings import Settings
from tests.tiny_encoder import build_tiny_encoder

TOKEN = "token-of-the-tests"


@pytest.fixture(scope="session")
def tiny_encoder_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a tiny real encoder; tests must not change it."""
    return build_tiny_encoder(tmp_path_factory.mktemp("models") / "encoder")


@pytest.fixture(autouse=True)
def own_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home of its own for each test: no token, store or setting of the user is touched."""
    for name in ("URL", "TOKEN", "ENCODER", "HTTPS_PORT", "KNOWLEDGE"):
        monkeypatch.delenv(f"SHOPSHEET_{name}", raising=False)
    home = tmp_path / "shopsheet-home"
    monkeypatch.setenv("SHOPSHEET_HOME", str(home))
    return home


@pytest.fixture
def settings(own_home: Path, tiny_encoder_folder: Path) -> Settings:
    return Settings(
        home=own_home, port=0, token=TOKEN, encoder_folder=tiny_encoder_folder, threads=4
    )


@pytest.fixture
def engine(settings: Settings) -> Iterator[Engine]:
    with Engine(settings) as engine:
        engine.wait_ready(60)
        yield engine


@pytest.fixture
def app(settings: Settings, engine: Engine) -> Flask:
    app = create_app(settings, engine)
    app.testing = False  # errors must become answers, as they do for users
    return app


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    """A test client that sends the token."""
    client = app.test_client()
    client.environ_base["HTTP_AUTHORIZATION"] = f"Bearer {TOKEN}"
    return client


@pytest.fixture
def free_port() -> int:
    """A port that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@dataclass(frozen=True)
class LiveServer:
    """A server that listens on a free port of this machine."""

    url: str
    port: int
    token: str
    engine: Engine


@pytest.fixture
def live_server(
    app: Flask, settings: Settings, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> Iterator[LiveServer]:
    """Waitress on a free port; the environment points clients at it."""
    listener = Listener(app, settings)
    thread = threading.Thread(target=listener.run, name="live-server")
    thread.start()
    monkeypatch.setenv("SHOPSHEET_URL", listener.url)
    monkeypatch.setenv("SHOPSHEET_TOKEN", TOKEN)
    try:
        yield LiveServer(listener.url, listener.port, TOKEN, engine)
    finally:
        listener.stop()
        thread.join(timeout=30)
    assert not thread.is_alive()
