"""What Prometheus is told."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from itertools import product
from typing import Final, get_args

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from sparkhu_retention.applying.failures import FAILURES, Kind
from sparkhu_retention.service.answers import RunAnswer, RunState

METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
STEPS: Final = ("archived", "buried", "purged", "restored", "expired", "held", "changed", "failed")
"""What runs count items by."""
OUTCOMES: Final = (RunState.DONE, RunState.FAILED, RunState.BUSY)


class Metrics:
    """Counters of one service, in a registry of their own; all that is known of is there from the start, as 0.

    Args:
        storages: Names of the storages.
    """

    def __init__(self, storages: Iterable[str] = ()) -> None:
        self.registry = CollectorRegistry()
        prefix = "sparkhu_retention"
        self._requests = Counter(
            f"{prefix}_requests_total", "Requests.", ["method", "route", "status"], registry=self.registry
        )
        self._seconds = Histogram(f"{prefix}_request_seconds", "Length of requests.", ["route"], registry=self.registry)
        self._runs = Counter(f"{prefix}_runs_total", "Runs by outcome.", ["kind", "state"], registry=self.registry)
        self._items, self._bytes = (
            Counter(
                f"{prefix}_{what}_total",
                f"{what.capitalize()} by what was done with them.",
                ["storage", "step"],
                registry=self.registry,
            )
            for what in ("items", "bytes")
        )
        self.registry.register(FAILURES)
        self._running = Gauge(f"{prefix}_running", "Runs under way.", registry=self.registry)
        self._last = Gauge(
            f"{prefix}_last_success_timestamp_seconds",
            "When a run of a storage last ended well; 0: none did.",
            ["storage"],
            registry=self.registry,
        )
        self._declare(list(storages))

    def _declare(self, storages: list[str]) -> None:
        for kind in get_args(Kind):
            FAILURES.labels(kind=kind)
        for kind, state in product(("apply", "restore"), OUTCOMES):
            self._runs.labels(kind, str(state))
        for storage in storages:
            self._last.labels(storage)
            for step in STEPS:
                self._items.labels(storage, step)
                self._bytes.labels(storage, step)

    def count_request(self, method: str, route: str, status: int, seconds: float) -> None:
        """Count a request; what no route knows shares one label, so that callers cannot make labels."""
        self._requests.labels(method if method in METHODS else "other", route, str(status)).inc()
        self._seconds.labels(route).observe(seconds)

    def begin_run(self) -> None:
        """A run begins."""
        self._running.inc()

    def end_run(self, run: RunAnswer) -> None:
        """A run has ended."""
        self._running.dec()
        self._runs.labels(run.kind, str(run.state)).inc()
        for step, counted in run.done.items():
            self._items.labels(run.storage, step).inc(counted.items)
            self._bytes.labels(run.storage, step).inc(counted.bytes)

    def set_last_successes(self, ended: Mapping[str, datetime]) -> None:
        """Take over when a run of each storage last ended well, of whichever process."""
        for storage, at in ended.items():
            self._last.labels(storage).set(at.timestamp())

    def text(self) -> bytes:
        """Write them in Prometheus' text format."""
        return generate_latest(self.registry)
