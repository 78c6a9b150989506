"""The steps that have the hall manager's page run on a gateway.

Here: which steps, beside those of the gateway itself (plan.py). Not here: how a step is done
(steps.py), a file's fixed text (templates/).
"""

import os
import stat
from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path
from string import Template

from hall_gateway.config import GatewayConfig

from hall_tools.gateway_setup import layout
from hall_tools.gateway_setup.machine import Machine
from hall_tools.gateway_setup.steps import Call, File, Folder, Step, User

UNIT = f"{layout.UNITS}/{layout.CONSOLE_SERVICE}"
_ENABLED = f"{layout.UNITS}/multi-user.target.wants/{layout.CONSOLE_SERVICE}"


def console_steps(settings: GatewayConfig, program: Path, home: str) -> list[Step]:
    """All but its start; `home` is what its unit says of ProtectHome."""
    store = settings.store.path

    def closed(machine: Machine, _done: Sequence[str]) -> str | None:
        """A store of an older Hallkit is for its owner alone."""
        shut = [path.name for path in _files(machine, store) if not _open_to_group(path)]
        return f"{', '.join(shut)}: the console could not read" if shut else None

    def open_up(machine: Machine) -> None:
        for path in _files(machine, store):
            # Whoever owns the folder must not choose whose rights root changes here.
            file = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
            try:
                os.fchmod(file, stat.S_IMODE(os.fstat(file).st_mode) | stat.S_IRGRP)
            finally:
                os.close(file)

    return [
        User(layout.CONSOLE_USER, "Hallkit console", layout.CONSOLE_STATE),
        Folder(layout.CONSOLE_STATE, layout.CONSOLE_USER, 0o700),
        Call(f"{store} for the group {layout.USER}", closed, open_up),
        File(UNIT, console_unit(program, home)),
        Call(f"start {layout.CONSOLE_SERVICE} at boot", _enable_due, _enable),
    ]


def console_unit(program: Path, home: str) -> str:
    """The console's service file."""
    template = files("hall_tools.gateway_setup") / "templates" / layout.CONSOLE_SERVICE
    text = Template(template.read_text(encoding="utf-8"))
    return text.substitute(program=str(program), config=layout.CONFIG, home=home)


def _files(machine: Machine, store: Path) -> list[Path]:
    """The store and its log, as far as they are there and can be seen; no links."""
    names = (store.name, f"{store.name}-wal", f"{store.name}-shm")
    paths = [machine.path(str(store.with_name(name))) for name in names]
    try:
        return [path for path in paths if path.is_file() and not path.is_symlink()]
    except PermissionError:
        return []


def _open_to_group(path: Path) -> bool:
    return bool(path.stat().st_mode & stat.S_IRGRP)


def _enable_due(machine: Machine, _done: Sequence[str]) -> str | None:
    return None if machine.path(_ENABLED).is_symlink() else "not enabled"


def _enable(machine: Machine) -> None:
    machine.run("systemctl", f"--root={machine.root}", "enable", layout.CONSOLE_SERVICE)
