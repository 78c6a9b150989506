"""The store's tables of what rules remember: what holds and stands, and what floor sensors said.

Here: SQL over rule_states, rule_files and floors. Not here: when a rule stands (rules.py), what
rules lead to (store_rules.py).
"""

from dataclasses import dataclass

from hall_gateway.store_events import Table


@dataclass(frozen=True)
class RuleState:
    """That a rule's condition holds at a place since `held`, and stands since `stands`, and the
    alert that it raised."""

    rule: str
    place: str
    held: int
    stands: int | None = None
    alert: int | None = None


@dataclass(frozen=True)
class Floor:
    """What a floor sensor said last."""

    wet: bool = False
    rain: bool = False


class RuleStates(Table):
    """What holds and stands, the last good file, and what floor sensors said."""

    def all(self) -> dict[tuple[str, str], RuleState]:
        rows = self.run("SELECT rule, place, held, stands, alert FROM rule_states")
        return {(row[0], row[1]): RuleState(*row) for row in rows}

    def put(self, state: RuleState) -> None:
        row = (state.rule, state.place, state.held, state.stands, state.alert)
        self.run("REPLACE INTO rule_states VALUES (?, ?, ?, ?, ?)", row)

    def drop(self, rule: str, place: str) -> None:
        self.run("DELETE FROM rule_states WHERE (rule, place) = (?, ?)", (rule, place))

    def has_alert(self, id: int) -> bool:
        """Whether a rule stands that has raised that alert, and will clear it."""
        return self.maybe("SELECT 1 FROM rule_states WHERE alert = ?", id) is not None

    def file(self) -> tuple[str, str] | None:
        """(name, text) of the last rule file that was good."""
        return self.run("SELECT file, text FROM rule_files").fetchone()

    def put_file(self, file: str, text: str) -> None:
        self.run("REPLACE INTO rule_files VALUES (1, ?, ?)", (file, text))

    def floors(self) -> dict[str, Floor]:
        """By device."""
        rows = self.run("SELECT device, wet, rain FROM floors")
        return {row[0]: Floor(bool(row[1]), bool(row[2])) for row in rows}

    def move_floors(self, by: int, first: int, last: int) -> None:
        """Times from `first` to `last` are `by` ms later: the clock was set."""
        for what in ("wet_at", "rain_at"):
            self.run(
                f"UPDATE floors SET {what} = {what} + ? WHERE {what} BETWEEN ? AND ?",
                (by, first, last),
            )

    def floor(self, device: str, what: str, on: bool, at: int) -> None:
        """`what` (wet or rain) is `on` since unix ms `at`; of two reports the newer one counts."""
        assert what in ("wet", "rain")
        self.run("INSERT INTO floors (device) VALUES (?) ON CONFLICT DO NOTHING", (device,))
        self.run(
            f"UPDATE floors SET {what} = ?, {what}_at = ? WHERE device = ? AND {what}_at <= ?",
            (on, at, device, at),
        )
