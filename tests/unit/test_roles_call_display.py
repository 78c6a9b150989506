"""The call display's role: views, templates, blinking, staleness. Simulated time only."""

from itertools import pairwise
from unittest.mock import patch

import pytest
from hall_firmware.hall.roles.call_display import CallDisplay
from hypothesis import given
from hypothesis import strategies as st
from support.roles import Context, FakeFace

SETTINGS = {
    "blink_s": 3,
    "brightness": 60,
    "night_brightness": 20,
    "night_from_h": 22,
    "night_to_h": 6,
    "utc_offset_min": 480,
}
HOUR_MS = 3_600_000


def display(settings=None, unix_offset=None, **face) -> tuple[CallDisplay, FakeFace, Context]:
    """A role whose clock is not known, unless `unix_offset` says when the device started."""
    context = Context(unix_offset=unix_offset)
    shown = FakeFace(**face)
    return CallDisplay(SETTINGS | (settings or {}), shown, context), shown, context


def at(hour: int, minute: int = 0, second: int = 0) -> int:
    """Unix time, ms, of a time of day in China, on a day in 2026."""
    day = 20_600 * 24 * HOUR_MS
    return day + (hour - 8) * HOUR_MS + minute * 60_000 + second * 1000


def call(rev=5, ticket="A015", window="3", **more):
    return {"rev": rev, "view": "call", "ticket": ticket, "window": window, **more}


def lines_of(desired, **more) -> list[str]:
    role, shown, context = display(**more)
    role.desire(desired, 0)
    context.run(role, 100)
    return shown.lines


def test_before_any_desired_state_it_asks_to_wait():
    role, face, context = display()
    context.run(role, 1000)
    assert face.lines == ["请稍候"]
    assert role.state() == {"view": "wait", "stale": False, "missing": 0}
    assert context.events == []


@pytest.mark.parametrize(
    ("desired", "expected"),
    [
        ({"view": "idle", "name": "综合业务"}, "综合业务"),
        ({"view": "idle", "name": ""}, "欢迎光临"),
        ({"view": "closed"}, "暂停服务"),
        ({"view": "caution"}, "小心地滑"),
        ({"view": "caution", "text": "地面湿滑"}, "地面湿滑"),
        ({"view": "text", "text": "今日停电检修"}, "今日停电检修"),
    ],
)
def test_each_view_says_its_words(desired, expected):
    assert lines_of({"rev": 1, **desired}) == [expected]


@pytest.mark.parametrize(
    ("face", "ticket", "window", "expected"),
    [
        ({"columns": 64}, "A015", "3", ["请A015号"]),
        ({"columns": 64}, "A0015", "3", ["A0015号"]),
        ({"columns": 64}, "ABCD0015", "3", ["ABCD0015"]),
        ({"columns": 128}, "A015", "12", ["请A015号到12窗口"]),
        ({"columns": 128}, "A015", "123", ["请A015号"]),
        ({"columns": 64, "rows": 2}, "A015", "12", ["请A015号", "到12窗口"]),
        ({"columns": 64, "rows": 2}, "A015", "3", ["请A015号", "到3窗口"]),
        ({"columns": 96, "rows": 2}, "A015", "3", ["请A015号", "到3号窗口"]),
        ({"columns": 64, "rows": 4}, "A015", "3", ["请A015号", "到3窗口"]),
        ({"columns": 64, "rows": 2}, "A015", "VIP1", ["请A015号", "VIP1窗口"]),
        ({"columns": 32}, "A0015", "3", ["请A0015号到3窗口"]),
        ({"columns": 8, "hanzi": False}, "A015", "3", ["A015   3"]),
        ({"columns": 8, "hanzi": False}, "A015", "123", ["A015 123"]),
        ({"columns": 8, "hanzi": False}, "A015", "1234", ["A015"]),
        ({"columns": 8, "hanzi": False}, "ABCD0015", "3", ["ABCD0015"]),
    ],
)
def test_a_call_takes_the_first_template_that_fits(face, ticket, window, expected):
    assert lines_of(call(ticket=ticket, window=window), **face) == expected


