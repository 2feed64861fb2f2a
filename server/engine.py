"""The engine: takes calls of functions, asks the store first and the models for the rest."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from server.batching import (
    Cancelled,
    Job,
    Limits,
    QueueFull,
    Worker,
    WorkerDown,
    WorkerStats,
)
from server.capabilities import CAPABILITIES, KNOWLEDGE, Capability, Operation, Outcome, cost_of
from server.knowledge.model import Knowledge
from server.knowledge.shelf import KnowledgeShelf
from server.models.rules import RULES
from server.settings import Settings
from server.store import KeyMaker, Store, StoreStats
from udfs import catalogue
from udfs.errors import BadInput, ModelFailed, NotReady, ShopsheetError
from udfs.function import Function

log = logging.getLogger(__name__)

POLL_S = 0.25  # how often a waiting call looks whether its caller is still there
CHECK_TEXT = "good"
RETRY_LOADING_S = 2.0
RETRY_BUSY_S = 5.0


class ModelLike(Protocol):
    """What the engine needs of every model; a capability needs more of its own."""

    @property
    def version(self) -> str: ...
    @property
    def backend(self) -> str: ...
    @property
    def precision(self) -> str: ...
    @property
    def labels(self) -> tuple[str, ...]: ...
    @property
    def card(self) -> dict[str, Any]: ...

    def close(self) -> None: ...


class EncoderLike(ModelLike, Protocol):
    """What it needs of an encoder (server/models/encoder.py)."""

    @property
    def embedding_size(self) -> int: ...

    @property
    def aspect_categories(self) -> tuple[str, ...]: ...

    def read(self, texts: Sequence[str]) -> Any: ...


class StillLoading(NotReady):
    """A model has not finished loading, and may yet."""


class CallAbandoned(Exception):
    """The caller went away before the answer was there."""


@dataclass
class Answer:
    """What became of one call: a value (cell or grid) or an error, and who gave it."""

    value: Any = None
    error: ShopsheetError | None = None
    model: str | None = None
    function: str = ""
    cells: int = 0

    def unwrap(self) -> Any:
        """The value. Raises: the error of the call."""
        if self.error is not None:
            raise self.error
        return self.value


@dataclass
class EngineStats:
    """Counts since the engine started, for /metrics."""

    workers: list[WorkerStats]
    store: StoreStats
    cells: dict[tuple[str, str], int]  # by function and source: store, model or none


@dataclass
class _Work:
    """One call on its way through the engine."""

    answer: Answer
    function: Function
    capability: Capability
    args: dict[str, Any]
    scalar: bool
    items: list[str | None]
    keys: list[bytes | None] = field(default_factory=list)


class Engine:
    """All workers and the result store. Calls may come from many threads at once."""

    def __init__(
        self,
        settings: Settings,
        load_encoder: Callable[[], EncoderLike] | None = None,
        store: Store | None = None,
    ) -> None:
        """An engine whose models begin to load at once, each in its worker's thread."""
        self.settings = settings
        self.store = store or open_store(settings)
        self.knowledge = open_knowledge(settings)
        self._cells: dict[tuple[str, str], int] = {}
        self._cells_lock = threading.Lock()
        limits = Limits(
            max_waiting_items=settings.max_waiting_items,
            max_batch_items=settings.max_batch_items,
            batch_s=settings.batch_ms / 1000,
            quiet_batch_s=settings.quiet_batch_ms / 1000,
            interactive_items=settings.interactive_items,
        )
        load = load_encoder or (lambda: load_shipped_encoder(settings))
        models: dict[str, tuple[Callable[[], Any], Callable[[Any], object]]] = {
            "encoder": (load, _check_encoder),
            **{name: (rules, rules.check) for name, rules in RULES.items()},
        }
        self.workers: dict[str, Worker[Any]] = {
            name: Worker(
                name,
                load=load_model,
                check=check,
                unload=lambda model: model.close(),
                on_results=self._keep,
                cost=cost_of,
                limits=limits,
            )
            for name, (load_model, check) in models.items()
        }

    # Calls

    def call(self, name: str, *args: object, use_store: bool = True) -> Any:
        """The value of one call: a cell or a grid.

        Raises: ShopsheetError.
        """
        return self.calls([(name, args)], use_store=use_store)[0].unwrap()

    def submit(
        self,
        function: str,
        items: Sequence[object],
        options: Mapping[str, object] | None = None,
        use_store: bool = True,
    ) -> list[Any]:
        """One result per item (a cell; a list of cells where the function spills to the right).

        `options` are the arguments after the first, by name. Raises: ShopsheetError.
        """
        if not items:
            return []
        declared = catalogue.get(function)
        options = dict(options or {})
        args = [[[item] for item in items], *(options.pop(a.name, None) for a in declared.args[1:])]
        if options:
            raise BadInput(
                f"{declared.name} has no argument {', '.join(options)}: {declared.signature()}."
            )
        answer = self.calls([(function, args)], use_store=use_store)[0]
        return [row if len(row) > 1 else row[0] for row in answer.unwrap()]

    def calls(
        self,
        calls: Sequence[tuple[str, Sequence[object]]],
        use_store: bool = True,
        deadline: float | None = None,
        cancelled: Callable[[], bool] = lambda: False,
    ) -> list[Answer]:
        """One answer per call, in order; a call that fails does not touch the others.

        deadline: on time.monotonic(); by default call_timeout_s from now.
        cancelled: asked now and then; when true the call is given up.
        Raises: NotReady if a model is loading or too much is waiting; CallAbandoned.
        """
        if deadline is None:
            deadline = time.monotonic() + self.settings.call_timeout_s
        knowledge = self.knowledge.current()
        answers: list[Answer] = []
        work: list[_Work] = []
        for name, args in calls:
            answer = Answer()
            answers.append(answer)
            try:
                work.append(self._bind(answer, name, args, knowledge))
            except ShopsheetError as error:
                answer.error = error
        for capability in dict.fromkeys(w.capability for w in work):
            mine = [w for w in work if w.capability is capability]
            self._serve(capability, mine, use_store, deadline, cancelled)
        return answers

    def encoder(self) -> Any:
        """The encoder, once it has loaded. Raises: NotReady."""
        return self._ready_worker("encoder", time.monotonic() + self.settings.call_timeout_s)[1]

    def read(self, texts: Sequence[str]) -> list[Outcome]:
        """What the encoder reads in each text, as it is stored (server/capabilities/reading.py).

        Raises: NotReady.
        """
        deadline = time.monotonic() + self.settings.call_timeout_s
        reading = CAPABILITIES["sentiment"]
        worker, model = self._ready_worker(reading.model, deadline)
        keys = _key_maker(reading, model, {}).keys(texts)
        operation = reading.operation({})
        wanted = {key: (text, operation) for key, text in zip(keys, texts, strict=True)}
        outcomes, _ = self._outcomes(worker, model, reading, wanted, True, deadline, lambda: False)
        return [outcomes[key] for key in keys]

    def _bind(
        self, answer: Answer, name: str, raw_args: Sequence[object], knowledge: Knowledge
    ) -> _Work:
        function = catalogue.get(name)
        answer.function = function.name
        bound = function.bind(raw_args)
        capability = CAPABILITIES[function.capability]
        if capability.knows:
            bound = {**bound, KNOWLEDGE: knowledge}
        if capability.needs_models:
            bound = {**bound, "loaded": self.models()}
        args = dict(capability.resolve(bound, self.settings))
        scalar = function.gives_cell(raw_args, args)
        items = capability.prepare(args)
        answer.cells = len(items)
        return _Work(answer, function, capability, args, scalar, items)

    def _serve(
        self,
        capability: Capability,
        work: Sequence[_Work],
        use_store: bool,
        deadline: float,
        cancelled: Callable[[], bool],
    ) -> None:
        worker, model = self._ready_worker(capability.model, deadline)
        identity = model_name(capability.model, model)
        outcomes: dict[bytes, Outcome] = {}
        computed: set[bytes] = set()

        def read(items_of: Mapping[int, Sequence[str | None]]) -> None:
            """Adds to the keys of each work (by its place), and to the outcomes."""
            keyed: dict[bytes, tuple[str, Operation]] = {}
            for place, items in items_of.items():
                w = work[place]
                maker = _key_maker(capability, model, w.args)
                asked = [item for item in items if item is not None]
                keys = maker.keys(asked)
                operation = capability.operation(w.args)
                keyed.update(
                    (key, (item, operation)) for key, item in zip(keys, asked, strict=True)
                )
                left = iter(keys)
                w.keys += [None if item is None else next(left) for item in items]
            wanted = {key: one for key, one in keyed.items() if key not in outcomes}
            found, fresh = self._outcomes(
                worker, model, capability, wanted, use_store, deadline, cancelled
            )
            outcomes.update(found)
            computed.update(fresh)

        read({place: w.items for place, w in enumerate(work)})
        further: dict[int, Sequence[str]] = {}
        for place, w in enumerate(work):
            mine = [_outcome_of(outcomes, key) for key in w.keys]
            try:
                further[place] = capability.further(model, w.args, mine)
            except ShopsheetError as error:
                w.answer.error = error
        if any(further.values()):
            read(further)
        for w in work:
            if w.answer.error is None:
                self._answer(w, model, identity, outcomes, computed)

    def _outcomes(
        self,
        worker: Worker[Any],
        model: ModelLike,
        capability: Capability,
        wanted: Mapping[bytes, tuple[str, Operation]],
        use_store: bool,
        deadline: float,
        cancelled: Callable[[], bool],
    ) -> tuple[dict[bytes, Outcome], set[bytes]]:
        """The outcome of each item by its key, and which of them the store did not hold."""
        outcomes = self._stored(capability, model, list(wanted)) if use_store else {}
        missing = [key for key in wanted if key not in outcomes]
        # Texts of about the same length make cheap batches, so they are queued together.
        missing.sort(key=lambda key: cost_of(wanted[key][0]))
        for operation in dict.fromkeys(wanted[key][1] for key in missing):
            fresh = {key: wanted[key][0] for key in missing if wanted[key][1] == operation}
            outcomes |= self._computed(worker, operation, fresh, use_store, deadline, cancelled)
        return outcomes, set(missing)

    def _ready_worker(self, name: str, deadline: float) -> tuple[Worker[Any], ModelLike]:
        worker = self.workers[name]
        patience = min(self.settings.load_timeout_s, deadline - time.monotonic())
        try:
            return worker, worker.wait_ready(max(patience, 0))
        except TimeoutError as error:
            raise StillLoading(
                f"The model {error}. Try again in a few seconds.", RETRY_LOADING_S
            ) from error
        except WorkerDown as error:
            raise _down(error) from error

    def _stored(
        self, capability: Capability, model: ModelLike, keys: Sequence[bytes]
    ) -> dict[bytes, Outcome]:
        return {
            key: value
            for key, value in zip(keys, self.store.get_many(keys), strict=True)
            if value is not None and capability.is_intact(model, value)
        }

    def _computed(
        self,
        worker: Worker[Any],
        operation: Operation,
        items: Mapping[bytes, str],
        use_store: bool,
        deadline: float,
        cancelled: Callable[[], bool],
    ) -> dict[bytes, Outcome]:
        keys: list[Hashable] = [key if use_store else _Unstored(key) for key in items]
        try:
            job = worker.submit(operation, list(items.values()), keys)
        except QueueFull as error:
            raise NotReady(
                f"The server is busy: {error}. Try again in a moment, or with fewer cells.",
                RETRY_BUSY_S,
            ) from error
        except WorkerDown as error:
            raise _down(error) from error
        self._wait(job, deadline, cancelled)
        return {key: _outcome(outcome) for key, outcome in zip(items, job.outcomes(), strict=True)}

    def _wait(self, job: Job, deadline: float, cancelled: Callable[[], bool]) -> None:
        while True:
            left = deadline - time.monotonic()
            if job.wait(max(0.0, min(POLL_S, left))):
                return
            if cancelled():
                job.cancel()
                raise CallAbandoned("the caller went away")
            if left <= 0:
                job.cancel()
                return

    def _answer(
        self,
        w: _Work,
        model: ModelLike,
        identity: str,
        outcomes: Mapping[bytes, Outcome],
        computed: set[bytes],
    ) -> None:
        mine = [_outcome_of(outcomes, key) for key in w.keys]
        asked = sum(key is not None for key in w.keys)
        fresh = sum(key in computed for key in w.keys) if computed else 0
        self._count(w.function.name, model=fresh, store=asked - fresh, none=len(w.keys) - asked)
        signed = w.capability.signed(identity, w.args)
        signed += knowledge_suffix(w.capability, w.args.get(KNOWLEDGE))
        # What tells of all models must not be remembered as one model's answer.
        w.answer.model = None if w.capability.needs_models else signed
        late = sum(isinstance(outcome, NotReady) for outcome in mine)
        if late:
            down = next(outcome for outcome in mine if isinstance(outcome, NotReady))
            done = len(mine) - late
            w.answer.error = NotReady(
                f"{down.message} {done:,} of {len(mine):,} cells are done and kept: "
                "ask again to go on from there.",
                down.retry_after_s,
            )
            return
        try:
            grid = w.capability.answer(model, w.args, mine)
        except ShopsheetError as error:  # of a call that is one item
            w.answer.error = error
            return
        w.answer.value = grid[0][0] if w.scalar else grid

    def _count(self, function: str, **cells_by_source: int) -> None:
        with self._cells_lock:
            for source, cells in cells_by_source.items():
                place = (function, source)
                self._cells[place] = self._cells.get(place, 0) + cells

    def _keep(self, results: Sequence[tuple[Hashable, Any]]) -> None:
        self.store.put_many(
            (key, value)
            for key, value in results
            if isinstance(key, bytes) and isinstance(value, bytes)
        )

    # Everything else

    def wait_ready(self, timeout_s: float) -> None:
        """Nothing, once every model has loaded and answered.

        Raises: NotReady saying which one has not, and why.
        """
        deadline = time.monotonic() + timeout_s
        for name, worker in self.workers.items():
            try:
                worker.wait_ready(max(0.0, deadline - time.monotonic()))
            except TimeoutError as error:
                raise StillLoading(
                    f"The model {name} has not loaded within {timeout_s:g} s.", RETRY_LOADING_S
                ) from error
            except WorkerDown as error:
                raise _down(error) from error

    def health(self, timeout_s: float = 5.0) -> dict[str, str | None]:
        """Per worker what is wrong, None if its model has just answered a tiny question."""
        return {name: worker.check(timeout_s) for name, worker in self.workers.items()}

    def models(self) -> list[dict[str, Any]]:
        """The loaded models: name, version, backend, precision, labels and card."""
        shown = []
        for name, worker in self.workers.items():
            entry: dict[str, Any] = {"name": name, "state": worker.stats().state}
            try:
                model = worker.wait_ready(0)
            except (TimeoutError, WorkerDown) as error:
                entry["problem"] = str(error)
            else:
                entry |= {
                    "model": model_name(name, model),
                    "version": model.version,
                    "backend": model.backend,
                    "precision": model.precision,
                    "labels": list(model.labels),
                    "card": model.card,
                }
            shown.append(entry)
        return shown

    def knowledge_state(self) -> dict[str, Any]:
        """The knowledge file in use, and what it adds to the model's name per function."""
        state = self.knowledge.state()
        suffixes = {
            function.name: knowledge_suffix(CAPABILITIES[function.capability], state.knowledge)
            for function in catalogue.FUNCTIONS.values()
        }
        functions = {name: suffix for name, suffix in suffixes.items() if suffix}
        return {**state.to_json(), "functions": functions}

    def stats(self) -> EngineStats:
        return EngineStats(
            workers=[worker.stats() for worker in self.workers.values()],
            store=self.store.stats(),
            cells=dict(self._cells),
        )

    def close(self) -> None:
        """Nothing; stops the workers, answers who still waits, writes what the store holds."""
        for worker in self.workers.values():
            worker.close()
        self.store.close()

    def __enter__(self) -> Engine:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()


