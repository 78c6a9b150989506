"""Ending another client's connection to the broker of the devices.

Here: a connection that takes the other's client id and goes (MQTT 3.1.1, section 3.1.4), which is
what our login may do on this machine. Not here: when (devices_mqtt.py), keeping it from coming back
(`hall revoke`).

It is a connection of its own for good reason: mosquitto 2.0 reads one packet of each connection in
turn, but of one over TLS all that a record has, a hundred. So what we say on the connection that a
flood comes by waits behind every PUBACK of it, and what is said on a new one does not.
"""

import asyncio
import ssl
import struct
from contextlib import suppress

from hall_gateway.config_links import MqttConfig
from hall_gateway.toml_input import ConfigError

ANSWER_S = 5.0
_DISCONNECT = b"\xe0\x00"
_CLEAN, _PASSWORD, _USERNAME = 0x02, 0x40, 0x80


async def cut(config: MqttConfig, client_id: str) -> None:
    """End the connection of `client_id`, and what the broker keeps for it. Raises OSError, also
    TimeoutError, when the broker does not let us."""
    tls = ssl.create_default_context(cafile=config.ca_file) if config.tls else None
    try:
        password = config.password()
    except ConfigError as error:
        raise OSError(str(error)) from None
    async with asyncio.timeout(ANSWER_S):
        reader, writer = await asyncio.open_connection(config.host, config.port, ssl=tls)
        try:
            writer.write(_connect(client_id, config.username, password))
            answer = await reader.readexactly(4)
            if answer[0] != 0x20 or answer[3]:
                raise ConnectionRefusedError(f"the broker refuses our login ({answer[3]})")
            writer.write(_DISCONNECT)
            await writer.drain()
        except asyncio.IncompleteReadError:
            raise ConnectionResetError("the broker ends our connection") from None
        finally:
            writer.close()
            with suppress(OSError):
                await writer.wait_closed()


def _connect(client_id: str, username: str | None, password: str | None) -> bytes:
    flags = _CLEAN | (_USERNAME if username is not None else 0)
    flags |= _PASSWORD if password is not None else 0
    body = _text("MQTT") + bytes((4, flags)) + struct.pack("!H", 10)
    for part in (client_id, username, password):
        body += b"" if part is None else _text(part)
    length, head = len(body), bytearray((0x10,))
    while True:
        length, rest = length >> 7, length & 0x7F
        head.append(rest | 0x80 if length else rest)
        if not length:
            return bytes(head) + body


def _text(value: str) -> bytes:
    data = value.encode()
    return struct.pack("!H", len(data)) + data
