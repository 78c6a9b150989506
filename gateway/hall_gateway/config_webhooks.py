"""Where events go by HTTPS: the [[webhook]] tables, and the secrets that sign what is sent.

Here: the model, and reading its files. Not here: what is sent (webhook_message.py) and when
(webhooks.py).
"""

import base64
import binascii
import re
import ssl
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, field_validator

from hall_gateway.config_base import ID_RULE, FilePath, Id, Settings
from hall_gateway.config_links import is_loopback
from hall_gateway.files import FileError, read_secret
from hall_gateway.toml_input import ConfigError

SECRET_PREFIX = "whsec_"
SECRET_BYTES = range(24, 65)
"""Of a secret, as the Standard Webhooks specification has it."""
MAX_SECRETS = 4

TYPES_RULE = 'a list such as ["hall.rating.*", "hall.device.fault"]; all when left out'
_TYPE = re.compile(r"hall\.(\*|([a-z_]+|\*)\.([a-z_]+|\*))")


def _is_pattern(text: str) -> str:
    if not _TYPE.fullmatch(text):
        raise ValueError(f'"{text}" is no event type; give {TYPES_RULE}')
    return text


TypePattern = Annotated[str, AfterValidator(_is_pattern)]
"""A type of event, each of its last two words maybe `*`, or `hall.*` for all."""


class WebhookConfig(Settings):
    """One endpoint that gets every event, or those of some types."""

    id: Id = Field(description=ID_RULE)
    url: str = Field(
        repr=False,  # it may hold a token
        min_length=1,
        max_length=2000,
        description='"https://…"; "http://…" to this machine itself, e.g. "http://127.0.0.1:8080/"',
    )
    secret_file: FilePath = Field(
        description="a file for its owner alone; each line is a secret that signs: "
        '"whsec_" and 24 to 64 random bytes in base64'
    )
    mode: Literal["structured", "binary"] = Field(
        default="structured",
        description='"structured" (the whole CloudEvent is the body) or "binary" (its data is)',
    )
    types: tuple[TypePattern, ...] = Field(default=(), strict=False, description=TYPES_RULE)
    ca_file: FilePath | None = Field(
        default=None, description="a PEM file with the endpoint's CA; the system's when left out"
    )
    timeout_s: int = Field(
        default=10, ge=1, le=60, description="so long an endpoint may take to answer, 1 to 60 s"
    )

    @field_validator("url")
    @classmethod
    def _is_safe(cls, url: str) -> str:
        """Nothing of the URL is repeated in an error, for it may hold a token."""
        if not url.isascii() or not url.isprintable() or " " in url:
            raise ValueError("it has characters that a URL cannot have; write them as %XX")
        try:
            parts = urlsplit(url)
            host, _ = parts.hostname, parts.port
        except ValueError as error:
            raise ValueError(f"not a URL: {error}") from None
        if not host or parts.scheme not in ("https", "http"):
            raise ValueError("not a URL with https:// and a host")
        if parts.scheme == "http" and not is_loopback(host):
            raise ValueError("http:// leaves this machine unencrypted; use https://")
        if "@" in parts.netloc:
            raise ValueError("no user name or password in it; the signature says who sends")
        if parts.fragment:
            raise ValueError("no #fragment in it; it is never sent")
        return url

    @property
    def sink(self) -> str:
        """Its name among the sinks."""
        return f"webhook:{self.id}"

    def check_files(self) -> None:
        """Raises ConfigError when a file that is named here cannot be used."""
        self.secrets()
        self.tls()

    def secrets(self) -> list[bytes]:
        """What signs, the first line first; read now, so that it is never kept in settings.

        Raises ConfigError.
        """
        where = f"{self.secret_file}: secret of webhook {self.id}"
        try:
            content = read_secret(self.secret_file)
        except FileError as error:
            raise ConfigError(str(error)) from None
        if content is None:
            raise ConfigError(f"{where}: there is no such file; docs/back-office.md makes one")
        lines = [line.strip() for line in content.decode("utf-8", "replace").splitlines()]
        found = [_secret(line) for line in lines if line]
        if not found or len(found) > MAX_SECRETS or None in found:
            raise ConfigError(
                f"{where}: it needs 1 to {MAX_SECRETS} lines of {SECRET_PREFIX} and 24 to 64 "
                "random bytes in base64; docs/back-office.md makes one"
            )
        return [secret for secret in found if secret is not None]

    def tls(self) -> ssl.SSLContext:
        """How the endpoint's certificate is verified. Raises ConfigError."""
        try:
            return ssl.create_default_context(cafile=self.ca_file)
        except OSError as error:  # ssl.SSLError is one
            raise ConfigError(f"{self.ca_file}: CA file: {error.strerror or error}") from None


def _secret(line: str) -> bytes | None:
    """The bytes that a line stands for; None when it is none of ours."""
    try:
        secret = base64.b64decode(line.removeprefix(SECRET_PREFIX), validate=True)
    except (binascii.Error, ValueError):
        return None
    return secret if line.startswith(SECRET_PREFIX) and len(secret) in SECRET_BYTES else None
