"""The console as a process.

Here: its listener, TLS, signals. Not here: what it serves (app.py).
"""

import asyncio
import logging
import os
import signal
import ssl
from collections.abc import Callable
from pathlib import Path

from aiohttp import web

from hall_gateway.config_console import ConsoleConfig
from hall_gateway.console import connections
from hall_gateway.console.app import make_app
from hall_gateway.console.current import Current
from hall_gateway.console.pages import unix_ms
from hall_gateway.console.users import Users
from hall_gateway.systemd import ServiceManager

log = logging.getLogger(__name__)

SHUTDOWN_S = 2.0


class ConsoleStartError(Exception):
    """The console cannot listen: why, and what to do, in one line."""


async def serve(file: Path, ready: Callable[[str], None]) -> None:
    """Run the console until SIGTERM or SIGINT; `file` is the gateway's settings file.

    `ready` gets one line with the address. Raises ConfigError, UsersError, ConsoleStartError.
    """
    current = Current(file)
    settings = current.config.console
    users = Users(settings.users(file))
    known = users.all()
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    logging.getLogger("aiohttp.server").addFilter(connections.NoNonsense())
    proxy = settings.origin is not None
    runner = web.AppRunner(
        make_app(current, users),
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
                f"{settings.host}:{settings.port}: {error.strerror}; see [console] in {file}"
            ) from None
        manager = ServiceManager(os.environ, unix_ms)
        manager.ready("serves the hall manager's page")
        if not known:
            log.warning(
                "nobody can log in yet: run hall console user add NAME --role manager --config %s",
                file,
            )
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
