"""Who is logged in: kept by the server, so that logging out is final.

Here: sessions, their ends, and the tokens that prove that a form is ours. Not here: cookies and
requests (guard.py), passwords (users.py). After a restart all log in again but viewers, who are
kept (screens.py).
"""

import hmac
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from hashlib import sha256

from hall_gateway.console.screens import Screen, Screens
from hall_gateway.console.users import Role, User

ABSOLUTE_S = 12 * 3600.0
"""After so long a manager or technician logs in again, whatever was done: a working day."""

SCREEN_S = 30 * 24 * 3600.0
"""As long for a viewer, who can change nothing: a screen on the wall stays as it is for a month."""

MAX_OF_ONE = 20
"""Of one user; the one that was used longest ago goes. Nobody can log others out."""


@dataclass
class Session:
    """One browser of one user. Times are monotonic s; `csrf` proves that a form is of this
    session; `mark` is the user's at the login."""

    user: str
    role: Role
    mark: str
    began: float
    used: float
    csrf: str = field(repr=False, default_factory=lambda: secrets.token_urlsafe(32))


class Sessions:
    """The sessions of this process, and the viewers' of those before. `clock` gives monotonic s."""

    def __init__(self, idle_s: float, clock: Callable[[], float], screens: Screens) -> None:
        self._idle_s = idle_s
        self._clock = clock
        self._screens = screens
        now = clock()
        self._sessions = {
            key: Session(screen.user, "viewer", screen.mark, now - screen.age_s, now)
            for key, screen in screens.load().items()
        }

    def begin(self, user: User) -> str:
        """A new session; the token for its cookie, of which only a hash is kept."""
        now = self._clock()
        for key in [key for key, each in self._sessions.items() if self._over(each, now)]:
            del self._sessions[key]
        own = [key for key, each in self._sessions.items() if each.user == user.name]
        if len(own) >= MAX_OF_ONE:
            del self._sessions[min(own, key=lambda key: self._sessions[key].used)]
        token = secrets.token_urlsafe(32)
        self._sessions[_key(token)] = Session(user.name, user.role, user.mark, now, now)
        if user.role == "viewer":
            self._keep_viewers()
        return token

    def get(self, token: str, *, acts: bool) -> Session | None:
        """The session of a cookie; None when there is none, or it is over. `acts`: somebody did
        something, and the page did not just follow the hall by itself."""
        session = self._sessions.get(_key(token))
        if session is None:
            return None
        now = self._clock()
        if self._over(session, now):
            self.end(token)
            return None
        if acts:
            session.used = now
        return session

    def end(self, token: str) -> None:
        """Log out."""
        session = self._sessions.pop(_key(token), None)
        if session is not None and session.role == "viewer":
            self._keep_viewers()

    def end_all_of(self, name: str) -> None:
        """Log out everywhere."""
        gone = [key for key, session in self._sessions.items() if session.user == name]
        for key in gone:
            del self._sessions[key]
        if gone:
            self._keep_viewers()

    def _keep_viewers(self) -> None:
        now = self._clock()
        viewers = {
            key: Screen(each.user, each.mark, now - each.began)
            for key, each in self._sessions.items()
            if each.role == "viewer" and not self._over(each, now)
        }
        self._screens.save(viewers)

    def _over(self, session: Session, now: float) -> bool:
        if session.role == "viewer":
            return now - session.began >= SCREEN_S
        return now - session.began >= ABSOLUTE_S or now - session.used >= self._idle_s


class LoginForms:
    """Tokens for the login form, whose browser has no session yet: the form's token is a keyed
    hash of the cookie's."""

    def __init__(self) -> None:
        self._key = secrets.token_bytes(32)

    def token(self, cookie: str) -> str:
        return hmac.new(self._key, sent_bytes(cookie), sha256).hexdigest()

    def fits(self, cookie: str, token: str) -> bool:
        return bool(cookie) and hmac.compare_digest(self.token(cookie).encode(), sent_bytes(token))


def _key(token: str) -> str:
    return sha256(sent_bytes(token)).hexdigest()


def sent_bytes(text: str) -> bytes:
    """Of what came in a request: bytes that are no UTF-8 are characters there that none can say."""
    return text.encode("utf-8", "replace")
