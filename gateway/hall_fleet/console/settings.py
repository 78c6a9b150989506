"""fleet.toml: what the fleet console is told.

Here: its tables, and reading it. Not here: the console's own table (hall_gateway.config_console).
"""

from pathlib import Path

from hall_gateway.config_base import Settings
from hall_gateway.config_console import ConsoleConfig
from hall_gateway.toml_input import read_toml
from pydantic import Field

from hall_fleet.dsn import Dsn

_DSN = (
    'how to connect, e.g. "host=db.example.com dbname=hall user=hall_console sslmode=verify-full '
    'passfile=/etc/hallkit/pgpass"'
)


class PostgresConfig(Settings):
    """Where the record is."""

    dsn: Dsn = Field(min_length=1, description=_DSN)


class FleetConfig(Settings):
    """Everything `hall fleet console` needs to know."""

    name: str = Field(
        default="营业厅",
        min_length=1,
        max_length=40,
        description="the company's name, for the head of every page",
    )
    utc_offset_min: int = Field(
        default=480,
        ge=-720,
        le=840,
        description="minutes that the clock of pages is ahead of UTC, -720 to 840; each reader may "
        "choose another",
    )
    offline_min: int = Field(
        default=15,
        ge=2,
        le=1440,
        description="minutes without a word after which a hall is shown as offline, 2 to 1440",
    )
    postgres: PostgresConfig = Field(description="a [postgres] table with a dsn")
    console: ConsoleConfig = Field(default=ConsoleConfig(), description="a [console] table")


def load_fleet(path: Path) -> FleetConfig:
    """The settings in the TOML file at `path`; relative paths in it start at its folder.

    Raises ConfigError, with one line for every error.
    """
    return read_toml(path, FleetConfig, "docs/fleet-console.md")
