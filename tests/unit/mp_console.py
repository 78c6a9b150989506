"""The real console on a line that is played: prints a line for each case that holds."""

import asyncio
import gc
import json
from binascii import crc32, hexlify

from hall import console
from hall.console import Console, hmac, same

CLAIM = bytes(range(16))
KEY = hmac(CLAIM, b"hallkit console")


class Terminal:
    """Gives what is in `input`, keeps what is written."""

    def __init__(self):
        self.input = bytearray()
        self.at = 0
        self.output = b""
        self.interrupts = []

    def read(self):
        if self.at == len(self.input):
            return -1
        self.at += 1
        return self.input[self.at - 1]

    def write(self, line):
        self.output += line

    def interruptible(self, on):
        self.interrupts.append(on)


class Shown:
    """What there is to show."""

    def __init__(self):
        self.done = []
        self.samples = 0

    def who(self, session):
        yield {"device": "dev-1"}
        yield session

    def health(self, counts):
        yield {"console": counts}

    def do(self, command, args):
        self.done.append((command, args))
        if command == "broken":
            raise MemoryError
        if command == "unknown":
            raise ValueError("unknown command")
        if command == "late":
            yield {"half": 1}
            raise OSError(5)
        yield {"did": command, "mail": "a@b"}

    def sample(self):
        self.samples += 1
        if self.samples > 100:
            raise OSError(19)
        return {"raw": self.samples}


class Device:
    """A console and the time it lives in."""

    def __init__(self, claim=CLAIM):
        self.now = 0
        self.alive = 0
        self.terminal = Terminal()
        self.shown = Shown()
        self.console = Console(self.terminal, self.shown, lambda: self.now, self.check_in)
        self.console.enrol(claim)
        self.nonce = None
        self.n = 0

    def check_in(self):
        self.alive += 1

    async def live(self, ms):
        async def sleep_ms(wait):
            self.now += wait
            if self.now >= self.end:
                raise asyncio.CancelledError

        self.end = self.now + ms
        console.asyncio.sleep_ms, real = sleep_ms, console.asyncio.sleep_ms
        try:
            await self.console.run()
        except asyncio.CancelledError:
            pass
        finally:
            console.asyncio.sleep_ms = real

    def hear(self, data, ms=200):
        """What it writes within `ms` after `data` came: [(id, command, value), ...]."""
        self.terminal.input += data
        self.terminal.output = b""
        asyncio.run(self.live(ms))
        return [parsed(line) for line in self.terminal.output.split(b"\n") if line]

    def begin(self):
        replies = self.hear(frame("i", "id", "{}"))
        session = replies[1][2][1]
        self.nonce = session["nonce"]
        assert session["n"] == self.n, (session, self.n)

    def guarded(self, ident, command, args, n=None, key=KEY, nonce=None):
        self.n += 1
        nonce = nonce or self.nonce
        n = json.dumps(self.n if n is None else n)
        text = '{"s":"%s","n":%s,"args":%s' % (nonce[:8], n, json.dumps(args))
        mac = hmac(key, ("%s%s %s %s" % (nonce, ident, command, text)).encode())
        return frame(ident, command, '%s,"mac":"%s"}' % (text, hexlify(mac[:16]).decode()))


def frame(ident, command, body):
    text = ("%s %s %s" % (ident, command, body)).encode()
    return b"@%s*%08x\n" % (text, crc32(text))


def parsed(line):
    assert line.rfind(b"@") == 0, line
    assert b"%08x" % crc32(line[1:-9]) == line[-8:], line
    ident, command, value = line[1:-9].split(b" ", 2)
    return ident.decode(), command.decode(), json.loads(value)


def values(replies, ident):
    return [value for name, _, value in replies if name == ident]


def hmac_is_that_of_the_rfc():
    # RFC 4231, test cases 1 and 2
    for key, message, wanted in (
        (
            b"\x0b" * 20,
            b"Hi There",
            "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7",
        ),
        (
            b"Jefe",
            b"what do ya want for nothing?",
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843",
        ),
    ):
        assert hexlify(hmac(key, message)).decode() == wanted
    assert same(b"ab", b"ab")
    assert not same(b"ab", b"aB")
    assert not same(b"ab", b"abc")
    assert not same(b"", b"a")
    assert same(b"", b"")


def it_answers_between_anything():
    it = Device()
    ask = frame("7", "health", "{}")
    for before in (
        b"",
        b"\n",
        b"noise ",
        b"@7 hea",
        b"@7 health {}*00000000\n",
        b"@" * 1000,
        b"\x00\xff\x03\x04\x1b[A",
        b"x" * 5000,
        b"@" + b"x" * 5000,
        b"@\n@ \n@  *\n@*\n@a*00000000\n",
        ask[:-1] + b"\r\n"[:0],
        bytes(range(256)),
    ):
        replies = it.hear(before + ask, 2000)
        assert values(replies, "7")[-1] == {"ok": 1}, (before[:20], replies)
    # In the middle of a frame too, and with \r.
    for between in (b"\x03\x03", b"\x00" * 50, b"\x1b"):
        assert values(it.hear(ask[:5] + between + ask[5:-1] + b"\r"), "7")[-1] == {"ok": 1}
    counts = it.console.counts()
    assert counts["noise"] > 5000, counts
    assert counts["broken"] >= 6, counts
    assert counts["long"] == 1, counts
    assert counts["refused"] == 0


