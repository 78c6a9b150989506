"""The gateway's control socket, from a command's side.

Here: one request and its answer. Not here: what is asked (the commands), the socket itself
(hall_gateway.control).
"""

import getpass
import http.client
import json
import os
import socket
from pathlib import Path
from typing import Any

from hall_gateway.control import NAME
from hall_gateway.unix_socket import address

TIMEOUT_S = 40.0


class NoGatewayError(Exception):
    """Nobody answers on the socket: why, in a few words."""


class RefusedError(Exception):
    """The gateway's {"error"}, and its HTTP status."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status


class _Connection(http.client.HTTPConnection):
    def __init__(self, path: Path) -> None:
        super().__init__("gateway", timeout=TIMEOUT_S)
        self._path = path

    def connect(self) -> None:
        with address(self._path) as place:
            self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            self.sock.settimeout(self.timeout)
            self.sock.connect(place)


def ask(store: Path, path: str, body: dict[str, object] | None = None) -> Any:
    """GET `path`, or POST `body` and who does it; the answer's JSON, also of a 503 of /health.

    `store` is the gateway's. Raises NoGatewayError, RefusedError.
    """
    if body is None:
        return _request(store, "GET", path)
    return _request(store, "POST", path, json.dumps({"by": who(), **body}).encode())


def send(store: Path, path: str, content: bytes) -> Any:
    """POST bytes as they are; otherwise as ask()."""
    return _request(store, "POST", path, content)


def _request(store: Path, method: str, path: str, body: bytes | None = None) -> Any:
    connection = _Connection(store.with_name(NAME))
    try:
        connection.request(method, path, body)
        response = connection.getresponse()
        told = json.loads(response.read())
    except PermissionError:
        raise NoGatewayError("only root and the gateway may; run this with sudo") from None
    except (OSError, ValueError, http.client.HTTPException) as error:
        raise NoGatewayError(getattr(error, "strerror", None) or str(error)) from None
    finally:
        connection.close()
    if response.status >= 400 and "error" in told:
        raise RefusedError(response.status, told["error"])
    return told


def who() -> str:
    """Who sits in front of this command, also behind sudo."""
    try:
        return os.environ.get("SUDO_USER") or getpass.getuser()
    except (KeyError, OSError):
        return f"user {os.getuid()}"
