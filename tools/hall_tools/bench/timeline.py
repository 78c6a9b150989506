"""A call display in time: the firmware's own loop, what holds it up, and an eye before the panel.

Here: when steps come, which frame each plays, and what the eye makes of it. Not here: what is shown
and which stalls there are (`eye`). The clock is simulated, so two runs are equal to the last ns.

A frame lasts as long as its stores (hall_panel.waveform.STORE_NS each). Drawing and building a
picture takes no time here: on a chip that is done in the dark before a frame, where it is to the
eye what a stall of the same length is.
"""

from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from hall_panel.eye import Eye
from hall_panel.figures import STRESS_NS, Figures
from hall_panel.firmware import CallDisplay, Config
from hall_panel.layout import Layout

MS = 1_000_000
"""In ns."""

LIGHT_MS = 3
"""The light of all rows together in a frame at 100 % brightness, as the profiles promise."""


class Stall(NamedTuple):
    """From `at_ns` on, or from the end of the frame that is played then, something else has the
    event loop for `ns`: garbage, a TLS handshake, the erasing of flash."""

    at_ns: int
    ns: int


@dataclass(frozen=True)
class Span:
    """What was seen in a part of the time.

    `wrong`: steps after which the eye had seen another picture than the one that was drawn.
    `left_lit`: frames that did not end dark. `busy`: share of the time that frames took, in which
    the processor does nothing else. `cap`: see duty_cap.
    """

    steps: int
    frames: int
    pictures: int
    wrong: int
    left_lit: int
    frame_ms: float
    busy: float
    cap: float
    figures: Figures


def duty_cap(config: Config) -> float:
    """The share of any 100 ms that a LED may be lit, whatever the event loop does.

    A frame may light a row for its share of LIGHT_MS, by the brightness. 100 ms have room for one
    frame a period, and one more: a step that came late is not made up for, but the next one comes
    when it would have come.
    """
    driver = config["driver"]
    row_ms = LIGHT_MS / Layout(driver).steps * config["settings"]["brightness"] / 100
    frames = STRESS_NS / MS / _period_ms(driver) + 1
    return frames * row_ms / (STRESS_NS / MS)


class Timeline:
    """A display of this config, switched on at 0 ms, when it is `unix_ms` in the hall.

    ValueError: the firmware has no such driver, or the panel is not one that has to be scanned.
    """

    def __init__(self, config: Config, unix_ms: int) -> None:
        self._eye = Eye(config["driver"], config["pins"])
        self.display = CallDisplay(config, lambda: unix_ms + self._now_ns // MS)
        self._cap = duty_cap(config)
        self._period_ms = _period_ms(config["driver"])
        self._now_ns = 0
        self._due_ms = 0
        self._seen = _Seen()

    def desire(self, desired: Mapping[str, Any]) -> None:
        """As the gateway asks for it, from the next step on."""
        self.display.role.desire(dict(desired), self._now_ns // MS)

    def run(self, ms: int, stalls: Iterable[Stall] = ()) -> Span:
        """Goes on for `ms`, at most ten seconds (hall_panel.eye.HISTORY_NS), and a little longer
        where a stall ends later. Times of `stalls` are since the display was switched on."""
        since_ns = self._now_ns
        until_ns = since_ns + ms * MS
        self._seen = seen = _Seen()
        waiting = deque(stalls)
        # As firmware/hall/app.py runs a role.
        while True:
            wake_ns = max(self._now_ns, self._due_ms * MS)
            if waiting and waiting[0].at_ns <= wake_ns:
                at_ns, ns = waiting.popleft()
                self._now_ns = max(self._now_ns, at_ns) + ns
                continue
            if wake_ns >= until_ns:
                break
            self._now_ns = wake_ns
            self._step()
            self._due_ms = max(self._due_ms + self._period_ms, self._now_ns // MS)
        self._now_ns = max(self._now_ns, until_ns)
        self._eye.rest(self._now_ns)
        return Span(
            steps=seen.steps,
            frames=seen.frames,
            pictures=len(seen.pictures),
            wrong=seen.wrong,
            left_lit=seen.left_lit,
            frame_ms=seen.longest_ns / MS,
            busy=seen.busy_ns / (self._now_ns - since_ns),
            cap=self._cap,
            figures=self._eye.figures(since_ns, cap=self._cap),
        )

    def _step(self) -> None:
        player, seen, start_ns = self.display.player, self._seen, self._now_ns
        player.log = b""
        self.display.role.step(start_ns // MS)
        if player.log:
            self._now_ns = self._eye.frame(player.log, start_ns)
            seen.frames += 1
            seen.busy_ns += self._now_ns - start_ns
            seen.longest_ns = max(seen.longest_ns, self._now_ns - start_ns)
            seen.left_lit += self._eye.lit
        else:  # the dark half of a blink
            self._eye.rest(start_ns)
        seen.steps += 1
        seen.wrong += b"".join(self._eye.picture().planes) != player.picture
        seen.pictures.add(player.picture)


class _Seen:
    """Counts of one span."""

    def __init__(self) -> None:
        self.steps = self.frames = self.wrong = self.left_lit = 0
        self.busy_ns = self.longest_ns = 0
        self.pictures: set[bytes] = set()


def _period_ms(driver: Mapping[str, Any]) -> int:
    return 1000 // driver["refresh_hz"]
