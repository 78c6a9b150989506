"""The wet-floor role: wet fast, dry slowly, and faults. Simulated time only."""

import json
from dataclasses import dataclass

import pytest
from hall_firmware.hall.roles.wet_floor import WetFloor
from hypothesis import given
from hypothesis import strategies as st
from support.roles import Context

SETTINGS = {
    "sample_ms": 1000,
    "wet_ohms": 80_000,
    "dry_ohms": 240_000,
    "wet_samples": 3,
    "of_samples": 5,
    "dry_after_s": 10,
    "escalate_s": 60,
    "short_ohms": 3000,
    "open_ohms": 800_000,
}
DRY = 430_000


@dataclass
class FakeProbe:
    """A probe that reads `ohms`, or the fault; twice the same microvolts only when `frozen`."""

    end_ohms: int = 470_000
    ohms: int = DRY
    fault: str | None = None
    frozen: bool = False
    measured: int = 0
    raw_uv: tuple[int, int] = (0, 0)

    def measure(self) -> tuple[int, str | None]:
        self.measured += 1
        if not self.frozen:
            self.raw_uv = (self.measured, 0)
        return self.ohms, self.fault


@dataclass
class FakePin:
    """A button or a rain sensor that the test holds."""

    active: int = 0

    def value(self) -> int:
        return self.active


def started(button=None, rain=None, **settings) -> tuple[WetFloor, FakeProbe, Context]:
    """A sensor that was just switched on."""
    context = Context()
    probe = FakeProbe()
    return WetFloor({**SETTINGS, **settings}, probe, context, button, rain), probe, context


def sensor(**arguments) -> tuple[WetFloor, FakeProbe, Context]:
    """A sensor that has found its floor dry, and that it does not rain."""
    role, probe, context = started(**arguments)
    while not context.events:
        samples(role, probe, context, DRY)
    assert context.kinds()[0] == "dry"
    context.events.clear()
    return role, probe, context


def samples(role, probe, context, *readings):
    """One sample of each reading: ohms, or a fault's name."""
    for reading in readings:
        probe.fault = reading if isinstance(reading, str) else None
        probe.ohms = 0 if isinstance(reading, str) else reading
        context.run(role, context.now + 1000)


def test_one_measurement_a_second():
    role, probe, context = started()
    context.run(role, 60_000)
    assert probe.measured == 60
    assert context.kinds() == ["dry"]


def test_after_a_start_the_floor_is_neither_wet_nor_dry():
    role, probe, context = started()
    samples(role, probe, context, *[DRY] * 10)
    assert context.events == []
    assert role.state() == {"ohms": DRY, "wet": None, "fault": None, "dry_ohms": None}
    samples(role, probe, context, DRY)
    assert context.events == [(10_000, "dry", {"ohms": DRY})]
    assert role.state()["wet"] is False


def test_a_floor_that_is_wet_at_the_start_is_said_to_be_wet():
    role, probe, context = started()
    samples(role, probe, context, 40_000, 40_000, 40_000)
    assert context.kinds() == ["wet"]


def test_a_fault_before_the_floor_is_known_ends_without_a_guess():
    role, probe, context = started()
    samples(role, probe, context, "open", "open", "open", DRY, DRY, DRY)
    assert context.kinds() == ["fault"]
    assert role.state() == {"ohms": DRY, "wet": None, "fault": None, "dry_ohms": None}
    samples(role, probe, context, *[DRY] * 8)
    assert context.kinds() == ["fault", "dry"]


def test_three_wet_samples_of_five_make_it_wet():
    role, probe, context = sensor()
    samples(role, probe, context, 40_000, DRY, 40_000, 200_000)
    assert context.events == []
    samples(role, probe, context, 41_000)
    assert context.events == [(context.now - 1000, "wet", {"ohms": 41_000})]
    assert role.state() == {"ohms": 41_000, "wet": True, "fault": None, "dry_ohms": None}


def test_wet_samples_that_are_too_far_apart_do_not():
    role, probe, context = sensor()
    samples(role, probe, context, *([40_000, DRY, DRY, DRY, 40_000, DRY] * 5))
    assert context.events == []


