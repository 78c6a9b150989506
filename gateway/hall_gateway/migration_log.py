"""The row that yoyo writes for every migration that it applies.

Here: that row, without what yoyo asks of the machine for it: a passwd entry, and a host's name that
waits for DNS; a gateway may start without either. Not here: applying migrations (schema.py, and
hall_fleet.migrate for the record).
"""

import socket
import uuid
from datetime import UTC, datetime
from typing import Any


class PlainLog:
    """Goes before yoyo's own backend among a backend's bases."""

    def get_log_data(self, migration: Any = None, operation: str = "apply") -> dict[str, Any]:
        return {
            "id": str(uuid.uuid4()),
            "migration_id": migration.id,
            "migration_hash": migration.hash,
            "username": "hallkit",
            "hostname": socket.gethostname(),
            "created_at_utc": datetime.now(UTC).replace(tzinfo=None),
            "operation": operation,
        }
