"""Who may call: token, Host and Origin checks, and the CORS headers of allowed pages.

Any web page that the user visits can send requests to localhost. So a request must know the token,
must name this machine as its host (a page cannot fake that, which stops DNS rebinding), and must
not come from a page elsewhere that was not allowed.
"""

from __future__ import annotations

import contextlib
import hmac
import os
import secrets
import time
from collections.abc import Iterable
from pathlib import Path
from urllib.parse import urlsplit

from flask import Request, Response

from server.settings import Settings
from udfs.errors import BadInput

LOOPBACK_HOSTS = frozenset({"127.0.0.1", "localhost", "::1"})
ANY_ADDRESS = frozenset({"0.0.0.0", "::", ""})
TOKEN_BYTES = 32
PREFLIGHT_SECONDS = 600


class Guard:
    """The checks of one server."""

    def __init__(self, settings: Settings, token: str) -> None:
        self._token = token.encode("utf-8")
        self._hosts = {host.lower() for host in (*LOOPBACK_HOSTS, *settings.allowed_hosts)}
        if settings.host not in ANY_ADDRESS:
            self._hosts.add(settings.host.lower())
        self._origins = {origin.lower().rstrip("/") for origin in settings.allowed_origins}

    def host_problem(self, request: Request) -> str | None:
        """What is wrong with the Host header, None if it names this machine."""
        name = _host_name(request.headers.get("Host", ""))
        if name in self._hosts:
            return None
        return (
            f"The Host header names {name[:80]!r}, which is not this server. "
            "Use 127.0.0.1 or localhost, or add the name to SHOPSHEET_ALLOWED_HOSTS."
        )

    def origin_problem(self, request: Request) -> str | None:
        """What is wrong with the Origin header, None if there is none or it may call."""
        origin = request.headers.get("Origin")
        if origin is None or self.is_allowed_origin(origin):
            return None
        host = request.headers.get("Host", "").lower()
        if origin.lower() in (f"http://{host}", f"https://{host}"):
            return None
        return (
            f"Pages of {origin[:80]!r} may not call this server. "
            "If you trust them, add the origin to SHOPSHEET_ALLOWED_ORIGINS."
        )

    def is_allowed_origin(self, origin: str) -> bool:
        return origin.lower() in self._origins

    def knows_token(self, request: Request) -> bool:
        """Whether the request carries the token; takes as long for any wrong one."""
        scheme, _, given = request.headers.get("Authorization", "").partition(" ")
        matches = hmac.compare_digest(given.strip().encode("utf-8", "replace"), self._token)
        return scheme.lower() == "bearer" and matches

    def add_cors(self, request: Request, response: Response) -> None:
        """Nothing; an allowed page may read the response."""
        origin = request.headers.get("Origin")
        if origin is None or not self.is_allowed_origin(origin):
            return
        response.headers["Access-Control-Allow-Origin"] = origin
        response.headers["Access-Control-Expose-Headers"] = "Retry-After"
        response.vary.add("Origin")

    def preflight(self, request: Request) -> Response:
        """The answer to a browser that asks whether a page may call."""
        response = Response(status=204)
        response.headers["Access-Control-Allow-Methods"] = "GET, POST, DELETE"
        response.headers["Access-Control-Allow-Headers"] = (
            "Authorization, Cache-Control, Content-Type"
        )
        response.headers["Access-Control-Max-Age"] = str(PREFLIGHT_SECONDS)
        # Chrome asks this before a public page may reach a private address.
        if request.headers.get("Access-Control-Request-Private-Network") == "true":
            response.headers["Access-Control-Allow-Private-Network"] = "true"
        return response


def server_token(settings: Settings) -> str:
    """The token that clients must know: the one set, else the token file's, made when missing.

    Raises: BadInput if it cannot be used as a token or the file cannot be read or written.
    """
    if settings.token:
        return _usable(settings.token, "SHOPSHEET_TOKEN")
    path = settings.token_path
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with contextlib.suppress(FileExistsError):
            _write_private(path, secrets.token_urlsafe(TOKEN_BYTES))
        token = path.read_text(encoding="utf-8").strip()
        until = time.monotonic() + 1.0
        while not token and time.monotonic() < until:  # another server is just writing it
            time.sleep(0.02)
            token = path.read_text(encoding="utf-8").strip()
        return _usable(token, str(path))
    except (OSError, UnicodeDecodeError) as error:
        raise BadInput(
            f"The token file {path} cannot be used ({error}). "
            "Delete it, or set SHOPSHEET_HOME to a folder that you can write."
        ) from error


def _write_private(path: Path, text: str) -> None:
    """Makes a file that only the user may read. Raises: FileExistsError."""
    descriptor = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)


def _usable(token: str, source: str) -> str:
    if len(token) < 8 or not all("!" <= char <= "~" for char in token):
        raise BadInput(
            f"The token in {source} has {len(token)} characters; expected at least 8, all of them "
            "ASCII letters, digits or signs. Delete it to have a new one made."
        )
    return token


def _host_name(host: str) -> str:
    """The Host header without its port, lower case; "" if it cannot be read."""
    try:
        return (urlsplit(f"//{host}").hostname or "") if _plain(host) else ""
    except ValueError:
        return ""


def _plain(host: Iterable[str]) -> bool:
    return not any(char in "/@?#\\ " for char in host)
