"""An MQTT 3.1.1 client: one object is one connection's life.

Here belong the packets that a client sends and answers, and their deadlines; nothing of what the
messages mean, no reconnect (the link makes a new Connection after any failure), no QoS 0 or 2 going
out, no session that outlives the connection.

Every failure ends the connection as one MqttError that says what happened. Section numbers are
those of the OASIS standard "MQTT 3.1.1".
"""

import asyncio
from time import ticks_diff, ticks_ms

from micropython import const

from .errors import reason
from .packets import MqttError, PacketStream, get_int

_UNACKED_MAX = const(16)  # PUBLISH packets without PUBACK; the next one waits

CONNACK_REFUSALS = {  # 3.2.2.3
    1: "unacceptable protocol version",
    2: "identifier rejected",
    3: "server unavailable",
    4: "bad user name or password",
    5: "not authorized",
}


class Timings:
    """Deadlines and periods in ms; a test gives shorter ones: Timings(connect=200)."""

    connect = 15000  # TCP, TLS handshake and CONNACK together
    drain = 10000  # until the broker has taken a packet
    suback = 10000
    puback = 10000
    ping = 10000  # PINGREQ until PINGRESP
    packet = 10000  # first to last byte of an incoming packet
    keepalive = 20000  # promised to the broker; a ping goes after half of it in silence
    check = 500  # how often these deadlines are looked at

    def __init__(self, **changes):
        for name in changes:
            if not hasattr(self, name):
                raise ValueError("no timing is called " + name)
            setattr(self, name, changes[name])


def new_counts():
    """What connections count over all their lives; opened == closed when none is open."""
    return {"opened": 0, "closed": 0, "oversized": 0, "stray_pubacks": 0}


