"""How values are written on the wire.

Here: JSON and time. Not here: which values.
"""

import json
from datetime import UTC, datetime, timedelta

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def compact(value: object) -> bytes:
    """`value` as JSON without blanks, in UTF-8."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


def rfc3339(unix_ms: int) -> str:
    """`unix_ms` as UTC with milliseconds, e.g. 2026-11-21T08:00:00.000Z (RFC 3339)."""
    time = datetime.fromtimestamp(unix_ms // 1000, UTC)
    return f"{time:%Y-%m-%dT%H:%M:%S}.{unix_ms % 1000:03}Z"


def unix_ms(text: str) -> int:
    """The unix ms of a time that rfc3339() wrote."""
    return (datetime.fromisoformat(text) - _EPOCH) // timedelta(milliseconds=1)
