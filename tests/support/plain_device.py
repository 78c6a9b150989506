"""A device as the contract describes it, without a line of firmware: journal, window, resend.

Only the device's side of the contract belongs here: payloads, acks, desired state, commands. Its
MQTT is `support.paho_client`.
"""

from __future__ import annotations

import json
import random
import threading
import time
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Any

from support.paho_client import WAIT_S, PlainClient, Received
from support.traffic import Traffic

WINDOW = 8
RESEND_S = 1.0
LOOKED_AT = 50
"""Messages of each kind that are held against the contract's schemas at the end."""


class PlainDevice:
    """A device `name`; `with PlainDevice(port, "kp-1") as device:` connects it.

    `emit` journals an event, `deliver` sends what is not acked, oldest first, at most 8 in
    flight, until everything is. `epoch` is drawn anew for each device unless given.
    """

    def __init__(self, port: int, name: str, *, epoch: int | None = None) -> None:
        self.name = name
        self.root = f"device/v1/{name}"
        self.epoch = random.getrandbits(32) if epoch is None else epoch
        self.journal: list[dict[str, Any]] = []
        self.client = PlainClient(
            port, [f"{self.root}/down/#"], name=name, will=(f"{self.root}/up/online", b"0")
        )
        self._boot_at = time.monotonic()
        self._scanned = self._acked = 0
        self._scanning = threading.Lock()

    def __enter__(self) -> PlainDevice:
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
    def ids(self) -> list[str]:
        """The CloudEvents ids of everything journalled."""
        return [f"{self.name}/{self.epoch:08x}/{event['seq']}" for event in self.journal]

    @property
    def acked(self) -> int:
        """The highest seq that an ack of this epoch covered."""
        with self._scanning:
            for message in self.client.received[self._scanned :]:
                self._scanned += 1
                if message.topic == f"{self.root}/down/ack":
                    body = json.loads(message.payload)
                    if body["epoch"] == self.epoch:
                        self._acked = max(self._acked, body["seq"])
            return self._acked

    def acks(self) -> list[Received]:
        """Every down/ack so far."""
        return [m for m in list(self.client.received) if m.topic == f"{self.root}/down/ack"]

    def emit(self, kind: str, data: Mapping[str, object], **changed: object) -> dict[str, Any]:
        """Journal an event; `changed` replaces fields of it. Nothing is sent."""
        event = {
            "epoch": self.epoch,
            "seq": len(self.journal) + 1,
            "boot": 1,
            "up": int((time.monotonic() - self._boot_at) * 1000),
            "t": int(time.time() * 1000),
            "kind": kind,
            "data": dict(data),
        } | changed
        self.journal.append(event)
        return event

    def send(self, event: Mapping[str, object] | str | bytes) -> None:
        """Publish one up/event, good or bad, and wait for the broker's PUBACK."""
        payload = event if isinstance(event, str | bytes) else json.dumps(event)
        self.client.publish(f"{self.root}/up/event", payload)

    def state(self, **changed: object) -> None:
        """Publish up/state, retained, as a device does after it connected."""
        body: dict[str, object] = {
            "rev": None,
            "shows": {},
            "journal": {
                "epoch": self.epoch,
                "acked": 0,
                "next": len(self.journal) + 1,
                "dropped": 0,
                "torn": 0,
            },
            "health": {"up_s": 5, "boot": 1, "cause": "power_on", "errors": []},
            "fw": "test",
            "profile": "plain",
        }
        self.client.publish(f"{self.root}/up/state", json.dumps(body | changed), retain=True)

    def online(self, payload: str = "1") -> None:
        self.client.publish(f"{self.root}/up/online", payload, retain=True)

    def deliver(self, seconds: float = 60.0) -> None:
        """Send what is not acked, as the contract says, until everything journalled is acked."""
        deadline = time.monotonic() + seconds
        sent = acked = self.acked
        while acked < len(self.journal):
            for event in self.journal[sent : acked + WINDOW]:
                self.client.publish_soon(f"{self.root}/up/event", json.dumps(event))
                sent = event["seq"]
            before, acked = acked, self._await_more(acked)
            if acked == before:
                sent = acked  # no ack in time: everything unacked goes again
            assert time.monotonic() < deadline, f"{acked} of {len(self.journal)} acked in time"

    def _await_more(self, acked: int) -> int:
        self.client.until(lambda: self.acked > acked, RESEND_S)
        return self.acked

    def await_ack(self, seq: int, seconds: float = WAIT_S) -> dict[str, Any]:
        """The first ack of this epoch that covers `seq`."""

        def covers(message: Received) -> bool:
            if message.topic != f"{self.root}/down/ack":
                return False
            body = json.loads(message.payload)
            return body["epoch"] == self.epoch and body["seq"] >= seq

        return json.loads(self.client.wait(covers, seconds=seconds)[0].payload)

    def await_desired(
        self, wanted: Callable[[dict[str, Any]], bool] = lambda desired: True
    ) -> dict[str, Any]:
        """The newest down/desired, once one came for which `wanted` holds."""
        topic = f"{self.root}/down/desired"
        self.client.wait(lambda m: m.topic == topic and wanted(json.loads(m.payload)))
        return json.loads(self.client.on_topic(topic)[-1].payload)
