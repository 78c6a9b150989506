"""A real mosquitto for a test: its configuration, start, stop, and log.

Only the broker's process belongs here, no MQTT client. Each test starts its own broker on its own
ports and stops it by its own handle. `port` is a plain listener without limits, for whatever plays
the gateway or watches; `psk_port` is the listener a production gateway offers to its devices:
TLS-PSK, the identity is the user name and the client id, and the access list lets a device write
`device/v1/{identity}/up/#` and read `device/v1/{identity}/down/#` only.
"""

from __future__ import annotations

import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType

from hall_tools.ports import free_port

START_S = 60.0
STOP_S = 30.0

DEVICE_ACCESS = "pattern write device/v1/%u/up/#\npattern read device/v1/%u/down/#\n"


class Mosquitto:
    """One broker process; `with Mosquitto(tmp_path / "broker") as broker:` starts and stops it.

    `psk` maps identities to keys (hex) and opens `psk_port`. With `persistence` retained messages
    and persistent sessions are kept over stop() and start(). `settings` are further lines of
    mosquitto.conf, for example `max_packet_size 2048`.
    """

    def __init__(
        self,
        folder: Path,
        *,
        psk: Mapping[str, str] | None = None,
        persistence: bool = False,
        settings: Sequence[str] = (),
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.port = free_port()
        self.psk_port = free_port() if psk is not None else 0
        self._folder = folder
        self._persistence = persistence
        self._settings = settings
        self._process: subprocess.Popen[bytes] | None = None
        if psk is not None:
            self.write_keys(psk)
            (folder / "acl").write_text(DEVICE_ACCESS)
        self._config = folder / "mosquitto.conf"
        self._config.write_text(self._configuration())

    def _configuration(self) -> str:
        lines = [
            "user root",  # the test's folders are private to whoever runs the test
            "per_listener_settings true",
            "set_tcp_nodelay true",
            f"persistence {'true' if self._persistence else 'false'}",
            f"persistence_location {self._folder}/",
            "autosave_interval 1",
            f"log_dest file {self._log_path}",
            "log_type all",
            *self._settings,
            f"listener {self.port} 127.0.0.1",
            "allow_anonymous true",
        ]
        if self.psk_port:
            lines += [
                f"listener {self.psk_port} 127.0.0.1",
                "allow_anonymous false",
                "psk_hint hall",
                f"psk_file {self._folder / 'psk'}",
                f"acl_file {self._folder / 'acl'}",
                "use_identity_as_username true",
                "use_username_as_clientid true",
            ]
        return "\n".join(lines) + "\n"

    @property
    def _log_path(self) -> Path:
        return self._folder / "mosquitto.log"

    @property
    def log(self) -> str:
        """What the broker has logged so far, over all its starts."""
        return self._log_path.read_text(errors="replace") if self._log_path.exists() else ""

    def write_keys(self, psk: Mapping[str, str]) -> None:
        """Replace the key file; a running broker reads it at reload()."""
        (self._folder / "psk").write_text("".join(f"{name}:{key}\n" for name, key in psk.items()))

    def reload(self) -> None:
        """SIGHUP: read the key file and the access list again, connections stay."""
        assert self._process is not None, "the broker is not running"
        self._process.send_signal(signal.SIGHUP)

    def start(self) -> None:
        """Start the broker and return when every listener accepts connections."""
        assert self._process is None, "the broker is already running"
        program = shutil.which("mosquitto") or shutil.which("mosquitto", path="/usr/sbin")
        assert program is not None, "mosquitto is missing: apt-get install mosquitto"
        with (self._folder / "stderr").open("ab") as errors:
            self._process = subprocess.Popen([program, "-c", str(self._config)], stderr=errors)
        try:
            for port in filter(None, (self.port, self.psk_port)):
                self._await_listener(port)
        except BaseException:
            self.kill()
            raise

    def _await_listener(self, port: int) -> None:
        assert self._process is not None
        deadline = time.monotonic() + START_S
        while True:
            try:
                socket.create_connection(("127.0.0.1", port), timeout=1.0).close()
                return
            except OSError:
                pass
            if self._process.poll() is not None or time.monotonic() > deadline:
                said = (self._folder / "stderr").read_text(errors="replace") + self.log
                raise AssertionError(f"mosquitto did not listen on {port}: {said}")
            time.sleep(0.01)

    def stop(self) -> None:
        """End the broker as a service manager would (SIGTERM: retained messages are saved)."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """End the broker at once (SIGKILL)."""
        self._end(signal.SIGKILL)

    def _end(self, with_signal: signal.Signals) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        process.send_signal(with_signal)
        try:
            process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def __enter__(self) -> Mosquitto:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()
