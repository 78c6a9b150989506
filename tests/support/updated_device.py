"""A device that takes releases as docs/updates.md describes it, without a line of firmware.

Only the device's side of an update belongs here: commands, fetching, what it tells. The rest of a
device is `support.plain_device`.
"""

from __future__ import annotations

import base64
import hashlib
import json
from typing import Any

from support.paho_client import WAIT_S, Received
from support.plain_device import PlainDevice


class UpdatedDevice(PlainDevice):
    """Runs `version` out of slot a until it is told otherwise."""

    version = "0.1.0"
    slot = "a"

    def come(self) -> None:
        """Be there, and say what runs."""
        self.says("idle")
        self.online()

    def says(self, how: str, percent: int = 0) -> None:
        """Report the update's progress."""
        self.state(
            update={"v": self.version, "slot": self.slot, "s": how, "p": percent},
            journal={"epoch": self.epoch, "acked": self.acked, "next": len(self.journal) + 1},
        )

    def tells(self, code: str, version: str) -> None:
        """Journal what became of it, and have it acked."""
        self.emit("update", {"s": code, "v": version})
        self.deliver()

    def commands(self) -> list[dict[str, Any]]:
        """The update commands so far."""
        topic = f"{self.root}/down/cmd"
        got = [json.loads(m.payload) for m in list(self.client.received) if m.topic == topic]
        return [command for command in got if command["do"] == "update"]

    def await_command(self, count: int = 1, seconds: float = WAIT_S) -> dict[str, Any]:
        """The update command number `count`."""
        assert self.client.until(lambda: len(self.commands()) >= count, seconds), self.name
        return self.commands()[count - 1]

    def answer(self, command: dict[str, Any], error: str | None = None) -> None:
        body: dict[str, object] = {"id": command["id"], "ok": error is None}
        state = {"state": {"v": self.version, "slot": self.slot, "s": "idle", "p": 0}}
        body |= {"result": state} if error is None else {"error": error}
        self.client.publish(f"{self.root}/up/reply", json.dumps(body))

    def ask(self, payload: object) -> None:
        """up/fetch, good or bad."""
        self.client.publish(f"{self.root}/up/fetch", json.dumps(payload))

    def chunk(self, sha256: str, at: int) -> dict[str, Any]:
        """The answer to one request, which comes once."""
        before = len(self.chunks(sha256, at))
        self.ask({"sha256": sha256, "at": at})
        assert self.client.until(lambda: len(self.chunks(sha256, at)) > before), (sha256, at)
        return json.loads(self.chunks(sha256, at)[-1].payload)

    def fetch(self, sha256: str) -> bytes:
        """A whole file, piece by piece."""
        content = b""
        while True:
            chunk = self.chunk(sha256, len(content))
            assert set(chunk) == {"sha256", "at", "size", "data"}, chunk
            content += base64.b64decode(chunk["data"], validate=True)
            if len(content) >= chunk["size"]:
                break
        assert hashlib.sha256(content).hexdigest() == sha256
        return content

    def install(self, command: dict[str, Any]) -> str:
        """Fetch the release, and try it; its version."""
        self.answer(command)
        self.says("fetch")
        manifest = self.fetch(command["args"]["release"]).decode()
        assert len(manifest) == command["args"]["size"]
        fields = dict(line.split(" ", 1) for line in manifest.splitlines())
        for line in manifest.splitlines():
            if line.startswith("file "):
                _, sha256, size, _path = line.split(" ")
                assert len(self.fetch(sha256)) == int(size)
        self.tells("staged", fields["version"])
        self.slot = "b" if self.slot == "a" else "a"
        self.version = fields["version"]
        self.says("trial")
        return self.version

    def confirm(self) -> None:
        """The trial went well."""
        self.tells("confirmed", self.version)
        self.says("confirmed")

    def chunks(self, sha256: str, at: int) -> list[Received]:
        """The answers so far to requests for that piece."""
        topic = f"{self.root}/down/chunk"
        found = [message for message in list(self.client.received) if message.topic == topic]
        return [m for m in found if self._which(m) == (sha256, at)]

    @staticmethod
    def _which(message: Received) -> tuple[str, int]:
        body = json.loads(message.payload)
        return body["sha256"], body["at"]
