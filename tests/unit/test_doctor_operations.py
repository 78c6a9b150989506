"""What the doctor makes of the gateway's own answers: sinks, dead letters, settings on trial."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from support.doctored import Place, whole


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Place]:
    with whole(tmp_path, monkeypatch) as place:
        yield place


def test_what_the_gateway_says_of_itself_is_told_with_advice(place: Place) -> None:
    place.answers["/health"] = {
        "status": "failing",
        "reasons": [
            {"code": "store_full", "text": "the store is full", "status": "failing"},
            {"code": "dead_letters", "text": "webhook:a refused 3 events", "status": "degraded"},
            {"code": "hall_broker", "text": "no connection", "status": "degraded"},
        ],
    }
    place.answers["/config"]["trial"] = {"version": 4, "by": "li"}
    place.told("fault", "the store is full", "store.max_mb")
    place.told("warning", "webhook:a refused 3 events", "decide on them")
    place.told("warning", "on trial: version 4 by li", "hall gateway config confirm")
    assert not any(finding.text == "no connection" for finding in place.found("warning"))


def test_a_control_socket_that_is_not_there(place: Place) -> None:
    place.answers.clear()
    place.told("fault", "does not answer: No such file", "systemctl restart hallkit-gateway")
    place.gateway.close()  # without a gateway that is no finding of its own
    assert not any("control socket" in finding.text for finding in place.found("fault"))
