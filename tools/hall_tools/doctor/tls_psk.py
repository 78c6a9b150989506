"""A TLS-PSK handshake, to see whether a broker takes a device's key.

Here: as much of TLS 1.2 (RFC 5246) with TLS_PSK_WITH_AES_128_GCM_SHA256 (RFC 4279, 5487) as it
takes to hear the broker's answer; Python's ssl knows no PSK before 3.13. Not here: MQTT. Nothing is
sent after the handshake, so a device that is connected with the same identity stays so: it is
CONNECT that would end its connection.
"""

import hashlib
import hmac
import secrets
import socket
import struct
from dataclasses import dataclass
from enum import Enum, auto

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

TIMEOUT_S = 5.0

_SUITE = 0x00A8
_RENEGOTIATION_INFO = 0x00FF
"""RFC 5746: OpenSSL 3 refuses a client that does not know it."""
_VERSION = b"\x03\x03"
_CHANGE_CIPHER, _ALERT, _HANDSHAKE = 20, 21, 22
_CLIENT_HELLO, _SERVER_HELLO, _HELLO_DONE, _KEY_EXCHANGE, _FINISHED = 1, 2, 14, 16, 20
_MAX_RECORD = 16384 + 2048
_WRONG_KEY_ALERTS = {20: "bad_record_mac", 51: "decrypt_error", 115: "unknown_psk_identity"}


class Answer(Enum):
    ACCEPTED = auto()
    """The broker has this key for this identity, and proved it."""
    REFUSED = auto()
    """It speaks TLS-PSK, and does not know the identity or has another key."""


class HandshakeError(Exception):
    """No TLS-PSK came about: nobody listens, or something else answers. The text says what."""


def handshake(host: str, port: int, identity: str, psk: bytes) -> Answer:
    """What the server says to this identity and key. Raises HandshakeError."""
    try:
        with socket.create_connection((host, port), TIMEOUT_S) as connection:
            return _Handshake(connection).run(identity.encode(), psk)
    except TimeoutError:
        raise HandshakeError(f"no answer within {TIMEOUT_S:.0f} s") from None
    except OSError as error:
        raise HandshakeError(error.strerror or str(error)) from None


@dataclass(frozen=True)
class _Direction:
    key: bytes
    salt: bytes


class _AlertError(Exception):
    def __init__(self, number: int) -> None:
        self.number = number


