"""The gateway's figures as Prometheus metrics, in a registry of their own.

Here: what core.health() and the links count, under metric names. Not here: an HTTP endpoint, and
counting itself; a metric is read where it is kept, at the moment it is asked for.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import cast

from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from hall_gateway.mqtt import MqttClient

Health = Callable[[], Mapping[str, object]]

_COUNTED = {
    "stored": "Device events committed",
    "duplicates": "Device events received again, and acked again",
    "quarantined": "Payloads that could not be used, kept apart",
}
_GAUGES = {
    "store_bytes": "Size of the store in bytes",
    "store_full": "1 while the store takes nothing and nothing is acked",
    "last_commit": "Unix ms of the last commit",
}
_BROKER_COUNTS = {
    "connects": "Connections accepted by the broker",
    "failures": "Attempts to connect that failed",
    "received": "Messages received",
    "published": "Messages published and confirmed",
}


def registry(
    health: Health, refused: Health, brokers: Mapping[str, MqttClient]
) -> CollectorRegistry:
    """A registry over the core's health, what the links refused, and the connections by side."""
    metrics = CollectorRegistry()
    metrics.register(_Gateway(health, refused, brokers))
    return metrics


class _Gateway(Collector):
    def __init__(self, health: Health, refused: Health, brokers: Mapping[str, MqttClient]) -> None:
        self._health = health
        self._refused = refused
        self._brokers = brokers

    def collect(self) -> Iterator[Metric]:
        health = self._health()
        for name, text in _COUNTED.items():
            yield CounterMetricFamily(f"hall_{name}", text, value=_number(health.get(name)))
        for name, text in _GAUGES.items():
            yield GaugeMetricFamily(f"hall_{name}", text, value=_number(health.get(name)))
        waiting = GaugeMetricFamily(
            "hall_outbox_waiting", "CloudEvents a sink has not acknowledged", labels=["sink"]
        )
        for sink, count in _by_label(health.get("outbox")):
            waiting.add_metric([sink], count)
        yield waiting
        refused = CounterMetricFamily(
            "hall_refused", "Messages refused and not stored", labels=["reason"]
        )
        for reason, count in [*_by_label(health.get("refused")), *_by_label(self._refused())]:
            refused.add_metric([reason], count)
        yield refused
        yield from self._connections()

    def _connections(self) -> Iterator[Metric]:
        up = GaugeMetricFamily("hall_mqtt_connected", "1 while connected", labels=["side"])
        for side, mqtt in self._brokers.items():
            up.add_metric([side], float(mqtt.connected))
        yield up
        for name, text in _BROKER_COUNTS.items():
            counts = CounterMetricFamily(f"hall_mqtt_{name}", text, labels=["side"])
            for side, mqtt in self._brokers.items():
                counts.add_metric([side], float(getattr(mqtt.counters, name)))
            yield counts


def _number(value: object) -> float:
    """0 stands for a count that is not there yet (no commit since the start)."""
    return float(value) if isinstance(value, int | float) else 0.0


def _by_label(value: object) -> list[tuple[str, float]]:
    if not isinstance(value, Mapping):
        return []
    counts = cast("Mapping[object, object]", value)
    return [(str(label), _number(count)) for label, count in counts.items()]
