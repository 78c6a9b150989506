"""How values are written on the wire, and somebody else's text in a line of our own.

Here: JSON, time, one line. Not here: which values.
"""

from datetime import UTC, datetime, timedelta
from functools import lru_cache

from pydantic_core import to_json

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def compact(value: object) -> bytes:
    """`value` as JSON without blanks, in UTF-8."""
    return to_json(value, inf_nan_mode="constants")


def one_line(text: str, most: int = 64) -> str:
    """At most so many characters of a text of outside, in which nothing can end a line of a log or
    steer a terminal: what is not printable stands as Python writes it, e.g. \\n."""
    short = text[:most]
    return short if short.isprintable() else short.encode("unicode_escape").decode()


def rfc3339(unix_ms: int) -> str:
    """`unix_ms` as UTC with milliseconds, e.g. 2026-11-21T08:00:00.000Z (RFC 3339)."""
    return f"{_second(unix_ms // 1000)}.{unix_ms % 1000:03}Z"


@lru_cache(maxsize=64)
def _second(unix_s: int) -> str:
    return f"{datetime.fromtimestamp(unix_s, UTC):%Y-%m-%dT%H:%M:%S}"


def unix_ms(text: str) -> int:
    """The unix ms of a time that rfc3339() wrote."""
    return (datetime.fromisoformat(text) - _EPOCH) // timedelta(milliseconds=1)
