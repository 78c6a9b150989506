"""When a device is told, when the next ring begins, and what stops a roll-out: pure steps."""

from collections.abc import Mapping
from dataclasses import replace

import pytest
from hall_gateway import rollout as steps
from hall_gateway.hall_clock import HallClock
from hall_gateway.rollout_model import Member, RollOut, Seen, Target, Tell, UpdateHours
from hypothesis import given, settings
from hypothesis import strategies as some
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

NOW = 1_800_000_000_000
MIN = 60_000
HOUR = 60 * MIN
TARGET = Target("ab" * 32, 7000)
OLD, NEW = "0.1.0", "0.2.0"
IDLE = Seen(True, "idle", OLD)
AWAY = Seen(False, "idle", OLD)


def begun(*rings: int) -> RollOut:
    """A roll-out of devices d0, d1, … in these rings."""
    members = tuple(Member(f"d{at}", "esp32", ring) for at, ring in enumerate(rings))
    return RollOut(1, NEW, 7, {"esp32": TARGET}, members, "somebody", NOW)


def phases(rollout: RollOut) -> str:
    return " ".join(member.phase for member in rollout.members)


class Night:
    """A roll-out, its devices, and the time; it is open for updates for eight hours."""

    def __init__(self, *rings: int) -> None:
        self.rollout = begun(*rings)
        self.seen = dict.fromkeys([m.device for m in self.rollout.members], IDLE)
        self.now = NOW
        self.until: int | None = NOW + 8 * HOUR

    def tick(self, minutes: float = 0) -> list[Tell]:
        self.now += round(minutes * MIN)
        self.rollout, told = steps.decide(self.rollout, self.seen, self.until, self.now)
        return told

    def told(self, minutes: float = 0) -> list[str]:
        return [tell.device for tell in self.tick(minutes)]

    def heard(self, device: str, verb: str, why: str = "", version: str = NEW) -> None:
        self.rollout = steps.heard(self.rollout, device, verb, version, why, self.now)

    def confirm(self, *devices: str) -> None:
        for device in devices:
            self.heard(device, "staged")
            self.heard(device, "confirmed")


@pytest.mark.parametrize(
    ("count", "sizes"),
    [
        (1, [1, 0, 0]),
        (2, [1, 1, 0]),
        (3, [1, 2, 0]),
        (5, [1, 1, 3]),
        (10, [1, 2, 7]),
        (20, [1, 4, 15]),
        (21, [2, 4, 15]),
        (100, [5, 20, 75]),
    ],
)
def test_rings_are_so_many_per_cent(count: int, sizes: list[int]) -> None:
    ring = steps.rings([(f"d{at}", True) for at in range(count)], "release")
    assert [list(ring.values()).count(at) for at in range(3)] == sizes


@settings(deadline=None, derandomize=True, database=None)
@given(some.dictionaries(some.text("abc", min_size=1, max_size=4), some.booleans(), min_size=1))
def test_who_is_there_comes_first(devices: dict[str, bool]) -> None:
    ring = steps.rings(devices.items(), "release")
    assert ring.keys() == devices.keys()
    assert 0 in ring.values()
    online = [ring[name] for name, here in devices.items() if here]
    away = [ring[name] for name, here in devices.items() if not here]
    assert not online or not away or max(online) <= min(away)
    assert steps.rings(reversed(devices.items()), "release") == ring


def test_the_next_ring_waits_for_all_of_this_one() -> None:
    night = Night(0, 0, 1, 2)
    assert night.tick() == [Tell("d0", TARGET, night.until), Tell("d1", TARGET, night.until)]
    night.confirm("d0")
    assert night.told(1) == []
    night.heard("d1", "staged")
    assert night.told(1) == []
    night.heard("d1", "confirmed")
    assert night.told(1) == ["d2"]
    night.confirm("d2")
    assert night.told(1) == ["d3"]
    night.confirm("d3")
    assert night.tick(1) == []
    assert (night.rollout.state, night.rollout.ended) == ("done", night.now)


