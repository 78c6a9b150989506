"""A `.creds` file: a hall's token for the back office's NATS servers, and the key that proves it.

Here: reading it, and what the token says of itself. Not here: whether it is true, which only the
servers know; making them (the back office).

The form is that of NATS' own tools: a JSON Web Token and the seed of an nkey, each between two
lines that say so.
"""

import base64
import binascii
import json
import re
from dataclasses import dataclass, field
from hashlib import blake2b
from pathlib import Path
from typing import Any, cast

from hall_gateway.files import FileError, read_secret
from hall_gateway.toml_input import ConfigError
from hall_gateway.wire import one_line

_PARTS = re.compile(
    rb"-+BEGIN NATS USER JWT-+\s+(?P<token>[A-Za-z0-9_.-]+)\s+-+END NATS USER JWT-+"
    rb".*?-+BEGIN USER NKEY SEED-+\s+(?P<seed>SU[A-Z2-7]{56})\s+-+END USER NKEY SEED-+",
    re.DOTALL,
)
_ADVICE = "ask the back office for this hall's .creds file"


@dataclass(frozen=True)
class Credentials:
    """`key`: a secret of the hall's, made of its seed, for what has nothing to do with logging in.
    `expires`: unix seconds, None for never; `publish`: the subjects that the token allows, none
    when it says nothing of them."""

    token: bytes = field(repr=False)
    seed: bytes = field(repr=False)
    key: bytes = field(repr=False)
    name: str
    expires: int | None
    publish: tuple[str, ...]


def read_credentials(path: Path) -> Credentials:
    """The file at `path`, which nobody but its owner may read. Raises ConfigError."""
    where = f"{path}: credentials"
    try:
        content = read_secret(path)
    except FileError as error:
        raise ConfigError(str(error)) from None
    if content is None:
        raise ConfigError(f"{where}: there is no such file; {_ADVICE}")
    found = _PARTS.search(content)
    claims = found and _claims(found["token"])
    if not found or claims is None:
        raise ConfigError(f"{where}: it has no NATS user token and seed; {_ADVICE}")
    nats = _group(claims, "nats")
    allowed: object = _group(nats, "pub").get("allow")
    subjects = cast("list[object]", allowed) if isinstance(allowed, list) else []
    expires = claims.get("exp")
    return Credentials(
        found["token"],
        found["seed"],
        blake2b(found["seed"], digest_size=32, person=b"hall-message-ids").digest(),
        one_line(str(claims.get("name", ""))),
        expires if type(expires) is int and expires > 0 else None,
        tuple(one_line(str(subject), 256) for subject in subjects),
    )


def _claims(token: bytes) -> dict[str, Any] | None:
    """What a token says; None when it is none."""
    try:
        _, middle, _ = token.split(b".")
        claims: object = json.loads(base64.urlsafe_b64decode(middle + b"=" * (-len(middle) % 4)))
    except (ValueError, binascii.Error, RecursionError):
        return None
    return cast("dict[str, Any]", claims) if isinstance(claims, dict) else None


def _group(claims: dict[str, Any], name: str) -> dict[str, Any]:
    found = claims.get(name)
    return cast("dict[str, Any]", found) if isinstance(found, dict) else {}