@given(
    st.text("ABCD0123456789", min_size=1, max_size=8),
    st.text("0123456789AB东", min_size=1, max_size=8),
    st.sampled_from((64, 96, 128, 192)),
    st.sampled_from((1, 2)),
)
def test_a_call_scrolls_only_when_its_bare_numbers_do_not_fit(ticket, window, columns, rows):
    lines = lines_of(call(ticket=ticket, window=window), columns=columns, rows=rows)
    width = FakeFace().width
    for line, bare in zip(lines, (ticket, window), strict=False):
        assert bare in line
        assert (width(line) > columns) == (width(bare) > columns)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("今日停电", ["今日停电"]),
        ("今日停电检修", ["今日停电", "检修"]),
        ("今日8:30停电检修", ["今日8:30", "停电检修"]),
        ("请到3号 自助柜台", ["请到3号", "自助柜台"]),
        ("Please wait", ["Please", "wait"]),
        ("Mr Smith 3", ["Mr Smith", "3"]),
        ("No entry, please", ["No entry", ", please"]),
        ("今日停电，请稍", ["今日停", "电，请稍"]),
        ("今日停电，请稍候", ["今日停电", "，请稍候"]),
        ("今日电价调整，请看", ["今日电价调整，请看"]),
        ("今日停电检修，请于明日再来办理", ["今日停电检修，请于明日再来办理"]),
    ],
)
def test_two_rows_take_a_text_as_two_lines_when_that_makes_it_fit(text, expected):
    assert lines_of({"rev": 1, "view": "text", "text": text}, rows=2) == expected


class FailingFace(FakeFace):
    """A face that finds no memory the next time it is to show something."""

    fails = False

    def show(self, lines: list[str], now: int, colour: int) -> None:
        if self.fails:
            self.fails = False
            raise MemoryError
        super().show(lines, now, colour)


def failing() -> tuple[CallDisplay, FailingFace, Context]:
    context = Context(unix_offset=None)
    face = FailingFace()
    role = CallDisplay(SETTINGS, face, context)
    role.desire(call(rev=5, ttl_s=10), 0)
    context.run(role, 1000)
    face.fails = True
    return role, face, context


def test_a_call_that_the_face_did_not_take_is_not_shown_and_is_tried_again():
    role, face, context = failing()
    role.desire(call(rev=6, ticket="A016"), context.now)
    with pytest.raises(MemoryError):
        role.step(context.now)
    assert role.state()["view"] is None
    assert context.of("shown") == [{"rev": 5}]
    context.run(role, 2000)
    assert face.lines == ["请A016号"]
    assert context.of("shown") == [{"rev": 5}, {"rev": 6}]
    assert face.frames[-1][2] == ("请A016号",)


def test_a_stale_number_goes_though_the_face_failed_at_first():
    role, face, context = failing()
    context.link_down = 20_000
    with pytest.raises(MemoryError):
        role.step(context.now)
    context.run(role, 2000)
    assert face.lines == ["请稍候"]


def test_shown_is_told_once_after_a_lit_frame():
    role, face, context = display()
    role.desire(call(rev=5), 0)
    assert context.events == []
    context.run(role, 10_000)
    assert context.events == [(0, "shown", {"rev": 5})]
    assert face.frames[0] == (0, True, ("请A015号",))
    role.desire(call(rev=6), context.now)
    context.run(role, 20_000)
    assert context.of("shown") == [{"rev": 5}, {"rev": 6}]


def test_a_frame_in_the_dark_half_of_a_blink_is_not_shown():
    role, face, context = display()
    role.desire(call(), 0)
    # Its first frame failed, and the next one comes when the blinking number is dark.
    with (
        patch.object(face, "frame", side_effect=OSError("stuck")),
        pytest.raises(OSError, match="stuck"),
    ):
        role.step(0)
    context.now = 280
    context.run(role, 480)
    assert context.events == []
    context.run(role, 600)
    assert context.events == [(520, "shown", {"rev": 5})]


