"""Who may call: token, Host, Origin, CORS, the token file, and no traffic beyond this machine."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient

from server.app import create_app
from server.engine import Engine
from server.guard import server_token
from server.settings import Settings
from tests.conftest import TOKEN
from udfs.client import token_path
from udfs.errors import BadInput

ROOT = Path(__file__).parent.parent
CALL = {"calls": [{"id": "1", "function": "SENTIMENT", "args": ["great"]}]}
PRIVATE = ("/v1/functions", "/v1/models", "/metrics")


@pytest.mark.parametrize(
    "authorization",
    [
        None,
        "",
        "Bearer",
        "Bearer ",
        "Bearer wrong",
        f"Basic {TOKEN}",
        TOKEN,
        f"Bearer {TOKEN}x",
        f"Bearer {TOKEN[:-1]}",
        "Bearer \u00e9",
    ],
)
def test_without_the_token_nothing_private_is_answered(
    app: Flask, engine: Engine, authorization: str | None
) -> None:
    stranger = app.test_client()
    headers = {} if authorization is None else {"Authorization": authorization}
    for path in PRIVATE:
        response = stranger.get(path, headers=headers)
        assert response.status_code == 401, path
        assert response.headers["WWW-Authenticate"].startswith("Bearer")
        assert TOKEN not in response.text
    response = stranger.post("/v1/calls", json=CALL, headers=headers)
    assert response.status_code == 401
    assert "The token is missing or wrong" in response.get_json()["error"]["message"]
    assert not engine.stats().cells, "the engine was asked before the token was checked"


def test_what_is_public_needs_no_token(app: Flask) -> None:
    stranger = app.test_client()
    for path in ("/health", "/openapi.json", "/docs"):
        assert stranger.get(path).status_code == 200, path


def test_metrics_may_be_opened_to_this_machine(settings: Settings, engine: Engine) -> None:
    opened = create_app(settings.changed(metrics_without_token=True), engine).test_client()
    assert opened.get("/metrics").status_code == 200
    elsewhere = {"REMOTE_ADDR": "10.0.0.9"}
    assert opened.get("/metrics", environ_overrides=elsewhere).status_code == 401
    assert opened.get("/v1/models").status_code == 401


@pytest.mark.parametrize(
    "host", ["localhost", "localhost:8421", "127.0.0.1", "127.0.0.1:99", "[::1]:8421", "LocalHost"]
)
def test_this_machine_may_be_named_in_any_way(client: FlaskClient, host: str) -> None:
    assert client.post("/v1/calls", json=CALL, headers={"Host": host}).status_code == 200


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "evil.example:8421",
        "localhost.evil.example",
        "127.0.0.1.evil.example",
        "evil.example#localhost",
        "localhost@evil.example",
        "",
        "[::1",
        "10.0.0.1",
    ],
)
def test_another_host_name_is_refused(client: FlaskClient, host: str) -> None:
    response = client.post("/v1/calls", json=CALL, headers={"Host": host})
    assert response.status_code == 403
    assert "SHOPSHEET_ALLOWED_HOSTS" in response.get_json()["error"]["message"]


def test_a_host_name_can_be_allowed(settings: Settings, engine: Engine) -> None:
    opened = create_app(settings.changed(allowed_hosts=("sheets.lan",)), engine).test_client()
    assert opened.get("/health", headers={"Host": "sheets.lan:8421"}).status_code == 200


def test_pages_of_other_origins_are_refused(client: FlaskClient) -> None:
    for origin in ("https://evil.example", "null", "http://localhost:9999", "https://127.0.0.1"):
        headers = {"Origin": origin, "Host": "localhost:8421"}
        response = client.post("/v1/calls", json=CALL, headers=headers)
        assert response.status_code == 403, origin
        assert "Access-Control-Allow-Origin" not in response.headers
        preflight = client.options("/v1/calls", headers=headers)
        assert preflight.status_code == 403
    own = {"Origin": "http://localhost:8421", "Host": "localhost:8421"}
    assert client.post("/v1/calls", json=CALL, headers=own).status_code == 200


def test_an_allowed_page_may_call_and_read(settings: Settings, engine: Engine) -> None:
    page = "https://localhost:3000"
    app = create_app(settings.changed(allowed_origins=(page,)), engine)
    browser = app.test_client()
    preflight = browser.options(
        "/v1/calls",
        headers={
            "Origin": page,
            "Access-Control-Request-Method": "POST",
            "Access-Control-Request-Headers": "authorization,content-type",
            "Access-Control-Request-Private-Network": "true",
        },
    )
    assert preflight.status_code == 204
    assert preflight.headers["Access-Control-Allow-Origin"] == page
    assert "POST" in preflight.headers["Access-Control-Allow-Methods"]
    assert "Authorization" in preflight.headers["Access-Control-Allow-Headers"]
    assert preflight.headers["Access-Control-Allow-Private-Network"] == "true"
    response = browser.post(
        "/v1/calls", json=CALL, headers={"Origin": page, "Authorization": f"Bearer {TOKEN}"}
    )
    assert response.status_code == 200
    assert response.headers["Access-Control-Allow-Origin"] == page
    assert "Origin" in response.headers["Vary"]
    # The token is asked for all the same, and the page can read that it is missing.
    refused = browser.post("/v1/calls", json=CALL, headers={"Origin": page})
    assert refused.status_code == 401
    assert refused.headers["Access-Control-Allow-Origin"] == page


def test_answers_are_not_kept_or_guessed_by_browsers(client: FlaskClient) -> None:
    response = client.post("/v1/calls", json=CALL)
    assert response.headers["Cache-Control"] == "no-store"
    assert response.headers["X-Content-Type-Options"] == "nosniff"


def test_the_token_file_is_made_once_and_only_for_the_user(settings: Settings) -> None:
    settings = settings.changed(token="")
    assert settings.token_path == token_path()
    token = server_token(settings)
    assert len(token) >= 32
    assert server_token(settings) == token == token_path().read_text(encoding="utf-8")
    if os.name == "posix":
        assert stat.S_IMODE(token_path().stat().st_mode) == 0o600


def test_servers_that_start_at_once_agree_on_the_token(settings: Settings) -> None:
    settings = settings.changed(token="")
    tokens: list[str] = []
    barrier = threading.Barrier(8)

    def start() -> None:
        barrier.wait()
        tokens.append(server_token(settings))

    threads = [threading.Thread(target=start) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(tokens) == 8
    assert len(set(tokens)) == 1


@pytest.mark.parametrize("content", ["", "short", "has a space in it", "ein schlüssel"])
def test_a_token_that_cannot_be_used_is_named(settings: Settings, content: str) -> None:
    settings = settings.changed(token="")
    settings.home.mkdir(parents=True)
    settings.token_path.write_text(content, encoding="utf-8")
    with pytest.raises(BadInput, match=r"The token in .*token has .* Delete it"):
        server_token(settings)


def test_the_token_does_not_show_in_settings(settings: Settings) -> None:
    assert TOKEN not in repr(settings)


NO_NETWORK = """
import socket, sys, threading

