"""Figures for whoever runs the server, in the text form that Prometheus reads."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from holdfast.core.store import Store
from holdfast.gate.queries import standings

BUCKETS_S = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)


class Metrics:
    """Of one server; nothing is shared between two in one process."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        into = self.registry
        self._requests = Counter(
            "holdfast_requests", "Requests answered.", ["method", "route", "status"], registry=into
        )
        self._seconds = Histogram(
            "holdfast_request_seconds", "Time to answer.", ["route"], buckets=BUCKETS_S, registry=into
        )
        self._models = Gauge("holdfast_models", "Models by the verdict that holds now.", ["verdict"], registry=into)
        self._waiting = Gauge("holdfast_outbox_waiting", "Messages not acknowledged yet.", registry=into)
        self._leaves = Gauge("holdfast_ledger_leaves", "Leaves of the ledger.", registry=into)
        self._pending = Gauge("holdfast_ledger_pending", "Intents without a leaf yet.", registry=into)
        self._streams = Gauge("holdfast_live_streams", "Browsers that follow the alerts.", registry=into)

    def seen(self, method: str, route: str, status: int, elapsed_s: float) -> None:
        """Count one request. `route` is the pattern, never the path: paths are without number."""
        known = method if method in ("GET", "HEAD", "POST") else "other"
        self._requests.labels(known, route, str(status)).inc()
        self._seconds.labels(route).observe(elapsed_s)

    def following(self, change: int) -> None:
        """One browser more or fewer follows the alerts."""
        self._streams.inc(change)

    def text(self, store: Store) -> bytes:
        """Everything, with what the store says now."""
        with store.reading() as tx:
            state = tx.intents.state()
            verdicts = [item.verdict.value for item in standings(tx, tx.now)]
            self._waiting.set(tx.outbox.waiting())
            self._pending.set(tx.intents.count_pending())
        self._leaves.set(state.size)
        for word in ("passed", "unknown", "failed"):
            self._models.labels(word).set(verdicts.count(word))
        return generate_latest(self.registry)
