"""All rounds of `hall bench gateway` together: medians, ratios, and what they do not say.

Here: sums over rounds, targets, JSON. Not here: the measurements (gateway.py), tables
(hall_tools.commands.bench_gateway).
"""

from dataclasses import asdict, dataclass
from statistics import median
from typing import Any

from hall_tools.bench.gateway import Figures, Latency
from hall_tools.bench.tables import Target

P99_RATIO, DRAIN_PER_S, RSS_MB = 10.0, 8000.0, 80.0
"""Targets: ThingsBoard's p99 by ours at each rate, events a second out of a backlog at the devices'
broker until acked, resident memory. Set before anything was measured."""

NOTES = (
    "Latency: from right before a device's PUBLISH until a subscriber at the hall's broker has the "
    "event; mosquitto sends the PUBACK for it in the same turn.",
    "intake: a backlog at the devices' broker until each event is committed and acked, the hall "
    "system away. outbox: what was kept meanwhile, from the first to the last event that the hall "
    "system gets when it is back. through: a backlog at the devices' broker until the hall system "
    "has it. Only Hallkit acks to devices, so only it has an intake; a bridge is a broker itself.",
    "Kills: SIGKILL of the gateway (of the bridge's mosquitto) at moments by chance, every second "
    "one while the hall's broker is away. Lost: the devices' broker had taken it, and the hall "
    "system never got it. Again: delivered more than once with the identity of the first; a hall "
    "system that knows events by their identity counts none of these twice.",
    "What it does not say: ThingsBoard's gateway converts payloads of many protocols, here with "
    "one converter for MQTT, and a stub in ThingsBoard's place that answers at once. A bridge "
    "stores and checks nothing, and knows neither devices nor halls. Hallkit checks each event "
    "against its device's profile, keeps the hall's state with it, and commits with FULL. No power "
    "was cut: a killed process leaves the kernel's buffers to be written.",
)


@dataclass(frozen=True)
class Summary:
    """One system: medians over rounds; what was lost, and delivered again, is summed up."""

    figures: Figures
    rounds: int

    def as_json(self) -> dict[str, Any]:
        told = asdict(self.figures)
        told["latencies"] = {str(rate): one for rate, one in told["latencies"].items()}
        return {**told, "rounds": self.rounds}


def summary(rounds: list[Figures]) -> Summary:
    """`rounds`, at least one, are all of one system."""
    first = rounds[0]
    return Summary(
        Figures(
            first.system,
            {
                rate: Latency(
                    p50=median(each.latencies[rate].p50 for each in rounds),
                    p99=median(each.latencies[rate].p99 for each in rounds),
                    lost=sum(each.latencies[rate].lost for each in rounds),
                    bytes_per_event=median(e.latencies[rate].bytes_per_event for e in rounds),
                    cpu_share=median(each.latencies[rate].cpu_share for each in rounds),
                )
                for rate in first.latencies
            },
            intake=_median([each.intake for each in rounds]),
            outbox=_median([each.outbox for each in rounds]),
            through=_median([each.through for each in rounds]),
            rss_mb=median(each.rss_mb for each in rounds),
            rss_most_mb=max(each.rss_most_mb for each in rounds),
            lost_in_drains=sum(each.lost_in_drains for each in rounds),
            kills=sum(each.kills for each in rounds),
            sent=sum(each.sent for each in rounds),
            lost=sum(each.lost for each in rounds),
            again=sum(each.again for each in rounds),
        ),
        len(rounds),
    )


def _median(values: list[float | None]) -> float | None:
    found = [value for value in values if value is not None]
    return median(found) if len(found) == len(values) else None


def targets(summaries: dict[str, Summary]) -> list[Target]:
    """Those of Hallkit that the measured systems let one judge."""
    if "hallkit" not in summaries:
        return []
    ours = summaries["hallkit"].figures
    found: list[Target] = []
    if "thingsboard" in summaries:
        theirs = summaries["thingsboard"].figures
        for rate, latency in ours.latencies.items():
            ratio = theirs.latencies[rate].p99 / latency.p99
            found.append(
                Target(
                    f"p99 at {rate} events/s, ThingsBoard's by ours",
                    f"at least {P99_RATIO:g}",
                    f"{ratio:.1f}",
                    ratio >= P99_RATIO,
                )
            )
    drain = ours.intake or 0.0
    resident = ours.rss_mb
    lost = ours.lost + ours.lost_in_drains + sum(each.lost for each in ours.latencies.values())
    return [
        *found,
        Target("intake", f"at least {DRAIN_PER_S:,.0f}/s", f"{drain:,.0f}/s", drain >= DRAIN_PER_S),
        Target("resident", f"below {RSS_MB:g} MB", f"{resident:.1f} MB", resident < RSS_MB),
        Target(f"lost in {ours.kills} kills and before", "0", f"{lost}", lost == 0),
    ]
