"""Files that must be whole or not there, and files with keys in them.

Here: replacing a file in one step that survives a power cut, and who may read it. Not here: what
is in a file.
"""

import errno
import os
import secrets
import stat
from pathlib import Path

_ADVICE = {
    errno.EACCES: "; run this with sudo",
    errno.EPERM: "; run this with sudo",
    errno.ENOSPC: "; make room on its disk, and do this again",
    errno.ELOOP: "; it is a link: put the file itself there",
}
_OTHERS = stat.S_IRWXG | stat.S_IRWXO


class FileError(Exception):
    """A file or folder that cannot be used: which, why, and what to do, in one line."""


def write_secret(path: Path, content: bytes) -> None:
    """Replace `path` with a file that only its owner can read, whoever could read the old one.

    It belongs to the owner of its folder when root writes it: then the gateway or the broker, whose
    folder it is, can read what an installer wrote with sudo. Raises FileError.
    """
    owner = _stat(path.parent)
    put_file(path, content, 0o600, owner.st_uid, owner.st_gid)


def replace_file(path: Path, content: bytes) -> None:
    """Replace the file at `path`, which keeps its mode and its owner; when that is a link, the file
    that it names. Raises FileError."""
    old = _stat(path)
    put_file(path.resolve(), content, stat.S_IMODE(old.st_mode), old.st_uid, old.st_gid)


def read_secret(path: Path) -> bytes | None:
    """The content of a file with keys; None when it is not there.

    Raises FileError, also when others could read it too.
    """
    return _read(path, private=True)


def read_plain(path: Path) -> bytes | None:
    """The content of a file in a folder with keys, which others may read; None when it is not
    there. Raises FileError."""
    return _read(path, private=False)


def make_secret_folder(path: Path) -> None:
    """Make the folder `path` for its owner alone, when it is not there. Raises FileError."""
    try:
        path.mkdir(mode=0o700)
        if os.geteuid() == 0:
            owner = path.parent.stat()
            os.chown(path, owner.st_uid, owner.st_gid)
    except FileExistsError:
        pass
    except OSError as error:
        raise _failed("make", path, error) from None


def list_secrets(path: Path) -> list[str]:
    """The names of the files in a folder with keys, in order; none when it is not there.

    Raises FileError, also when others could get into the folder.
    """
    try:
        found = path.stat()
        names = sorted(name for name in os.listdir(path) if not name.startswith("."))
    except FileNotFoundError:
        return []
    except OSError as error:
        raise _failed("read", path, error) from None
    _check_private(path, found, "700")
    return names


def check_secret_folder(path: Path) -> None:
    """As list_secrets(), without the names. Raises FileError."""
    try:
        found = path.stat()
    except FileNotFoundError:
        return
    except OSError as error:
        raise _failed("read", path, error) from None
    _check_private(path, found, "700")


def _check_private(path: Path, found: os.stat_result, right: str) -> None:
    if stat.S_IMODE(found.st_mode) & _OTHERS:
        raise FileError(
            f"{path}: its keys can be read or changed by others than its owner (mode "
            f"{stat.S_IMODE(found.st_mode):04o}); run: chmod {right} {path}, and if somebody else "
            "uses this machine, make new ones (of devices: enrol them again)"
        )


def _read(path: Path, *, private: bool) -> bytes | None:
    """Whom the folder belongs to could have a link there, and root read what is not theirs."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
        with os.fdopen(descriptor, "rb") as file:
            if private:
                _check_private(path, os.fstat(descriptor), "600")
            return file.read()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise _failed("read", path, error) from None


def put_file(path: Path, content: bytes, mode: int, uid: int, gid: int) -> None:
    """Have a file of that mode at `path`, of that owner when root writes it. Raises FileError.

    It is written beside `path`, then renamed: after a crash there is the old file or the new one.
    Nothing is done by its name before that, for the folder's owner could put a link there.
    """
    beside = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
    try:
        descriptor = os.open(beside, flags, 0o600)
        try:
            with os.fdopen(descriptor, "wb") as file:
                if os.geteuid() == 0:
                    os.fchown(descriptor, uid, gid)
                os.fchmod(descriptor, mode)
                file.write(content)
                file.flush()
                os.fsync(descriptor)
            beside.replace(path)
        except BaseException:
            beside.unlink(missing_ok=True)
            raise
        sync_folder(path.parent)
    except OSError as error:
        raise _failed("write", path, error) from None


def sync_folder(folder: Path) -> None:
    """Have the names in a folder on the disk. Raises OSError."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _stat(path: Path) -> os.stat_result:
    try:
        return path.stat()
    except OSError as error:
        raise _failed("use", path, error) from None


def _failed(do: str, path: Path, error: OSError) -> FileError:
    advice = _ADVICE.get(error.errno or 0, "")
    return FileError(f"{path}: cannot {do} it: {error.strerror}{advice}")
