"""The knowledge file in use: read when it changes; when it cannot be, the last good one stays."""

from __future__ import annotations

import hashlib
import json
import logging
import os
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from server.knowledge.model import NO_KNOWLEDGE, Knowledge
from server.knowledge.reading import files_of, read_knowledge
from udfs.errors import BadInput

log = logging.getLogger(__name__)

LOOK_EVERY_S = 1.0  # asking the disk costs each request a few microseconds
FORMAT_VERSION = 1

# Per file its name, time of change and size: what differs without reading.
Signature = tuple[tuple[str, int, int], ...]


@dataclass(frozen=True)
class ShelfState:
    """What is in use, for people. `problem`: why the file itself could not be taken."""

    path: Path
    knowledge: Knowledge
    problem: str | None = None

    def to_json(self) -> dict[str, Any]:
        """As /v1/models shows it."""
        return {
            "file": str(self.path),
            "in_use": bool(self.knowledge),
            "version": self.knowledge.digest() or None,
            "rows": self.knowledge.counts(),
            "problem": self.problem,
        }


class KnowledgeShelf:
    """Gives the knowledge of a file as it is now. May be asked from many threads at once.

    A file that cannot be read changes nothing: the last good contents stay in use, also after a
    new start, for they are kept in `kept`.
    """

    def __init__(
        self,
        path: Path,
        kept: Path | None = None,
        required: bool = False,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """required: whether it is a problem that there is no such file."""
        self.path = path
        self._kept = kept
        self._required = required
        self._clock = clock
        self._looked = float("-inf")
        self._signature: Signature | None = None
        self._content, self._good = b"", NO_KNOWLEDGE  # what was read last without a problem
        self._state = ShelfState(path, NO_KNOWLEDGE)
        self._lock = threading.Lock()
        self._loaded = False

    def current(self) -> Knowledge:
        """The knowledge to answer with now."""
        return self.state().knowledge

    def state(self) -> ShelfState:
        """What is in use, after a look at the file if the last one is a moment ago."""
        # While one thread reads, the others answer with what was there; but the first waits.
        if self._is_time() and self._lock.acquire(blocking=not self._loaded):
            try:
                if self._is_time():
                    self._look()
                    self._loaded = True
                    self._looked = self._clock()
            finally:
                self._lock.release()
        return self._state

    def _is_time(self) -> bool:
        return self._clock() - self._looked >= LOOK_EVERY_S

    def _look(self) -> None:
        try:
            signature = _signature(self.path)
            # A file that could not be read is tried again: it may have been open elsewhere.
            if signature == self._signature and self._state.problem is None:
                return
            knowledge, content = self._read(signature)
            if _signature(self.path) == signature:  # else it is being written: the next time
                self._signature = signature
                self._take(knowledge, content)
        except BadInput as error:
            self._fail(error.message)
        except OSError as error:
            self._fail(f"{self.path} cannot be read: {error.strerror or error}.")

    def _read(self, signature: Signature) -> tuple[Knowledge, bytes]:
        """What the file says now, and the hash of its content; it is read only if that changed."""
        if not signature and not self._required:
            return NO_KNOWLEDGE, b""
        content = _content(self.path)
        if content and content == self._content:
            return self._good, content
        return read_knowledge(self.path), content

    def _take(self, knowledge: Knowledge, content: bytes) -> None:
        self._content, self._good = content, knowledge
        before = self._state
        self._state = ShelfState(self.path, knowledge)
        if knowledge != before.knowledge or before.problem:
            log.info("knowledge file %s: %s", self.path, knowledge.counts())
            self._keep(knowledge)

    def _fail(self, problem: str) -> None:
        knowledge = self._state.knowledge if self._loaded else self._last_kept()
        if problem != self._state.problem:
            log.warning("the knowledge file cannot be used, the last good one stays: %s", problem)
        self._state = ShelfState(self.path, knowledge, problem)

    def _keep(self, knowledge: Knowledge) -> None:
        if self._kept is None:
            return
        data = {
            "format_version": FORMAT_VERSION,
            "file": str(self.path),
            "knowledge": knowledge.to_json(),
        }
        try:
            self._kept.parent.mkdir(parents=True, exist_ok=True)
            part = self._kept.with_name(f"{self._kept.name}.{os.getpid()}.part")
            part.write_text(json.dumps(data, ensure_ascii=False), encoding="utf-8")
            part.replace(self._kept)
        except OSError as error:
            log.warning("%s cannot be written: %s", self._kept, error)

    def _last_kept(self) -> Knowledge:
        """What this file said when it could last be read; nothing if that is not known."""
        if self._kept is None or not self._kept.is_file():
            return NO_KNOWLEDGE
        try:
            data = json.loads(self._kept.read_text(encoding="utf-8"))
            if data["format_version"] != FORMAT_VERSION or data["file"] != str(self.path):
                return NO_KNOWLEDGE
            return Knowledge.from_json(data["knowledge"])
        except (OSError, ValueError, KeyError, TypeError) as error:
            log.warning("%s cannot be used: %s", self._kept, error)
            return NO_KNOWLEDGE


def _signature(path: Path) -> Signature:
    found = [(file.name, file.stat()) for file in files_of(path)]
    return tuple((name, stat.st_mtime_ns, stat.st_size) for name, stat in found)


def _content(path: Path) -> bytes:
    """A hash of what the files hold; b"" where there are none."""
    files = files_of(path)
    digest = hashlib.blake2b()
    for file in files:
        data = file.read_bytes()
        digest.update(f"{file.name}\0{len(data)}\0".encode() + data)
    return digest.digest() if files else b""
