"""Windows and rating sessions: every transition, and rules that hold for any sequence."""

from dataclasses import dataclass, replace
from typing import Any

import pytest
from hall_gateway.keypads import Heard, memory, tally
from hall_gateway.models import (
    ShownData,
)
from hall_gateway.plan import RatingRules
from hall_gateway.ratings import KEPT_CLOSED, PENDING_MS
from hall_gateway.sessions import RefusedError, Sessions
from hall_gateway.state import (
    HallState,
    desired_from,
    display_from,
    keypad_from,
    rating_from,
    to_json,
    window_from,
)
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, invariant, rule
from support.core_hall import NOON, PLAN
from support.windows import Run

KP1 = PLAN.devices["kp-1"]
DISP1 = PLAN.devices["disp-1"]


@pytest.fixture
def run() -> Run:
    return Run()


CALL = {"view": "call", "ticket": "A001", "window": "1", "ttl_s": 30}
IDLE = {"view": "idle", "name": "综合业务"}


def test_a_new_hall_is_idle(run: Run) -> None:
    assert run.view("disp-1") == IDLE
    assert run.view("disp-2") == {"view": "idle", "name": "2号窗口"}
    assert run.view("sign") == {"view": "idle", "name": "欢迎光临"}
    assert run.view("kp-1") == {"session": None, "window": "1"}
    assert run.emits == []
    assert set(run.state.desired) == {"disp-1", "disp-2", "sign", "kp-1", "kp-2"}


def test_a_service_from_call_to_end(run: Run) -> None:
    assert run.do("call", window="1", ticket="A001", staff="王芳", business="缴费") == {
        "window": "1",
        "state": "called",
        "ticket": "A001",
        "staff": "王芳",
        "pausing": False,
    }
    assert run.view("disp-1") == CALL
    run.now += 20_000
    run.do("start", window="1")
    assert run.view("disp-1") == CALL
    run.now += 300_000
    result = run.do("end", window="1")
    assert (result["state"], result["ticket"], result["staff"]) == ("idle", None, "王芳")
    assert run.types() == ["window.opened", "ticket.called", "service.started", "service.ended"]
    who = {"ticket": "A001", "window": "1", "staff": "王芳", "business": "缴费"}
    assert run.last("service.started") == who | {"waited_ms": 20_000}
    assert run.last("service.ended") == who | {
        "queued_ms": None,
        "waited_ms": 20_000,
        "served_ms": 300_000,
        "reason": "completed",
    }
    assert run.view("disp-1") == IDLE
    session = {"ticket": "A001", "until": run.now + 30_000, "window_s": 30}
    assert run.view("kp-1") == {"session": session, "window": "1"}


def test_recall_shows_the_same_call_anew(run: Run) -> None:
    run.do("call", window="1", ticket="A001")
    before = run.state.desired["disp-1"].rev
    run.emits.clear()
    run.do("recall", window="1")
    assert run.view("disp-1") == CALL
    assert run.state.desired["disp-1"].rev == before + 1
    assert run.emits == []


def test_no_show_ends_without_a_rating(run: Run) -> None:
    run.do("call", window="1", ticket="A001")
    run.now += 60_000
    assert run.do("no_show", window="1")["state"] == "idle"
    assert run.types() == ["ticket.called", "service.ended"]
    ended = run.last("service.ended")
    assert (ended["reason"], ended["served_ms"], ended["waited_ms"]) == ("no_show", None, 60_000)
    assert run.view("kp-1")["session"] is None


def test_a_call_while_serving_ends_that_service_first(run: Run) -> None:
    run.do("call", window="1", ticket="A001")
    run.do("start", window="1")
    run.do("call", window="1", ticket="A002")
    ended = ["service.started", "service.ended", "rating.none"]
    assert run.types() == ["ticket.called", *ended, "ticket.called"]
    assert run.last("service.ended")["reason"] == "next_call"
    assert run.last("rating.none")["reason"] == "next_call"
    assert run.view("disp-1") == CALL | {"ticket": "A002"}


