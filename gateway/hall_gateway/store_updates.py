"""The store's roll-outs of releases.

Here: SQL over roll_outs. Not here: what a roll-out is (rollout.py), the release's files
(release_store.py).
"""

from functools import cache

from pydantic import TypeAdapter

from hall_gateway.rollout import RollOut
from hall_gateway.store_events import Table

KEPT = 20
"""Roll-outs that are remembered, with their devices."""


class RollOuts(Table):
    """By id, the newest last. At most one of them is not done."""

    def newest(self) -> RollOut | None:
        body = self.maybe("SELECT body FROM roll_outs ORDER BY id DESC LIMIT 1")
        return None if body is None else _adapter().validate_json(body)

    def all(self) -> list[RollOut]:
        """The newest first."""
        rows = self.run("SELECT body FROM roll_outs ORDER BY id DESC").fetchall()
        return [_adapter().validate_json(body) for (body,) in rows]

    def next_id(self) -> int:
        return self.value("SELECT coalesce(max(id), 0) + 1 FROM roll_outs")

    def put(self, rollout: RollOut) -> None:
        """`rollout` as it is now; the oldest are forgotten."""
        body = _adapter().dump_json(rollout).decode()
        self.run("REPLACE INTO roll_outs VALUES (?, ?)", (rollout.id, body))
        self.run("DELETE FROM roll_outs WHERE id <= ?", (rollout.id - KEPT,))


@cache
def _adapter() -> TypeAdapter[RollOut]:
    return TypeAdapter(RollOut)
