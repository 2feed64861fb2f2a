"""What the server did, in the text format of Prometheus."""

from __future__ import annotations

from collections.abc import Iterator

from prometheus_client import CollectorRegistry, Counter, Histogram
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.registry import Collector

from server.engine import Engine

SECONDS = (0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 900)


class Metrics:
    """The numbers of one server; they begin at nought with it."""

    def __init__(self, engine: Engine) -> None:
        self._registry = CollectorRegistry()  # not the global one: a process may hold two servers
        self._requests = Counter(
            "shopsheet_requests",
            "HTTP requests answered.",
            ["route", "status"],
            registry=self._registry,
        )
        self._seconds = Histogram(
            "shopsheet_request_seconds",
            "Time from a request to its answer.",
            ["route"],
            buckets=SECONDS,
            registry=self._registry,
        )
        self._refused = Counter(
            "shopsheet_refused",
            "Requests refused at once because too many were waiting.",
            registry=self._registry,
        )
        self._registry.register(_EngineCollector(engine))

    def count_request(self, route: str, status: int, seconds: float) -> None:
        self._requests.labels(route, str(status)).inc()
        self._seconds.labels(route).observe(seconds)

    def count_refused(self) -> None:
        self._refused.inc()

    def render(self) -> tuple[bytes, str]:
        """The numbers as text, and its content type."""
        return generate_latest(self._registry), CONTENT_TYPE_LATEST


class _EngineCollector(Collector):
    """Reads the engine's own counts when somebody asks for them."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def collect(self) -> Iterator[Metric]:
        stats = self._engine.stats()
        cells = CounterMetricFamily(
            "shopsheet_cells",
            "Cells answered, by where the answer came from.",
            labels=["function", "source"],
        )
        for (function, source), count in sorted(stats.cells.items()):
            cells.add_metric([function, source], count)
        yield cells
        for kind, name, help_text, field in _WORKER:
            family = kind(f"shopsheet_worker_{name}", help_text, labels=["worker"])
            for worker in stats.workers:
                family.add_metric([worker.name], getattr(worker, field))
            yield family
        ready = GaugeMetricFamily(
            "shopsheet_worker_ready", "1 while the worker has its model.", labels=["worker"]
        )
        for worker in stats.workers:
            ready.add_metric([worker.name], float(worker.state == "ready"))
        yield ready
        for kind, name, help_text, field in _STORE:
            yield kind(
                f"shopsheet_store_{name}", help_text, value=float(getattr(stats.store, field))
            )


_WORKER = (
    (GaugeMetricFamily, "waiting_items", "Items that wait for the model.", "waiting"),
    (CounterMetricFamily, "batches", "Batches run.", "batches"),
    (CounterMetricFamily, "items", "Items run.", "items"),
    (CounterMetricFamily, "busy_seconds", "Time spent in the model.", "busy_s"),
    (CounterMetricFamily, "failed_items", "Items that ended in an error.", "failed_items"),
    (CounterMetricFamily, "shared_items", "Items shared with another call.", "shared_items"),
    (CounterMetricFamily, "restarts", "Times the worker was started again.", "restarts"),
)
_STORE = (
    (GaugeMetricFamily, "entries", "Results on disk.", "entries"),
    (GaugeMetricFamily, "bytes", "Estimated size of the results on disk.", "bytes"),
    (CounterMetricFamily, "hits", "Results found.", "hits"),
    (CounterMetricFamily, "misses", "Results not found.", "misses"),
    (CounterMetricFamily, "written", "Results written to disk.", "written"),
    (CounterMetricFamily, "evicted", "Results removed to stay below the size cap.", "evicted"),
    (CounterMetricFamily, "failures", "Reads and writes that the disk refused.", "failures"),
    (GaugeMetricFamily, "working", "1 while results are kept on disk.", "working"),
)
