"""Messages that crossed a broker, each against the schemas of the contract as they are published.

Here: which message of the contract a payload must be, and whether it is one, with jsonschema and
the files of docs/reference/contract alone: no model of the gateway has a say. Not here: receiving
(`support.paho_client`).

Strict where a receiver is not: a topic, a field or a type that the contract does not have is a
fault, and so is a flag that MQTT carries.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Any

from hall_gateway.contract.device_side import device_side
from hall_gateway.contract.hall_side import hall_side
from hall_gateway.contract.schema import closed
from hall_gateway.contract.topics import Topic
from hall_gateway.devices_mqtt import MARK
from jsonschema import Draft202012Validator

from support.paho_client import Received

SCHEMAS = Path(__file__).parents[2] / "docs" / "reference" / "contract" / "schemas"


class Traffic:
    """What was seen, by the name of the message, and what was wrong.

    `devices`: also what devices send, which in some tests is wrong on purpose. At most `each` of a
    message are looked at, of thousands that are alike.
    """

    def __init__(self, *, devices: bool = True, each: int = 10_000) -> None:
        self.seen: Counter[str] = Counter()
        self.faults: list[str] = []
        self.first: dict[str, Any] = {}
        self._devices = devices
        self._each = each
        self._commands: dict[Any, tuple[Topic | None, bool]] = {}  # and whether it fits its schema
        self._profiles: dict[str, str] = {}

    def take_all(self, messages: Iterable[Received]) -> Traffic:
        for message in messages:
            self.take(message)
        return self

    def take(self, message: Received) -> None:
        """Look at one message."""
        body = _json(message.payload)
        id = body.get("id") if isinstance(body, dict) else None
        topic = _topic(message.topic)
        if topic is None:
            if message.topic == MARK:  # to itself
                return
            if "/command/" not in message.topic:
                self._fault(message, "no topic of the contract")
            elif isinstance(id, str):
                self._commands[id] = None, False  # a test's mistake on purpose
            return
        if message.topic.startswith("device/") and topic.gateway == "receives":
            if not self._devices:
                return
        elif self.seen[topic.name] >= self._each and topic.gateway == "sends":
            return
        if not message.payload and topic.retained:
            self.seen[f"{topic.name} cleared"] += 1
            return
        if topic.name.startswith("command."):
            fits = _wrong(topic.name, body) is None
            if isinstance(id, str):
                self._commands[id] = topic, fits
            if fits:
                self.seen[topic.name] += 1
                self.first.setdefault(topic.name, body)
            return
        if message.qos != 1 or (message.retain and not topic.retained):
            self._fault(message, f"QoS {message.qos}, retain {message.retain}")
        name = self._name(topic, body)
        if name is None:
            said = [f"{n}: {_wrong(n, body)}" for n in self._possible(topic, body)]
            self._fault(message, "; ".join(said))
            return
        self.seen[name] += 1
        self.first.setdefault(name, body)
        if topic.name != name:
            self.seen[topic.name] += 1
        self._of_profile(message, name, body)

    def _possible(self, topic: Topic, body: Any) -> tuple[str, ...]:
        """The messages that may come on this topic. A command that does not fit its schema must be
        refused, and one that does is answered in its own way."""
        if topic.name == "reply" and isinstance(body, dict):
            command, fits = self._commands.get(body.get("id"), (None, True))
            if not fits:
                return ("reply.failed",)
            if command is not None and command.replies is not None:
                return command.replies[1]
        return tuple(message.name for message in topic.messages)

    def _name(self, topic: Topic, body: Any) -> str | None:
        names = self._possible(topic, body)
        return next((name for name in names if _wrong(name, body) is None), None)

    def _of_profile(self, message: Received, name: str, body: Any) -> None:
        """What its profile says of a device's event and of what it shows."""
        if not message.topic.startswith("device/"):
            return
        device = message.topic.split("/")[2]
        if name == "up.state":
            self._profiles[device] = body["profile"]
            self._part(message, device, ("shows",), body["shows"])
        elif name.startswith("up.event."):
            self._part(message, device, ("events", body["kind"]), body["data"])
        elif name.startswith("down.desired."):
            self._part(message, device, ("desired",), body)

    def _part(self, message: Received, device: str, path: tuple[str, ...], body: Any) -> None:
        profile = self._profiles.get(device)
        if profile is None:
            return
        schema = _schema(f"profiles/{profile}")
        for step in path:
            schema = schema["properties"][step]
        wrong = next(Draft202012Validator(closed(schema)).iter_errors(body), None)
        if wrong is not None:
            self._fault(message, f"{profile} {'.'.join(path)}: {wrong.message}")
        self.seen[f"profile {path[0]}"] += 1

    def _fault(self, message: Received, what: str) -> None:
        payload = message.payload[:300].decode(errors="replace")
        self.faults.append(f"{message.topic} {payload}: {what}")


@cache
def _topics() -> tuple[Topic, ...]:
    """Those with a fixed last level first: state/gateway is no device's."""
    found = (*hall_side().topics, *device_side().topics)
    return tuple(sorted(found, key=lambda topic: topic.address.endswith("}")))


def _topic(address: str) -> Topic | None:
    levels = address.split("/")
    return next((t for t in _topics() if _fits(t.address.split("/"), levels)), None)


def _fits(template: list[str], levels: list[str]) -> bool:
    same = zip(template, levels, strict=False)
    return len(template) == len(levels) and all(
        t in ("", level) or t[0] == "{" for t, level in same
    )


def _schema(name: str) -> Any:
    return json.loads((SCHEMAS / f"{name}.json").read_text(encoding="utf-8"))


@cache
def _validator(name: str) -> Draft202012Validator:
    return Draft202012Validator(closed(_schema(name)))


def _json(payload: bytes) -> Any:
    try:
        return json.loads(payload)
    except ValueError:
        return None


def _wrong(name: str, body: Any) -> str | None:
    """What is wrong with `body` as a message of this name; None when nothing is."""
    deepest = sorted(_validator(name).iter_errors(body), key=lambda e: -len(e.absolute_path))
    if not deepest:
        return None
    where = ".".join(str(step) for step in deepest[0].absolute_path)
    return f"{where}: {deepest[0].message[:300]}"
