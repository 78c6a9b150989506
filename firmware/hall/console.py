"""The serial console: `@<id> <command> <json>*<crc32 hex>`, one line a frame, between log lines.

Here: frames found in whatever comes in, who may ask what, and replies piece by piece. Not here: the
UART (hal.Terminal), and what a command shows or does (diagnosis.py).

The CRC-32 is that of all between `@` and `*`, in lower case. `@` begins a frame wherever it stands,
as JSON can say it as \\u0040: what a cut or another writer left of a line costs no frame. Control
characters are no part of any. A reply is frames of the request's id and command: [n, object] with
n from 1, which together are the result, and at last {"ok": n} or {"error": text}. So no frame is
longer than what the UART sends while nobody notices, and none is lost without being missed.

`id` and `health` are open; `id` tells the nonce of this start and the last n that was used. The
rest is {"s", "n", "args", "mac"} in this order: s the nonce's first 8 digits, so that who does not
know of a restart is no attacker; n grows with each request; mac is the HMAC-SHA256 of the nonce in
hex and all between `@` and `,"mac"`, cut to 16 bytes (RFC 2104, section 5). Its key is the HMAC of
b"hallkit console" under the claim on the device's label.
"""

import asyncio
import json
import os
from binascii import crc32, hexlify

from micropython import const

from .mac import hmac, same

# The port keeps 260 bytes until they are read, 22 ms of the line; a frame has to find room there.
_POLL_MS = const(20)
_FRAME_MAX = const(250)
BURST = 100  # bytes taken in one go: other tasks wait some 7 ms for them [E]
_BYTES_PER_MS = const(11)  # 115200 baud
# Ctrl-C stops the application so long after a start, for the bench; boot.py may have forbidden it.
_BENCH_MS = const(2000)

_LOCK_MS = const(1000)  # after a wrong mac; doubled by each further one, up to
_LOCK_LAST_MS = const(60_000)
_SAMPLES_MS = const(30_000)  # a stream of samples ends so long after it was last asked for

_MAC_BYTES = const(16)
_TAIL = const(8 + 2 * _MAC_BYTES + 2)  # ,"mac":"..."}
_AT = const(64)
_SPACE = const(32)


