"""Queue and worker thread: gathers items of many requests into batches for one model.

Knows neither HTTP nor any model. Items of small requests go before those of long ones, long ones
take turns, an item asked for twice is computed once, and every item gets an answer or an error.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeAlias, TypeVar

log = logging.getLogger(__name__)

Model = TypeVar("Model")
# What a batch runs: model and items in, one result or one exception per item out.
Operation: TypeAlias = Callable[[Any, Sequence[Any]], Sequence[Any]]

RESTART_WAITS_S = (0.2, 1.0, 5.0, 15.0, 60.0)  # after the first, second ... crash in a row
HEALTHY_AFTER_S = 60.0  # a worker that ran so long starts counting crashes anew
INTERACTIVE_MEMORY_S = 10.0  # for so long after a single formula, batches stay short


class QueueFull(Exception):
    """More items wait than the worker may hold."""


class WorkerDown(Exception):
    """The worker has no model: loading failed, it crashed, or it was closed."""


class WrongCount(Exception):
    """An operation gave back more or fewer results than it was given items."""


class Cancelled(Exception):
    """Nobody waits for this item any more."""


@dataclass(frozen=True)
class Limits:
    """How much a worker takes at once."""

    max_waiting_items: int = 300_000
    max_batch_items: int = 512
    batch_s: float = 0.2  # aimed at while single formulas arrive
    quiet_batch_s: float = 1.0  # aimed at otherwise: longer batches are more efficient
    interactive_items: int = 16  # a job of at most so many items is interactive
    first_batch_items: int = 16  # before the speed is known


@dataclass(frozen=True)
class WorkerStats:
    """What a worker is doing and has done since it started."""

    name: str
    state: str  # loading, ready, failed or closed
    waiting: int
    batches: int
    items: int
    busy_s: float
    failed_items: int
    shared_items: int  # asked for while already on their way
    restarts: int


class _Task:
    """One item on its way; several jobs may wait for it."""

    __slots__ = ("item", "jobs", "key", "operation", "outcome", "state")

    def __init__(self, key: Hashable, item: Any, operation: Operation) -> None:
        self.key = key
        self.item = item
        self.operation = operation
        self.jobs: list[Job] = []
        self.state = _QUEUED
        self.outcome: Any = None


_QUEUED, _RUNNING, _DONE = range(3)


class Job:
    """The items that one request waits for."""

    def __init__(self, tasks: list[_Task], interactive: bool, worker: Worker[Any]) -> None:
        self._tasks = tasks
        self._worker = worker
        self.interactive = interactive
        self.queue: deque[_Task] = deque()
        self.unfinished = 0
        self._done = threading.Event()

    def wait(self, timeout_s: float | None = None) -> bool:
        """Whether every item has an outcome."""
        return self._done.wait(timeout_s)

    def outcomes(self) -> list[Any]:
        """Per item its result, or the exception that it met; Cancelled where it has none yet."""
        return [
            task.outcome if task.state == _DONE else Cancelled("not computed yet")
            for task in self._tasks
        ]

    def cancel(self) -> None:
        """Nothing; items that only this job waits for are dropped."""
        self._worker._drop(self)

    def _finished(self, count: int) -> None:
        self.unfinished -= count
        if self.unfinished <= 0:
            self._done.set()


class Worker(Generic[Model]):
    """One thread that owns one model. Nothing else ever touches the model."""

    def __init__(
        self,
        name: str,
        load: Callable[[], Model],
        check: Callable[[Model], object],
        unload: Callable[[Model], object] = lambda model: None,
        on_results: Callable[[Sequence[tuple[Hashable, Any]]], object] = lambda results: None,
        cost: Callable[[Any], float] = lambda item: 1.0,
        limits: Limits | None = None,
    ) -> None:
        """A worker that starts loading at once.

        load: makes the model, in the worker's thread.
        check: asks the model a tiny question, before the worker counts as ready.
        on_results: given (key, result) of each batch, for keys that are not None.
        cost: expected work of an item, in any unit; batches are cut by it.
        """
        self.name = name
        self._load, self._check, self._unload = load, check, unload
        self._on_results, self._cost = on_results, cost
        self._limits = limits or Limits()
        self._lock = threading.Condition()
        self._lanes: dict[bool, deque[Job]] = {True: deque(), False: deque()}  # by interactive
        self._bulk_next = False
        self._tasks: dict[Hashable, _Task] = {}
        self._running: list[_Task] = []
        self._waiting = 0
        self._state = "loading"
        self._problem: Exception | None = None
        self._ready = threading.Event()  # set when loading ended, well or badly
        self._closing = False
        self._last_interactive = float("-inf")
        self._cost_per_s: float | None = None
        self._model: Model | None = None
        self._batches = self._items = self._failed_items = self._shared = self._restarts = 0
        self._busy_s = 0.0
        self._thread = threading.Thread(target=self._live, name=f"worker-{name}", daemon=True)
        self._thread.start()

    # For the threads of requests

    def wait_ready(self, timeout_s: float) -> Model:
        """The model, for reading its version; only this thread may run it.

        Raises: TimeoutError if it is still loading, WorkerDown if it could not be loaded.
        """
        if not self._ready.wait(timeout_s):
            raise TimeoutError(self._why_loading())
        with self._lock:
            if self._model is None:
                raise WorkerDown(self._why_down()) from self._problem
            return self._model

    def submit(
        self,
        operation: Operation,
        items: Sequence[Any],
        keys: Sequence[Hashable | None] | None = None,
        urgent: bool = False,
    ) -> Job:
        """A job that waits for all items, in order.

        Items with the same key (other than None) are computed once, also across jobs in flight.
        An urgent job goes first and does not count against the limit: for health checks.
        Raises: QueueFull, WorkerDown.
        """
        keys = [None] * len(items) if keys is None else keys
        with self._lock:
            if self._closing or self._state == "failed":
                raise WorkerDown(self._why_down()) from self._problem
            tasks: list[_Task] = []
            mine: dict[Hashable, _Task] = {}
            shared = 0
            for key, item in zip(keys, items, strict=True):
                task = None
                if key is not None:
                    task = mine.get(key) or self._tasks.get(key)
                    shared += task is not None
                if task is None:
                    task = _Task(key, item, operation)
                    if key is not None:
                        mine[key] = task
                tasks.append(task)
            fresh = [task for task in dict.fromkeys(tasks) if not task.jobs]
            if not urgent and self._waiting + len(fresh) > self._limits.max_waiting_items:
                raise QueueFull(
                    f"{self._waiting} items wait for {self.name} and {len(fresh)} more were given; "
                    f"it holds at most {self._limits.max_waiting_items}"
                )
            self._tasks |= mine
            self._shared += shared
            self._waiting += len(fresh)
            distinct = dict.fromkeys(tasks)
            unfinished = [task for task in distinct if task.state != _DONE]
            job = Job(tasks, urgent or len(unfinished) <= self._limits.interactive_items, self)
            job.unfinished = len(unfinished)
            for task in unfinished:
                task.jobs.append(job)
            job.queue.extend(unfinished)
            if not unfinished:
                job._done.set()
                return job
            lane = self._lanes[job.interactive]
            if urgent:
                lane.appendleft(job)
                self._bulk_next = False
            else:
                lane.append(job)
            if job.interactive and not urgent:
                self._last_interactive = time.monotonic()
            self._lock.notify()
            return job

    def check(self, timeout_s: float) -> str | None:
        """What is wrong with the worker; None if the model has just answered a tiny question."""
        if not self._ready.is_set():
            return self._why_loading()
        try:
            job = self.submit(_ask(self._check), [None], urgent=True)
        except WorkerDown as error:
            return str(error)
        if not job.wait(timeout_s):
            job.cancel()
            return f"{self.name} did not answer within {timeout_s:g} s"
        outcome = job.outcomes()[0]
        return f"{self.name} failed: {outcome}" if isinstance(outcome, Exception) else None

    def stats(self) -> WorkerStats:
        with self._lock:
            return WorkerStats(
                name=self.name,
                state=self._state,
                waiting=self._waiting,
                batches=self._batches,
                items=self._items,
                busy_s=self._busy_s,
                failed_items=self._failed_items,
                shared_items=self._shared,
                restarts=self._restarts,
            )

    def close(self, timeout_s: float = 30.0) -> None:
        """Nothing; whoever still waits gets WorkerDown."""
        with self._lock:
            self._closing = True
            self._lock.notify()
        if threading.current_thread() is not self._thread:
            self._thread.join(timeout_s)

    # The worker's own thread

    def _live(self) -> None:
        """Loads and works; after a crash answers everybody, waits a little and starts again."""
        crashes = 0
        while not self._closing:
            started = time.monotonic()
            try:
                self._start()
                self._work()
            except BaseException as error:
                # Also SystemExit and the like: a thread that ends must not leave anybody waiting.
                problem = error if isinstance(error, Exception) else WorkerDown(repr(error))
                loaded = self._state == "ready"
                crashes = 1 if time.monotonic() - started > HEALTHY_AFTER_S else crashes + 1
                self._stop("failed", problem)
                if loaded:
                    log.error("worker %s crashed and starts again", self.name, exc_info=error)
                else:  # the message says it; the traceback is for who asks for it
                    log.error("%s cannot be loaded: %s", self.name, problem)
                    log.debug("%s cannot be loaded", self.name, exc_info=error)
                with self._lock:
                    wait_s = RESTART_WAITS_S[min(crashes, len(RESTART_WAITS_S)) - 1]
                    self._lock.wait_for(lambda: self._closing, wait_s)
                    if not self._closing:
                        self._restarts += 1
        self._stop("closed", None)

    def _start(self) -> None:
        with self._lock:
            self._state = "loading"
        self._ready.clear()
        model = self._load()
        self._model = model
        self._check(model)
        with self._lock:
            self._state, self._problem = "ready", None
        self._ready.set()

    def _stop(self, state: str, problem: Exception | None) -> None:
        with self._lock:
            self._state, self._problem = state, problem
            model, self._model = self._model, None
            tasks = dict.fromkeys(
                task for lane in self._lanes.values() for job in lane for task in job.queue
            )
            tasks |= dict.fromkeys(self._running)
            down = WorkerDown(self._why_down())
            down.__cause__ = problem
            self._finish([(task, down) for task in tasks])
            for lane in self._lanes.values():
                lane.clear()
            self._running = []
        self._ready.set()
        if model is not None:
            try:
                self._unload(model)
            except Exception:
                log.exception("%s could not be unloaded", self.name)

    def _why_loading(self) -> str:
        again = f", after: {self._problem}" if self._problem else ""
        return f"{self.name} is still loading{again}"

    def _why_down(self) -> str:
        if self._state == "closed" or self._closing:
            return f"{self.name} was stopped"
        return f"{self.name} is not running: {self._problem}"

    def _work(self) -> None:
        while True:
            with self._lock:
                self._lock.wait_for(lambda: self._closing or any(self._lanes.values()))
                if self._closing:
                    return
                self._running = self._next_batch()
            if not self._running:
                continue
            started = time.monotonic()
            outcomes = self._run(self._running)
            seconds = time.monotonic() - started
            with self._lock:
                self._account(self._running, seconds)
            self._keep(self._running, outcomes)
            with self._lock:
                self._finish(list(zip(self._running, outcomes, strict=True)))
                self._running = []

    def _next_batch(self) -> list[_Task]:
        """Tasks of one operation: interactive jobs alone, or an equal share of each long job.

        The two lanes take turns when both have work, so neither can starve the other.
        """
        interactive = bool(self._lanes[True]) and not (self._bulk_next and self._lanes[False])
        self._bulk_next = interactive
        lane = self._lanes[interactive]
        batch: list[_Task] = []
        operation: Operation | None = None
        budget, most = self._size(interactive)
        share = budget if interactive else budget / len(lane)
        spent = 0.0
        for _ in range(2 * len(lane)):  # a second round hands out what short jobs left over
            if not lane or len(batch) >= most or spent >= budget:
                break
            job, taken = lane[0], 0.0
            while job.queue and len(batch) < most and (taken < share or not batch):
                task = job.queue[0]
                if task.state == _QUEUED:
                    operation = operation or task.operation
                    if task.operation != operation:
                        break
                    task.state = _RUNNING
                    batch.append(task)
                    taken += self._cost_of(task)
                job.queue.popleft()
            spent += taken
            if job.queue:
                lane.rotate(-1)
            else:
                lane.popleft()
        self._waiting -= len(batch)
        return batch

    def _size(self, interactive: bool) -> tuple[float, int]:
        """Cost and number of items that the next batch may have."""
        limits = self._limits
        if self._cost_per_s is None:
            return float("inf"), limits.first_batch_items
        busy = interactive or time.monotonic() - self._last_interactive < INTERACTIVE_MEMORY_S
        seconds = limits.batch_s if busy else limits.quiet_batch_s
        return self._cost_per_s * seconds, limits.max_batch_items

    def _cost_of(self, task: _Task) -> float:
        return 1.0 if task.item is None else self._cost(task.item)

    def _run(self, tasks: Sequence[_Task]) -> list[Any]:
        """One outcome per task. When the batch fails, each task is tried alone."""
        operation = tasks[0].operation
        try:
            return self._checked(operation, tasks)
        except Exception as error:
            if len(tasks) == 1:
                return [error]
            log.warning(
                "a batch of %d failed in %s (%s: %s); trying its items one by one",
                len(tasks),
                self.name,
                type(error).__name__,
                error,
            )
        outcomes: list[Any] = []
        for task in tasks:
            try:
                outcomes += self._checked(operation, [task])
            except Exception as error:
                outcomes.append(error)
        return outcomes

    def _checked(self, operation: Operation, tasks: Sequence[_Task]) -> list[Any]:
        results = list(operation(self._model, [task.item for task in tasks]))
        if len(results) != len(tasks):
            raise WrongCount(
                f"{self.name} was given {len(tasks)} items and gave back {len(results)}"
            )
        return results

    def _account(self, tasks: Sequence[_Task], seconds: float) -> None:
        self._batches += 1
        self._items += len(tasks)
        self._busy_s += seconds
        if tasks[0].item is None:  # a health check says nothing about speed
            return
        rate = sum(map(self._cost_of, tasks)) / max(seconds, 1e-6)
        if self._cost_per_s is None:
            self._cost_per_s = rate
        elif rate > self._cost_per_s or len(tasks) > self._limits.interactive_items:
            # A small slow batch says little: its overhead weighs too much.
            self._cost_per_s += 0.3 * (rate - self._cost_per_s)

    def _keep(self, tasks: Sequence[_Task], outcomes: Sequence[Any]) -> None:
        results = [
            (task.key, outcome)
            for task, outcome in zip(tasks, outcomes, strict=True)
            if task.key is not None and not isinstance(outcome, Exception)
        ]
        try:
            if results:
                self._on_results(results)
        except Exception:
            log.exception("results of %s could not be kept", self.name)

    def _finish(self, outcomes: Sequence[tuple[_Task, Any]]) -> None:
        for task, outcome in outcomes:
            if task.state == _QUEUED:
                self._waiting -= 1
            task.state, task.outcome = _DONE, outcome
            self._failed_items += isinstance(outcome, Exception)
            if task.key is not None:
                self._tasks.pop(task.key, None)
            for job in task.jobs:
                job._finished(1)

    def _drop(self, job: Job) -> None:
        with self._lock:
            for task in job.queue:
                if task.state != _QUEUED:
                    continue
                if job in task.jobs:
                    task.jobs.remove(job)
                if not task.jobs:
                    self._waiting -= 1
                    task.state, task.outcome = _DONE, Cancelled("nobody waits for it any more")
                    if task.key is not None:
                        self._tasks.pop(task.key, None)
            job.queue.clear()
            for lane in self._lanes.values():
                if job in lane:
                    lane.remove(job)


def _ask(check: Callable[[Any], object]) -> Operation:
    def operation(model: Any, items: Sequence[Any]) -> Sequence[Any]:
        return [check(model) for _ in items]

    return operation