def test_other_views_are_never_told_as_shown():
    role, _, context = display()
    for rev, view in enumerate(("idle", "closed", "caution", "test")):
        role.desire({"rev": rev, "view": view, "name": "综合业务"}, context.now)
        context.run(role, context.now + 2000)
    assert context.events == []


def test_a_new_call_blinks_at_2_hz_for_its_time_and_then_stays():
    role, face, context = display()
    role.desire(call(), 0)
    context.run(role, 6000)
    lit = {now: on for now, on, _ in face.frames}
    assert [lit[now] for now in (0, 240, 280, 480, 520, 800, 1000)] == [
        True,
        True,
        False,
        False,
        True,
        False,
        True,
    ]
    dark = [now for now, on in lit.items() if not on]
    assert max(dark) < 3000
    assert len(dark) == pytest.approx(len([now for now in lit if now < 3000]) / 2, abs=2)


def test_the_same_number_again_is_a_new_call():
    role, face, context = display()
    role.desire(call(rev=5), 0)
    context.run(role, 10_000)
    face.frames.clear()
    role.desire(call(rev=6), context.now)
    context.run(role, context.now + 1000)
    assert any(not lit for _, lit, _ in face.frames)
    assert context.of("shown") == [{"rev": 5}, {"rev": 6}]


def test_a_stale_number_is_never_shown():
    role, face, context = display()
    role.desire(call(ttl_s=10), 0)
    context.run(role, 5000)
    context.link_down = 10_000
    context.run(role, 6000)
    assert face.lines == ["请A015号"]
    context.link_down = 10_001
    context.run(role, 7000)
    assert face.lines == ["请稍候"]
    assert role.state() == {"view": "wait", "stale": True, "missing": 0}
    context.link_down = 0
    context.run(role, 8000)
    assert face.lines == ["请A015号"]
    assert role.state() == {"view": "call", "stale": False, "missing": 0, "ticket": "A015"}
    assert context.of("shown") == [{"rev": 5}]


def test_a_call_that_comes_back_does_not_blink_again():
    role, face, context = display()
    role.desire(call(ttl_s=10), 0)
    context.run(role, 5000)
    context.link_down = 11_000
    context.run(role, 6000)
    face.frames.clear()
    context.link_down = 0
    context.run(role, 7000)
    assert all(lit for _, lit, _ in face.frames)


def test_a_call_that_arrived_stale_is_told_when_it_is_seen():
    role, _, context = display()
    context.link_down = 70_000
    role.desire(call(), 0)
    context.run(role, 1000)
    assert context.events == []
    context.link_down = 0
    context.run(role, 2000)
    assert context.of("shown") == [{"rev": 5}]


def test_without_a_ttl_a_number_lives_for_a_minute():
    role, face, context = display()
    role.desire(call(), 0)
    context.link_down = 60_001
    context.run(role, 100)
    assert face.lines == ["请稍候"]


def test_the_test_view_goes_on_every_second():
    role, face, context = display()
    context.run(role, 280)
    role.desire({"rev": 1, "view": "test"}, 280)
    context.run(role, 4280)
    seen = [lines[0] for _, _, lines in face.frames if lines != ("请稍候",)]
    assert list(dict.fromkeys(seen)) == [f"pattern {phase}" for phase in range(4)]
    assert sum(a != b for a, b in pairwise(seen)) == 3


def test_identify_shows_all_patterns_in_ten_seconds_and_then_the_call_again():
    role, face, context = display()
    role.desire(call(), 0)
    context.run(role, 4000)
    role.identify(4000)
    context.run(role, 13_960)
    seen = {lines[0] for now, _, lines in face.frames if now >= 4000}
    assert seen == {f"pattern {phase}" for phase in range(10)}
    context.run(role, 15_000)
    assert face.lines == ["请A015号"]
    assert context.of("shown") == [{"rev": 5}]


NAME = {"rev": 1, "view": "idle", "name": "综合业务"}


