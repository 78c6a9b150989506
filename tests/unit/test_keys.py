"""The devices' keys on disk, and mosquitto's files made of them."""

from __future__ import annotations

import fcntl
import json
import os
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hall_gateway import files
from hall_gateway.keys import DeviceKeys, KeyStore, KeyStoreError
from hall_profiles import load

KEYPAD = load("keypad-5")
BATTERY = load("wet-floor-battery")
NOON = 1_800_000_000_000


@pytest.fixture
def store(tmp_path: Path) -> KeyStore:
    return KeyStore(tmp_path / "keys", lambda: NOON)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def secrets_of(keys: DeviceKeys) -> list[str]:
    oscore = [keys.oscore.master_secret, keys.oscore.master_salt] if keys.oscore else []
    return [secret for secret in (keys.psk, keys.claim, *oscore) if secret is not None]


def test_keys_are_what_the_design_says(store: KeyStore) -> None:
    keypad, battery = store.enrol("kp-1", KEYPAD), store.enrol("wet-1", BATTERY)
    assert keypad.psk is not None
    assert len(bytes.fromhex(keypad.psk)) == 32
    assert len(bytes.fromhex(keypad.claim)) == 16
    assert keypad.oscore is None
    assert battery.psk is None
    assert battery.oscore is not None
    assert len(bytes.fromhex(battery.oscore.master_secret)) == 16
    assert len(bytes.fromhex(battery.oscore.master_salt)) == 8
    assert battery.oscore.sender_id != battery.oscore.recipient_id
    content = json.loads(store.path("kp-1").read_text())
    assert content == {
        "v": 1,
        "device": "kp-1",
        "profile": "keypad-5",
        "generation": 1,
        "oscore": None,
        "psk": keypad.psk,
        "claim": keypad.claim,
        "enrolled": "2027-01-15T08:00:00.000Z",
        "revoked": None,
    }
    assert KeyStore(store.folder).get("kp-1") == keypad
    assert KeyStore(store.folder).devices() == [keypad, battery]


def test_no_two_devices_share_anything(store: KeyStore) -> None:
    made = [store.enrol(f"wet-{n}", BATTERY) for n in range(40)]
    made += [store.enrol(f"kp-{n}", KEYPAD) for n in range(40)]
    every = [secret for keys in made for secret in secrets_of(keys)]
    assert len(set(every)) == len(every) == 40 * 3 + 40 * 2
    contexts = [keys.oscore.recipient_id for keys in made if keys.oscore]
    assert len(set(contexts)) == 40


def test_enrolling_again_makes_new_keys(store: KeyStore) -> None:
    first = store.enrol("kp-1", KEYPAD)
    store.revoke("kp-1")
    second = store.enrol("kp-1", KEYPAD)
    assert (first.generation, second.generation) == (1, 2)
    assert second.revoked is None
    assert not set(secrets_of(first)) & set(secrets_of(second))


def test_revoking_forgets_what_opens_the_radio(store: KeyStore) -> None:
    for device, profile in (("kp-1", KEYPAD), ("wet-1", BATTERY)):
        before = store.enrol(device, profile)
        after = store.revoke(device)
        assert (after.psk, after.oscore, after.claim) == (None, None, before.claim)
        assert after.revoked == "2027-01-15T08:00:00.000Z"
        assert store.revoke(device) == after == store.get(device)
    with pytest.raises(KeyStoreError, match="kp-2: was never enrolled"):
        store.revoke("kp-2")


