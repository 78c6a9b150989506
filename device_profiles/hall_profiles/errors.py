"""What can be wrong with a profile, a device's config or a payload, in words for a person.

Here: the three exceptions of this package. Not here: what is checked, and how it is shown.
"""

from typing import NamedTuple


class Problem(NamedTuple):
    """One thing that is wrong in a profile file.

    `line` counts from 1, 0 when the file as a whole is meant; `field` is a dotted path such as
    `settings.debounce_ms.max`, empty when no field can be named (a YAML syntax error).
    """

    file: str
    line: int
    field: str
    what: str
    right: str

    def __str__(self) -> str:
        where = f"{self.file}:{self.line}" if self.line else self.file
        field = f"{self.field}: " if self.field else ""
        return f"{where}: {field}{self.what}; {self.right}"


class ProfileError(ValueError):
    """A profile that must not be used; `problems` holds everything wrong with it, in file order."""

    def __init__(self, problems: list[Problem]) -> None:
        super().__init__("\n".join(str(problem) for problem in problems))
        self.problems = problems


class ConfigError(ValueError):
    """A config that cannot be compiled: a setting out of range, a name or an address not legal."""


class PayloadError(ValueError):
    """An event or a desired state that its device's profile does not allow."""
