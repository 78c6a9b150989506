"""The settings of `hall ingest`: one TOML file for its workers and for whoever sets them up.

Here: the file's tables, and reading it. Not here: how a TOML error is worded
(hall_gateway.toml_input), and what is done with them.
"""

from pathlib import Path
from typing import Literal

from hall_gateway.config_base import Settings
from hall_gateway.config_figures import Minutes
from hall_gateway.config_http import HttpConfig
from hall_gateway.config_jetstream import NatsLogin
from hall_gateway.limits import OTHER_MIN, PAYMENT_MIN, Limits
from hall_gateway.models import Name
from hall_gateway.toml_input import read_toml
from pydantic import Field

from hall_fleet.dsn import Dsn

DSN_RULE = 'e.g. "host=/run/postgresql dbname=hall user=hall_ingest"'


class NatsConfig(NatsLogin):
    """The back office's NATS servers, and what they keep."""

    replicas: Literal[1, 3, 5] = Field(
        default=3, description="how many servers keep each message: 1, 3 or 5"
    )
    max_gb: int = Field(
        default=4,
        ge=1,
        le=10_000,
        description="GiB that the stream of events may take on each server, 1 to 10000",
    )


class PostgresConfig(Settings):
    """The record. `dsn` is a worker's; the owner migrates, and drops what is too old."""

    dsn: Dsn = Field(description=f"a connection string without a password, {DSN_RULE}")
    owner_dsn: Dsn | None = Field(
        default=None,
        description="the same of hall_owner, for `migrate` and `retain`; a worker needs none",
    )


class FiguresConfig(Settings):
    """How long a service may take: one measure for all halls, so that they can be compared."""

    limit_min: Minutes = Field(
        default=OTHER_MIN,
        description="minutes that a service may take, 1 to 600, where `limits` names none",
    )
    limits: dict[Name, Minutes] = Field(
        default_factory=lambda: dict(PAYMENT_MIN),
        description='minutes by business as halls name it, e.g. { "缴费" = 5 }',
    )

    def measured_by(self) -> Limits:
        return Limits(self.limits, self.limit_min)


class IngestConfig(Settings):
    """Everything that `hall ingest` needs to know."""

    nats: NatsConfig = Field(description="a [nats] table: the servers and the credentials")
    postgres: PostgresConfig = Field(description="a [postgres] table with dsn")
    http: HttpConfig | None = Field(
        default=None, description="an [http] table: where /health and /metrics are served"
    )
    figures: FiguresConfig = Field(default=FiguresConfig(), description="a [figures] table")


def load_config(path: Path) -> IngestConfig:
    """The settings in the TOML file at `path`; relative paths in it start at its folder.

    Raises ConfigError, with one line for every error.
    """
    return read_toml(path, IngestConfig, "docs/ingest.md")
