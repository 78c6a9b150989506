"""RFC 8613, appendix C: the vectors C.1 to C.8, and responses that must not be taken."""

from binascii import unhexlify as h

from hall import coap
from hall.oscore import Context, OscoreError

SECRET = h("0102030405060708090a0b0c0d0e0f10")
SALT = h("9e7ca92223786340")
CONTEXT = h("37cbf3210017a2d3")
GET = 1
URI_HOST = (3, b"localhost")
URI_PATH = (11, b"tv1")


def keys(context, sender, recipient, common_iv):
    assert context.sender_key == h(sender)
    assert context.recipient_key == h(recipient)
    assert context.common_iv == h(common_iv)


def nonces(context, own, other):
    assert context._nonce(context._sender, b"\0") == h(own)
    assert context._nonce(context._recipient, b"\0") == h(other)


def key_derivation():
    zero, one = b"\x00", b"\x01"
    c1 = ("f0910ed7295e6ad4b54fc793154302ff", "ffb14e093c94c9cac9471648b4f98710")
    iv = "4622d4dd6d944168eefb54987c"
    client = Context(SECRET, SALT, b"", one)
    keys(client, c1[0], c1[1], iv)
    nonces(client, iv, "4722d4dd6d944169eefb54987c")
    server = Context(SECRET, SALT, one, b"")
    keys(server, c1[1], c1[0], iv)
    nonces(server, "4722d4dd6d944169eefb54987c", iv)

    c2 = ("321b26943253c7ffb6003b0b64d74041", "e57b5635815177cd679ab4bcec9d7dda")
    iv = "be35ae297d2dace910c52e99f9"
    client = Context(SECRET, b"", zero, one)
    keys(client, c2[0], c2[1], iv)
    nonces(client, "bf35ae297d2dace910c52e99f9", "bf35ae297d2dace810c52e99f9")
    server = Context(SECRET, b"", one, zero)
    keys(server, c2[1], c2[0], iv)
    nonces(server, "bf35ae297d2dace810c52e99f9", "bf35ae297d2dace910c52e99f9")

    c3 = ("af2a1300a5e95788b356336eeecd2b92", "e39a0c7c77b43f03b4b39ab9a268699f")
    iv = "2ca58fb85ff1b81c0b7181b85e"
    client = Context(SECRET, SALT, b"", one, CONTEXT)
    keys(client, c3[0], c3[1], iv)
    nonces(client, iv, "2da58fb85ff1b81d0b7181b85e")
    server = Context(SECRET, SALT, one, b"", CONTEXT)
    keys(server, c3[1], c3[0], iv)


def request(context, plain, wanted):
    """The unprotected request becomes the protected one, byte by byte."""
    kind, code, mid, token, options, payload = coap.decode(h(plain))
    assert (kind, code, options, payload) == (coap.CON, GET, [URI_HOST, URI_PATH], b"")
    value, sealed = context.protect(20, code, [URI_PATH], payload)
    outer = [URI_HOST, (coap.OSCORE, value)]
    assert coap.encode(kind, coap.POST, mid, token, outer, sealed) == h(wanted)


def requests():
    request(  # C.4
        Context(SECRET, SALT, b"", b"\x01"),
        "44015d1f00003974396c6f63616c686f737483747631",
        "44025d1f00003974396c6f63616c686f7374620914ff612f1092f1776f1c1668b3825e",
    )
    request(  # C.5
        Context(SECRET, b"", b"\x00", b"\x01"),
        "440171c30000b932396c6f63616c686f737483747631",
        "440271c30000b932396c6f63616c686f737463091400ff4ed339a5a379b0b8bc731fffb0",
    )
    request(  # C.6
        Context(SECRET, SALT, b"", b"\x01", CONTEXT),
        "44012f8eef9bbf7a396c6f63616c686f737483747631",
        "44022f8eef9bbf7a396c6f63616c686f73746b19140837cbf3210017a2d3ff72cd7273fd331ac45cffbe55c3",
    )


RESPONSES = (
    "64445d1f0000397490ffdbaad1e9a7e7b2a813d3c31524378303cdafae119106",  # C.7
    "64445d1f00003974920100ff4d4c13669384b67354b2b6175ff4b8658c666a6cf88e",  # C.8: its own PIV
)


def responses():
    client = Context(SECRET, SALT, b"", b"\x01")
    for wire in RESPONSES:
        kind, code, mid, token, options, payload = coap.decode(h(wire))
        assert (kind, code, mid, token) == (coap.ACK, 0x44, 0x5D1F, h("00003974"))
        assert client.unprotect(20, options, payload) == (0x45, [], b"Hello World!")


def refused(context, number, options, payload):
    try:
        context.unprotect(number, options, payload)
    except OscoreError:
        return
    raise AssertionError("%s %s was taken" % (options, payload))


def what_is_no_response():
    client = Context(SECRET, SALT, b"", b"\x01")
    other = Context(bytes(16), SALT, b"", b"\x01")
    for wire in RESPONSES:
        options, payload = coap.decode(h(wire))[4:]
        refused(client, 21, options, payload)  # of another request: a replay
        refused(other, 20, options, payload)  # other keys
        refused(client, 20, [], payload)  # not protected
        refused(client, 20, options * 2, payload)
        for at in range(len(payload)):
            for bit in range(8):
                altered = bytearray(payload)
                altered[at] ^= 1 << bit
                refused(client, 20, options, bytes(altered))
        for length in range(len(payload)):
            refused(client, 20, options, payload[:length])
    for value in ("01", "06000000000000", "0800", "10", "80", "0900", "020102ff", "ff"):
        refused(client, 20, [(coap.OSCORE, h(value))], payload)


def numbers_end():
    context = Context(SECRET, SALT, b"", b"\x01")
    for number, piv in ((0, "00"), (255, "ff"), (256, "0100"), ((1 << 40) - 1, "ffffffffff")):
        value, _ = context.protect(number, GET, [], b"")
        assert value[1:] == h(piv), value
    for number in (-1, 1 << 40):
        try:
            context.protect(number, GET, [], b"")
            raise AssertionError(number)
        except OscoreError:
            pass


key_derivation()
requests()
responses()
what_is_no_response()
numbers_end()
print("all")
