"""Browsers in which a user has logged in before.

Here: the cookie that says so. Not here: how often a password may be tried (throttle.py).

Whoever reaches the page can give wrong passwords for the manager's name. So that this keeps nobody
out, a browser that was let in once is counted by itself from then on (OWASP, "Slow Down Online
Guessing Attacks with Device Cookies"). The cookie is `number.proof`, and good until the password
changes; the console keeps nothing of it.
"""

import hmac
import secrets
from hashlib import sha256

from hall_gateway.console.users import User

KEPT_S = 365 * 24 * 3600


def cookie_for(user: User) -> str:
    """For a browser that `user` has just logged in with."""
    number = secrets.token_urlsafe(12)
    return f"{number}.{_proof(user, number)}"


def number_of(cookie: str, user: User | None) -> str | None:
    """Which of the browsers of `user` sends `cookie`; None for none of them."""
    number, _, proof = cookie.partition(".")
    if user is None or not number:
        return None
    right = hmac.compare_digest(_proof(user, number).encode(), proof.encode())
    return number if right else None


def _proof(user: User, number: str) -> str:
    return hmac.new(user.hash.encode(), f"{user.name} {number}".encode(), sha256).hexdigest()
