"""What a command is at, for whoever waits in front of it.

Here: one line that changes on a terminal, with a bar where the number of steps is known, and a line
each elsewhere; on stderr. Not here: results.
"""

import sys
from collections.abc import Callable, Generator
from contextlib import contextmanager


@contextmanager
def progress(steps: int | None = None) -> Generator[Callable[[str], None]]:
    """Gives the function to be told what comes next; `steps`: how often it will be."""
    # Not before it is needed: the gateway's own process imports this module too, and rich is 3 MB.
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    errors = Console(stderr=True)
    if errors.is_terminal and steps:
        columns = BarColumn(), TimeElapsedColumn(), TextColumn("{task.description}")
        with Progress(*columns, console=errors, transient=True) as bar:
            task = bar.add_task("starting", total=steps)
            told = -1  # the first one begins, and none is done yet

            def step(what: str) -> None:
                nonlocal told
                told += 1
                bar.update(task, completed=told, description=what)

            yield step
    elif errors.is_terminal:
        with errors.status("starting") as status:
            yield status.update
    else:
        yield lambda what: print(what, file=sys.stderr)
