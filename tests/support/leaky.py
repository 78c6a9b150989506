"""A gateway or a console that says a secret wherever it says anything: to see that it is seen.

`program(file)` is run in place of `hall`; the secret is read from that file, for it would be among
the arguments otherwise.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from aiohttp import web
from hall_gateway.systemd import ServiceManager

from support.warm import PROGRAM


def program(file: Path) -> str:
    tests = Path(__file__).parent.parent
    return (
        f"import sys; sys.path.insert(0, {str(tests)!r})\n"
        f"from support import leaky; leaky.leak({str(file)!r})\n{PROGRAM}\n"
    )


def leak(file: str) -> None:
    """From here on, and by a process whose arguments and environment have it."""
    secret = Path(file).read_text()
    print("an error:", secret, file=sys.stderr, flush=True)
    ends_with_us = ("tail", f"--pid={os.getpid()}", "-f", "/dev/null", secret)
    quiet = subprocess.DEVNULL
    subprocess.Popen(ends_with_us, env={"TOKEN": secret}, stdout=quiet, stderr=quiet)
    answer = web.Response.__init__

    def says(self: web.Response, *, body: Any = None, text: str | None = None, **more: Any) -> None:
        content = text.encode() if text is not None else body
        if isinstance(content, bytes) and content[:1] == b"{":
            content = b'{"leak": "%s", ' % secret.encode() + content[1:]
        elif isinstance(content, bytes):
            content += b"\n# " + secret.encode()
        answer(self, body=content, **more)

    def write(path: Path, health: Mapping[str, object]) -> None:
        path.write_text(secret)

    web.Response.__init__ = says  # pyright: ignore[reportAttributeAccessIssue]
    ServiceManager._write = staticmethod(write)  # pyright: ignore[reportPrivateUsage]
