"""The queue and worker thread, on models that are functions: order, fairness, sharing, failures."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pytest

from server import batching
from server.batching import Cancelled, Job, Limits, QueueFull, Worker, WorkerDown, WrongCount


class Machine:
    """A model that records its batches, can be held up, and can be broken."""

    def __init__(self) -> None:
        self.batches: list[list[Any]] = []
        self.threads: set[int] = set()
        self.gate = threading.Event()
        self.gate.set()
        self.poison: set[Any] = set()
        self.crash: set[Any] = set()

    def double(self, model: Any, items: Sequence[Any]) -> list[Any]:
        self.gate.wait(10)
        self.threads.add(threading.get_ident())
        self.batches.append(list(items))
        if self.crash & set(items):
            raise SystemExit("the model took its thread down")
        if self.poison & set(items):
            raise ValueError("poison")
        return [item * 2 for item in items]


MakeWorker = Callable[..., Worker[Any]]


@pytest.fixture
def machine() -> Machine:
    return Machine()


@pytest.fixture
def make(machine: Machine) -> Iterator[MakeWorker]:
    made: list[Worker[Any]] = []

    def build(**options: Any) -> Worker[Any]:
        defaults = {"load": lambda: machine, "check": lambda model: None}
        worker: Worker[Any] = Worker("test", **{**defaults, **options})
        made.append(worker)
        return worker

    yield build
    machine.gate.set()
    for worker in made:
        worker.close()


def results(job: Job) -> list[Any]:
    assert job.wait(10), "a waiting job was never answered"
    return job.outcomes()


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline, "it did not come true within 10 s"
        time.sleep(0.002)


def test_results_come_in_the_order_of_the_items(make: MakeWorker, machine: Machine) -> None:
    worker = make()
    items = list(range(1000))
    assert results(worker.submit(machine.double, items)) == [item * 2 for item in items]


def test_only_the_workers_thread_runs_the_model(make: MakeWorker, machine: Machine) -> None:
    worker = make()
    jobs: list[Job] = []
    callers = [
        threading.Thread(target=lambda n=n: jobs.append(worker.submit(machine.double, [n])))
        for n in range(20)
    ]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join()
    assert sorted(results(job)[0] for job in jobs) == [n * 2 for n in range(20)]
    assert len(machine.threads) == 1
    assert threading.get_ident() not in machine.threads


def test_requests_that_wait_together_run_together(make: MakeWorker, machine: Machine) -> None:
    worker = make()
    machine.gate.clear()
    first = worker.submit(machine.double, [0])
    until(lambda: worker.stats().waiting == 0)
    jobs = [worker.submit(machine.double, [n]) for n in range(1, 11)]
    machine.gate.set()
    for job in [first, *jobs]:
        results(job)
    assert machine.batches == [[0], list(range(1, 11))]


def test_a_single_call_does_not_wait_for_a_long_column(make: MakeWorker, machine: Machine) -> None:
    limits = Limits(max_batch_items=10, first_batch_items=10, interactive_items=2)
    worker = make(limits=limits)
    machine.gate.clear()
    column = worker.submit(machine.double, list(range(1000)))
    until(lambda: worker.stats().waiting == 990)
    single = worker.submit(machine.double, [-1])
    machine.gate.set()
    results(single)
    results(column)
    assert machine.batches[1] == [-1], "the single call did not go next"


def test_single_calls_do_not_starve_a_column(make: MakeWorker, machine: Machine) -> None:
    limits = Limits(max_batch_items=10, first_batch_items=10, interactive_items=2)
    worker = make(limits=limits)
    machine.gate.clear()
    column = worker.submit(machine.double, list(range(30)))
    until(lambda: worker.stats().waiting == 20)
    singles = [worker.submit(machine.double, [1000 + n]) for n in range(40)]
    machine.gate.set()
    for job in [column, *singles]:
        results(job)
    kinds = ["column" if batch[0] < 1000 else "single" for batch in machine.batches]
    assert kinds[:5] == ["column", "single", "column", "single", "column"]


def test_long_columns_take_turns(make: MakeWorker, machine: Machine) -> None:
    limits = Limits(max_batch_items=10, first_batch_items=10, interactive_items=0)
    worker = make(limits=limits)
    machine.gate.clear()
    one = worker.submit(machine.double, list(range(100)))
    until(lambda: worker.stats().waiting == 90)
    other = worker.submit(machine.double, list(range(1000, 1100)))
    machine.gate.set()
    results(one)
    results(other)
    halfway = [item for batch in machine.batches[:10] for item in batch]
    share = sum(item >= 1000 for item in halfway) / len(halfway)
    assert 0.3 < share < 0.6


def test_the_size_of_batches_follows_the_speed_of_the_model(make: MakeWorker) -> None:
    sizes: list[int] = []

    def slow(model: Any, items: Sequence[int]) -> Sequence[int]:
        sizes.append(len(items))
        time.sleep(0.002 * len(items))
        return items

    limits = Limits(batch_s=0.05, quiet_batch_s=0.05, interactive_items=2, first_batch_items=4)
    worker = make(limits=limits)
    results(worker.submit(slow, list(range(200))))
    # 0.05 s at 2 ms each are 25 items; a busy machine sleeps longer, so fewer.
    assert sizes[0] == 4
    assert 2 <= max(sizes[1:]) <= 30


def test_the_same_item_runs_once_within_a_request(make: MakeWorker, machine: Machine) -> None:
    worker = make()
    job = worker.submit(machine.double, [7, 7, 8, 7], keys=["7", "7", "8", "7"])
    assert results(job) == [14, 14, 16, 14]
    assert sorted(item for batch in machine.batches for item in batch) == [7, 8]


def test_the_same_item_runs_once_across_requests_in_flight(
    make: MakeWorker, machine: Machine
) -> None:
    worker = make(limits=Limits(first_batch_items=1, interactive_items=1))
    machine.gate.clear()
    column = worker.submit(machine.double, [1, 2, 3], keys=["1", "2", "3"])
    until(lambda: worker.stats().waiting == 2)
    running = worker.submit(machine.double, [1], keys=["1"])
    waiting = worker.submit(machine.double, [3], keys=["3"])
    machine.gate.set()
    assert results(running) == [2]
    assert results(waiting) == [6]
    assert results(column) == [2, 4, 6]
    assert sorted(item for batch in machine.batches for item in batch) == [1, 2, 3]
    assert worker.stats().shared_items == 2
    # The single call took the shared item with it, ahead of the column's second item.
    assert machine.batches[1] == [3]


def test_items_without_a_key_are_not_shared(make: MakeWorker, machine: Machine) -> None:
    worker = make()
    assert results(worker.submit(machine.double, [5, 5])) == [10, 10]
    assert [item for batch in machine.batches for item in batch] == [5, 5]


def test_a_poison_item_fails_alone(make: MakeWorker, machine: Machine) -> None:
    worker = make()
    machine.poison = {13}
    outcomes = results(worker.submit(machine.double, list(range(20))))
    assert isinstance(outcomes[13], ValueError)
    assert [o for n, o in enumerate(outcomes) if n != 13] == [n * 2 for n in range(20) if n != 13]
    assert worker.stats().failed_items == 1


def test_too_few_results_are_noticed_and_answer_everybody(make: MakeWorker) -> None:
    def forgetful(model: Any, items: Sequence[int]) -> Sequence[int]:
        return items[:-1]

    outcomes = results(make().submit(forgetful, [1, 2, 3]))
    assert all(isinstance(outcome, WrongCount) for outcome in outcomes)
    assert "was given 1 items and gave back 0" in str(outcomes[0])


def test_an_error_that_one_item_returns_is_its_own(make: MakeWorker) -> None:
    def picky(model: Any, items: Sequence[int]) -> Sequence[Any]:
        return [ValueError("odd") if item % 2 else item for item in items]

    outcomes = results(make().submit(picky, [2, 3, 4]))
    assert outcomes[0] == 2
    assert isinstance(outcomes[1], ValueError)
    assert outcomes[2] == 4


def test_more_than_the_limit_is_refused_at_once_and_later_accepted(
    make: MakeWorker, machine: Machine
) -> None:
    worker = make(limits=Limits(max_waiting_items=5, first_batch_items=1))
    machine.gate.clear()
    first = worker.submit(machine.double, [0])
    until(lambda: worker.stats().waiting == 0)
    waiting = worker.submit(machine.double, [1, 2, 3, 4, 5])
    with pytest.raises(QueueFull, match="5 items wait for test and 1 more were given"):
        worker.submit(machine.double, [6])
    health = worker.submit(machine.double, [7], urgent=True)
    machine.gate.set()
    for job in (first, waiting, health):
        results(job)
    assert results(worker.submit(machine.double, [6])) == [12]


def test_cancelled_items_are_dropped_unless_somebody_else_wants_them(
    make: MakeWorker, machine: Machine
) -> None:
    worker = make(limits=Limits(first_batch_items=1, interactive_items=0))
    machine.gate.clear()
    first = worker.submit(machine.double, [0])
    until(lambda: worker.stats().waiting == 0)
    gone = worker.submit(machine.double, [1, 2, 3], keys=["1", "2", "3"])
    stays = worker.submit(machine.double, [3], keys=["3"])
    gone.cancel()
    assert worker.stats().waiting == 1
    machine.gate.set()
    results(first)
    assert results(stays) == [6]
    assert [item for batch in machine.batches for item in batch] == [0, 3]
    assert isinstance(gone.outcomes()[0], Cancelled)
    # And the dropped item can be asked for again.
    assert results(worker.submit(machine.double, [1], keys=["1"])) == [2]


def test_a_crash_answers_everybody_and_the_worker_starts_again(
    make: MakeWorker, machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batching, "RESTART_WAITS_S", (0.01,))
    loads: list[int] = []
    unloaded: list[Any] = []

    def load() -> Machine:
        loads.append(1)
        return machine

    worker = make(load=load, unload=unloaded.append, limits=Limits(first_batch_items=1))
    worker.wait_ready(10)
    machine.crash = {1}
    machine.gate.clear()
    crashing = worker.submit(machine.double, [1])
    until(lambda: worker.stats().waiting == 0)
    behind = worker.submit(machine.double, [2, 3])
    machine.gate.set()
    for outcome in [*results(crashing), *results(behind)]:
        assert isinstance(outcome, WorkerDown)
        assert "took its thread down" in str(outcome)
    until(lambda: worker.stats().state == "ready")
    assert results(worker.submit(machine.double, [4])) == [8]
    assert len(loads) == 2
    assert unloaded == [machine]
    assert worker.stats().restarts == 1


def test_a_model_that_cannot_be_loaded_is_named_and_tried_again(
    make: MakeWorker, machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batching, "RESTART_WAITS_S", (0.3,))
    broken = [True]

    def load() -> Machine:
        if broken[0]:
            raise OSError("no such folder")
        return machine

    worker = make(load=load)
    with pytest.raises(WorkerDown, match="test is not running: no such folder"):
        worker.wait_ready(10)
    with pytest.raises(WorkerDown):
        worker.submit(machine.double, [1])
    assert worker.check(1) == "test is not running: no such folder"
    broken[0] = False
    until(lambda: worker.stats().state == "ready")
    assert worker.check(5) is None


def test_check_asks_the_model_itself(make: MakeWorker, machine: Machine) -> None:
    asked: list[Any] = []
    healthy = [True]

    def check(model: Any) -> None:
        asked.append(model)
        if not healthy[0]:
            raise RuntimeError("gives nonsense")

    worker = make(check=check)
    worker.wait_ready(10)
    assert asked == [machine], "ready before the model had answered"
    assert worker.check(5) is None
    assert asked == [machine, machine]
    healthy[0] = False
    assert worker.check(5) == "test failed: gives nonsense"
    machine.gate.clear()
    worker.submit(machine.double, [1])
    until(lambda: worker.stats().waiting == 0)
    assert worker.check(0.05) == "test did not answer within 0.05 s"


def test_closing_answers_who_still_waits(make: MakeWorker, machine: Machine) -> None:
    worker = make(limits=Limits(first_batch_items=1))
    machine.gate.clear()
    job = worker.submit(machine.double, [1, 2, 3])
    until(lambda: worker.stats().waiting == 2)
    closing = threading.Thread(target=worker.close)
    closing.start()
    until(lambda: worker._closing)
    machine.gate.set()
    closing.join(10)
    outcomes = results(job)
    assert outcomes[0] == 2
    assert isinstance(outcomes[1], WorkerDown)
    with pytest.raises(WorkerDown, match="test was stopped"):
        worker.submit(machine.double, [4])


def test_results_are_handed_over_with_their_keys(make: MakeWorker, machine: Machine) -> None:
    kept: list[Any] = []
    machine.poison = {3}
    worker = make(on_results=kept.extend)
    results(worker.submit(machine.double, [1, 2, 3], keys=["one", None, "three"]))
    assert kept == [("one", 2)]


def test_a_store_that_fails_does_not_fail_the_call(make: MakeWorker, machine: Machine) -> None:
    def keep(found: object) -> None:
        raise OSError("disk full")

    assert results(make(on_results=keep).submit(machine.double, [1], keys=["1"])) == [2]


def test_different_operations_are_not_mixed_in_a_batch(make: MakeWorker, machine: Machine) -> None:
    triples: list[list[int]] = []

    def triple(model: Any, items: Sequence[int]) -> list[int]:
        triples.append(list(items))
        return [item * 3 for item in items]

    worker = make()
    machine.gate.clear()
    first = worker.submit(machine.double, [0])
    until(lambda: worker.stats().waiting == 0)
    jobs = [worker.submit(op, [n]) for n, op in enumerate([machine.double, triple] * 3)]
    machine.gate.set()
    results(first)
    assert [results(job)[0] for job in jobs] == [0, 3, 4, 9, 8, 15]
    assert sorted(item for batch in triples for item in batch) == [1, 3, 5]
