"""How NATS servers are reached, and where a hall's events go there: the [jetstream] table.

Here: the models, and the files that they name. Not here: what a .creds file holds
(jetstream_credentials.py), what is sent (jetstream_message.py) and when (jetstream_link.py).
"""

import ssl
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field

from hall_gateway.config_base import FilePath, Settings
from hall_gateway.config_links import is_loopback
from hall_gateway.config_webhooks import TYPES_RULE, TypePattern
from hall_gateway.jetstream_credentials import Credentials, read_credentials
from hall_gateway.models import Name
from hall_gateway.toml_input import ConfigError

SINK = "jetstream"
SERVERS_RULE = 'a list such as ["tls://nats-1.example:4222", "tls://nats-2.example:4222"]'


def _is_server(url: str) -> str:
    """Nothing of the URL is repeated in an error, for somebody may have put a password there."""
    if not url.isascii() or not url.isprintable() or " " in url:
        raise ValueError(f"it has characters that an address cannot have; give {SERVERS_RULE}")
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError as error:
        raise ValueError(f"not an address: {error}; give {SERVERS_RULE}") from None
    if parts.scheme not in ("tls", "nats") or not host or port == 0:
        raise ValueError(f"not an address of a server; give {SERVERS_RULE}")
    if "@" in parts.netloc:
        raise ValueError("no user name or password in it; creds_file says who the hall is")
    if parts.path or parts.query or parts.fragment:
        raise ValueError(f"nothing goes behind the port; give {SERVERS_RULE}")
    if parts.scheme == "nats" and not is_loopback(host):
        raise ValueError("nats:// leaves this machine unencrypted; use tls://")
    return url


Server = Annotated[str, Field(max_length=300), AfterValidator(_is_server)]


class NatsLogin(Settings):
    """NATS servers of one cluster, and who this program is there."""

    servers: tuple[Server, ...] = Field(
        min_length=1, max_length=16, strict=False, description=SERVERS_RULE
    )
    creds_file: FilePath = Field(
        description="the .creds file that the back office made, for its owner alone"
    )
    ca_file: FilePath | None = Field(
        default=None, description="a PEM file with the servers' CA; the system's when left out"
    )

    def check_files(self) -> None:
        """Raises ConfigError when a file that is named here cannot be used."""
        self.credentials()
        self.tls()

    def credentials(self) -> Credentials:
        """Who this is; read now, so that it is never kept in settings. Raises ConfigError."""
        return read_credentials(self.creds_file)

    def tls(self) -> ssl.SSLContext | None:
        """How the servers' certificates are verified; None when all are on this machine, and
        without TLS. Raises ConfigError."""
        if not any(server.startswith("tls://") for server in self.servers):
            return None
        try:
            return ssl.create_default_context(cafile=self.ca_file)
        except OSError as error:  # ssl.SSLError is one
            raise ConfigError(f"{self.ca_file}: CA file: {error.strerror or error}") from None


class JetStreamConfig(NatsLogin):
    """The back office's NATS servers, and what of this hall goes there."""

    types: tuple[TypePattern, ...] = Field(default=(), strict=False, description=TYPES_RULE)
    name: Name | None = Field(
        default=None,
        description='what the hall is called in the back office\'s lists, e.g. "城东供电营业厅"',
    )