def test_a_call_while_called_gives_the_last_ticket_up(run: Run) -> None:
    run.do("call", window="1", ticket="A001")
    run.do("call", window="1", ticket="A002")
    assert run.types() == ["ticket.called", "service.ended", "ticket.called"]
    assert run.last("service.ended")["reason"] == "next_call"


def test_a_call_takes_the_keypad_from_the_last_customer(run: Run) -> None:
    session = run.serve("A001")
    run.do("call", window="1", ticket="A002")
    assert run.view("kp-1")["session"] is None
    assert run.state.desired["kp-1"].rev > session
    [none] = run.close(session, "next")
    assert (none.type, none.data["ticket"], none.data["reason"]) == (
        "hall.rating.none",
        "A001",
        "next_call",
    )


def test_a_pause_waits_for_the_ticket(run: Run) -> None:
    run.do("call", window="1", ticket="A001")
    assert run.do("pause", window="1")["pausing"]
    run.do("start", window="1")
    assert run.view("disp-1") == CALL
    run.do("end", window="1")
    assert run.state.windows["1"].state == "paused"
    assert run.view("disp-1") == {"view": "closed"}
    assert run.view("kp-1")["session"]["ticket"] == "A001"
    assert run.do("resume", window="1")["state"] == "idle"
    assert run.view("disp-1") == IDLE


def test_a_pause_of_an_idle_window_is_at_once(run: Run) -> None:
    assert run.do("pause", window="1")["state"] == "paused"


def test_resume_takes_a_waiting_pause_back(run: Run) -> None:
    run.do("call", window="1", ticket="A001")
    run.do("pause", window="1")
    assert not run.do("resume", window="1")["pausing"]
    run.do("no_show", window="1")
    assert run.state.windows["1"].state == "idle"


@pytest.mark.parametrize("serving", [False, True])
def test_transfer_calls_the_ticket_at_the_other_window(run: Run, serving: bool) -> None:
    run.do("call", window="1", ticket="A001", business="报装", staff="王芳")
    run.do("staff", window="2", staff="李明")
    if serving:
        run.do("start", window="1")
    run.do("transfer", window="1", to="2")
    assert run.state.windows["1"].state == "idle"
    two = run.state.windows["2"]
    assert (two.state, two.ticket, two.business, two.staff) == ("called", "A001", "报装", "李明")
    assert run.last("service.ended")["reason"] == "transfer"
    assert "rating.none" not in run.types()
    assert run.view("kp-1")["session"] is None
    assert run.view("disp-2") == CALL | {"window": "2"}


def test_transfer_takes_the_other_windows_keypad(run: Run) -> None:
    run.serve("B001", window="2")
    run.do("call", window="1", ticket="A001")
    run.do("transfer", window="1", to="2")
    assert run.view("kp-2")["session"] is None


def test_the_staff_of_a_service_is_who_started_it(run: Run) -> None:
    run.do("staff", window="1", staff="王芳")
    run.do("call", window="1", ticket="A001")
    run.do("start", window="1")
    run.do("staff", window="1", staff="李明")
    run.do("end", window="1")
    assert run.last("service.ended")["staff"] == "王芳"
    assert run.state.windows["1"].staff == "李明"
    run.do("staff", window="1", staff=None)
    assert run.state.windows["1"].staff is None


def test_show_lasts_its_time(run: Run) -> None:
    assert run.do("show", window="1", text="请出示证件", seconds=10) == {"devices": ["disp-1"]}
    assert run.view("disp-1") == {"view": "text", "text": "请出示证件", "ttl_s": 30}
    run.now += 9_999
    assert run.sessions.tick(run.now).kept == []
    run.now += 1
    run.sessions.tick(run.now)
    assert run.view("disp-1") == IDLE


def test_show_on_one_device(run: Run) -> None:
    assert run.do("show", device="sign", text="今日停电", seconds=5) == {"devices": ["sign"]}
    assert run.view("sign")["text"] == "今日停电"


