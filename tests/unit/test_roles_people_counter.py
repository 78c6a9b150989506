"""The people counter's role: the strict path through two beams. Simulated time only."""

from dataclasses import dataclass, field

import pytest
from hall_firmware.hall.roles.beam_lane import BeamLane
from hall_firmware.hall.roles.path import IN, OUT, Path
from hall_firmware.hall.roles.people_counter import PeopleCounter
from hypothesis import given
from hypothesis import strategies as st
from support.roles import Context

SETTINGS = {"path_timeout_s": 3, "stuck_s": 30}
NONE, A, B, BOTH = (0, 0), (1, 0), (0, 1), (1, 1)


@dataclass
class FakeBeams:
    """What is broken from which time on: `script` is (milliseconds, (a, b)), ascending."""

    context: Context
    script: list[tuple[float, tuple[int, int]]] = field(default_factory=list)

    def read(self) -> tuple[int, int]:
        broken = NONE
        for start, state in self.script:
            if start <= self.context.now:
                broken = state
        return broken


def walk(states: list[tuple[int, int]], each_ms: float = 200) -> tuple[PeopleCounter, Context]:
    """Takes the counter through `states`, `each_ms` each, and lets it rest."""
    context = Context()
    beams = FakeBeams(context, [(100 + i * each_ms, state) for i, state in enumerate(states)])
    role = PeopleCounter(SETTINGS, BeamLane(SETTINGS, beams), context)
    context.run(role, int(100 + (len(states) + 1) * each_ms) + 100)
    return role, context


@pytest.mark.parametrize(
    ("states", "direction"),
    [
        ([A, BOTH, B, NONE], "in"),
        ([B, BOTH, A, NONE], "out"),
        # A step back within the doorway.
        ([A, BOTH, A, BOTH, B, NONE], "in"),
        ([A, BOTH, B, BOTH, B, NONE], "in"),
    ],
)
def test_a_whole_path_is_a_passage(states, direction):
    role, context = walk(states)
    assert context.of("passage") == [{"dir": direction}]
    assert role.state() == {
        "in": int(direction == "in"),
        "out": int(direction == "out"),
        "stuck": 0,
    }


@pytest.mark.parametrize(
    "states",
    [
        [A, NONE],
        [A, BOTH, NONE],
        [A, BOTH, A, NONE],
        [A, BOTH, B, BOTH, A, NONE],
        [B, BOTH, B, NONE],
        [A, B, NONE],
        [A, NONE, B, NONE],
        [BOTH, B, NONE],
        [BOTH, NONE],
        [A, BOTH, B, A, BOTH, B, NONE],
    ],
)
def test_anything_less_is_nobody(states):
    role, context = walk(states)
    assert context.events == []
    assert (role.state()["in"], role.state()["out"]) == (0, 0)


def test_the_next_one_counts_after_a_void_path():
    _, context = walk([A, B, NONE, B, BOTH, A, NONE])
    assert context.of("passage") == [{"dir": "out"}]


def test_a_lingerer_does_not_count_and_a_slow_walker_does():
    _, context = walk([A, BOTH, B, NONE], each_ms=3200)
    assert context.of("passage") == []
    _, context = walk([A, BOTH, B, NONE], each_ms=2800)
    assert context.of("passage") == [{"dir": "in"}]


@given(st.lists(st.tuples(st.floats(0, 995), st.floats(0.1, 4.9), st.sampled_from((A, B, BOTH)))))
def test_glitches_shorter_than_a_sample_are_never_a_passage(glitches):
    context = Context()
    script = [(0.0, NONE)]
    for start, length, state in sorted(glitches):
        if start >= script[-1][0] + 10:
            script += [(start, state), (start + length, NONE)]
    role = PeopleCounter(SETTINGS, BeamLane(SETTINGS, FakeBeams(context, script)), context)
    context.run(role, 1100)
    assert context.events == []


@given(st.lists(st.sampled_from((NONE, A, B, BOTH)), max_size=30))
def test_the_counts_are_those_of_an_independent_reading_of_the_path(states):
    """Reads each stay in the doorway as a string: from none to none, steps of one beam at a time,
    entered by one single beam, both at some time, left by the other."""
    states = [state for i, state in enumerate(states) if i == 0 or state != states[i - 1]]
    _, context = walk([*states, NONE])
    names = {NONE: "0", A: "a", B: "b", BOTH: "x"}
    expected = []
    for stay in "".join(names[state] for state in [*states, NONE]).split("0"):
        steps = [stay[i : i + 2] for i in range(len(stay) - 1)]
        if all(step in ("ax", "xa", "bx", "xb") for step in steps) and "x" in stay:
            way = stay[0] + stay[-1]
            if way in ("ab", "ba"):
                expected.append({"dir": "in" if way == "ab" else "out"})
    assert context.of("passage") == expected