class Connection:
    """Use as `async with Connection(...) as connection:`; entering connects, leaving closes.

    address: (numeric IP, port). will: (topic, payload), for QoS 1 and retained.
    on_message(topic, payload, retained) is called for each PUBLISH that came; payload is a
    memoryview valid during the call. The PUBACK goes after it returned.
    wake: asyncio.Event that is set when the connection failed; check() then raises.
    """

    def __init__(self, address, client_id, will, on_message, wake, buffers, counts, ssl, timings):
        self._client_id = client_id
        self._will = will
        self._on_message = on_message
        self._wake = wake
        self._counts = counts
        self._timings = timings
        self._packets = PacketStream(address, ssl, buffers, counts)
        self._tasks = []
        self._sending = asyncio.Lock()  # held from a packet's first byte in tx to its last written
        self._unacked = {}  # pid of a PUBLISH without PUBACK -> ticks when it was sent
        self._last_pid = 0
        self._subscribing = None  # (pid, topics) of the SUBSCRIBE without SUBACK
        self._progress = asyncio.Event()  # a SUBACK or PUBACK came, or the connection failed
        self._pinged = None  # ticks of the PINGREQ without PINGRESP
        self._failure = None

    async def __aenter__(self):
        try:
            await asyncio.wait_for_ms(self._connect(), self._timings.connect)
        except asyncio.TimeoutError:
            self.close()
            raise MqttError("no %s in %d ms" % (self._packets.step, self._timings.connect))
        except BaseException:
            self.close()
            raise
        self._tasks.append(asyncio.create_task(self._guard(self._read())))
        self._tasks.append(asyncio.create_task(self._guard(self._watch())))
        return self

    async def __aexit__(self, exc_type, exc, traceback):
        self.close()

    def close(self):
        """End the tasks, then the socket. No DISCONNECT: the broker shall publish the last will."""
        for task in self._tasks:
            task.cancel()
        self._tasks = []
        self._packets.close()

    def check(self):
        """Raise the MqttError that ended the connection, if one did."""
        if self._failure is not None:
            raise self._failure

    @property
    def unacked(self):
        """How many messages wait for their PUBACK."""
        return len(self._unacked)

    async def subscribe(self, topics):
        """Subscribe with QoS 1; returns when the broker granted all of them."""
        packets = self._packets
        pid = self._next_pid()
        self._subscribing = (pid, topics)
        async with self._sending:
            at = packets.begin(0x82, 2 + sum([len(topic) + 3 for topic in topics]))
            at = packets.put_int(at, pid)
            for topic in topics:
                at = packets.put_byte(packets.put(at, topic), 1)
            await packets.flush(at, self._timings.drain)
        try:
            await asyncio.wait_for_ms(self._granted(), self._timings.suback)
        except asyncio.TimeoutError:
            raise MqttError("no SUBACK in %d ms" % self._timings.suback)

    async def _granted(self):
        while self._subscribing is not None:
            await self._next_progress()

    async def _next_progress(self):
        self.check()
        self._progress.clear()
        await self._progress.wait()
        self.check()

    async def publish(self, topic, payload, retain=False):
        """Send a QoS 1 message; returns when it is written. topic and payload: bytes.

        A PUBACK that stays out ends the connection. ValueError: longer than packets.TX_MAX.
        """
        self.check()
        while len(self._unacked) >= _UNACKED_MAX:
            await self._next_progress()
        packets = self._packets
        async with self._sending:
            at = packets.begin(0x33 if retain else 0x32, 4 + len(topic) + len(payload))
            pid = self._next_pid()
            self._unacked[pid] = ticks_ms()
            at = packets.put_int(packets.put(at, topic), pid)
            await packets.flush(packets.put_bytes(at, payload), self._timings.drain)

    def _next_pid(self):
        while True:
            self._last_pid = self._last_pid % 65535 + 1
            if self._last_pid not in self._unacked:
                return self._last_pid

    async def _connect(self):
        packets = self._packets
        packets.connect()
        topic, payload = self._will
        at = packets.begin(0x10, 16 + len(self._client_id) + len(topic) + len(payload))
        at = packets.put_byte(packets.put(at, b"MQTT"), 4)
        # Clean session, a will, will QoS 1, will retained (3.1.2.3).
        at = packets.put_byte(at, 0x02 | 0x04 | 0x08 | 0x20)
        at = packets.put_int(at, self._timings.keepalive // 1000)
        at = packets.put(packets.put(packets.put(at, self._client_id), topic), payload)
        await packets.flush(at, self._timings.drain)
        packets.step = "CONNACK"
        head, body = await packets.packet()
        if head != 0x20 or len(body) != 2 or body[0] > 1:
            raise MqttError("malformed CONNACK")
        if body[1]:
            name = CONNACK_REFUSALS.get(body[1], "unknown return code")
            raise MqttError("refused by the broker: %d, %s" % (body[1], name))

    async def _guard(self, work):
        try:
            await work
        except Exception as error:
            if not isinstance(error, MqttError):
                error = MqttError("handling a packet failed: " + reason(error))
            if self._failure is None:
                self._failure = error
            self._progress.set()
            self._wake.set()

    async def _watch(self):
        """Look at the deadlines that no single await guards, and keep the connection alive."""
        timings = self._timings
        packets = self._packets
        while True:
            await asyncio.sleep_ms(timings.check)
            now = ticks_ms()
            if _late(now, packets.partial, timings.packet):
                raise MqttError("a packet was not complete after %d ms" % timings.packet)
            for sent in self._unacked.values():
                if _late(now, sent, timings.puback):
                    raise MqttError("no PUBACK in %d ms" % timings.puback)
            if _late(now, self._pinged, timings.ping):
                raise MqttError("no PINGRESP in %d ms" % timings.ping)
            if self._pinged is None and _late(now, packets.sent, timings.keepalive // 2):
                self._pinged = now
                await self._send(0xC0)

    async def _send(self, head, pid=None):
        packets = self._packets
        async with self._sending:
            at = packets.begin(head, 0 if pid is None else 2)
            if pid is not None:
                at = packets.put_int(at, pid)
            await packets.flush(at, self._timings.drain)

    async def _read(self):
        while True:
            head, body = await self._packets.packet()
            if head >> 4 == 3:
                await self._on_publish(head, body)
            elif head == 0x40 and len(body) == 2:
                if self._unacked.pop(get_int(body, 0), None) is None:
                    self._counts["stray_pubacks"] += 1
                self._progress.set()
            elif head == 0x90 and len(body) > 2:
                self._on_suback(body)
            elif head == 0xD0 and not body:
                self._pinged = None
            else:
                raise MqttError("malformed or unexpected packet 0x%02x" % head)

    async def _on_publish(self, head, body):
        qos = head >> 1 & 3
        if qos > 1:
            raise MqttError("PUBLISH with QoS %d" % qos)
        end = 2 + get_int(body, 0) if len(body) > 1 else 2
        start = end + 2 * qos
        if end == 2 or start > len(body) or (head & 8 and not qos):
            raise MqttError("malformed PUBLISH")
        pid = get_int(body, end) if qos else None
        if pid == 0:
            raise MqttError("malformed PUBLISH")
        try:
            topic = str(body[2:end], "utf-8")
        except UnicodeError:
            raise MqttError("PUBLISH topic is not UTF-8")
        self._on_message(topic, body[start:], bool(head & 1))
        if pid:
            await self._send(0x40, pid)

    def _on_suback(self, body):
        if self._subscribing is None or get_int(body, 0) != self._subscribing[0]:
            raise MqttError("SUBACK for nothing asked")
        topics = self._subscribing[1]
        if len(body) != 2 + len(topics):
            raise MqttError("malformed SUBACK")
        for at, topic in enumerate(topics):
            if body[2 + at] > 1:
                raise MqttError("subscription refused: %s" % str(topic, "utf-8"))
        self._subscribing = None
        self._progress.set()


def _late(now, since, limit):
    return since is not None and ticks_diff(now, since) >= limit
