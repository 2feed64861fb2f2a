"""Long work that a request only starts: kinds of jobs, and the runner that does one at a time."""

from __future__ import annotations

import logging
import secrets
import threading
import time
from collections import OrderedDict, deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from server.engine import Engine
from server.own.reader import Progress, Stopped
from server.settings import Settings
from udfs.errors import BadInput, ModelFailed, NotReady, ShopsheetError, short

log = logging.getLogger(__name__)

MOST_WAITING = 16
MOST_KEPT = 100  # finished jobs whose result can be asked for
RETRY_BUSY_S = 30.0
QUEUED, RUNNING, DONE, FAILED, CANCELLED = "queued", "running", "done", "failed", "cancelled"
_TYPES: dict[str, tuple[type, ...]] = {
    "string": (str,),
    "boolean": (bool,),
    "array": (list,),
    "object": (dict,),
}

Work = Callable[[Engine, Progress], dict[str, Any]]


class JobKind(Protocol):
    """One sort of long work. `fields` is the JSON schema of each field of a request."""

    @property
    def name(self) -> str: ...

    @property
    def summary(self) -> str: ...

    @property
    def fields(self) -> Mapping[str, Mapping[str, Any]]: ...

    @property
    def required(self) -> Sequence[str]: ...

    def prepare(self, request: Mapping[str, Any], settings: Settings) -> Work:
        """The work itself, to be run later. Raises: BadInput if the request cannot be done."""


class NoSuchJob(BadInput):
    """There is no job of that id."""

    cell_error = "#N/A"
    http_status = 404


@dataclass
class Job:
    """One piece of work and what has become of it."""

    id: str
    kind: str
    work: Work = field(repr=False)
    state: str = QUEUED
    step: str = ""
    done: int = 0
    total: int = 0
    result: dict[str, Any] | None = None
    error: ShopsheetError | None = None
    created: float = field(default_factory=time.time)
    ended: float | None = None
    stop: threading.Event = field(default_factory=threading.Event, repr=False)

    @property
    def is_over(self) -> bool:
        return self.state in (DONE, FAILED, CANCELLED)

    def to_json(self) -> dict[str, Any]:
        """As GET /v1/jobs/ID shows it."""
        shown: dict[str, Any] = {
            "id": self.id,
            "kind": self.kind,
            "state": self.state,
            "progress": {"step": self.step, "done": self.done, "total": self.total},
            "seconds": round((self.ended or time.time()) - self.created, 3),
        }
        if self.result is not None:
            shown["result"] = self.result
        return shown if self.error is None else {**shown, **self.error.to_json()}


class JobRunner:
    """Does jobs one after the other, in a thread that is there only while there is work."""

    def __init__(self, engine: Engine, settings: Settings, kinds: Sequence[JobKind]) -> None:
        self.kinds = {kind.name: kind for kind in kinds}
        self._engine = engine
        self._settings = settings
        self._jobs: OrderedDict[str, Job] = OrderedDict()
        self._waiting: deque[Job] = deque()
        self._thread: threading.Thread | None = None
        self._lock = threading.Lock()
        self._closed = False

    def submit(self, request: object) -> Job:
        """The job that now waits or runs.

        Raises: BadInput if the request cannot be done; NotReady if too many jobs wait.
        """
        kind = self._kind_of(request)
        assert isinstance(request, dict)
        given = {name: value for name, value in request.items() if name != "kind"}
        check_fields(given, kind)
        job = Job(secrets.token_hex(8), kind.name, kind.prepare(given, self._settings))
        with self._lock:
            if self._closed or len(self._waiting) >= MOST_WAITING:
                raise NotReady(
                    f"{len(self._waiting)} jobs are waiting, and no more are taken. Try again when "
                    "one is done.",
                    RETRY_BUSY_S,
                )
            self._jobs[job.id] = job
            self._waiting.append(job)
            self._forget_old()
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="jobs", daemon=True)
                self._thread.start()
        return job

    def get(self, job_id: str) -> Job:
        """The job of that id. Raises: NoSuchJob."""
        with self._lock:
            if job_id in self._jobs:
                return self._jobs[job_id]
        raise NoSuchJob(
            f"There is no job {short(job_id)}. The last {MOST_KEPT} are kept, until the server "
            "stops."
        )

    def all(self) -> list[Job]:
        """Every job that is known, the oldest first."""
        with self._lock:
            return list(self._jobs.values())

    def cancel(self, job_id: str) -> Job:
        """The job, which ends at the next opportunity; one that is over stays as it is.

        Raises: NoSuchJob.
        """
        job = self.get(job_id)
        with self._lock:
            job.stop.set()
            if job in self._waiting:
                self._waiting.remove(job)
                _end(job, CANCELLED)
        return job

    def close(self) -> None:
        """Nothing, once no job runs: those that wait or run are cancelled."""
        with self._lock:
            self._closed = True
            thread = self._thread
        for job in self.all():
            self.cancel(job.id)
        if thread is not None:
            thread.join(timeout=60)

    def _kind_of(self, request: object) -> JobKind:
        name = request.get("kind") if isinstance(request, dict) else None
        if isinstance(name, str) and name in self.kinds:
            return self.kinds[name]
        found = short(name if isinstance(request, dict) else request)
        raise BadInput(f"kind is {found}; expected one of {', '.join(self.kinds)}.")

    def _run(self) -> None:
        while True:
            with self._lock:
                if not self._waiting:
                    self._thread = None
                    return
                job = self._waiting.popleft()
                job.state = RUNNING
            self._do(job)

    def _do(self, job: Job) -> None:
        def tell(step: str, done: int, total: int) -> None:
            job.step, job.done, job.total = step, done, total

        try:
            job.result = job.work(self._engine, Progress(tell, job.stop.is_set))
            _end(job, DONE)
        except Stopped:
            _end(job, CANCELLED)
        except ShopsheetError as error:
            job.error = error
            _end(job, FAILED)
        except Exception as error:  # a bug of ours must not end the thread for the next job
            log.error("job %s (%s) failed", job.id, job.kind, exc_info=error)
            job.error = ModelFailed(f"The job failed. The server's log tells more under {job.id}.")
            _end(job, FAILED)

    def _forget_old(self) -> None:
        over = [job_id for job_id, job in self._jobs.items() if job.is_over]
        for job_id in over[: max(0, len(over) - MOST_KEPT)]:
            del self._jobs[job_id]


def check_fields(given: Mapping[str, Any], kind: JobKind) -> None:
    """Nothing. Raises: BadInput naming a field that is strange, missing, or of a wrong type."""
    for name, value in given.items():
        if name not in kind.fields:
            raise BadInput(
                f"{kind.name} has no field {short(name)}; it takes {', '.join(kind.fields)}."
            )
        wanted = str(kind.fields[name]["type"])
        if value is not None and not isinstance(value, _TYPES[wanted]):
            raise BadInput(f"{name} is {short(value)}; expected JSON of type {wanted}.")
    for name in kind.required:
        if not given.get(name):
            raise BadInput(f"{name} is missing. {kind.name}: {kind.summary}")


def _end(job: Job, state: str) -> None:
    job.ended = time.time()
    job.state = state
