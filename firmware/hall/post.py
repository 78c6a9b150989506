"""One request of a battery device and its response: POST /v1/event, as DESIGN.md has it.

Here: what a request carries, in CBOR under OSCORE, and what becomes of the response. Not here: the
way to the gateway (coap.py), and when it is worth going (napper.py).

A request carries all that waits, as far as it has room: {"events", "state", "replies"}. What the
gateway has committed leaves the journal by the response alone. An error that is not protected could
be anybody's: it ends the try and changes nothing else.
"""

import json
import os

from . import cbor, coap, downlink
from .errors import reason

REQUEST_MAX = 1152  # bytes inside the protection: a datagram that no network has to cut
STATE_MAX = 800
TOKEN_BYTES = 4
_CBOR = b"\x3c"  # Content-Format 60
_PATH = [(coap.URI_PATH, b"v1"), (coap.URI_PATH, b"event"), (coap.CONTENT_FORMAT, _CBOR)]
_CHANGED, _UNAUTHORIZED, _UNAVAILABLE = 0x44, 0x81, 0xA3

COUNTED = (
    "connects events acks acks_refused states stale repeated desired_refused "
    "commands commands_failed duplicates replies_dropped echoes"
)


class RefusedError(OSError):
    """The gateway took nothing; `max_age` is how many s it asks to wait, if it does."""

    def __init__(self, text, max_age=0):
        super().__init__(text)
        self.max_age = max_age


