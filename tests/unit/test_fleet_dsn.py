"""What a connection string in the back office's settings may say, for workers and console alike."""

from __future__ import annotations

import pytest
from hall_fleet.console import settings as of_console
from hall_fleet.ingest_config import PostgresConfig
from pydantic import ValidationError

TAKEN = [
    "dbname=hall user=hall_ingest",
    "host=/run/postgresql dbname=hall",
    "host=@hall dbname=hall",
    "host=127.0.0.1,::1,localhost dbname=hall",
    "host=db.example hostaddr=192.0.2.7 dbname=hall sslmode=verify-full passfile=/etc/pgpass",
    "postgresql://hall_ingest@db.example/hall?sslmode=verify-full",
]
REFUSED = [
    ("dbname=hall password=geheim", "no password in it"),
    ("dbname=hall sslpassword=geheim", "no password in it"),
    ("postgresql://hall:geheim@127.0.0.1/hall", "no password in it"),
    ("host=db.example dbname=hall", "sslmode=verify-full"),
    ("host=127.0.0.1,db.example dbname=hall", "sslmode=verify-full"),
    ("hostaddr=192.0.2.7 dbname=hall", "sslmode=verify-full"),
    ("host=127.0.0.1 hostaddr=192.0.2.7 dbname=hall", "sslmode=verify-full"),
    ("host=db.example dbname=hall sslmode=require", "sslmode=verify-full"),
    ("host=db.example geheim", "not a connection string"),
]


@pytest.mark.parametrize("model", [PostgresConfig, of_console.PostgresConfig])
def test_only_what_is_safe_is_taken(
    model: type[PostgresConfig | of_console.PostgresConfig],
) -> None:
    for dsn in TAKEN:
        assert model(dsn=dsn).dsn == dsn
    for dsn, why in REFUSED:
        with pytest.raises(ValidationError) as refused:
            model(dsn=dsn)
        said = refused.value.errors(include_input=False)[0]["msg"]
        assert why in said, dsn
        assert "geheim" not in said
