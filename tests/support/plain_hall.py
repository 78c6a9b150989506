"""A hall system as the contract describes it: sends commands, counts events by their id.

At its end everything that it received is held against the schemas of the contract. Only the hall
system's side of the contract belongs here. Its MQTT is `support.paho_client`.
"""

from __future__ import annotations

import itertools
import json
from collections import Counter
from collections.abc import Callable
from types import TracebackType
from typing import Any

from support.gateway import HALL
from support.paho_client import WAIT_S, PlainClient, Received
from support.traffic import Traffic

ROOT = f"hall/v1/{HALL}"
LOOKED_AT = 50
"""Messages of each kind that are held against the contract's schemas at the end."""


class PlainHall:
    """The hall system; its session is persistent, as that of one that must miss nothing is."""

    def __init__(self, port: int, *, name: str = "hall-system") -> None:
        self.client = PlainClient(port, [f"{ROOT}/#"], name=name, keep=True)
        self._ids = itertools.count(1)
        self._name = name

    def __enter__(self) -> PlainHall:
        self.client.__enter__()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.client.__exit__(kind, error, trace)
        if kind is None:
            traffic = Traffic(each=LOOKED_AT).take_all(self.client.received)
            assert not traffic.faults, "\n".join(traffic.faults[:5])

    @property
    def gateway_online(self) -> bool:
        """What the gateway, or its last will, said last."""
        said = [m.payload for m in self.client.received if m.topic == f"{ROOT}/online"]
        return said[-1:] == [b"1"]

    def command(self, name: str, **fields: object) -> dict[str, Any]:
        """Send a command with an id of its own and return the reply."""
        id = str(fields.pop("id", f"{self._name}-{next(self._ids)}"))
        return self.send(name, json.dumps({"id": id, **fields}), id)

    def send(self, name: str, payload: str | bytes, id: str) -> dict[str, Any]:
        """Send any payload as a command, once the gateway is there, and return its reply."""
        assert self.client.until(lambda: self.gateway_online), "the gateway is not online"
        topic = f"{ROOT}/reply/{id}"
        before = sum(m.topic == topic for m in list(self.client.received))
        self.client.publish(f"{ROOT}/command/{name}", payload)
        return json.loads(self.client.on_topic(topic, count=before + 1)[-1].payload)

    def events(self, type: str | None = None) -> list[dict[str, Any]]:
        """The CloudEvents received so far, each id once, in the order of first arrival."""
        first: dict[str, dict[str, Any]] = {}
        for message in self._event_messages():
            body = json.loads(message.payload)
            first.setdefault(body["id"], body)
        return [event for event in first.values() if type in (None, event["type"])]

    def repeats(self) -> dict[str, int]:
        """How often each id came again; the contract allows it, if the bytes are the same."""
        bodies: dict[str, set[bytes]] = {}
        counts: Counter[str] = Counter()
        for message in self._event_messages():
            id = json.loads(message.payload)["id"]
            bodies.setdefault(id, set()).add(message.payload)
            counts[id] += 1
        assert all(len(different) == 1 for different in bodies.values()), "one id, two bodies"
        return {id: count - 1 for id, count in counts.items() if count > 1}

    def await_events(
        self,
        type: str,
        *,
        count: int = 1,
        seconds: float = WAIT_S,
        where: Callable[[dict[str, Any]], bool] = lambda event: True,
    ) -> list[dict[str, Any]]:
        """At least `count` different events of a type for which `where` holds."""

        def matching() -> list[dict[str, Any]]:
            return [event for event in self.events(type) if where(event)]

        enough = self.client.until(lambda: len(matching()) >= count, seconds)
        types = sorted(Counter(event["type"] for event in self.events()).items())
        assert enough, f"{len(matching())} of {count} {type} in {seconds} s; came: {types}"
        return matching()

    def _event_messages(self) -> list[Received]:
        return [m for m in list(self.client.received) if m.topic.startswith(f"{ROOT}/event/")]