def what_is_no_frame_gets_no_answer():
    it = Device()
    ask = frame("7", "health", "{}")
    for at in range(len(ask) - 1):
        for bit in range(8):
            bad = bytearray(ask)
            bad[at] ^= 1 << bit
            if bad[at] in b"\r\n@":
                continue
            replies = it.hear(b"\n" + bytes(bad), 60)
            assert replies == [], (bytes(bad), replies)
    assert it.hear(b"\nhealth\nid\n") == []


def nonsense_is_refused_and_counted():
    it = Device()
    for body in ("[]", "1", "", "{", "nul", '"x"', "[" * 200):
        (reply,) = values(it.hear(frame("8", "id", body)), "8")
        assert reply == {"error": "not a JSON object"}, reply
    assert it.console.refused == 7
    it.begin()
    (reply,) = values(it.hear(it.guarded("9", "unknown", {})), "9")
    assert reply == {"error": "unknown command"}
    (reply,) = values(it.hear(it.guarded("9", "broken", {})), "9")
    assert reply["error"].startswith("MemoryError"), reply
    assert values(it.hear(it.guarded("9", "late", {})), "9") == [
        [1, {"half": 1}],
        {"error": "OSError: [Errno 5] EIO"},
    ]


def without_a_claim_there_are_two_commands():
    it = Device(None)
    assert values(it.hear(frame("1", "id", "{}")), "1")[1][1]["guarded"] is False
    assert values(it.hear(frame("1", "health", "{}")), "1")[-1] == {"ok": 1}
    for command in ("selftest", "sensor", "events", "config", "repl", "reboot", "display", "x"):
        it.nonce = "00"
        (reply,) = values(it.hear(it.guarded("2", command, {})), "2")
        assert "no claim" in reply["error"]
    assert it.shown.done == []


def a_request_counts_once():
    it = Device()
    for body in ('{"n":1,"args":{}}', '{"s":null}', '{"s":"12345678","n":1,"args":{},"mac":""}'):
        (reply,) = values(it.hear(frame("2", "selftest", body)), "2")
        assert reply == {"error": "another session: ask for id first"}
    assert it.console.wrong == 0
    it.begin()
    ask = it.guarded("3", "selftest", {"a": 1})
    assert values(it.hear(ask), "3") == [[1, {"did": "selftest", "mail": "a@b"}], {"ok": 1}]
    (reply,) = values(it.hear(ask), "3")
    assert "n does not grow" in reply["error"]
    for n in (0, -1, 1, True, "9", 1.5, []):
        (reply,) = values(it.hear(it.guarded("3", "selftest", {}, n=n)), "3")
        assert "n does not grow" in reply["error"], (n, reply)
    (reply,) = values(it.hear(it.guarded("3", "selftest", [], n=50)), "3")
    assert "args are no object" in reply["error"], reply
    assert it.shown.done == [("selftest", {"a": 1})]
    assert it.console.wrong == 0
    # Whoever comes next goes on from there.
    it.n = 1
    it.begin()
    assert values(it.hear(it.guarded("3", "config", {})), "3")[-1] == {"ok": 1}
    # Another start does not know any of it, nor takes it for an attack.
    other = Device()
    (reply,) = values(other.hear(ask), "3")
    assert reply == {"error": "another session: ask for id first"}
    assert other.console.wrong == 0
    # Nor does the right key help without the right nonce.
    other.begin()
    it.nonce = other.nonce[:8] + it.nonce[8:]
    (reply,) = values(other.hear(it.guarded("3", "selftest", {})), "3")
    assert reply == {"error": "wrong mac"}
    assert other.shown.done == []


def no_byte_of_a_request_can_be_changed():
    it = Device()
    it.begin()
    good = it.guarded("3", "selftest", {"a": 1})
    text = good[1:-10]
    for at in range(len(text)):
        bad = bytearray(text)
        bad[at] ^= 1
        if bad[at] in b"\r\n@ " or text[at : at + 1] == b" ":
            continue
        it.now += 100000  # no lock
        it.hear(b"@%s*%08x\n" % (bytes(bad), crc32(bad)))
        assert it.shown.done == [], bytes(bad)
    it.now += 100000
    assert values(it.hear(good), "3")[-1] == {"ok": 1}


