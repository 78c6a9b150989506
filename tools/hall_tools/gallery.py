"""Pictures of every view of a call display, for the docs, a brochure, or a hall that chooses one.

Here: what is shown in each, and the files' names. Not here: how a picture comes about
(`hall_panel`), and the page that they stand on (docs/displays.md).
"""

from collections.abc import Iterator
from typing import Any, NamedTuple

from hall_panel.preview import as_png, draw
from hall_profiles import Profile, builtin_names, compile_config, load

CLOCK_MIN = 10 * 60 + 30
"""The time on the pictures: 10:30."""


class View(NamedTuple):
    """One picture: what is desired, None before the gateway was heard, and since when."""

    name: str
    desired: dict[str, Any] | None
    after_ms: int = 0


_VIEWS = (
    View("call", {"view": "call", "ticket": "A015", "window": "3"}),
    View("idle", {"view": "idle", "name": "综合业务"}),
    # Where one row has no room for both, name and clock take turns.
    View("idle-clock", {"view": "idle", "name": "综合业务"}, 6000),
    View("closed", {"view": "closed"}),
    View("text", {"view": "text", "text": "请先取号再排队"}),
    View("caution", {"view": "caution"}),
    View("wait", None),
    View("test", {"view": "test"}),
    View("test-line", {"view": "test"}, 2000),
)


def displays() -> list[Profile]:
    """The built-in profiles of call displays, one for each panel: what the gateway itself drives
    looks as it does elsewhere."""
    profiles = [load(name) for name in builtin_names()]
    panels = [profile for profile in profiles if profile.transport != "gateway"]
    return [profile for profile in panels if profile.role == "call_display"]


def pictures(profile: Profile) -> Iterator[tuple[str, bytes]]:
    """(file name, PNG) of every view; of a later picture only where it is another.

    ValueError: the firmware cannot have such a display.
    """
    config = preview_config(profile)
    before = b""
    for view in _VIEWS:
        if view.desired and view.desired["view"] not in profile.views:
            continue
        desired = {"rev": 1, **view.desired} if view.desired else None
        if profile.driver.name == "max7219" and view.name == "text":
            desired = {"rev": 1, "view": "text", "text": "PAUSE 10"}  # no Hanzi on seven segments
        picture = draw(config, desired, unix_ms=unix_ms(config, CLOCK_MIN), after_ms=view.after_ms)
        content = as_png(picture)
        if content != before:
            yield f"{profile.name.removeprefix('call-display-')}-{view.name}.png", content
        before = content


def preview_config(profile: Profile) -> dict[str, Any]:
    """The profile's config, of a device that is nowhere."""
    return compile_config(
        profile, device="preview", hall="preview", broker_host="localhost", broker_port=1883
    )


def unix_ms(config: dict[str, Any], minute: int) -> int:
    """A time at which it is that minute of the day in the hall of this config."""
    offset = config["settings"]["utc_offset_min"]
    return (1440 * 20_000 + minute - offset) * 60_000
