"""What a command is at, for whoever waits in front of it.

Here: one line that changes on a terminal, a line each elsewhere; on stderr. Not here: results.
"""

import sys
from collections.abc import Callable, Generator
from contextlib import contextmanager

from rich.console import Console


@contextmanager
def progress() -> Generator[Callable[[str], None]]:
    """Gives the function to be told what comes next."""
    errors = Console(stderr=True)
    if errors.is_terminal:
        with errors.status("starting") as status:
            yield status.update
    else:
        yield lambda what: print(what, file=sys.stderr)