def test_dry_needs_every_sample_of_the_time():
    role, probe, context = sensor()
    samples(role, probe, context, 40_000, 40_000, 40_000)
    samples(role, probe, context, *[DRY] * 9, 240_000, *[DRY] * 10)
    assert context.kinds() == ["wet"]
    samples(role, probe, context, 300_000)
    assert context.events[1] == (context.now - 1000, "dry", {"ohms": 300_000})
    assert role.state()["wet"] is False


def test_a_dry_floor_needs_three_wet_samples_again():
    role, probe, context = sensor(dry_after_s=1)
    samples(role, probe, context, 40_000, 40_000, 40_000, DRY, DRY, 40_000, 40_000)
    assert context.kinds() == ["wet", "dry"]
    samples(role, probe, context, 40_000)
    assert context.kinds() == ["wet", "dry", "wet"]


def test_wet_samples_from_before_a_fault_do_not_count():
    role, probe, context = sensor()
    samples(role, probe, context, 40_000, 40_000, "open", "open", "open", 40_000, 40_000)
    assert context.kinds() == ["fault"]
    samples(role, probe, context, 40_000)
    assert context.kinds() == ["fault", "wet"]


def test_between_the_thresholds_nothing_changes():
    role, probe, context = sensor()
    samples(role, probe, context, *[100_000] * 30)
    assert context.events == []
    samples(role, probe, context, 40_000, 40_000, 40_000, *[100_000] * 30)
    assert context.kinds() == ["wet"]


@pytest.mark.parametrize("fault", ["short", "open", "range"])
def test_a_fault_is_told_once_and_ended_by_the_state_of_the_floor(fault):
    role, probe, context = sensor()
    samples(role, probe, context, fault, fault)
    assert context.events == []
    samples(role, probe, context, *[fault] * 8)
    assert context.of("fault") == [{"code": "probe_" + fault, "value": 0}]
    assert role.state()["fault"] == fault
    assert role.selftest() == {"probe": False}
    samples(role, probe, context, DRY, DRY)
    assert context.kinds() == ["fault"]
    samples(role, probe, context, DRY)
    assert context.kinds() == ["fault", "dry"]
    assert role.state()["fault"] is None


def test_a_floor_that_was_wet_before_a_fault_is_wet_after_it():
    role, probe, context = sensor()
    samples(role, probe, context, 40_000, 40_000, 40_000, "open", "open", "open", DRY, DRY, DRY)
    assert context.kinds() == ["wet", "fault", "wet"]
    samples(role, probe, context, *[DRY] * 8)
    assert context.kinds() == ["wet", "fault", "wet", "dry"]


def test_a_floor_that_became_wet_during_a_fault_is_wet_after_it():
    role, probe, context = sensor()
    samples(role, probe, context, "open", "open", "open", 40_000, 40_000, 40_000, 40_000)
    assert context.kinds() == ["fault", "wet"]


def test_a_single_bad_sample_is_no_fault_but_breaks_the_dry_run():
    role, probe, context = sensor()
    samples(role, probe, context, 40_000, 40_000, 40_000, *[DRY] * 9, "open", *[DRY] * 10)
    assert context.kinds() == ["wet"]
    samples(role, probe, context, DRY)
    assert context.kinds() == ["wet", "dry"]


def test_another_fault_is_another_event():
    role, probe, context = sensor()
    samples(role, probe, context, "open", "open", "open", "short", "short", "short")
    assert [data["code"] for data in context.of("fault")] == ["probe_open", "probe_short"]


def test_a_faults_value_is_kilohms_and_fits_the_journal():
    role, probe, context = sensor()
    for fault, ohms, value in (("open", 947_000_000, 9_999), ("range", 25_400, 25)):
        probe.fault, probe.ohms = fault, ohms
        context.run(role, context.now + 5000)
        assert context.of("fault")[-1]["value"] == value
    for _, kind, data in context.events:
        assert len(kind + json.dumps(data, separators=(",", ":"))) <= 41


def test_reported_ohms_follow_in_steps_of_a_tenth():
    role, probe, context = sensor()
    reported = set()
    for ohms in range(100_000, 110_001, 1000):
        samples(role, probe, context, ohms)
        reported.add(role.state()["ohms"])
    assert reported == {100_000}
    samples(role, probe, context, 111_000)
    assert role.state()["ohms"] == 111_000


