"""Whether the gateway does its work, from what it has just done: for /health and the service
manager.

Here: what counts as progress, and the words for what is wrong, pure and with a clock that is handed
in. Not here: the figures (core.py, service.py), how they are served (health_api.py), what `hall
doctor` looks at beside the gateway (hall_tools.doctor).

`failing`: nothing is taken from devices, which keep their events. `degraded`: they are taken and
kept, but somebody does not get them, or somebody ought to look.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal, cast

from hall_gateway.quarantine import STRANGERS

Status = Literal["ok", "degraded", "failing"]
Figures = Mapping[str, Any]

COMMIT_S = 15.0
"""There is a commit at each second's tick; an SD card may take some for one."""
TAKEN_S = 15.0
"""Messages that wait are taken in ms, while the store takes them."""
BROKER_S = 30.0
"""A broker that is started again is away for less."""
ACKED_S = 60.0
"""A sink that takes anything takes it in less: a PUBACK is waited for 20 s."""

_NAMES = {STRANGERS: "a device that the settings do not have"}
_BROKERS = {
    "devices": "the devices' broker",
    "hall": "the hall system's broker",
    "home_assistant": "Home Assistant's broker",
    "jetstream": "the back office's NATS servers",
}


def group(figures: Figures, *way: str) -> dict[str, Any]:
    """The group of figures at `way`; an empty one while there is none."""
    found: Any = figures
    for name in way:
        found = found.get(name) or {}
    return cast("dict[str, Any]", found)


@dataclass(frozen=True)
class Reason:
    """`code` is for programs and `text` for people; `since_s`: how long it has been so."""

    code: str
    text: str
    status: Status
    since_s: float = 0.0


@dataclass(frozen=True)
class Health:
    """`reasons` are empty while all is well; those of `failing` come first."""

    status: Status
    reasons: tuple[Reason, ...]

    def told(self) -> dict[str, object]:
        """For JSON."""
        return {"status": self.status, "reasons": [asdict(reason) for reason in self.reasons]}

    @property
    def line(self) -> str:
        """For `systemctl status`."""
        if not self.reasons:
            return "ok: events are taken, kept and handed on"
        return f"{self.status}: " + "; ".join(reason.text for reason in self.reasons)


@dataclass
class _Mark:
    value: object
    at: float


class Watch:
    """Remembers since when things have been as they are. `clock` gives seconds, and never jumps."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._marks: dict[str, _Mark] = {}

    def judge(self, figures: Figures) -> Health:
        """How the gateway is, by its figures of now. To be called each second."""
        found = sorted(self._reasons(figures), key=lambda reason: reason.status != "failing")
        worst: Status = found[0].status if found else "ok"
        return Health(worst, tuple(found))

    def _same_for(self, what: str, value: object) -> float:
        """Seconds since `value` was another."""
        mark = self._marks.get(what)
        if mark is None or mark.value != value:
            mark = self._marks[what] = _Mark(value, self._clock())
        return self._clock() - mark.at

    def _reasons(self, figures: Figures) -> Iterator[Reason]:
        yield from self._store(figures)
        yield from self._intake(figures)
        yield from self._sinks(figures)
        for device, held in group(figures, "kept_out").items():
            what = "sends too much" if held["code"] == "flooding" else "makes no sense"
            text = f"{_NAMES.get(device, device)} {what}, and is not listened to for a while"
            since = self._same_for(f"{device} kept out", held["since"])
            yield Reason("device_kept_out", text, "degraded", since)
        settings = group(figures, "settings")
        if pending := settings.get("pending"):
            text = f"changed settings wait for the next start: {', '.join(pending)}"
            yield Reason("settings_pending", text, "degraded", self._same_for("pending", pending))
        if error := settings.get("error"):
            text = f"the settings file is refused, those before it stay: {error}"
            yield Reason("settings_refused", text, "degraded", self._same_for("settings", error))
        if errors := group(figures, "rule_file").get("errors"):
            text = f"the rule file is refused, the rules before it stay: {errors[0]}"
            yield Reason("rules_refused", text, "degraded", self._same_for("rules", errors))

    def _store(self, figures: Figures) -> Iterator[Reason]:
        still = self._same_for("commit", figures.get("last_commit"))
        full = self._same_for("full", bool(figures.get("store_full")))
        if figures.get("store_full"):
            text = "the store is full, so devices keep their events"
            yield Reason("store_full", text, "failing", full)
        if still >= COMMIT_S:
            text = f"nothing was committed for {still:.0f} s"
            yield Reason("no_commit", text, "failing", still)

    def _intake(self, figures: Figures) -> Iterator[Reason]:
        for name, broker in group(figures, "brokers").items():
            away = self._same_for(f"{name} connected", broker["connected"])
            if not broker["connected"] and away >= BROKER_S:
                where = _BROKERS.get(name, name)
                text = f"no connection to {where}: {broker['last_error'] or 'no answer'}"
                status: Status = "failing" if name == "devices" else "degraded"
                yield Reason(f"{name}_broker", text, status, away)
            # Empty and taken from look the same: both are progress.
            stuck = self._same_for(f"{name} taken", broker["waiting"] and broker["taken"])
            if broker["waiting"] and stuck >= TAKEN_S:
                text = f"{broker['waiting']} messages wait, and none was taken for {stuck:.0f} s"
                yield Reason(f"{name}_intake", text, "failing", stuck)

    def _sinks(self, figures: Figures) -> Iterator[Reason]:
        for name, sink in group(figures, "sinks").items():
            if sink["removed"] is not None:
                continue
            failing = self._same_for(f"{name} fails", sink["error"] is not None)
            still = self._same_for(f"{name} at", (sink["position"], sink["waiting"] > 0))
            if sink["error"] is not None:
                text = f"{name} takes nothing, {sink['waiting']} events wait: {sink['error']}"
                yield Reason("sink_fails", text, "degraded", failing)
            elif sink["waiting"] and still >= ACKED_S:
                text = f"{name} took nothing for {still:.0f} s, {sink['waiting']} events wait"
                yield Reason("sink_still", text, "degraded", still)
            if sink["dead"]:
                text = f"{name} refused {sink['dead']} events, which wait for a decision"
                dead = self._same_for(f"{name} dead", sink["dead"])
                yield Reason("dead_letters", text, "degraded", dead)
