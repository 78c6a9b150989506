"""The gateway's figures as Prometheus metrics.

Here: collecting them. Not here: which there are (metric_families.py), the figures (core.py,
service.py), how they are served (health_api.py).
"""

from collections.abc import Callable, Iterator

from prometheus_client import CollectorRegistry, ProcessCollector
from prometheus_client.core import HistogramMetricFamily, Metric
from prometheus_client.exposition import choose_encoder

from hall_gateway.durations import Durations
from hall_gateway.health import Figures
from hall_gateway.metric_families import FAMILIES

COMMIT_SECONDS = "hallkit_commit_seconds"
COMMIT_MEANING = "how long the store's disk takes for a commit (fsync)"


class Metrics:
    """Collects from `figures`: Gateway.figures(), and the status of /health."""

    def __init__(self, figures: Callable[[], Figures], commits: Durations) -> None:
        self._figures = figures
        self._commits = commits
        self.registry = CollectorRegistry(auto_describe=False)
        self.registry.register(self)
        ProcessCollector(registry=self.registry)

    def told(self, accept: str) -> tuple[bytes, str]:
        """The figures of now and their content type, for a request that accepts `accept`."""
        encode, kind = choose_encoder(accept)
        return encode(self.registry), kind

    def describe(self) -> list[Metric]:
        """Nothing: names are not looked up here, and asking would collect."""
        return []

    def collect(self) -> Iterator[Metric]:
        figures = self._figures()
        for family in FAMILIES:
            metric = family.kind(family.name, family.meaning, labels=family.labels)
            for labels, value in family.samples(figures):
                if value is not None:
                    metric.add_metric(labels, float(value))
            yield metric
        bounds = [(_bound(bound), count) for bound, count in self._commits.up_to()]
        commits = HistogramMetricFamily(COMMIT_SECONDS, COMMIT_MEANING)
        commits.add_metric((), bounds, self._commits.sum_s)
        yield commits


def _bound(seconds: float) -> str:
    return "+Inf" if seconds == float("inf") else str(seconds)
