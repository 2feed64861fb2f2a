"""The result store on real files: reads, writes, size cap, kill -9, damage, several processes."""

from __future__ import annotations

import logging
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from server.store import ENTRY_OVERHEAD_BYTES, KeyMaker, Store

ROOT = Path(__file__).parent.parent
MakeStore = Callable[..., Store]


class Clock:
    """A clock that tests set."""

    def __init__(self) -> None:
        self.now = 1_800_000_000.0

    def __call__(self) -> float:
        return self.now

    def forward(self, minutes: float) -> None:
        self.now += minutes * 60


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "home" / "results.sqlite3"


@pytest.fixture
def make(path: Path) -> Iterator[MakeStore]:
    made: list[Store] = []

    def build(where: Path | None = path, **options: object) -> Store:
        store = Store(where, **options)  # type: ignore[arg-type]
        made.append(store)
        return store

    yield build
    for store in made:
        store.close()


def entries(count: int, start: int = 0) -> list[tuple[bytes, bytes]]:
    keys = KeyMaker("test").keys(str(number) for number in range(start, start + count))
    return [(key, b"value-%d" % number) for number, key in enumerate(keys, start=start)]


def test_what_was_put_is_found_also_after_a_restart(make: MakeStore) -> None:
    store = make()
    some = entries(3000)
    store.put_many(some)
    asked = [*(key for key, _ in some), b"unknown key 0000"]
    expected = [*(value for _, value in some), None]
    assert store.get_many(asked) == expected, "before it is on disk"
    store.close()
    assert make(memory_items=0).get_many(asked) == expected


def test_keys_differ_wherever_an_answer_could() -> None:
    makers = [
        KeyMaker("sentiment", "encoder@1"),
        KeyMaker("sentiment", "encoder@2"),
        KeyMaker("sentiment", "encoder@1", "option"),
        KeyMaker("sentimen", "tencoder@1"),
    ]
    keys = [key for maker in makers for key in maker.keys(["good", "good ", "Good", "好"])]
    assert len(set(keys)) == len(keys)
    assert KeyMaker("sentiment", "encoder@1").keys(["good"]) == makers[0].keys(["good"])


def test_a_key_never_changes() -> None:
    # Expected by hand: blake2b-128 over each part with its length (8 bytes, little end first).
    import hashlib

    raw = (
        (9).to_bytes(8, "little") + b"sentiment" + (1).to_bytes(8, "little") + b"m" + "好".encode()
    )
    expected = hashlib.blake2b(raw, digest_size=16).digest()
    assert KeyMaker("sentiment", "m").keys(["好"]) == [expected]


def test_half_an_emoji_has_a_key() -> None:
    assert len(set(KeyMaker("t").keys(["\ud83d", "\ude00"]))) == 2


def test_without_a_file_results_stay_in_memory(make: MakeStore) -> None:
    store = make(None)
    store.put_many([(b"k" * 16, b"v")])
    assert store.get_many([b"k" * 16]) == [b"v"]
    assert store.stats().working


def test_memory_keeps_the_latest(make: MakeStore) -> None:
    store = make(None, memory_items=2)
    first, second, third = entries(3)
    store.put_many([first, second])
    store.get_many([first[0]])
    store.put_many([third])
    assert store.get_many([first[0], second[0], third[0]]) == [first[1], None, third[1]]


def test_hits_and_misses_are_counted(make: MakeStore) -> None:
    store = make()
    some = entries(10)
    store.put_many(some)
    store.get_many([some[0][0], some[1][0], b"unknown key 0000"])
    assert store.flush()
    stats = store.stats()
    assert (stats.hits, stats.misses, stats.written, stats.entries) == (2, 1, 10, 10)


def test_the_oldest_results_make_room(make: MakeStore) -> None:
    clock = Clock()
    size = len(b"value-0000") + ENTRY_OVERHEAD_BYTES
    store = make(max_bytes=1000 * size, memory_items=0, clock=clock)
    old, used, new = entries(500, 1000), entries(400, 2000), entries(500, 3000)
    store.put_many(old)
    store.flush()
    clock.forward(1)
    store.put_many(used)
    store.flush()
    clock.forward(120)
    # Reading makes the older half of `old` new again.
    store.get_many([key for key, _ in old[:250]])
    store.flush()
    clock.forward(1)
    store.put_many(new)
    store.flush()
    stats = store.stats()
    assert stats.bytes <= 1000 * size
    assert stats.entries == 900, "it makes room to nine tenths of the cap, not more"
    assert stats.evicted == 500
    assert all(store.get_many([key for key, _ in new]))
    assert all(store.get_many([key for key, _ in old[:250]]))
    assert not any(store.get_many([key for key, _ in old[250:]])), "unused and oldest"
    assert sum(value is None for value in store.get_many([key for key, _ in used])) == 250


