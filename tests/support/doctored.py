"""A whole installation that the doctor finds nothing wrong with, to be spoilt by a test."""

from __future__ import annotations

import json
from collections.abc import Callable, Generator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from hall_gateway.schema import open_store, owned
from hall_tools.control_client import NoGatewayError
from hall_tools.doctor import mqtt_login, operations
from hall_tools.doctor.findings import Finding

from support.installed import Installation
from support.mosquitto import Mosquitto


@dataclass
class Place:
    """An installation with what runs on it and beside it; `gateway`: what a running one holds."""

    installation: Installation
    gateway: ExitStack
    upstream: Mosquitto
    answers: dict[str, Any]
    """Of the gateway's control socket, by path; without one it is not there."""

    def found(self, level: str) -> list[Finding]:
        return [found for _, found in self.installation.examine() if found.level == level]

    def only(self, level: str) -> Finding:
        """The one finding of that level."""
        found = self.found(level)
        assert len(found) == 1, found
        return found[0]

    def told(self, level: str, text: str, advice: str) -> None:
        """Assert that a finding of that level says `text` and advises `advice`, and that each
        advises something."""
        found = self.found(level)
        matching = [finding for finding in found if text in finding.text]
        assert matching, found
        assert advice in matching[0].advice
        assert all(finding.advice for finding in found)

    def ask(self, _store: Path, path: str) -> Any:
        if path not in self.answers:
            raise NoGatewayError("No such file or directory")
        return self.answers[path]

    def health(self, **figures: object) -> None:
        """What the gateway says of itself from now on."""
        machine = self.installation.machine
        good = {"at": machine.now_ms(), "brokers": {"devices": {"connected": True}}}
        machine.path("/run/hallkit/health.json").write_text(json.dumps(good | figures))


@contextmanager
def whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Generator[Place]:
    """The installation with both its brokers running, and a store that a gateway has open."""
    # Nothing is retained there, and both brokers are near.
    monkeypatch.setattr(mqtt_login, "RETAINED_S", 0.1)
    with Mosquitto(tmp_path / "upstream") as upstream:
        installation = Installation(tmp_path / "root", monkeypatch, upstream.port)
        with installation.broker, ExitStack() as gateway:
            gateway.enter_context(owned(installation.store))
            store = gateway.enter_context(closing(open_store(installation.store, 8)))
            now = installation.machine.now_ms()
            for device in ("kp-1", "count-1"):  # both have spoken, and are online
                store.execute("INSERT INTO devices VALUES (?, 1, ?, NULL)", (device, now))
            answers: dict[str, Any] = {
                "/health": {"status": "ok", "reasons": []},
                "/config": {"trial": None, "refused": {}, "pending": [], "error": None},
            }
            place = Place(installation, gateway, upstream, answers)
            monkeypatch.setattr(operations, "ask", place.ask)
            place.health()
            yield place


def edit(old: str, new: str) -> Callable[[Place], None]:
    def change(place: Place) -> None:
        config = place.installation.config
        text = config.read_text()
        assert old in text
        config.write_text(text.replace(old, new))

    return change
