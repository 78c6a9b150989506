"""What `hall bench fleet` measured with few and with many halls, side by side.

Here: targets, and what the figures do not say. Not here: the measurement (fleet.py), tables
(hall_tools.commands.bench_fleet).
"""

from collections.abc import Sequence

from hall_tools.bench.fleet import Fleet, Phase
from hall_tools.bench.tables import Target

PER_S, FLAT = 3000.0, 1.25
"""Targets: events a second into PostgreSQL, and the cost of one with the most halls by that with
the fewest. Set before anything was measured."""

NOTES = (
    "All at once: the halls' gateways, three nats-servers, two workers and PostgreSQL share this "
    "machine's processors; the halls have backlogs, as after an outage, and tell them as fast as "
    "they are taken. Workers alone: the same messages from the streams, no hall connected.",
    "Rates are from when the events are let go until the last is in the table, CPU is that of the "
    "processes of each part (proc(5)) in that time; that workers start and halls connect comes "
    "before, and is told apart. PostgreSQL commits with fsync, each event in the table and "
    "in the sums of its day; each stream has three copies.",
    "Live: from the moment a customer comes in, in ms, through the gateway's store, the stream and "
    "a worker, to the commit of the row (track_commit_timestamp).",
    "What it does not say: how the disks of three machines and the network between them do, for "
    "here all is on one disk and on loopback without TLS; nats-server syncs its files now and "
    "then, and PostgreSQL each commit, to the disk that is here. Devices have no part in it.",
)


def targets(fleets: Sequence[Fleet]) -> list[Target]:
    """Of all that was measured."""
    found: list[Target] = []
    most = max(fleets, key=lambda fleet: fleet.halls)
    if most.together:
        found.append(_rate(f"{most.halls} halls all at once", most.together))
    if most.ingest:
        found.append(_rate(f"{most.halls} halls, workers alone", max(most.ingest, key=_per_s)))
    judged = [each for fleet in fleets for each in (*_phases(fleet), fleet.at_end)]
    wrong = sum(each.lost + each.doubled + each.other for each in judged)
    found.append(Target("lost, doubled or otherwise wrong", "0", f"{wrong}", not wrong))
    few = min(fleets, key=lambda fleet: fleet.halls)
    if few.halls < most.halls and few.together and most.together:
        ratio = most.together.cost_us / few.together.cost_us
        what = f"cost of an event, {most.halls} halls by {few.halls}"
        found.append(Target(what, f"at most {FLAT:g}", f"{ratio:.2f}", ratio <= FLAT))
    return found


def _rate(what: str, phase: Phase) -> Target:
    wanted = f"at least {PER_S:,.0f}/s"
    return Target(what, wanted, f"{phase.per_s:,.0f}/s", phase.per_s >= PER_S)


def _per_s(phase: Phase) -> float:
    return phase.per_s


def _phases(fleet: Fleet) -> list[Phase]:
    return [*([fleet.together] if fleet.together else []), *fleet.ingest]
