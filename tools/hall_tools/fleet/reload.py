"""Telling a trial's nats-servers that their accounts have changed.

Here: finding those that run, SIGHUP, and whether each has read its files since. Not here: the files
(layout.py), servers on other machines: their administrators copy the file and reload them.
"""

import asyncio
import os
import signal
from pathlib import Path

from hall_tools.errors import UserError
from hall_tools.fleet.layout import Layout, Ports
from hall_tools.fleet.nats_server import NatsNode, NodePorts

READ_S = 20.0
_LOOK_S = 0.05


def running(folder: Path, config: Path) -> int | None:
    """The process that runs with `config`, by the pid file in `folder`; None: none does."""
    try:
        pid = int((folder / "nats.pid").read_text())
        arguments = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    except (OSError, ValueError):
        return None
    return pid if os.fsencode(config) in arguments else None


async def reload(layout: Layout, ports: Ports) -> int:
    """How many nodes have read their files again; 0 when none runs.

    UserError when one may not be told, or does not take its files.
    """
    told = 0
    for number, places in enumerate(ports.nodes, 1):
        node = NatsNode(layout.node(number), f"n{number}", NodePorts(*places))
        pid = running(node.folder, node.config)
        if pid is not None:
            await _reload(node, pid)
            told += 1
    return told


async def _reload(node: NatsNode, pid: int) -> None:
    before = await _loaded(node)
    try:
        os.kill(pid, signal.SIGHUP)
    except ProcessLookupError:
        return  # it has ended, and reads its files when it starts
    except PermissionError:
        raise UserError(
            f"nats-server {node.name} (process {pid}) is another user's, so it does not know of "
            "the change: do this again as that user, or with sudo",
            os.EX_NOPERM,
        ) from None
    try:
        async with asyncio.timeout(READ_S):
            while True:
                if await _loaded(node) not in (None, before):
                    return
                await asyncio.sleep(_LOOK_S)
    except TimeoutError:
        raise UserError(
            f"nats-server {node.name} has not read its files in {READ_S:.0f} s: see "
            f"{node.folder / 'nats.log'}",
            os.EX_UNAVAILABLE,
        ) from None


async def _loaded(node: NatsNode) -> str | None:
    """When it read its configuration, as it says itself."""
    told = await node.asked("/varz")
    return None if told is None else str(told["config_load_time"])
