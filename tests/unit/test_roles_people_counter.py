"""The people counter's role: the strict path through two beams. Simulated time only."""

from dataclasses import dataclass, field

import pytest
from hall_firmware.hall.roles.beam_lane import BeamLane
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


def test_it_is_quiet_only_while_nobody_is_in_the_doorway():
    assert walk([A, BOTH, B, NONE])[0].quiet()
    assert not walk([A, BOTH])[0].quiet()


def test_what_it_cannot_do_is_refused():
    role = PeopleCounter(SETTINGS, BeamLane(SETTINGS, FakeBeams(Context())), Context())
    with pytest.raises(ValueError, match="no desired state"):
        role.desire({"rev": 1}, 0)
    with pytest.raises(ValueError, match="no lamp and no buzzer"):
        role.identify(0)