@dataclass(frozen=True)
class _Unstored:
    """Key of an item that is shared while in flight and never stored."""

    key: bytes


def open_store(settings: Settings) -> Store:
    """The store that the settings ask for."""
    path: Path | None = settings.store_path if settings.store else None
    return Store(path, settings.store_max_mb * 1024 * 1024, settings.store_memory_items)


def open_knowledge(settings: Settings) -> KnowledgeShelf:
    """The shelf of the knowledge file that the settings name."""
    return KnowledgeShelf(
        settings.knowledge_path,
        settings.home / "knowledge.kept.json",
        required=settings.knowledge is not None,
    )


def knowledge_suffix(capability: Capability, knowledge: Knowledge | None) -> str:
    """What is added to the name of the model where a knowledge file can change its answers."""
    version = knowledge.digest(capability.knows) if knowledge else ""
    return f"+knowledge-{version}" if version else ""


def load_shipped_encoder(settings: Settings) -> EncoderLike:
    """The encoder in settings.encoder_folder. Raises: ModelFailed."""
    from server.models.encoder import Encoder  # heavy: numpy, tokenizers and the backend

    return Encoder.load(
        settings.encoder_folder,
        backend=settings.backend,
        threads=settings.model_threads or None,
        precision=None if settings.precision == "auto" else settings.precision,
    )