@pytest.mark.parametrize(
    ("face", "name", "expected"),
    [
        ({"columns": 64, "rows": 2}, "综合业务", ["综合业务", "09:05"]),
        ({"columns": 64, "rows": 2}, "高压新装增容", ["高压新装增容", "09:05"]),
        ({"columns": 64, "rows": 3}, "高压新装增容", ["高压新装", "增容", "09:05"]),
        ({"columns": 128}, "综合业务", ["综合业务 09:05"]),
        ({"columns": 128}, "综合业务窗口", ["综合业务窗口"]),
        ({"columns": 64}, "综合业务", ["综合业务"]),
        ({"columns": 64}, "高压新装增容", ["高压新装增容 09:05"]),
        ({"columns": 8, "hanzi": False}, "综合业务", ["09-05"]),
    ],
)
def test_an_idle_display_has_the_time_where_there_is_room(face, name, expected):
    idle = {"rev": 1, "view": "idle", "name": name}
    assert lines_of(idle, unix_offset=at(9, 5), **face) == expected


@pytest.mark.parametrize(
    ("face", "expected"),
    [
        ({"columns": 64, "rows": 2}, ["综合业务"]),
        ({"columns": 128}, ["综合业务"]),
        ({"columns": 8, "hanzi": False}, ["HELLO"]),
    ],
)
def test_a_clock_that_is_not_known_is_not_shown(face, expected):
    assert lines_of(NAME, **face) == expected


