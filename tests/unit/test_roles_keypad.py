"""The keypad's role: presses, feedback, sessions. Simulated time only."""

import json

import pytest
from hall_firmware.hall.roles.keypad import Keypad
from hypothesis import given
from hypothesis import strategies as st
from support.roles import Context, FakeKeys

SETTINGS = {"debounce_ms": 20, "lock_s": 3, "feedback_ms": 150, "stuck_s": 5}
UNIX = 1_700_000_000_000


def keypad(unix_offset: int | None = UNIX, reasons: int = 0) -> tuple[Keypad, FakeKeys, Context]:
    context = Context(unix_offset=unix_offset)
    keys = FakeKeys(context, reasons=reasons)
    settings = SETTINGS | ({"reason_s": 10} if reasons else {})
    return Keypad(settings, keys, context), keys, context


def session(rev: int, until: int, window_s: int = 30) -> dict[str, object]:
    """A desired state whose window is over at uptime `until` of a context with a set clock."""
    return {"rev": rev, "session": {"ticket": "A015", "until": UNIX + until, "window_s": window_s}}


# A finger's contact: alternately open and closed until it rests, all within 20 ms.
bounces = st.lists(st.floats(0, 20), max_size=12, unique=True).map(sorted)


@given(bounce=bounces, phase=st.floats(0, 5, exclude_max=True), open_session=st.booleans())
def test_lamp_answers_within_50_ms_of_the_first_edge(bounce, phase, open_session):
    role, keys, context = keypad()
    if open_session:
        role.desire(session(7, 60_000), 0)
        # The prompt blinks all lamps; the press is timed while they are dark.
        context.run(role, 500)
    touched = context.now + phase
    edges = [0.0, *(bounce if len(bounce) % 2 == 0 else bounce[1:])]
    for start, end in zip(edges[::2], [*edges[1::2], 1000.0], strict=True):
        keys.press(3, touched + start, touched + end)
    context.run(role, int(touched) + 400)
    assert keys.first_on("lamp_3", int(touched)) - touched <= 50
    assert context.of("press") == [{"key": 3, "session": 7 if open_session else None}]
    if open_session:
        assert keys.first_on("buzzer", int(touched)) - touched <= 50


@given(bounce=bounces, held=st.floats(25, 2000))
def test_one_press_is_one_event_however_the_release_bounces(bounce, held):
    role, keys, context = keypad()
    keys.press(1, 10, 10 + held)
    edges = bounce if len(bounce) % 2 == 0 else bounce[1:]
    for start, end in zip(edges[::2], edges[1::2], strict=True):
        keys.press(1, 10 + held + start, 10 + held + end)
    context.run(role, 3000)
    assert context.of("press") == [{"key": 1, "session": None}]


def test_it_is_quiet_only_while_nobody_is_at_it():
    role, keys, context = keypad()
    assert role.quiet()
    keys.press(1, 100, 300)
    context.run(role, 200)
    assert not role.quiet(), "a key is down"
    context.run(role, 3110)
    assert not role.quiet(), "somebody has just pressed"
    context.run(role, 3120)
    assert role.quiet()
    role.desire(session(7, 60_000), 3120)
    context.run(role, 3200)
    assert not role.quiet(), "a session is open"
    role.desire({"rev": 8, "session": None}, 3200)
    assert role.quiet()
    keys.press(2, 3300, 1e9)
    context.run(role, 9000)
    assert role.quiet(), "a key that is stuck is nobody"


def test_it_is_not_quiet_while_a_session_waits_for_the_clock():
    role, _, context = keypad(unix_offset=None)
    role.desire(session(7, 60_000), 0)
    context.run(role, 100)
    assert not role.quiet()


@given(length=st.floats(0, 9), start=st.floats(0, 10))
def test_a_touch_shorter_than_half_the_debounce_time_is_no_press(length, start):
    role, keys, context = keypad()
    keys.press(2, start, start + length)
    context.run(role, 500)
    assert context.events == []


def test_feedback_comes_before_the_journal():
    role, keys, context = keypad()
    lit_when_journalled = []
    emit = context.emit
    context.emit = lambda kind, data: (lit_when_journalled.append(set(keys.lit)), emit(kind, data))
    keys.press(4, 0, 100)
    context.run(role, 200)
    assert lit_when_journalled == [{4}]


