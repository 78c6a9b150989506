"""What is reported of a hall, as values, and as JSON.

Here: frozen dataclasses with the unit of every number. Not here: how each is computed (kpis.py; the
definitions for readers are in docs/figures.md), and how it is shown (tools: hall report; console).

Shares are 0 to 1 with four decimals, None where there is nothing to divide by. Times are unix ms.
"""

from dataclasses import asdict, dataclass
from typing import Any, Literal

TargetName = Literal["wait_mean", "wait_p90"]


@dataclass(frozen=True)
class Suppressed:
    """Not shown: `n` are fewer than the `needed` that a figure about one person needs."""

    n: int
    needed: int


@dataclass(frozen=True)
class Spread:
    """`n` durations in ms: median and P90 by nearest rank, mean rounded half up."""

    n: int
    median_ms: int | None
    p90_ms: int | None
    mean_ms: int | None


@dataclass(frozen=True)
class Satisfied:
    """满意率: `good` of all ratings, with its 95 % Wilson interval from `low` to `high`.

    `worst` and `best`: the share if every customer who was served and gave no rating had been
    dissatisfied, or satisfied.
    """

    good: int
    share: float | None
    low: float | None
    high: float | None
    worst: float | None
    best: float | None


@dataclass(frozen=True)
class Satisfaction:
    """Ratings that count: `n` of them, by mark (5 to 1). `strict` takes 5 and 4 for satisfied
    (非常满意, 满意), `wide` 3 as well (一般 or 基本满意)."""

    n: int
    marks: dict[int, int]
    strict: Satisfied
    wide: Satisfied


@dataclass(frozen=True)
class Participation:
    """Of `ended` services that were to be rated: how many were `prompted` for (提示率) and `rated`
    (参评率). `pending`: no verdict yet, e.g. while a keypad is cut off. `none`: why the others have
    no rating."""

    ended: int
    prompted: int
    rated: int
    pending: int
    prompted_share: float | None
    rated_share: float | None
    none: dict[str, int]


@dataclass(frozen=True)
class Rate:
    """`part` of `whole`."""

    part: int
    whole: int
    share: float | None


@dataclass(frozen=True)
class Service:
    """The figures of a set of services.

    `wait` 等候 of those that came, `no_show_wait` of those that did not; `handling` 办理;
    `overtime` 超时率; `no_show` 弃号率 of all calls. `overnight`: services over a turn of
    the day, which somebody forgot to end; they have no part in `handling` and `overtime`.
    """

    satisfaction: Satisfaction | Suppressed
    participation: Participation
    wait: Spread
    no_show_wait: Spread
    handling: Spread
    overtime: Rate
    no_show: Rate
    overnight: int


@dataclass(frozen=True)
class Busy:
    """繁忙度: `serving_ms` of `open_ms`. `share` is None where no clerk was logged in."""

    open_ms: int
    serving_ms: int
    share: float | None


@dataclass(frozen=True)
class WindowFigures:
    """`rank` from 1, by the lower bound of `strict`; None with fewer ratings than the hall's class
    needs."""

    window: str
    rank: int | None
    busy: Busy
    service: Service


@dataclass(frozen=True)
class StaffFigures:
    """A clerk. Nothing is shown of fewer services than needed, no mark of fewer ratings."""

    staff: str
    services: int
    service: Service | Suppressed


@dataclass(frozen=True)
class BusinessFigures:
    """`business` None: tickets that name none. `limit_ms` is what 超时率 is measured by."""

    business: str | None
    limit_ms: int
    service: Service


@dataclass(frozen=True)
class HourFigures:
    """The hour of the hall's clock from `hour` o'clock, summed over the days of the period.

    `taken` tickets and who `entered` are arrivals; `open_windows` is the mean of the days on which
    the hall was open, with two decimals. Waits are of calls in this hour, the rest of services that
    ended in it.
    """

    hour: int
    taken: int
    entered: int
    left: int
    open_windows: float | None
    service: Service


@dataclass(frozen=True)
class Tickets:
    """What became of the tickets that were taken. Walk-aways are those `cancelled` and `abandoned`;
    `walk_away_wait` is how long the cancelled ones had waited."""

    taken: int
    called: int
    cancelled: int
    abandoned: int
    waiting: int
    walk_away: Rate
    walk_away_wait: Spread


@dataclass(frozen=True)
class Quarter:
    """The quarter of an hour from `minute` (0 to 1425) of the hall's clock, of all days."""

    minute: int
    entered: int
    left: int


@dataclass(frozen=True)
class Busiest:
    """客流高峰: the 15 minutes from `at` in which the most came."""

    at: int
    count: int


@dataclass(frozen=True)
class Footfall:
    """Who passed the doors of the hall. `areas`: who went into each room within it."""

    entered: int
    left: int
    busiest: Busiest | None
    quarters: tuple[Quarter, ...]
    areas: dict[str, int]


@dataclass(frozen=True)
class Pressed:
    """Keys that were pressed, raw; `counted` are those that may count, the others by reason."""

    raw: int
    counted: int
    quarantined: dict[str, int]


@dataclass(frozen=True)
class Target:
    """Whether a figure keeps what the hall's class has set; None while there is nothing."""

    name: TargetName
    limit_ms: int
    value_ms: int | None
    met: bool | None


@dataclass(frozen=True)
class Report:
    """One hall from `from_ms` until before `to_ms`. What lay before `kept_from_ms` is not in it.
    `days_open`: hall days on which a ticket was taken or called, or a window open."""

    hall: str
    hall_class: str
    from_ms: int
    to_ms: int
    now_ms: int
    reset_hour: int
    utc_offset_min: int
    kept_from_ms: int | None
    days_open: int
    service: Service
    busy: Busy
    tickets: Tickets
    windows: tuple[WindowFigures, ...]
    ranking: tuple[str, ...]
    staff: tuple[StaffFigures, ...]
    business: tuple[BusinessFigures, ...]
    hours: tuple[HourFigures, ...]
    footfall: Footfall
    arrivals: Busiest | None
    inside: Busiest | None
    pressed: Pressed
    targets: tuple[Target, ...]


def to_json(report: Report) -> dict[str, Any]:
    """`report` as JSON takes it; the names are the dataclasses' own."""
    return asdict(report)
