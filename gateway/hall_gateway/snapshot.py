"""What is told of a commit: what devices should be, how they are, and the gateway's counts.

Here: making it from the store and the hall's state, in the store's thread. Not here: transactions
(heart.py), who is told and what follows (core.py).
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field

from hall_gateway.effects import Touched
from hall_gateway.keypads import tally
from hall_gateway.state import HallState, Json
from hall_gateway.store import Store
from hall_gateway.wire import compact

_GROUPS = ("refused", "commands", "published", "rules", "nonsense")
_ALWAYS = ("stored", "duplicates", "quarantined", "lost", "failed_commits")


@dataclass(frozen=True)
class Snapshot:
    """What is committed, for the event loop. `news` names the signals to set, `answers` are late
    replies to commands that were given on this machine, by their ids."""

    desired: dict[str, bytes] = field(default_factory=dict[str, bytes])
    states: dict[str, bytes] = field(default_factory=dict[str, bytes])
    health: dict[str, object] = field(default_factory=dict[str, object])
    news: tuple[str, ...] = ()
    answers: dict[str, bytes] = field(default_factory=dict[str, bytes])


def committed(
    before: Snapshot, touched: Touched, store: Store, state: HallState, health: dict[str, object]
) -> Snapshot:
    """`before` with what a transaction has touched, and the counts after it."""
    desired = {**before.desired, **touched.desired} if touched.desired else before.desired
    news = [name for name in ("outbox", "device_commands", "replies") if getattr(touched, name)]
    states = before.states
    if touched.devices:
        states = {**states, **{d: _device_state(d, store, state) for d in touched.devices}}
        news.append("states")
    if touched.desired:
        news.append("desired")
    news += touched.news
    return Snapshot(desired, states, health, tuple(news), answers=touched.answers)


def health(store: Store, counts: Mapping[str, int], full: bool, now: int) -> dict[str, object]:
    """Core.health() of a commit at unix ms `now`; of a count's name what stands before its dot is
    its group."""
    groups: dict[str, dict[str, int]] = {name: {} for name in _GROUPS}
    single: dict[str, int] = dict.fromkeys(_ALWAYS, 0)
    for name, count in counts.items():
        group, _, rest = name.partition(".")
        if rest:
            groups[group][rest] = count
        else:
            single[name] = count
    sinks = store.sinks.rows()
    return {
        **single,
        **groups,
        "outbox": {row.name: row.waiting for row in sinks if row.removed is None},
        "sinks": {row.name: row.figures() for row in sinks},
        "store_bytes": store.bytes_on_disk(),
        "store_full": full,
        "last_commit": now,
    }


def _device_state(device: str, store: Store, state: HallState) -> bytes:
    row = store.hall.device(device)
    told: Json = {
        "device": device,
        "online": bool(row.online),
        "seen": row.seen,
        "state": None if row.state is None else json.loads(row.state),
    }
    if keypad := state.keypads.get(device):
        told["ratings"] = tally(keypad)
    return compact(told)
