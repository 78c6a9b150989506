"""Unix time from acks that are late by their way through the network."""

import importlib
from typing import Any


def clock(up: list[int]) -> Any:
    return importlib.import_module("hall_firmware.hall.clock").Clock(lambda: up[0])


def test_there_is_no_time_before_the_first_ack():
    assert clock([5000]).unix_ms() is None


def test_time_goes_on_with_the_uptime():
    up = [1000]
    now = clock(up)
    now.set(1_700_000_000_000)
    up[0] += 4321
    assert now.unix_ms() == 1_700_000_004_321


def test_a_late_ack_does_not_turn_the_clock_back_and_a_quick_one_improves_it():
    up = [0]
    now = clock(up)
    now.set(10_000)
    up[0] = 1000
    now.set(10_400)  # 600 ms late
    assert now.unix_ms() == 11_000
    now.set(11_030)
    assert now.unix_ms() == 11_030


def test_a_clock_far_ahead_is_corrected():
    up = [0]
    now = clock(up)
    now.set(1_800_000_000_000)
    now.set(1_700_000_000_000)
    assert now.unix_ms() == 1_700_000_000_000


def test_it_never_runs_backwards_under_jitter():
    up = [0]
    now = clock(up)
    last = 0
    for step in range(200):
        up[0] = step * 50
        now.set(1_000_000 + up[0] - step * 37 % 900)
        assert now.unix_ms() >= last
        last = now.unix_ms()
