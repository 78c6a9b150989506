"""Unix sockets by their paths, however long these are.

Here: making one that only some may open, and finding it. Not here: what is spoken over it.

The address of a Unix socket has at most 107 bytes (unix(7)); a folder may be deeper than that, so
the kernel is told of it by a descriptor of the folder.
"""

import os
import socket
import stat
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

BACKLOG = 64
MAX_ADDRESS = 107


@contextmanager
def address(path: Path) -> Generator[str]:
    """An address of the socket at `path`, good inside of the block. Raises OSError."""
    if len(os.fsencode(path)) <= MAX_ADDRESS:
        yield str(path)
        return
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield f"/proc/self/fd/{folder}/{path.name}"
    finally:
        os.close(folder)


@contextmanager
def listening(path: Path, mode: int) -> Generator[socket.socket]:
    """A socket that listens at `path` for whom `mode` lets in, and goes away after the block.

    One that somebody left behind makes way. Raises OSError, also when somebody listens there.
    """
    with address(path) as place, socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as server:
        _make_way(path, place)
        # Before bind(), which makes the file with this mode less the umask: nobody else ever
        # gets in, not even for a moment.
        os.fchmod(server.fileno(), mode)
        server.bind(place)
        try:
            path.chmod(mode)
            server.listen(BACKLOG)
            server.setblocking(False)
            yield server
        finally:
            path.unlink(missing_ok=True)


def _make_way(path: Path, place: str) -> None:
    try:
        if not stat.S_ISSOCK(path.lstat().st_mode):
            raise OSError(f"{path}: something else than a socket is there; move it away")
    except FileNotFoundError:
        return
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as client:
        client.settimeout(1.0)
        try:
            client.connect(place)
        except ConnectionRefusedError:
            path.unlink()
            return
    raise OSError(f"{path}: another process listens there; stop it first")
