"""A device on a terminal, live.

Here: which field stands where, and what is old. Not here: getting it (console.py).
"""

import time
from collections import deque
from collections.abc import Iterator
from typing import Any, cast

from rich.console import Group, RenderableType
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

SAMPLES = 60
LOGS = 6
OLD_S = 1.5
"""An answer that is older is shown as that: a second between two, and half a second for one."""

_BARS = "▁▂▃▄▅▆▇█"
_NEVER_MS = 0x3FFFFFFF
_JOURNAL = ("depth", "dropped", "lost", "torn", "oldest", "next", "acked")


class Page:
    """What is known of the device at `port`; `note` says what is not shown, and why."""

    def __init__(self, port: str) -> None:
        self.port = port
        self.note = ""
        self.who: dict[str, Any] = {}
        self.health: dict[str, Any] = {}
        self.logs: list[str] = []
        self.traces: dict[str, deque[float]] = {}
        self._answered: float | None = None

    def answered(self, who: dict[str, Any], health: dict[str, Any]) -> None:
        """The device has just said that."""
        self.who, self.health = who, health
        self._answered = time.monotonic()

    def sampled(self, sample: dict[str, Any]) -> None:
        """The sensor reads that."""
        for name, value in _numbers("", sample):
            if name != "up_ms":
                self.traces.setdefault(name, deque(maxlen=SAMPLES)).append(value)

    def render(self) -> RenderableType:
        parts: list[RenderableType] = [self._head()]
        if self.note:
            parts.append(Text(self.note, style="yellow"))
        if self.health:
            left, right = self._stacks()
            stacks = Table.grid(expand=True)
            stacks.add_column(ratio=1)
            stacks.add_column(ratio=1)
            stacks.add_row(Group(*left), Group(*right))
            parts.append(stacks)
        if self.traces:
            parts.append(Panel(self._traces(), title="sensor", title_align="left"))
        if self.logs:
            log = Text("\n".join(self.logs), style="dim", no_wrap=True, overflow="ellipsis")
            parts.append(Panel(log, title="log", title_align="left"))
        return Group(*parts)

    def _head(self) -> Text:
        who = self.who
        if self._answered is None:
            return Text(f"{self.port}: no answer yet", style="bold yellow")
        age = time.monotonic() - self._answered
        head = Text(f"{who.get('device')}  {who.get('profile')}  {self.port}  ", style="bold")
        if age > OLD_S:
            return head.append(f"no answer for {age:.0f} s: all of this is old", "bold red")
        return head.append("answers", "green")

    def _stacks(self) -> tuple[list[Panel], list[Panel]]:
        """What stands on the left and on the right."""
        who, health = self.who, self.health
        start, journal = _part(health, "start"), _part(health, "journal")
        heap, files = _part(health, "heap"), _part(health, "files")
        errors = cast("list[dict[str, Any]]", health.get("errors", []))
        left = {
            "start": {
                "reset cause": start.get("cause"),
                "note": start.get("note"),
                "boot count": journal.get("boot"),
                "up": duration(health.get("up_s", 0)),
                "attempts": start.get("attempts"),
                "clock": "not set" if health.get("unix_ms") is None else "set",
            },
            "link": self._link(),
            "last errors": {f"{each['at_s']} s, x{each['times']}": each["text"] for each in errors},
        }
        right = {
            "versions": {
                "firmware": who.get("fw"),
                "MicroPython": who.get("core"),
                "slot": who.get("slot"),
                "chip": who.get("chip"),
                "config": health.get("config_crc"),
            },
            "memory": {
                "heap free": heap.get("free"),
                "heap taken": heap.get("taken"),
                "system heap": heap.get("system"),
                "flash free": files.get("free"),
            },
            "journal": {name: journal.get(name) for name in _JOURNAL},
            "shows": {
                name: "-" if value is None else value
                for name, value in sorted(_part(health, "shows").items())
            },
            "refused on this line": {
                name: value for name, value in sorted(_part(health, "console").items()) if value
            },
        }
        return _boxes(left), _boxes(right)

    def _link(self) -> dict[str, Any]:
        link, wifi = _part(self.health, "link"), _part(self.health, "wifi")
        down = link.get("down_ms")
        if down == 0:
            gateway = "answers"
        elif down is None or down >= _NEVER_MS:
            gateway = "has not answered since the start"
        else:
            gateway = f"silent for {duration(down // 1000)}"
        counts = ("connects", "failures", "resends", "malformed", "stale", "desired_refused")
        return {
            "gateway": gateway,
            "Wi-Fi": wifi.get("ssid") if wifi.get("joined") else f"status {wifi.get('status')}",
            "RSSI": f"{wifi['rssi']} dBm" if "rssi" in wifi else None,
            "channel": wifi.get("channel"),
            "IP": wifi.get("ip"),
            **{name: link[name] for name in counts if name in link},
        }

    def _traces(self) -> Table:
        table = Table.grid(padding=(0, 2))
        for name, values in self.traces.items():
            table.add_row(name, sparkline(values), f"{values[-1]:,.0f}")
        return table


def sparkline(values: "deque[float]") -> str:
    """One bar a value, from the lowest of them to the highest."""
    low, high = min(values), max(values)
    span = (high - low) or 1
    return "".join(_BARS[int((value - low) / span * (len(_BARS) - 1))] for value in values)


def duration(seconds: int) -> str:
    """As a person says it."""
    days, rest = divmod(seconds, 86400)
    hours, rest = divmod(rest, 3600)
    minutes, left = divmod(rest, 60)
    if days:
        return f"{days} d {hours} h"
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {left} s" if minutes else f"{left} s"


def _boxes(groups: dict[str, dict[str, Any]]) -> list[Panel]:
    return [_box(title, rows) for title, rows in groups.items() if rows]


def _box(title: str, rows: dict[str, Any]) -> Panel:
    table = Table.grid(padding=(0, 1))
    for name, value in rows.items():
        if value is not None:
            table.add_row(Text(str(name), style="dim"), Text(_said(value)))
    return Panel(table, title=title, title_align="left")


def _said(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:,}" if isinstance(value, int) else str(value)


def _part(health: dict[str, Any], name: str) -> dict[str, Any]:
    value: Any = health.get(name)
    return cast("dict[str, Any]", value) if isinstance(value, dict) else {}


def _numbers(path: str, sample: dict[str, Any]) -> Iterator[tuple[str, float]]:
    for name, value in sorted(sample.items()):
        if isinstance(value, dict):
            yield from _numbers(f"{path}{name} ", cast("dict[str, Any]", value))
        elif isinstance(value, int | float):
            yield f"{path}{name}", value