class Console:
    """`terminal`: hal.Terminal. `shown`: diagnosis.Diagnosis. uptime() -> ms since boot.
    check_in() is called whenever the console's task made progress, and `heard()`, for who sets it,
    at each whole frame.

    It counts: `noise` bytes outside of frames, `broken` frames, `long` ones, `refused` requests and
    `wrong` macs.
    """

    def __init__(self, terminal, shown, uptime, check_in):
        self.noise = self.broken = self.long = self.refused = self.wrong = 0
        self._terminal = terminal
        self._shown = shown
        self._uptime = uptime
        self._check_in = check_in
        self._key = None
        self._line = bytearray(_FRAME_MAX)
        self._length = -1  # bytes after an @; -1: none has come
        self._nonce = hexlify(os.urandom(16)).decode()
        self._number = 0
        self._tries = 0
        self._locked_until = 0
        self._stream = None  # [id, frames sent, ms between samples, when the next, until when]
        self._bench = True
        self.heard = lambda: None

    def enrol(self, claim):
        """From now on who knows the claim (bytes, or None) may ask for everything."""
        self._key = hmac(claim, b"hallkit console") if claim else None

    def counts(self):
        """What came in and was not taken."""
        return {
            "noise": self.noise,
            "broken": self.broken,
            "long": self.long,
            "refused": self.refused,
            "wrong_mac": self.wrong,
            "locked_ms": max(0, self._locked_until - self._uptime()),
        }

    async def run(self):
        """Never returns. Takes no heap while nothing comes in."""
        while True:
            self._check_in()
            now = self._uptime()
            if self._bench and now >= _BENCH_MS:
                self._bench = False
                self._terminal.interruptible(False)
            if self._listen():
                await self._answer()
            if self._stream:
                await self._sample(self._stream)
            await asyncio.sleep_ms(_POLL_MS)

    def _listen(self):
        """Whether a frame is complete in the line; what follows it waits in the port's buffer."""
        for _ in range(BURST):
            byte = self._terminal.read()
            if byte < 0:
                return False
            if byte == _AT:
                self.broken += self._length > 0
                self._length = 0
            elif byte in b"\n\r":
                if self._length > 0:
                    return True
                self._length = -1
            elif self._length < 0 or byte < _SPACE:
                self.noise += 1
            elif self._length == _FRAME_MAX:
                self._length = -1
                self.long += 1
            else:
                self._line[self._length] = byte
                self._length += 1
        return False

    async def _answer(self):
        line = bytes(memoryview(self._line)[: self._length])
        self._length = -1
        star = len(line) - 9
        parts = line[: max(star, 0)].split(b" ", 2)
        if line[star:] != b"*%08x" % crc32(line[: max(star, 0)]) or len(parts) != 3:
            self.broken += 1
            return
        ident, command, body = parts
        self.heard()
        sent = 0
        try:
            for piece in self._do(ident, command.decode(), body, line[:star]):
                sent += 1
                await self._say(ident, command, [sent, piece])
            end = {"ok": sent}
        except ValueError as refusal:
            self.refused += 1
            end = {"error": str(refusal)}
        except Exception as failure:
            end = {"error": _words(failure)}
        if not self._stream or self._stream[0] != ident:
            await self._say(ident, command, end)

    async def _say(self, ident, command, value):
        text = json.dumps(value, separators=(",", ":")).replace("@", "\\u0040")
        line = b"%s %s %s" % (ident, command, text.encode())
        line = b"@%s*%08x\n" % (line, crc32(line))
        self._terminal.write(line)
        self._check_in()
        # The UART takes 128 bytes at once; whoever writes before they are gone stops the chip.
        await asyncio.sleep_ms(len(line) // _BYTES_PER_MS + 1)

    def _do(self, ident, command, body, line):
        """The pieces of a reply. ValueError: refused, and why."""
        try:
            asked = json.loads(body)
        except ValueError:
            asked = None
        if type(asked) is not dict:
            raise ValueError("not a JSON object")
        if command == "id":
            session = {"guarded": self._key is not None, "nonce": self._nonce, "n": self._number}
            return self._shown.who(session)
        if command == "health":
            return self._shown.health(self.counts())
        args = self._permitted(asked, line)
        if command == "sensor":
            return self._ask_samples(ident, args)
        return self._shown.do(command, args)

    def _permitted(self, asked, line):
        """The args of a request whose mac is right. ValueError: it may not be obeyed."""
        if self._key is None:
            raise ValueError("this device has no claim: only id and health")
        now = self._uptime()
        if now < self._locked_until:
            raise ValueError("locked for %d ms" % (self._locked_until - now))
        if asked.get("s") != self._nonce[:8]:
            raise ValueError("another session: ask for id first")
        number, args = asked.get("n"), asked.get("args")
        mac = hexlify(hmac(self._key, self._nonce.encode() + line[:-_TAIL])[:_MAC_BYTES])
        if not same(line[-_TAIL:], b',"mac":"%s"}' % mac):
            self.wrong += 1
            self._locked_until = now + min(_LOCK_MS << min(self._tries, 10), _LOCK_LAST_MS)
            self._tries += 1
            raise ValueError("wrong mac")
        self._tries = 0
        if type(number) is not int or number <= self._number or type(args) is not dict:
            raise ValueError("n does not grow, or args are no object")
        self._number = number
        return args

    # Samples of the sensor, until they are stopped or nobody asks for them any more

    def _ask_samples(self, ident, args):
        """Those that were asked for before end without a word."""
        every = args.get("ms", 100)
        if type(every) is not int or (every and not 50 <= every <= 5000):
            raise ValueError("ms must be 50 to 5000, or 0 to stop")
        self._stream = None
        if every:
            self._shown.sample()  # tells at once when there is none
            now = self._uptime()
            self._stream = [ident, 0, every, now, now + _SAMPLES_MS]
        return ()

    async def _sample(self, stream):
        now = self._uptime()
        if now < stream[3]:
            return
        ident, sent, every = stream[:3]
        stream[3] = max(stream[3] + every, now)  # one that is late is not made up for
        try:
            if now < stream[4]:
                value = [sent + 1, self._shown.sample()]
                stream[1] = sent + 1
            else:
                self._stream = None
                value = {"ok": sent}
        except Exception as failure:
            self._stream = None
            value = {"error": _words(failure)}
        await self._say(ident, b"sensor", value)


def _words(error):
    return "%s: %s" % (type(error).__name__, error)
