"""Finds out who answers at an address: a Shopsheet server, something else, or nobody."""

from __future__ import annotations

import http.client
import json
import socket
from dataclasses import dataclass

from udfs.transport import split_url

CONNECT_S = 1.0
ANSWER_S = 8.0  # /health asks the models, each for up to 5 s


@dataclass(frozen=True)
class Found:
    """What is at an address."""

    somebody: bool  # a program accepts connections there
    shopsheet: bool
    ready: bool = False


def look(url: str) -> Found:
    """Who answers at `url`. Raises: BadInput if it is no address."""
    parts = split_url(url)
    host, port = parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80)
    try:
        socket.create_connection((host, port), timeout=CONNECT_S).close()
    except OSError:
        return Found(somebody=False, shopsheet=False)
    make = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    connection = make(host, port, timeout=ANSWER_S)
    try:
        connection.request("GET", f"{parts.path}/health")
        response = connection.getresponse()
        body = json.loads(response.read(65_536))
        ours = isinstance(body, dict) and body.get("service") == "shopsheet"
        # Also our own answer when too many requests wait: it has no body of /health.
        ours = ours or (response.getheader("Server") or "").startswith("shopsheet")
        return Found(somebody=True, shopsheet=ours, ready=ours and response.status == 200)
    except (OSError, http.client.HTTPException, ValueError):
        return Found(somebody=True, shopsheet=False)
    finally:
        connection.close()
