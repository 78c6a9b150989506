"""Where what can be made or fetched again is kept between runs.

Here: the folders. Not here: what is in them.
"""

import os
from pathlib import Path

from hall_tools.errors import UserError


def cache_folder(name: str, what: str) -> Path:
    """`hallkit/{name}` in the user's cache (XDG Base Directory Specification), made if missing.

    Raises UserError, which says that `what` cannot be kept.
    """
    base = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    folder = Path(base) / "hallkit" / name
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(
            f"{folder}: cannot keep {what}: {error.strerror}; "
            "set XDG_CACHE_HOME to a folder that can be written",
            os.EX_CANTCREAT,
        ) from error
    return folder
