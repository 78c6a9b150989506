"""Where a simulated hall and the tests put their servers.

Here: finding a TCP port. Not here: who listens on it.
"""

import random
import socket
from pathlib import Path

_LOWEST = 10_000
_EPHEMERAL = Path("/proc/sys/net/ipv4/ip_local_port_range")


def free_port() -> int:
    """A TCP port on 127.0.0.1 that nothing listens on now.

    It lies below the ports that the kernel gives to outgoing connections, so none of them can take
    it before its server does, and it is drawn by chance, so that two programs that look at the same
    time hardly find the same one.
    """
    # Not random's own generator: a test may have seeded it, in several processes alike.
    chance = random.SystemRandom()
    highest = int(_EPHEMERAL.read_text(encoding="ascii").split()[0])
    while True:
        port = chance.randrange(_LOWEST, highest)
        try:
            socket.create_server(("127.0.0.1", port)).close()
        except OSError:
            continue
        return port
