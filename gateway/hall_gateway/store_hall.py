"""The store's picture of the hall: its state, its devices and the commands in it.

Here: SQL over windows, ratings, keypads, displays, desired, occupancies, devices, commands,
device_commands. Not here: what any of it means (sessions.py, occupancy.py, commands.py).
"""

from dataclasses import dataclass

from hall_gateway.ratings import KEPT_CLOSED
from hall_gateway.state import (
    Desired,
    Display,
    Dropped,
    HallState,
    Kept,
    Keypad,
    Occupancy,
    Rating,
    Ticket,
    Window,
    desired_from,
    display_from,
    keypad_from,
    occupancy_from,
    rating_from,
    ticket_from,
    to_json,
    window_from,
)
from hall_gateway.store_events import Table
from hall_gateway.values import DeviceOrder, Reply


@dataclass(frozen=True)
class DeviceRow:
    """What is known of a device: `online` None until it was heard of, `seen` unix ms, `state` the
    JSON of its last up/state."""

    online: bool | None = None
    seen: int | None = None
    state: str | None = None


class Hall(Table):
    """The current state of windows, ratings, displays, devices and commands."""

    def load(self) -> HallState:
        """Everything that the next input can depend on: closed ratings only as far as a late press
        can still be told from a stray one."""
        state = HallState()
        for (body,) in self.run("SELECT body FROM windows"):
            state.put(window_from(body))
        for (body,) in self.run("SELECT body FROM keypads"):
            state.put(keypad_from(body))
        for (body,) in self.run("SELECT body FROM displays"):
            state.put(display_from(body))
        for (body,) in self.run("SELECT body FROM desired"):
            state.put(desired_from(body))
        for (body,) in self.run("SELECT body FROM occupancies"):
            state.put(occupancy_from(body))
        for (body,) in self.run("SELECT body FROM tickets ORDER BY rowid"):
            state.put(ticket_from(body))
        ratings = self.run(
            "SELECT body FROM (SELECT body, closed, row_number() OVER "
            "(PARTITION BY device, closed IS NULL ORDER BY session DESC) AS age FROM ratings) "
            "WHERE closed IS NULL OR age <= ?",
            (KEPT_CLOSED,),
        )
        for (body,) in ratings:
            state.put(rating_from(body))
        return state

    def keep(self, kept: Kept) -> None:
        """`kept` in place of what was current."""
        body = to_json(kept)
        match kept:
            case Window():
                self.run("REPLACE INTO windows VALUES (?, ?)", (kept.id, body))
            case Keypad():
                self.run("REPLACE INTO keypads VALUES (?, ?)", (kept.device, body))
            case Display():
                self.run("REPLACE INTO displays VALUES (?, ?)", (kept.device, body))
            case Desired():
                self.run("REPLACE INTO desired VALUES (?, ?, ?)", (kept.device, kept.rev, body))
            case Occupancy():
                self.run("REPLACE INTO occupancies VALUES (?, ?)", (kept.place, body))
            case Ticket():
                self.run("REPLACE INTO tickets VALUES (?, ?)", (kept.ticket, body))
            case Dropped():
                self.run("DELETE FROM tickets WHERE id = ?", (kept.ticket,))
            case Rating():
                row = (kept.device, kept.session, kept.opened, kept.closed, body)
                self.run("REPLACE INTO ratings VALUES (?, ?, ?, ?, ?)", row)

    def device(self, device: str) -> DeviceRow:
        row = self.run(
            "SELECT online, seen, state FROM devices WHERE device = ?", (device,)
        ).fetchone()
        if row is None:
            return DeviceRow()
        return DeviceRow(None if row[0] is None else bool(row[0]), row[1], row[2])

    def devices(self) -> dict[str, DeviceRow]:
        """All that were heard of."""
        rows = self.run("SELECT device, online, seen, state FROM devices")
        return {
            device: DeviceRow(None if online is None else bool(online), seen, state)
            for device, online, seen, state in rows
        }

    def put_device(self, device: str, row: DeviceRow) -> None:
        values = (device, row.online, row.seen, row.state)
        self.run("REPLACE INTO devices VALUES (?, ?, ?, ?)", values)

    def command(self, id: str) -> tuple[bytes | None, bytes | None] | None:
        """(digest, reply) of a command that was taken before; the reply is None while there is
        none, the digest when an older hallkit took it."""
        return self.run("SELECT digest, reply FROM commands WHERE id = ?", (id,)).fetchone()

    def add_command(
        self, id: str, name: str, now: int, reply: bytes | None, digest: bytes, by: str | None
    ) -> None:
        """`by`: who gave it on this machine; None for the hall system."""
        row = (id, name, now, reply, digest, by)
        self.run(
            "INSERT INTO commands (id, name, received, reply, waiting, digest, given_by) "
            "VALUES (?, ?, ?, ?, 0, ?, ?)",
            row,
        )

    def add_order(self, order: DeviceOrder, expires: int) -> None:
        """A command that a device has to carry out until unix ms `expires`."""
        row = (order.id, order.device, order.body, expires)
        self.run("INSERT INTO device_commands VALUES (?, ?, ?, ?, 0)", row)

    def move_orders(self, by: int, first: int, last: int) -> None:
        """The clock was moved by so many ms: orders that expire from `first` to `last` go along."""
        moved = "UPDATE device_commands SET expires = expires + ? WHERE expires BETWEEN ? AND ?"
        self.run(moved, (by, first, last))

    def orders(self, device: str) -> int:
        """How many commands a device has not answered yet."""
        return self.value("SELECT count(*) FROM device_commands WHERE device = ?", device)

    def has_order(self, id: str, device: str) -> bool:
        """Whether `device` still owes an answer to command `id`."""
        found = self.maybe("SELECT 1 FROM device_commands WHERE (id, device) = (?, ?)", id, device)
        return found is not None

    def take_orders(self) -> list[DeviceOrder]:
        """The orders not taken before."""
        rows = self.run("SELECT id, device, body FROM device_commands WHERE NOT taken").fetchall()
        if rows:
            self.run("UPDATE device_commands SET taken = 1")
        return [DeviceOrder(*row) for row in rows]

    def expired_orders(self, now: int) -> list[tuple[str, str]]:
        """(id, device) of the orders whose time is over."""
        return self.run(
            "SELECT id, device FROM device_commands WHERE expires <= ?", (now,)
        ).fetchall()

    def answer_order(self, id: str, reply: bytes) -> bool:
        """The order is done with; its reply waits for the hall system. True when somebody on this
        machine gave it: then it waits for nobody but them."""
        self.run("DELETE FROM device_commands WHERE id = ?", (id,))
        by = self.maybe(
            "UPDATE commands SET reply = ?, waiting = given_by IS NULL WHERE id = ? "
            "RETURNING given_by",
            reply,
            id,
        )
        return by is not None

    def waiting_replies(self, limit: int, link: str | None = None) -> list[Reply]:
        """The late replies that go over `link`, None for the hall system's."""
        rows = self.run(
            "SELECT id, reply, topic, correlation FROM commands LEFT JOIN responses USING (id) "
            "WHERE waiting AND link IS ? ORDER BY arrival LIMIT ?",
            (link, limit),
        )
        return [Reply(*row) for row in rows]

    def respond_at(self, id: str, topic: str, correlation: bytes | None) -> None:
        """Where the late reply to a command goes."""
        self.run("REPLACE INTO responses VALUES (?, ?, ?)", (id, topic, correlation))

    def taken_by(self, id: str, link: str) -> None:
        """Which link took a command, when it was not the hall system's."""
        self.run("UPDATE commands SET link = ? WHERE id = ?", (link, id))

    def reply_delivered(self, id: str) -> None:
        self.run("UPDATE commands SET waiting = 0 WHERE id = ?", (id,))
        self.run("DELETE FROM responses WHERE id = ?", (id,))