def test_two_keys_at_once_are_two_presses():
    role, keys, context = keypad()
    keys.press(1, 0, 100)
    keys.press(5, 0, 100)
    context.run(role, 300)
    assert context.of("press") == [
        {"key": 1, "session": None},
        {"key": 5, "session": None, "n": 2},
    ]


def test_the_prompt_blinks_until_the_window_is_over():
    role, keys, context = keypad()
    role.desire(session(7, 30_000), 0)
    assert role.state()["session"] == 7
    context.run(role, 200)
    assert keys.lit == {1, 2, 3, 4, 5}
    context.run(role, 700)
    assert keys.lit == set()
    context.run(role, 29_995)
    assert context.events == []
    context.run(role, 30_010)
    assert context.events == [(30_000, "close", {"session": 7, "why": "end"})]
    assert role.state()["session"] is None
    context.run(role, 40_000)
    assert keys.lit == set()


def test_a_press_locks_the_session_three_seconds_later():
    role, keys, context = keypad()
    role.desire(session(7, 30_000), 0)
    keys.press(5, 1000, 1100)
    keys.press(1, 3000, 3100)
    keys.press(2, 5000, 5100)
    context.run(role, 6000)
    assert [(kind, data) for _, kind, data in context.events] == [
        ("press", {"key": 5, "session": 7}),
        ("press", {"key": 1, "session": 7}),
        ("close", {"session": 7, "why": "lock"}),
        ("press", {"key": 2, "session": None}),
    ]
    pressed, closed = context.events[0][0], context.events[2][0]
    assert closed - pressed == 3000


def test_the_chosen_key_stays_lit_until_the_lock():
    role, keys, context = keypad()
    role.desire(session(7, 30_000), 0)
    keys.press(5, 1000, 1100)
    context.run(role, 2500)
    assert keys.lit == {5}
    assert not keys.buzzing
    context.run(role, 4100)
    assert keys.lit == set()


def test_a_press_at_the_end_of_the_window_may_still_be_corrected():
    role, keys, context = keypad()
    role.desire(session(7, 5000), 0)
    keys.press(5, 4900, 5000)
    keys.press(4, 6000, 6100)
    context.run(role, 9000)
    assert context.of("press") == [{"key": 5, "session": 7}, {"key": 4, "session": 7}]
    assert context.of("close") == [{"session": 7, "why": "lock"}]


def test_a_press_outside_a_session_gets_a_shorter_answer_and_no_beep():
    role, keys, context = keypad()
    keys.press(3, 0, 100)
    context.run(role, 1000)
    on = keys.first_on("lamp_3", 0)
    off = next(now for now, name, lit in keys.log if name == "lamp_3" and not lit and now > on)
    assert off - on <= 60
    assert not any(on for _, name, on in keys.log if name == "buzzer")
    assert context.of("press") == [{"key": 3, "session": None}]


def test_a_newer_desired_state_closes_the_session():
    role, _, context = keypad()
    role.desire(session(7, 30_000), 0)
    role.desire(session(8, 40_000), 1000)
    assert context.of("close") == [{"session": 7, "why": "next"}]
    role.desire({"rev": 9, "session": None}, 2000)
    assert context.of("close")[1:] == [{"session": 8, "why": "next"}]
    assert role.state()["session"] is None


def test_a_session_that_came_after_its_time_is_closed_late_at_once():
    role, keys, context = keypad()
    context.now = 31_000
    role.desire(session(7, 30_000), 31_000)
    context.run(role, 33_000)
    assert context.events == [(31_000, "close", {"session": 7, "why": "late"})]
    assert keys.lit == set()


def test_a_session_waits_for_the_clock():
    role, keys, context = keypad(unix_offset=None)
    role.desire(session(7, 30_000), 0)
    context.run(role, 1000)
    assert context.events == []
    assert keys.lit == set()
    context.unix_offset = UNIX
    context.run(role, 1100)
    assert role.state()["session"] == 7


def test_a_session_that_never_saw_a_clock_is_late_when_it_is_replaced():
    role, _, context = keypad(unix_offset=None)
    role.desire(session(7, 30_000), 0)
    role.desire({"rev": 8, "session": None}, 100)
    assert context.of("close") == [{"session": 7, "why": "late"}]


def test_a_wrong_clock_cannot_hold_a_session_open():
    role, _, context = keypad(unix_offset=UNIX - 86_400_000)
    role.desire(session(7, 30_000), 0)
    context.run(role, 31_000)
    assert context.events == [(30_000, "close", {"session": 7, "why": "end"})]


