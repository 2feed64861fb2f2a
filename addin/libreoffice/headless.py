"""Starts a LibreOffice without windows and works on its extensions; run by a Python that has UNO.

`PYTHON headless.py SOFFICE PROFILE ACTION [ARGUMENT]` prints one line of JSON. SOFFICE is the
program, PROFILE the URL of its user profile or "" for the user's own. Actions: `list`,
`add FILE`, `remove IDENTIFIER`. LibreOffice's own Python may be as old as 3.8.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
import uuid
from pathlib import Path
from typing import TYPE_CHECKING, Any

import uno
import unohelper
from com.sun.star.connection import NoConnectException
from com.sun.star.task import XInteractionHandler
from com.sun.star.ucb import XCommandEnvironment

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

START_S = 90.0  # the first start of a profile takes longest
STOP_S = 20.0
HANDOVER_S = 1.0  # a start that hands over to a running LibreOffice ends within this
REPOSITORY = "user"


@contextlib.contextmanager
def running_office(
    soffice: str, profile: str, environment: Mapping[str, str] | None = None
) -> Iterator[Any]:
    """The component context of a LibreOffice that is started here and ended afterwards.

    Raises: RuntimeError if it does not start, for instance because one with this profile runs.
    """
    pipe = f"shopsheet{uuid.uuid4().hex[:12]}"
    command = [soffice, "--headless", "--norestore", f"--accept=pipe,name={pipe};urp;"]
    if profile:
        command.append(f"-env:UserInstallation={profile}")
    with tempfile.TemporaryFile() as output:
        office = subprocess.Popen(
            command,
            env=None if environment is None else dict(environment),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            try:
                context = _connect(pipe, office)
                _refuse_somebody_elses(context, office)
            except RuntimeError as error:
                output.seek(0)
                said = output.read().decode("utf-8", "replace").strip()
                raise RuntimeError(f"{error} {said}".strip()) from None
            yield context
            _terminate(context)
            with contextlib.suppress(subprocess.TimeoutExpired):
                office.wait(STOP_S)
        finally:
            _kill(office)


def _connect(pipe: str, office: subprocess.Popen[bytes]) -> Any:
    local = uno.getComponentContext()
    resolver = local.ServiceManager.createInstanceWithContext(
        "com.sun.star.bridge.UnoUrlResolver", local
    )
    deadline = time.monotonic() + START_S
    while True:
        try:
            return resolver.resolve(f"uno:pipe,name={pipe};urp;StarOffice.ComponentContext")
        except NoConnectException:
            pass
        if office.poll() is not None:
            raise RuntimeError(
                "LibreOffice ended at once. If it is open, close all its windows and try again."
            )
        if time.monotonic() > deadline:
            raise RuntimeError(f"LibreOffice did not start within {START_S:g} s.")
        time.sleep(0.2)


def _refuse_somebody_elses(context: Any, office: subprocess.Popen[bytes]) -> None:
    """Nothing, if it is ours. A second start of a profile hands over to the first and ends; then
    we would talk to the user's own LibreOffice, and close it at the end.

    Raises: RuntimeError if it is not ours.
    """
    with contextlib.suppress(subprocess.TimeoutExpired):
        office.wait(HANDOVER_S)
    if office.poll() is not None or _desktop(context).getFrames().getCount():
        raise RuntimeError("LibreOffice is open. Close all its windows and try again.")


def _desktop(context: Any) -> Any:
    return context.ServiceManager.createInstanceWithContext("com.sun.star.frame.Desktop", context)


def _terminate(context: Any) -> None:
    # It may be gone before it has answered.
    with contextlib.suppress(Exception):
        _desktop(context).terminate()


def _kill(office: subprocess.Popen[bytes]) -> None:
    """Nothing; the program and what it started are gone. It is a script that starts another."""
    if os.name == "posix":
        with contextlib.suppress(ProcessLookupError):
            os.killpg(office.pid, signal.SIGKILL)
    else:
        subprocess.run(
            ["taskkill", "/F", "/T", "/PID", str(office.pid)], capture_output=True, check=False
        )
    office.wait()


class _Approve(unohelper.Base, XCommandEnvironment, XInteractionHandler):
    """Says yes: without it the extension manager takes silence for no."""

    def getInteractionHandler(self) -> Any:
        return self

    def getProgressHandler(self) -> Any:
        return None

    def handle(self, request: Any) -> None:
        approve = uno.getTypeByName("com.sun.star.task.XInteractionApprove")
        for continuation in request.getContinuations():
            choice = continuation.queryInterface(approve)
            if choice is not None:
                choice.select()
                return


def installed(manager: Any) -> dict[str, str]:
    """Version of every extension of the user, by identifier."""
    packages = manager.getDeployedExtensions(REPOSITORY, manager.createAbortChannel(), _Approve())
    return {package.getIdentifier().Value: package.getVersion() for package in packages}


def act(context: Any, action: str, arguments: list[str]) -> dict[str, str]:
    """The user's extensions, after `action` was done."""
    manager = context.getValueByName("/singletons/com.sun.star.deployment.ExtensionManager")
    if action == "add":
        url = Path(arguments[0]).resolve().as_uri()
        manager.addExtension(url, (), REPOSITORY, manager.createAbortChannel(), _Approve())
    elif action == "remove":
        (identifier,) = arguments
        if identifier in installed(manager):
            channel = manager.createAbortChannel()
            manager.removeExtension(identifier, "", REPOSITORY, channel, _Approve())
    elif action != "list":
        raise RuntimeError(f"There is no action {action!r}.")
    return installed(manager)


def main(soffice: str, profile: str, action: str, *arguments: str) -> int:
    try:
        with running_office(soffice, profile) as context:
            print(json.dumps({"installed": act(context, action, list(arguments))}))
            return 0
    except Exception as error:  # UNO raises anything; the caller shows the text
        message = getattr(error, "Message", None) or str(error) or type(error).__name__
        print(json.dumps({"error": str(message)}))
        return 1


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
