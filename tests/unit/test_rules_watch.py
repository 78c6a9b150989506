"""A rule file that changes while the gateway runs, and the last good one."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from hall_gateway import rules_watch
from hall_gateway.rules_watch import RulesFile
from hall_gateway.values import StoreError
from support.core_hall import PLAN, Hall, open_hall

RULE = """rules:
  - id: {id}
    title: {{zh: 甲, en: a}}
    each: hall
    when: {when}
    actions:
      - alert: {{level: info, text: {{zh: 甲, en: a}}}}
"""


@asynccontextmanager
async def watching(hall: Hall, path: Path | None) -> AsyncGenerator[RulesFile]:
    file = RulesFile(path, hall.core, PLAN)
    task = asyncio.create_task(file.watch())
    try:
        yield file
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def until(watched: RulesFile, **wanted: object) -> None:
    async with asyncio.timeout(60):
        # Nothing tells of a refusal but the figures and the log.
        while not all(watched.figures()[name] == value for name, value in wanted.items()):  # noqa: ASYNC110
            await asyncio.sleep(0.005)


@pytest.fixture(autouse=True)
def _often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rules_watch, "LOOK_S", 0.02)


async def test_a_change_is_followed_and_a_mistake_leaves_the_rules_as_they_are(
    tmp_path: Path,
) -> None:
    path = tmp_path / "rules.yaml"
    path.write_text(RULE.format(id="mine", when="inside == 0"), encoding="utf-8")
    async with open_hall(tmp_path) as hall, watching(hall, path) as file:
        await until(file, taken=1)
        await hall.core.tick()
        path.write_text(RULE.format(id="mine", when="insid == 0"), encoding="utf-8")
        await until(file, refused=1)
        (error,) = file.figures()["errors"]  # pyright: ignore[reportGeneralTypeIssues]
        assert error == (
            f'{path}:5: rules[1].when: insid == 0: there is no insid here; nearest: "inside"'
        )
        await hall.core.tick()
        assert [d["rule"] for d in await hall.data("hall.alert")] == ["mine"]
        path.write_text(RULE.format(id="other", when="inside == 0"), encoding="utf-8")
        await until(file, taken=2, errors=[])
        await hall.core.tick()
        told = [(e["type"], e["data"]["rule"]) for e in await hall.events("hall.alert")]
        assert told[1:] == [("hall.alert.raised", "other"), ("hall.alert.cleared", "mine")]


async def test_a_file_that_is_wrong_at_the_start_leaves_the_last_good_rules(
    tmp_path: Path,
) -> None:
    path = tmp_path / "rules.yaml"
    path.write_text(RULE.format(id="mine", when="inside == 0"), encoding="utf-8")
    async with open_hall(tmp_path) as hall, watching(hall, path) as file:
        await until(file, taken=1)
        await hall.core.tick()
    path.unlink()
    async with open_hall(tmp_path) as hall, watching(hall, path) as file:
        await until(file, refused=1, rules=1)
        await hall.core.tick()
        assert len(await hall.data("hall.alert")) == 1
        path.write_text(RULE.format(id="mine", when="inside > 0"), encoding="utf-8")
        await until(file, taken=1)
        await hall.core.tick()
        assert (await hall.events("hall.alert"))[-1]["type"] == "hall.alert.cleared"


async def test_what_is_not_in_the_hall_is_told_and_the_rules_are_followed(tmp_path: Path) -> None:
    path = tmp_path / "rules.yaml"
    when = 'zone == "entrence" and wet'
    path.write_text(RULE.replace("each: hall", "each: zone").format(id="mine", when=when))
    note = f'{path}:5: rules[1].when: there is no zone "entrence" in this hall; nearest: "entrance"'
    async with open_hall(tmp_path) as hall, watching(hall, path) as file:
        await until(file, taken=1, errors=[], notes=[note])
        file.follow(path, replace(PLAN, zones={"1": "entrence"}))
        assert file.figures()["notes"] == []


async def test_a_hall_without_a_file_and_one_whose_first_file_is_wrong_have_the_shipped_rules(
    tmp_path: Path,
) -> None:
    path = tmp_path / "rules.yaml"
    path.write_text("rules: 3")
    async with open_hall(tmp_path) as hall, watching(hall, path) as file:
        await until(file, refused=1, rules=8)
        file.follow(None, PLAN)
        await until(file, taken=1, rules=8, file=None, errors=[])


async def test_a_store_that_takes_nothing_delays_the_rules(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with open_hall(tmp_path) as hall:
        failures = [StoreError("disk full")] * 2
        done = hall.core.do

        async def do(*args: object, **more: object) -> object:
            if failures:
                raise failures.pop()
            return await done(*args, **more)  # pyright: ignore[reportArgumentType]

        monkeypatch.setattr(hall.core, "do", do)
        async with watching(hall, None) as file:
            await until(file, taken=1, rules=8)
            assert failures == []