def test_a_stuck_key_is_one_press_and_one_fault_until_it_is_released():
    role, keys, context = keypad()
    keys.press(2, 0, 20_000)
    keys.press(2, 21_000, 27_000)
    context.run(role, 10_000)
    assert role.state()["stuck"] == [2]
    assert role.selftest() == {"keys_released": False}
    context.run(role, 20_500)
    assert role.state()["stuck"] == []
    context.run(role, 30_000)
    assert context.kinds() == ["press", "fault", "press", "fault"]
    assert context.of("fault") == [{"code": "key_stuck", "value": 2}] * 2
    assert 5000 <= context.events[1][0] - context.events[0][0] <= 5005


def test_identify_blinks_and_beeps_for_ten_seconds():
    role, keys, context = keypad()
    role.identify(0)
    context.run(role, 12_000)
    changes = [(now, on) for now, name, on in keys.log if name == "lamp_1" and now]
    assert len(changes) >= 38
    assert changes[-1][1] is False
    assert changes[-1][0] <= 10_000
    assert any(on for _, name, on in keys.log if name == "buzzer")
    assert not keys.buzzing


@pytest.mark.parametrize(
    ("wanted", "message"),
    [
        ("now", "session must be null or an object"),
        ({"until": None, "window_s": 30}, "session.until must be unix milliseconds"),
        ({"until": True, "window_s": 30}, "session.until must be unix milliseconds"),
        ({"until": UNIX, "window_s": "30"}, "session.window_s must be 1 to 3600 seconds"),
        ({"until": UNIX, "window_s": 0}, "session.window_s must be 1 to 3600 seconds"),
    ],
)
def test_a_nonsense_session_is_refused_and_changes_nothing(wanted, message):
    role, _, context = keypad()
    role.desire(session(7, 30_000), 0)
    with pytest.raises(ValueError, match=message):
        role.desire({"rev": 8, "session": wanted}, 0)
    assert role.state()["session"] == 7
    assert context.events == []


# Times on the sampling grid; keys of one list never overlap.
press_times = st.lists(st.integers(0, 1500), max_size=12, unique=True).map(sorted)


@given(press_times, st.integers(0, 600), st.integers(1, 900))
def test_every_press_belongs_to_the_session_that_a_rule_of_one_line_says(times, opened, window):
    """An independent statement of the rule: in [opened, end), or until 3 s after the first press
    in that time that is no part of a mashing; times are in units of 10 ms, presses 40 ms long and
    50 ms or more apart."""
    role, keys, context = keypad()
    starts = [10 * time for i, time in enumerate(times) if i == 0 or time - times[i - 1] >= 5]
    for index, start in enumerate(starts):
        keys.press(index % 5 + 1, start, start + 40)
    context.run(role, 10 * opened)
    role.desire(session(7, 10 * opened + 10 * window, 3600), 10 * opened)
    context.run(role, 30_000)

    counted = [start + 10 for start in starts]
    over = end = 10 * opened + 10 * window
    calm = 0
    choices: list[int] = []
    expected: list[int | None] = []
    for index, time in enumerate(counted):
        inside = 10 * opened <= time < end
        expected.append(7 if inside else None)
        third = index > 1 and time - counted[index - 2] < 2000
        if time >= calm and not third:
            choices += [time] * inside
        elif inside:
            stood = counted[index - 1] - counted[index - 2] >= 1000
            begin = counted[index - 2 + stood] if third else time
            choices = [choice for choice in choices if choice < begin]
        if time < calm or third:
            calm = time + 3000
        end = choices[0] + 3000 if choices else over
        if time >= end:
            break  # the session is over with the mashing, at the next step
    why = "lock" if choices else "end"
    expected += [None] * (len(counted) - len(expected))
    assert [data["session"] for data in context.of("press")] == expected
    assert context.of("close") == [{"session": 7, "why": why}]


def test_mashing_gets_no_beep_and_the_prompt_waits_until_it_is_over():
    role, keys, context = keypad()
    role.desire(session(7, 30_000), 0)
    for start in (1000, 1400, 1800, 2200):
        keys.press(1, start, start + 100)
    context.run(role, 2400)
    assert [now for now, name, on in keys.log if name == "buzzer" and on] == [1010, 1410]
    context.run(role, 5200)
    assert keys.lit == set(), "less than 3 s of calm"
    keys.press(4, 6000, 6100)
    context.run(role, 6050)
    assert keys.lit == {4}
    context.run(role, 10_000)
    assert context.of("close") == [{"session": 7, "why": "lock"}]
    assert [data.get("n") for data in context.of("press")] == [None] * 5


