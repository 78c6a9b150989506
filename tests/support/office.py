"""Where a test puts a back office's servers.

Here: the folder. Not here: the servers (hall_tools.fleet).
"""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def office_folder() -> Iterator[Path]:
    """A folder that is gone afterwards, with a short name, which a test's own folder has not, and
    passable for the user that PostgreSQL runs as when root tests."""
    folder = Path(tempfile.mkdtemp(prefix="hall-office-", dir="/tmp"))
    try:
        folder.chmod(0o711)
        yield folder
    finally:
        shutil.rmtree(folder)
