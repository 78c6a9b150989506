"""What the eye of a person sees of every scanned display, and whether that is what was promised.

Here: which views are shown, which stalls are put in, and the promises. Not here: time (`timeline`),
what is printed (`hall_tools.commands.bench`).
"""

import random
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple

from hall_profiles import Profile, builtin_names, load

from hall_tools.bench.timeline import MS, Span, Stall, Timeline
from hall_tools.gallery import CLOCK_MIN, preview_config, unix_ms

SCANNED = ("hub12", "hub08", "hub75")
"""Drivers of panels without a controller of their own."""

MOST_SPREAD = 0.02
"""Of the light of rows: the longest less the shortest, as a share of the mean."""

STALLS_MS = (5, 20, 200, 1500)
"""From what collecting garbage may take to a slow TLS handshake: guesses, to be measured."""

_STEADY_MS = 2000
_STALLED_MS = 8000
# The first stall comes when all is steady, the others sooner or later after one another.
_FIRST_STALL_PERIODS = 20
_BETWEEN_NS = (20 * MS, 200 * MS)


class View(NamedTuple):
    """`desired`: None before the gateway was heard. `ms`: until it has shown all it has."""

    name: str
    desired: Mapping[str, Any] | None
    ms: int


VIEWS = (
    View("wait", None, 500),
    View("call", {"view": "call", "ticket": "A015", "window": "3"}, 4000),  # 3 s of it blink
    View("idle", {"view": "idle", "name": "综合业务"}, 6000),  # name and clock, maybe in turns
    View("closed", {"view": "closed"}, 500),
    View("text", {"view": "text", "text": "请先取号再排队"}, 500),
    View("text, scrolling", {"view": "text", "text": "今日8:30至17:30停电检修。" * 3}, 3000),
    View("caution", {"view": "caution"}, 500),
    View("test", {"view": "test"}, 6000),  # one picture a second, six where there are three colours
)


@dataclass(frozen=True)
class Seen:
    """One display at the brightness of its profile. `scans`: groups of rows, lit in turns.

    `stalls` is empty for a display that a thread of the gateway plays: no firmware's loop can hold
    that up, and what a store takes is another board's.
    """

    profile: str
    chip: str
    brightness: int
    scans: int
    period_ms: int
    views: dict[str, Span]
    steady: Span
    stalls: dict[int, Span]

    def spans(self) -> list[Span]:
        return [*self.views.values(), self.steady, *self.stalls.values()]

    def as_json(self) -> dict[str, Any]:
        return {**asdict(self), "broken_promises": broken_promises(self)}


def displays() -> list[Profile]:
    """The built-in profiles of scanned panels."""
    profiles = [load(name) for name in builtin_names()]
    return [profile for profile in profiles if profile.driver.name in SCANNED]


def watch(profile: Profile) -> Seen:
    """ValueError: the firmware cannot have such a display."""
    config = preview_config(profile)
    on_chip = profile.transport != "gateway"
    return Seen(
        profile=profile.name,
        chip=config["chip"],
        brightness=config["settings"]["brightness"],
        scans=config["driver"]["scan"],
        period_ms=1000 // config["driver"]["refresh_hz"],
        views=watch_views(config, profile.views),
        steady=timeline(config).run(_STEADY_MS),
        stalls={ms: watch_stalls(config, ms) for ms in STALLS_MS} if on_chip else {},
    )


def timeline(config: Mapping[str, Any]) -> Timeline:
    """At half past ten in the morning, not at night, when displays are dimmed."""
    return Timeline(config, unix_ms(dict(config), CLOCK_MIN))


def watch_views(config: Mapping[str, Any], has: Mapping[str, Any]) -> dict[str, Span]:
    """All views in turn on one display, of those that it `has`, and `wait`."""
    shown = timeline(config)
    seen: dict[str, Span] = {}
    for rev, view in enumerate(VIEWS, start=1):
        if view.desired is None or view.desired["view"] in has:
            if view.desired is not None:
                shown.desire({"rev": rev, **view.desired})
            seen[view.name] = shown.run(view.ms)
    return seen


def watch_stalls(config: Mapping[str, Any], stall_ms: int) -> Span:
    """A still picture for eight seconds, with many stalls of that length."""
    return timeline(config).run(
        _STALLED_MS, stalls(stall_ms, 1000 // config["driver"]["refresh_hz"])
    )


def stalls(stall_ms: int, period_ms: int) -> Iterator[Stall]:
    """The first at the worst moment, right before a step; then any moment, equal in every run."""
    chance = random.Random(stall_ms)
    at_ns = _FIRST_STALL_PERIODS * period_ms * MS - 1
    while at_ns + stall_ms * MS < _STALLED_MS * MS:
        yield Stall(at_ns, stall_ms * MS)
        at_ns += stall_ms * MS + chance.randrange(*_BETWEEN_NS)


def broken_promises(seen: Seen) -> list[str]:
    """Each promise that was not kept, in words; none is as it should be."""
    broken = [f"{view}: {words}" for view, span in seen.views.items() for words in faults(span)]
    for stall_ms, span in {0: seen.steady, **seen.stalls}.items():
        words = [*faults(span), *still_faults(span, stall_ms, seen.period_ms)]
        broken += [f"stalls of {stall_ms} ms: {each}" for each in words]
    return broken


def faults(span: Span) -> Iterator[str]:
    """What must not be, whatever is shown."""
    figures = span.figures
    if span.wrong:
        yield f"{span.wrong} of {span.steps} pictures were seen otherwise than they were drawn"
    if figures.spread > MOST_SPREAD:
        yield f"row brightness spread {figures.spread:.1%}, at most {MOST_SPREAD:.0%} is right"
    for rule, times in asdict(figures.broken).items():
        if times:
            yield f"{rule.replace('_', ' ')}: {times} times"
    if span.left_lit:
        yield f"{span.left_lit} of {span.frames} frames did not end dark"
    if figures.stress > span.cap:
        yield f"a row was lit for {figures.stress:.2%} of 100 ms, at most {span.cap:.2%} is right"


def still_faults(span: Span, stall_ms: int, period_ms: int) -> Iterator[str]:
    """What must not be while one picture is shown: ghosts, and a gap that no stall explains."""
    figures = span.figures
    if figures.ghosts:
        yield f"{figures.ghosts} LEDs had light that should have none"
    if not stall_ms <= figures.longest_gap_ms <= stall_ms + period_ms:
        yield (
            f"a row was dark for {figures.longest_gap_ms:.1f} ms,"
            f" {stall_ms} to {stall_ms + period_ms} is right"
        )
