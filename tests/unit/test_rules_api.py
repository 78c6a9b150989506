"""What people do about alerts and tasks, by the gateway's own HTTP; what is kept of them."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer
from hall_gateway import rules_api, store_rules
from hall_gateway.control_api import errors_as_json
from support.ruled_hall import RuledHall, ruled_hall

DAY_S = 86_400


class Desk:
    """Somebody who answers alerts and tasks."""

    def __init__(self, hall: RuledHall, client: "TestClient[Any, Any]") -> None:
        self.hall = hall
        self._client = client

    async def post(self, path: str, **body: object) -> tuple[int, Any]:
        answer = await self._client.post(path, json=body)
        return answer.status, await answer.json()


@pytest_asyncio.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    async with ruled_hall(tmp_path) as hall:
        app = web.Application(middlewares=[errors_as_json])
        app.add_routes(rules_api.routes(hall.core))
        async with TestClient(TestServer(app)) as client:
            yield Desk(hall, client)


async def test_an_alert_is_acknowledged_by_somebody(desk: Desk) -> None:
    await desk.hall.wet()
    status, told = await desk.post("/alerts/1/acknowledge", by="李敏", note="已派保洁")
    assert (status, told["by"], told["note"], told["cleared"]) == (200, "李敏", "已派保洁", None)
    (data,) = await desk.hall.data("hall.alert.acknowledged")
    assert (data["alert"], data["by"], data["note"]) == (1, "李敏", "已派保洁")


async def test_a_task_is_done_step_by_step(desk: Desk) -> None:
    await desk.hall.rate(1)
    for step in ("acknowledge", "contact", "fix"):
        assert (await desk.post(f"/tasks/1/{step}", by="王芳"))[0] == 200
    status, told = await desk.post("/tasks/1/rerate", by="王芳", mark=5, note="已致歉")
    assert (status, told["step"], told["steps"][-1]["mark"]) == (200, "rerated", 5)


REFUSED = [
    ("/alerts/1/acknowledge", {}, 400, "by"),
    ("/alerts/1/acknowledge", {"by": "a\n"}, 400, "by"),
    ("/alerts/1/acknowledge", {"by": "a", "why": "b"}, 400, "why"),
    ("/alerts/1/acknowledge", {"by": "a", "note": "x" * 201}, 400, "note"),
    ("/alerts/9/acknowledge", {"by": "a"}, 404, "there is no alert 9"),
    ("/alerts/x/acknowledge", {"by": "a"}, 404, "x is no number"),
    ("/tasks/9/fix", {"by": "a"}, 404, "there is no task 9"),
    ("/tasks/1/sing", {"by": "a"}, 404, "Not Found"),
    ("/tasks/1/fix", {"by": "a"}, 409, "task 1 is opened; acknowledge comes next"),
    ("/tasks/1/acknowledge", {"by": "a", "mark": 3}, 409, "mark"),
]


async def test_what_cannot_be_is_told(desk: Desk) -> None:
    await desk.hall.wet()
    await desk.hall.rate(1)
    events = len(await desk.hall.events())
    for path, body, status, what in REFUSED:
        answered, told = await desk.post(path, **body)
        assert (answered, what in told["error"]) == (status, True), (path, told)
    assert len(await desk.hall.events()) == events
    await desk.post("/alerts/1/acknowledge", by="a")
    status, told = await desk.post("/alerts/1/acknowledge", by="b")
    assert (status, told["error"]) == (409, "alert 1 was acknowledged by a already; nothing to do")
    await desk.hall.rain()
    await desk.hall.rain(False)
    assert (await desk.post("/alerts/2/acknowledge", by="b"))[1]["error"].endswith("nothing to do")


ON = """rules:
  - id: {id}
    title: {{zh: 甲, en: a}}
    on: {on}
    scope: {scope}
    actions:
      - {action}
