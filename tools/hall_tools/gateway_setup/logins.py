"""The gateway's own login at mosquitto: a password, and mosquitto's file of hashed ones.

Here: making both, and whether they fit together. Not here: where they lie (plan.py).

The format is mosquitto_passwd(1)'s: name:$7$iterations$salt$hash, PBKDF2 with HMAC-SHA-512.
"""

import base64
import binascii
import hashlib
import hmac
import secrets

PASSWORD_BYTES = 24
_SALT_BYTES = 12
_ITERATIONS = 101
"""mosquitto 2.0's own. More would only guard a password that can be guessed."""


def new_password() -> str:
    """A password that nobody has to remember."""
    return secrets.token_urlsafe(PASSWORD_BYTES)


def hashed(username: str, password: str) -> str:
    """The line of mosquitto's password file for this login, with a new salt."""
    salt = secrets.token_bytes(_SALT_BYTES)
    made = _hash(password, salt, _ITERATIONS)
    return f"{username}:$7${_ITERATIONS}${_text(salt)}${_text(made)}\n"


def fits(content: str, username: str, password: str) -> bool:
    """Whether mosquitto, with a password file of this content, lets this login in."""
    for line in content.splitlines():
        name, _, rest = line.partition(":")
        parts = rest.split("$")
        if name != username or len(parts) != 5 or parts[1] != "7":
            continue
        try:
            salt, right = (base64.b64decode(part, validate=True) for part in parts[3:])
            made = _hash(password, salt, int(parts[2]))
        except (binascii.Error, ValueError):
            continue
        if hmac.compare_digest(made, right):
            return True
    return False


def _hash(password: str, salt: bytes, iterations: int) -> bytes:
    return hashlib.pbkdf2_hmac("sha512", password.encode(), salt, iterations)


def _text(value: bytes) -> str:
    return base64.b64encode(value).decode()
