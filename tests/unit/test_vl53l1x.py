"""The driver of the VL53L1X on the model of the chip, in MicroPython, in simulated time."""

import json
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hall_profiles import compile_config, load
from support import micropython

SCRIPT = Path(__file__).with_name("mp_vl53l1x.py")
FLOOR = 2400
NOISE = 10


class Run:
    """What a run of the driver gave: its lines by kind, with the time of each (ms)."""

    def __init__(self, lines: list[dict[str, Any]]) -> None:
        self.samples: list[tuple[int, int, int, int]] = [
            (line["at"], *line["sample"]) for line in lines if "sample" in line
        ]
        self.faults = [(line["at"], line["fault"]) for line in lines if "fault" in line]
        self.misuses = [line["misuse"] for line in lines if "misuse" in line]
        self.kcps = [line["kcps"] for line in lines if "sample" in line]
        self.restarts: int = lines[-1]["restarts"]

    def zones(self) -> list[int]:
        return [zone for _, zone, _, _ in self.samples]


def run(
    folder: Path,
    *deeds: tuple[int, str, Any],
    until_ms: int = 3000,
    period_ms: int = 5,
    **driver: int,
) -> Run:
    config: dict[str, Any] = compile_config(
        load("people-counter-vl53l1x"),
        device="c-1",
        hall="demo",
        broker_host="127.0.0.1",
        broker_port=1883,
    )
    config["driver"] |= driver
    flash = folder / "flash.bin"
    flash.touch()
    job = {"config": config, "deeds": deeds, "until_ms": until_ms, "period_ms": period_ms}
    done = micropython.run(
        SCRIPT,
        str(flash),
        str(folder / "rtc.bin"),
        path=[micropython.modules(), micropython.simulation()],
        stdin=json.dumps(job) + "\n",
    )
    return Run([json.loads(line) for line in done.output.splitlines()])


def alternates(zones: list[int]) -> bool:
    return all(a != b for a, b in pairwise(zones))


def test_the_zones_take_turns_and_see_the_floor(tmp_path: Path) -> None:
    seen = run(tmp_path, until_ms=10_000)
    assert seen.misuses == []
    assert seen.faults == []
    assert seen.restarts == 0
    assert seen.samples[0][0] < 200, "from power on to the first sample"
    assert alternates(seen.zones())
    assert {status for *_, status in seen.samples} == {0}
    assert all(abs(mm - FLOOR) <= NOISE for _, _, mm, _ in seen.samples)
    # 33 ms and up to 5 ms until the next poll.
    assert 9_800 / 38 <= len(seen.samples) <= 10_000 / 33
    # 8 Mcps a metre away, with the square of the distance.
    assert all(kcps == pytest.approx(8000 / 2.4**2, rel=0.03) for kcps in seen.kcps)


@pytest.mark.parametrize("timing", [20, 33, 50, 100])
def test_each_timing_is_kept(tmp_path: Path, timing: int) -> None:
    seen = run(tmp_path, until_ms=10_000, period_ms=1, timing_ms=timing)
    assert seen.misuses == []
    # As ST's settings fill their budgets: to a tenth below.
    assert len(seen.samples) == pytest.approx(9_800 / timing, rel=0.1)


@pytest.mark.parametrize("width", [4, 5, 6, 7, 8])
@pytest.mark.parametrize("height", [4, 16])
def test_every_region_that_a_profile_may_have_is_legal(
    tmp_path: Path, width: int, height: int
) -> None:
    seen = run(tmp_path, until_ms=500, roi_width=width, roi_height=height)
    assert seen.misuses == []
    assert {status for *_, status in seen.samples} == {0}


@pytest.mark.parametrize(("direction", "first"), [("in", 0), ("out", 1)])
def test_a_body_is_seen_by_one_zone_before_the_other(
    tmp_path: Path, direction: str, first: int
) -> None:
    seen = run(tmp_path, (1000, "walk", {"dir": direction, "ms": 700}))
    near = [(at, zone) for at, zone, mm, _ in seen.samples if mm < FLOOR - 300]
    assert near[0][1] == first
    assert near[-1][1] == 1 - first
    assert 1000 <= near[0][0] <= near[-1][0] <= 1740
    # A head of 1.7 m under a sensor at 2.4 m.
    assert min(mm for _, _, mm, _ in seen.samples) == pytest.approx(700, abs=NOISE)


def right_zone(seen: Run) -> bool:
    """Whether each sample is of its zone, with a ledge of 1 m under the outer one."""
    return all(abs(mm - (FLOOR - 1000 * (1 - zone))) <= NOISE for _, zone, mm, _ in seen.samples)


@pytest.mark.parametrize("period", [1, 7, 33, 36, 80])
def test_a_sample_is_of_its_zone_however_late_it_is_read(tmp_path: Path, period: int) -> None:
    stalls = [(at, "stall", at % 97) for at in range(1000, 9000, 401)]
    seen = run(tmp_path, (0, "ledge", 1000), *stalls, until_ms=10_000, period_ms=period)
    assert len(seen.samples) > 80
    assert alternates(seen.zones())
    assert right_zone(seen)
    assert seen.misuses == []


@pytest.mark.parametrize("at", [20, 68, 110])
def test_a_device_that_was_busy_does_not_blame_the_chip(tmp_path: Path, at: int) -> None:
    seen = run(tmp_path, (at, "stall", 1500), until_ms=2500)
    assert (seen.faults, seen.restarts) == ([], 0)


