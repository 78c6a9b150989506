"""What the console says, in Chinese and in English.

Here: the texts of texts/*.toml, where both languages stand side by side, and the hall's clock in
words. Not here: where a text stands on a page (templates/).
"""

import tomllib
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta, timezone
from functools import cache
from importlib.resources import files
from typing import Any, Literal, get_args

Language = Literal["zh", "en"]
LANGUAGES: tuple[Language, ...] = get_args(Language)

TAGS: dict[Language, str] = {"zh": "zh-CN", "en": "en"}
"""BCP 47, for `lang` attributes."""

_ONE = "en1"
"""The English text for n = 1, where it is another one."""


@cache
def texts(*packages: str) -> dict[str, dict[str, str]]:
    """Every text by its name, "area.name". A new area is a new file in texts/. A text of `packages`
    goes before the hall console's of the same name."""
    found: dict[str, dict[str, str]] = {}
    for package in ("hall_gateway.console", *packages):
        for file in sorted((files(package) / "texts").iterdir(), key=lambda file: file.name):
            for area, names in tomllib.loads(file.read_text(encoding="utf-8")).items():
                for name, text in names.items():
                    found[f"{area}.{name}"] = text
    return found


class Words:
    """The texts in one language, and times of a clock that is `offset_min` ahead of UTC.

    `packages` have texts besides those of the hall's console."""

    def __init__(self, language: Language, offset_min: int, packages: Sequence[str] = ()) -> None:
        self.language: Language = language
        self.offset_min = offset_min
        self._texts = texts(*packages)
        self._zone = timezone(timedelta(minutes=offset_min))

    def __call__(self, name: str, /, **values: object) -> str:
        """The text `name`. Raises KeyError for one that nobody wrote."""
        text = self._texts[name]
        if self.language == "en" and values.get("n") in (1, "1") and _ONE in text:
            return text[_ONE].format(**values)
        return text[self.language].format(**values)

    def maybe(self, name: str, otherwise: str) -> str:
        """The text `name`; `otherwise` where there is none: for words that devices send."""
        return self(name) if name in self._texts else otherwise

    def both(self, titles: Mapping[str, str] | Any) -> str:
        """Of a thing with titles `zh` and `en`."""
        if isinstance(titles, Mapping):
            return str(titles[self.language])  # pyright: ignore[reportUnknownArgumentType]
        return str(getattr(titles, self.language))

    def clock(self, ms: int) -> str:
        """Unix ms as the hall's clock: 14:03."""
        return f"{self._at(ms):%H:%M}"

    def second(self, ms: int) -> str:
        """Unix ms as the hall's clock: 14:03:09."""
        return f"{self._at(ms):%H:%M:%S}"

    def date(self, ms: int) -> str:
        """Unix ms as the day in the hall: 2026-11-22."""
        return f"{self._at(ms):%Y-%m-%d}"

    def moment(self, ms: int, now: int) -> str:
        """14:03 for today, 11-20 14:03 for another day of this year, else with the year."""
        at, today = self._at(ms), self._at(now)
        if at.date() == today.date():
            return f"{at:%H:%M}"
        return f"{at:%m-%d %H:%M}" if at.year == today.year else f"{at:%Y-%m-%d %H:%M}"

    def instant(self, text: object, now: int) -> str:
        """An RFC 3339 time of an event, to the second; a dash for none; unreadable, as it is."""
        if not isinstance(text, str):
            return "–"
        try:
            at = round(datetime.fromisoformat(text).timestamp() * 1000)
        except (ValueError, OverflowError):
            return text
        return (
            f"{self.date(at)} {self.second(at)}"
            if self.date(at) != self.date(now)
            else self.second(at)
        )

    def lasting(self, seconds: float) -> str:
        """How long something has lasted, with two units at most."""
        total = max(0, int(seconds))
        days, hours = total // 86_400, total // 3600 % 24
        minutes, rest = total // 60 % 60, total % 60
        if days:
            return self("time.days", n=days, hours=hours)
        if hours:
            return self("time.hours", n=hours, minutes=minutes)
        if minutes and not rest:
            return self("time.whole_minutes", n=minutes)
        if minutes:
            return self("time.minutes", n=minutes, seconds=rest)
        return self("time.seconds", n=rest)

    def percent(self, share: float | None) -> str:
        """A share from 0 to 1 with one decimal; a dash for none."""
        return "–" if share is None else f"{100 * share:.1f}%"

    def iso(self, ms: int) -> str:
        """For `datetime` attributes."""
        return datetime.fromtimestamp(ms / 1000, UTC).isoformat(timespec="seconds")

    def _at(self, ms: int) -> datetime:
        return datetime.fromtimestamp(ms / 1000, self._zone)


def preferred(accepted: str) -> Language:
    """The language that a browser asks for (RFC 9110, Accept-Language); Chinese when neither."""
    for part in accepted.split(","):
        tag = part.partition(";")[0].strip().lower()
        for language in LANGUAGES:
            if tag == language or tag.startswith(f"{language}-"):
                return language
    return "zh"


def language_of(text: str | None) -> Language | None:
    """`text` if it is one of ours."""
    return next((language for language in LANGUAGES if language == text), None)
