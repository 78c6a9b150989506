"""`hall gateway backup` and `restore`: what is in a backup, what is refused, what comes back."""

import io
import json
import os
import re
import sqlite3
import stat
import tarfile
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from hall_gateway.store_backup import known_migrations
from hall_tools import restore
from hall_tools.commands import gateway_backup
from hall_tools.errors import UserError
from support.core_hall import Device, open_hall

SETTINGS = """
hall = "demo"
[store]
path = "hall.db"
[upstream]
username = "gateway"
password_file = "hall.password"
tls = true
ca_file = "{ca}"
"""
KEY = '{"a": "key"}'


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """An installation's folder, with files of most kinds."""
    (tmp_path / "elsewhere.pem").write_text("ca")
    folder = tmp_path / "hall"
    (folder / "keys").mkdir(parents=True, mode=0o700)
    (folder / "hall.toml").write_text(SETTINGS.format(ca=tmp_path / "elsewhere.pem"))
    for name, text in (("hall.password", "secret\n"), ("keys/kp-1.json", KEY)):
        (folder / name).write_text(text)
        (folder / name).chmod(0o600)
    return folder


def back_up(folder: Path, target: Path, **options: Any) -> None:
    gateway_backup.backup(target, folder / "hall.toml", **options)


def rows(store: Path, sql: str) -> list[tuple[Any, ...]]:
    with closing(sqlite3.connect(store)) as connection:
        return connection.execute(sql).fetchall()


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def times(folder: Path) -> dict[Path, int]:
    return {path: path.stat().st_mtime_ns for path in folder.rglob("*") if path.is_file()}


async def filled(folder: Path, passages: int) -> None:
    device = Device("cnt")
    async with open_hall(folder) as hall:
        for _ in range(passages):
            await hall.core.event("cnt", device.event("passage", {"dir": "in"}))


