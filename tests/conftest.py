"""What every test of the gateway's own code is held to: what it publishes is in the contract.

Each CloudEvent that a test makes the gateway publish, in this process, must be of a registered type
and have data that fits its model. The test fails at its end, for within the gateway an error would
only put the event into quarantine.
"""

import sys
from collections.abc import Iterator

import pytest


@pytest.fixture(autouse=True)
def published_as_in_the_contract(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    effects = sys.modules.get("hall_gateway.effects")
    if effects is None:  # nothing that this test has imported publishes anything
        yield
        return
    from support.contract import fault_of

    faults: list[str] = []
    written = effects.cloud_event

    def checked(hall: str, id: str, emit: object, time_ms: int, quality: str) -> bytes:
        body = written(hall, id, emit, time_ms, quality)
        if fault := fault_of(emit):
            faults.append(fault)
        return body

    monkeypatch.setattr(effects, "cloud_event", checked)
    yield
    assert not faults, "published beside the contract:\n" + "\n".join(faults)
