"""The gateway's figures as Prometheus metrics.

Here: collecting them. Not here: which there are (metric_families.py), the figures (core.py,
service.py), how they are written (prometheus.py) and served (health_api.py).
"""

from collections.abc import Callable, Iterator

from prometheus_client.core import Metric

from hall_gateway.durations import Durations
from hall_gateway.health import Figures
from hall_gateway.metric_families import FAMILIES
from hall_gateway.prometheus import Collector, histogram

COMMIT_SECONDS = "hallkit_commit_seconds"
COMMIT_MEANING = "how long the store's disk takes for a commit (fsync)"


class Metrics(Collector):
    """Collects from `figures`: Gateway.figures(), and the status of /health."""

    def __init__(self, figures: Callable[[], Figures], commits: Durations) -> None:
        self._figures = figures
        self._commits = commits
        super().__init__()

    def collect(self) -> Iterator[Metric]:
        figures = self._figures()
        for family in FAMILIES:
            metric = family.kind(family.name, family.meaning, labels=family.labels)
            for labels, value in family.samples(figures):
                if value is not None:
                    metric.add_metric(labels, float(value))
            yield metric
        yield histogram(COMMIT_SECONDS, COMMIT_MEANING, self._commits)
