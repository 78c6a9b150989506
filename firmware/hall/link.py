"""The device's side of the MQTT contract: events up until the gateway has committed them, reported
state, desired state by rev, commands with replies (DESIGN.md, "Device side").

Here the parts meet on one connection after another: window.py says which events are due,
reported.py the state, downlink.py checks what came, mqtt.py moves it. No hardware, no flash: the
journal, the clock, the role's callbacks, time and randomness are handed in.

A PUBACK says that the broker took a message; only down/ack says that the gateway keeps it. So the
journal moves by down/ack alone, and the link counts as up by the age of the last one.
"""

import asyncio
import gc

from micropython import const

from . import mqtt
from .backoff import Backoff
from .downlink import Commands, read_ack, read_desired
from .errors import reason
from .packets import Buffers, MqttError, psk_context
from .reported import Reported
from .window import Window

# A handshake's arithmetic stops the one thread for longer than a press may wait for its lamp. So it
# waits until nobody is there, but not for ever: what is journalled has to go.
_QUIET_MS = const(30_000)
_QUIET_LOOK_MS = const(100)

# What down_ms() is before the gateway's first ack: more than any desired state is good for.
NEVER_MS = 0x3FFFFFFF

COUNTED = (
    "connects failures events resends acks acks_refused states stale repeated desired_refused "
    "malformed commands commands_failed duplicates replies_dropped"
)


class Timings(mqtt.Timings):
    """Those of MQTT and the link's own, in ms."""

    resend = 5000  # patience with an ack before the window goes again ...
    resend_last = 30000  # ... plus full jitter that doubles up to this
    answer = 10000  # asked and not answered for so long, the gateway counts as down
    state_check = 1000  # the reported state goes at most so often
    # And at least so often. It is what an idle device asks the gateway with: 20 s and `answer`
    # make a silent gateway known within the 30 s after which a call on a display is stale.
    state = 20000
    reconnect = 1000
    reconnect_last = 60000
    stable = 30000  # a connection that lived so long has the reconnect waits start anew


