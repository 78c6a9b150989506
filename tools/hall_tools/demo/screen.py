"""The hall on a terminal, live.

Here: which field goes where at which size, and when it is drawn. Not here: what a field says
(panels.py), and how a panel's dots are drawn (hall_tools.dots).
"""

import asyncio
import re
import time
from io import StringIO
from pathlib import Path

from rich.align import Align
from rich.console import Console, Group, RenderableType
from rich.layout import Layout
from rich.live import Live
from rich.panel import Panel
from rich.text import Text

from hall_tools import dots
from hall_tools.demo import panels
from hall_tools.demo.eyes import Picture
from hall_tools.demo.hall import Hall
from hall_tools.demo.layout import WINDOWS
from hall_tools.demo.world import Window

FRAME_S = 0.1
"""At most ten pictures a second, and only when something changed."""

IDLE_S = 1.0
"""Without a change a picture a second, for what has been so for how long."""

PICTURE_SIZE = 134, 40
"""Columns and lines of a saved picture."""

_LED_COLOURS: dict[str, dots.Palette] = {
    "1": ("#2b0d0b", "#ff4a3d"),
    "2": ("#2a1c06", "#ffb020"),
}
"""Of a window's panel that has one colour."""

_WIDE = 134
_NARROW = 100


class Screen:
    """Draws `hall`; `seconds` is how long it will be open, None when until Ctrl-C."""

    def __init__(self, hall: Hall, seed: int, seconds: float | None) -> None:
        self._hall = hall
        self._seed = seed
        self._seconds = seconds
        self._opened = time.monotonic()

    async def run(self) -> None:
        """Draws until cancelled; then the terminal is as it was before."""
        console = Console()
        with Live(console=console, screen=True, auto_refresh=False) as live:
            while True:
                live.update(self.draw(*console.size), refresh=True)
                await asyncio.sleep(FRAME_S)
                try:
                    async with asyncio.timeout(IDLE_S):
                        await self._hall.changes.next()
                except TimeoutError:
                    continue

    def save(self, path: Path) -> None:
        """Writes the screen as it is now, as SVG.

        docs/images/demo.svg: `hall demo --headless --seconds 26 --seed 14 --picture FILE`.
        """
        width, height = PICTURE_SIZE
        console = Console(
            record=True, width=width, height=height, file=StringIO(), color_system="truecolor"
        )
        console.print(self.draw(width, height), height=height)
        # Rich's picture would load its font from the network: whoever looks at it has one.
        svg = re.sub(r"@font-face \{.*?\}", "", console.export_svg(title="hall demo"), flags=re.S)
        path.write_text(svg, encoding="utf-8")

    def draw(self, width: int, height: int) -> RenderableType:
        """The whole screen for a terminal of that size; made for 100 x 32, sane at 80 x 24."""
        inbox = self._hall.inbox
        windows = Layout(size=18 if width >= _WIDE else 10)
        windows.split_row(*(self._window(window, width) for window in self._hall.windows))
        layout = Layout()
        head = Layout(self._head(), size=2 if self._hall.console else 1)
        rest = height - (head.size or 1) - (windows.size or 0)
        if width < _NARROW or rest < 20:
            figures, events = Layout(size=min(8, rest // 2)), rest - min(8, rest // 2)
            figures.split_row(
                self._field("评价 Ratings", panels.ratings(inbox, (figures.size or 0) - 2)),
                self._field("大厅 Hall", self._hall_field(width)),
            )
            ticker = self._field("事件 Events", panels.ticker(inbox, events - 2))
            ticker.subtitle = panels.devices_line(inbox)
            layout.split_column(head, windows, figures, ticker)
            return layout
        figures = Layout(size=rest - 10)
        figures.split_row(
            self._field("评价 Ratings", panels.ratings(inbox, rest - 12)),
            self._field("大厅 Hall", self._hall_field(width)),
        )
        below = Layout(size=10)
        below.split_row(
            self._field("事件 Events", panels.ticker(inbox, 8)),
            self._field("设备 Devices", panels.devices(inbox)),
        )
        layout.split_column(head, windows, figures, below)
        return layout

    def _head(self) -> Text:
        open_s = time.monotonic() - self._opened
        of = f" / {self._seconds:g} s" if self._seconds else " s   Ctrl-C 停止 stops"
        state = f"营业 open {open_s:.0f}{of}"
        if self._hall.hours.closing:
            state = "打烊 closing: 等待收尾 what is under way comes to its end"
        text = Text(" 营业厅演示 Hallkit demo hall ", "bold reverse")
        text.append(f"  种子 seed {self._seed}   {state}", "not reverse")
        if self._hall.console:
            text.append(f"\n 控制台 console {self._hall.console}", "not reverse")
        return text

    def _hall_field(self, width: int) -> RenderableType:
        hall = self._hall
        return Group(
            panels.hall(
                hall.inbox, hall.door, hall.floors, len(hall.ledger), english=width >= _NARROW
            ),
            panels.latency(
                hall.latencies.figures(), hall.inbox.press_delays, english=width >= _NARROW
            ),
        )

    def _field(self, title: str, content: RenderableType) -> Panel:
        return Panel(content, title=title, title_align="left", border_style="grey42")

    def _window(self, window: Window, width: int) -> Layout:
        picture = window.display.picture or Picture(64, 16, (0,) * 16)
        palette = dots.PALETTE if picture.planes else _LED_COLOURS[window.id]
        # A P10 panel is twice as large as an F3.75 of as many dots, and so it is drawn.
        fine = width >= _WIDE or (width >= _NARROW and picture.height == 16)
        draw = dots.half_blocks if fine else dots.braille
        panel = Panel(
            Align.center(draw(picture.dots(), palette), vertical="middle"),
            title=Text(f"窗口 Window {window.id} {WINDOWS[window.id]} ").append_text(
                panels.keypad_line(window)
            ),
            title_align="left",
            subtitle=panels.window_line(window),
            subtitle_align="left",
            border_style="grey42",
            padding=0,
        )
        return Layout(panel, size=66 if fine and width < _WIDE else None)