def guessing_is_slow():
    it = Device()
    it.begin()
    locks = []
    for _ in range(9):
        (reply,) = values(it.hear(it.guarded("4", "reboot", {}, key=bytes(32)), 30), "4")
        assert reply == {"error": "wrong mac"}
        locks.append(it.console.counts()["locked_ms"])
        # Meanwhile nobody gets in, whoever asks, and it is not even looked at.
        (reply,) = values(it.hear(it.guarded("4", "reboot", {}), 30), "4")
        assert "locked for" in reply["error"]
        # But health can be asked for.
        assert values(it.hear(frame("5", "health", "{}"), 100), "5")[-1] == {"ok": 1}
        it.now += it.console.counts()["locked_ms"] - 1
        (reply,) = values(it.hear(it.guarded("4", "reboot", {}), 1), "4")
        assert "locked for" in reply["error"], reply
        it.now += 1
    # The first sleep of 1 ms a byte and more is already over when they are read.
    assert [round(lock / 1000) for lock in locks] == [1, 2, 4, 8, 16, 32, 60, 60, 60], locks
    assert it.console.wrong == 9
    assert it.shown.done == []
    assert values(it.hear(it.guarded("4", "reboot", {})), "4")[-1] == {"ok": 1}
    # Who knows the claim starts from nought.
    it.hear(it.guarded("4", "reboot", {}, key=bytes(32)), 30)
    assert it.console.counts()["locked_ms"] <= 1000


def samples_come_until_they_are_stopped():
    it = Device()
    it.begin()
    for args in ({"ms": 49}, {"ms": 5001}, {"ms": "100"}, {"ms": None}, {"ms": True}):
        (reply,) = values(it.hear(it.guarded("5", "sensor", args)), "5")
        assert "ms must be" in reply["error"]
    it.shown.samples = 0
    stream = values(it.hear(it.guarded("5", "sensor", {"ms": 100}), 1000), "5")
    assert [n for n, _ in stream] == list(range(1, len(stream) + 1))
    assert 9 <= len(stream) <= 11
    # Other questions are answered meanwhile.
    replies = it.hear(frame("6", "health", "{}"), 500)
    assert values(replies, "6")[-1] == {"ok": 1}
    assert len(values(replies, "5")) >= 4
    # Another id takes over.
    replies = it.hear(it.guarded("7", "sensor", {"ms": 100}), 500)
    assert values(replies, "7")[0][0] == 1
    assert len(values(replies, "5")) <= 1
    replies = it.hear(it.guarded("8", "sensor", {"ms": 0}), 500)
    assert values(replies, "8") == [{"ok": 0}]
    assert len(values(replies, "7")) <= 1
    assert it.hear(b"", 500) == []


def samples_end_by_themselves():
    it = Device()
    it.begin()
    it.hear(it.guarded("5", "sensor", {"ms": 5000}), 100)
    stream = values(it.hear(b"", 40_000), "5")
    assert len(stream) == 6, stream
    assert stream[-1] == {"ok": 6}, stream
    it.shown.samples = 99
    stream = values(it.hear(it.guarded("5", "sensor", {"ms": 50}), 1000), "5")
    assert stream[-1] == {"error": "OSError: [Errno 19] ENODEV"}, stream
    (reply,) = values(it.hear(it.guarded("6", "sensor", {}), 1000), "6")
    assert reply == {"error": "OSError: [Errno 19] ENODEV"}


def ctrl_c_is_a_byte_after_two_seconds():
    it = Device()
    asyncio.run(it.live(1990))
    assert it.terminal.interrupts == []
    asyncio.run(it.live(5000))
    assert it.terminal.interrupts == [False]


def it_is_alive_and_takes_no_heap_at_rest():
    it = Device()
    it.now = 5000
    asyncio.run(it.live(100))
    before = it.alive
    # The loop's own step, without the sleep: coroutines of the test would take heap.
    it.console._listen()
    gc.collect()
    taken = gc.mem_alloc()
    for _ in range(200):
        it.console._check_in()
        it.console._listen()
    assert gc.mem_alloc() == taken, gc.mem_alloc() - taken
    assert it.alive == before + 200
    # Noise takes none either.
    it.terminal.input = bytearray(bytes(range(256)) * 20)
    it.terminal.at = 0
    gc.collect()
    taken = gc.mem_alloc()
    while it.terminal.at < len(it.terminal.input):
        it.console._listen()
    assert gc.mem_alloc() == taken, gc.mem_alloc() - taken


def a_flood_leaves_others_their_turn():
    it = Device()
    it.terminal.input = bytearray(b"x" * 5000)
    turns = it.alive
    asyncio.run(it.live(200))
    assert it.alive - turns == 10
    assert it.terminal.at == 10 * console.BURST


for case in (
    hmac_is_that_of_the_rfc,
    it_answers_between_anything,
    what_is_no_frame_gets_no_answer,
    nonsense_is_refused_and_counted,
    without_a_claim_there_are_two_commands,
    a_request_counts_once,
    no_byte_of_a_request_can_be_changed,
    guessing_is_slow,
    samples_come_until_they_are_stopped,
    samples_end_by_themselves,
    ctrl_c_is_a_byte_after_two_seconds,
    it_is_alive_and_takes_no_heap_at_rest,
    a_flood_leaves_others_their_turn,
):
    case()
    print("ok", case.__name__)