def test_only_the_owner_can_read_them_whatever_the_umask(store: KeyStore, tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        store.enrol("kp-1", KEYPAD)
        store.write_mosquitto(tmp_path / "mosquitto")
    finally:
        os.umask(before)
    for folder in (store.folder, tmp_path / "mosquitto"):
        assert mode(folder) == 0o700
        assert {mode(path) for path in folder.iterdir()} == {0o600}


def test_a_file_with_keys_is_never_readable_for_others_while_it_is_written(
    store: KeyStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[int] = []
    write = os.fsync

    def look(descriptor: int) -> None:
        found = os.fstat(descriptor)
        if stat.S_ISREG(found.st_mode):
            seen.append(stat.S_IMODE(found.st_mode))
        write(descriptor)

    monkeypatch.setattr(files.os, "fsync", look)
    store.enrol("kp-1", KEYPAD)
    assert seen == [0o600]


@pytest.mark.parametrize("which", ["folder", "file"])
def test_keys_that_others_can_read_are_refused(store: KeyStore, which: str) -> None:
    keys = store.enrol("kp-1", KEYPAD)
    path, right = (store.folder, "700") if which == "folder" else (store.path("kp-1"), "600")
    path.chmod(0o755 if which == "folder" else 0o640)
    for use in (lambda: store.get("kp-1"), store.devices, lambda: store.enrol("kp-1", KEYPAD)):
        with pytest.raises(KeyStoreError, match=f"run: chmod {right} {path}"):
            use()
    path.chmod(int(right, 8))
    assert store.get("kp-1") == keys


@pytest.mark.parametrize(
    "damage",
    [
        lambda text: "",
        lambda text: text[:-5],
        lambda text: text.replace('"v": 1', '"v": 2'),
        lambda text: text.replace('"kp-1"', '"kp-2"'),
        lambda text: text.replace('"generation": 1', '"generation": 0'),
        lambda text: text.replace('"psk": "', '"psk": "x'),
        lambda text: text.replace('"claim": "', '"claim": "00'),
        lambda text: text.replace('"oscore": null', '"oscore": {}'),
        lambda text: "[]",
        lambda text: "\x00" * 200,
    ],
)
def test_a_damaged_file_is_named_and_nothing_of_it_shown(store: KeyStore, damage: object) -> None:
    keys = store.enrol("kp-1", KEYPAD)
    text = damage(store.path("kp-1").read_text())  # pyright: ignore
    store.path("kp-1").write_text(text)
    with pytest.raises(KeyStoreError) as caught:
        store.get("kp-1")
    told = str(caught.value)
    assert told.startswith(f"{store.path('kp-1')}: damaged")
    assert "enrol kp-1 again" in told
    assert not any(secret in told for secret in secrets_of(keys))
    assert caught.value.__cause__ is None


def test_a_failed_write_leaves_the_old_keys(
    store: KeyStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = store.enrol("kp-1", KEYPAD)

    def full(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(files.os, "fsync", full)
        with pytest.raises(KeyStoreError, match="No space left on device; make room on its disk"):
            store.enrol("kp-1", KEYPAD)
    assert store.get("kp-1") == old
    assert [path.name for path in store.folder.iterdir()] == ["kp-1.json"]


def test_two_that_enrol_at_once_do_not_lose_each_others_keys(store: KeyStore) -> None:
    with ThreadPoolExecutor(8) as pool:
        made = list(
            pool.map(lambda _: KeyStore(store.folder).enrol("kp-1", KEYPAD).generation, range(40))
        )
    assert sorted(made) == list(range(1, 41))


def test_nobody_changes_keys_while_they_are_written_out(
    store: KeyStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Otherwise a key that is revoked between reading and writing would be let in again."""
    store.enrol("kp-1", KEYPAD)
    free: list[bool] = []

    def fsync(_descriptor: int) -> None:
        folder = os.open(store.folder, os.O_RDONLY)
        try:
            fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
            free.append(True)
        except BlockingIOError:
            free.append(False)
        finally:
            os.close(folder)

    monkeypatch.setattr(files.os, "fsync", fsync)
    store.write_mosquitto(tmp_path / "mosquitto")
    assert set(free) == {False}


def test_no_secret_is_in_a_repr(store: KeyStore) -> None:
    for device, profile in (("kp-1", KEYPAD), ("wet-1", BATTERY)):
        keys = store.enrol(device, profile)
        shown = f"{keys!r} {keys} {keys.oscore!r} {[keys]}"
        assert device in shown
        assert not any(secret in shown for secret in secrets_of(keys))


@pytest.mark.parametrize("name", ["", "KP-1", "-kp", "a/b", "../kp-1", "kp-1\n", "键", "a" * 33])
def test_an_id_that_is_none_never_reaches_the_disk(store: KeyStore, name: str) -> None:
    for use in (store.get, store.revoke, lambda name: store.enrol(name, KEYPAD)):
        with pytest.raises(KeyStoreError, match="right: 1 to 32 of"):
            use(name)
    assert not any(path.suffix for path in store.folder.parent.rglob("*"))


def test_a_part_of_the_gateway_has_no_keys(store: KeyStore) -> None:
    with pytest.raises(KeyStoreError, match="needs no keys"):
        store.enrol("disp-1", load("call-display-p10-64x16-pi"))


def test_mosquittos_files(store: KeyStore, tmp_path: Path) -> None:
    folder = tmp_path / "mosquitto"
    store.write_mosquitto(folder)
    assert (folder / "psk").read_text() == ""
    one, two = store.enrol("kp-1", KEYPAD), store.enrol("kp-2", KEYPAD)
    store.enrol("wet-1", BATTERY)
    store.write_mosquitto(folder)
    assert (folder / "psk").read_text() == f"kp-1:{one.psk}\nkp-2:{two.psk}\n"
    assert "user " not in (folder / "acl").read_text()
    store.revoke("kp-1")
    store.write_mosquitto(folder)
    assert (folder / "psk").read_text() == f"kp-2:{two.psk}\n"
    assert (folder / "acl").read_text().endswith("user kp-1\ntopic deny #\n")
    again = store.enrol("kp-1", KEYPAD)
    store.write_mosquitto(folder)
    assert (folder / "psk").read_text() == f"kp-1:{again.psk}\nkp-2:{two.psk}\n"
    assert "kp-1" not in (folder / "acl").read_text()


def test_lines_of_others_in_the_access_list_stay(store: KeyStore, tmp_path: Path) -> None:
    folder = tmp_path / "mosquitto"
    folder.mkdir(0o700)
    own = "user gateway\ntopic readwrite #\n\n# 广播\nuser display-wall\ntopic read hall/#\n"
    (folder / "acl").write_text(own)
    store.enrol("kp-1", KEYPAD)
    store.revoke("kp-1")
    store.write_mosquitto(folder)
    first = (folder / "acl").read_text()
    store.write_mosquitto(folder)
    assert (folder / "acl").read_text() == first
    assert first.startswith(own)
    # A topic is for the user that was named last: none may stand below one of ours.
    assert first.index("user display-wall") < first.index("user kp-1")
    # Who adds to a file adds at its end.
    (folder / "acl").write_text(first + "user monitor\ntopic read device/#\n")
    store.write_mosquitto(folder)
    last = (folder / "acl").read_text()
    assert last.index("user monitor\ntopic read device/#\n") < last.index("user kp-1")
    assert last.count("user kp-1") == 1
    store.enrol("kp-1", KEYPAD)
    store.write_mosquitto(folder)
    assert (folder / "acl").read_text().count("user ") == 3


def test_a_link_in_the_brokers_folder_is_not_followed(store: KeyStore, tmp_path: Path) -> None:
    """Whoever took over mosquitto could have root copy any file for it."""
    folder, another = tmp_path / "mosquitto", tmp_path / "another"
    folder.mkdir(0o700)
    another.write_text("root:$6$...")
    (folder / "acl").symlink_to(another)
    with pytest.raises(KeyStoreError, match=r"acl: cannot read it: .*it is a link"):
        store.write_mosquitto(folder)
    store.enrol("kp-1", KEYPAD)
    store.path("kp-1").rename(another)
    store.path("kp-1").symlink_to(another)
    with pytest.raises(KeyStoreError, match=r"kp-1.json: cannot read it: .*it is a link"):
        store.get("kp-1")
