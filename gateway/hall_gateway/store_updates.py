"""The store's roll-outs of releases.

Here: SQL over roll_outs. Not here: what a roll-out is (rollout_model.py), the release's files
(release_store.py).
"""

from functools import cache

from pydantic import TypeAdapter

from hall_gateway.rollout_model import RollOut
from hall_gateway.store_events import Table

KEPT = 20
"""Roll-outs that are remembered, with their devices."""


class RollOuts(Table):
    """By id. At most one is going on: the newest, until it is done."""

    def current(self) -> RollOut | None:
        """The one that is going on, or stopped."""
        body = self.maybe("SELECT body FROM roll_outs WHERE NOT done ORDER BY id DESC LIMIT 1")
        return None if body is None else _adapter().validate_json(body)

    def all(self) -> list[RollOut]:
        """The newest first."""
        rows = self.run("SELECT body FROM roll_outs ORDER BY id DESC").fetchall()
        return [_adapter().validate_json(body) for (body,) in rows]

    def next_id(self) -> int:
        """For another one; those before it are not going on any more."""
        self.run("UPDATE roll_outs SET done = 1")
        return self.value("SELECT coalesce(max(id), 0) + 1 FROM roll_outs")

    def put(self, rollout: RollOut) -> None:
        """`rollout` as it is now; the oldest are forgotten."""
        body = _adapter().dump_json(rollout).decode()
        row = (rollout.id, rollout.state == "done", body)
        self.run("REPLACE INTO roll_outs VALUES (?, ?, ?)", row)
        self.run("DELETE FROM roll_outs WHERE id <= ?", (rollout.id - KEPT,))


@cache
def _adapter() -> TypeAdapter[RollOut]:
    return TypeAdapter(RollOut)
