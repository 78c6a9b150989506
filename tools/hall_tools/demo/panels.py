"""What stands in each field of the demo's screen, in Chinese and English.

Here: words and figures. Not here: which field goes where, and when it is drawn (screen.py).
"""

import time
from collections.abc import Collection, Sequence

from hall_profiles import MARKS
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from hall_tools.demo.latency import summary
from hall_tools.demo.layout import PLACES, STAFF
from hall_tools.demo.received import Event, Inbox
from hall_tools.demo.sensors import BatteryFloor, Door, Floor
from hall_tools.demo.world import Window

GOOD, BAD, DIM, VALUE = "green", "bold red", "grey58", "bold"

_STATES = {
    "idle": ("空闲", "idle", DIM),
    "called": ("叫号", "called", "yellow"),
    "serving": ("办理中", "serving", "cyan"),
    "rating": ("评价", "rating", "magenta"),
}
_REASONS = {
    "mashing": "乱按",
    "out_of_session": "非评价时段",
    "next_call": "已叫下一位",
    "locked": "已锁定",
    "late": "已超时",
    "stuck_key": "卡键",
    "service_too_short": "服务过短",
    "fast_best_run": "连续快速满分",
    "unknown_key": "未知按键",
}
_ZONES = {"entrance": "入口", "washroom": "卫生间"}
_MARK_COLOURS = {5: "green", 4: "green", 3: "yellow", 2: "red", 1: "bold red"}
_TICKER_COLOURS = {
    "rating": "magenta",
    "floor": "yellow",
    "rain": "cyan",
    "count": DIM,
    "device": "blue",
}


def window_line(window: Window) -> Text:
    """Ticket, state, clerk and how long it has been so."""
    chinese, english, colour = _STATES[window.state]
    text = Text(no_wrap=True)
    text.append(f"{window.ticket or '----'} ", VALUE)
    text.append(f"{chinese} {english} ", colour)
    text.append(f"{STAFF[window.id]} ")
    if window.state != "idle":
        text.append(f"{time.monotonic() - window.since:.0f}s", DIM)
    return text


def keypad_line(window: Window) -> Text:
    """The keypad's lamps, key 1 first."""
    lamps = window.keypad.lamps
    text = Text(no_wrap=True)
    for key in range(1, len(window.keypad.marks) + 1):
        text.append("●" if key in lamps else "○", "bold yellow" if key in lamps else DIM)
    return text


def ratings(inbox: Inbox, lines: int) -> RenderableType:
    """How many of each, which reasons, then the latest ratings, newest first."""
    counts = inbox.counts
    reasons = inbox.quarantined()
    head = _figures(("按键", "raw", inbox.presses), ("有效", "accepted", counts["rating.given"]))
    rest = _figures(
        ("未评", "none", counts["rating.none"]),
        ("隔离", "quarantined", sum(reasons.values())),
    )
    why = Table.grid(padding=(0, 1))
    for reason, number in list(reasons.items())[:3]:
        why.add_row(
            Text(f" {_REASONS.get(reason, reason)}"), Text(reason, DIM), Text(str(number), VALUE)
        )
    lines -= 2 + why.row_count
    kinds = ("rating.given", "rating.none", "rating.quarantined")
    latest = [event for event in reversed(inbox.latest) if event.report.kind.startswith(kinds)]
    return Group(head, rest, why, *(_rating(event) for event in latest[: max(0, lines)]))


def _figures(*figures: tuple[str, str, int]) -> Text:
    text = Text(no_wrap=True)
    for chinese, english, number in figures:
        text.append(f"{chinese} {english} ", DIM)
        text.append(f"{number}   ", VALUE)
    return text


def _rating(event: Event) -> Text:
    data = event.data
    text = Text(no_wrap=True)
    text.append(f"{data.get('ticket') or '----'} ", VALUE)
    text.append(f"{event.subject.removeprefix('window/')} ", DIM)
    if event.report.kind == "rating.given":
        mark = data["mark"]
        title = MARKS[mark]
        text.append("★" * mark + "☆" * (5 - mark), _MARK_COLOURS[mark])
        text.append(f" {title.zh} {title.en}", _MARK_COLOURS[mark])
    elif event.report.kind == "rating.none":
        text.append(f"未评价 no rating: {data['reason']}", DIM)
    else:
        reason = data["reason"]
        text.append(f"隔离 key {data['key']}: {_REASONS.get(reason, '')} {reason}", "yellow")
    return text


