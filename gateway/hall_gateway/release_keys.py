"""The public keys that releases are signed with, from their PEM files.

Here: reading one. Not here: what is verified with it (release.py), making keys
(hall_tools.update.keys).
"""

from pathlib import Path

from hall_gateway.release import EXPONENT, KEY_BYTES, PublicKey

MAX_PEM_BYTES = 8192


class ReleaseKeyError(Exception):
    """A file that holds no such key: which, and what would be right."""


def public_key_of(file: Path) -> PublicKey:
    """The key in `file`. Raises ReleaseKeyError."""
    # Imported when a hall has such keys: it takes a tenth of a second.
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
    from cryptography.hazmat.primitives.serialization import load_pem_public_key

    try:
        with file.open("rb") as opened:
            content = opened.read(MAX_PEM_BYTES)
    except OSError as error:
        raise ReleaseKeyError(
            f"{file}: {error.strerror}; right: a .pub of hall update keys"
        ) from None
    if b"PRIVATE KEY" in content:
        raise ReleaseKeyError(
            f"{file}: a private key, which belongs on no gateway; right: its .pub"
        )
    try:
        key = load_pem_public_key(content)
    except (ValueError, UnsupportedAlgorithm):
        key = None
    if not isinstance(key, RSAPublicKey):
        raise ReleaseKeyError(
            f"{file}: no RSA public key in PEM; right: a .pub of hall update keys"
        )
    numbers = key.public_numbers()
    if key.key_size != 8 * KEY_BYTES or numbers.e != EXPONENT:
        raise ReleaseKeyError(
            f"{file}: {key.key_size} bits, exponent {numbers.e}; right: {8 * KEY_BYTES} bits and "
            f"{EXPONENT}, as hall update keys makes them"
        )
    return PublicKey(numbers.n)
