"""What a worker has done and how it is: for /metrics, /health and hall.workers.

Here: counting, and judging by the counts. Not here: how it is served (ingest_http.py).

`failing`: nothing comes into the record, so it waits in the stream. `degraded`: it comes, and
somebody ought to look.
"""

import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

from hall_gateway.durations import Durations
from hall_gateway.health import Health, Reason
from hall_gateway.prometheus import Collector, histogram
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from hall_fleet.consumer import Consumer
from hall_fleet.holes import Figures as HoleFigures
from hall_fleet.intake import Stored

AWAY_S = 30.0
"""A server that is started again, or a leader that is elected, is away for less."""
LATE = 100_000
"""Events that wait in the stream: halls have sent them, and nobody sees them."""


@dataclass
class Figures:
    """Since the start. `last_commit`: unix seconds; `pending`: messages that wait in the stream of
    events for all workers, None while that is not known."""

    events: int = 0
    duplicates: int = 0
    states: int = 0
    poison: Counter[str] = field(default_factory=Counter[str])
    batches: int = 0
    last_batch: int = 0
    last_commit: float | None = None
    pending: int | None = None
    took: Durations = field(default_factory=Durations)
    holes: HoleFigures = field(default_factory=HoleFigures)

    def stored(self, batch: int, done: Stored, seconds: float) -> None:
        """A batch of so many messages was committed."""
        self.events += done.events
        self.duplicates += done.duplicates
        self.poison.update(done.poison)
        self.batches += 1
        self.last_batch = batch
        self.last_commit = time.time()
        self.took.took(seconds)


def health(figures: Figures, consumers: Mapping[str, Consumer]) -> Health:
    """What whoever looks after it should know. `consumers`: events, states."""
    now = time.monotonic()
    reasons: list[Reason] = []
    for name, consumer in consumers.items():
        for code, trouble in (("nats", consumer.nats), ("postgres", consumer.postgres)):
            if trouble is not None:
                since = now - trouble.since
                status = "failing" if since > AWAY_S and name == "events" else "degraded"
                reasons.append(Reason(f"{name}_{code}", trouble.why, status, round(since, 1)))
    if figures.pending is not None and figures.pending > LATE:
        text = f"{figures.pending} events wait in the stream; start another worker"
        reasons.append(Reason("late", text, "degraded"))
    if figures.holes.missing:
        text = f"{figures.holes.missing} positions that the servers took are not in the record; "
        text += "their halls are asked to tell them again"
        reasons.append(Reason("missing", text, "degraded"))
    reasons.sort(key=lambda reason: reason.status != "failing")
    return Health(reasons[0].status if reasons else "ok", tuple(reasons))


class Metrics(Collector):
    """Collects from the worker's figures."""

    def __init__(self, figures: Figures, judged: Callable[[], Health]) -> None:
        self._figures = figures
        self._judged = judged
        super().__init__()

    def collect(self) -> Iterator[Metric]:
        figures, status = self._figures, self._judged().status
        yield _counter("events", "events that came into the record", figures.events)
        yield _counter("duplicates", "events that were there before", figures.duplicates)
        yield _counter("states", "states of halls", figures.states)
        yield _counter("batches", "transactions with events", figures.batches)
        poison = CounterMetricFamily(
            "hallkit_ingest_poison", "messages that were none, by reason", labels=("reason",)
        )
        for reason, count in figures.poison.items():
            poison.add_metric((reason,), count)
        yield poison
        told = GaugeMetricFamily(
            "hallkit_ingest_health_status",
            "1 for what /health says, 0 for the others",
            labels=("status",),
        )
        for each in ("ok", "degraded", "failing"):
            told.add_metric((each,), float(status == each))
        yield told
        yield from _gauge("stream_pending", "events that wait for the workers", figures.pending)
        yield from _gauge(
            "last_commit_timestamp_seconds", "when events were last committed", figures.last_commit
        )
        holes = figures.holes
        yield from _gauge("missing", "positions that the servers took and lost", holes.missing)
        yield from _gauge("told_again", "events that halls told again, ever", holes.again)
        yield from _gauge("gone", "positions that are lost for good, ever", holes.gone)
        yield histogram(
            "hallkit_ingest_batch_seconds", "from a batch of events to its commit", figures.took
        )


def _counter(name: str, meaning: str, value: float) -> CounterMetricFamily:
    return CounterMetricFamily(f"hallkit_ingest_{name}", meaning, value=value)


def _gauge(name: str, meaning: str, value: float | None) -> Iterator[GaugeMetricFamily]:
    if value is not None:
        yield GaugeMetricFamily(f"hallkit_ingest_{name}", meaning, value=value)
