"""A battery device's request and response (post.py) against a gateway that says anything.

Whatever comes, exchange() takes it or raises OSError; the journal moves by a genuine ack alone.
Argument: the seed. Prints how many responses were taken and refused.
"""

import asyncio
import random
import sys

from hall import cbor, coap, oscore, post
from hall.journal import Journal
from hall.oscore import Context
from nor_flash import NorFlash

SECRET = bytes(range(16))
EPOCH = 99
NOW = 1_790_000_000_000
random.seed(int(sys.argv[1]))
context = Context(SECRET, b"", b"\x01", b"")
gateway = Context(SECRET, b"", b"", b"\x01")


class Numbers:
    next = 0

    def take(self):
        self.next += 1
        return self.next - 1


class Clock:
    t = None

    def set(self, t):
        self.t = t

    def unix_ms(self):
        return self.t


def sealed(number, code, options, payload):
    """A response to the request `number`, as the gateway protects it."""
    piv = oscore._piv(number)
    plain = bytes([code]) + coap.encode_body(options, payload)
    nonce = context._nonce(b"\x01", piv)
    return oscore._seal(gateway.sender_key, nonce, context._aad(piv), plain)


def opened(request):
    """What a request says, as the gateway reads it."""
    options, payload = request[3:]
    value = options[0][1]
    piv = value[1 : 1 + (value[0] & 7)]
    plain = oscore._open(gateway.recipient_key, context._nonce(b"\x01", piv), aad(piv), payload)
    inner, body = coap.decode_body(plain[1:])
    assert plain[0] == coap.POST
    assert inner[:3] == [(11, b"v1"), (11, b"event"), (12, b"\x3c")], inner
    assert len(body) <= post.REQUEST_MAX, len(body)
    return inner, cbor.loads(body)


def aad(piv):
    return context._aad(piv)


class Client:
    """Answers what `answers` has, one after the other: (code, options, payload) functions."""

    def __init__(self, *answers):
        self.answers = list(answers)
        self.came = []

    async def request(self, mid, token, code, options, payload):
        self.came.append((mid, token, code, options, payload))
        return self.answers.pop(0)(len(self.came) - 1 + self.first)


def protected(code, options, payload):
    return lambda number: (0x44, [(9, b"")], sealed(number, code, options, payload))


def new_post(events):
    flash = NorFlash(4, 4096, random)
    Journal.format(flash, EPOCH)
    journal = Journal(flash, lambda: 5)
    for number in range(events):
        journal.append("dry", {"ohms": 100_000 + number})
    stats = {}
    for names in (coap.COUNTED, post.COUNTED):
        for name in names.split():
            stats[name] = 0
    told = []
    state = {"rev": None, "shows": {"wet": None}, "health": {"errors": ["e" * 80] * 3}}
    made = post.Post(
        journal,
        Clock(),
        lambda: 5,
        context,
        Numbers(),
        lambda rev: dict(state, health={"errors": ["e" * 80] * 3}),
        told.append,
        lambda do, args: {"did": do},
        told.append,
        stats,
    )
    return made, journal, stats, told


def exchange(made, *answers):
    client = Client(*answers)
    client.first = made._numbers.next
    more = asyncio.run(made.exchange(client))
    return client, more


def ack(seq, **more):
    said = {"epoch": EPOCH, "seq": seq, "now": NOW}
    said.update(more)
    return protected(0x44, [(12, b"\x3c")], cbor.dumps(said))


def refused(made, *answers):
    try:
        exchange(made, *answers)
    except OSError as error:
        return error
    raise AssertionError("taken")


# An echo, events in two requests as a datagram is full, a command and its reply, desired state.
made, journal, stats, told = new_post(20)
challenge = protected(0x81, [(252, b"who?")], b"")
client, more = exchange(made, challenge, ack(6))
first, again = [opened(request) for request in client.came]
assert again[0][3] == (252, b"who?")
assert first[1] == again[1], "the same, with the echo"
assert client.came[0][0] != client.came[1][0], "and a number of its own"
assert [event["seq"] for event in first[1]["events"]][:2] == [1, 2]
assert 1 < len(first[1]["events"]) < 20
assert more
assert journal.acked == 6
command = {"id": "c1", "do": "selftest", "args": {}}
client, more = exchange(made, ack(19, cmd=[command], desired={"rev": 3, "a": 1}))
assert more, "the reply waits, and an event"
assert made.rev == 3
client, more = exchange(made, ack(20))
said = opened(client.came[0])[1]
assert said["replies"] == [{"id": "c1", "ok": True, "result": {"did": "selftest"}}]
assert not more
assert journal.depth == 0

# Errors that are genuine, and such that anybody can send.
made, journal, stats, told = new_post(2)
error = refused(made, protected(0xA3, [(14, b"\x01\x2c")], b"full"))
assert error.max_age == 300, error.max_age
assert "5.03 full" in str(error)
assert refused(made, protected(0x80, [], b"what?")).max_age == 0
for code in (0x44, 0x81, 0x80, 0xA3):
    error = refused(made, lambda _, code=code: (code, [(14, b"\xff\xff\xff")], cbor.dumps({})))
    assert error.max_age == 0
    assert "not protected" in str(error)
refused(made, challenge, challenge)
refused(made, ack(3))  # never given out
refused(made, ack(1, epoch=EPOCH + 1))
refused(made, protected(0x44, [], b"\x80"))
assert journal.acked == 0
exchange(made, protected(0x44, [], cbor.dumps({"now": NOW})))
assert journal.acked == 0, "the time alone is no ack"

# Anything at all.
taken = turned = 0
for _ in range(400):
    good = cbor.dumps(
        {"epoch": EPOCH, "seq": 1, "now": NOW, "cmd": [command], "desired": {"rev": 9}}
    )
    body = bytearray(good)
    for _ in range(random.randint(1, 3)):
        body[random.randint(0, len(body) - 1)] = random.getrandbits(8)
    try:
        exchange(made, protected(0x44, [], bytes(body)))
        taken += 1
    except OSError:
        turned += 1
assert journal.acked <= 1
print(taken, turned)
