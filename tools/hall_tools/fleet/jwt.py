"""NATS' own tokens: JSON Web Tokens by which a server knows operator, accounts and users.

Here: keys (https://docs.nats.io/running-a-nats-service/configuration/securing_nats/auth_intro/nkey_auth),
and the three tokens, made and read. Not here: whose they are, and where they are kept
(credentials.py).

The form is version 2 of github.com/nats-io/jwt: header `{"typ": "JWT", "alg": "ed25519-nkey"}`; who
signs is `iss`, whom it is about `sub`, and `nats` holds what the subject may do. An operator signs
accounts, an account signs users; a user proves with its own key that a token is about it.
"""

import base64
import hashlib
import json
from collections.abc import Mapping
from enum import Enum
from typing import Any, cast

import nkeys as _nkeys_as_it_is  # pyright: ignore[reportMissingTypeStubs]
from hall_fleet.logins import Rights
from nacl.signing import SigningKey

nkeys: Any = _nkeys_as_it_is  # it has no types

_HEADER = {"typ": "JWT", "alg": "ed25519-nkey"}
_VERSION = 2
_UNLIMITED = -1
_CREDS = """\
-----BEGIN NATS USER JWT-----
{token}
------END NATS USER JWT------

# Whoever has this file is this user: keep it as a password.
-----BEGIN USER NKEY SEED-----
{seed}
------END USER NKEY SEED------
"""


class TokenError(Exception):
    """A token, key or .creds file that is not one: what is wrong with it, in a few words."""


class Kind(Enum):
    """What a key is for: its first letter says so."""

    OPERATOR = nkeys.PREFIX_BYTE_OPERATOR
    ACCOUNT = nkeys.PREFIX_BYTE_ACCOUNT
    USER = nkeys.PREFIX_BYTE_USER


class Key:
    """A pair of keys (Ed25519). Neither str() nor repr() tells the secret."""

    def __init__(self, seed: bytes) -> None:
        """From its seed, 58 letters and digits that begin with S; TokenError."""
        try:
            # A bytearray, as the library takes it; it decodes the seed a second time for the
            # public key.
            pair = nkeys.from_seed(bytearray(seed))
            self._sign = pair.sign
            self.public: str = pair.public_key.decode()
        except Exception:  # whatever the library meets in what is no seed
            raise TokenError("not the seed of an nkey") from None
        self._seed = seed

    @classmethod
    def make(cls, kind: Kind) -> "Key":
        """A new one, by chance."""
        return cls(nkeys.encode_seed(bytes(SigningKey.generate()), kind.value))

    @property
    def seed(self) -> bytes:
        """The secret, as it is written in a file."""
        return self._seed

    def sign(self, content: bytes) -> bytes:
        return self._sign(content)

    def __repr__(self) -> str:
        return f"Key({self.public})"


def operator_token(operator: Key, name: str, system_account: str, now_s: int) -> str:
    """An operator about itself. `system_account`: the public key of the account that may watch the
    servers. `now_s`: unix seconds, as in all of these."""
    claims = {"type": "operator", "system_account": system_account}
    return _token(operator, operator.public, name, claims, now_s)


def account_token(
    operator: Key,
    account: str,
    name: str,
    now_s: int,
    *,
    streams: bool,
    revoked: Mapping[str, int] | None = None,
) -> str:
    """An operator about an account (its public key). `streams`: it may have JetStream's, on disk.

    `revoked`: users (their public keys), and until when their tokens are worth nothing, in unix
    seconds of their issue.
    """
    everything = ("subs", "data", "payload", "imports", "exports", "conn", "leaf")
    limits: dict[str, Any] = dict.fromkeys(everything, _UNLIMITED)
    limits |= {"wildcards": True, "disallow_bearer": True}
    if streams:
        limits |= {"disk_storage": _UNLIMITED, "streams": _UNLIMITED, "consumer": _UNLIMITED}
    claims: dict[str, Any] = {
        "type": "account",
        "limits": limits,
        "default_permissions": {"pub": {}, "sub": {}},
        "revocations": dict(revoked or {}),
    }
    return _token(operator, account, name, claims, now_s)


def user_token(account: Key, user: str, name: str, rights: Rights, now_s: int) -> str:
    """An account about one of its users (its public key)."""
    claims: dict[str, Any] = {
        "type": "user",
        "pub": _permission(rights.publish),
        "sub": _permission(rights.subscribe),
        "subs": rights.max_subscriptions,
        "data": _UNLIMITED,
        "payload": rights.max_payload,
    }
    return _token(account, user, name, claims, now_s)


def _permission(subjects: tuple[str, ...]) -> dict[str, list[str]]:
    """Nothing allowed must be said: an empty list allows everything."""
    return {"allow": list(subjects)} if subjects else {"deny": [">"]}


def _token(signer: Key, about: str, name: str, nats: Mapping[str, Any], now_s: int) -> str:
    claims: dict[str, Any] = {
        "iat": now_s,
        "iss": signer.public,
        "name": name,
        "sub": about,
        "nats": {**nats, "version": _VERSION},
    }
    # Only a name for this very token.
    claims["jti"] = base64.b32encode(hashlib.sha256(_json(claims)).digest()).decode().rstrip("=")
    signed = f"{_base64(_json(_HEADER))}.{_base64(_json(claims))}"
    return f"{signed}.{_base64(signer.sign(signed.encode()))}"


def claims_of(token: str) -> dict[str, Any]:
    """What a token says; whether its signature is right is for the server. TokenError."""
    try:
        _, claims, _ = token.split(".")
        found: object = json.loads(base64.urlsafe_b64decode(claims + "=" * (-len(claims) % 4)))
    except (ValueError, RecursionError):
        raise TokenError("not a token") from None
    if not isinstance(found, dict):
        raise TokenError("not a token")
    return cast(dict[str, Any], found)


def creds_file(token: str, user: Key) -> bytes:
    """What a client is given: its token and its key."""
    return _CREDS.format(token=token, seed=user.seed.decode()).encode()


def read_creds(content: bytes) -> tuple[str, Key]:
    """The token and the key of a .creds file; TokenError."""
    lines = content.decode("ascii", errors="replace").splitlines()
    after = {
        line.strip("-"): lines[at + 1] for at, line in enumerate(lines[:-1]) if "BEGIN" in line
    }
    try:
        token, seed = after["BEGIN NATS USER JWT"], after["BEGIN USER NKEY SEED"]
    except KeyError:
        raise TokenError("not a .creds file: it has no token or no seed") from None
    return token.strip(), Key(seed.strip().encode())


def _json(content: Mapping[str, Any]) -> bytes:
    return json.dumps(content, separators=(",", ":")).encode()


def _base64(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).decode().rstrip("=")
