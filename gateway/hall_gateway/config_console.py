"""Where the hall manager's web page listens, and who may log in there.

Here: the model of this table. Not here: the rules between tables (config.py), the page (console/).
"""

import re
from pathlib import Path
from urllib.parse import urlsplit

from pydantic import Field, field_validator, model_validator

from hall_gateway.config_base import FilePath, Port, Settings
from hall_gateway.config_links import is_loopback
from hall_gateway.toml_input import Loc, ProblemsError

_ORIGIN = re.compile(r"^https?://[A-Za-z0-9.-]+(:[0-9]{1,5})?$|^https?://\[[0-9a-fA-F:]+\](:\d+)?$")


class ConsoleConfig(Settings):
    """The console is a process of its own, `hall console run`. Passwords cross the network, so it
    leaves loopback only with TLS: its own, or that of a reverse proxy on this machine."""

    host: str = Field(
        default="127.0.0.1",
        min_length=1,
        description='an address of this machine; any but loopback, e.g. "0.0.0.0", needs '
        "cert_file and key_file",
    )
    port: Port = Field(default=8080, description="a TCP port, 1 to 65535")
    users_file: FilePath | None = Field(
        default=None,
        description='a file for its owner alone, which "hall console user" writes; '
        "console-users.json beside this file when left out",
    )
    cert_file: FilePath | None = Field(
        default=None, description="a PEM file with the certificate and its chain"
    )
    key_file: FilePath | None = Field(
        default=None, description="a PEM file with the certificate's key, for its owner alone"
    )
    origin: str | None = Field(
        default=None,
        description="what browsers have in their address bar, where a reverse proxy on this "
        'machine stands before the console, e.g. "https://hall.example.com"',
    )
    idle_min: int = Field(
        default=30,
        ge=5,
        le=720,
        description="minutes without an action until a manager or technician is logged out, 5 to "
        "720",
    )

    @field_validator("origin")
    @classmethod
    def _is_origin(cls, origin: str | None) -> str | None:
        if origin is not None and not _ORIGIN.match(origin):
            raise ValueError(f'"{origin}" is not a scheme and a host without a path')
        if origin is None:
            return None
        parts = urlsplit(origin.lower())
        if parts.scheme == "http" and not is_loopback(parts.hostname or ""):
            raise ValueError(f'passwords would cross the network in the clear to "{origin}"')
        # As browsers write it (RFC 6454, 6.2).
        usual = ":443" if parts.scheme == "https" else ":80"
        return f"{parts.scheme}://{parts.netloc.removesuffix(usual)}"

    @model_validator(mode="after")
    def _safe(self) -> "ConsoleConfig":
        problems: list[tuple[Loc, str]] = []
        if (self.cert_file is None) != (self.key_file is None):
            problems.append(((), "cert_file and key_file belong together; give both or none"))
        if not self.tls and not is_loopback(self.host):
            text = (
                f'passwords would cross the network in the clear to "{self.host}"; give cert_file '
                'and key_file, or host = "127.0.0.1" with a reverse proxy and its origin'
            )
            problems.append((("host",), text))
        if self.tls and self.origin is not None:
            text = "is for a reverse proxy, which has the certificate then; leave one of them out"
            problems.append((("origin",), text))
        if problems:
            raise ProblemsError(problems)
        return self

    @property
    def tls(self) -> bool:
        """Whether the console itself speaks HTTPS."""
        return self.cert_file is not None and self.key_file is not None

    @property
    def secure(self) -> bool:
        """Whether browsers reach it by HTTPS."""
        return self.tls or (self.origin is not None and self.origin.startswith("https:"))

    def users(self, settings: Path) -> Path:
        """The file of the users; `settings` is the file that this table stands in."""
        return self.users_file or settings.with_name("console-users.json")
