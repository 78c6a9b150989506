"""What every test of the gateway's own code is held to: what it publishes is in the contract.
And what is run first.

Each CloudEvent that a test makes the gateway publish, in this process, must be of a registered type
and have data that fits its model. The test fails at its end, for within the gateway an error would
only put the event into quarantine.
"""

import sys
from collections.abc import Iterator

import pytest

LONGEST = (
    "chaos/test_hall.py",
    "hall/test_updates.py",
    "hall/test_update_latency.py",
    "hall/test_key_latency.py",
    "hall/test_fingers.py",
    "hall/test_demo.py",
    "hall/test_bare_board.py",
    "hall/test_battery_device.py",
    "hall/test_recovery.py",
    "hall/test_sim_resets.py",
    "hall/test_attacker.py",
    "hall/test_coap_flood.py",
    "contract/test_link_mosquitto.py",
    "unit/test_counting_bench.py",
)
"""Files of tests that take many seconds each. With a short one last, no worker waits for another,
which takes over half of what is left whenever it has nothing to do."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    def place(item: pytest.Item) -> int:
        path = item.path.as_posix()
        return next((n for n, file in enumerate(LONGEST) if path.endswith(file)), len(LONGEST))

    items.sort(key=place)


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