def test_a_choice_that_has_stood_for_a_second_outlives_a_mashing():
    role, keys, context = keypad()
    role.desire(session(7, 30_000), 0)
    keys.press(5, 1000, 1100)
    for start in (2000, 2200, 2400, 2600):
        keys.press(1, start, start + 100)
    context.run(role, 2500)
    assert keys.lit == {5}
    context.run(role, 9000)
    assert context.kinds() == ["press"] * 5 + ["close"]
    assert context.of("close") == [{"session": 7, "why": "lock"}]
    closed = next(now for now, kind, _ in context.events if kind == "close")
    assert closed == 4010, "3 s after the choice"


MASHED = {
    "a choice that has not stood is part of it, and the customer is asked again": (
        8000,
        [(5, 1000, 1100), (1, 1900, 2000), (1, 2200, 2300)],
        ["press", "press", "press", "close"],
        "end",
    ),
    "a stuck key leaves the choice before it": (
        30_000,
        [(5, 1000, 1100), (1, 2500, 60_000)],
        ["press", "press", "fault", "close"],
        "lock",
    ),
    "a key that it left stuck takes no earlier press of it": (
        30_000,
        [(5, 1000, 1100), (4, 2100, 2200), (5, 2300, 60_000)],
        ["press", "press", "press", "fault", "close"],
        "lock",
    ),
}


@pytest.mark.parametrize("name", MASHED)
def test_a_mashing(name):
    window_ms, presses, kinds, why = MASHED[name]
    role, keys, context = keypad()
    role.desire(session(7, window_ms), 0)
    for key, down, up in presses:
        keys.press(key, down, up)
    context.run(role, 9000)
    assert context.kinds() == kinds
    assert context.of("close") == [{"session": 7, "why": why}]


def test_two_keys_at_once_leave_an_earlier_choice():
    role, keys, context = keypad()
    role.desire(session(7, 30_000), 0)
    keys.press(5, 1000, 1100)
    keys.press(1, 2500, 2600)
    keys.press(2, 2500, 2600)
    context.run(role, 2800)
    assert keys.lit == {5}
    context.run(role, 5000)
    assert context.of("close") == [{"session": 7, "why": "lock"}]


@pytest.mark.parametrize(("after", "why"), [(990, "end"), (1000, "lock")])
def test_a_choice_that_is_held_outlives_another_key_after_a_second(after, why):
    role, keys, context = keypad()
    role.desire(session(7, 8000), 0)
    keys.press(5, 1000, 2500)
    keys.press(1, 1000 + after, 1100 + after)
    context.run(role, 9000)
    assert [data.get("n") for data in context.of("press")] == [None, 2]
    assert context.of("close") == [{"session": 7, "why": why}]


def test_a_press_says_how_many_keys_are_down():
    role, keys, context = keypad()
    keys.press(1, 0, 500)
    keys.press(3, 100, 400)
    keys.press(4, 200, 300)
    context.run(role, 1000)
    assert [(d["key"], d.get("n")) for d in context.of("press")] == [(1, None), (3, 2), (4, 3)]


def test_a_stuck_key_is_not_one_of_several_at_once():
    role, keys, context = keypad()
    keys.press(1, 0, 60_000)
    keys.press(2, 10_000, 10_100)
    context.run(role, 11_000)
    assert context.of("press") == [{"key": 1, "session": None}, {"key": 2, "session": None}]


def test_a_stuck_key_is_no_choice_and_the_customer_is_asked_again():
    role, keys, context = keypad()
    role.desire(session(7, 30_000), 0)
    keys.press(2, 1000, 60_000)
    keys.press(4, 9000, 9100)
    context.run(role, 8000)
    assert context.kinds() == ["press", "fault"], "no lock before it is known"
    context.run(role, 8200)
    assert keys.lit in (set(), {1, 2, 3, 4, 5}), "the prompt"
    context.run(role, 13_000)
    assert context.kinds() == ["press", "fault", "press", "close"]
    assert context.of("close") == [{"session": 7, "why": "lock"}]


def test_a_key_that_is_held_past_the_lock_delays_it_until_it_is_released():
    role, keys, context = keypad()
    role.desire(session(7, 30_000), 0)
    keys.press(2, 1000, 5000)
    context.run(role, 7000)
    [(closed, _, data)] = [event for event in context.events if event[1] == "close"]
    assert (closed, data["why"]) == (5025, "lock")


