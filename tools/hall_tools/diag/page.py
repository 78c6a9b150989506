"""A device on a terminal, live.

Here: which field stands where, what is old, and what gives way on a small terminal. Not here:
getting it (console.py).
"""

import time
from collections import deque
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any, cast

from rich.console import Console, ConsoleOptions, RenderResult
from rich.text import Text

from hall_tools.diag.frames import printable

SAMPLES = 60
LOGS = 2
"""Lines of the log that keep their place; more stand where room is left."""
OLD_S = 1.5
"""An answer that is older is shown as that: a second between two, and half a second for one."""

_CORRUPTED = "appears to be corrupted"
"""What stock MicroPython says for ever, in place of starting (ports/esp32/modules/inisetup.py)."""

_BARS = "▁▂▃▄▅▆▇█"
_MARGIN = 9
_GAP = "   "
_BARS_MIN = 32
_ONE_A_LINE = ("errors", "sensor")
_JOURNAL = ("dropped", "lost", "torn", "oldest", "next", "acked")
_NEVER_MS = 0x3FFFFFFF
_COUNTS = ("connects", "failures", "resends", "malformed", "stale", "desired_refused")
_UNITS = {"ohms": "Ω", "uv": "µV", "mv": "mV", "mm": "mm", "cm_s": "cm/s", "ms": "ms", "us": "µs"}

Rows = dict[str, Any]
"""Names and values; a value None is not shown."""


