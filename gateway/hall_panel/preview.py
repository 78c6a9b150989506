"""What a call display would look like: from a config and a desired state to a picture.

Here: the firmware's own display (`firmware`) is asked for a view, its stores go to the eye in front
of the panel, and what the eye sees is the picture. Not here: how a picture is drawn into a file
(`png`, `digits_png`), and profiles.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from hall_panel import digits_png
from hall_panel.digits_png import Digits
from hall_panel.eye import Eye
from hall_panel.firmware import CallDisplay, Config
from hall_panel.max7219 import Chain
from hall_panel.picture import Picture, of_light
from hall_panel.png import png

WATCH_MS = 8000
"""How long a view is watched for a change: a round of name and clock, and of the test pictures."""

_LOOK_MS = 500
# A digit's turn in a MAX7219: an eighth of its scan, 800 Hz (data sheet 19-4452, typical).
_TURN_NS = 1_250_000 // 8


@dataclass(frozen=True)
class Preview:
    """What a display shows. `view`: as it reports it. `missing`: characters it has no glyph for.

    `moves`: it scrolls, takes turns or tests, and shows another picture within WATCH_MS.
    """

    picture: Picture | Digits
    view: str
    missing: int
    moves: bool


def preview(
    config: Config,
    desired: Mapping[str, Any] | None,
    *,
    unix_ms: int | None = None,
    after_ms: int = 0,
) -> Preview:
    """The view of `desired`, with its `rev`, `after_ms` after it began; without one, what a display
    shows that has not heard from the gateway. A new call blinks: its lit half is shown.

    `unix_ms` is the time of day when the view began; without it the display knows no clock. Raises
    ValueError with the device's own words for a desired state that it refuses, or a config that
    cannot be.
    """
    still = {**config, "settings": {**config["settings"], "blink_s": 0}}
    clock = [unix_ms]
    display = CallDisplay(still, lambda: clock[0])
    role = display.role
    if desired is not None:
        role.desire(dict(desired), 0)
    role.step(0)
    if unix_ms is not None:
        clock[0] = unix_ms + after_ms
    # Twice: what a panel was before its first frame is not known.
    role.step(after_ms)
    role.step(after_ms)
    picture = _seen(config, display)
    state = role.state()
    return Preview(picture, state["view"], state["missing"], _moves(display, after_ms))


def draw(
    config: Config,
    desired: Mapping[str, Any] | None,
    *,
    unix_ms: int | None = None,
    after_ms: int = 0,
) -> Picture | Digits:
    """The picture alone of preview(); Digits for a display of seven segments."""
    return preview(config, desired, unix_ms=unix_ms, after_ms=after_ms).picture


def as_png(picture: Picture | Digits) -> bytes:
    """The picture as a PNG: 8 pixels a LED, or 56 x 92 pixels a digit."""
    return digits_png.render(picture) if isinstance(picture, Digits) else png(picture)


def _moves(display: CallDisplay, now: int) -> bool:
    content = display.content()
    for later in range(now + _LOOK_MS, now + WATCH_MS, _LOOK_MS):
        display.role.step(later)
        if display.content() != content:
            return True
    return False


def _seen(config: Config, display: CallDisplay) -> Picture | Digits:
    driver = config["driver"]
    chain = display.hal.chain
    if chain is None:
        eye = Eye(driver, config["pins"])
        eye.frame(display.player.log, eye.frame(display.player.log, 0))
        return eye.picture()
    if driver["name"] == "max7219":
        return _digits(chain)
    return _matrix(chain, driver["width"], driver["height"])


def _digits(chain: Chain) -> Digits:
    """As the common modules are built: DIG 7 is a chip's leftmost digit, and the chip nearest to
    the controller has the rightmost digits."""
    chips = chain.chips[::-1]
    return Digits(bytes(chip.segments(digit) for chip in chips for digit in range(7, -1, -1)))


def _matrix(chain: Chain, width: int, height: int) -> Picture:
    """As FC-16 modules are built: DIG 0 is the upper row, the segment in bit 7 the leftmost dot,
    and the chip nearest to the controller is the last of the lowest storey."""
    chips = chain.chips[::-1]
    columns = width // 8
    rows: list[list[int]] = []
    for y in range(height):
        row: list[int] = []
        for chip in chips[y // 8 * columns : (y // 8 + 1) * columns]:
            lit, ns = chip.segments(y % 8), int(_TURN_NS * chip.duty())
            row += [ns if lit >> bit & 1 else 0 for bit in range(7, -1, -1)]
        rows.append(row)
    return of_light(width, height, [rows], int(_TURN_NS * max(chip.duty() for chip in chips)))
