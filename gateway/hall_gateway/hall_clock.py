"""The hall's own clock: which day, hour and quarter of an hour a moment belongs to.

Here: pure arithmetic on unix ms. Not here: what happens at a turn of the day (occupancy.py,
tickets.py), and what is reported of a day (kpis.py).

A day of the hall begins at the hour of the nightly reset, when nobody is inside; it has the date on
which it begins. An offset in minutes, not a time zone's name, as the displays have it.
"""

import datetime as dt
from dataclasses import dataclass

MINUTE_MS = 60_000
QUARTER_MS = 15 * MINUTE_MS
HOUR_MS = 60 * MINUTE_MS
DAY_MS = 24 * HOUR_MS

_EPOCH = dt.date(1970, 1, 1)


@dataclass(frozen=True)
class HallClock:
    """`reset_hour` 0 to 23 in the hall's time, `utc_offset_min` minutes ahead of UTC."""

    reset_hour: int = 3
    utc_offset_min: int = 480

    def began(self, at: int) -> int:
        """Unix ms at which the hall's day of unix ms `at` began."""
        shift = self.reset_hour * HOUR_MS - self.utc_offset_min * MINUTE_MS
        return (at - shift) // DAY_MS * DAY_MS + shift

    def hour(self, at: int) -> int:
        """The hour of the hall's clock at unix ms `at`, 0 to 23."""
        return (at + self.utc_offset_min * MINUTE_MS) % DAY_MS // HOUR_MS

    def date(self, at: int) -> dt.date:
        """The date of the hall's day of unix ms `at`."""
        days = (self.began(at) + self.utc_offset_min * MINUTE_MS) // DAY_MS
        return _EPOCH + dt.timedelta(days=days)

    def day(self, date: dt.date) -> tuple[int, int]:
        """Unix ms of the beginning and the end of the hall's day that begins on `date`."""
        midnight = (date - _EPOCH).days * DAY_MS
        began = midnight + self.reset_hour * HOUR_MS - self.utc_offset_min * MINUTE_MS
        return began, began + DAY_MS

    def text(self, at: int) -> str:
        """Unix ms `at` as the hall's clock shows it, e.g. 2026-11-21 08:15."""
        shown = dt.datetime.fromtimestamp(at // 1000 + self.utc_offset_min * 60, dt.UTC)
        return f"{shown:%Y-%m-%d %H:%M}"