class Post:
    """`context`: oscore.Context. `numbers`: piv.Numbers. `state(rev)` -> dict of up/state.
    `on_desired(dict)` and `on_command(do, args)` as of link.Link. `stats` has COUNTED.
    """

    def __init__(
        self, journal, clock, uptime, context, numbers, state, on_desired, on_command, report, stats
    ):
        self.rev = None  # of the desired state that was applied
        self._journal = journal
        self._clock = clock
        self._uptime = uptime
        self._context = context
        self._numbers = numbers
        self._state = state
        self._on_desired = on_desired
        self._commands = downlink.Commands(on_command, stats)
        self._report = report
        self._stats = stats

    async def exchange(self, client):
        """One request through `client` (coap.Client), and its response. Whether more waits.

        OSError: nothing was committed, as far as is known. ValueError: as of piv.Numbers.take().
        """
        before = self._journal.acked
        payload, replies = self._payload()
        try:
            code, options, answer = await self._protected(client, payload)
        except OSError:
            for entry in replies:
                self._commands.not_sent(entry)
            raise
        if code != _CHANGED:
            raise RefusedError(
                "gateway: %d.%02d %s" % (code >> 5, code & 31, _printable(answer)),
                _max_age(options) if code == _UNAVAILABLE else 0,
            )
        self._stats["connects"] += 1
        self._take(answer)
        waiting = self._commands.waiting()
        return waiting or (before < self._journal.acked and self._journal.depth > 0)

    async def _protected(self, client, payload):
        """(code, options, payload) of the response, once the gateway knows that we are now."""
        code, options, answer = await self._once(client, _PATH, payload)
        echo = [value for number, value in options if number == coap.ECHO]
        if code == _UNAUTHORIZED and echo:  # RFC 9175: it has been away, and asks who is there
            self._stats["echoes"] += 1
            asked = _PATH + [(coap.ECHO, echo[0])]
            code, options, answer = await self._once(client, asked, payload)
        return code, options, answer

    async def _once(self, client, options, payload):
        number = self._numbers.take()
        value, sealed = self._context.protect(number, coap.POST, options, payload)
        # The message id too is never that of a request which the gateway may still remember.
        answer = await client.request(
            number & 0xFFFF, os.urandom(TOKEN_BYTES), coap.POST, [(coap.OSCORE, value)], sealed
        )
        code, options, sealed = answer
        try:
            return self._context.unprotect(number, options, sealed)
        except ValueError as error:
            # The outer code says no more than what anybody can say.
            raise RefusedError("gateway: %d.%02d, %s" % (code >> 5, code & 31, error))

    # The request

    def _payload(self):
        """The request's bytes, and the replies that are in it."""
        parts = []
        replies, entries = [], []
        room = REQUEST_MAX - 40  # names and counts
        entry = self._commands.next_reply()
        while entry:
            reply = cbor.dumps(json.loads(entry[1]))
            if len(reply) > room:
                self._commands.not_sent(entry)
                break
            room -= len(reply)
            replies.append(reply)
            entries.append(entry)
            entry = self._commands.next_reply()
        state = self._state_bytes()
        if len(state) <= room:
            room -= len(state)
            parts.append(("state", state))
            self._stats["states"] += 1
        events = self._events(room)
        self._stats["events"] += len(events)
        parts.append(("events", cbor.head(4, len(events)) + b"".join(events)))
        if replies:
            parts.append(("replies", cbor.head(4, len(replies)) + b"".join(replies)))
        body = b"".join([cbor.dumps(name) + content for name, content in parts])
        return cbor.head(5, len(parts)) + body, entries

    def _state_bytes(self):
        state = self._state(self.rev)
        payload = cbor.dumps(state)
        while len(payload) > STATE_MAX and state["health"]["errors"]:
            state["health"]["errors"].pop(0)
            payload = cbor.dumps(state)
        return payload

    def _events(self, room):
        """As many of what is not acknowledged as have room, oldest first."""
        journal = self._journal
        events = []
        after = journal.acked
        lost = journal.oldest - 1
        if lost > after:  # the ring overflowed
            events.append(cbor.dumps(self._gap(after + 1, lost)))
            room -= len(events[0])
            after = lost
        while True:
            found = journal.peek(after, 1)
            event = cbor.dumps(found[0]) if found else b""
            if not found or len(event) > room:
                return events
            room -= len(event)
            after = found[0]["seq"]
            events.append(event)

    def _gap(self, first, last):
        journal = self._journal
        return {
            "epoch": journal.epoch,
            "seq": last,
            "boot": journal.boot,
            "up": self._uptime(),
            "t": self._clock.unix_ms(),
            "kind": "gap",
            "data": {"from": first, "to": last},
        }

    # The response

    def _take(self, payload):
        try:
            said = cbor.loads(payload)
            if type(said) is not dict:
                raise ValueError("not a map")
            self._take_ack(said)
        except ValueError as error:
            self._stats["malformed"] += 1
            raise RefusedError("gateway: response: %s" % error)
        for name, take in (("desired", self._take_desired), ("cmd", self._take_commands)):
            if name in said:
                try:
                    take(said[name])
                except ValueError as error:
                    self._stats["malformed"] += 1
                    self._report("%s: %s" % (name, error))

    def _take_ack(self, said):
        """The ack; without events or state there is only the time."""
        said.setdefault("epoch", self._journal.epoch)
        said.setdefault("seq", 0)
        epoch, seq, now = downlink.check_ack(said)
        if epoch != self._journal.epoch or seq >= self._journal.next:
            self._stats["acks_refused"] += 1
            raise ValueError("ack is not for this journal: %d/%d" % (epoch, seq))
        self._stats["acks"] += 1
        self._clock.set(now)
        self._journal.ack(epoch, seq)

    def _take_desired(self, desired):
        if type(desired) is not dict:
            raise ValueError("not a map")
        rev = downlink.check_desired(desired)["rev"]
        if self.rev is not None and rev <= self.rev:
            self._stats["repeated" if rev == self.rev else "stale"] += 1
            return
        try:
            self._on_desired(desired)
        except Exception as error:
            self._stats["desired_refused"] += 1
            self._report("desired %d: %s" % (rev, reason(error)))
        else:
            self.rev = rev

    def _take_commands(self, commands):
        if type(commands) is not list or any(type(each) is not dict for each in commands):
            raise ValueError("not a list of maps")
        for command in commands:
            self._commands.obey(command)


def _max_age(options):
    """Max-Age in s; 60 is its default (RFC 7252, section 5.10.5)."""
    for number, value in options:
        if number == coap.MAX_AGE and len(value) <= 4:
            return int.from_bytes(value, "big")
    return 60


def _printable(payload):
    return "".join([chr(byte) if 32 <= byte < 127 else "?" for byte in payload[:60]])
