"""A disk of its own for a store, which a test can fill: tmpfs where root may mount one.

Elsewhere the gateway's files may not grow any more, which it meets as the same kind of error.
"""

from __future__ import annotations

import resource
import subprocess
from pathlib import Path
from types import TracebackType

MOUNT_KB = 4096


class SmallDisk:
    """`with SmallDisk(folder) as disk:` mounts it there, empty."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True)
        self.folder = folder
        self._filler = folder / "filler"
        self._limited = 0
        self._mounted = False

    def fill(self, pid: int) -> None:
        """Leave no room to process `pid`."""
        if not self._mounted:
            size = max(path.stat().st_size for path in self.folder.iterdir() if path.is_file())
            resource.prlimit(pid, resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))
            self._limited = pid
            return
        with self._filler.open("wb", buffering=0) as file:
            for size in (65536, 4096, 1):
                try:
                    while True:
                        file.write(b"x" * size)
                except OSError:
                    pass

    def make_room(self) -> None:
        """Take back what fill() did."""
        if self._limited:
            unlimited = (resource.RLIM_INFINITY, resource.RLIM_INFINITY)
            resource.prlimit(self._limited, resource.RLIMIT_FSIZE, unlimited)
        self._filler.unlink(missing_ok=True)

    def __enter__(self) -> SmallDisk:
        mount = ["mount", "-t", "tmpfs", "-o", f"size={MOUNT_KB}k", "tmpfs", str(self.folder)]
        self._mounted = subprocess.run(mount, capture_output=True).returncode == 0
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._mounted:
            subprocess.run(["umount", str(self.folder)], check=True)
