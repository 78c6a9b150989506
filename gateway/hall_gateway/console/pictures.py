"""Displays as a person in front of them would see them, drawn by their own firmware.

Here: which picture it is, in words too, and drawing each once. Not here: how a picture comes about
(hall_panel).
"""

import json
import threading
from collections import OrderedDict
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from hall_panel.preview import as_png, draw

from hall_gateway.config import GatewayConfig
from hall_gateway.config_hall import DeviceConfig
from hall_gateway.console.words import Words
from hall_gateway.state import Desired, Json
from hall_gateway.store_console import reported
from hall_gateway.store_hall import DeviceRow

KEPT = 256
"""Pictures, some KB each."""

MINUTE_MS = 60_000

WAIT: Json = {"view": "wait"}


@dataclass(frozen=True)
class Seen:
    """What a display shows. `sure`: "shown" as it said itself; "sent" while it has not said so;
    "stale" when it has lost the gateway for so long that it says 请稍候 by itself; "unknown" when
    it was never there. `text`: what stands on it."""

    view: Json
    sure: str
    text: str


def seen(desired: Desired | None, row: DeviceRow | None, ttl_s: int, now: int, t: Words) -> Seen:
    """What is to be seen on a display at unix ms `now`."""
    if row is None or row.seen is None or desired is None:
        return Seen(WAIT, "unknown", text_of(WAIT, t))
    told = reported(row)
    shows: Any = told.get("shows")
    shown: Any = shows.get("view") if isinstance(shows, dict) else None  # pyright: ignore[reportUnknownVariableType, reportUnknownMemberType]
    view = desired.view
    if not row.online:
        stale_after = int(view.get("ttl_s", ttl_s)) * 1000
        if now - row.seen > stale_after:
            return Seen(WAIT, "stale", text_of(WAIT, t))
        return Seen(view, "sent", text_of(view, t))
    rev: Any = told.get("rev")
    if not isinstance(rev, int) or rev < desired.rev:
        return Seen(view, "sent", text_of(view, t))
    if shown == "wait":
        return Seen(WAIT, "stale", text_of(WAIT, t))
    if shown == "test":
        view = {"view": "test"}
    return Seen(view, "shown", text_of(view, t))


def text_of(view: Json, t: Words) -> str:
    """What stands on a display, as a text: the words are the display's own, and Chinese."""
    match view.get("view"):
        case "call":
            return f"请{view['ticket']}号到{view['window']}窗口"
        case "idle":
            return str(view.get("name", ""))
        case "text":
            return str(view.get("text", ""))
        case "closed":
            return "暂停服务"
        case "caution":
            return "小心地滑"
        case "test":
            return t("display.test")
        case _:
            return "请稍候"


class Pictures:
    """PNGs by a key that says everything of what is on them."""

    def __init__(self) -> None:
        self._wanted: OrderedDict[str, tuple[dict[str, Any], Json | None, int]] = OrderedDict()
        self._drawn: OrderedDict[str, bytes] = OrderedDict()
        self._drawing = threading.Lock()

    def key(self, config: GatewayConfig, device: DeviceConfig, view: Json, now: int) -> str:
        """The key of what `device` shows; now is unix ms, for an idle display has a clock."""
        compiled: Any = config.compiled(device)
        desired = None if view.get("view") == "wait" else {"rev": 1, **view}
        minute = now // MINUTE_MS * MINUTE_MS if view.get("view") == "idle" else 0
        said = json.dumps([compiled, desired, minute], sort_keys=True, default=str)
        key = sha256(said.encode()).hexdigest()[:24]
        self._wanted[key] = (compiled, desired, minute)
        self._wanted.move_to_end(key)
        while len(self._wanted) > KEPT:
            self._wanted.popitem(last=False)
        return key

    def png(self, key: str) -> bytes | None:
        """The picture; None for a key that was never given, or long ago. It takes some 20 ms when
        it is new: not for the event loop."""
        with self._drawing:
            if (drawn := self._drawn.get(key)) is not None:
                return drawn
            if (wanted := self._wanted.get(key)) is None:
                return None
            config, desired, minute = wanted
            try:
                drawn = as_png(draw(config, desired, unix_ms=minute or None))
            except ValueError:
                # Text that this display's own firmware would refuse.
                drawn = as_png(draw(config, None))
            self._drawn[key] = drawn
            while len(self._drawn) > KEPT:
                self._drawn.popitem(last=False)
            return drawn
