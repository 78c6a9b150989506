"""Random bytes, and real ones that were altered, into CoAP, CBOR and OSCORE: each is taken or is
refused with its own error. Argument: the seed. Prints how many were taken and refused."""

import random
import sys

from hall import cbor, coap
from hall.oscore import Context, OscoreError

ROUNDS = 4000
random.seed(int(sys.argv[1]))
context = Context(bytes(16), b"", b"\x01", b"")
VALUE = {"epoch": 3735928559, "seq": 70000, "now": 1790000000000, "desired": {"rev": 2, "x": [-9]}}
CBOR = cbor.dumps(VALUE)
COAP = coap.encode(coap.ACK, 0x44, 7, b"\x01\x02\x03\x04", [(9, b""), (252, b"echo" * 70)], CBOR)
taken = {"cbor": 0, "coap": 0, "oscore": 0}
refused = {"cbor": 0, "coap": 0, "oscore": 0}


def altered(data):
    data = bytearray(data)
    for _ in range(random.randint(1, 4)):
        kind = random.getrandbits(2)
        at = random.randint(0, len(data) - 1) if data else 0
        if kind == 0 and data:
            data[at] ^= 1 << random.getrandbits(3)
        elif kind == 1:
            data = data[:at]
        elif kind == 2:
            data = data[:at] + bytes([random.getrandbits(8)]) + data[at:]
        elif data:
            data[at] = random.choice((0, 0x7F, 0x80, 0xFF, 0x9F, 0xBF, 0xDF, 0xFB, 0x5B))
    return bytes(data)


def noise():
    return bytes([random.getrandbits(8) for _ in range(random.randint(0, 40))])


def feed(name, error, read, data):
    try:
        read(data)
        taken[name] += 1
    except error:
        refused[name] += 1


def option(data):
    return context.unprotect(1, [(9, data[:8])], data[8:])


assert cbor.loads(CBOR) == VALUE
for turn in range(ROUNDS):
    feed("cbor", cbor.CborError, cbor.loads, altered(CBOR) if turn & 1 else noise())
    feed("coap", coap.CoapError, coap.decode, altered(COAP) if turn & 1 else b"`" + noise())
    if turn % 8 == 0:
        feed("oscore", OscoreError, option, noise())
print(taken["cbor"], refused["cbor"], taken["coap"], refused["coap"], refused["oscore"])
