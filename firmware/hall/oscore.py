"""OSCORE (RFC 8613) from the client's side: requests protected, their responses unprotected.

Here: the security context with AES-CCM-16-64-128 and HKDF-SHA256, the defaults of section 3.2. Not
here: where the keys come from (ident.py), which sequence number is next and how none is ever used
twice (piv.py), and datagrams (coap.py).

The ESP32's cryptolib has AES in ECB and CBC alone (its CTR is off), so CCM (RFC 3610) is made of
these two.
"""

from cryptolib import aes

from . import cbor, coap
from .coap import OSCORE
from .mac import hmac, same

_ALGORITHM = 10  # AES-CCM-16-64-128, RFC 9053, table 5
_KEY, _NONCE, _TAG = 16, 13, 8
_ECB, _CBC = 1, 2
PIV_MAX = (1 << 40) - 1  # section 7.2.1


class OscoreError(ValueError):
    """This is no response to that request under these keys, or none that can be read."""


class Context:
    """A security context (section 3). `sender` and `recipient` ids: at most 7 bytes.

    `salt` may be empty; without an `id_context` (bytes) there is none.
    """

    def __init__(self, secret, salt, sender, recipient, id_context=None):
        if len(sender) > _NONCE - 6 or len(recipient) > _NONCE - 6 or sender == recipient:
            raise ValueError("oscore: ids are two different ones of at most 7 bytes")
        pseudo_random = hmac(salt, secret)  # HKDF-Extract, RFC 5869

        def derive(ident, kind, length):
            info = cbor.dumps([ident, id_context, _ALGORITHM, kind, length])
            return hmac(pseudo_random, info + b"\x01")[:length]

        self._sender = sender
        self._recipient = recipient
        self._id_context = id_context
        self.sender_key = derive(sender, "Key", _KEY)
        self.recipient_key = derive(recipient, "Key", _KEY)
        self.common_iv = derive(b"", "IV", _NONCE)

    def protect(self, number, code, options, payload):
        """The OSCORE option and the payload of the request `number` (its sequence number).

        `code`, `options` and `payload` are what is hidden; what is left in the open is POST, the
        OSCORE option, and the options of class U (Uri-Host), which the caller adds.
        """
        piv = _piv(number)
        plain = bytes([code]) + coap.encode_body(options, payload)
        flags = 0x08 | len(piv)
        context = b""
        if self._id_context is not None:
            flags |= 0x10
            context = bytes([len(self._id_context)]) + self._id_context
        value = bytes([flags]) + piv + context + self._sender
        sealed = _seal(self.sender_key, self._nonce(self._sender, piv), self._aad(piv), plain)
        return value, sealed

    def unprotect(self, number, options, payload):
        """(code, options, payload) hidden in a response to the request `number`.

        The response is bound to the request: one that was recorded before is no answer to another.
        OscoreError: it is not protected, not under these keys, not of this request, or malformed.
        """
        values = [value for option, value in options if option == OSCORE]
        if len(values) != 1:
            raise OscoreError("oscore: the response is not protected")
        request = _piv(number)
        piv = self._response_piv(values[0])
        nonce = self._nonce(self._sender, request)
        if piv is not None:
            nonce = self._nonce(self._recipient, piv)
        plain = _open(self.recipient_key, nonce, self._aad(request), payload)
        if not plain:
            raise OscoreError("oscore: the response has no code")
        try:
            return (plain[0],) + coap.decode_body(plain[1:])
        except coap.CoapError as error:
            raise OscoreError("oscore: %s" % error)

    def _response_piv(self, value):
        """The partial IV of an OSCORE option in a response, or None (section 6.1)."""
        if not value:
            return None
        flags = value[0]
        end = 1 + (flags & 7)
        kid = value[end:]
        if flags & 0xF0 or end > min(len(value), 6) or (kid and not flags & 8):
            raise OscoreError("oscore: malformed option")
        if flags & 8 and kid != self._recipient:
            raise OscoreError("oscore: another sender's response")
        return value[1:end] or None

    def _nonce(self, ident, piv):
        """Section 5.2."""
        size = _NONCE - 6
        parts = bytes([len(ident)]) + bytes(size - len(ident)) + ident + bytes(5 - len(piv)) + piv
        return _mix(parts, self.common_iv)

    def _aad(self, piv):
        """Section 5.4; both a request's and its response's name the request."""
        external = cbor.dumps([1, [_ALGORITHM], self._sender, piv, b""])
        return cbor.dumps(["Encrypt0", b"", external])


def _piv(number):
    """The sequence number as it is sent, in as few bytes as it needs."""
    if not 0 <= number <= PIV_MAX:
        raise OscoreError("oscore: the sequence numbers are used up")
    piv = number.to_bytes(5, "big").lstrip(b"\0")
    return piv or b"\0"


# AES-CCM with a nonce of 13 and a tag of 8 bytes (RFC 3610)


def _seal(key, nonce, aad, plain):
    stream = _stream(key, nonce, len(plain))
    return _mix(plain, stream[16:]) + _mix(_mac(key, nonce, aad, plain), stream)


def _open(key, nonce, aad, sealed):
    length = len(sealed) - _TAG
    if length < 0:
        raise OscoreError("oscore: no room for a tag")
    stream = _stream(key, nonce, length)
    plain = _mix(sealed[:length], stream[16:])
    if not same(_mix(_mac(key, nonce, aad, plain), stream), sealed[length:]):
        raise OscoreError("oscore: the tag is wrong: other keys, or altered")
    return plain


def _stream(key, nonce, length):
    """The key stream: 16 bytes for the tag, then those for the text."""
    blocks = 1 + (length + 15) // 16
    counters = b"".join([b"\x01" + nonce + block.to_bytes(2, "big") for block in range(blocks)])
    return aes(key, _ECB).encrypt(counters)


def _mac(key, nonce, aad, plain):
    first = b"\x59" + nonce + len(plain).to_bytes(2, "big")
    head = len(aad).to_bytes(2, "big") + aad
    chain = first + head + bytes(-len(head) % 16) + plain + bytes(-len(plain) % 16)
    return aes(key, _CBC, bytes(16)).encrypt(chain)[-16:-8]


def _mix(text, stream):
    return bytes([text[at] ^ stream[at] for at in range(len(text))])