def test_a_call_is_not_hidden_by_a_text(run: Run) -> None:
    run.do("show", window="1", text="请稍等", seconds=600)
    run.do("call", window="1", ticket="A001")
    assert run.view("disp-1") == CALL
    run.do("show", window="1", text="请稍等", seconds=600)
    run.do("recall", window="1")
    assert run.view("disp-1") == CALL


@pytest.mark.parametrize(
    ("before", "name", "fields", "error"),
    [
        (
            [],
            "call",
            {"window": "9", "ticket": "A1"},
            "window: 9 is not in this hall; give one of 1, 2, 3",
        ),
        ([], "recall", {"window": "1"}, "window 1 is idle; call a ticket before a recall"),
        ([], "no_show", {"window": "1"}, "window 1 is idle; only a called ticket can be a no_show"),
        ([], "start", {"window": "1"}, "window 1 is idle; call a ticket before a start"),
        ([], "end", {"window": "1"}, "window 1 is idle; start a service before its end"),
        (
            ["call"],
            "end",
            {"window": "1"},
            "window 1 is called A001; start a service before its end",
        ),
        (["call", "start"], "start", {"window": "1"}, "window 1 is serving A001; call"),
        (["call", "start"], "recall", {"window": "1"}, "window 1 is serving A001; call"),
        (["call", "start"], "no_show", {"window": "1"}, "window 1 is serving A001; only"),
        ([], "resume", {"window": "1"}, "window 1 is idle, not paused"),
        (["pause"], "pause", {"window": "1"}, "window 1 is paused already; nothing to do"),
        (
            ["pause"],
            "call",
            {"window": "1", "ticket": "A2"},
            "window 1 is paused; resume it before",
        ),
        (["call", "pause"], "pause", {"window": "1"}, "called A001 and about to pause already"),
        (["call", "pause"], "call", {"window": "1", "ticket": "A2"}, "resume it before a call"),
        ([], "transfer", {"window": "1", "to": "2"}, "window 1 is idle; it has no ticket"),
        (
            ["call"],
            "transfer",
            {"window": "1", "to": "1"},
            "window 1 is called A001; transfer to an idle",
        ),
        (["call"], "transfer", {"window": "1", "to": "7"}, "window: 7 is not in this hall"),
        ([], "show", {"window": "3", "text": "x", "seconds": 1}, "window 3 has no display"),
        (
            [],
            "show",
            {"device": "kp-1", "text": "x", "seconds": 1},
            "device: kp-1 is not a display",
        ),
    ],
)
def test_a_command_out_of_place_changes_nothing(
    run: Run, before: list[str], name: str, fields: dict[str, Any], error: str
) -> None:
    for step in before:
        run.do(step, window="1", **({"ticket": "A001"} if step == "call" else {}))
    state, emits = _written(run.state), list(run.emits)
    with pytest.raises(RefusedError) as refused:
        run.do(name, **fields)
    assert error in str(refused.value)
    assert "\n" not in str(refused.value)
    assert (_written(run.state), run.emits) == (state, emits)


def _written(state: HallState) -> list[str]:
    kinds = (state.windows, state.ratings, state.displays, state.desired)
    return [to_json(kept) for kind in kinds for kept in kind.values()]


def test_the_last_press_within_three_seconds_counts(run: Run) -> None:
    session = run.serve()
    assert run.press(session, key=1, up=1000).type == "hall.rating.pressed"
    assert run.press(session, key=4, up=3999).type == "hall.rating.pressed"
    locked = run.press(session, key=1, up=4000)
    assert (locked.type, locked.data["reason"]) == ("hall.rating.quarantined", "locked")
    [given] = run.close(session, "lock")
    assert given.type == "hall.rating.given"
    assert not given.own
    assert given.data == {
        "ticket": "A001",
        "window": "1",
        "staff": None,
        "business": None,
        "session": session,
        "ended_at": "2027-01-15T08:00:00.000Z",
        "key": 4,
        "mark": 2,
        "label": "不满意",
        "presses": 2,
        "pressed_at": "2027-01-15T08:00:00.000Z",
    }
    assert run.view("kp-1")["session"] is None


