"""Profiles by name or by path.

Here: finding and reading the file. Not here: what a right profile is (`check`).
"""

import difflib
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path

from hall_profiles.check import check
from hall_profiles.errors import Problem, ProfileError
from hall_profiles.model import Profile
from hall_profiles.source import parse

_SUFFIX = ".yaml"


def builtin_names() -> list[str]:
    """The names of the profiles that ship with Hallkit, sorted."""
    files = resources.files("hall_device_profiles").iterdir()
    return sorted(f.name.removesuffix(_SUFFIX) for f in files if f.name.endswith(_SUFFIX))


def load(name_or_path: str | Path) -> Profile:
    """The built-in profile of that name, or the one in that file (a Path, a text with / or .yaml).

    Raises ProfileError with everything that is wrong in the file: line, field, what is wrong and
    what would be right; also when there is no such profile or file.
    """
    text = str(name_or_path)
    if isinstance(name_or_path, Path) or "/" in text or text.endswith(_SUFFIX):
        return _read(Path(name_or_path), text)
    names = builtin_names()
    if text not in names:
        raise ProfileError([Problem(text, 0, "", "is no built-in profile", _nearest(text, names))])
    return _read(resources.files("hall_device_profiles") / (text + _SUFFIX), text + _SUFFIX)


def _read(path: Path | Traversable, shown: str) -> Profile:
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        what = f"cannot be read: {error.strerror or error}"
        raise ProfileError([Problem(shown, 0, "", what, "the path of a profile")]) from None
    except UnicodeDecodeError as error:
        what = f"is not UTF-8: {error.reason} at byte {error.start}"
        raise ProfileError([Problem(shown, 0, "", what, "a YAML file saved as UTF-8")]) from None
    return check(parse(text, shown), path.name.removesuffix(_SUFFIX))


def _nearest(name: str, names: list[str]) -> str:
    near = difflib.get_close_matches(name, names, n=1)
    if near:
        return f"did you mean {near[0]}?"
    return "one of " + ", ".join(names) + ", or the path of a file"
