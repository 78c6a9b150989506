"""`hall bench eye`: from waveform to picture, for every scanned panel, all views, and all stalls.

What is held here is what the command prints. test_display_eye_spoilt proves that each promise can
be broken, and is then told.
"""

import ast
import json
import os
from functools import cache
from importlib import resources
from operator import add, sub
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hall_panel.cable import Broken
from hall_panel.firmware import Player
from hall_tools.bench.eye import (
    STALLS_MS,
    VIEWS,
    Seen,
    broken_promises,
    displays,
    faults,
    stalls,
    still_faults,
    timeline,
    watch,
    watch_stalls,
    watch_views,
)
from hall_tools.bench.timeline import MS, Stall, duty_cap
from hall_tools.cli import app
from hall_tools.errors import UserError
from hall_tools.gallery import preview_config
from typer.testing import CliRunner, Result

PROFILES = {profile.name: profile for profile in displays()}
ON_CHIPS = [name for name, profile in PROFILES.items() if profile.transport != "gateway"]
P10, P10_LONG, F375, HUB75 = (
    f"call-display-{name}" for name in ("p10-64x16", "p10-128x16", "f375-64x32", "hub75-64x32")
)
PERIOD_MS = 10
PAGE = Path(__file__).parents[2] / "docs" / "benchmarks.md"


@cache
def seen(name: str) -> Seen:
    return watch(PROFILES[name])


def config(name: str, **settings: int) -> dict[str, Any]:
    made = preview_config(PROFILES[name])
    return {**made, "settings": {**made["settings"], **settings}}


