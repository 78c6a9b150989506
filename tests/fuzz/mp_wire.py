"""Readers of what comes over the network and the serial line, as the device has them.

Runs in MicroPython and in CPython. Each function is given bytes, returns whether they were taken,
and raises what is wrong with the reader: anything that it does not say it raises, or an assertion.
"""

import json
from binascii import crc32, hexlify

import mp_stage as stage
from hall import cbor, coap, mqtt, oscore
from hall.drivers import ld2450, wiegand
from hall.mac import hmac
from hall.packets import Buffers, MqttError, PacketStream, get_int
from hall.post import RefusedError

buffers = Buffers()


# MQTT


class _Reader:
    def __init__(self, data):
        self._data = data
        self._at = 0

    async def readinto(self, buffer):
        """In pieces, as TCP gives them."""
        size = min(len(buffer), 7, len(self._data) - self._at)
        buffer[:size] = self._data[self._at : self._at + size]
        self._at += size
        return size


class _Stream(PacketStream):
    """A PacketStream without a socket."""

    data = b""

    def __init__(self, address, ssl, lent, counts):
        self.step = "connection"
        self.partial = None
        self.sent = 0
        self.out = []
        self._rx, self._tx = lent.rx, lent.tx
        self._counts = counts
        self._open = False
        self._reader = _Reader(self.data)

    def connect(self):
        pass

    async def flush(self, length, timeout_ms):
        self.out.append(bytes(self._tx[:length]))


mqtt.PacketStream = _Stream


def packets(data):
    """A broker's bytes after CONNECT: every whole PUBLISH is acknowledged, and then it ends."""
    came = []
    _Stream.data = data
    counts = mqtt.new_counts()
    connection = mqtt.Connection(
        ("127.0.0.1", 1),
        b"d-1",
        (b"device/v1/d-1/up/online", b"0"),
        lambda topic, payload, retained: came.append((topic, bytes(payload), retained)),
        stage.link._wake,
        buffers,
        counts,
        None,
        mqtt.Timings(),
    )
    connection._subscribing = (1, [b"a", b"b", b"c"])
    connection._unacked = {2: 0, 3: 0}
    try:
        stage.drive(connection._connect())
        stage.drive(connection._read())
    except MqttError as error:
        assert len(str(error)) < 120, error
    else:
        raise AssertionError("a stream that ends is an error")
    sent = connection._packets.out
    assert sent[0][0] == 0x10
    for packet in sent[1:]:
        assert packet[:2] == b"\x40\x02" and get_int(packet, 2), packet
    assert len(came) >= len(sent) - 1
    return bool(came)


def _message(name, payload):
    """A message on `down/name`, as the link takes it."""
    link = stage.link
    malformed = link.stats["malformed"]
    link.rev = None
    link._on_message("device/v1/d-1/down/" + name, memoryview(payload), name == "desired")
    stage.check_faults()
    for line in stage.errors.last:
        json.dumps(line)
    return link.stats["malformed"] == malformed


def down_desired(data):
    refused = stage.link.stats["desired_refused"]
    return _message("desired", data) and stage.link.stats["desired_refused"] == refused


def down_ack(data):
    refused = stage.link.stats["acks_refused"]
    return _message("ack", data) and stage.link.stats["acks_refused"] == refused


def down_cmd(data):
    """Each command is answered once, and the answer fits."""
    commands = stage.link._commands
    commands._done.clear()
    taken = _message("cmd", data)
    entry = commands.next_reply()
    assert (entry is not None) == taken
    if entry:
        assert commands.next_reply() is None
        assert len(entry[1]) <= 1024, len(entry[1])
        reply = json.loads(entry[1])
        assert reply["id"] == entry[0] and ("result" if reply["ok"] else "error") in reply
        stage.told.append(("reply", entry[1]))
    return taken


# CoAP, OSCORE and CBOR


def cbor_item(data):
    """What is read is written again, and is the same then."""
    try:
        value = cbor.loads(data)
    except cbor.CborError:
        return False
    again = cbor.dumps(value)
    assert alike(cbor.loads(again), value), value
    return True


def alike(one, other):
    """Whether two values are the same; a NaN is like a NaN, and no True like a 1."""
    if type(one) is not type(other):
        return False
    if isinstance(one, list):
        return len(one) == len(other) and all(alike(one[at], other[at]) for at in range(len(one)))
    if isinstance(one, dict):
        same = len(one) == len(other)
        return same and all(key in other and alike(one[key], other[key]) for key in one)
    return one == other or (one != one and other != other)


def coap_message(data):
    """What is read is written again, and is the same then."""
    try:
        kind, code, mid, token, options, payload = coap.decode(data)
    except coap.CoapError:
        return False
    assert 0 <= kind < 4 and len(token) <= coap.TOKEN_MAX
    again = coap.encode(kind, code, mid, token, options, payload)
    assert len(again) <= len(data)
    assert coap.decode(again) == (kind, code, mid, token, options, payload)
    return True


_SECRET = bytes(range(16))
device = oscore.Context(_SECRET, b"", b"\x01", b"")
gateway = oscore.Context(_SECRET, b"", b"", b"\x01")
NUMBER = 7


def protected(plain):
    """`plain` as the gateway's response to request 7, without a number of its own."""
    piv = oscore._piv(NUMBER)
    nonce = device._nonce(b"\x01", piv)
    return oscore._seal(gateway.sender_key, nonce, device._aad(piv), plain)


