"""The result store: answers of a model kept on disk (SQLite), so that none is computed twice."""

from __future__ import annotations

import hashlib
import logging
import math
import os
import queue
import sqlite3
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path

log = logging.getLogger(__name__)

FORMAT_VERSION = 1
KEY_BYTES = 16  # 2**64 entries before two keys are likely to meet
KEYS_PER_SELECT = 500  # SQLite's oldest limit of parameters per statement is 999
ENTRY_OVERHEAD_BYTES = 48  # key, time and page slack beside the value; a test weighs a real file
EVICT_TO = 0.9  # of the cap, so that eviction is rare
ROWS_PER_DELETE = 20_000  # a longer transaction would keep other writers waiting
TOUCH_AFTER_MIN = 60  # a result read again within the hour is not marked again
WRITE_EVERY_S = 0.25
IDLE_S = 60.0  # marks of use are written at least so often
MAX_UNWRITTEN = 500_000  # entries that may wait for a slow disk before they are dropped

_SCHEMA = f"""
CREATE TABLE IF NOT EXISTS results (
    key BLOB PRIMARY KEY, value BLOB NOT NULL, used_min INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS totals (entries INTEGER NOT NULL, bytes INTEGER NOT NULL);
INSERT INTO totals SELECT 0, 0 WHERE NOT EXISTS (SELECT 1 FROM totals);
CREATE TRIGGER IF NOT EXISTS results_added AFTER INSERT ON results BEGIN
    UPDATE totals SET entries = entries + 1,
        bytes = bytes + length(NEW.value) + {ENTRY_OVERHEAD_BYTES};
END;
CREATE TRIGGER IF NOT EXISTS results_removed AFTER DELETE ON results BEGIN
    UPDATE totals SET entries = entries - 1,
        bytes = bytes - length(OLD.value) - {ENTRY_OVERHEAD_BYTES};
END;
"""

_CORRUPT = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_FORMAT}


class KeyMaker:
    """Makes store keys for one capability, model and set of options; quick, as each cell needs one.

    A key is a hash of all that an answer depends on. Each part is written with its length before
    it, so that ("a", "bc") and ("ab", "c") differ.
    """

    def __init__(self, *parts: str) -> None:
        self._prefix = hashlib.blake2b(digest_size=KEY_BYTES)
        for part in parts:
            data = part.encode("utf-8")
            self._prefix.update(len(data).to_bytes(8, "little") + data)

    def keys(self, items: Iterable[str]) -> list[bytes]:
        """One key per item, in order."""
        copy = self._prefix.copy
        keys = []
        for item in items:
            digest = copy()
            digest.update(item.encode("utf-8", "surrogatepass"))
            keys.append(digest.digest())
        return keys


@dataclass(frozen=True)
class StoreStats:
    """What the store holds and has done since it was opened."""

    entries: int
    bytes: int
    hits: int
    misses: int
    written: int
    evicted: int
    failures: int
    working: bool  # False: the disk refused, results are kept in memory only