def lit_ms(name: str, brightness: int) -> float:
    """How long a frame lights a row: its part of 3 ms less a dead time of 2 us, by the brightness,
    in whole pairs of stores. To that comes what is left of the pairs that switch the light: of two,
    a store to CLEAR and one to SET, one store where HIGH is lit, three where LOW is."""
    driver = config(name)["driver"]
    longest = 30_000 // driver["scan"] - 20
    stores = 1 if driver["oe_active"] == "high" else 3
    return (longest * brightness // 100) / 10_000 + stores * 0.00005


# From waveform to picture.


def test_every_kind_of_panel_takes_part():
    assert {P10, P10_LONG, F375, HUB75} <= set(ON_CHIPS) < set(PROFILES)
    assert {profile.driver.name for profile in PROFILES.values()} == {"hub12", "hub08", "hub75"}


@pytest.mark.parametrize("view", [view.name for view in VIEWS])
@pytest.mark.parametrize("name", PROFILES)
def test_the_eye_sees_the_framebuffer_in_every_view(name: str, view: str):
    span = seen(name).views[view]
    assert span.steps == next(each.ms for each in VIEWS if each.name == view) / PERIOD_MS
    assert span.wrong == 0
    assert span.figures.spread <= 0.02
    assert span.figures.broken == Broken()
    assert span.left_lit == 0
    assert span.figures.stress <= span.cap


@pytest.mark.parametrize("name", PROFILES)
def test_the_views_show_all_that_they_have(name: str):
    views = seen(name).views
    # A new call blinks for 3 s, half of which it is dark; and it stands still in between.
    assert (views["call"].frames, views["call"].pictures) == (400 - 150, 2)
    assert views["call"].figures.longest_gap_ms == pytest.approx(250 + PERIOD_MS, abs=1)
    colours = 3 if PROFILES[name].driver.name == "hub75" else 1
    assert views["test"].pictures == 3 + colours
    # Two seconds of scrolling, a pixel in 30 ms, after one of standing still.
    assert views["text, scrolling"].pictures == pytest.approx(2000 / 30, abs=2)
    # Name and clock take turns only where there is no room for both.
    assert views["idle"].pictures == (2 if name.startswith(P10) else 1)


@pytest.mark.parametrize("name", PROFILES)
def test_no_promise_is_broken(name: str):
    assert broken_promises(seen(name)) == []


@pytest.mark.parametrize("brightness", [5, 100])
@pytest.mark.parametrize("name", [P10, P10_LONG, F375, HUB75])
def test_rows_are_even_at_any_brightness(name: str, brightness: int):
    """The least light ends before a row of the long display is shifted."""
    span = timeline(config(name, brightness=brightness)).run(500)
    assert [*faults(span), *still_faults(span, 0, PERIOD_MS)] == []
    assert span.figures.longest_lit_ms == pytest.approx(lit_ms(name, brightness))
    assert span.figures.duty == pytest.approx(lit_ms(name, brightness) / PERIOD_MS)


def test_a_frame_takes_its_stores_time():
    """Of the 60 % of 3 ms, and what is shifted in the dark: one row, and a few stores a row."""
    for name, clocks in ((P10, 256), (P10_LONG, 512), (F375, 64), (HUB75, 64)):
        assert seen(name).steady.frame_ms == pytest.approx(1.8 + clocks / 10_000, abs=0.03)
        assert seen(name).steady.busy == pytest.approx(seen(name).steady.frame_ms / PERIOD_MS)


# Stalls.


@pytest.mark.parametrize("stall_ms", STALLS_MS)
@pytest.mark.parametrize("name", ON_CHIPS)
def test_a_stall_is_a_dark_gap_and_no_stress(name: str, stall_ms: int):
    span = seen(name).stalls[stall_ms]
    assert stall_ms <= span.figures.longest_gap_ms <= stall_ms + PERIOD_MS
    # Honest: the first stall comes at the worst moment, and all of it is told.
    worst = stall_ms + PERIOD_MS - lit_ms(name, 60)
    assert span.figures.longest_gap_ms == pytest.approx(worst, abs=0.001)
    assert span.figures.stress <= span.cap
    assert span.figures.rows_over_cap == 0
    assert span.figures.longest_lit_ms == pytest.approx(lit_ms(name, 60))
    assert span.figures.spread <= 0.02
    assert (span.wrong, span.left_lit, span.figures.broken) == (0, 0, Broken())


@pytest.mark.parametrize("brightness", [5, 100])
@pytest.mark.parametrize("name", [P10_LONG, F375])
def test_the_cap_holds_at_any_brightness(name: str, brightness: int):
    span = watch_stalls(config(name, brightness=brightness), 5)
    assert list(faults(span)) == []
    # One frame more than ten in 100 ms, and no slack beyond whole pairs of stores and dead time.
    assert span.figures.stress == pytest.approx(11 * lit_ms(name, brightness) / 100)
    assert span.cap == duty_cap(config(name, brightness=brightness))
    assert span.cap == pytest.approx(span.figures.stress, rel=0.02)


@pytest.mark.parametrize(("name", "scans"), [(P10, 4), (F375, 16)])
def test_the_cap_is_below_what_a_panel_is_made_for(name: str, scans: int):
    assert duty_cap(config(name, brightness=60)) == pytest.approx(0.6 * 0.3 * 1.1 / scans)
    assert duty_cap(config(name, brightness=100)) < 1 / scans


def test_stalls_come_at_any_moment_of_a_period():
    moments = [stall.at_ns % (PERIOD_MS * MS) // MS for stall in stalls(5, PERIOD_MS)]
    assert len(moments) > 50
    assert set(moments) == set(range(PERIOD_MS))
    assert list(stalls(5, PERIOD_MS)) == list(stalls(5, PERIOD_MS))


def firmware_s_steps(frame_ns: int, until_ms: int, waiting: list[Stall]) -> list[int]:
    """When firmware/hall/app.py steps a role of 10 ms whose step takes so long; in ms."""
    source = (resources.files("hall_firmware") / "hall" / "app.py").read_text("utf-8")
    loop = next(
        node
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.AsyncFunctionDef) and node.name == "_run_role"
    )
    now_ns, steps = 0, list[int]()

    class Over(Exception):  # noqa: N818 (no error)
        pass

    def step(now_ms: int) -> None:
        nonlocal now_ns
        steps.append(now_ms)
        now_ns += frame_ns

    async def sleep_ms(ms: int) -> None:
        nonlocal now_ns
        # asyncio wakes at a tick; whatever else is due by then goes first.
        wake_ns = (now_ns // MS + ms) * MS if ms > 0 else now_ns
        while waiting and waiting[0].at_ns <= max(wake_ns, now_ns):
            stall = waiting.pop(0)
            now_ns = max(now_ns, stall.at_ns) + stall.ns
        now_ns = max(now_ns, wake_ns)
        if now_ns >= until_ms * MS:
            raise Over

    def check_in(_task: str) -> None:
        pass

    device = SimpleNamespace(
        _role=SimpleNamespace(step=step, PERIOD_MS=PERIOD_MS),
        supervisor=SimpleNamespace(check_in=check_in),
    )
    ticks = {"ticks_ms": lambda: now_ns // MS, "ticks_add": add, "ticks_diff": sub}
    names: dict[str, Any] = {
        "hal": SimpleNamespace(uptime_ms=lambda: now_ns // MS),
        "asyncio": SimpleNamespace(sleep_ms=sleep_ms),
        "time": SimpleNamespace(**ticks),
    }
    exec(compile(ast.Module([loop], []), "app.py", "exec"), names)
    with pytest.raises(Over):
        names["_run_role"](device).send(None)
    return steps


@pytest.mark.parametrize("stall_ms", STALLS_MS)
def test_steps_come_as_the_firmware_s_own_loop_makes_them(stall_ms: int):
    shown = timeline(config(P10))
    step, steps = shown.display.role.step, list[int]()

    def counted(now_ms: int) -> None:
        steps.append(now_ms)
        step(now_ms)

    shown.display.role.step = counted
    span = shown.run(4000, stalls(stall_ms, PERIOD_MS))
    frame_ns = round(span.frame_ms * MS)
    assert steps == firmware_s_steps(frame_ns, 4000, list(stalls(stall_ms, PERIOD_MS)))
    assert len(steps) > 30


def test_a_view_that_the_profile_has_not_is_not_asked_for():
    assert set(watch_views(config(P10), {"closed": None})) == {"wait", "closed"}


# The command.


def run(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["bench", "eye", *arguments])


def test_the_tables():
    done = run("--profile", P10)
    assert done.exit_code == 0, done.exception
    rows = [line.split()[1:] for line in done.stdout.splitlines() if line.split()[:1] == [P10]]
    light, pictures, dark = rows
    assert light == ["60", "%", "100", "1.83", "18%", "4.49%", "0.0%"]
    assert pictures == [str(sum(span.steps for span in seen(P10).spans())), "0", "0", "0"]
    assert dark == ["9.6", "14.6", "29.6", "209.6", "1509.6", "4.94%", "4.95%"]
    assert f"looking at {P10}" in done.stderr


@pytest.mark.parametrize("name", ON_CHIPS)
def test_the_page_has_these_figures(name: str):
    light, stalled = seen(name).steady, seen(name).stalls.values()
    cells = [
        name,
        f"{seen(name).brightness} %",
        f"{light.figures.refresh_hz:.0f}",
        f"{light.frame_ms:.2f}",
        f"{light.busy * 100:.0f} %",
        f"{light.figures.duty * 100:.2f} %",
        *(f"{span.figures.longest_gap_ms:,.1f}" for span in (light, *stalled)),
        f"{max(span.figures.stress for span in stalled) * 100:.2f} %",
        f"{light.cap * 100:.2f} %",
    ]
    assert f"| {' | '.join(cells)} |" in PAGE.read_text("utf-8").splitlines()


def test_times_of_another_board_are_not_told():
    done = run("--profile", f"{P10}-pi")
    rows = [line.split()[1:] for line in done.stdout.splitlines() if f"{P10}-pi" in line]
    assert rows[0] == ["60", "%", "100", "-", "-", "4.49%", "0.0%"]
    assert len(rows) == 2


def test_json():
    done = run("--profile", P10, "--json")
    report = json.loads(done.stdout)
    assert set(report) == {"store_ns", "most_spread", "displays"}
    (display,) = report["displays"]
    assert display["profile"] == P10
    assert display["broken_promises"] == []
    assert set(display["views"]) == {view.name for view in VIEWS}
    assert list(display["stalls"]) == [str(ms) for ms in STALLS_MS]
    span = seen(P10).stalls[200]
    assert display["stalls"]["200"]["cap"] == span.cap
    assert display["stalls"]["200"]["figures"]["longest_gap_ms"] == span.figures.longest_gap_ms


def test_a_broken_promise_ends_it_with_an_error(monkeypatch: pytest.MonkeyPatch):
    whole = Player.frame

    def without_end(player: Player, program: bytearray, description: Any) -> None:
        whole(player, program, description)
        player.log = player.log[:-8]

    monkeypatch.setattr(Player, "frame", without_end)
    error = run("--profile", f"{P10}-pi").exception
    assert isinstance(error, UserError)
    assert error.exit_code == os.EX_SOFTWARE
    assert f"{P10}-pi: closed: 50 of 50 frames did not end dark" in str(error)


def test_what_cannot_be_looked_at_is_refused(tmp_path: Path):
    for name, words in (
        ("call-display-7seg-max7219", "no panel that a controller has to scan; right: one of"),
        ("keypad-3", "no panel that a controller has to scan; right: one of"),
        (str(tmp_path / "none.yaml"), "none.yaml"),
    ):
        error = run("--profile", name).exception
        assert isinstance(error, UserError)
        assert words in str(error)