class Link:
    """One per device: `await run()` never returns; `kick()` after an event was journalled.

    device: the id. address: (numeric IP, port) of the broker. psk: key bytes for TLS-PSK, whose
    identity is the device id; None for plain TCP. journal: hall.journal.Journal.
    clock: set(unix_ms) and unix_ms() -> int or None. uptime() -> ms since boot.
    on_desired(dict) takes a newer desired state; on_command(do, args) -> a result for JSON; a
    ValueError of either says why not. state() -> dict of what is shown or sensed, below 300 bytes
    of JSON. about: as of Reported. errors: hall.errors.Errors. randint(a, b) -> a..b.
    check_in() is called whenever the link's task made progress.

    `stats` counts what happened and what was refused.
    """

    def __init__(
        self,
        device,
        address,
        psk,
        journal,
        clock,
        uptime,
        on_desired,
        on_command,
        state,
        about,
        errors,
        randint,
        check_in,
        timings=None,
    ):
        if not all(char in "0123456789.:" for char in address[0]):
            raise ValueError("broker host must be a numeric IP address, not " + address[0])
        self._timings = timings = timings or Timings()
        self.stats = stats = mqtt.new_counts()
        for name in COUNTED.split():
            stats[name] = 0
        self.rev = None  # of the desired state applied in this boot
        # Whether nobody would notice if the device stood still. A plain True would tell the type
        # check that every role must always say so.
        self.quiet = lambda: bool(1)
        self.take = None  # takes the payload of down/chunk while an update asks for some
        # The payload of up/fetch, sent once at the next kick(); one that its connection does not
        # survive is forgotten, as an answer may be too.
        self.fetch = None
        self._id = device.encode()
        self._root = "device/v1/%s/" % device
        self._address = address
        self._ssl = psk_context(self._id, psk) if psk is not None else None
        self._journal = journal
        self._clock = clock
        self._uptime = uptime
        self._check_in = check_in
        self._on_desired = on_desired
        self._buffers = Buffers()
        self._wake = asyncio.Event()
        self._commands = Commands(on_command, stats)
        self._report = errors.report
        self._reported = Reported(
            journal, state, about, stats, errors, timings.state_check, timings.state
        )
        self._window = Window(
            journal, uptime, clock.unix_ms, timings.resend, timings.resend_last, randint
        )
        self._reconnect = Backoff(timings.reconnect, timings.reconnect_last, randint)
        self._answered = False  # the gateway has acked on this connection
        self._heard = None  # uptime of the last ack
        self._asked = None  # uptime of the oldest event or state that no ack came after

    def kick(self):
        """An event was journalled: send it now."""
        self._wake.set()

    def down_ms(self, now):
        """0 while the gateway answers, else ms since it last did; NEVER_MS when it never has.

        A device that has only started cannot know how old a retained desired state is.
        """
        if self._answered and (self._asked is None or now - self._asked < self._timings.answer):
            return 0
        return NEVER_MS if self._heard is None else now - self._heard

    async def run(self):
        """Connect, serve, and connect again, for ever."""
        while True:
            gc.collect()  # TLS wants its memory in one piece
            began = self._uptime()
            try:
                await self._serve()
            except MqttError as error:
                self.stats["failures"] += 1
                self._report(str(error))
            finally:
                answered, self._answered = self._answered, False
            if answered or self._uptime() - began >= self._timings.stable:
                self._reconnect.reset()
            self._check_in()
            await asyncio.sleep_ms(self._reconnect.wait_ms())
            await self._until_quiet()

    async def _until_quiet(self):
        for _ in range(_QUIET_MS // _QUIET_LOOK_MS):
            self._check_in()
            if self.quiet():
                return
            await asyncio.sleep_ms(_QUIET_LOOK_MS)

    def _connection(self):
        return mqtt.Connection(
            self._address,
            self._id,
            (self._topic("up/online"), b"0"),
            self._on_message,
            self._wake,
            self._buffers,
            self.stats,
            self._ssl,
            self._timings,
        )

    async def _serve(self):
        async with self._connection() as connection:
            self.stats["connects"] += 1
            self._asked = None
            self._window.restart()
            self._reported.renew()
            await connection.subscribe(
                [self._topic("down/" + t) for t in ("ack", "desired", "cmd", "chunk")]
            )
            await connection.publish(self._topic("up/online"), b"1", True)
            while True:
                self._wake.clear()
                connection.check()
                await self._send_state(connection)
                await self._send_events(connection)
                await self._send_replies(connection)
                if self.fetch:
                    payload, self.fetch = self.fetch, None
                    await connection.publish(self._topic("up/fetch"), payload)
                await self._wait()

    async def _send_state(self, connection):
        payload = self._reported.due(self.rev, self._uptime())
        if payload is not None:
            self._ask()  # before it goes: the ack can be here before publish() returns
            await connection.publish(self._topic("up/state"), payload, True)
            self.stats["states"] += 1

    async def _send_events(self, connection):
        window = self._window
        now = self._uptime()
        if window.overdue(now):
            if connection.unacked:
                # Still on its way to the broker: sending it again would only lengthen the queue.
                window.postpone(now)
            else:
                self.stats["resends"] += 1
                window.restart()
        for seq, payload in window.due():
            await connection.publish(self._topic("up/event"), payload)
            self.stats["events"] += 1
            if window.sent(seq, self._uptime()):
                self._ask()

    async def _send_replies(self, connection):
        entry = self._commands.next_reply()
        while entry is not None:
            try:
                await connection.publish(self._topic("up/reply"), entry[1])
            except MqttError:
                self._commands.not_sent(entry)
                raise
            entry = self._commands.next_reply()

    async def _wait(self):
        """Until something happened or is due."""
        self._check_in()
        wait = self._timings.state_check
        if self._window.resend_at is not None:
            wait = max(0, min(wait, self._window.resend_at - self._uptime()))
        try:
            await asyncio.wait_for_ms(self._wake.wait(), wait)
        except asyncio.TimeoutError:
            pass  # the loop looks at what is due

    def _ask(self):
        if self._asked is None:
            self._asked = self._uptime()

    def _topic(self, name):
        return (self._root + name).encode()

    def _on_message(self, topic, payload, retained):
        try:
            if topic == self._root + "down/desired":
                self._take_desired(read_desired(payload))
            elif retained:
                # It would come again at every connect: a retained reboot never ends.
                raise ValueError("must not be retained")
            elif topic == self._root + "down/ack":
                self._take_ack(*read_ack(payload))
            elif topic == self._root + "down/cmd":
                self._commands.take(payload)
            elif topic[len(self._root) + 5 :] == "chunk" and self.take:
                self.take(payload)
            else:
                raise ValueError("not asked for")
        except ValueError as error:
            self.stats["malformed"] += 1
            self._report("%s: %s" % (topic[len(self._root) :], error))
        self._wake.set()

    def _take_ack(self, epoch, seq, unix_ms):
        if epoch != self._journal.epoch or seq >= self._journal.next:
            self.stats["acks_refused"] += 1
            self._report("down/ack: not for this journal: %d/%d" % (epoch, seq))
            return
        self.stats["acks"] += 1
        self._clock.set(unix_ms)
        self._answered = True
        self._heard = now = self._uptime()
        self._asked = now if self._window.acked(epoch, seq, now) else None

    def _take_desired(self, desired):
        rev = desired["rev"]
        if self.rev is not None and rev <= self.rev:
            # The broker repeats the retained one at every connect; only an older one is stale.
            self.stats["repeated" if rev == self.rev else "stale"] += 1
            return
        try:
            self._on_desired(desired)
        except Exception as error:
            self.stats["desired_refused"] += 1
            self._report("down/desired %d: %s" % (rev, reason(error)))
        else:
            self.rev = rev