"""


async def test_an_alert_about_an_event_is_over_when_it_is_acknowledged(desk: Desk) -> None:
    hall = desk.hall
    text = '{level: critical, text: {zh: "窗口 {window}", en: x}}'
    await hall.follow(
        ON.format(id="bad", on="hall.rating.given", scope="hall", action=f"alert: {text}")
    )
    await hall.rate(1)
    await hall.rate(1, "A016")
    (alert,) = await hall.alerts()
    assert (alert.times, alert.text["zh"]) == (2, "窗口 1")
    await hall.follow("rules: []")
    await hall.tick(1)
    assert len(await hall.alerts()) == 1
    assert (await desk.post("/alerts/1/acknowledge", by="a"))[1]["cleared"] is not None
    assert await hall.types("alert") == ["raised", "raised", "acknowledged", "cleared"]


async def test_an_event_shows_a_text_for_a_time_and_commands_a_device(desk: Desk) -> None:
    hall = desk.hall
    show = "show: {view: text, text: '欢迎 {staff}', for: 10 s}"
    await hall.follow(
        ON.format(id="in", on="hall.service.started", scope="window", action=show)
        + "      - command: {do: identify, device: disp-2}\n"
        "      - command: {do: identify, device: nowhere}\n"
        "      - emit: {type: hall.rule.fired, data: {who: staff, w: waited_ms / 0}}\n"
    )
    await hall.do("call", ticket="A015", window="1", staff="张伟")
    await hall.do("start", window="1")
    assert hall.view("disp-1") == {"view": "text", "text": "欢迎 张伟"}
    assert hall.view("disp-2")["view"] == "idle"
    (order,) = await hall.core.take_device_commands()
    assert (order.device, b'"do":"identify"' in order.body) == ("disp-2", True)
    assert await hall.data("hall.rule") == [{"rule": "in", "data": {"who": "张伟", "w": None}}]
    assert hall.core.health()["rules"] == {"unknown_device": 1, "not_evaluated": 1}
    await hall.tick(10)
    assert hall.view("disp-1")["view"] == "call"


async def test_what_is_over_is_forgotten_in_time_and_number(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    hall = desk.hall
    for _ in range(3):
        await hall.rain()
        await hall.rain(False)
        await hall.rate(1)
    await hall.wet()
    for step in ("acknowledge", "contact", "fix"):
        await hall.step(1, step)
    await hall.step(1, "rerate", mark=3)

    async def counts() -> list[int]:
        return await hall.core.do(
            lambda heart, now: [
                heart._store.value(f"SELECT count(*) FROM {table}")
                for table in ("alerts", "tasks", "bookmarks")
            ]
        )

    assert await counts() == [4, 3, 3]
    await hall.tick(399 * DAY_S)
    assert await counts() == [4, 3, 3]
    monkeypatch.setattr(store_rules, "MAX_KEPT", 2)
    await hall.tick(60)
    assert await counts() == [3, 3, 2]
    await hall.tick(2 * DAY_S)
    # What stands, and what is open, is never forgotten.
    assert await counts() == [1, 2, 0]


async def test_alerts_and_tasks_have_a_bound(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    from hall_gateway import rules_alerts, rules_tasks

    monkeypatch.setattr(rules_alerts, "MAX_OPEN_ALERTS", 1)
    monkeypatch.setattr(rules_tasks, "MAX_OPEN_TASKS", 1)
    hall = desk.hall
    await hall.wet()
    await hall.rain()
    await hall.rate(1)
    await hall.rate(1, "A016")
    assert (len(await hall.alerts()), len(await hall.tasks())) == (1, 1)
    await hall.wet(False)
    await hall.tick(1)
    # It rains still, and now there is room to say so.
    assert [alert.rule for alert in await hall.alerts()] == ["rain"]
    await hall.rain(False)
    assert await hall.types("alert") == ["raised", "cleared", "raised", "cleared"]
    assert hall.core.health()["rules"] == {"alerts_refused": 1, "tasks_refused": 1}


async def test_a_defect_in_a_rule_stops_nothing_else(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    hall = desk.hall

    def broken(*_: object) -> int:
        raise ZeroDivisionError

    monkeypatch.setattr(store_rules.Bookmarks, "add", broken)
    monkeypatch.setattr(store_rules.Alerts, "add", broken)
    await hall.rate(1)
    assert await hall.data("hall.rating.given") != []
    assert await hall.tasks() == []
    await hall.do("show", window="2", text="请稍等", seconds=5)
    await hall.wet()
    assert hall.view("sign")["view"] == "caution"
    await hall.tick(5)
    assert hall.view("disp-2")["view"] == "idle"
    assert [r.message for r in caplog.records if r.levelname == "ERROR"] == [
        "rule bad-rating: not done; told once, and counted",
        "rule wet-floor: not done; told once, and counted",
    ]
    monkeypatch.undo()
    await hall.tick(1)
    assert await hall.types("alert") == ["raised"]
    defects = hall.core.health()["rules"]
    await hall.tick(1)
    assert hall.core.health()["rules"] == defects