@pytest.mark.parametrize(("broken", "value"), [(A, 1), (B, 2), (BOTH, 3)])
def test_a_beam_that_stays_broken_is_one_fault(broken, value):
    context = Context()
    beams = FakeBeams(context, [(1000, broken), (90_000, NONE)])
    role = PeopleCounter(SETTINGS, BeamLane(SETTINGS, beams), context)
    context.run(role, 80_000)
    assert context.of("fault") == [{"code": "beam_stuck", "value": value}]
    assert 31_000 <= context.events[0][0] <= 31_010
    assert role.state()["stuck"] == value
    assert role.selftest() == {"beam_a": not value & 1, "beam_b": not value & 2}
    context.run(role, 91_000)
    assert role.state()["stuck"] == 0
    assert len(context.events) == 1


@dataclass
class FakeLane:
    """A lane that says what the test wants it to."""

    PERIOD_MS = 5
    passed: int = 0
    taken: int = 0
    wrong: str | None = None

    def look(self, now: int) -> int:
        return self.passed

    def stuck(self, now: int, after_ms: int) -> int:
        return self.taken

    def fault(self) -> str | None:
        return self.wrong

    def shows(self, state: dict[str, object]) -> None:
        state["fault"] = self.wrong


def counter() -> tuple[PeopleCounter, FakeLane, Context]:
    context, lane = Context(), FakeLane()
    return PeopleCounter(SETTINGS, lane, context), lane, context


def test_faults_that_come_and_go_are_bounded_and_the_last_is_told():
    role, lane, context = counter()
    for second in range(86_400):
        lane.taken = second % 2
        lane.wrong = "tof_silent" if second % 3 else None
        context.now = second * 1000
        role.step(context.now)
        assert (role.state()["stuck"], role.state()["fault"]) == (lane.taken, lane.wrong)
    told = context.of("fault")
    for code in ("tof_silent", "beam_stuck"):
        assert 140 <= len([each for each in told if each["code"] == code]) <= 150
    before = len(told)
    lane.taken = 3
    for second in range(601):
        role.step(context.now + second * 1000)
    assert {"code": "beam_stuck", "value": 3} in context.of("fault")[before:]


def test_one_zone_more_is_told_and_one_less_is_not():
    role, lane, context = counter()
    for taken in (1, 3, 2, 3, 0, 1):
        lane.taken = taken
        role.step(0)
    assert [each["value"] for each in context.of("fault")] == [1, 3, 3, 1]


def test_a_crowd_counts_and_a_flicker_does_not():
    role, lane, context = counter()
    for step in range(4 * 3600):
        lane.passed = IN if step % 2 else OUT
        context.now = step * 250
        role.step(context.now)
    passages = context.of("passage")
    assert len(passages) == 120 + 3600 - 1
    assert (role.state()["in"], role.state()["out"]) == (
        passages.count({"dir": "in"}),
        passages.count({"dir": "out"}),
    )
    assert len(context.of("fault")) <= 6 + 6
    lane.passed = 0
    role.step(context.now + 600_000)
    assert context.of("fault")[-1] == {"code": "too_many", "value": 9999}
    told = len(context.events)
    role.step(context.now + 6_000_000)
    assert len(context.events) == told


def test_several_at_once_are_each_counted():
    role, lane, context = counter()
    lane.passed = 2 * IN + OUT
    role.step(0)
    assert context.of("passage") == [{"dir": "in"}, {"dir": "in"}, {"dir": "out"}]


def test_who_has_passed_and_is_not_sure_yet_keeps_it_from_being_quiet():
    context = Context()
    states = [(0, A), (200, BOTH), (400, B), (600, NONE)]
    role = PeopleCounter(SETTINGS, BeamLane(SETTINGS, FakeBeams(context, states)), context)
    context.run(role, 700)
    assert (context.events, role.quiet()) == ([], False)
    context.run(role, 800)
    assert (context.kinds(), role.quiet()) == (["passage"], True)


def test_a_passage_is_counted_though_the_chip_stood_still_after_it():
    """Until the next one was in the doorway, who turned back."""
    path = Path(3000, 0, 150)
    for now, where in ((0, 1), (200, 3), (400, 2), (600, 0)):
        assert path.step(where, now) == 0
    assert path.step(2, 2000) == IN
    assert path.step(0, 2200) == path.step(0, 3000) == 0


def test_a_lingerer_is_forgotten_though_the_chip_stood_still():
    path = Path(3000, 2000, 250)
    for now, where in ((0, 1), (200, 3), (4000, 3), (4200, 2), (4400, 0)):
        assert path.step(where, now) == 0
    for now, where in ((7000, 1), (7200, 3), (7400, 2), (7600, 0)):
        assert path.step(where, now) == 0
    assert path.step(0, 7900) == IN


def test_it_is_quiet_only_while_nobody_is_in_the_doorway():
    assert walk([A, BOTH, B, NONE])[0].quiet()
    assert not walk([A, BOTH])[0].quiet()


def test_what_it_cannot_do_is_refused():
    role = PeopleCounter(SETTINGS, BeamLane(SETTINGS, FakeBeams(Context())), Context())
    with pytest.raises(ValueError, match="no desired state"):
        role.desire({"rev": 1}, 0)
    with pytest.raises(ValueError, match="no lamp and no buzzer"):
        role.identify(0)
