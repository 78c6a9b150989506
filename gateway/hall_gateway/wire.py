"""How values are written on the wire.

Here: JSON and time. Not here: which values.
"""

import json
from datetime import UTC, datetime


def compact(value: object) -> bytes:
    """`value` as JSON without blanks, in UTF-8."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


def rfc3339(unix_ms: int) -> str:
    """`unix_ms` as UTC with milliseconds, e.g. 2026-11-21T08:00:00.000Z (RFC 3339)."""
    time = datetime.fromtimestamp(unix_ms // 1000, UTC)
    return f"{time:%Y-%m-%dT%H:%M:%S}.{unix_ms % 1000:03}Z"
