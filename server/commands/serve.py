"""`shopsheet serve`: runs the server until it is stopped."""

from __future__ import annotations

import argparse
import logging
import logging.handlers
import signal
import socket
import sys
import threading
import time
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from server.engine import Engine
    from server.listener import Listener
    from server.settings import Settings
    from server.tls_front import TlsFront

log = logging.getLogger(__name__)

HELP = "Run the server that answers formulas, until Ctrl-C."
LOG_BYTES = 5 * 1024 * 1024
LOG_FILES = 3


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--host", help="address to listen on (default 127.0.0.1: this machine)")
    parser.add_argument("--port", type=int, help="port to listen on (default 8421)")


def run(args: argparse.Namespace) -> int:
    """0 after a stop that was asked for, 1 if the models cannot be loaded."""
    started = time.monotonic()
    from server.settings import Settings

    settings = Settings.from_environment(host=args.host, port=args.port)
    listening = _take_port(settings)
    try:
        return _serve(settings, listening, started)
    finally:
        listening.close()


def _serve(settings: Settings, listening: socket.socket, started: float) -> int:
    from server.app import create_app
    from server.engine import Engine
    from server.listener import Listener

    _log_to(settings.home / "logs" / "server.log")
    with Engine(settings) as engine:
        app = create_app(settings, engine)
        listener = Listener(app, settings, listening)
        _stop_on_signals(listener)
        _say(f"Shopsheet listens at {listener.url}")
        _say(f"token: {'SHOPSHEET_TOKEN' if settings.token else settings.token_path}")
        failures: list[int] = []
        watcher = threading.Thread(
            target=_announce, args=(engine, listener, started, failures), name="announce"
        )
        watcher.start()
        https = _start_https(settings, listener)
        try:
            listener.run()
        finally:
            if https is not None:
                https.stop()
            app.extensions["shopsheet"]["jobs"].close()
        _say("stopping")
    watcher.join()
    return 1 if failures else 0


def _take_port(settings: Settings) -> socket.socket:
    from server.listener import PortTaken, listen_socket
    from server.running import look

    try:
        return listen_socket(settings.host, settings.port)
    except PortTaken:
        if look(settings.url).shopsheet:
            raise PortTaken(
                f"Shopsheet already runs at {settings.url}. Use that one, stop it first, or "
                "choose another port with --port."
            ) from None
        raise


def _start_https(settings: Settings, listener: Listener) -> TlsFront | None:
    """HTTPS in front of the server if there is a certificate for it; HTTP goes on in any case."""
    from server.certificates import (
        INSTALL_COMMAND,
        RENEW_DAYS,
        certificate_folder,
        load_certificate,
    )
    from server.listener import PortTaken
    from server.tls_front import TlsFront
    from udfs.errors import BadInput

    folder = certificate_folder(settings.home)
    if not folder.exists():
        return None  # no Excel add-in: no reason to speak of it, nor to load cryptography
    try:
        certificate = load_certificate(folder)
        if certificate is None:
            return None
        if problem := certificate.problem():
            _say(f"no HTTPS for Excel: the certificate in {folder} cannot be used, {problem}.")
            _say(f"Run `{INSTALL_COMMAND}` and start the server again.")
            return None
        address = urlsplit(listener.url)
        target = (address.hostname or "127.0.0.1", listener.port)
        https = TlsFront(certificate.server_context(), settings.https_port, target)
    except (BadInput, PortTaken) as error:
        _say(f"no HTTPS for Excel: {error.message}")
        return None
    https.start()
    _say(f"Excel reaches it at {https.url}")
    if (days := certificate.days_left()) < RENEW_DAYS:
        _say(f"Its certificate ends in {days} days. `{INSTALL_COMMAND}` renews it.")
    return https


def _announce(engine: Engine, listener: Listener, started: float, failures: list[int]) -> None:
    """Says when the models are ready; stops the server if they cannot be loaded."""
    from server.engine import StillLoading
    from udfs.errors import NotReady

    try:
        engine.wait_ready(engine.settings.load_timeout_s)
    except NotReady as error:
        if listener.stopped:
            return
        if isinstance(error, StillLoading):
            _say(f"{error.message} The server goes on loading.")
            return
        print(f"error: {error.message}", file=sys.stderr, flush=True)
        failures.append(1)
        listener.stop()
        return
    models = ", ".join(f"{m['model']} on {m['backend']}" for m in engine.models() if "model" in m)
    _say(f"ready after {time.monotonic() - started:.1f} s: {models}. Ctrl-C stops it.")


def _stop_on_signals(listener: Listener) -> None:
    if threading.current_thread() is not threading.main_thread():
        return  # signals are the main thread's alone; whoever runs us elsewhere calls stop()

    def stop(signal_number: int, frame: FrameType | None) -> None:
        listener.stop()

    for name in ("SIGINT", "SIGTERM", "SIGBREAK"):
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), stop)


def _log_to(path: Path) -> None:
    """Everything to a file that cannot grow for ever, warnings to the terminal as well."""
    form = logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s")
    terminal = logging.StreamHandler()
    terminal.setLevel(logging.WARNING)
    handlers: list[logging.Handler] = [terminal]
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handlers.append(
            logging.handlers.RotatingFileHandler(
                path, maxBytes=LOG_BYTES, backupCount=LOG_FILES, encoding="utf-8", delay=True
            )
        )
    except OSError as error:
        print(f"no log file: {path} cannot be written ({error})", file=sys.stderr)
    for handler in handlers:
        handler.setFormatter(form)
    logging.basicConfig(level=logging.INFO, handlers=handlers, force=True)


def _say(text: str) -> None:
    print(text, flush=True)
    log.info(text)