def hall(
    inbox: Inbox, door: Door, floors: Sequence[Floor], happened: int, english: bool
) -> RenderableType:
    """People, floors and rain as received; `happened` is the world's count of all that is true."""
    counts = inbox.counts
    people = _figures(
        ("进", "in", counts["count.passage.in"]),
        ("出", "out", counts["count.passage.out"]),
        ("在厅", "inside", inbox.inside),
    )
    if inbox.inside != door.inside:
        people.append(f"→{door.inside}", DIM)
    events = _figures(("发生", "happened", happened), ("收到", "received", len(inbox.reports)))
    return Group(people, *(_floor(inbox, floor, english) for floor in floors), events)


def _floor(inbox: Inbox, floor: Floor, english: bool) -> Text:
    """What was told of a floor, then what is there now."""
    device, zone = floor.place.device, floor.place.zone or ""
    newest = inbox.newest(device, "floor.wet", "floor.dry", "floor.attended")
    wet = inbox.newest(device, "floor.wet", "floor.dry") == "floor.wet"
    text = Text(no_wrap=True)
    text.append(f"{_ZONES[zone]} {zone} ", DIM)
    caution = " ⚠ 小心地滑 WET FLOOR " if english else " ⚠ 地滑 WET "
    text.append(caution if wet else "干燥 dry", "black on yellow" if wet else GOOD)
    if wet and newest == "floor.attended":
        text.append(" 保洁在 attended" if english else " 保洁", GOOD)
    if inbox.newest(device, "rain.started", "rain.ended") == "rain.started":
        text.append(" 下雨 rain" if english else " 雨", "cyan")
    if isinstance(floor, BatteryFloor) and floor.asleep:
        text.append(" 休眠 asleep" if english else " 眠", DIM)
    if english:
        text.append(f" {floor.ohms / 1000:,.0f} kΩ", DIM)
    return text


def latency(
    figures: dict[str, dict[str, float]], pressed: Collection[float], english: bool
) -> RenderableType:
    """How fast it is: the median and the 99th percentile."""
    rows = [("按键→大厅", "press event → hall", summary(pressed) if pressed else None)]
    for chinese, words, name in (
        ("按键→灯", "press → lamp", "press_to_lamp_ms"),
        ("叫号→屏", "call → display", "call_to_display_ms"),
    ):
        rows.append((chinese, words, figures.get(name)))
    table = Table.grid(padding=(0, 1))
    for chinese, words, row in rows:
        value = f"p50 {row['p50']:.0f}  p99 {row['p99']:.0f} ms" if row else "-"
        named = (Text(chinese), Text(words, DIM)) if english else (Text(chinese),)
        table.add_row(*named, Text(value, VALUE))
    return table


def devices(inbox: Inbox) -> RenderableType:
    """Every device's link: online, events not yet acknowledged, age of the last event."""
    table = Table.grid(padding=(0, 1))
    heads = ("", "device", "连接 link", "积压 queued", "最近 last")
    table.add_row(*(Text(head, DIM, no_wrap=True) for head in heads))
    for place in PLACES:
        online = inbox.online(place.device)
        waiting = inbox.waiting(place.device)
        age = inbox.age(place.device, time.monotonic())
        table.add_row(
            Text("●", GOOD if online else BAD),
            Text(place.device),
            Text("在线 online") if online else Text("离线 OFFLINE", BAD),
            Text(str(waiting), "yellow" if waiting else "default"),
            Text("-" if age is None else f"{age:.0f} s"),
        )
    return table


def devices_line(inbox: Inbox) -> Text:
    """The same in one line, for a small screen."""
    online = sum(inbox.online(place.device) for place in PLACES)
    waiting = sum(inbox.waiting(place.device) for place in PLACES)
    text = Text(no_wrap=True)
    text.append("● ", GOOD if online == len(PLACES) else BAD)
    text.append(f"设备 devices {online}/{len(PLACES)}  积压 queued {waiting}")
    return text


def ticker(inbox: Inbox, lines: int) -> RenderableType:
    """The latest events, newest first, as the hall system gets them."""
    return Group(*(_event(event) for event in list(reversed(inbox.latest))[:lines]))


def _event(event: Event) -> Text:
    kind = event.report.kind
    text = Text(no_wrap=True)
    seconds = time.monotonic() - event.report.received
    text.append(f"{seconds:4.0f}s ", DIM)
    # As the hall system has it: a reason is no part of a type.
    group, _, reason = kind.partition("quarantined.")
    shown = f"{group}quarantined" if reason else kind
    text.append(f"{shown:<20} ", _TICKER_COLOURS.get(kind.partition(".")[0], "cyan"))
    text.append(" ".join(str(part) for part in (*event.report.what, reason)))
    return text
