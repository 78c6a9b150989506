"""What /metrics has: every metric's name, unit, meaning and labels.

Here: the table of metrics, and where each is among the gateway's figures. Not here: the figures
(core.py, service.py), collecting them (metrics.py).

Counters count since the gateway's start. Labels are device ids, sinks and brokers of the settings,
and reasons and types that the code knows: nothing that somebody outside can make up.
"""

from collections.abc import Callable, Iterable
from importlib.metadata import version
from typing import NamedTuple

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

from hall_gateway.health import Figures, group

_STATUSES = ("ok", "degraded", "failing")

Samples = Iterable[tuple[tuple[str, ...], float | None]]


class Family(NamedTuple):
    """A metric: its name without `_total`, what it means, its labels, and its samples."""

    name: str
    kind: type[GaugeMetricFamily | CounterMetricFamily]
    meaning: str
    labels: tuple[str, ...]
    samples: Callable[[Figures], Samples]


def _one(*way: str, scale: float = 1.0) -> Callable[[Figures], Samples]:
    """The number at `way`; none while it is not known."""

    def samples(figures: Figures) -> Samples:
        value: float | None = group(figures, *way[:-1]).get(way[-1])
        return [((), None if value is None else value * scale)]

    return samples


def _each(*way: str) -> Callable[[Figures], Samples]:
    """A number for each name of the group at `way`."""

    def samples(figures: Figures) -> Samples:
        return [((name,), value) for name, value in group(figures, *way).items()]

    return samples


def _of(what: str, field: str, scale: float = 1.0) -> Callable[[Figures], Samples]:
    """`field` of each sink, broker or device."""

    def samples(figures: Figures) -> Samples:
        for name, told in group(figures, what).items():
            if told.get("removed") is None:
                value: float | None = told[field]
                yield (name,), None if value is None else value * scale

    return samples


def _version(_figures: Figures) -> Samples:
    return [((version("hallkit"),), 1.0)]


def _failing(figures: Figures) -> Samples:
    for name, told in group(figures, "sinks").items():
        if told["removed"] is None:
            yield (name,), float(told["error"] is not None)


def _refused(figures: Figures) -> Samples:
    for where in ("refused", "refused_by_links"):
        for reason, count in group(figures, where).items():
            yield (reason,), count


def _status(figures: Figures) -> Samples:
    return [((name,), float(figures["status"] == name)) for name in _STATUSES]


def _kept_out(figures: Figures) -> Samples:
    held = group(figures, "kept_out")
    for device in {**group(figures, "devices"), **held}:
        yield (device,), float(device in held)


def _pending(figures: Figures) -> Samples:
    return [((), float(len(group(figures, "settings").get("pending", ()))))]


_GAUGE, _COUNTER = GaugeMetricFamily, CounterMetricFamily
_MS = 0.001