def test_a_press_after_a_restart_cannot_be_placed(run: Run) -> None:
    session = run.serve()
    run.press(session, key=1, up=90_000, boot=1)
    assert run.press(session, key=5, up=91_000, boot=2).data["reason"] == "locked"
    assert run.press(session, key=5, up=89_000, boot=1).data["reason"] == "locked"
    run.close(session)
    assert run.last("rating.given")["mark"] == 5


@pytest.mark.parametrize(
    ("why", "reason"),
    [("end", "timeout"), ("next", "next_call"), ("late", "not_prompted"), ("lock", "press_lost")],
)
def test_no_press_is_none_never_good(run: Run, why: str, reason: str) -> None:
    session = run.serve()
    [none] = run.close(session, why)
    assert none.type == "hall.rating.none"
    assert (none.data["ticket"], none.data["reason"]) == ("A001", reason)


def test_a_second_close_changes_nothing(run: Run) -> None:
    session = run.serve()
    run.press(session)
    run.close(session, "lock")
    assert run.close(session, "late") == []
    assert run.press(session).data["reason"] == "locked"


def test_presses_outside_of_a_session(run: Run) -> None:
    assert run.press(None).data == {
        "ticket": None,
        "window": "1",
        "session": None,
        "key": 1,
        "mark": 5,
        "press": "press at 0",
        "reason": "out_of_session",
    }
    assert run.press(12345).data["reason"] == "out_of_session"


def test_a_key_that_the_keypad_does_not_have(run: Run) -> None:
    session = run.serve()
    press = run.press(session, key=6)
    assert (press.type, press.data["reason"]) == ("hall.rating.quarantined", "unknown_key")
    assert press.data["mark"] is None


def test_a_close_ends_older_sessions(run: Run) -> None:
    first = run.serve("A001")
    second = run.serve("A002")
    run.press(second, key=2)
    old, new = run.close(second, "lock")
    assert (old.type, old.data["ticket"], old.data["reason"], old.own) == (
        "hall.rating.none",
        "A001",
        "not_prompted",
        True,
    )
    assert (new.type, new.data["ticket"]) == ("hall.rating.given", "A002")
    assert run.press(first).data["reason"] == "late"


def test_an_older_session_that_was_pressed_is_given(run: Run) -> None:
    first = run.serve("A001")
    run.press(first, key=2)
    second = run.serve("A002")
    given, none = run.close(second, "end")
    assert (given.type, given.data["ticket"], given.data["mark"]) == (
        "hall.rating.given",
        "A001",
        4,
    )
    assert none.type == "hall.rating.none"


def test_a_session_nobody_closes_is_not_prompted_after_a_day(run: Run) -> None:
    session = run.serve()
    run.now += PENDING_MS - 1
    assert run.sessions.tick(run.now).emits == []
    run.now += 1
    [none] = run.take(run.sessions.tick(run.now)).emits
    assert (none.data["reason"], none.own) == ("not_prompted", True)
    assert run.press(session).data["reason"] == "late"
    assert run.close(session) == []


def test_a_window_without_a_keypad_has_a_verdict_too(run: Run) -> None:
    run.do("call", window="3", ticket="C001")
    run.do("start", window="3")
    run.do("end", window="3")
    assert run.last("rating.none") == {
        "ended_at": "2027-01-15T08:00:00.000Z",
        "ticket": "C001",
        "window": "3",
        "staff": None,
        "business": None,
        "session": None,
        "reason": "no_keypad",
        "prompted": False,
    }


def test_only_the_newest_closed_sessions_are_remembered(run: Run) -> None:
    sessions = [run.serve() for _ in range(KEPT_CLOSED + 4)]
    for session in sessions:
        run.close(session)
        run.now += 1000
    assert len(run.state.ratings) == KEPT_CLOSED
    assert run.press(sessions[0]).data["reason"] == "out_of_session"
    assert run.press(sessions[-1]).data["reason"] == "late"


