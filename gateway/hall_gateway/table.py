"""What the store's tables share: running SQL on its one connection.

Here: the connection and two ways to read one value. Not here: any statement.
"""

import sqlite3
from collections.abc import Sequence
from typing import Any


class Table:
    """SQL over the store's connection, inside the transaction that the writer began."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._db = connection

    def run(self, sql: str, parameters: Sequence[object] = ()) -> sqlite3.Cursor:
        return self._db.execute(sql, parameters)

    def value(self, sql: str, *parameters: object) -> Any:
        """The one value of the one row."""
        return self._db.execute(sql, parameters).fetchone()[0]

    def maybe(self, sql: str, *parameters: object) -> Any:
        """The first value of the first row; None when there is no row."""
        row = self._db.execute(sql, parameters).fetchone()
        return None if row is None else row[0]
