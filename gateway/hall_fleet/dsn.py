"""Connection strings of PostgreSQL, as settings may have them.

Here: what none may have in it, and what each has to ask of another machine. Not here: the tables
that have one (ingest_config.py, console/settings.py), connecting.
"""

from typing import Annotated

from hall_gateway.config_links import is_loopback
from psycopg import ProgrammingError
from psycopg.conninfo import conninfo_to_dict
from pydantic import AfterValidator

_SECRETS = ("password", "sslpassword")


def _is_dsn(dsn: str) -> str:
    """Nothing of it is repeated in an error, for somebody may have put a password there."""
    try:
        parts = conninfo_to_dict(dsn)
    except ProgrammingError:
        raise ValueError("not a connection string of PostgreSQL") from None
    if any(name in parts for name in _SECRETS):
        raise ValueError("no password in it: passfile= names a file that has it, or use peer")
    places = [str(parts.get(name) or "") for name in ("host", "hostaddr")]
    hosts = [host.strip() for place in places for host in place.split(",")]
    away = [host for host in hosts if host and host[0] not in "/@" and not is_loopback(host)]
    if away and parts.get("sslmode") != "verify-full":
        raise ValueError("another machine: add sslmode=verify-full, and sslrootcert= with its CA")
    return dsn


Dsn = Annotated[str, AfterValidator(_is_dsn)]
"""Without a password; by TLS that is verified where it leads to another machine."""
