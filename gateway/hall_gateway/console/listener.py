"""A console as a process: what it listens on.

Here: its listener, TLS, signals. Not here: which console it is (serve.py), what it serves (app.py).
"""

import asyncio
import logging
import os
import signal
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from aiohttp import web

from hall_gateway.config_console import ConsoleConfig
from hall_gateway.console import connections
from hall_gateway.console.guard import SETTINGS, USERS
from hall_gateway.console.rendering import unix_ms
from hall_gateway.systemd import ServiceManager

log = logging.getLogger(__name__)

SHUTDOWN_S = 2.0


class ConsoleStartError(Exception):
    """The console cannot listen: why, and what to do, in one line."""


@dataclass(frozen=True)
class Named:
    """How a console speaks of itself: `serves` whose page, `add_user` the command that adds a user
    and the settings `file`."""

    serves: str
    add_user: str
    file: Path


async def listen(app: web.Application, named: Named, ready: Callable[[str], None]) -> None:
    """Run `app` until SIGTERM or SIGINT; `ready` gets one line with the address.

    Raises UsersError, ConsoleStartError.
    """
    settings = app[SETTINGS]
    known = app[USERS].all()
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    logging.getLogger("aiohttp.server").addFilter(connections.NoNonsense())
    proxy = settings.origin is not None
    runner = web.AppRunner(
        app,
        access_log=None,
        shutdown_timeout=SHUTDOWN_S,
        keepalive_timeout=connections.IDLE_OF_PROXY_S if proxy else connections.IDLE_S,
    )
    context = _context(settings)
    await runner.setup()
    bounding = None if proxy else asyncio.create_task(connections.bound(runner))
    try:
        site = web.TCPSite(runner, settings.host, settings.port, ssl_context=context)
        try:
            await site.start()
        except OSError as error:
            raise ConsoleStartError(
                f"{settings.host}:{settings.port}: {error.strerror}; see [console] in {named.file}"
            ) from None
        manager = ServiceManager(os.environ, unix_ms)
        manager.ready(named.serves)
        if not known:
            log.warning("nobody can log in yet: run %s --config %s", named.add_user, named.file)
        ready(f"ready: {address(settings)}")
        await stop.wait()
        manager.stopping()
    finally:
        if bounding is not None:
            bounding.cancel()
        await runner.cleanup()


def address(settings: ConsoleConfig) -> str:
    """What to put into a browser."""
    if settings.origin is not None:
        return f"{settings.origin}/"
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    return f"{'https' if settings.tls else 'http'}://{host}:{settings.port}/"


def _context(settings: ConsoleConfig) -> ssl.SSLContext | None:
    """Raises ConsoleStartError."""
    if settings.cert_file is None or settings.key_file is None:
        return None
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        # Without a terminal a key with a passphrase must fail, and not ask.
        context.load_cert_chain(settings.cert_file, settings.key_file, password="")
    except (OSError, ssl.SSLError) as error:
        told = error.strerror or error
        raise ConsoleStartError(
            f"{settings.cert_file}, {settings.key_file}: {told}; give a PEM certificate and its "
            "key, which the console's user can read"
        ) from None
    return context