def test_the_close_of_a_replaced_session_waits_for_its_held_key_too():
    role, keys, context = keypad()
    role.desire(session(7, 30_000), 0)
    keys.press(2, 1000, 60_000)
    context.run(role, 2000)
    role.desire(session(8, 40_000), 2000)
    context.run(role, 6000)
    assert context.kinds() == ["press"]
    assert role.state()["session"] == 8
    context.run(role, 6500)
    assert context.kinds() == ["press", "fault", "close"]
    assert context.of("close") == [{"session": 7, "why": "next"}]


def test_where_nobody_asks_a_press_is_answered_like_a_rating_and_locked():
    role, keys, context = keypad()
    role.desire({"rev": 7, "session": None, "free": True}, 0)
    keys.press(4, 1000, 1100)
    keys.press(2, 3000, 3100)
    context.run(role, 2000)
    assert keys.lit == {4}
    context.run(role, 6000)
    assert [(kind, data) for _, kind, data in context.events] == [
        ("press", {"key": 4, "session": None}),
        ("press", {"key": 2, "session": None}),
        ("close", {"session": None, "why": "lock"}),
    ]
    assert [now for now, name, on in keys.log if name == "buzzer" and on] == [1010, 3010]
    assert role.state()["session"] is None


def test_where_nobody_asks_mashing_ends_the_rating_at_once():
    role, keys, context = keypad()
    role.desire({"rev": 7, "session": None, "free": True}, 0)
    for start in (1000, 1400, 1800, 2200):
        keys.press(1, start, start + 100)
    context.run(role, 6000)
    assert context.kinds() == ["press"] * 3 + ["close", "press"]
    assert context.of("close") == [{"session": None, "why": "lock"}]


def test_a_stuck_key_ends_a_rating_that_nobody_asked_for():
    role, keys, context = keypad()
    role.desire({"rev": 7, "session": None, "free": True}, 0)
    keys.press(1, 1000, 60_000)
    context.run(role, 9000)
    assert context.kinds() == ["press", "fault", "close"]
    assert context.of("close") == [{"session": None, "why": "lock"}]


def test_a_bad_mark_is_asked_for_its_reason():
    role, keys, context = keypad(reasons=0b1111)
    role.desire(session(7, 30_000), 0)
    keys.press(4, 1000, 1100)
    context.run(role, 4100)
    assert keys.lit in (set(), {1, 2, 3, 4})
    keys.press(2, 6000, 6100)
    keys.press(3, 8000, 8100)
    context.run(role, 20_000)
    assert [(kind, data) for _, kind, data in context.events][1:] == [
        ("close", {"session": 7, "why": "lock"}),
        ("reason", {"key": 2, "session": 7}),
        ("press", {"key": 3, "session": None}),
    ]


def test_silence_after_a_bad_mark_is_no_reason():
    role, keys, context = keypad(reasons=0b1111)
    role.desire(session(7, 30_000), 0)
    keys.press(5, 1000, 1100)
    context.run(role, 14_100)
    assert keys.lit == set()
    keys.press(1, 15_000, 15_100)
    context.run(role, 16_000)
    assert context.kinds() == ["press", "close", "press"]


def test_a_good_mark_is_not_asked_for_a_reason():
    role, keys, context = keypad(reasons=0b1111)
    role.desire(session(7, 30_000), 0)
    keys.press(3, 1000, 1100)
    keys.press(1, 6000, 6100)
    context.run(role, 7000)
    assert context.kinds() == ["press", "close", "press"]


def test_the_voice_line_is_pulsed_at_the_prompt():
    role, keys, context = keypad()
    context.run(role, 100)
    role.desire(session(7, 30_000), 100)
    context.run(role, 1000)
    assert [(now, on) for now, name, on in keys.log if name == "voice"] == [
        (100, True),
        (300, False),
    ]


def test_every_event_fits_a_journal_slot():
    events = [
        ("press", {"key": 5, "session": 9_999_999_999, "n": 6}),
        ("reason", {"key": 6, "session": 9_999_999_999}),
        ("close", {"session": 9_999_999_999, "why": "lock"}),
        ("fault", {"code": "key_stuck", "value": 5}),
    ]
    for kind, data in events:
        assert len(kind + json.dumps(data, separators=(",", ":"))) <= 41