def test_the_size_is_about_that_of_the_file(make: MakeStore, path: Path) -> None:
    store = make()
    keys = KeyMaker("test").keys(str(number) for number in range(30_000))
    store.put_many((key, b"0123456789abcdef") for key in keys)
    store.flush()
    estimate = store.stats().bytes
    store.close()
    assert 0.7 < path.stat().st_size / estimate < 1.4


WRITER = """
import sys
from pathlib import Path
from server.store import KeyMaker, Store

store = Store(Path(sys.argv[1]), memory_items=0)
for start in range(0, 10**9, 500):
    keys = KeyMaker("test").keys(str(number) for number in range(start, start + 500))
    store.put_many((key, b"value-%d" % number) for number, key in enumerate(keys, start=start))
    if not store.flush():
        raise SystemExit("the store does not write")
    print(start + 500, flush=True)
"""


@pytest.mark.parametrize("attempt", range(3))
def test_a_kill_in_the_middle_of_writing_loses_nothing_that_was_flushed(
    make: MakeStore, path: Path, attempt: int
) -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", WRITER, str(path)], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    with process.stdout as lines:
        flushed = int(lines.readline())
        time.sleep(0.05 + 0.03 * attempt)  # it is somewhere in a later write by now
        os.kill(process.pid, getattr(signal, "SIGKILL", signal.SIGTERM))
        for line in lines:
            flushed = int(line) if line.endswith("\n") else flushed
    process.wait()
    store = make(memory_items=0)
    some = entries(flushed)
    assert store.get_many([key for key, _ in some]) == [value for _, value in some]
    stats = store.stats()
    assert stats.working
    assert stats.entries >= flushed
    with sqlite3.connect(path) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        counted = connection.execute("SELECT count(*) FROM results").fetchone()[0]
    connection.close()
    assert stats.entries == counted
    more = entries(10, 10**8)
    store.put_many(more)
    assert store.flush()


@pytest.mark.parametrize(
    "damage",
    [
        pytest.param(b"this is not a database at all" * 100, id="not a database"),
        pytest.param(b"SQLite format 3\x00" + b"\xff" * 5000, id="damaged header"),
    ],
)
def test_a_damaged_file_is_moved_aside(
    make: MakeStore, path: Path, damage: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    path.parent.mkdir(parents=True)
    path.write_bytes(damage)
    (path.parent / "token").write_text("untouched", encoding="utf-8")
    with caplog.at_level(logging.WARNING):
        store = make()
    assert "was moved to results.sqlite3.damaged-" in caplog.text
    store.put_many(entries(5))
    assert store.flush()
    (aside,) = path.parent.glob("results.sqlite3.damaged-*")
    assert aside.read_bytes() == damage
    assert (path.parent / "token").read_text(encoding="utf-8") == "untouched"


def test_a_file_that_goes_bad_while_in_use_is_replaced(
    make: MakeStore, path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    store = make(memory_items=0)
    some = entries(20_000)
    store.put_many(some)
    store.close()
    content = bytearray(path.read_bytes())
    # The header and the schema stay whole, so it can be opened; the rows are gone.
    content[4096 * 3 :] = b"\xff" * (len(content) - 4096 * 3)
    path.write_bytes(content)
    store = make(memory_items=0)
    with caplog.at_level(logging.WARNING):
        found = store.get_many([key for key, _ in some])
    assert None in found, "damaged rows are missing, and no call fails"
    assert "was moved to" in caplog.text
    store.put_many(some)
    assert store.flush()
    assert store.get_many([key for key, _ in some]) == [value for _, value in some]


def test_a_file_of_a_newer_shopsheet_is_kept_and_not_used(
    make: MakeStore, path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    make().close()
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA user_version = 99")
    connection.close()
    with caplog.at_level(logging.WARNING):
        store = make()
    assert "it has format 99, and this Shopsheet reads format 1" in caplog.text
    assert store.stats().working


def test_a_folder_that_cannot_be_written_costs_only_the_disk(
    make: MakeStore, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").write_text("in the way", encoding="utf-8")
    with caplog.at_level(logging.ERROR):
        store = make(tmp_path / "file" / "results.sqlite3")
    assert "results are kept in memory only" in caplog.text
    store.put_many([(b"k" * 16, b"v")])
    assert store.get_many([b"k" * 16]) == [b"v"]
    assert not store.stats().working
    assert not store.flush()


def test_two_stores_share_a_file(make: MakeStore) -> None:
    one, other = make(memory_items=0), make(memory_items=0)
    left, right = entries(1000), entries(1000, 500)
    one.put_many(left)
    other.put_many(right)
    assert one.flush()
    assert other.flush()
    for store in (one, other):
        assert all(store.get_many([key for key, _ in left + right]))
        assert store.stats().entries == 1500