@pytest.mark.parametrize("why", ["signature", "counter", "space", "no_key", "battery", "hash"])
def test_one_that_refuses_stops_it(why: str) -> None:
    night = Night(0, 1)
    night.tick()
    night.heard("d0", "refused", why, version="")
    assert night.told(1) == []
    assert (night.rollout.state, night.rollout.device, night.rollout.why) == ("stopped", "d0", why)
    assert night.told(600) == []


@pytest.mark.parametrize("why", ["crash", "hang", "no_service"])
def test_one_that_goes_back_stops_it_even_when_it_had_confirmed(why: str) -> None:
    for confirmed in (False, True):
        night = Night(0, 0, 1)
        night.tick()
        night.heard("d0", "staged")
        if confirmed:
            night.confirm("d0", "d1")
            assert night.told(1) == ["d2"]
        night.heard("d0", "reverted", why, version="" if confirmed else NEW)
        assert (night.rollout.state, night.rollout.why) == ("stopped", why)
        # Whoever was told and has not switched is called off, once.
        assert night.tick(1) == [Tell("d2" if confirmed else "d1")]
        assert night.tick(1) == []


def test_one_that_says_nothing_stops_it_after_45_minutes() -> None:
    for staged in (False, True):
        night = Night(0, 1)
        night.tick()
        if staged:
            night.heard("d0", "staged")
        night.seen["d0"] = replace(AWAY)
        assert night.told(45) == []
        assert night.rollout.state == "running"
        assert night.told(0.01) == []
        assert (night.rollout.state, night.rollout.why) == ("stopped", "unconfirmed")


def test_a_gateway_that_was_away_gives_devices_time_to_tell() -> None:
    night = Night(0)
    night.tick()
    night.now += 3 * HOUR
    began = night.now
    for minutes, state in ((0, "running"), (45, "running"), (46, "stopped")):
        at = began + minutes * MIN
        after, _ = steps.decide(night.rollout, night.seen, night.until, at, began)
        assert after.state == state


def test_an_error_for_an_answer_stops_it_but_not_of_a_trial_under_way() -> None:
    night = Night(0, 1)
    night.tick()
    night.rollout = steps.refused(night.rollout, "d0", "trial", night.now)
    assert night.rollout.state == "running"
    night.rollout = steps.refused(night.rollout, "d0", "no_key", night.now)
    assert (night.rollout.state, night.rollout.why) == ("stopped", "no_key")


def test_outside_of_the_hours_nobody_is_told() -> None:
    night = Night(0, 1)
    night.until = None
    assert night.told(600) == []
    night.until = night.now + HOUR
    assert night.told(1) == ["d0"]
    night.until = None
    assert night.told(30) == []
    # It was late, says so or not, and has its turn in the next night with a whole 45 minutes.
    assert phases(night.rollout) == "waiting waiting"
    night.heard("d0", "refused", "late")
    assert night.told(16 * 60) == []
    night.until = night.now + 8 * HOUR
    assert night.told() == ["d0"]
    assert night.told(44) == ["d0"], "it shows no sign of it"
    assert night.rollout.state == "running"


def test_a_trial_is_judged_outside_of_the_hours_too() -> None:
    night = Night(0, 1)
    night.tick()
    night.heard("d0", "staged")
    night.until = None
    assert night.told(5) == []
    night.heard("d0", "confirmed")
    assert night.told(1) == []
    night.until = night.now + HOUR
    assert night.told(600) == ["d1"]
    night.heard("d1", "staged")
    night.until = None
    night.tick(46)
    assert night.rollout.state == "stopped"


def test_a_command_that_was_lost_comes_again() -> None:
    night = Night(0)
    assert night.told() == ["d0"]
    assert night.told(4) == []
    assert night.told(1) == ["d0"]
    night.seen["d0"] = Seen(True, "fetch", OLD)
    assert night.told(6) == []
    night.seen["d0"] = Seen(True, "idle", OLD)  # it has started anew
    assert night.told(1) == ["d0"]
    night.heard("d0", "refused", "no_answer")  # the gateway was away
    assert night.told() == ["d0"]
    # All that does not make the 45 minutes longer.
    night.tick(45)
    assert (night.rollout.state, night.rollout.why) == ("stopped", "unconfirmed")