FAMILIES: tuple[Family, ...] = (
    Family("hallkit_build_info", _GAUGE, "1, with the version of Hallkit", ("version",), _version),
    Family(
        "hallkit_health_status",
        _GAUGE,
        "1 for what /health says, 0 for the others",
        ("status",),
        _status,
    ),
    Family(
        "hallkit_events_stored",
        _COUNTER,
        "events of devices that were committed",
        (),
        _one("stored"),
    ),
    Family(
        "hallkit_events_duplicate",
        _COUNTER,
        "events that came again, and were acked again",
        (),
        _one("duplicates"),
    ),
    Family(
        "hallkit_events_quarantined",
        _COUNTER,
        "events that made no sense, and are kept apart",
        (),
        _one("quarantined"),
    ),
    Family(
        "hallkit_events_lost",
        _COUNTER,
        "events that devices lost, as they say, for their memory ran over",
        (),
        _one("lost"),
    ),
    Family(
        "hallkit_events_published",
        _COUNTER,
        "CloudEvents put into the outbox",
        ("type",),
        _each("published"),
    ),
    Family(
        "hallkit_refused",
        _COUNTER,
        "what was refused of devices and the hall system",
        ("reason",),
        _refused,
    ),
    Family(
        "hallkit_commands",
        _COUNTER,
        "hall commands, by what became of them",
        ("outcome",),
        _each("commands"),
    ),
    Family(
        "hallkit_commits_failed",
        _COUNTER,
        "transactions that were taken back",
        (),
        _one("failed_commits"),
    ),
    Family(
        "hallkit_last_commit_timestamp_seconds",
        _GAUGE,
        "when something was last committed, which is each second",
        (),
        _one("last_commit", scale=_MS),
    ),
    Family(
        "hallkit_store_bytes",
        _GAUGE,
        "what the store's file and its log take on disk",
        (),
        _one("store_bytes"),
    ),
    Family(
        "hallkit_store_limit_bytes",
        _GAUGE,
        "the most that they may take (store.max_mb)",
        (),
        _one("store_limit_bytes"),
    ),
    Family(
        "hallkit_store_full",
        _GAUGE,
        "1 while the store takes nothing new, so that devices keep their events",
        (),
        _one("store_full"),
    ),
    Family(
        "hallkit_store_rows_forgotten",
        _COUNTER,
        "rows deleted after they had done their duty",
        (),
        _one("forgotten"),
    ),
    Family(
        "hallkit_outbox_rows",
        _GAUGE,
        "CloudEvents that wait for the sink",
        ("sink",),
        _each("outbox"),
    ),
    Family(
        "hallkit_sink_last_acked_timestamp_seconds",
        _GAUGE,
        "when the sink last took something",
        ("sink",),
        _of("sinks", "acked", _MS),
    ),
    Family("hallkit_sink_failing", _GAUGE, "1 while the sink takes nothing", ("sink",), _failing),
    Family(
        "hallkit_sink_dead_letters",
        _GAUGE,
        "CloudEvents that the sink refused, and that wait for a decision",
        ("sink",),
        _of("sinks", "dead"),
    ),
    Family(
        "hallkit_sink_told_again",
        _COUNTER,
        "CloudEvents that the sink's servers took and lost, and that they took again",
        ("sink",),
        _each("told_again"),
    ),
    Family(
        "hallkit_broker_connected",
        _GAUGE,
        "1 while the gateway is connected to the broker (devices, hall, home_assistant), or to "
        "the back office's NATS servers (jetstream)",
        ("broker",),
        _of("brokers", "connected"),
    ),
    Family(
        "hallkit_broker_connects",
        _COUNTER,
        "connections to the broker that were accepted",
        ("broker",),
        _of("brokers", "connects"),
    ),
    Family(
        "hallkit_broker_failures",
        _COUNTER,
        "connections to the broker that were not",
        ("broker",),
        _of("brokers", "failures"),
    ),
    Family(
        "hallkit_intake_messages",
        _GAUGE,
        "messages of the broker that wait to be handled",
        ("broker",),
        _of("brokers", "waiting"),
    ),
    Family(
        "hallkit_device_online",
        _GAUGE,
        "1 while the device is connected",
        ("device",),
        _of("devices", "online"),
    ),
    Family(
        "hallkit_device_seen_timestamp_seconds",
        _GAUGE,
        "when the device was last heard",
        ("device",),
        _of("devices", "seen", _MS),
    ),
    Family(
        "hallkit_device_kept_out",
        _GAUGE,
        "1 while the device is not listened to, because it floods or makes no sense",
        ("device",),
        _kept_out,
    ),
    Family(
        "hallkit_device_dropped",
        _COUNTER,
        "messages of the device that came while it was not listened to",
        ("device",),
        _each("dropped"),
    ),
    Family(
        "hallkit_device_nonsense",
        _COUNTER,
        "messages of the device that could not be understood",
        ("device",),
        _each("nonsense"),
    ),
    Family(
        "hallkit_update_devices",
        _GAUGE,
        "devices of the roll-out that is going on, or stopped",
        ("status",),
        _each("roll_out", "phases"),
    ),
    Family(
        "hallkit_update_stopped",
        _GAUGE,
        "1 while a roll-out is stopped and waits for somebody",
        (),
        _one("roll_out", "stopped"),
    ),
    Family(
        "hallkit_update_fetches",
        _COUNTER,
        "pieces of releases that devices asked for: answered, or of a file that is not here",
        ("outcome",),
        _each("fetches"),
    ),
    Family(
        "hallkit_coap",
        _COUNTER,
        "what was refused at the CoAP port, and devices that were challenged",
        ("reason",),
        _each("coap"),
    ),
    Family(
        "hallkit_settings_taken",
        _COUNTER,
        "new settings that were taken without a restart",
        (),
        _one("settings", "taken"),
    ),
    Family(
        "hallkit_settings_refused",
        _COUNTER,
        "new settings that were wrong",
        (),
        _one("settings", "refused"),
    ),
    Family(
        "hallkit_settings_pending",
        _GAUGE,
        "parts of the settings file that wait for a restart",
        (),
        _pending,
    ),
    Family(
        "hallkit_log_left_out",
        _COUNTER,
        "log lines left out because the same came too often",
        (),
        _one("log_left_out"),
    ),
)
