"""The state of a hall between two inputs, as values that a store can keep, and one step of it.

Here: frozen dataclasses that go to JSON and back, the container that holds the current ones, and
the outcome of a step. Not here: how one state follows from another (sessions.py, ratings.py), who
carries an outcome out (effects.py).
"""

import json
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple, TypeVar, cast

from hall_gateway.wire import compact

WindowState = Literal["idle", "called", "serving", "paused"]
Json = dict[str, Any]


class RefusedError(ValueError):
    """A command that cannot be done now: what is in the way and what would be right, one line."""


@dataclass(frozen=True)
class Window:
    """A window. Times are unix ms. `served_by` is who was logged in when the service started;
    `pausing`: it pauses as soon as the ticket is done with. `attended`: since when its clerk is
    there, as it was told; `active`: when something last happened there. `queued`: how many ms its
    ticket had waited when it was called, None for one that was not taken or came by a transfer."""

    id: str
    state: WindowState = "idle"
    staff: str | None = None
    ticket: str | None = None
    business: str | None = None
    served_by: str | None = None
    called: int | None = None
    started: int | None = None
    pausing: bool = False
    attended: int | None = None
    active: int = 0
    queued: int | None = None


@dataclass(frozen=True)
class Ticket:
    """A ticket that waits since unix ms `taken`; `priority` 0 (ordinary) to 9 (first)."""

    ticket: str
    taken: int
    business: str | None = None
    priority: int = 0


@dataclass(frozen=True)
class Dropped:
    """A ticket that waits no more."""

    ticket: str


@dataclass(frozen=True)
class Press:
    """A press that may count. `up` is ms since boot `boot`, `at` unix ms, `mark` 5 (best) to 1.

    `best`: no key of this keypad gives a better mark. `id` is that of its CloudEvent.
    """

    key: int
    mark: int
    boot: int
    up: int
    at: int
    best: bool = False
    id: str = ""


@dataclass(frozen=True)
class Rating:
    """A rating session: the keypad `device` asks for the rating of one service.

    `session` is the rev of the desired state that opened it; 0 and no ticket where nobody asks and
    a press is a rating by itself. `presses` are the ones that may still decide it, `refused` is
    why the last press that cannot did not count. `short`: its service was too short to be rated.
    `called`: unix ms when the next ticket was called at the window. `closed` is None while it is
    open, else "given" or the reason of a none; `reason` is the one that the customer gave after.
    `started`: unix ms when the service did; `ended`: when its end was told to be, which no clock
    that is set changes any more.
    """

    device: str
    session: int
    window: str
    ticket: str | None
    staff: str | None
    business: str | None
    opened: int
    presses: tuple[Press, ...] = ()
    closed: str | None = None
    short: bool = False
    called: int | None = None
    refused: str | None = None
    reason: int | None = None
    started: int | None = None
    ended: int | None = None


@dataclass(frozen=True)
class Keypad:
    """What the next press at a keypad is judged by, and what became of all presses there.

    `ups` are the last two presses, `last` each key's last, `mashed` the last one of a mashing,
    `replaced` when a session was over because of the next call, `rated` when a rating that nobody
    asked for was over: all in ms since boot `boot`. `runs`: how many fast best marks in a row each
    clerk has, the clerks rated last. `wrong` PINs in a row, the last at unix ms `wrong_at`.
    `counts` since unix ms `since`: see keypads.py.
    """

    device: str
    since: int
    boot: int = 0
    ups: tuple[int, ...] = ()
    last: dict[str, int] = field(default_factory=dict[str, int])
    mashed: int | None = None
    replaced: int | None = None
    rated: int | None = None
    runs: dict[str, int] = field(default_factory=dict[str, int])
    wrong: int = 0
    wrong_at: int = 0
    counts: Json = field(default_factory=dict[str, Any])


@dataclass(frozen=True)
class Call:
    """A call as one display was told to show it, with the rev that told it.

    `first` is the rev that announced it: a lower one when it only came back, after a text.
    """

    rev: int
    ticket: str
    window: str
    at: int
    first: int = 0


@dataclass(frozen=True)
class Sign:
    """What a rule shows for as long as it stands: the caution, which needs no text, or a text."""

    view: Literal["caution", "text"]
    text: str | None = None


@dataclass(frozen=True)
class Display:
    """What a display shows beside its window's state: a text until `until` (unix ms), its last
    calls, the newest rev that it reported as shown, and the signs of the rules that stand."""

    device: str
    text: str | None = None
    until: int = 0
    calls: tuple[Call, ...] = ()
    shown: int = 0
    signs: tuple[Sign, ...] = ()


@dataclass(frozen=True)
class Desired:
    """What a device should be: `view` is the payload of down/desired without its rev."""

    device: str
    rev: int
    view: Json

    def body(self) -> bytes:
        return compact({"rev": self.rev, **self.view})


