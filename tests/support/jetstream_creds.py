"""Credentials at a back office's NATS servers that nobody would hand out: other rights, expired."""

import base64
import json
from pathlib import Path

from hall_fleet.logins import Rights
from hall_tools.fleet.credentials import Credentials
from hall_tools.fleet.jwt import Key, Kind, creds_file, user_token


def make_creds(
    folder: Path, credentials: Credentials, hall: str, rights: Rights, exp: int = 0
) -> Path:
    """A .creds file with these rights, which expires at unix seconds `exp`, 0 for never."""
    signer = Key((credentials.folder / "halls.seed").read_bytes().strip())
    user = Key.make(Kind.USER)
    head, body, _ = user_token(signer, user.public, hall, rights, 0).split(".")
    claims = json.loads(base64.urlsafe_b64decode(body + "==")) | ({"exp": exp} if exp else {})
    signed = f"{head}.{_unpadded(json.dumps(claims).encode())}"
    token = f"{signed}.{_unpadded(signer.sign(signed.encode()))}"
    path = folder / "made.creds"
    path.touch(0o600)
    path.write_bytes(creds_file(token, user))
    return path


def _unpadded(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).decode().rstrip("=")
