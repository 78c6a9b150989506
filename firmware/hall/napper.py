"""A device that sleeps: awake to sample, and to talk to the gateway when there is something to say.

Here: when to sample, when to talk, when to sleep, and what is kept over a sleep. Not here: what a
sample means (the role), a request (post.py), radio and sleep (hal_sleep.py).

Sleep is deep sleep: the next wake starts main.py from its first line, and only RTC memory tells it
from a power-on. So the task below mostly goes round once. Why it is planned as it is:
docs/decisions/2026-11-22-how-a-battery-device-sleeps.md.
"""

import asyncio
import json

from . import coap
from .errors import reason

VERSION = 2  # of what is kept

# After a start that is no wake, and after a technician's last frame, it stays awake so long.
AWAKE_MS = 10_000
CABLE_MS = 30_000
UNDECIDED_MS = 10_000  # at most so long for more samples, in one go
ROUNDS = 8  # requests of one wake
LEAST_MS = 100  # a shorter sleep is not worth the start after it

# First and greatest limit of the wait for the next try, in s. A try without an answer keeps the
# radio on for some 10 s, 0.3 mAh: for an alarm an hour's wait is as much as may be, for the rest 4.
URGENT_S = (10, 3600)
PATIENT_S = (60, 4 * 3600)
# After so many failures a try is one datagram, without retransmission.
TIRED = 3
# So many wakes by the pin in a row, over a floor that samples as dry: the pin is not to be believed
# until the gateway has been told. A comparator that is stuck would empty the battery in days.
FRUITLESS = 3

COUNTED = "wakes pin_wakes tries failures awake_ms radio_ms"

# What down_ms() is before the gateway's first answer: as of link.py.
NEVER_MS = 0x3FFFFFFF