@dataclass(frozen=True)
class Occupancy:
    """How many are in a place ("hall" or a zone's subject) since the reset at unix ms `since`.

    The latest passage that was heard of was at `heard_at`. `repaired` were added because more went
    out than had come in; who came in until `repaired_at`, and is heard of only now, takes one back.
    `unsaid` of them were not told yet. `late` passages were of a day before. `told` is the sum that
    was published last, at `told_at`.
    """

    place: str
    since: int
    entered: int = 0
    left: int = 0
    heard_at: int = 0
    repaired: int = 0
    repaired_at: int = 0
    unsaid: int = 0
    late: int = 0
    told: int | None = None
    told_at: int = 0

    @property
    def inside(self) -> int:
        return self.entered - self.left + self.repaired


Kept = Window | Rating | Keypad | Display | Desired | Occupancy | Ticket | Dropped
"""What the store keeps of a hall's state."""


@dataclass
class HallState:
    """Everything that the next input can depend on."""

    windows: dict[str, Window] = field(default_factory=dict[str, Window])
    ratings: dict[tuple[str, int], Rating] = field(default_factory=dict[tuple[str, int], Rating])
    keypads: dict[str, Keypad] = field(default_factory=dict[str, Keypad])
    displays: dict[str, Display] = field(default_factory=dict[str, Display])
    desired: dict[str, Desired] = field(default_factory=dict[str, Desired])
    occupancies: dict[str, Occupancy] = field(default_factory=dict[str, Occupancy])
    tickets: dict[str, Ticket] = field(default_factory=dict[str, Ticket])

    def become(self, other: "HallState") -> None:
        """Take everything from `other` in place of what is here."""
        self.windows, self.ratings = other.windows, other.ratings
        self.keypads, self.displays = other.keypads, other.displays
        self.desired, self.occupancies = other.desired, other.occupancies
        self.tickets = other.tickets

    def put(self, kept: Kept) -> None:
        """Take `kept` as the current one of its kind."""
        match kept:
            case Window():
                self.windows[kept.id] = kept
            case Rating():
                self.ratings[kept.device, kept.session] = kept
            case Keypad():
                self.keypads[kept.device] = kept
            case Display():
                self.displays[kept.device] = kept
            case Desired():
                self.desired[kept.device] = kept
            case Occupancy():
                self.occupancies[kept.place] = kept
            case Ticket():
                self.tickets[kept.ticket] = kept
            case Dropped():
                self.tickets.pop(kept.ticket, None)


class Emit(NamedTuple):
    """A CloudEvent to publish, before it has an id and a time.

    `own`: the gateway itself originates it, under its own identity; otherwise it is the device
    event that is being handled, under the device's.
    """

    type: str
    subject: str
    data: Json
    own: bool = True


@dataclass(frozen=True)
class Order:
    """Something for a device to do, of the gateway's own accord."""

    device: str
    do: str
    args: Json


@dataclass
class Outcome:
    """One step: what to publish, what changed, what devices have to do, and what to answer."""

    emits: list[Emit] = field(default_factory=list[Emit])
    kept: list[Kept] = field(default_factory=list[Kept])
    orders: list[Order] = field(default_factory=list[Order])
    result: Json = field(default_factory=dict[str, object])

    def add(self, other: "Outcome") -> None:
        """What `other` leads to, after what this does; the result is this one's."""
        self.emits += other.emits
        self.kept += other.kept
        self.orders += other.orders

    def keep(self, state: HallState, kept: Kept) -> None:
        """`kept` becomes current, and goes to the store with the step."""
        state.put(kept)
        self.kept.append(kept)


_Kept = TypeVar("_Kept", bound=Kept)


def altered(kept: _Kept, **changes: object) -> _Kept:
    """dataclasses.replace(), which asks about every field, in a quarter of its time: for what
    changes with every event."""
    new = object.__new__(type(kept))
    vars(new).update(vars(kept), **changes)
    return new


def identity(kept: Kept) -> object:
    """What `kept` takes the place of, or is the end of."""
    match kept:
        case Rating():
            return Rating, kept.device, kept.session
        case Window():
            return Window, kept.id
        case Ticket() | Dropped():
            return Ticket, kept.ticket
        case Occupancy():
            return Occupancy, kept.place
        case _:
            return type(kept), kept.device


def to_json(kept: Kept) -> str:
    """`kept` for the store."""
    return compact(vars(kept)).decode()


def window_from(text: str) -> Window:
    return Window(**_object(text))


def rating_from(text: str) -> Rating:
    fields = _object(text)
    presses = tuple(Press(**press) for press in fields.pop("presses"))
    return Rating(presses=presses, **fields)


def keypad_from(text: str) -> Keypad:
    fields = _object(text)
    return Keypad(ups=tuple(fields.pop("ups")), **fields)


def display_from(text: str) -> Display:
    fields = _object(text)
    calls = tuple(Call(**call) for call in fields.pop("calls"))
    signs = tuple(Sign(**sign) for sign in fields.pop("signs", ()))
    return Display(calls=calls, signs=signs, **fields)


def desired_from(text: str) -> Desired:
    return Desired(**_object(text))


def occupancy_from(text: str) -> Occupancy:
    return Occupancy(**_object(text))


def ticket_from(text: str) -> Ticket:
    return Ticket(**_object(text))


def _object(text: str) -> Json:
    return cast(Json, json.loads(text))
