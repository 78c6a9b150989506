"""Where in its hall's outbox a message stands, and what a batch of them accounts for; pure.

Here: reading the header, merging ranges, and their text in PostgreSQL. Not here: who writes the
header (hall_gateway.jetstream_message), what is missing in all (0004_stores.sql, holes.py).

`{store}/{after}/{position}`: it is the row `position` of the outbox of `store`, and its sink wants
none of those after `after` and before it. So it accounts for the range (after, position].
"""

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping

from hall_gateway import jetstream_subjects as subjects

MOST = 2**40
"""No outbox comes this far."""
_SPAN = re.compile(r"([0-9a-f]{16})/(0|[1-9][0-9]{0,12})/([1-9][0-9]{0,12})")
_PART = re.compile(r"\[([0-9]+),([0-9]+)\)")

Span = tuple[str, int, int]
"""(store, after, position)."""


def span(headers: Mapping[str, str]) -> Span | None:
    """None without a header that is one."""
    text = headers.get(subjects.POSITION_HEADER)
    if text is None or (found := _SPAN.fullmatch(text)) is None:
        return None
    after, position = int(found[2]), int(found[3])
    return (found[1], after, position) if after < position <= MOST else None


def accounted(came: Iterable[tuple[str, Span]]) -> tuple[list[str], list[str], list[str]]:
    """What messages of halls account for: three columns, hall and store in ascending order, and an
    int8multirange."""
    ranges: dict[tuple[str, str], list[tuple[int, int]]] = defaultdict(list)
    for hall, (store, after, position) in came:
        ranges[hall, store].append((after, position))
    keys = sorted(ranges)
    return (
        [hall for hall, _ in keys],
        [store for _, store in keys],
        [_text(ranges[key]) for key in keys],
    )


def _text(ranges: list[tuple[int, int]]) -> str:
    """As an int8multirange is written; those that touch are one, to save the server the work."""
    ranges.sort()
    parts: list[str] = []
    first, last = ranges[0]
    for after, position in ranges[1:]:
        if after > last:
            parts.append(f"({first},{last}]")
            first = after
        last = max(last, position)
    parts.append(f"({first},{last}]")
    return "{" + ",".join(parts) + "}"


def parts(text: str) -> list[tuple[int, int]]:
    """The first and the last position of each part of an int8multirange, as PostgreSQL tells it."""
    return [(int(first), int(end) - 1) for first, end in _PART.findall(text)]


def multirange(parts: Iterable[tuple[int, int]]) -> str:
    """What parts() read."""
    return "{" + ",".join(f"[{first},{last}]" for first, last in parts) + "}"