@given(st.lists(st.sampled_from((40_000, 79_999, 80_000, 240_000, 240_001, DRY)), max_size=60))
def test_the_alarms_are_those_of_an_independent_reading(readings):
    """The rule in windows over the whole list instead of step by step."""
    role, probe, context = sensor()
    samples(role, probe, context, *readings)
    expected, wet, forget = [], False, 0
    for i in range(len(readings)):
        last_five = readings[max(forget, i - 4) : i + 1]
        last_eleven = readings[i - 10 : i + 1] if i >= 10 else []
        if not wet and sum(each < 80_000 for each in last_five) >= 3:
            wet = True
            expected.append("wet")
        elif wet and last_eleven and all(each > 240_000 for each in last_eleven):
            wet, forget = False, i + 1
            expected.append("dry")
    assert context.kinds() == expected


def test_what_it_cannot_do_is_refused():
    role, _, _ = sensor()
    with pytest.raises(ValueError, match="no desired state"):
        role.desire({"rev": 1}, 0)
    with pytest.raises(ValueError, match="no lamp and no buzzer"):
        role.identify(0)


def test_readings_that_never_change_are_a_fault():
    role, probe, context = sensor()
    probe.frozen = True
    samples(role, probe, context, *[DRY] * 51)
    assert context.events == []
    samples(role, probe, context, DRY)
    assert context.of("fault") == [{"code": "probe_frozen", "value": DRY // 1000}]
    probe.frozen = False
    samples(role, probe, context, DRY, DRY, DRY)
    assert context.kinds() == ["fault", "dry"]


def test_a_wet_floor_that_nobody_comes_to_is_told_again_each_time():
    role, probe, context = sensor()
    samples(role, probe, context, *[40_000] * (3 + 125))
    assert context.events[1:] == [
        (context.events[0][0] + 60_000, "escalate", {"minutes": 1}),
        (context.events[0][0] + 120_000, "escalate", {"minutes": 2}),
    ]
    samples(role, probe, context, *[DRY] * 300)
    assert context.kinds() == ["wet", "escalate", "escalate", "dry"]


def test_the_cleaners_button_postpones_the_escalation_and_never_ends_the_wetness():
    button = FakePin()
    role, probe, context = sensor(button=button)
    samples(role, probe, context, *[40_000] * 53)
    button.active = 1
    samples(role, probe, context, *[40_000] * 2)
    button.active = 0
    samples(role, probe, context, *[40_000] * 57)
    assert context.kinds() == ["wet", "attended"]
    assert role.state()["wet"] is True
    samples(role, probe, context, *[40_000] * 3)
    assert context.of("escalate") == [{"minutes": 1}]
    assert context.events[2][0] == context.events[1][0] + 60_000 + 900  # the next sample


def test_a_button_that_is_hammered_or_stuck_is_one_visit():
    button = FakePin()
    role, probe, context = sensor(button=button)
    for _ in range(9):
        button.active = 1 - button.active
        samples(role, probe, context, DRY)
    samples(role, probe, context, *[DRY] * 30)
    assert context.kinds() == ["attended"]


def test_a_button_that_is_hammered_puts_the_escalation_off_once():
    button = FakePin()
    role, probe, context = sensor(button=button, escalate_s=600)
    samples(role, probe, context, *[40_000] * 303)
    for second in range(3600):
        button.active = second % 7 == 0
        samples(role, probe, context, 40_000)
    assert context.kinds() == ["wet", "attended", *["escalate"] * 5]
    assert context.of("escalate")[0] == {"minutes": 15}


def test_who_came_before_it_was_wet_comes_again():
    button = FakePin()
    role, probe, context = sensor(button=button)
    for active in (1, 0):
        button.active = active
        samples(role, probe, context, *[DRY] * 2)
    samples(role, probe, context, *[40_000] * 3)
    button.active = 1
    samples(role, probe, context, 40_000)
    assert context.kinds() == ["attended", "wet", "attended"]


def test_of_the_escalations_of_a_long_sleep_one_is_told():
    role, probe, context = sensor()
    samples(role, probe, context, *[40_000] * 3)
    context.now += 250_000
    samples(role, probe, context, *[40_000] * 50)
    assert context.of("escalate") == [{"minutes": 4}, {"minutes": 5}]
    told = [now - context.events[0][0] for now, kind, _ in context.events if kind == "escalate"]
    assert told[1] == 300_000


DAY_S = 86_400


@pytest.mark.parametrize(
    "pattern",
    [
        ["open"] * 3 + [DRY] * 3,
        ["open"] * 3 + ["short"] * 3,
        ["short"] * 3 + [40_000] * 3,
        ["range"] * 3 + [DRY] * 611,
    ],
)
def test_what_a_probe_that_comes_and_goes_tells_in_a_day_is_bounded(pattern):
    role, probe, context = sensor(dry_after_s=600, escalate_s=1800)
    samples(role, probe, context, *pattern * (DAY_S // len(pattern)))
    assert len(context.of("fault")) <= 150
    assert len(context.events) <= 2 * 150 + 48
    # One that stays is told, however many there were before.
    samples(role, probe, context, *["range"] * 603)
    assert context.of("fault")[-1]["code"] == "probe_range"


def test_a_rain_sensor_and_a_button_that_flicker_are_bounded():
    rain, button = FakePin(), FakePin()
    role, probe, context = sensor(rain=rain, button=button, dry_after_s=600, escalate_s=1800)
    for second in range(DAY_S // 4):
        rain.active = second % 610 < 4
        button.active = second % 3 == 0
        samples(role, probe, context, DRY)
    assert len(context.of("rain")) <= 2 * DAY_S // 4 // 600
    assert len(context.of("attended")) == 1


def test_rain_is_told_apart_from_the_floor():
    rain = FakePin()
    role, probe, context = started(rain=rain)
    samples(role, probe, context, *[DRY] * 11)
    assert context.kinds() == ["dry", "rain"]
    assert context.of("rain") == [{"on": False}]
    context.events.clear()
    rain.active = 1
    samples(role, probe, context, DRY, DRY, DRY)
    rain.active = 0
    samples(role, probe, context, *[DRY] * 5)
    rain.active = 1  # a shower's second half
    samples(role, probe, context, DRY)
    rain.active = 0
    samples(role, probe, context, *[DRY] * 11)
    assert context.of("rain") == [{"on": True}, {"on": False}]
    assert "wet" not in context.kinds()
    assert role.state()["rain"] is False


def test_a_floor_that_conducts_is_calibrated_away():
    """An antistatic floor of 150 kΩ: with the end resistor 114 kΩ, water of 60 kΩ reads 39 kΩ."""
    role, probe, context = started()
    probe.ohms = 113_710
    assert role.configure({"calibrate": "dry"}) == {"dry_ohms": 113_710}
    assert context.kept == {"dry_ohms": 113_710}
    assert context.writes == 1
    samples(role, probe, context, *[113_710] * 3)
    assert abs(role.state()["ohms"] - 470_000) < 100
    samples(role, probe, context, 39_280, 39_280, 39_280)
    assert context.kinds() == ["wet"]
    assert abs(context.of("wet")[0]["ohms"] - 53_200) < 200  # 60 kΩ and 470 kΩ in parallel
    samples(role, probe, context, *[200_000] * 12)  # drier than on the day
    assert context.of("dry") == [{"ohms": 100_000_000}]


def test_what_is_no_dry_floor_is_not_calibrated():
    role, probe, context = sensor()
    with pytest.raises(ValueError, match="all that can be set"):
        role.configure({"calibrate": "wet"})
    probe.ohms = 80_000
    with pytest.raises(ValueError, match="80000 ohm is wet: dry the floor"):
        role.configure({"calibrate": "dry"})
    probe.fault = "open"
    with pytest.raises(ValueError, match="at fault: open"):
        role.configure({"calibrate": "dry"})
    probe.fault = None
    drifting = iter(range(200_000, 300_000, 5_000))
    probe.measure = lambda: (next(drifting), None)
    with pytest.raises(ValueError, match="from 200000 to 275000 ohm: is somebody mopping"):
        role.configure({"calibrate": "dry"})
    assert (context.kept, context.writes) == ({}, 0)


def test_a_probe_that_has_a_fault_is_not_calibrated_by_a_reading_that_has_none():
    role, probe, context = sensor()
    probe.frozen = True
    samples(role, probe, context, *[DRY] * 52)
    with pytest.raises(ValueError, match="at fault: frozen"):
        role.configure({"calibrate": "dry"})


def test_a_calibration_that_the_flash_does_not_take_is_none():
    role, probe, context = sensor()
    role.configure({"calibrate": "dry"})
    probe.ohms = 200_000

    def full() -> None:
        raise OSError(28)

    context.keep = full
    with pytest.raises(OSError, match="28"):
        role.configure({"calibrate": "dry"})
    assert context.kept["dry_ohms"] == role.state()["dry_ohms"] == DRY


def armed() -> str:
    return "armed"


@given(
    st.lists(
        st.tuples(
            st.sampled_from([20_000, 150_000, DRY]),
            st.sampled_from([None, None, None, "open"]),
            st.booleans(),
        ),
        max_size=60,
    )
)
def test_a_sensor_that_sleeps_says_what_one_that_is_awake_says(
    samples: list[tuple[int, str | None, bool]],
) -> None:
    """Over any sleeps between its samples, through JSON, as its memory is."""
    (awake, probe, said), (sleepy, other, heard) = started(), started()
    other.arm = probe.arm = armed  # type: ignore[attr-defined]
    for number, (ohms, fault, sleeps) in enumerate(samples):
        probe.ohms = other.ohms = ohms
        probe.fault = other.fault = fault
        if sleeps:
            kept = json.loads(json.dumps(sleepy.freeze()))
            assert len(json.dumps(kept)) < 300
            sleepy = WetFloor(SETTINGS, other, heard)
            sleepy.thaw(kept)
        awake.step(1000 * number)
        sleepy.step(1000 * number)
        assert sleepy.state() == awake.state()
        assert sleepy.undecided() == awake.undecided()
        assert sleepy.arm() == awake.arm()
        if sleepy.arm():
            assert (ohms, fault) == (DRY, None), "voltage over a probe that is not dry"
            assert not sleepy.state()["wet"]
    assert heard.events == said.events


def test_a_converter_that_is_stuck_at_half_the_supply_makes_no_floor_wet():
    role, probe, context = sensor()
    probe.frozen = True
    samples(role, probe, context, *[40_000] * 60)
    assert context.kinds() == ["fault"]


def test_a_converter_that_is_frozen_is_found_over_sleeps():
    role, probe, context = sensor()
    probe.frozen = True
    for _ in range(52):
        samples(role, probe, context, DRY)
        kept = json.loads(json.dumps(role.freeze()))
        role = WetFloor(SETTINGS, probe, context)
        role.thaw(kept)
    assert context.of("fault") == [{"code": "probe_frozen", "value": DRY // 1000}]


def test_it_asks_to_stay_awake_until_a_suspicion_is_settled():
    role, probe, context = sensor()
    for reading, undecided in (("open", True), ("open", True), ("open", False), ("open", False)):
        samples(role, probe, context, reading)
        assert role.undecided() is undecided
    samples(role, probe, context, DRY)
    assert role.undecided() is True


def test_a_floor_found_wet_between_bad_samples_ends_the_fault():
    role, probe, context = sensor()
    samples(role, probe, context, *["open"] * 3, 40_000, "short", 40_000, "short", 40_000)
    assert context.kinds() == ["fault", "wet"]
    assert role.state()["fault"] is None


@pytest.mark.parametrize("spread", [0, 20_000, 20_001])
def test_readings_that_differ_by_a_twentieth_are_still(spread):
    role, probe, _ = sensor()
    readings = iter([(400_000, None)] * 15 + [(400_000 - spread, None)])
    probe.measure = lambda: next(readings)
    if spread > 20_000:
        with pytest.raises(ValueError, match="is somebody mopping"):
            role.configure({"calibrate": "dry"})
    else:
        assert role.configure({"calibrate": "dry"}) == {"dry_ohms": 400_000 - spread}


@pytest.mark.parametrize(("dry", "ohms"), [(235_000, 470_000), (240_000, 490_434)])
def test_a_reading_far_drier_than_the_calibration_is_the_driest(dry, ohms):
    """The first leaves no conductance at all, the second next to none."""
    role, probe, context = started()
    context.kept["dry_ohms"] = dry
    samples(role, probe, context, ohms)
    assert role.state()["ohms"] == 100_000_000