def model_name(name: str, model: ModelLike) -> str:
    """Name and version as results carry them: encoder@2026.11-ab12cd34."""
    return f"{name}@{model.version}"


def _key_maker(capability: Capability, model: ModelLike, args: Mapping[str, Any]) -> KeyMaker:
    identity = f"{model_name(capability.model, model)}/{model.backend}"
    return KeyMaker(capability.stored_as, identity, *capability.options(args))


def _check_encoder(encoder: EncoderLike) -> None:
    rows = encoder.read([CHECK_TEXT]).probabilities
    if len(rows) != 1 or len(rows[0]) != len(encoder.labels):
        raise ModelFailed("The encoder did not give one probability per label for a short text.")


def _down(error: WorkerDown) -> NotReady:
    reason = f"{str(error)[:1].upper()}{str(error)[1:]}".rstrip(".")
    return NotReady(f"{reason}. Run `shopsheet doctor` for a check.", RETRY_BUSY_S)


def _outcome_of(outcomes: Mapping[bytes, Outcome], key: bytes | None) -> Outcome:
    return None if key is None else outcomes[key]


def _outcome(outcome: object) -> Outcome:
    if isinstance(outcome, bytes | ShopsheetError):
        return outcome
    if isinstance(outcome, Cancelled):
        return NotReady("The time limit of the call has passed.", RETRY_BUSY_S)
    if isinstance(outcome, WorkerDown):
        return _down(outcome)
    log.error(
        "an item failed in the model", exc_info=outcome if isinstance(outcome, Exception) else None
    )
    return ModelFailed("The model failed on this text. The server's log says more.")