def test_what_a_device_reports_counts_as_well_as_its_events() -> None:
    night = Night(0, 1)
    night.seen["d0"] = Seen(True, "confirmed", NEW)
    assert night.told() == ["d0"], "what it was before it was told is no answer"
    night = Night(0, 1)
    night.tick()
    night.seen["d0"] = Seen(True, "trial", NEW)
    night.tick(1)
    assert phases(night.rollout) == "staged waiting"
    night.seen["d0"] = Seen(True, "confirmed", OLD)
    night.tick(1)
    assert phases(night.rollout) == "staged waiting"
    night.seen["d0"] = Seen(True, "confirmed", NEW)
    assert night.told(1) == ["d1"]


def test_an_application_may_call_itself_otherwise_than_its_release() -> None:
    night = Night(0, 1)
    night.tick()
    night.heard("d0", "confirmed", version=OLD)
    assert phases(night.rollout) == "ordered waiting"
    night.heard("d0", "staged")
    night.heard("d0", "confirmed", version=OLD)
    assert night.told(1) == ["d1"]
    night.heard("d1", "refused", "hash", version=OLD)
    assert night.rollout.state == "running", "that was of another release"


def test_nobody_waits_for_one_that_is_switched_off() -> None:
    night = Night(0, 1, 1, 2)
    night.seen["d0"] = night.seen["d1"] = AWAY
    assert night.told() == []
    assert night.told(44) == []
    # One that is there takes its place: the first ring is never empty.
    assert night.told(1) == ["d2"]
    assert [m.ring for m in night.rollout.members] == [2, 1, 0, 2]
    night.confirm("d2")
    assert night.told(1) == []
    assert night.told(45) == ["d3"]
    night.confirm("d3")
    assert night.told(100) == []
    assert night.rollout.state == "running"
    night.seen["d0"] = night.seen["d1"] = IDLE
    assert night.told(1) == ["d0", "d1"]
    # One that is taken out of the hall is not waited for.
    night.confirm("d0")
    del night.seen["d1"]
    night.tick(1)
    assert night.rollout.state == "done"


def test_a_stop_by_hand_calls_off_who_comes_later_too() -> None:
    night = Night(0, 0, 0)
    night.tick()
    night.heard("d2", "staged")
    night.seen["d1"] = AWAY
    night.rollout = steps.stopped(night.rollout, "李敏", night.now)
    assert night.tick(1) == [Tell("d0")]
    night.seen["d1"] = IDLE
    assert night.tick(1) == [Tell("d1")]
    night.heard("d2", "confirmed")
    assert phases(night.rollout) == "waiting waiting confirmed"
    night.rollout = steps.resumed(night.rollout, night.now)
    assert night.told() == ["d0", "d1"]


def test_a_clock_that_jumps_takes_the_times_along() -> None:
    night = Night(0)
    night.tick()
    night.now += 24 * HOUR
    night.until = night.now + HOUR
    night.rollout = steps.moved(night.rollout, 24 * HOUR)
    assert night.told(1) == []
    assert night.rollout.state == "running"


@pytest.mark.parametrize(
    ("hours", "now", "left"),
    [
        ((22, 6), (21, 59), None),
        ((22, 6), (22, 0), 8 * 60),
        ((22, 6), (0, 30), 5 * 60 + 30),
        ((22, 6), (5, 59), 1),
        ((22, 6), (6, 0), None),
        ((1, 4), (0, 59), None),
        ((1, 4), (3, 30), 30),
        ((1, 4), (4, 0), None),
        ((7, 7), (12, 0), 24 * 60),
    ],
)
def test_the_hours_are_those_of_the_halls_clock(
    hours: tuple[int, int], now: tuple[int, int], left: int | None
) -> None:
    for offset in (480, -210, 0):
        clock = HallClock(utc_offset_min=offset)
        midnight = 20_000 * 24 * HOUR - offset * MIN
        at = midnight + now[0] * HOUR + now[1] * MIN
        until = UpdateHours(*hours).until(clock, at)
        assert until == (None if left is None else at + left * MIN)


