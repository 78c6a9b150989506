"""Boards being flashed, on the terminal: a bar each while they are, a line each when they are done.

Here: rich. Without a terminal there is a line on stderr where a bar would begin something else. Not
here: what the lines say.
"""

import sys
from collections.abc import Generator
from contextlib import contextmanager
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from hall_tools.flash.flasher import Stage
from hall_tools.flash.ports import Port


class _Line:
    def __init__(self, port: Port, bars: Progress, task: TaskID) -> None:
        self._who = port.name
        self._bars = bars
        self._task = task
        self._stages: set[Stage] = set()

    def name(self, device: str) -> None:
        self._who = f"{device} on {self._who}"
        self._bars.update(self._task, description=device)

    def told(self, stage: Stage, done: int, total: int) -> None:
        if self._bars.disable and stage not in self._stages:
            self._stages.add(stage)
            print(f"{self._who}: {stage}", file=sys.stderr, flush=True)
        self._bars.update(self._task, stage=stage, completed=done, total=max(total, 1))


class Terminal:
    """The terminal, inside `with`. `quiet`: no lines on stdout, which is for something else."""

    def __init__(self, quiet: bool = False) -> None:
        self._quiet = quiet
        self._console = Console(stderr=True)
        self._bars = Progress(
            TextColumn("{task.description}"),
            TextColumn("{task.fields[port]}", style="dim"),
            BarColumn(),
            TextColumn("{task.fields[stage]}"),
            TimeElapsedColumn(),
            console=self._console,
            transient=True,
            redirect_stdout=False,
            redirect_stderr=False,
            disable=not self._console.is_terminal,
        )

    def __enter__(self) -> Self:
        self._bars.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bars.stop()

    @contextmanager
    def line(self, port: Port) -> Generator[_Line]:
        """A bar for a board, until the block is left."""
        task = self._bars.add_task("", port=port.name, stage="connecting", total=None)
        try:
            yield _Line(port, self._bars, task)
        finally:
            self._bars.remove_task(task)

    def say(self, text: str) -> None:
        """A line that stays; from any thread."""
        if self._quiet:
            return
        if self._console.is_terminal and sys.stdout.isatty():
            self._console.print(text, markup=False, highlight=False, soft_wrap=True)
        else:
            print(text, flush=True)