async def test_what_was_there_comes_back_and_what_is_there_now_is_kept(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "a.tar"
    async with open_hall(folder) as hall:  # as a gateway that works has it
        device = Device("cnt")
        for _ in range(20):
            await hall.core.event("cnt", device.event("passage", {"dir": "in"}))
        back_up(folder, file)
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        said = capsys.readouterr().out
        assert "20 events" in said
        assert f"lies elsewhere: {tmp_path / 'elsewhere.pem'}" in said
        assert "secret" not in said
        await hall.core.event("cnt", device.event("passage", {"dir": "out"}))
        with pytest.raises(UserError, match=r"another gateway .* has this store open"):
            gateway_backup.restore(file, folder / "hall.toml")
    (folder / "hall.toml").write_text("spoilt")
    (folder / "keys" / "later.json").write_text(KEY)
    gateway_backup.restore(file, folder / "hall.toml", as_json=True)
    told = json.loads(capsys.readouterr().out)
    assert rows(folder / "hall.db", "SELECT count(*) FROM events") == [(20,)]
    assert (folder / "hall.toml").read_text().startswith('\nhall = "demo"')
    assert (folder / "keys" / "kp-1.json").read_text() == KEY
    assert not (folder / "keys" / "later.json").exists()
    assert stat.S_IMODE((folder / "keys").stat().st_mode) == 0o700
    assert stat.S_IMODE((folder / "hall.password").stat().st_mode) == 0o600
    aside = Path(told["aside"][-1])
    assert aside.parent == folder
    assert rows(aside / "hall.db", "SELECT count(*) FROM events") == [(21,)]
    assert (aside / "hall.toml").read_text() == "spoilt"
    assert (aside / "keys" / "later.json").exists()
    assert told["missing"] == [str(tmp_path / "elsewhere.pem")]
    assert not [name for name in names(folder) if name.startswith(".")]
    async with open_hall(folder) as hall:  # it works
        assert len(await hall.data("hall.count.passage")) == 20


async def test_a_store_without_a_gateway_is_left_as_it_was(folder: Path, tmp_path: Path) -> None:
    await filled(folder, 3)
    before = names(folder)
    back_up(folder, tmp_path / "a.tar")
    assert names(folder) == before


async def test_restores_within_a_second_put_nothing_aside_onto_another(
    folder: Path, tmp_path: Path
) -> None:
    for count in (1, 2, 3):
        await filled(folder, count)
        back_up(folder, tmp_path / f"{count}.tar")
        asides = restore.restore(tmp_path / "1.tar", folder / "hall.toml", 1784116800000).aside
        assert {aside.parent for aside in asides} == {folder}
    names = [f"before-restore-20260715T120000Z{more}" for more in ("", "-2", "-3")]
    assert sorted(each for each in os.listdir(folder) if each.startswith("before-")) == names
    stored = [rows(folder / name / "hall.db", "SELECT count(*) FROM events") for name in names]
    assert [list(each) for each in stored] == [[(1,)], [(2,)], [(3,)]]


async def test_battery_devices_are_challenged_after_it(folder: Path, tmp_path: Path) -> None:
    await filled(folder, 1)
    with closing(sqlite3.connect(folder / "hall.db")) as connection, connection:
        connection.execute("INSERT INTO contexts VALUES ('wet', 'k', 5, '[1, 2, 3]')")
    back_up(folder, tmp_path / "a.tar")
    gateway_backup.restore(tmp_path / "a.tar", folder / "hall.toml")
    assert rows(folder / "hall.db", "SELECT next, seen FROM contexts") == [(5, None)]


async def test_what_was_restored_is_another_store(folder: Path, tmp_path: Path) -> None:
    """For it gives positions again that were given after the backup."""
    ids: list[str] = []
    began: list[int] = []
    floor = Device("wet")
    for restored in (False, False, True, False):
        if restored:
            gateway_backup.restore(tmp_path / "a.tar", folder / "hall.toml")
        async with open_hall(folder) as hall:
            ids.append(hall.core.store_id)
            began.append((await hall.core.do(lambda heart, _: heart.sinks.reach("hall")))[0])
            await hall.core.event("wet", floor.event("dry", {"ohms": 300_000}))
            await hall.core.advance("hall", len(ids))
        back_up(folder, tmp_path / "a.tar", force=True)
    assert began == [0, 0, 2, 2], "what the sink took before was of the other store"
    before, opened_again, after, last = ids
    assert before == opened_again != after == last
    assert all(re.fullmatch("[0-9a-f]{16}", id) for id in ids)


async def test_no_file_is_replaced_unasked(folder: Path, tmp_path: Path) -> None:
    await filled(folder, 1)
    file = tmp_path / "a.tar"
    file.write_text("mine")
    with pytest.raises(UserError, match="is there already"):
        back_up(folder, file)
    assert file.read_text() == "mine"
    back_up(folder, file, force=True)
    assert tarfile.is_tarfile(file)


async def test_a_disk_without_links_or_rights(
    folder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """As a USB stick is."""

    def no_link(*_: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    await filled(folder, 1)
    monkeypatch.setattr(os, "link", no_link)
    back_up(folder, tmp_path / "a.tar")
    assert "keeps no rights" not in capsys.readouterr().out
    real = os.open

    def for_all(path: Any, flags: int, _mode: int = 0, **more: Any) -> int:
        return real(path, flags, 0o644, **more)

    monkeypatch.setattr(os, "open", for_all)
    back_up(folder, tmp_path / "b.tar")
    assert "this disk keeps no rights" in capsys.readouterr().out


def test_without_a_store_there_is_nothing_to_back_up(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="there is no store yet"):
        back_up(folder, tmp_path / "a.tar")


def test_a_damaged_store_is_no_backup(folder: Path, tmp_path: Path) -> None:
    (folder / "hall.db").write_bytes(b"SQLite format 3\0" + b"x" * 9000)
    with pytest.raises(UserError, match=r"hall\.db: cannot be copied: "):
        back_up(folder, tmp_path / "a.tar")
    assert not (tmp_path / "a.tar").exists()
    assert not list(tmp_path.glob(".hallkit-*"))


def changed(file: Path, change: Any) -> Path:
    """The backup with `change(name, content)` in place of each content; None leaves it out."""
    other = file.with_name("changed.tar")
    with tarfile.open(file) as old, tarfile.open(other, "w") as new:
        for member in old.getmembers():
            content = old.extractfile(member)
            assert content is not None
            body = change(member.name, content.read())
            if body is not None:
                info = tarfile.TarInfo(member.name)
                info.size = len(body)
                new.addfile(info, io.BytesIO(body))
    return other


def of(wanted: str, change: Any) -> Any:
    return lambda name, body: change(body) if name == wanted else body


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (of("store.db", lambda body: body[:-1] + b"x"), "store.db is not the file that it was"),
        (of("store.db", lambda body: body[:-1]), "store.db is not the file that it was"),
        (of("config/keys/kp-1.json", lambda _: None), "config/keys/kp-1.json is missing"),
        (of("manifest.json", lambda _: None), "it has no manifest"),
        (of("manifest.json", lambda _: b"{"), "its manifest cannot be read"),
        (of("manifest.json", lambda _: b'{"format": 1}'), "its manifest cannot be read"),
        (of("manifest.json", lambda _: b'{"format":2,"hallkit":"9"}'), "a newer hallkit (9) made"),
        (
            of("manifest.json", lambda b: b.replace(b"config/keys/", b"config/../../")),
            "is not a name in a backup",
        ),
        (
            of("manifest.json", lambda b: b.replace(b"config/hall.password", b"/etc/passwd")),
            "is not a name in a backup",
        ),
        (
            of("manifest.json", lambda b: b.replace(b'"hall.toml"', b'"../../hall.toml"')),
            "the settings file '../../hall.toml' is not in it",
        ),
        (
            of("manifest.json", lambda b: b.replace(b'"mode": 384', b'"mode": "u+s"')),
            "'mode'): Input should be a valid integer",
        ),
        (
            of("manifest.json", lambda b: b.replace(b"keys/kp-1.json", b"hall.password")),
            "'config/hall.password' is not a name in a backup",
        ),
    ],
)
async def test_a_file_that_is_no_whole_backup_changes_nothing(
    folder: Path, tmp_path: Path, change: Any, said: str
) -> None:
    await filled(folder, 1)
    back_up(folder, tmp_path / "a.tar")
    other = changed(tmp_path / "a.tar", change)
    before = times(folder)
    with pytest.raises(UserError) as caught:
        gateway_backup.restore(other, folder / "hall.toml")
    assert said in str(caught.value)
    assert "nothing was done" in str(caught.value)
    after = times(folder)
    assert after == before


@pytest.mark.parametrize("part", [1, 2, 3, 5, 9])
async def test_a_file_that_is_cut_off_changes_nothing(
    folder: Path, tmp_path: Path, part: int
) -> None:
    await filled(folder, 1)
    back_up(folder, tmp_path / "a.tar")
    whole = (tmp_path / "a.tar").read_bytes()
    (tmp_path / "a.tar").write_bytes(whole[: len(whole) * part // 10])
    before = times(folder)
    with pytest.raises(UserError, match=r"is no whole backup of a gateway: .* nothing was done"):
        gateway_backup.restore(tmp_path / "a.tar", folder / "hall.toml")
    assert times(folder) == before


async def test_a_link_in_the_gateways_folders_leads_nobody_elsewhere(
    folder: Path, tmp_path: Path
) -> None:
    await filled(folder, 1)
    victim = tmp_path / "victim"
    victim.write_text("mine")
    lock = folder / "hall.db.lock"
    lock.unlink()
    (folder / "keys" / "kp-2.json").symlink_to(victim)
    with pytest.raises(UserError, match=r"kp-2\.json: .* it is a link"):
        back_up(folder, tmp_path / "a.tar")
    (folder / "keys" / "kp-2.json").unlink()
    back_up(folder, tmp_path / "a.tar")
    lock.symlink_to(victim)
    with pytest.raises(UserError, match=r"hall\.db: Too many levels of symbolic links"):
        gateway_backup.restore(tmp_path / "a.tar", folder / "hall.toml")
    assert victim.read_text() == "mine"


async def test_root_writes_into_the_gateways_folder_as_the_gateway(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await filled(folder, 1)
    back_up(folder, tmp_path / "a.tar")
    owner = os.stat(folder)
    is_now: list[tuple[int, int]] = [(0, 0)]
    become: list[tuple[int, int]] = []

    def becomes(uid: int, gid: int, _groups: list[int]) -> None:
        become.append((uid, gid))
        is_now[-1] = (uid, gid)

    monkeypatch.setattr(os, "getuid", lambda: 0)
    monkeypatch.setattr(os, "geteuid", lambda: is_now[-1][0])
    monkeypatch.setattr(os, "getegid", lambda: is_now[-1][1])
    monkeypatch.setattr(restore, "_become", becomes)
    gateway_backup.restore(tmp_path / "a.tar", folder / "hall.toml")
    assert become[0] == (owner.st_uid, owner.st_gid)
    assert become[-1] == (0, 0)


async def test_a_backup_of_a_newer_hallkit(folder: Path, tmp_path: Path) -> None:
    await filled(folder, 1)
    with closing(sqlite3.connect(folder / "hall.db")) as connection, connection:
        connection.execute(
            "UPDATE _yoyo_migration SET migration_id = '9999_new' WHERE migration_id = ?",
            (max(known_migrations()),),
        )
    back_up(folder, tmp_path / "a.tar")
    with pytest.raises(UserError, match=r"a newer hallkit .* made it \(9999_new\)"):
        gateway_backup.restore(tmp_path / "a.tar", folder / "hall.toml")


@pytest.mark.parametrize("content", [b"", b"x" * 2000])
def test_another_file_is_none(folder: Path, tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.tar").write_bytes(content)
    with pytest.raises(UserError, match=r"a\.tar: is no (whole )?backup of a gateway"):
        gateway_backup.restore(tmp_path / "a.tar", folder / "hall.toml")
    with pytest.raises(UserError, match="No such file"):
        gateway_backup.restore(tmp_path / "b.tar", folder / "hall.toml")
