"""Profiles by name or by path.

Here: finding and reading the file. Not here: what a right profile is (`check`).
"""

from pathlib import Path

from hall_profiles.model import Profile


def builtin_names() -> list[str]:
    """The names of the profiles that ship with Hallkit, sorted."""
    raise NotImplementedError


def load(name_or_path: str | Path) -> Profile:
    """The profile of that built-in name, or in that file (a Path, or text with `/` or `.yaml`).

    Raises ProfileError with everything that is wrong in the file: line, field, what is wrong and
    what would be right; also when there is no such profile or file.
    """
    raise NotImplementedError