LOCAL = {"127.0.0.1", "::1", "localhost"}


def checked(name):
    real = getattr(socket.socket, name)

    def call(self, address, *rest):
        if self.family in (socket.AF_INET, socket.AF_INET6) and address[0] not in LOCAL:
            print(f"BLOCKED {name} {address}", flush=True)
            raise OSError("blocked by the test")
        return real(self, address, *rest)

    return call


class Guarded(socket.socket):
    connect = checked("connect")
    connect_ex = checked("connect_ex")
    bind = checked("bind")


def resolve(host, *rest, real=socket.getaddrinfo, **more):
    if host not in LOCAL:
        print(f"BLOCKED lookup of {host}", flush=True)
        raise OSError("blocked by the test")
    return real(host, *rest, **more)


socket.socket = Guarded
socket.getaddrinfo = resolve
try:  # the guard itself works
    socket.create_connection(("192.0.2.1", 80), timeout=1)
except OSError:
    print("guard works", flush=True)
from server.cli import main
sys.exit(main(sys.argv[1:]))
"""


def test_serve_and_call_reach_nothing_but_this_machine(
    tiny_encoder_folder: Path, own_home: Path, free_port: int
) -> None:
    environment = {
        **os.environ,
        "SHOPSHEET_ENCODER": str(tiny_encoder_folder),
        "SHOPSHEET_PORT": str(free_port),
        "http_proxy": "http://192.0.2.1:1",
        "PYTHONUNBUFFERED": "1",
    }

    def guarded(*args: str) -> list[str]:
        return [sys.executable, "-c", NO_NETWORK, *args]

    server = subprocess.Popen(
        guarded("serve", "--port", str(free_port)),
        cwd=ROOT,
        env=environment,
        stdout=subprocess.PIPE,
        text=True,
        encoding="utf-8",
    )
    assert server.stdout is not None
    lines: list[str] = []
    try:
        for line in server.stdout:
            lines.append(line)
            if line.startswith("ready"):
                break
        over_http = subprocess.run(
            guarded("call", "SENTIMENT", '["great","bad"]'),
            cwd=ROOT,
            env=environment,
            capture_output=True,
            text=True,
            encoding="utf-8",
            check=False,
            timeout=120,
        )
    finally:
        server.terminate()
        lines += server.stdout.readlines()
        server.stdout.close()
        server.wait(60)
    in_process = subprocess.run(
        guarded("call", "SENTIMENT", '["great","bad"]', "--no-store"),
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        encoding="utf-8",
        check=False,
        timeout=120,
    )
    served = "".join(lines)
    assert "ready after" in served
    for output in (served, over_http.stdout, in_process.stdout):
        assert output.count("BLOCKED") == 1, output  # the guard's own trial
        assert "guard works" in output
    assert over_http.stdout.endswith("positive\nnegative\n"), over_http.stderr
    assert in_process.stdout.endswith("positive\nnegative\n"), in_process.stderr