class Napper:
    """One per device, in the link's place: `await run()` never returns; it ends in a sleep.

    `hal`: hal_sleep. `settings`: heartbeat_s, wake_dry_s and wake_wet_s. `address`: the gateway's
    (numeric IP, port); `static_ip` as of Wifi.join(). `numbers`: piv.Numbers; `post`: post.Post.
    `role`: its step(), undecided(), arm(), freeze() and thaw(), PERIOD_MS, and URGENT, the kinds of
    events that do not wait. `stats`: the dict with all COUNTED, here, of coap.Client and of
    post.Post. `busy()`: whether something else keeps the device awake. `confirm()` is called before
    the first sleep of a start.
    """

    def __init__(
        self,
        hal,
        settings,
        address,
        static_ip,
        wifi,
        journal,
        clock,
        numbers,
        post,
        role,
        errors,
        log,
        stats,
        randint,
        busy,
        confirm,
        check_in,
    ):
        self.stats = stats
        self._hal = hal
        self._uptime = hal.uptime_ms
        self._settings = settings
        self._address = address
        self._static_ip = static_ip
        self._wifi = wifi
        self._journal = journal
        self._clock = clock
        self._numbers = numbers
        self._post = post
        self._role = role
        self._errors = errors
        self._log = log
        self._randint = randint
        self._busy = busy
        self._confirm = confirm
        self._check_in = check_in
        self._began = self._uptime()
        self._awake_until = AWAKE_MS
        self._place = None  # of Wifi.place(), where it was joined last
        self._heard = None  # uptime of the last answer
        self._talk_at = 0  # a heartbeat is due
        self._retry_at = 0  # no try before it
        self._failures = 0
        self._fruitless = 0
        self._seen = journal.next  # events from here on are new since the last look

    @property
    def rev(self):
        """Of the desired state that was applied, or None."""
        return self._post.rev

    def down_ms(self, now):
        """0 while the last try was answered, else ms since one was; NEVER_MS: none ever was."""
        if self._heard is None:
            return NEVER_MS
        return now - self._heard if self._failures else 0

    def kick(self):
        """An event was journalled; the next look finds it."""

    def stay_awake(self):
        """A technician is at the cable."""
        self._awake_until = self._uptime() + CABLE_MS

    async def run(self):
        """Samples, talks and sleeps, until it sleeps."""
        role = self._role
        while True:
            now = self._uptime()
            role.step(now)
            self._check_in()
            self._look(now)
            undecided = role.undecided() and now - self._began < UNDECIDED_MS
            if not undecided:
                if self._due(now):
                    await self._talk()
                elif now >= self._awake_until and not self._busy():
                    self._sleep(now)
            await asyncio.sleep_ms(role.PERIOD_MS)

    # What is kept over a sleep

    def thaw(self, kept):
        """Goes on from what freeze() gave before a sleep, in the form that battery.py looks for.
        KeyError, ValueError: the role cannot, or it counts other things; nothing has changed."""
        now = self._uptime()
        names = sorted(self.stats)
        if len(kept["stats"]) != len(names):
            raise ValueError("%d figures, not %d" % (len(kept["stats"]), len(names)))
        self._role.thaw(kept["role"])
        self._awake_until = now
        self._place = kept["place"]
        self._heard, self._talk_at, self._retry_at, self._failures = kept["talk"]
        # Whatever was kept, the gateway hears of it again.
        self._talk_at = min(self._talk_at, now + self._settings["heartbeat_s"] * 1000)
        self._retry_at = min(self._retry_at, now + PATIENT_S[1] * 1000)
        self._fruitless = kept["fruitless"]
        self._post.rev = kept["rev"]
        self._errors.last = kept["errors"]
        for at in range(len(names)):
            self.stats[names[at]] = kept["stats"][at]
        self.stats["wakes"] += 1
        if self._hal.woken_by_pin():
            self.stats["pin_wakes"] += 1
            self._fruitless += 1
            if self._fruitless == FRUITLESS:
                self._errors.report("wake: the pin says water where the probe finds none")
        elif self._fruitless < FRUITLESS:  # the pin has let it sleep
            self._fruitless = 0

    def freeze(self):
        """All that the next wake has to know, as a dict for JSON."""
        now = self._uptime()
        return {
            "v": VERSION,
            "up": now,
            "clock": self._hal.clock_ms(),
            "unix": self._clock.unix_ms(),
            "boot": self._journal.boot,
            "piv": [self._numbers.next, self._numbers.end],
            "place": self._place,
            "talk": [self._heard, self._talk_at, self._retry_at, self._failures],
            "fruitless": self._fruitless,
            "rev": self._post.rev,
            "errors": self._errors.last[-3:],
            "stats": [self.stats[name] for name in sorted(self.stats)],
            "role": self._role.freeze(),
        }

    def remember(self):
        """Puts it where it outlives a sleep and a reset: also before each number is used."""
        kept = self.freeze()
        try:
            self._hal.remember(json.dumps(kept).encode())
        except ValueError:  # the words of errors are the only part that may be long
            kept["errors"] = []
            self._hal.remember(json.dumps(kept).encode())

    def _sleep(self, now):
        armed = self._role.arm() if self._fruitless < FRUITLESS else None
        length = self._settings["wake_dry_s" if armed else "wake_wet_s"] * 1000
        talk = max(self._retry_at, now if self._waiting() else self._talk_at)
        length = min(length, talk - now)
        if length < LEAST_MS:
            return
        self._journal.flush_ack()
        self._confirm()
        self.stats["awake_ms"] += now - self._began
        self.remember()
        self._log("sleep: %d ms%s" % (length, ", or until water comes" if armed else ""))
        self._hal.deep_sleep(length, armed)

    # When to talk

    def _waiting(self):
        return self._journal.depth > 0

    def _look(self, now):
        """New events: one that is urgent does not wait for what was waited for before."""
        journal = self._journal
        if self._seen == journal.next:
            return
        self._fruitless = 0
        fresh = journal.peek(self._seen - 1, 8)
        self._seen = journal.next
        if any(event["kind"] in self._role.URGENT for event in fresh):
            self._retry_at = now
            self._failures = 0

    def _due(self, now):
        return now >= self._retry_at and (now >= self._talk_at or self._waiting())

    def _failed(self, why, least_s=0):
        """The next try comes later, and later the more have failed; with half of it as jitter, so
        that the devices of a hall do not come together after an outage."""
        now = self._uptime()
        self.stats["failures"] += 1
        waiting = self._journal.peek(self._journal.acked, 8)
        urgent = any(event["kind"] in self._role.URGENT for event in waiting)
        first, last = URGENT_S if urgent else PATIENT_S
        limit = min(first << min(self._failures, 12), last)
        wait = self._randint(limit * 500, limit * 1000)
        wait = max(wait, min(least_s, PATIENT_S[1]) * 1000)
        self._failures += 1
        self._retry_at = now + wait
        self._errors.report("%s; again in %d s" % (why, wait // 1000))

    async def _talk(self):
        """Everything that waits, in as many requests as it needs; mostly one."""
        began = self._uptime()
        self.stats["tries"] += 1
        try:
            self._numbers.ready()
        except (ValueError, OSError) as error:  # no radio for what cannot be said
            self._failed(str(error), PATIENT_S[1] // 2)
            return
        try:
            await self._exchange()
        except (ValueError, OSError) as error:
            self._failed(str(error) or reason(error), getattr(error, "max_age", 0))
        finally:
            self._wifi.off()
            self.stats["radio_ms"] += self._uptime() - began

    async def _exchange(self):
        if not await self._join():
            raise OSError("wifi: not joined")
        timings = coap.Timings()
        if self._failures >= TIRED:
            timings.transmissions = 1
        client = coap.Client(
            self._address, self._uptime, self._randint, self._check_in, self.stats, timings
        )
        try:
            for _ in range(ROUNDS):
                more = await self._post.exchange(client)
                self._journal.flush_ack()
                self._heard = now = self._uptime()
                self._talk_at = now + self._settings["heartbeat_s"] * 1000
                self._failures = self._fruitless = 0
                if not more:
                    break
        finally:
            client.close()
        if self._waiting():
            raise OSError("gateway: answers, and does not take the oldest event")

    async def _join(self):
        if self._place and await self._wifi.join(self._place, self._static_ip):
            return True
        self._place = None
        if await self._wifi.join(None, self._static_ip):
            self._place = self._wifi.place()
            return True
        return False
