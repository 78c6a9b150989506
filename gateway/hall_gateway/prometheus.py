"""What a program's metrics have in common: a registry of their own, and the text of a moment.

Here: that, and durations as a histogram. Not here: which metrics a program has (metrics.py of the
gateway, hall_fleet.ingest_figures of a worker).
"""

from abc import ABC, abstractmethod
from collections.abc import Iterator

from prometheus_client import CollectorRegistry, ProcessCollector
from prometheus_client.core import HistogramMetricFamily, Metric
from prometheus_client.exposition import choose_encoder

from hall_gateway.durations import Durations


class Collector(ABC):
    """Collects when it is asked: nothing is counted twice."""

    def __init__(self) -> None:
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

    @abstractmethod
    def collect(self) -> Iterator[Metric]: ...


def histogram(name: str, meaning: str, durations: Durations) -> HistogramMetricFamily:
    """Durations in seconds, with the bounds that they are counted by."""
    bounds = [("+Inf" if b == float("inf") else str(b), count) for b, count in durations.up_to()]
    family = HistogramMetricFamily(name, meaning)
    family.add_metric((), bounds, durations.sum_s)
    return family
