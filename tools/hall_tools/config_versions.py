"""The versions of a gateway's settings file: kept, tried, confirmed, and gone back from.

Here: the files beside hall.toml that a change of it goes through. Not here: what the gateway makes
of them (hall_gateway.trial, .settings_file), options and output (commands/gateway_config.py).

`hall.toml.versions/` has the newest KEEP versions, numbered, and who made each. A trial lies in
`hall.toml.trial`, and hall.toml itself changes in one step, when it is confirmed.
"""

import fcntl
import json
import os
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from hall_gateway.files import FileError, put_file, replace_file
from hall_gateway.trial import Trial, on_trial, record, settings_on_trial, sha256
from hall_gateway.wire import compact

from hall_tools.errors import UserError

KEEP = 20
"""Versions; a settings file has some 10 KiB."""


@dataclass(frozen=True)
class Version:
    """`by`: who brought it; "by hand" when it was found in the file. `at`: unix ms."""

    number: int
    at: int
    by: str
    sha256: str


class Versions:
    """Of the settings file `config`. Every method that writes raises UserError."""

    def __init__(self, config: Path) -> None:
        self.config = config
        self.folder = config.with_name(f"{config.name}.versions")

    def all(self) -> list[Version]:
        """Those that are kept, the oldest first."""
        try:
            told: list[dict[str, Any]] = json.loads(self._index.read_text(encoding="utf-8"))
            return [Version(**version) for version in told]
        except FileNotFoundError:
            return []
        except (OSError, ValueError, TypeError) as error:
            raise UserError(
                f"{self._index}: cannot be read ({error}); move {self.folder} away: numbers begin "
                "again then, and hall.toml stays as it is"
            ) from None

    def read(self) -> bytes:
        """The settings file."""
        try:
            return self.config.read_bytes()
        except OSError as error:
            raise UserError(f"{self.config}: {error.strerror}", os.EX_NOINPUT) from None

    def content(self, number: int) -> bytes:
        """The settings of a version that is kept."""
        found = next((v for v in self.all() if v.number == number), None)
        content = self._file(number).read_bytes() if found and self._file(number).exists() else None
        if found is None or content is None or sha256(content) != found.sha256:
            kept = ", ".join(str(version.number) for version in self.all()) or "none"
            raise UserError(f"there is no version {number}; kept are: {kept}", os.EX_NOINPUT)
        return content

    def current(self) -> Version | None:
        """The version that the settings file is; None when it was changed by hand since."""
        digest = sha256(self.read())
        return next((v for v in reversed(self.all()) if v.sha256 == digest), None)

    def keep(self, content: bytes, by: str, now: int) -> Version:
        """`content` as the newest version, unless it is that already."""
        kept = self.all()
        if kept and kept[-1].sha256 == sha256(content):
            return kept[-1]
        version = Version(kept[-1].number + 1 if kept else 1, now, by, sha256(content))
        kept = [*kept, version][-KEEP:]
        with _told():
            self._put(self._file(version.number), content)
            self._put(self._index, compact([asdict(v) for v in kept]))
            for path in self.folder.glob("[0-9]*.toml"):
                if path.stem.isdecimal() and int(path.stem) < kept[0].number:
                    path.unlink()
        return version

    def write(self, content: bytes, by: str, now: int) -> Version:
        """Have `content` in the settings file; what was there is kept."""
        with self._alone():
            self._none_on_trial(now)
            return self._write(content, by, now)

    def _write(self, content: bytes, by: str, now: int) -> Version:
        self.keep(self.read(), "by hand", now)
        version = self.keep(content, by, now)
        with _told():
            replace_file(self.config, content)
        return version

    def begin(self, content: bytes, by: str, seconds: int, now: int) -> Trial:
        """Put `content` on trial."""
        with self._alone(), _told():
            self._none_on_trial(now)
            base = self.read()
            self.keep(base, "by hand", now)
            trial = Trial(
                version=self.all()[-1].number + 1,
                by=by,
                begun=now,
                until=now + seconds * 1000,
                sha256=sha256(content),
                base=sha256(base),
            )
            record(self.config).unlink(missing_ok=True)
            self._put(settings_on_trial(self.config), content)
            self._put(record(self.config), trial.model_dump_json().encode())
            return trial

    def confirm(self, now: int) -> Version:
        """What is on trial becomes the settings file."""
        with self._alone():
            trial = self._trial(now)
            if sha256(self.read()) != trial.base:
                raise UserError(
                    f"{self.config} was changed since the trial began, which must not be lost: "
                    "run hall gateway config revert, bring both together, and apply that",
                    os.EX_TEMPFAIL,
                )
            version = self._write(settings_on_trial(self.config).read_bytes(), trial.by, now)
            self._end()
            return version

    def revert(self, now: int) -> Trial:
        """Give up what is on trial."""
        with self._alone():
            trial = self._trial(now)
            self._end()
            return trial

    def give_up(self, trial: Trial) -> None:
        """End this trial, and no other."""
        with self._alone():
            if on_trial(self.config, trial.begun) == trial:
                self._end()

    @contextmanager
    def _alone(self) -> Generator[None]:
        """Nobody else does any of this meanwhile."""
        flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
        with _told():
            self.folder.mkdir(mode=0o755, exist_ok=True)
            lock = os.open(self.folder / "lock", flags, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield
        finally:
            os.close(lock)

    def _none_on_trial(self, now: int) -> None:
        if on_trial(self.config, now) is not None:
            raise UserError("settings are on trial already: confirm or revert them", os.EX_TEMPFAIL)

    def _trial(self, now: int) -> Trial:
        if trial := on_trial(self.config, now):
            return trial
        over = "; the last one was not confirmed in time" if record(self.config).exists() else ""
        raise UserError(f"no settings are on trial{over}", os.EX_TEMPFAIL)

    def _end(self) -> None:
        with _told():
            record(self.config).unlink(missing_ok=True)
            settings_on_trial(self.config).unlink(missing_ok=True)

    @property
    def _index(self) -> Path:
        return self.folder / "index.json"

    def _file(self, number: int) -> Path:
        return self.folder / f"{number:04d}.toml"

    def _put(self, path: Path, content: bytes) -> None:
        """As readable as the settings file, and by the same."""
        found = self.config.stat()
        put_file(path, content, found.st_mode & 0o777, found.st_uid, found.st_gid)


class _told:  # noqa: N801 - used as a function is
    """What the disk refuses, in the user's words."""

    def __enter__(self) -> None:
        return None

    def __exit__(self, _kind: object, error: BaseException | None, _trace: object) -> None:
        if isinstance(error, FileError):
            raise UserError(str(error), os.EX_CANTCREAT) from None
        if isinstance(error, OSError):
            advice = "; run this with sudo" if isinstance(error, PermissionError) else ""
            what = f"{error.filename}: {error.strerror}{advice}"
            raise UserError(what, os.EX_CANTCREAT) from None
