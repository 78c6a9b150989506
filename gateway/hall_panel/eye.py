"""The eye of a person in front of a panel.

Here: light summed up over time into a picture and figures. Not here: the panel (`cable`), the
figures' formulas (`figures`).
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from hall_panel.figures import Figures
from hall_panel.layout import Driver
from hall_panel.picture import Picture
from hall_panel.waveform import STORE_NS

if TYPE_CHECKING:
    from typing_extensions import Buffer

HISTORY_NS = 10_000_000_000
"""How far back the eye remembers: bounds its memory, and what since_ns may be."""


class Eye:
    """`driver` and `pins` are those of the device's config (name, width, height, polarities...).

    Times are ns on the caller's clock, and never go back.
    """

    def __init__(self, driver: Driver, pins: Mapping[str, int], store_ns: int = STORE_NS) -> None:
        raise NotImplementedError

    def frame(self, log: "Buffer", start_ns: int) -> int:
        """Watches one frame (`waveform`) that began at `start_ns`; returns when it ended.

        Between frames nothing is stored: a row that was left lit stays lit. Raises ValueError for a
        broken log, or a start before the last frame's end.
        """
        raise NotImplementedError

    def rest(self, until_ns: int) -> None:
        """Watches while nothing is stored."""

    def picture(self, since_ns: int | None = None) -> Picture:
        """What was seen since then; without it, in the last frame() or rest() alone."""
        raise NotImplementedError

    def figures(self, since_ns: int, *, cap: float) -> Figures:
        """Of the time from `since_ns` to the end of the last frame() or rest().

        `cap`: the share of any 100 ms that a row may be lit, 1/scans for evenly shared time.
        """
        raise NotImplementedError