def oscore_response(data):
    """The OSCORE option's length, the option, and the protected bytes. Only one is genuine."""
    size = data[0] & 15 if data else 0
    option, sealed = data[1 : 1 + size], data[1 + size :]
    try:
        found = device.unprotect(NUMBER, [(coap.OSCORE, option)], sealed)
    except oscore.OscoreError:
        return False
    assert protected(bytes([found[0]]) + coap.encode_body(found[1], found[2])) == sealed
    return True


def oscore_inside(data):
    """A genuine response, with anything inside."""
    try:
        code, options, payload = device.unprotect(NUMBER, [(coap.OSCORE, b"")], protected(data))
    except oscore.OscoreError:
        return False
    assert code == data[0] and isinstance(payload, bytes) and isinstance(options, list)
    return True


def response(data):
    """What the gateway says to a battery device, in CBOR."""
    post = stage.post
    post.rev = None
    post._commands._done.clear()
    acked = stage.journal.acked
    try:
        post._take(data)
    except RefusedError:
        assert stage.journal.acked == acked
        return False
    finally:
        stage.check_faults()
    entry = post._commands.next_reply()
    while entry:
        assert len(entry[1]) <= 1024
        cbor.dumps(json.loads(entry[1]))
        entry = post._commands.next_reply()
    return True


# The serial console

KEY = hmac(stage.CLAIM, b"hallkit console")


# What the console says of an error of its own; it says it, and goes on.
_OWN_FAULTS = (b"TypeError", b"AttributeError", b"IndexError", b"NameError", b"MemoryError")


def frame(content):
    return b"\n@%s*%08x\n" % (content, crc32(content))


def console_bytes(data):
    """Anything on the line, then a question that is right: it is always heard."""
    console, terminal = stage.console, stage.terminal
    terminal.lines.clear()
    console._stream = None
    heard = []
    console.heard = lambda: heard.append(1)
    for part in (data, frame(b"q1 id {}")):
        terminal.feed(part)
        while terminal.waiting():
            if console._listen():
                stage.drive(console._answer())
        if console._stream:
            stage.now.ms += 100
            stage.drive(console._sample(console._stream))
    stage.check_faults()
    assert heard, "the question was not heard"
    for line in terminal.lines:
        assert line[:1] == b"@" and line[-1:] == b"\n" and len(line) < 1200, line
        for name in _OWN_FAULTS:
            assert b'{"error":"' + name not in line, line
        assert line[-10:-1] == b"*%08x" % crc32(line[1:-10]), line
        stage.told.append(("line", line))
    assert any(line.startswith(b'@q1 id {"ok":3}') for line in terminal.lines), terminal.lines
    return len(heard) > 1


def console_asked(data):
    """A request of somebody who knows the claim: [command, args] in JSON."""
    try:
        command, args = json.loads(data)
        command = command.encode()
    except (ValueError, TypeError, AttributeError):
        command, args = data[:20], {}
    console = stage.console
    console._locked_until = console._tries = 0
    asked = {"s": console._nonce[:8], "n": console._number + 1, "args": args}
    body = json.dumps(asked, separators=(",", ":"))[:-1].encode()
    head = b"q2 " + command + b" " + body
    mac = hexlify(hmac(KEY, console._nonce.encode() + head)[:16])
    refused = console.refused
    console_bytes(frame(head + b',"mac":"' + mac + b'"}'))
    return console.refused == refused


# Sensors on a serial line


class _Line:
    """A UART, or pins with interrupts."""

    def __init__(self):
        self.data = b""
        self.handlers = []

    def uart(self, tx, rx, baud):
        return self

    def any(self):
        return len(self.data)

    def readinto(self, buffer):
        size = min(len(buffer), len(self.data))
        buffer[:size] = self.data[:size]
        self.data = self.data[size:]
        return size or None

    def falling(self, pin, handler):
        self.handlers.append(handler)


def radar(data):
    """An LD2450's bytes: targets within its reach, and never more kept than a few frames."""
    line = _Line()
    driver = ld2450.Ld2450({"name": "ld2450"}, {"tx": 1, "rx": 2}, line)
    line.data = data
    found = False
    for _ in range(len(data) // 30 + 4):
        targets = driver.poll()
        assert len(driver._buffer) <= 600, len(driver._buffer)
        for x, y, speed in targets or ():
            found = True
            assert -8000 <= x <= 8000 and 0 <= y <= 8000 and -32768 <= speed <= 32768
    return found


def card(data):
    """Pulses, a bit a byte, then silence."""
    line = _Line()
    reader = wiegand.Wiegand({"d0": 1, "d1": 2}, line)
    for byte in data:
        line.handlers[byte & 1](None)
    reader._at -= 2 * wiegand.GAP_MS
    frame = reader.poll()
    if frame is None:
        assert not data
        return False
    bits, value = frame
    assert bits in (0, 4, 26, 34) and 0 <= value < 1 << 32
    return bits > 0


TARGETS = {
    "device-mqtt": packets,
    "device-desired": down_desired,
    "device-ack": down_ack,
    "device-command": down_cmd,
    "device-cbor": cbor_item,
    "device-coap": coap_message,
    "device-oscore": oscore_response,
    "device-oscore-inside": oscore_inside,
    "device-response": response,
    "device-console": console_bytes,
    "device-console-asked": console_asked,
    "device-radar": radar,
    "device-card": card,
}
