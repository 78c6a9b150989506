"""Which devices are not listened to for a while, because they send too much, or what makes no
sense.

Here: the limits, and who is over them, pure and with a clock that is handed in. Not here: how a
device is kept out (devices_mqtt.py, devices_coap.py), who is told (heart.py), the settings
(config_limits.py).

An honest device never meets the limits, however fast its network is. All that it can have to say at
once is a full journal, which is fewer than 1,024 events (64 KiB in slots of 64 bytes), and an
update to fetch, which is 1,821 requests for 1 MiB in pieces of 576 bytes: 2,845 messages, and BURST
is more. It repeats at most its window of 8 events, after 5 s and more. What is new after that is
people and fingers: some a second. And no more than its window, a state and some replies are ever
under way at once: who has more than ordered.BATCH of them waiting here is crowding others out, and
each beyond that counts for CROWDED. Time is counted as it was when a message reached the broker, so
a backlog is no flood, however fast it comes in the end; while that is not known (marks.py: the
gateway was away, or stood still), messages count for nothing.

A device that is kept out loses nothing: what it has journalled stays there, for no ack comes. It is
let in again after a calm time, which doubles each time that it was not calm.
"""

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

Code = Literal["flooding", "nonsense"]

PER_S = 50
"""Messages of one device."""
BURST = 3000
NONSENSE = 20
"""Messages that make no sense, before somebody has to look."""
NONSENSE_S = 600.0
"""In so many seconds a device is forgiven NONSENSE of them."""
CALM_S = 60
MOST_CALM_S = 3600
CROWDED = 100
"""What a message counts for whose device has a full queue already."""
STRANGERS = "*"
"""Whoever is no device of the settings; one for all of them, and no device's id."""


@dataclass(frozen=True)
class Limits:
    """See PER_S and the others. `calm_s`: how long the first quarantine lasts, s."""

    per_s: float = PER_S
    burst: int = BURST
    nonsense: int = NONSENSE
    calm_s: float = CALM_S


class Bucket:
    """A token bucket: `size` at once, and `per_s` a second after that."""

    __slots__ = ("_at", "_left")

    def __init__(self, size: float, now: float) -> None:
        self._left = size
        self._at = now

    def take(self, size: float, per_s: float, now: float, count: int = 1) -> bool:
        """Whether there were `count` more at `now`, s; a moment before the last one is that one."""
        self._left = min(size, self._left + max(0.0, now - self._at) * per_s) - count
        self._at = max(now, self._at)
        if self._left >= 0:
            return True
        self._left = 0.0
        return False


@dataclass(frozen=True)
class Held:
    """A device that is kept out. `over`: s of the clock that never goes back; `since` and `until`:
    unix ms; `spell`: how often it was, without an hour of calm between."""

    code: Code
    over: float
    since: int
    until: int
    spell: int


class Quarantine:
    """`monotonic` gives s, `unix_ms` the time of day. `changed` is called when a device is kept
    out."""

    def __init__(
        self,
        limits: Limits,
        monotonic: Callable[[], float],
        unix_ms: Callable[[], int],
        changed: Callable[[], None] = lambda: None,
    ) -> None:
        self.dropped: Counter[str] = Counter()
        """What came of devices while they were kept out, since the start."""
        self._limits = limits
        self._monotonic = monotonic
        self._unix_ms = unix_ms
        self._changed = changed
        self._buckets: dict[str, Bucket] = {}
        self._senses: dict[str, Bucket] = {}
        self._total: Counter[str] = Counter()
        self._seen: Counter[str] = Counter()
        self._held: dict[str, Held] = {}
        self._before: dict[str, Held] = {}

    @property
    def held(self) -> Mapping[str, Held]:
        """Who is kept out now."""
        return self._held

    def admits(self, device: str, weight: int = 1, at: float | None = None) -> bool:
        """Whether a message of `device` that has come may be handled. It counts for `weight`, and
        as sent at `at` (s of the clock; None: now)."""
        if device in self._held:
            self.dropped[device] += 1
            return False
        if not weight:
            return True
        limits, now = self._limits, self._monotonic()
        at = now if at is None else at
        bucket = self._buckets.get(device)
        if bucket is None:
            bucket = self._buckets[device] = Bucket(limits.burst, at)
        if bucket.take(limits.burst, limits.per_s, at, weight):
            return True
        self.dropped[device] += 1
        self._hold(device, "flooding", now)
        return False

    def nonsense(self, device: str, count: int = 1) -> None:
        """So many messages of `device` could not be understood."""
        limits, now = self._limits, self._monotonic()
        bucket = self._senses.get(device)
        if bucket is None:
            bucket = self._senses[device] = Bucket(limits.nonsense, now)
        for _ in range(count):
            if not bucket.take(limits.nonsense, limits.nonsense / NONSENSE_S, now):
                if device not in self._held:
                    self._hold(device, "nonsense", now)
                return

    def seen(self, device: str) -> None:
        """A message of `device` is no JSON; found() will count it too."""
        self._seen[device] += 1
        self.nonsense(device)

    def found(self, device: str, total: int) -> None:
        """So many messages of `device` could not be understood since the start."""
        more = max(0, total - self._total[device])
        self._total[device] = total
        known = min(more, self._seen[device])
        self._seen[device] -= known
        if more > known:
            self.nonsense(device, more - known)

    def release(self) -> list[str]:
        """Let in again whose time is over; who that is."""
        now = self._monotonic()
        over = [device for device, held in self._held.items() if held.over <= now]
        for device in over:
            self._before[device] = self._held.pop(device)
            self._buckets.pop(device, None)
            self._senses.pop(device, None)
        return over

    def wait_s(self) -> float | None:
        """s until somebody is to be let in; None when nobody is kept out."""
        if not self._held:
            return None
        return max(0.0, min(held.over for held in self._held.values()) - self._monotonic())

    def figures(self) -> dict[str, dict[str, object]]:
        """Who is kept out: why, since and until when (unix ms), and for which time."""
        return {
            device: {
                "code": held.code,
                "since": held.since,
                "until": held.until,
                "spell": held.spell,
            }
            for device, held in self._held.items()
        }

    def _hold(self, device: str, code: Code, now: float) -> None:
        before = self._before.pop(device, None)
        spell = 1 if before is None or now - before.over > MOST_CALM_S else before.spell + 1
        calm = min(MOST_CALM_S, self._limits.calm_s * 2.0 ** min(spell - 1, 12))
        unix = self._unix_ms()
        self._held[device] = Held(code, now + calm, unix, unix + round(1000 * calm), spell)
        self._changed()
