"""The roles of the record in PostgreSQL, and the statements that make them.

Here: who there is, for whoever sets a server up. Not here: what each may do (migrations/), and how
each shows who it is (pg_hba.conf of the server, a password file beside its program).
"""

OWNER = "hall_owner"
"""Owns the database and all that is in it: migrates, and drops what is too old."""

INGEST = "hall_ingest"
"""The workers: put events in, and nothing else."""

CONSOLE = "hall_console"
"""The fleet console: reads."""

BI = "hall_bi"
"""The company's own reports: reads the views in schema hall_figures, and nothing else."""

ROLES = (OWNER, INGEST, CONSOLE, BI)


def statements(database: str) -> list[str]:
    """SQL for a superuser, once: the roles, and `database`, which hall_owner owns. CREATE DATABASE
    goes by itself, outside a transaction."""
    return [
        *(f"CREATE ROLE {role} LOGIN" for role in ROLES),
        f"CREATE DATABASE {database} OWNER {OWNER} TEMPLATE template0 ENCODING 'UTF8'",
        f"REVOKE ALL ON DATABASE {database} FROM PUBLIC",
        f"GRANT CONNECT ON DATABASE {database} TO {', '.join(ROLES[1:])}",
        f"GRANT TEMPORARY ON DATABASE {database} TO {INGEST}",
    ]