def test_shown_is_told_once_a_rev(run: Run) -> None:
    run.do("call", window="1", ticket="A001")
    rev = run.state.desired["disp-1"].rev
    run.do("recall", window="1")
    [shown] = run.sessions.shown(DISP1, ShownData(rev=rev)).emits
    assert shown.data == {
        "rev": rev,
        "ticket": "A001",
        "window": "1",
        "called_at": "2027-01-15T08:00:00.000Z",
    }
    assert run.sessions.shown(DISP1, ShownData(rev=rev)).emits == []
    assert run.sessions.shown(DISP1, ShownData(rev=rev - 1)).emits == []
    assert len(run.sessions.shown(DISP1, ShownData(rev=rev + 1)).emits) == 1


def test_a_shown_from_before_this_store_has_no_ticket(run: Run) -> None:
    [shown] = run.sessions.shown(DISP1, ShownData(rev=NOON // 1000 - 50)).emits
    assert (shown.data["ticket"], shown.data["window"]) == (None, "1")


def test_a_shown_that_nobody_asked_for_is_refused(run: Run) -> None:
    with pytest.raises(RefusedError, match=r"^rev: 9999999999 is above \d+, the newest"):
        run.sessions.shown(DISP1, ShownData(rev=9999999999))
    run.do("call", window="1", ticket="A001")
    rev = run.state.desired["disp-1"].rev
    [shown] = run.sessions.shown(DISP1, ShownData(rev=rev)).emits
    assert shown.data["ticket"] == "A001"


def _shown(run: Run) -> list[Any]:
    rev = run.state.desired["disp-1"].rev
    return [emit.data["called_at"] for emit in run.sessions.shown(DISP1, ShownData(rev=rev)).emits]


@pytest.mark.parametrize("before", [True, False])
def test_a_call_that_comes_back_after_a_text_is_not_shown_again(run: Run, before: bool) -> None:
    """Its first real showing is told, before the text or after it, and each recall's."""
    told: list[Any] = []
    run.do("call", window="1", ticket="A001")
    if before:
        told += _shown(run)
    for _ in range(2):
        run.now += 1000
        run.do("show", window="1", text="请稍等", seconds=1)
        run.now += 1000
        run.sessions.tick(run.now)
        assert run.view("disp-1") == CALL
        told += _shown(run)
    assert told == ["2027-01-15T08:00:00.000Z"]
    run.do("recall", window="1")
    assert _shown(run) == ["2027-01-15T08:00:04.000Z"]


def test_a_display_ahead_of_a_lost_store_is_overtaken(run: Run) -> None:
    run.do("call", window="1", ticket="A001")
    rev = run.state.desired["disp-1"].rev
    assert run.sessions.applied(DISP1, rev, run.now).kept == []
    run.sessions.applied(DISP1, rev + 1000, run.now)
    assert run.state.desired["disp-1"].rev == rev + 1001
    assert run.view("disp-1") == CALL
    assert _shown(run) == ["2027-01-15T08:00:00.000Z"]


def test_a_keypad_ahead_of_a_lost_store_is_overtaken(run: Run) -> None:
    """Its open session goes on under the new rev, and has one verdict."""
    session = run.serve("A001")
    run.sessions.applied(KP1, session + 1000, run.now)
    newer = run.state.desired["kp-1"]
    assert (newer.rev, newer.view["session"]["ticket"]) == (session + 1001, "A001")
    assert run.press(newer.rev).type == "hall.rating.pressed"
    assert [emit.type for emit in run.close(newer.rev, "lock")] == ["hall.rating.given"]
    run.now += 2 * PENDING_MS
    assert run.sessions.tick(run.now).emits == []


def test_a_clock_that_is_set_back_makes_no_negative_time(run: Run) -> None:
    run.do("call", window="1", ticket="A001")
    run.now -= 3_600_000
    run.do("start", window="1")
    assert run.last("service.started")["waited_ms"] == 0
    run.now -= 3_600_000
    run.do("end", window="1")
    ended = run.last("service.ended")
    assert (ended["waited_ms"], ended["served_ms"]) == (0, 0)


def test_a_rev_is_newer_than_what_a_lost_store_sent(run: Run) -> None:
    assert run.state.desired["disp-1"].rev == NOON // 1000
    for ticket in ("A001", "A002", "A003"):
        run.do("call", window="1", ticket=ticket)
    assert run.state.desired["disp-1"].rev == NOON // 1000 + 3
    run.now += 60_000
    run.do("call", window="1", ticket="A004")
    assert run.state.desired["disp-1"].rev == NOON // 1000 + 60


def test_a_changed_plan_is_settled(run: Run) -> None:
    plan = PLAN.__class__("demo", PLAN.windows | {"1": "低压报装"}, PLAN.devices)
    sessions = Sessions(plan, run.state)
    outcome = sessions.settle(run.now)
    assert [kept.device for kept in outcome.kept if hasattr(kept, "device")] == ["disp-1"]
    assert run.view("disp-1") == {"view": "idle", "name": "低压报装"}
    assert Sessions(plan, run.state).settle(run.now).kept == []


@dataclass
class Told:
    """What one session was told to have been: presses that count so far, and verdicts."""

    counting: int = 0
    verdicts: int = 0


class AnyOrder(RuleBasedStateMachine):
    """Random commands, presses and closes in any order against what must always hold."""

    sessions = Bundle("sessions")

    def __init__(self) -> None:
        super().__init__()
        self.run = Run(replace(PLAN, rules=RatingRules(fast_run=2), free=frozenset("2")))
        self.up = 0
        self.pressed: list[str] = []

    @rule(
        name=st.sampled_from(["recall", "no_show", "start", "end", "pause", "resume"]),
        window=st.sampled_from("123"),
    )
    def step(self, name: str, window: str) -> None:
        self._try(name, window=window)

    @rule(window=st.sampled_from("123"), ticket=st.sampled_from(["A001", "A002", "B001"]))
    def call(self, window: str, ticket: str) -> None:
        self._try("call", window=window, ticket=ticket, staff="王芳")

    @rule(window=st.sampled_from("123"), to=st.sampled_from("123"))
    def transfer(self, window: str, to: str) -> None:
        self._try("transfer", window=window, to=to)

    @rule(
        target=sessions,
        window=st.sampled_from("12"),
        served_s=st.sampled_from([0, 19, 20, 300]),
    )
    def serve(self, window: str, served_s: int) -> int:
        self._try("resume", window=window)
        self.run.serve(window=window, served_s=served_s)
        return self.run.state.desired["kp-1"].rev

    @rule(
        session=st.one_of(sessions, st.none(), st.just(7)),
        key=st.integers(1, 6),
        after=st.sampled_from([0, 700, 1999, 2000, 2999, 3000, 60_000]),
        boot=st.integers(1, 2),
        n=st.sampled_from([None, None, None, 2, 3]),
        device=st.sampled_from(["kp-1", "kp-2"]),
    )
    def press(
        self, session: int | None, key: int, after: int, boot: int, n: int | None, device: str
    ) -> None:
        self.up += after
        id = f"press {len(self.pressed)}"
        emits = self.run.presses(session, key, self.up, boot, n=n, id=id, device=device)
        self.pressed.append(id)
        assert [emit.own for emit in emits] == [True] * (len(emits) - 1) + [False]
        assert emits[-1].data["press"] == id
        assert emits[-1].type in ("hall.rating.pressed", "hall.rating.quarantined")
        assert ("reason" in emits[-1].data) == (emits[-1].type == "hall.rating.quarantined")

    @rule(
        session=st.one_of(sessions, st.none()),
        why=st.sampled_from(["lock", "end", "next", "late"]),
        device=st.sampled_from(["kp-1", "kp-2"]),
    )
    def close(self, session: int | None, why: str, device: str) -> None:
        emits = self.run.close(session, why, up=self.up, device=device)
        assert sum(not emit.own for emit in emits) <= 1

    @rule(key=st.integers(1, 5), device=st.sampled_from(["kp-1", "kp-2"]))
    def stuck(self, key: int, device: str) -> None:
        self.run.stuck(key, self.up, device)

    @rule(device=st.sampled_from(["kp-1", "kp-2"]))
    def restart(self, device: str) -> None:
        self.run.take(self.run.sessions.restarted(PLAN.devices[device], Heard(2, 0, self.run.now)))

    @rule(seconds=st.sampled_from([1, 40, 3600, 90_000]))
    def wait(self, seconds: int) -> None:
        self.run.now += seconds * 1000
        self.run.take(self.run.sessions.tick(self.run.now))

    def _try(self, name: str, **fields: Any) -> None:
        before = _written(self.run.state)
        try:
            self.run.do(name, **fields)
        except RefusedError:
            assert _written(self.run.state) == before

    @invariant()
    def every_press_is_told_once_and_refused_once(self) -> None:
        told = [e for e in self.run.emits if e.data.get("press")]
        assert [e.data["press"] for e in told if not e.own] == self.pressed
        refused = [e.data["press"] for e in told if "reason" in e.data]
        assert len(refused) == len(set(refused))

    @invariant()
    def the_counts_add_up(self) -> None:
        for device in ("kp-1", "kp-2"):
            counts = tally(memory(self.run.state, device, 0))
            open_ratings = [r for r in self.run.state.ratings.values() if r.closed is None]
            waiting = sum(len(r.presses) for r in open_ratings if r.device == device)
            judged = counts["accepted"] + counts["corrected"]
            refused = sum(counts["quarantined"].values())
            assert counts["pressed"] == judged + refused + waiting
            emits = [e for e in self.run.emits if e.data["window"] == device[-1]]
            types = [e.type for e in emits]
            assert counts["accepted"] == types.count("hall.rating.given")
            assert refused == types.count("hall.rating.quarantined")

    @invariant()
    def one_verdict_a_session_and_good_only_when_pressed(self) -> None:
        told: dict[tuple[str, int], Told] = {}
        for emit in self.run.emits:
            session = emit.data.get("session")
            if session is None:
                continue
            about = told.setdefault((emit.data["window"], session), Told())
            if emit.type == "hall.rating.pressed":
                assert about.verdicts == 0
                about.counting += 1
            elif emit.type == "hall.rating.quarantined" and emit.own:
                about.counting -= 1
            elif emit.type in ("hall.rating.given", "hall.rating.none"):
                about.verdicts += 1
                assert (emit.type == "hall.rating.given") == (about.counting > 0)
                assert emit.data.get("presses", 0) == about.counting
        assert all(about.verdicts <= 1 for about in told.values())

    @invariant()
    def every_service_has_one_verdict_or_an_open_session(self) -> None:
        served = [e for e in self.run.emits if e.type == "hall.service.ended"]
        rated = [e for e in served if e.data["reason"] in ("completed", "next_call")]
        rated = [e for e in rated if e.data["served_ms"] is not None]
        verdicts = ("hall.rating.given", "hall.rating.none")
        told = [e for e in self.run.emits if e.type in verdicts and e.data["ticket"]]
        asked = [r for r in self.run.state.ratings.values() if r.ticket is not None]
        pending = [r for r in asked if r.closed is None]
        assert len(rated) == len(told) + len(pending)

    @invariant()
    def the_state_survives_the_store(self) -> None:
        again = HallState()
        for text in map(to_json, self.run.state.windows.values()):
            again.put(window_from(text))
        for text in map(to_json, self.run.state.ratings.values()):
            again.put(rating_from(text))
        for text in map(to_json, self.run.state.keypads.values()):
            again.put(keypad_from(text))
        for text in map(to_json, self.run.state.displays.values()):
            again.put(display_from(text))
        for text in map(to_json, self.run.state.desired.values()):
            again.put(desired_from(text))
        assert again == self.run.state


TestAnyOrder = AnyOrder.TestCase
TestAnyOrder.settings = settings(max_examples=50, stateful_step_count=30, deadline=None)
