"""One working day of a hall, the same each time, for the console's pictures.

Here: its settings, its customers, and what goes on when the pictures are taken. Not here: taking
them (console_pictures.py), the gateway on its stage (console_stage.py).
"""

import datetime as dt
import heapq
import itertools
import random
import time
from collections.abc import Callable
from pathlib import Path

from hall_gateway.heart import Heart
from hall_gateway.rollout_model import Target
from hall_gateway.store_dead_letters import DeadLetter
from hall_gateway.updates import Offer

from hall_tools.console_stage import Stage

ZONE = dt.timezone(dt.timedelta(hours=8))
OPENS = dt.datetime(2026, 11, 20, 8, 30, tzinfo=ZONE)
LOOKS = dt.datetime(2026, 11, 20, 15, 42, tzinfo=ZONE)
"""When the pictures are taken."""

WINDOWS = {
    "1": ("综合业务", "王敏", "call-display-p10-64x16"),
    "2": ("电费缴纳", "李强", "call-display-f375-64x32"),
    "3": ("新装增容", "赵磊", "call-display-p10-128x16"),
    "4": ("过户更名", "陈静", "call-display-hub75-64x32"),
    "5": ("企业客户", "刘洋", "call-display-p10-64x16"),
    "6": ("咨询引导", "孙丽", "call-display-p10-64x16"),
}
BUSINESS = {"1": "过户", "2": "电费缴纳", "3": "新装", "4": "更名", "5": "增容", "6": "咨询"}
MINUTES = {"1": 9, "2": 3, "3": 14, "4": 8, "5": 16, "6": 4}
"""How long a service takes there, on average."""

SETTINGS = """hall = "chengdong"
[store]
path = "hall.db"
[upstream]
host = "mqtt.example.com"
tls = true
[figures]
class = "B"
limits = { "电费缴纳" = 5 }
[[webhook]]
id = "office"
url = "https://office.example.com/hall"
secret_file = "webhook.secret"
"""


class Hands:
    """A clock that the story moves."""

    def __init__(self, at: dt.datetime) -> None:
        self.now = _ms(at)
        self._since: float | None = None

    def __call__(self) -> int:
        passed = 0 if self._since is None else time.monotonic() - self._since
        return self.now + round(passed * 1000)

    def to(self, at: int) -> None:
        """To unix ms `at`, never back."""
        self.now = max(self.now, at)

    def go(self) -> None:
        """It goes by itself from now on."""
        self._since = time.monotonic()


def settings(folder: Path) -> Path:
    """The hall's settings, in `folder`."""
    lines = [SETTINGS]
    for window, (name, _, profile) in WINDOWS.items():
        lines += [f'[[window]]\nid = "{window}"\nname = "{name}"']
        lines += [f'[[device]]\nid = "display-{window}"\nprofile = "{profile}"']
        lines += [f'window = "{window}"']
        lines += [f'[[device]]\nid = "keypad-{window}"\nprofile = "keypad-5"\nwindow = "{window}"']
    for device, profile, zone in (
        ("sign-door", "call-display-p10-128x16", "entrance"),
        ("entrance", "people-counter-vl53l1x", "entrance"),
        ("floor", "wet-floor-mains", "entrance"),
    ):
        lines += [f'[[device]]\nid = "{device}"\nprofile = "{profile}"\nzone = "{zone}"']
    path = folder / "hall.toml"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


