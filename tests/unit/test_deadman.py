"""The switch that acts when its holder stands still."""

import threading
import time

from hall_gateway.deadman import Deadman


def test_it_acts_once_when_nothing_is_heard():
    acted = threading.Event()
    with Deadman(0.05, acted.set) as deadman:
        assert acted.wait(30)
        assert deadman.acted


def test_it_leaves_the_living_alone():
    acted: list[float] = []
    with Deadman(1.0, lambda: acted.append(0)) as deadman:
        end = time.monotonic() + 1.5  # longer than its patience
        while time.monotonic() < end:
            deadman.alive()
            time.sleep(0.02)
    assert not acted
    assert not deadman.acted


def test_after_the_block_it_does_not_act_any_more():
    with Deadman(3600, lambda: None) as deadman:
        pass
    assert not deadman.acted
    assert "deadman" not in [thread.name for thread in threading.enumerate()]
