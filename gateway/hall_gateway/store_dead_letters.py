"""The store's dead letters: events that a sink refused while it took others.

Here: SQL over dead_letters and its log of decisions, and the counts in sinks. Not here: when an
event is given up (webhooks.py), who may decide (sinks_api.py).
"""

from dataclasses import dataclass

from hall_gateway.store_events import Table

MAX_DEAD = 1000
"""Of one sink: at so many it gives up no other, and waits instead."""
MAX_LOG = 10_000


@dataclass(frozen=True)
class DeadLetter:
    """An event that `sink` refused `tries` times, from unix ms `first` to `last`, and why.

    `asked`: since when somebody wants it tried again, None for nobody. `body` is the CloudEvent.
    """

    sink: str
    event: str
    body: bytes
    reason: str
    tries: int
    first: int
    last: int
    asked: int | None = None


@dataclass(frozen=True)
class Decision:
    """What somebody decided about a dead letter at unix ms `at`: "retry" or "discard"."""

    at: int
    sink: str
    event: str
    step: str
    by: str


class DeadLetters(Table):
    """What was refused, and what became of it."""

    def bury(self, letter: DeadLetter) -> None:
        """Keep an event that its sink refused, so that the cursor can go on."""
        added = self.run(
            "INSERT INTO dead_letters VALUES (?, ?, ?, ?, ?, ?, ?, NULL) ON CONFLICT DO NOTHING",
            (
                *(letter.sink, letter.event, letter.body, letter.reason),
                *(letter.tries, letter.first, letter.last),
            ),
        )
        self._count(letter.sink, "dead", added.rowcount)

    def count(self, sink: str) -> int:
        """How many the sink has."""
        return self.maybe("SELECT dead FROM sinks WHERE sink = ?", sink) or 0

    def newest(self, sink: str | None = None, limit: int = 200) -> list[DeadLetter]:
        """The dead letters of one sink or of all, the newest first."""
        rows = self.run(
            "SELECT sink, event, body, reason, tries, first, last, asked FROM dead_letters "
            "WHERE sink = coalesce(?, sink) ORDER BY last DESC, event LIMIT ?",
            (sink, limit),
        )
        return [DeadLetter(*row) for row in rows]

    def asked(self, sink: str) -> list[DeadLetter]:
        """Those of a sink that somebody wants tried again, in the order of asking."""
        rows = self.run(
            "SELECT sink, event, body, reason, tries, first, last, asked FROM dead_letters "
            "WHERE sink = ? AND asked IS NOT NULL ORDER BY asked, event",
            (sink,),
        )
        return [DeadLetter(*row) for row in rows]

    def retry(self, sink: str, event: str, by: str, now: int) -> bool:
        """Have it tried again; False when it is not there."""
        found = self.run(
            "UPDATE dead_letters SET asked = coalesce(asked, ?) WHERE (sink, event) = (?, ?)",
            (now, sink, event),
        )
        return found.rowcount == 1 and self._decided(Decision(now, sink, event, "retry", by))

    def discard(self, sink: str, event: str, by: str, now: int) -> bool:
        """Give it up for good; False when it is not there."""
        if not self._remove(sink, event):
            return False
        self._count(sink, "discarded", 1)
        return self._decided(Decision(now, sink, event, "discard", by))

    def delivered(self, sink: str, event: str) -> None:
        """The sink has taken it after all."""
        self._remove(sink, event)

    def refused_again(self, sink: str, event: str, reason: str, now: int) -> None:
        """It was tried, and refused once more."""
        self.run(
            "UPDATE dead_letters SET reason = ?, tries = tries + 1, last = ?, asked = NULL "
            "WHERE (sink, event) = (?, ?)",
            (reason, now, sink, event),
        )

    def decisions(self, limit: int = 200) -> list[Decision]:
        """Who decided what, the newest first."""
        rows = self.run(
            "SELECT at, sink, event, step, by FROM dead_letter_log ORDER BY number DESC LIMIT ?",
            (limit,),
        )
        return [Decision(*row) for row in rows]

    def trim(self) -> int:
        """Keep the log of decisions at its bound; how many rows went."""
        return self.run(
            "DELETE FROM dead_letter_log WHERE number <= "
            "(SELECT max(number) FROM dead_letter_log) - ?",
            (MAX_LOG,),
        ).rowcount

    def _remove(self, sink: str, event: str) -> bool:
        gone = self.run("DELETE FROM dead_letters WHERE (sink, event) = (?, ?)", (sink, event))
        self._count(sink, "dead", -gone.rowcount)
        return gone.rowcount == 1

    def _count(self, sink: str, column: str, more: int) -> None:
        self.run(f"UPDATE sinks SET {column} = {column} + ? WHERE sink = ?", (more, sink))

    def _decided(self, decision: Decision) -> bool:
        self.run(
            "INSERT INTO dead_letter_log VALUES (NULL, ?, ?, ?, ?, ?)",
            (decision.at, decision.sink, decision.event, decision.step, decision.by),
        )
        return True