class Day:
    """A working day of the hall, up to LOOKS: the same customers each time."""

    def __init__(self, stage: Stage, hands: Hands, seed: int = 7) -> None:
        self._stage = stage
        self._hands = hands
        self._random = random.Random(seed)
        self._numbers = itertools.count(1)
        self._acts: list[tuple[int, int, Callable[[], None]]] = []
        self._order = itertools.count()
        self._waiting: dict[str, list[str]] = {window: [] for window in WINDOWS}
        self._busy: set[str] = set()
        self._until = _ms(LOOKS) - 400_000

    def run(self) -> None:
        """Everything that happened."""
        self._open()
        self._at(_ms(OPENS), self._arrive)
        while self._acts and self._acts[0][0] < self._until:
            at, _, act = heapq.heappop(self._acts)
            self._hands.to(at)
            act()
        self._end()

    def _at(self, at: int, act: Callable[[], None]) -> None:
        heapq.heappush(self._acts, (at, next(self._order), act))

    def _after(self, seconds: float, act: Callable[[], None]) -> None:
        self._at(self._hands.now + round(seconds * 1000), act)

    def _open(self) -> None:
        stage = self._stage
        for window, (_, clerk, _) in WINDOWS.items():
            for device in (f"display-{window}", f"keypad-{window}"):
                stage.online(device)
                stage.state(device)
            stage.command("staff", window=window, staff=clerk)
        for device in ("sign-door", "entrance", "floor"):
            stage.online(device)
            stage.state(device)

    def _arrive(self) -> None:
        hour = (self._hands.now - _ms(OPENS)) / 3_600_000
        rush = 1.8 if 0.8 < hour < 2.4 or 5.4 < hour < 6.8 else 0.4 if 3.4 < hour < 4.8 else 1
        self._after(self._random.expovariate(rush / 118), self._arrive)
        self._stage.event("entrance", "passage", {"dir": "in"})
        if self._random.random() < 0.12:
            self._after(900, self._leave)
            return  # with somebody else
        window = self._random.choices(list(WINDOWS), (5, 9, 2, 4, 2, 3))[0]
        ticket = f"{'ABCDEF'[int(window) - 1]}{next(self._numbers):03}"
        self._stage.command("take", ticket=ticket, business=BUSINESS[window])
        self._waiting[window].append(ticket)
        self._next(window)

    def _leave(self) -> None:
        self._stage.event("entrance", "passage", {"dir": "out"})

    def _next(self, window: str) -> None:
        """The window calls, when it is free and somebody waits."""
        if window in self._busy or not self._waiting[window]:
            return
        self._busy.add(window)
        ticket = self._waiting[window].pop(0)
        stage, minutes = self._stage, MINUTES[window]
        stage.command("call", window=window, ticket=ticket, business=BUSINESS[window])
        if self._random.random() < 0.04:
            self._after(75, lambda: self._gone(window))
            return
        takes = max(0.35, self._random.gauss(1, 0.35)) * minutes * 60
        self._after(20, lambda: stage.command("start", window=window))
        self._after(20 + takes, lambda: self._served(window))

    def _gone(self, window: str) -> None:
        self._stage.command("no_show", window=window)
        self._busy.discard(window)
        self._next(window)

    def _served(self, window: str) -> None:
        """A service ends, and its customer presses, or not."""
        stage, keypad = self._stage, f"keypad-{window}"
        stage.command("end", window=window)
        session = stage.desired(keypad)["rev"]
        if self._random.random() < 0.66:
            key = self._random.choices((1, 2, 3, 4, 5), (60, 26, 8, 4, 2))[0]
            self._after(7, lambda: stage.rate(keypad, session, key))
        else:
            self._after(
                30, lambda: stage.event(keypad, "close", {"session": session, "why": "end"})
            )
        self._after(60, self._leave)
        self._after(40, lambda: self._free(window))

    def _free(self, window: str) -> None:
        self._busy.discard(window)
        self._next(window)

    def _end(self) -> None:
        """What goes on while the pictures are taken."""
        stage, hands, looks = self._stage, self._hands, _ms(LOOKS)
        hands.to(looks - 330_000)
        stage.command("call", window="3", ticket="C201", business="新装")
        stage.command("start", window="3")
        stage.command("call", window="2", ticket="B207", business="电费缴纳")
        stage.command("start", window="2")
        hands.to(looks - 190_000)
        stage.command("call", window="1", ticket="A015", business="过户")
        stage.command("start", window="1")
        stage.command("pause", window="5")
        hands.to(looks - 100_000)
        stage.event("floor", "wet", {"ohms": 4200})
        stage.tick()
        hands.to(looks - 60_000)
        stage.online("keypad-6", online=False)
        stage.event("keypad-4", "fault", {"code": "key_stuck", "value": 2})
        hands.to(looks - 20_000)
        stage.command("call", window="4", ticket="D118", business="更名")
        for ticket, business in (("B208", "电费缴纳"), ("A016", "过户"), ("B209", "电费缴纳")):
            stage.command("take", ticket=ticket, business=business)
        self._follow_up()
        hands.to(looks)
        self._update()
        stage.tick()

    def _update(self) -> None:
        """A release of the firmware came last night, and its first device runs it."""
        stage = self._stage
        new, old = {"v": "0.2.0", "slot": "b"}, {"v": "0.1.0", "slot": "a", "s": "idle", "p": 0}
        chips = {"esp32": "xtensa", "esp32s3": "xtensa"}
        offer = Offer("0.2.0", 7, {"xtensa": Target("a7" * 32, 7000)}, chips)
        night = _ms(LOOKS) - 17 * 3_600_000
        begun = stage.do(
            lambda core: core.do(lambda heart, _: heart.updates.begin(offer, [], "王经理", night))
        )
        first = begun.members[0].device
        for step in ("staged", "confirmed"):
            stage.event(first, "update", {"s": step, "v": "0.2.0"})
        at_windows = [f"{kind}-{window}" for window in WINDOWS for kind in ("display", "keypad")]
        for device in (*at_windows, "sign-door", "entrance", "floor"):
            if device == "keypad-6":
                continue
            runs = {"fw": "0.2.0", "update": {**new, "s": "confirmed", "p": 100}}
            stage.state(device, **(runs if device == first else {"update": old}))

    def _follow_up(self) -> None:
        """What the manager has done so far, and what the office's webhook refused."""

        def steps(heart: Heart, now: int) -> None:
            tasks, alerts = heart.rules.tasks, heart.rules.alerts
            tasks.step(1, "acknowledge", "王经理", None, None, now - 9_000_000)
            tasks.step(1, "contact", "王经理", "已致歉，顾客反映等候过久", None, now - 7_000_000)
            tasks.step(1, "fix", "王经理", "高峰时段加开 5 号窗口", None, now - 3_000_000)
            tasks.step(2, "acknowledge", "王经理", None, None, now - 5_000_000)
            alerts.acknowledge(1, "王经理", "已放警示牌，保洁在路上", now - 30_000)
            for name in ("hall", "webhook:office"):
                heart.sinks.advance(name, 10**9, now)
            body = b'{"specversion":"1.0","type":"hall.rating.given","data":{"mark":5}}'
            why = "HTTP 422: unknown window 6"
            dead = DeadLetter(
                "webhook:office", "keypad-6/00000007/41", body, why, 3, now - 900_000, now
            )
            heart.dead_letters.bury(dead)

        self._stage.do(lambda core: core.do(steps))


def _ms(at: dt.datetime) -> int:
    return round(at.timestamp() * 1000)
