"""The call display's role: views, templates, blinking, staleness. Simulated time only."""

from itertools import pairwise
from unittest.mock import patch

import pytest
from hall_firmware.hall.roles.call_display import CallDisplay
from hypothesis import given
from hypothesis import strategies as st
from support.roles import Context, FakeFace

SETTINGS = {"blink_s": 3, "brightness": 60}


def display(**face) -> tuple[CallDisplay, FakeFace, Context]:
    context = Context()
    shown = FakeFace(**face)
    return CallDisplay(SETTINGS, shown, context), shown, context


def call(rev=5, ticket="A015", window="3", **more):
    return {"rev": rev, "view": "call", "ticket": ticket, "window": window, **more}


def lines_of(desired, **face) -> list[str]:
    role, shown, context = display(**face)
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
        ("今日8:30停电检修", ["今日8:30停电检修"[:6], "停电检修"]),
        ("今日停电检修，请于明日再来办理", ["今日停电检修，请于明日再来办理"]),
    ],
)
def test_two_rows_take_a_text_as_two_lines_when_that_makes_it_fit(text, expected):
    assert lines_of({"rev": 1, "view": "text", "text": text}, rows=2) == expected


class FailingFace(FakeFace):
    """A face that finds no memory the next time it is to show something."""

    fails = False

    def show(self, lines: list[str], now: int) -> None:
        if self.fails:
            self.fails = False
            raise MemoryError
        super().show(lines, now)


def failing() -> tuple[CallDisplay, FailingFace, Context]:
    context = Context()
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


def test_the_test_view_alternates_every_second():
    role, face, context = display()
    role.desire({"rev": 1, "view": "test"}, 0)
    context.run(role, 4000)
    seen = [lines[0] for _, _, lines in face.frames]
    assert sorted(set(seen)) == ["pattern 0", "pattern 1"]
    assert sum(a != b for a, b in pairwise(seen)) == 3


def test_identify_shows_the_pattern_for_ten_seconds_and_then_the_call_again():
    role, face, context = display()
    role.desire(call(), 0)
    context.run(role, 4000)
    role.identify(4000)
    context.run(role, 13_000)
    assert face.lines[0].startswith("pattern")
    context.run(role, 15_000)
    assert face.lines == ["请A015号"]
    assert context.of("shown") == [{"rev": 5}]


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