@pytest.mark.parametrize("every", [17, 61, 503])
def test_a_device_that_gets_no_turn_does_not_blame_the_chip(tmp_path: Path, every: int) -> None:
    aways = [(at, "away", 100 + at % 1400) for at in range(3, 5000, every)]
    seen = run(tmp_path, *aways, until_ms=5000)
    assert (seen.faults, seen.restarts, seen.misuses) == ([], 0, [])
    assert alternates(seen.zones())
    assert len(seen.samples) > 50


@pytest.mark.parametrize("every", [361, 503])
def test_a_chip_that_hangs_is_noticed_by_a_busy_device_too(tmp_path: Path, every: int) -> None:
    stalls = [(at, "stall", 300) for at in range(1003, 5000, every)]
    seen = run(tmp_path, (1000, "hangs", True), *stalls, until_ms=9000)
    assert [fault for _, fault in seen.faults] == ["tof_silent", None]


@pytest.mark.parametrize("nth", [97, 101, 53])
def test_a_disturbed_bus_costs_samples_and_never_a_zone(tmp_path: Path, nth: int) -> None:
    seen = run(tmp_path, (0, "ledge", 1000), (500, "bus_errors", nth), until_ms=10_000)
    assert len(seen.samples) > 50
    assert right_zone(seen)


def test_a_hung_chip_is_reset_and_counted(tmp_path: Path) -> None:
    seen = run(tmp_path, (1000, "hangs", True), (5000, "hangs", True), until_ms=8000)
    (down, silent), (up, well), (_, again), _ = seen.faults
    assert (silent, well, again) == ("tof_silent", None, "tof_silent")
    # Five timings without data, then a boot and a calibration.
    assert 1000 + 5 * 33 - 33 <= down <= 1000 + 5 * 33 + 33
    assert up - down < 250
    assert seen.restarts == 2
    assert seen.misuses == []
    assert seen.samples[-1][0] > 7900


def test_a_chip_that_is_gone_is_asked_ever_less_often_and_found_again(tmp_path: Path) -> None:
    seen = run(tmp_path, (1000, "gone", True), (120_000, "gone", False), until_ms=160_000)
    assert [fault for _, fault in seen.faults] == ["tof_silent", None]
    # 20 ms, doubled to 30 s: eleven times in the first 40 s, then each 30 s.
    assert 10 <= seen.restarts <= 16
    assert seen.faults[1][0] < 151_000
    assert alternates(seen.zones()[-100:])


def test_a_chip_that_hangs_ever_again_is_held_ever_longer(tmp_path: Path) -> None:
    hangs = [(at, "hangs", True) for at in range(1000, 60_000, 500)]
    seen = run(tmp_path, *hangs, until_ms=60_000)
    assert 8 <= seen.restarts <= 14


def test_a_broken_interrupt_wire_costs_nothing_but_time(tmp_path: Path) -> None:
    seen = run(tmp_path, (1000, "deaf_pin", True), until_ms=5000)
    assert seen.faults == []
    assert alternates(seen.zones())
    assert len([at for at, *_ in seen.samples if at > 2000]) >= 3000 / 40
    assert seen.misuses == []


@pytest.mark.parametrize("at", [0, 1000])
def test_a_shorted_interrupt_wire_costs_nothing_but_time(tmp_path: Path, at: int) -> None:
    seen = run(tmp_path, (0, "ledge", 1000), (at, "shorted_pin", True), until_ms=5000)
    assert seen.faults == []
    assert alternates(seen.zones())
    assert len([each for each, *_ in seen.samples if each > 2000]) >= 3000 / 40
    if at:
        # The one that was under way when the wire was shorted is read before it is there.
        seen.samples = [each for each in seen.samples if each[0] > at + 200]
    else:
        assert seen.misuses == []
    assert right_zone(seen)


def test_another_chip_at_the_address_is_told(tmp_path: Path) -> None:
    seen = run(tmp_path, (0, "model", 0xAA), until_ms=2000)
    assert [fault for _, fault in seen.faults] == ["tof_model"]
    assert seen.samples == []


# The model itself: it must catch what a wrong driver does.

MISUSES: dict[str, tuple[list[str], Any]] = {
    "good_single": ([], [False, True, 9, True]),
    "good_timed": ([], [1, 2, 3, 4, 5]),
    "never_cleared": (["a sample was lost: interrupt not cleared"], True),
    "started_uncleared": (["started with the interrupt not cleared"], True),
    "read_too_soon": (["result read while no sample was ready"], None),
    "region_while_ranging": (["region written during a ranging"], None),
    "region_off_the_edge": (["region beyond the receivers, or smaller than 4 x 4"], 13),
    "region_too_small": (["region beyond the receivers, or smaller than 4 x 4"], 13),
    "budget_too_short": (["timing budget 15660 us, and this mode needs 20000"], None),
    "budget_lopsided": (["timeouts A and B are for different budgets"], None),
    "period_too_short": (["inter-measurement period shorter than the ranging"], True),
    "not_configured": (["no ranging step, or no interrupt for a new sample"], 0),
    "half_a_mode": (["neither ST's long nor its short distance mode"], None),
    "unknown_mode": (["mode 0x33"], None),
    "asked_while_it_boots": ([], [19, 3, [0xEA, 0xCC]]),
    "asked_while_shut": ([], 19),
    "another_address": ([], 19),
}


def test_the_model_tells_each_rule_that_a_host_breaks() -> None:
    done = micropython.run(
        Path(__file__).with_name("mp_vl53l1x_misuse.py"), path=[micropython.simulation()]
    )
    told = {
        case: (rules, found) for case, rules, found in map(json.loads, done.output.split("\n")[:-1])
    }
    expected = {
        case: ([f"vl53l1x: {rule}" for rule in rules], found)
        for case, (rules, found) in MISUSES.items()
    }
    assert told == expected