class Page:
    """What is known of the device at `port`; `note` says what is not shown, and why.

    A renderable: the most important first, cut to the terminal's height, and a cut is said.
    """

    def __init__(self, port: str) -> None:
        self.port = port
        self.note = ""
        self.who: Rows = {}
        self.health: Rows = {}
        self.logs: list[str] = []
        self.traces: dict[str, deque[Any]] = {}
        self._answered: float | None = None
        self._sampled: float | None = None

    def answered(self, who: Rows, health: Rows) -> None:
        """The device has just said that."""
        if who.get("device") != self.who.get("device"):
            self.traces.clear()
        self.who, self.health = who, health
        self._answered = time.monotonic()

    def sampled(self, sample: Rows) -> None:
        """The sensor reads that."""
        self._sampled = time.monotonic()
        values = {name: value for name, value in _leaves("", sample) if name != "up_ms"}
        # One that is not told any more must not stand there with its last value.
        for name in [*self.traces, *(name for name in values if name not in self.traces)]:
            self.traces.setdefault(name, deque(maxlen=SAMPLES)).append(values.get(name))

    @property
    def sample_age(self) -> float:
        """Seconds since the last sample."""
        return float("inf") if self._sampled is None else time.monotonic() - self._sampled

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        width, height = options.size
        lines = list(self._head().wrap(console, width))
        lines += Text(printable(self.note), "yellow").wrap(console, width) if self.note else []
        if self.health:
            for title, items in self._parts(width - _MARGIN):
                lines += _flow(console, width, title, items)
        room = max(LOGS, height - len(lines))
        lines += _titled("log", [Text(printable(text), "dim") for text in self.logs[-room:]])
        if len(lines) > height:
            lines[height - 1 :] = [Text("more does not fit: a taller window shows it", "yellow")]
        for line in lines:
            line.truncate(width, overflow="ellipsis")
        yield Text("\n").join(lines)

    def _head(self) -> Text:
        if self._answered is None:
            if any(_CORRUPTED in text for text in self.logs):
                told = "its file system is broken; its events are not: run hall flash DEVICE"
                return Text(f"{self.port}: {told}", "bold red")
            return Text(f"{self.port}: no answer yet", "bold yellow")
        names = (_said(self.who.get(name)) for name in ("device", "profile"))
        head = Text("  ".join([*names, self.port, ""]), "bold")
        age = time.monotonic() - self._answered
        if age > OLD_S:
            return head.append(f"no answer for {age:.0f} s: all of this is old", "bold red")
        return head.append("answers", "green")

    def _parts(self, width: int) -> Iterator[tuple[str, list[Text]]]:
        """What stands under the head, the most important first."""
        who, health = self.who, self.health
        start, journal = _part(health, "start"), _part(health, "journal")
        up_s = health.get("up_s", 0)
        about = {
            "reset cause": start.get("cause"),
            "note": start.get("note"),
            "boot count": journal.get("boot"),
            "up": duration(up_s),
            "slot": _slot(who.get("slot"), start.get("attempts"), start.get("trial")),
        }
        yield "start", _items(about)
        errors = cast("list[Rows]", health.get("errors", []))
        told = [_error(each, up_s) for each in reversed(errors)]
        yield "errors", told or [Text("none since the start")]
        before = cast("list[Rows]", health.get("before", []))
        yield "before", [_error_before(each) for each in before[-1:]]
        yield "not told", _items(_part(health, "failed"))
        yield "link", _items(self._link())
        # `dropped`, `lost` and `torn` count events too; the rest are numbers of events.
        depth = _unit(journal.get("depth"), "events wait")
        yield "journal", _items({"depth": depth, **{name: journal.get(name) for name in _JOURNAL}})
        yield "memory", _items(_memory(health))
        versions = {"firmware": who.get("fw"), "MicroPython": who.get("core")}
        more = {"chip": who.get("chip"), "config": health.get("config_crc"), "clock": self._clock()}
        yield "versions", _items({**versions, **more})
        moving = {name for name, values in self.traces.items() if len(set(_numbers(values))) > 1}
        yield "sensor", self._traces(moving, width)
        still = {name: values for name, values in self.traces.items() if name not in moving}
        yield "steady", _items({name: _last(name, values) for name, values in still.items()})
        shows = _part(health, "shows")
        yield "shows", _items({name: _said(value) for name, value in shows.items()})
        refused = _part(health, "console")
        yield "refused", _items({name: value for name, value in refused.items() if value})

    def _link(self) -> Rows:
        link, wifi = _part(self.health, "link"), _part(self.health, "wifi")
        down = link.get("down_ms")
        if down == 0:
            gateway = "answers"
        elif down is None or down >= _NEVER_MS:
            gateway = "has not answered since the start"
        else:
            gateway = f"silent for {duration(down // 1000)}"
        return {
            "gateway": gateway,
            "Wi-Fi": wifi.get("ssid") if wifi.get("joined") else f"status {wifi.get('status')}",
            "RSSI": _unit(wifi.get("rssi"), "dBm"),
            "channel": wifi.get("channel"),
            "IP": wifi.get("ip"),
            **{name: link.get(name) for name in _COUNTS},
        }

    def _clock(self) -> str:
        """The gateway sets it with each answer: without one it drifts."""
        unix_ms = self.health.get("unix_ms")
        if unix_ms is None:
            return "not set"
        told = datetime.fromtimestamp(unix_ms / 1000, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
        down_s = _part(self.health, "link").get("down_ms", 0) // 1000
        return f"{told}, not set for {duration(down_s)}" if down_s else f"{told}, set"

    def _traces(self, moving: set[str], width: int) -> list[Text]:
        """Those that are `moving`; first of all that nothing comes any more."""
        old: list[Text] = []
        if self.traces and self.sample_age > OLD_S:
            told = f"no sample for {self.sample_age:.0f} s: all of these are old"
            old.append(Text(told, "bold red"))
        shown = ((name, values) for name, values in self.traces.items() if name in moving)
        return old + [_trace(name, values, width) for name, values in shown]


def sparkline(values: "deque[Any]") -> str:
    """One bar a value, from the lowest of them to the highest; what is no number is a gap."""
    numbers = _numbers(values)
    low = min(numbers, default=0)
    span = (max(numbers, default=0) - low) or 1
    return "".join(
        _BARS[int((value - low) / span * (len(_BARS) - 1))]
        if isinstance(value, int | float)
        else " "
        for value in values
    )


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


def _memory(health: Rows) -> Rows:
    heap, files = _part(health, "heap"), _part(health, "files")
    system: list[int] = heap.get("system") or []
    names = ("system heap free", "its largest piece", "its least")
    return {
        "heap free": _unit(heap.get("free"), "B"),
        "least": _unit(heap.get("least"), "B"),
        "taken": _unit(heap.get("taken"), "B"),
        **{name: _unit(value, "B") for name, value in zip(names, system, strict=False)},
        "flash free": _unit(files.get("free"), "B"),
    }


def _slot(name: str | None, attempts: int | None, trial: int | None) -> str | None:
    if not name:
        return name
    if trial is not None:
        return f"{name}, an update on trial, {trial} more starts"
    if name == "/safe":
        return "/safe, safe mode: neither slot starts"
    if attempts is None:
        return name
    return f"{name}, not confirmed, attempt {attempts}" if attempts else f"{name}, confirmed"


def _error(error: Rows, up_s: int) -> Text:
    times = f", {error['times']} times" if error["times"] > 1 else ""
    ago = f"{duration(max(0, up_s - error['at_s']))} ago{times}: "
    return Text.assemble((ago, "dim"), (printable(error["text"]), "red"))


def _error_before(error: Rows) -> Text:
    when = f"{duration(error['at_s'])} after an earlier start: "
    return Text.assemble((when, "dim"), printable(error["text"]))


def _trace(name: str, values: "deque[Any]", width: int) -> Text:
    numbers = _numbers(values)
    room = min(SAMPLES, max(_BARS_MIN, width - 58))
    bars = sparkline(deque(values, room))
    line = Text.assemble(
        (f"{printable(name):<18} ", "dim"), f"{bars:<{room}} {_last(name, values)}"
    )
    between = f"   {min(numbers):,} to {max(numbers):,}"
    if line.cell_len + len(between) <= width:
        line.append(between, "dim")
    return line


def _last(name: str, values: "deque[Any]") -> str:
    unit = next((_UNITS[end] for end in _UNITS if name.endswith((f"_{end}", f" {end}"))), "")
    return f"{_said(values[-1])} {unit if values[-1] is not None else ''}".strip()


def _numbers(values: "deque[Any]") -> list[float]:
    return [value for value in values if isinstance(value, int | float)]


def _items(rows: Rows) -> list[Text]:
    return [
        Text.assemble((f"{printable(name)} ", "dim"), _said(value))
        for name, value in rows.items()
        if value is not None
    ]


def _flow(console: Console, width: int, title: str, items: list[Text]) -> list[Text]:
    """The items beside their title, as many to a line as it takes."""
    lines: list[Text] = []
    for item in items:
        packed = title not in _ONE_A_LINE
        if packed and lines and lines[-1].cell_len + len(_GAP) + item.cell_len <= width - _MARGIN:
            lines[-1].append(_GAP).append_text(item)
        else:
            lines += item.wrap(console, width - _MARGIN)
    return _titled(title, lines)


def _titled(title: str, lines: list[Text]) -> list[Text]:
    titles = [title, *[""] * len(lines)]
    return [
        Text.assemble((f"{name:<{_MARGIN}}", "bold"), line)
        for name, line in zip(titles, lines, strict=False)
    ]


def _unit(value: Any, unit: str) -> str | None:
    return None if value is None else f"{_said(value)} {unit}".strip()


def _said(value: Any) -> str:
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:,}" if isinstance(value, int | float) else printable(str(value))


def _part(health: Rows, name: str) -> Rows:
    value: Any = health.get(name)
    return cast("Rows", value) if isinstance(value, dict) else {}


def _leaves(path: str, value: Any) -> Iterator[tuple[str, Any]]:
    """Each value in a sample, under the names that lead to it."""
    if isinstance(value, dict):
        for name, part in sorted(cast("Rows", value).items()):
            yield from _leaves(f"{path} {name}".strip(), part)
    elif isinstance(value, list):
        for index, part in enumerate(cast("list[Any]", value), 1):
            yield from _leaves(f"{path} {index}", part)
    else:
        yield path, value