def test_name_and_clock_take_turns_where_they_have_no_room_together():
    role, face, context = display(unix_offset=at(9, 5))
    role.desire(NAME, 0)
    context.run(role, 17_000)
    assert [(now // 1000, lines) for now, lines in changes(face)] == [
        (0, ("综合业务",)),
        (5, ("09:05",)),
        (8, ("综合业务",)),
        (13, ("09:05",)),
        (16, ("综合业务",)),
    ]


def changes(face: FakeFace) -> list[tuple[int, tuple[str, ...]]]:
    """When which lines were on the face for the first frame."""
    return [
        (now, lines)
        for (_, _, before), (now, _, lines) in pairwise([(0, True, ()), *face.frames])
        if lines != before
    ]


def test_the_face_is_told_a_new_minute_and_nothing_between():
    role, face, context = display(unix_offset=at(23, 58, 30), rows=2)
    role.desire(NAME, 0)
    context.run(role, 180_000)
    assert [(now, lines[1]) for now, lines in changes(face)] == [
        (0, "23:58"),
        (30_000, "23:59"),
        (90_000, "00:00"),
        (150_000, "00:01"),
    ]
    assert len(face.shows) == 4


def test_the_clock_is_asked_once_a_second_because_its_answer_takes_heap():
    role, _, context = display(unix_offset=at(9, 5))
    role.desire(NAME, 0)
    with patch.object(context, "unix_ms", wraps=context.unix_ms) as asked:
        context.run(role, 10_000)
    assert asked.call_count == 10


def test_a_name_that_scrolls_goes_on_over_a_new_minute():
    role, face, context = display(unix_offset=at(9, 5, 58))
    context.run(role, 1000)
    role.desire({"rev": 1, "view": "idle", "name": "高压新装增容"}, 1000)
    context.run(role, 10_000)
    assert face.shows[1:] == [
        (1000, ("高压新装增容 09:05",), 2),
        (1000, ("高压新装增容 09:06",), 2),
    ]


def test_the_clock_appears_when_it_is_set():
    role, face, context = display(rows=2)
    role.desire(NAME, 0)
    context.run(role, 3000)
    assert face.lines == ["综合业务"]
    context.unix_offset = at(9, 5)
    context.run(role, 5000)
    assert face.lines == ["综合业务", "09:05"]


def test_a_minute_that_the_face_did_not_take_is_tried_again_at_once():
    context = Context(unix_offset=at(9, 5, 58))
    face = FailingFace(rows=2)
    role = CallDisplay(SETTINGS, face, context)
    role.desire(NAME, 0)
    context.run(role, 2000)
    face.fails = True
    with pytest.raises(MemoryError):
        role.step(context.now)
    role.step(context.now)
    assert face.lines == ["综合业务", "09:06"]


@pytest.mark.parametrize(
    ("offset", "expected"), [(480, "09:05"), (0, "01:05"), (-720, "13:05"), (345, "06:50")]
)
def test_the_clock_is_the_halls(offset, expected):
    settings = {"utc_offset_min": offset}
    lines = lines_of(NAME, settings=settings, unix_offset=at(9, 5), rows=2)
    assert lines == ["综合业务", expected]


@pytest.mark.parametrize(
    ("desired", "colour"),
    [
        (None, 3),
        (call(), 1),
        (NAME, 2),
        ({"rev": 1, "view": "closed"}, 1),
        ({"rev": 1, "view": "text", "text": "今日停电"}, 3),
        ({"rev": 1, "view": "caution"}, 3),
    ],
)
def test_each_view_has_its_colour(desired, colour):
    role, face, context = display()
    if desired:
        role.desire(desired, 0)
    context.run(role, 100)
    assert face.colour == colour


def brightness_by_hour(**settings: int) -> dict[int, int]:
    """What the face's brightness becomes, by the hour at which it does, over one day from noon."""
    role, face, context = display(settings, unix_offset=at(12))
    became: list[tuple[int, int]] = []
    for hour in range(24):
        context.now = hour * HOUR_MS
        before = len(face.dims)
        context.run(role, context.now + 3000)
        assert len(face.dims) - before <= 1
        became += [((12 + hour) % 24, percent) for percent in face.dims[before:]]
    return dict(became)


@pytest.mark.parametrize(
    ("night", "expected"),
    [
        ((22, 6), {22: 20, 6: 60}),
        ((0, 6), {0: 20, 6: 60}),
        ((22, 0), {22: 20, 0: 60}),
        ((13, 17), {13: 20, 17: 60}),
        ((7, 7), {}),
    ],
)
def test_it_is_darker_at_night(night, expected):
    assert brightness_by_hour(night_from_h=night[0], night_to_h=night[1]) == expected


def test_a_night_as_bright_as_the_day_is_no_change():
    assert brightness_by_hour(night_brightness=60) == {}


def test_a_display_that_starts_at_night_dims_when_it_knows():
    role, face, context = display()
    context.run(role, 3000)
    assert face.dims == []
    context.unix_offset = at(23)
    context.run(role, 6000)
    assert face.dims == [20]


def test_seven_segments_have_their_own_words():
    words = {"closed": "CLOSED", "caution": "CAUTION"}
    for view, word in words.items():
        desired = {"rev": 1, "view": view, "text": "地面湿滑"}
        assert lines_of(desired, columns=8, hanzi=False) == [word]


@pytest.mark.parametrize(
    ("desired", "message"),
    [
        ({}, "view must be one of call, caution, closed, idle, test, text"),
        ({"view": "party"}, "view must be one of call"),
        ({"view": ["call"]}, "view must be one of call"),
        ({"view": "call", "ticket": "A015"}, "view call needs window"),
        ({"view": "call", "window": "3"}, "view call needs ticket"),
        ({"view": "call", "ticket": 15, "window": "3"}, "ticket must be a text"),
        ({"view": "call", "ticket": "A00000015", "window": "3"}, "at most 8 characters"),
        ({"view": "text"}, "view text needs text"),
        ({"view": "text", "text": "字" * 65}, "at most 64 characters"),
        ({"view": "idle", "name": ["x"]}, "name must be a text"),
        ({"view": "closed", "ttl_s": 0}, "ttl_s must be a whole number"),
        ({"view": "closed", "ttl_s": "60"}, "ttl_s must be a whole number"),
    ],
)
def test_a_nonsense_state_is_refused_and_changes_nothing(desired, message):
    role, face, context = display()
    role.desire(call(), 0)
    with pytest.raises(ValueError, match=message):
        role.desire({"rev": 6, **desired}, 0)
    context.run(role, 100)
    assert face.lines == ["请A015号"]


def test_selftest_is_the_faces():
    role, _, _ = display()
    assert role.selftest() == {"face": True}
