"""A device that does not go by itself: publishes as fast as it is acked, listens, and comes back.

argv[1] is a file of JSON: {"port", "identity", "psk" (hex), "pause_ms"}. Prints a JSON line for
whatever it notices, with the unix time in "ms":
{"connected"}, {"sent": n} after the PUBACK of up/event number n, {"heard": payload},
{"closed": why}, {"refused": why} for every attempt that fails. It does not end by itself.
"""

import json
import select
import socket
import sys
import time

import tls

KEEPALIVE = b"\x00\x3c"


def say(**news):
    news["ms"] = time.time_ns() // 1000000
    print(json.dumps(news))


def text(value):
    data = value.encode()
    return len(data).to_bytes(2, "big") + data


def packet(first, body):
    assert len(body) < 128
    return bytes([first, len(body)]) + body


class ClosedError(Exception):
    pass


class Connection:
    def __init__(self, told):
        self.socket = socket.socket()
        self.socket.connect(socket.getaddrinfo("127.0.0.1", told["port"])[0][-1])
        try:
            context = tls.SSLContext(tls.PROTOCOL_TLS_CLIENT)
            context.verify_mode = tls.CERT_NONE
            context.psk_identity = told["identity"].encode()
            context.psk_key = bytes.fromhex(told["psk"])
            self.stream = context.wrap_socket(self.socket)
        except BaseException:
            self.socket.close()
            raise
        self.stream.write(packet(0x10, text("MQTT") + b"\x04\x02" + KEEPALIVE + text("x")))
        code = self.until(2)[1]
        if code:
            raise ValueError("CONNACK %d" % code)
        topic = "device/v1/%s/down/#" % told["identity"]
        self.stream.write(packet(0x82, b"\0\1" + text(topic) + b"\1"))
        self.until(9)

    def receive(self):
        """(kind, body) of the next packet; what is published to us is said."""
        head = self.stream.read(2)
        if not head or len(head) < 2:
            raise ClosedError("end of file")
        body = self.stream.read(head[1]) if head[1] else b""
        if head[0] >> 4 == 3:
            at = 2 + int.from_bytes(body[:2], "big")
            say(heard=body[at + 2 if head[0] & 6 else at :].decode())
            if head[0] & 6:
                self.stream.write(packet(0x40, body[at : at + 2]))
        return head[0] >> 4, body

    def until(self, wanted):
        while True:
            kind, body = self.receive()
            if kind == wanted:
                return body


def live(told, number):
    """Until the connection ends; the number of the last event."""
    connection = Connection(told)
    say(connected=True)
    poller = select.poll()
    poller.register(connection.socket, select.POLLIN)
    topic = text("device/v1/%s/up/event" % told["identity"])
    try:
        while True:
            number += 1
            body = topic + (number % 65535 + 1).to_bytes(2, "big") + b'{"n":%d}' % number
            connection.stream.write(packet(0x32, body))
            connection.until(4)
            say(sent=number)
            while poller.poll(told["pause_ms"]):
                connection.receive()
    except (OSError, ClosedError) as error:
        say(closed=repr(error))
    finally:
        connection.socket.close()
    return number


def main():
    with open(sys.argv[1]) as file:
        told = json.load(file)
    number = 0
    while True:
        try:
            number = live(told, number)
        except (OSError, ValueError, ClosedError) as error:
            say(refused=repr(error))
        time.sleep_ms(50)


main()