class _Handshake:
    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._received = b""
        self._said = b""  # all handshake messages, which the Finished ones prove

    def run(self, identity: bytes, psk: bytes) -> Answer:
        random = secrets.token_bytes(32)
        suites = struct.pack(">HHH", 4, _SUITE, _RENEGOTIATION_INFO)
        self._send_message(_CLIENT_HELLO, _VERSION + random + b"\0" + suites + b"\x01\0")
        try:
            server_random = self._server_hello()
            while self._message()[0] != _HELLO_DONE:
                pass
        except _AlertError as alert:
            raise HandshakeError(f"it refuses TLS-PSK (alert {alert.number})") from None
        name = struct.pack(">H", len(identity)) + identity
        self._send_message(_KEY_EXCHANGE, name)
        client, server, master = _keys(psk, random, server_random)
        try:
            self._finish(client, server, master)
        except (_AlertError, ConnectionError) as end:
            if isinstance(end, _AlertError) and end.number not in _WRONG_KEY_ALERTS:
                raise HandshakeError(f"it ends the handshake (alert {end.number})") from None
            return Answer.REFUSED
        return Answer.ACCEPTED

    def _server_hello(self) -> bytes:
        kind, body = self._message()
        if kind != _SERVER_HELLO or len(body) < 38 or body[:2] != _VERSION:
            raise HandshakeError("what answers is not TLS 1.2")
        at = 35 + body[34]
        if struct.unpack_from(">H", body, at)[0] != _SUITE:
            raise HandshakeError("it chose a cipher suite that was not offered")
        return body[2:34]

    def _finish(self, client: _Direction, server: _Direction, master: bytes) -> None:
        """Prove the key, and have the server prove it."""
        self._send(_CHANGE_CIPHER, b"\x01")
        proof = _prf(master, b"client finished", hashlib.sha256(self._said).digest(), 12)
        message = _framed(_FINISHED, proof)
        self._said += message
        explicit = bytes(8)
        additional = _additional(len(message))
        sealed = AESGCM(client.key).encrypt(client.salt + explicit, message, additional)
        self._send(_HANDSHAKE, explicit + sealed)
        if self._record()[0] != _CHANGE_CIPHER:
            raise HandshakeError("what answers is not TLS 1.2")
        body = self._record()[1]
        try:
            opened = AESGCM(server.key).decrypt(
                server.salt + body[:8], body[8:], _additional(len(body) - 24)
            )
        except (InvalidTag, ValueError):
            raise HandshakeError("its proof cannot be read") from None
        right = _prf(master, b"server finished", hashlib.sha256(self._said).digest(), 12)
        if not hmac.compare_digest(opened, _framed(_FINISHED, right)):
            raise HandshakeError("its proof is wrong")

    def _send_message(self, kind: int, body: bytes) -> None:
        message = _framed(kind, body)
        self._said += message
        self._send(_HANDSHAKE, message)

    def _send(self, kind: int, body: bytes) -> None:
        self._connection.sendall(bytes([kind]) + _VERSION + struct.pack(">H", len(body)) + body)

    def _message(self) -> tuple[int, bytes]:
        """The next handshake message; several may be in a record, or one in several."""
        while len(self._received) < 4 or len(self._received) < 4 + _u24(self._received, 1):
            kind, body = self._record()
            if kind != _HANDSHAKE:
                raise HandshakeError("what answers is not TLS 1.2")
            self._received += body
        end = 4 + _u24(self._received, 1)
        message, self._received = self._received[:end], self._received[end:]
        self._said += message
        return message[0], message[4:]

    def _record(self) -> tuple[int, bytes]:
        kind, version, length = struct.unpack(">BHH", self._read(5))
        if kind not in (_CHANGE_CIPHER, _ALERT, _HANDSHAKE) or version >> 8 != 3:
            raise HandshakeError("what answers is not TLS")
        if length > _MAX_RECORD:
            raise HandshakeError("what answers is not TLS")
        body = self._read(length)
        if kind == _ALERT:
            raise _AlertError(body[-1] if body else 0)
        return kind, body

    def _read(self, count: int) -> bytes:
        got = b""
        while len(got) < count:
            if not (more := self._connection.recv(count - len(got))):
                raise ConnectionResetError("it closed the connection")
            got += more
        return got


def _keys(psk: bytes, client: bytes, server: bytes) -> tuple[_Direction, _Direction, bytes]:
    """Both directions' keys, and the master secret (RFC 4279, section 2; RFC 5246, 6.3 and 8.1)."""
    length = struct.pack(">H", len(psk))
    premaster = length + bytes(len(psk)) + length + psk
    master = _prf(premaster, b"master secret", client + server, 48)
    block = _prf(master, b"key expansion", server + client, 40)
    return _Direction(block[:16], block[32:36]), _Direction(block[16:32], block[36:]), master


def _prf(secret: bytes, label: bytes, seed: bytes, count: int) -> bytes:
    seed = label + seed
    a, made = seed, b""
    while len(made) < count:
        a = hmac.digest(secret, a, "sha256")
        made += hmac.digest(secret, a + seed, "sha256")
    return made[:count]


def _framed(kind: int, body: bytes) -> bytes:
    return bytes([kind]) + len(body).to_bytes(3, "big") + body


def _additional(length: int) -> bytes:
    """Of the first record under the new keys, which is a handshake message."""
    return bytes(8) + bytes([_HANDSHAKE]) + _VERSION + struct.pack(">H", length)


def _u24(data: bytes, at: int) -> int:
    return int.from_bytes(data[at : at + 3], "big")