class Store:
    """Results by key, in memory for the latest ones and on disk for all.

    A store never fails a call: when the disk does, it says so in the log and works in memory.
    Several processes may share the file. Writes are gathered and done by a thread of its own, so
    a crash loses at most the last moments, which are then computed again.
    """

    def __init__(
        self,
        path: Path | None,
        max_bytes: int = 512 * 1024 * 1024,
        memory_items: int = 20_000,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """A store in the file `path`; None keeps results in memory only."""
        self._path = path
        self._max_bytes = max_bytes
        self._memory_items = memory_items
        self._clock = clock
        self._memory: OrderedDict[bytes, bytes] = OrderedDict()
        self._memory_lock = threading.Lock()
        self._reader: sqlite3.Connection | None = None
        self._writer: sqlite3.Connection | None = None
        self._reader_lock = threading.Lock()
        self._writer_lock = threading.RLock()
        self._unwritten: dict[bytes, bytes] = {}
        self._touched: set[bytes] = set()
        self._waiting = threading.Condition()
        self._flushes: queue.SimpleQueue[threading.Event] = queue.SimpleQueue()
        self._closing = False
        self._hits = self._misses = self._written = self._evicted = self._failures = 0
        self._thread: threading.Thread | None = None
        if path is not None and self._open():
            self._thread = threading.Thread(target=self._write_loop, name="store", daemon=True)
            self._thread.start()

    # Reading

    def get_many(self, keys: Sequence[bytes]) -> list[bytes | None]:
        """The value of each key, None where there is none; order kept."""
        found: dict[bytes, bytes] = {}
        with self._memory_lock:
            memory = self._memory
            for key in keys:
                value = memory.get(key)
                if value is not None:
                    found[key] = value
                    memory.move_to_end(key)
        missing = list(dict.fromkeys(key for key in keys if key not in found))
        if missing and self._reader is not None:
            with self._waiting:  # what is still on its way to the disk
                if self._unwritten:
                    found |= {k: self._unwritten[k] for k in missing if k in self._unwritten}
            missing = [key for key in missing if key not in found]
            on_disk = self._read(missing)
            found |= on_disk
            self._remember(on_disk.items())
        values = [found.get(key) for key in keys]
        hits = sum(value is not None for value in values)
        with self._memory_lock:
            self._hits += hits
            self._misses += len(values) - hits
        return values

    def _read(self, keys: Sequence[bytes]) -> dict[bytes, bytes]:
        found: dict[bytes, bytes] = {}
        stale: list[bytes] = []
        oldest_fresh = self._now_min() - TOUCH_AFTER_MIN
        try:
            with self._reader_lock:
                if self._reader is None:
                    return found
                for start in range(0, len(keys), KEYS_PER_SELECT):
                    chunk = keys[start : start + KEYS_PER_SELECT]
                    marks = ",".join("?" * len(chunk))
                    rows = self._reader.execute(
                        f"SELECT key, value, used_min FROM results WHERE key IN ({marks})",
                        chunk,
                    )
                    for key, value, used_min in rows:
                        found[key] = value
                        if used_min < oldest_fresh:
                            stale.append(key)
        except sqlite3.Error as error:
            self._failed("read", error)
        if stale:
            with self._waiting:
                self._touched.update(stale)
        return found

    # Writing

    def put_many(self, entries: Iterable[tuple[bytes, bytes]]) -> None:
        """Nothing; the entries can be read at once and are on disk a moment later."""
        entries = list(entries)
        if self._thread is not None:
            with self._waiting:
                if len(self._unwritten) + len(entries) <= MAX_UNWRITTEN:
                    self._unwritten.update(entries)
                    self._waiting.notify()
        self._remember(entries)

    def flush(self, timeout_s: float = 30.0) -> bool:
        """Whether everything put so far is on disk."""
        if self._thread is None:
            return False
        done = threading.Event()
        self._flushes.put(done)
        with self._waiting:
            self._waiting.notify()
        return done.wait(timeout_s) and self._writer is not None

    def close(self) -> None:
        """Nothing; writes what is waiting and releases the file."""
        if self._thread is not None:
            with self._waiting:
                self._closing = True
                self._waiting.notify()
            self._thread.join(timeout=60)
            self._thread = None
        self._disconnect()

    def stats(self) -> StoreStats:
        entries = size = 0
        with suppress(sqlite3.Error), self._reader_lock:
            if self._reader is not None:
                entries, size = self._reader.execute("SELECT entries, bytes FROM totals").fetchone()
        with self._memory_lock:
            return StoreStats(
                entries=entries,
                bytes=size,
                hits=self._hits,
                misses=self._misses,
                written=self._written,
                evicted=self._evicted,
                failures=self._failures,
                working=self._reader is not None or self._path is None,
            )

    # The writer thread

    def _write_loop(self) -> None:
        while True:
            with self._waiting:
                self._waiting.wait_for(lambda: self._unwritten or self._hurried(), IDLE_S)
                # Gathers: one transaction for many small puts.
                self._waiting.wait_for(self._hurried, WRITE_EVERY_S)
                closing_now = self._closing
                flushed = _drain(self._flushes)
                entries = dict(self._unwritten)
                touched, self._touched = self._touched, set()
            if entries or touched:
                self._write(entries, touched)
                with self._waiting:  # readable here until it is on disk
                    for key in entries:
                        self._unwritten.pop(key, None)
            for event in flushed:
                event.set()
            if closing_now:
                return

    def _hurried(self) -> bool:
        return self._closing or not self._flushes.empty()

    def _write(self, entries: dict[bytes, bytes], touched: set[bytes]) -> None:
        now = self._now_min()
        try:
            with self._writer_lock:
                writer = self._writer
                if writer is None:
                    return
                with writer:  # one transaction: after a crash all of it is there, or none
                    cursor = writer.executemany(
                        "INSERT OR IGNORE INTO results VALUES (?, ?, ?)",
                        [(key, value, now) for key, value in entries.items()],
                    )
                    written = max(cursor.rowcount, 0)
                    if touched:
                        writer.executemany(
                            "UPDATE results SET used_min = ? WHERE key = ?",
                            [(now, key) for key in touched],
                        )
                with self._memory_lock:
                    self._written += written
                self._evict(writer)
        except sqlite3.Error as error:
            self._failed("write", error)

    def _evict(self, writer: sqlite3.Connection) -> None:
        """Deletes the results that were not used for longest, once the cap is passed."""
        size = writer.execute("SELECT bytes FROM totals").fetchone()[0]
        if size <= self._max_bytes:
            return
        excess = size - int(self._max_bytes * EVICT_TO)
        ages = writer.execute(
            f"SELECT used_min, count(*), sum(length(value) + {ENTRY_OVERHEAD_BYTES}) "
            "FROM results GROUP BY used_min ORDER BY used_min"
        ).fetchall()
        removed = 0
        for used_min, count, in_this_minute in ages:
            if excess <= 0:
                break
            # Of the last minute that must go, only as many as must.
            share = min(1.0, excess / in_this_minute)
            left = math.ceil(count * share)
            while left > 0:
                with writer:
                    deleted = writer.execute(
                        "DELETE FROM results WHERE key IN "
                        "(SELECT key FROM results WHERE used_min = ? LIMIT ?)",
                        (used_min, min(left, ROWS_PER_DELETE)),
                    ).rowcount
                removed += deleted
                left -= max(deleted, 1)
            excess -= in_this_minute
        with self._memory_lock:
            self._evicted += removed
        log.info("the result store passed its size cap: %d oldest results removed", removed)

    # The file

    def _open(self) -> bool:
        """Whether the file could be opened; a damaged one is moved aside first."""
        assert self._path is not None
        for attempt in (1, 2):
            try:
                self._path.parent.mkdir(parents=True, exist_ok=True)
                self._writer = _connect(self._path)
                self._reader = _connect(self._path)
                return True
            except (sqlite3.Error, OSError) as error:
                self._disconnect()
                if attempt == 1 and _is_corrupt(error):
                    if self._move_aside(error):
                        continue
                    return False
                log.error(
                    "the result store %s cannot be opened (%s): results are kept in memory only, "
                    "until the server is started again. Check that the folder can be written and "
                    "that the disk is not full.",
                    self._path,
                    error,
                )
                self._failures += 1
                return False
        return False

    def _move_aside(self, why: Exception) -> bool:
        assert self._path is not None
        stamp = time.strftime("%Y%m%d-%H%M%S")
        aside = self._path.with_name(f"{self._path.name}.damaged-{stamp}-{os.getpid()}")
        try:
            for suffix in ("", "-wal", "-shm"):
                part = self._path.with_name(self._path.name + suffix)
                if part.exists():
                    part.replace(aside.with_name(aside.name + suffix))
        except OSError as error:  # Windows: another process has it open
            log.error(
                "the result store %s cannot be used (%s) and not be moved aside (%s): results are "
                "kept in memory only. Stop other Shopsheet processes and start again.",
                self._path,
                why,
                error,
            )
            return False
        log.warning(
            "the result store %s cannot be used (%s). It was moved to %s and a new one was begun: "
            "results will be computed again. Nothing else is lost; the moved file can be deleted.",
            self._path,
            why,
            aside.name,
        )
        return True

    def _failed(self, what: str, error: sqlite3.Error) -> None:
        with self._memory_lock:
            self._failures += 1
        if not _is_corrupt(error):
            log.warning("the result store could not %s: %s", what, error)
            return
        # The file went bad while in use. Whoever notices first replaces it.
        if self._disconnect() and self._move_aside(error):
            self._open()

    def _disconnect(self) -> bool:
        """Whether there was something to close."""
        with self._writer_lock, self._reader_lock:
            connections = [c for c in (self._reader, self._writer) if c is not None]
            self._reader = self._writer = None
            for connection in connections:
                connection.close()
        return bool(connections)

    def _remember(self, entries: Iterable[tuple[bytes, bytes]]) -> None:
        with self._memory_lock:
            self._memory.update(entries)
            while len(self._memory) > self._memory_items:
                self._memory.popitem(last=False)

    def _now_min(self) -> int:
        return int(self._clock() // 60)


class _NewerFormat(sqlite3.DatabaseError):
    """The file was written by another version of Shopsheet."""


def _connect(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, timeout=10, check_same_thread=False)
    try:
        found = connection.execute("PRAGMA user_version").fetchone()[0]
        if found not in (0, FORMAT_VERSION):
            raise _NewerFormat(
                f"it has format {found}, and this Shopsheet reads format {FORMAT_VERSION}"
            )
        connection.execute("PRAGMA journal_mode = WAL")  # readers never wait for the writer
        connection.execute(
            "PRAGMA synchronous = NORMAL"
        )  # safe with WAL; a power cut loses seconds
        connection.execute("PRAGMA cache_size = -4096")  # KiB
        with closing(connection.execute("SELECT name FROM sqlite_master")) as names:
            tables = {name for (name,) in names}
        if not {"results", "totals", "results_added", "results_removed"} <= tables:
            connection.executescript(f"BEGIN IMMEDIATE; {_SCHEMA} COMMIT;")
            connection.execute(f"PRAGMA user_version = {FORMAT_VERSION}")
        connection.execute("SELECT entries, bytes FROM totals").fetchone()
        return connection
    except BaseException:
        connection.close()
        raise


def _is_corrupt(error: Exception) -> bool:
    if isinstance(error, _NewerFormat):
        return True
    code = getattr(error, "sqlite_errorcode", 0) or 0
    return isinstance(error, sqlite3.Error) and code & 0xFF in _CORRUPT


def _drain(events: queue.SimpleQueue[threading.Event]) -> list[threading.Event]:
    drained = []
    with suppress(queue.Empty):
        while True:
            drained.append(events.get_nowait())
    return drained
