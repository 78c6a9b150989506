"""HMAC-SHA256 and a comparison that tells nothing: what the console and OSCORE prove themselves by.

Here: the two functions. Not here: any key.
"""

import hashlib


def hmac(key, message):
    """HMAC-SHA256 (RFC 2104) with a key of at most 64 bytes."""
    key += bytes(64 - len(key))
    inner = hashlib.sha256(bytes(byte ^ 0x36 for byte in key) + message).digest()
    return hashlib.sha256(bytes(byte ^ 0x5C for byte in key) + inner).digest()


def same(one, other):
    """Whether both are equal, found out in a time that does not tell where they differ."""
    if len(one) != len(other):
        return False
    differs = 0
    for index in range(len(one)):
        differs |= one[index] ^ other[index]
    return differs == 0
