"""A device's MQTT connection by hand, over TLS-PSK: says what it is told to, shows what it hears.

One argument, a JSON file: host, port, identity, psk (hex), client_id, subscribe [topic],
publish [[topic, payload]]. Publishes at QoS 1, waits for each PUBACK and for "end" on stdin, and
prints lines: "connected", "refused ...", "heard <topic> <payload>".
"""

import json
import select
import socket
import sys

import tls


def text(value):
    data = value.encode()
    return len(data).to_bytes(2, "big") + data


def packet(first, body):
    assert len(body) < 128
    return bytes([first, len(body)]) + body


def receive(stream):
    first = stream.read(1)
    if not first:
        return None, b""
    length, shift = 0, 0
    while True:
        byte = stream.read(1)[0]
        length |= (byte & 127) << shift
        shift += 7
        if not byte & 128:
            break
    return first[0], stream.read(length) if length else b""


def until(stream, wanted):
    """Packets until one of the kind `wanted`; what is published meanwhile is shown."""
    while True:
        kind, body = receive(stream)
        if kind is None:
            print("closed")
            sys.exit(0)
        if kind >> 4 == 3:
            at = 2 + int.from_bytes(body[:2], "big")
            payload = body[at + 2 :] if kind & 6 else body[at:]
            print("heard", body[2:at].decode(), payload.decode())
            if kind & 6:
                stream.write(packet(0x40, body[at : at + 2]))
        if kind >> 4 == wanted:
            return body


with open(sys.argv[1]) as file:
    told = json.load(file)
connection = socket.socket()
connection.connect(socket.getaddrinfo("127.0.0.1", told["port"])[0][-1])
context = tls.SSLContext(tls.PROTOCOL_TLS_CLIENT)
context.verify_mode = tls.CERT_NONE
context.psk_identity = told["identity"].encode()
context.psk_key = bytes.fromhex(told["psk"])
try:
    stream = context.wrap_socket(connection)
except (OSError, ValueError) as error:
    print("refused", error)
    sys.exit(0)
stream.write(packet(0x10, text("MQTT") + b"\x04\x02\x00\x3c" + text(told["client_id"])))
code = until(stream, 2)[1]
if code:
    print("refused", code)
    sys.exit(0)
print("connected")
for topic in told["subscribe"]:
    stream.write(packet(0x82, b"\0\1" + text(topic) + b"\1"))
    until(stream, 9)
for topic, payload in told["publish"]:
    stream.write(packet(0x32, text(topic) + b"\0\2" + payload.encode()))
    until(stream, 4)
print("published")
poller = select.poll()
poller.register(sys.stdin, select.POLLIN)
poller.register(connection, select.POLLIN)
while True:
    for source, _ in poller.poll():
        if source is sys.stdin:
            sys.exit(0)
        stream.write(packet(0xC0, b""))
        until(stream, 13)