def test_what_rests_is_left_alone() -> None:
    night = Night(0, 1)
    assert not steps.rests(night.rollout, night.until)
    assert steps.rests(night.rollout, None)
    night.tick()
    assert not steps.rests(night.rollout, None)
    night.confirm("d0")
    night.rollout = steps.stopped(night.rollout, "x", night.now)
    assert steps.rests(night.rollout, night.until)
    failed = replace(night.rollout, why="crash")
    assert not steps.rests(failed, night.until), "the alert comes first"
    assert steps.rests(replace(failed, alerted=True), night.until)


class Nights(RuleBasedStateMachine):
    """Whatever devices do, and whenever: the promises hold."""

    @initialize(rings=some.lists(some.integers(0, 2), min_size=1, max_size=6))
    def begin(self, rings: list[int]) -> None:
        self.night = Night(*(ring - min(rings) for ring in rings))
        self.failed = False
        self.switched_off = False

    def some_device(self, number: int) -> str:
        return f"d{number % len(self.night.rollout.members)}"

    @rule(minutes=some.sampled_from([0, 0.1, 1, 10, 46]))
    def time_passes(self, minutes: float) -> None:
        before = self.night.rollout
        rested = steps.rests(before, self.night.until)
        told = self.night.tick(minutes)
        assert not rested or told == []
        state = {m.device: m for m in before.members}
        open_now = self.night.until is not None
        for tell in told:
            member = state[tell.device]
            assert self.night.seen[tell.device].online
            if tell.release is None:
                assert before.state == "stopped"
                assert member.phase == "ordered"
                continue
            assert before.state == "running"
            assert open_now
            assert tell.until == self.night.until
            assert member.phase in ("waiting", "ordered")
            again = member.phase == "ordered"
            assert not again or self.night.now - member.sent >= steps.REPEAT_MS
            now = {m.device: m for m in self.night.rollout.members}
            earlier = [m for m in now.values() if m.ring < now[tell.device].ring]
            assert all(m.phase == "confirmed" for m in earlier)
        assert len({tell.device for tell in told}) == len(told)

    @rule(number=some.integers(0, 5), here=some.booleans())
    def comes_or_goes(self, number: int, here: bool) -> None:
        device = self.some_device(number)
        self.night.seen[device] = replace(self.night.seen[device], online=here)

    @rule(number=some.integers(0, 5), says=some.sampled_from(["idle", "fetch", "wait", "trial"]))
    def reports(self, number: int, says: str) -> None:
        version = NEW if says == "trial" else OLD
        self.night.seen[self.some_device(number)] = Seen(True, says, version)

    @rule(number=some.integers(0, 5), verb=some.sampled_from(["staged", "confirmed"]))
    def goes_well(self, number: int, verb: str) -> None:
        self.night.heard(self.some_device(number), verb)

    @rule(number=some.integers(0, 5), why=some.sampled_from(["late", "no_answer", "hash"]))
    def is_refused(self, number: int, why: str) -> None:
        self.night.heard(self.some_device(number), "refused", why)

    @rule(number=some.integers(0, 5))
    def goes_back(self, number: int) -> None:
        self.night.heard(self.some_device(number), "reverted", "crash")
        assert self.night.rollout.state != "running"

    @rule()
    def the_hours_end_or_begin(self) -> None:
        closed = self.night.until is None
        self.night.until = self.night.now + HOUR if closed else None

    @precondition(lambda self: self.night.rollout.state == "stopped")
    @rule()
    def goes_on(self) -> None:
        self.night.rollout = steps.resumed(self.night.rollout, self.night.now)

    @precondition(lambda self: self.night.rollout.state == "running")
    @rule()
    def is_stopped(self) -> None:
        self.night.rollout = steps.stopped(self.night.rollout, "x", self.night.now)

    @invariant()
    def who_failed_has_stopped_it(self) -> None:
        rollout = self.night.rollout
        failed = [m for m in rollout.members if m.phase == "failed"]
        assert not failed or rollout.state == "stopped"
        assert rollout.state != "done" or all(m.phase == "confirmed" for m in rollout.members)
        told: Mapping[str, Member] = {m.device: m for m in rollout.members}
        assert told.keys() == self.night.seen.keys()


Nights.TestCase.settings = settings(
    max_examples=80, stateful_step_count=30, deadline=None, derandomize=True, database=None
)
TestNights = Nights.TestCase
