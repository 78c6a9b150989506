"""RSA-3072 signatures, RSASSA-PKCS1-v1_5 with SHA-256 (RFC 8017, section 8.2.2): verified only.

Here: the arithmetic and the block that must come out of it. Not here: what was signed, and whose
key it was (release.py). Everything in here is public, so nothing in here hides how long it takes.
"""

from micropython import const

_BYTES = const(384)

# Of SHA-256, before the digest: RFC 8017, section 9.2, note 1.
_INFO = const(b"\x30\x31\x30\x0d\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02\x01\x05\x00\x04\x20")


async def verify(digest, signature, modulus, rest):
    """Whether `signature` is that of `digest` by the key with this `modulus` and the exponent
    65537; all three are bytes, the last two of 384 each.

    `rest()` is awaited after each of the 16 squarings: in one, they would stop the chip for longer
    than a press may wait for its lamp.
    """
    n = int.from_bytes(modulus, "big")
    s = int.from_bytes(signature, "big")
    if s >= n:
        return False
    x = s
    for _ in range(16):
        x = x * x % n
        await rest()
    # The whole block is built and compared: a padding that is read can be lied to.
    block = b"\0" + _INFO + digest
    block = b"\0\1" + b"\xff" * (_BYTES - 2 - len(block)) + block
    return (x * s % n).to_bytes(_BYTES, "big") == block
