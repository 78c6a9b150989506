"""`hall gateway setup`: what it does, once and again, and what it leaves alone."""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path

import pytest
from hall_gateway.config import load_config
from hall_tools.cli import main
from hall_tools.errors import UserError
from hall_tools.gateway_setup import layout, logins
from hall_tools.gateway_setup.firewall import BURST_KB, NFT, RATE_KB, firewall_start
from hall_tools.gateway_setup.machine import Account, CommandError, Machine
from hall_tools.gateway_setup.plan import make_plan, own_program
from hall_tools.gateway_setup.steps import Result, is_stamped, run, stamped
from support.installed import OwnMachine

UNIT = f"{layout.UNITS}/{layout.SERVICE}"
PI = '\n[[window]]\nid = "1"\n[[device]]\nid = "disp-1"\nprofile = "{}"\nwindow = "1"\n'


@pytest.fixture
def machine(tmp_path: Path) -> OwnMachine:
    return OwnMachine(tmp_path)


def setup(machine: Machine, *, dry_run: bool = False) -> dict[str, Result]:
    results: list[Result] = []
    run(make_plan(machine, own_program()).steps, machine, dry_run=dry_run, told=results.append)
    return {result.name: result for result in results}


def states(results: dict[str, Result]) -> set[str]:
    return {result.look.state for result in results.values()}


def content(folder: Path) -> dict[str, tuple[int, bytes]]:
    """Everything in a folder: mode and bytes of each file."""
    return {
        str(path): (path.lstat().st_mode, path.read_bytes() if path.is_file() else b"")
        for path in sorted(folder.rglob("*"))
    }


def test_a_second_run_changes_nothing(machine: OwnMachine, tmp_path: Path) -> None:
    first = setup(machine)
    assert "done" in states(first)
    before = content(tmp_path)
    assert states(setup(machine)) == {"unchanged", "later"}
    assert content(tmp_path) == before


def test_a_dry_run_changes_nothing_and_shows_no_secret(machine: OwnMachine, tmp_path: Path) -> None:
    before = content(tmp_path)
    results = setup(machine, dry_run=True)
    assert content(tmp_path) == before
    assert "done" not in states(results)
    setup(machine)
    folder = machine.path(layout.FOLDER)
    secrets = [(folder / name).read_text() for name in ("broker.password", "mosquitto/passwd")]
    for result in (*results.values(), *setup(machine, dry_run=True).values()):
        assert not any(secret.strip() in repr(result) for secret in secrets)


def test_it_makes_what_the_gateway_can_run_on(machine: OwnMachine) -> None:
    setup(machine)
    folder = machine.path(layout.FOLDER)
    modes = {
        name: stat.S_IMODE((folder / name).stat().st_mode)
        for name in ("keys", "mosquitto", "broker.password", "mosquitto/passwd", "mosquitto/psk")
    }
    assert modes == {
        "keys": 0o700,
        "mosquitto": 0o700,
        "broker.password": 0o600,
        "mosquitto/passwd": 0o600,
        "mosquitto/psk": 0o600,
    }
    settings = load_config(folder / "hall.toml")
    assert str(settings.store.path) == "/var/lib/hallkit/hall.db"
    password = settings.broker.password()
    assert password is not None
    assert logins.fits((folder / "mosquitto/passwd").read_text(), "gateway", password)


def test_a_file_that_was_changed_by_hand_is_kept_and_the_difference_shown(
    machine: OwnMachine,
) -> None:
    setup(machine)
    unit = machine.path(UNIT)
    mine = unit.read_text().replace("RestartSec=2", "RestartSec=20")
    unit.write_text(mine)
    result = setup(machine)[UNIT]
    assert result.look.state == "kept"
    assert "-RestartSec=20\n" in result.look.text
    assert "+RestartSec=2\n" in result.look.text
    assert unit.read_text() == mine


def test_the_kernel_limits_what_one_address_sends_to_the_devices_port(machine: OwnMachine) -> None:
    """And where nothing can tell it so, setup says what to install."""
    setup(machine)
    settings = load_config(machine.path(layout.CONFIG))
    written = machine.path(layout.FIREWALL).read_text()
    limited = f"tcp dport {settings.broker.device_port} "
    assert written.count(limited) == 2, "IPv4 and IPv6"
    assert written.count(f"over {RATE_KB} kbytes/second burst {BURST_KB} kbytes") == 2
    assert "$" not in written
    assert layout.FIREWALL in machine.path(f"{layout.UNITS}/{layout.FIREWALL_SERVICE}").read_text()
    assert not make_plan(machine, own_program()).notes()
    machine.path(NFT).unlink()
    (note,) = make_plan(machine, own_program()).notes()
    assert "sudo apt-get install nftables" in note.advice


def test_rules_that_the_kernel_has_not_are_read_anew(
    machine: OwnMachine, monkeypatch: pytest.MonkeyPatch
) -> None:
    setup(machine)
    asked: list[str] = []

    def fail(self: Machine, *command: str) -> str:
        asked.append(" ".join(command))
        raise CommandError("No such file or directory")

    def there(self: Machine, *command: str) -> str:
        return "table inet hallkit {"

    (step,) = firewall_start(machine)
    monkeypatch.setattr(Machine, "run", there)
    assert step.look(machine, []).state == "unchanged"
    assert step.look(machine, [layout.FIREWALL]).detail.endswith(f"{layout.FIREWALL} anew")
    monkeypatch.setattr(Machine, "run", fail)
    assert step.look(machine, []).detail == "its rules are not in the kernel"
    assert asked == ["/usr/sbin/nft list table inet hallkit"]


def test_a_file_of_an_older_version_is_replaced(machine: OwnMachine) -> None:
    setup(machine)
    machine.path(UNIT).write_text(stamped("[Service]\nRestartSec=9\n"))
    assert setup(machine)[UNIT].look.state == "done"
    assert "RestartSec=2\n" in machine.path(UNIT).read_text()


@pytest.mark.parametrize("change", ["", "# first line gone\n", "more\n"])
def test_a_stamp_holds_for_the_whole_file(change: str) -> None:
    text = stamped("[Service]\n")
    assert is_stamped(text + change) is (change == "")
    assert not is_stamped(change + text[text.index("\n") + 1 :])


def test_settings_are_never_touched_and_decide_the_unit(machine: OwnMachine) -> None:
    setup(machine)
    config = machine.path(layout.CONFIG)
    assert "RestrictRealtime=true" in machine.path(UNIT).read_text()
    assert "gpio" not in machine.path(UNIT).read_text()
    mine = config.read_text() + PI.format("call-display-p10-64x16-pi")
    config.write_text(mine)
    machine.path("/etc/group").write_text("gpio:x:997:\n")
    assert setup(machine)[UNIT].look.state == "done"
    unit = machine.path(UNIT).read_text()
    for line in ("SupplementaryGroups=gpio", "LimitRTPRIO=1", "DeviceAllow=/dev/gpiomem rw"):
        assert f"\n{line}\n" in unit
    # Both would take from the gateway what the panel needs.
    assert "PrivateDevices" not in unit
    assert "RestrictRealtime" not in unit
    assert config.read_text() == mine
    config.write_text(mine.replace("-pi", ""))
    setup(machine)
    assert "gpio" not in machine.path(UNIT).read_text()


def test_a_group_that_is_not_there_keeps_no_service_from_starting(machine: OwnMachine) -> None:
    setup(machine)
    config = machine.path(layout.CONFIG)
    config.write_text(config.read_text() + PI.format("call-display-p10-64x16-pi"))
    setup(machine)
    assert "SupplementaryGroups" not in machine.path(UNIT).read_text()
    notes = make_plan(machine, own_program()).notes()
    assert [note.text[:6] for note in notes if "no group gpio" in note.text] == ["disp-1"]
    machine.path("/etc/group").write_text("gpio:x:997:\n")
    assert make_plan(machine, own_program()).notes() == []


def test_the_console_may_read_the_store_and_has_its_users_for_itself(machine: OwnMachine) -> None:
    setup(machine)
    settings = load_config(machine.path(layout.CONFIG))
    users = settings.console.users(machine.path(layout.CONFIG))
    assert str(users) == "/var/lib/hallkit-console/users.json"
    assert stat.S_IMODE(machine.path(users.parent).stat().st_mode) == 0o700
    store = machine.path(settings.store.path)
    store.write_bytes(b"")
    store.chmod(0o600)  # as an older gateway left it
    step = f"{settings.store.path} for the group hallkit"
    assert setup(machine)[step].look.state == "done"
    assert stat.S_IMODE(store.stat().st_mode) == 0o640
    assert setup(machine)[step].look.state == "unchanged"


def test_a_link_in_the_place_of_the_store_opens_nothing_to_the_group(
    machine: OwnMachine, tmp_path: Path
) -> None:
    setup(machine)
    secret = tmp_path / "secret"
    secret.write_text("of root")
    secret.chmod(0o600)
    machine.path("/var/lib/hallkit/hall.db").symlink_to(secret)
    setup(machine)
    assert stat.S_IMODE(secret.stat().st_mode) == 0o600


def test_a_store_elsewhere_may_be_written(machine: OwnMachine) -> None:
    setup(machine)
    config = machine.path(layout.CONFIG)
    config.write_text(config.read_text().replace("/var/lib/hallkit/", "/srv/hall/"))
    setup(machine)
    assert "\nReadWritePaths=/srv/hall\n" in machine.path(UNIT).read_text()


def test_wrong_settings_are_told_before_anything_is_done(
    machine: OwnMachine, tmp_path: Path
) -> None:
    setup(machine)
    machine.path(layout.CONFIG).write_text('hall = "Demo"\n')
    before = content(tmp_path)
    with pytest.raises(UserError, match=r"hall\.toml:1: hall: ") as caught:
        setup(machine)
    assert caught.value.exit_code == os.EX_CONFIG
    assert content(tmp_path) == before


def test_rights_that_got_lost_are_put_right(machine: OwnMachine) -> None:
    setup(machine)
    folder = machine.path(layout.FOLDER)
    for name in ("keys", "broker.password", "mosquitto/passwd"):
        (folder / name).chmod(0o777)
    results = setup(machine)
    assert "mode 0777 instead of 0700" in results["/etc/hallkit/keys"].look.detail
    assert stat.S_IMODE((folder / "broker.password").stat().st_mode) == 0o600
    assert states(setup(machine)) == {"unchanged", "later"}


def test_a_password_that_was_changed_comes_into_step(machine: OwnMachine) -> None:
    setup(machine)
    folder = machine.path(layout.FOLDER)
    (folder / "broker.password").write_text("another\n")
    results = setup(machine)
    assert results["/etc/hallkit/mosquitto/passwd"].look.state == "done"
    assert logins.fits((folder / "mosquitto/passwd").read_text(), "gateway", "another")
    assert (folder / "broker.password").read_text() == "another\n"


def test_key_files_out_of_step_are_written_again(machine: OwnMachine) -> None:
    setup(machine)
    psk = machine.path(layout.FOLDER) / "mosquitto/psk"
    psk.write_text("kp-9:00\n")
    result = setup(machine)["/etc/hallkit/mosquitto/psk and acl"]
    assert "lets kp-9 in, which has no key" in result.look.detail
    assert psk.read_text() == ""


def test_settings_without_a_login_are_noted(machine: OwnMachine) -> None:
    setup(machine)
    config = machine.path(layout.CONFIG)
    lines = config.read_text().replace('username = "gateway"\n', "").splitlines(keepends=True)
    config.write_text("".join(line for line in lines if not line.startswith("password_file")))
    assert "[broker] has no login" in make_plan(machine, own_program()).notes()[0].text


def test_a_link_put_into_the_brokers_folder_leads_nowhere(
    machine: OwnMachine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever took over mosquitto could have root give it any file of the machine."""
    setup(machine)
    folder = machine.path(f"{layout.FOLDER}/{layout.BROKER_FOLDER}")
    victim = tmp_path / "victim"
    (folder / "passwd").rename(victim)
    victim.chmod(0o644)
    (folder / "passwd").symlink_to(victim)
    (folder / "acl.gateway").unlink()
    wait = os.fsync

    def swap(descriptor: int) -> None:
        """What is written gives way to a link, before it is given its owner and mode."""
        wait(descriptor)
        for beside in folder.glob(".acl.gateway.*"):
            beside.unlink()
            beside.symlink_to(victim)

    monkeypatch.setattr(os, "fsync", swap)
    setup(machine)
    assert stat.S_IMODE(victim.lstat().st_mode) == 0o644
    assert not (folder / "passwd").is_symlink()
    assert stat.S_IMODE((folder / "passwd").lstat().st_mode) == 0o600


def test_a_full_disk_is_told_of(machine: OwnMachine, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(UserError, match=r"hall\.toml: cannot write it: No space .*; make room"):
        setup(machine)
    assert list(machine.path(layout.FOLDER).glob(".*")) == []


def test_the_last_step_that_worked_stays(
    machine: OwnMachine, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(self: Machine, *command: str) -> str:
        raise CommandError(f"{command[0]}: no")

    monkeypatch.setattr(Machine, "run", fail)
    with pytest.raises(
        UserError, match=r"start hallkit-gateway.* at boot: systemctl: no"
    ) as caught:
        setup(machine)
    assert caught.value.exit_code == os.EX_UNAVAILABLE
    assert machine.path(UNIT).exists()


def hall(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, *words: str) -> int:
    monkeypatch.setattr("sys.argv", ["hall", "gateway", "setup", *words])
    with pytest.raises(SystemExit) as ended:
        main()
    return int(ended.value.code or 0)


def test_who_is_not_root_is_told_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert hall(capsys, monkeypatch, "--root", str(tmp_path)) == os.EX_NOPERM
    assert "run it with sudo" in capsys.readouterr().err


def test_a_machine_without_mosquitto_is_told_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    assert hall(capsys, monkeypatch, "--root", str(tmp_path)) == os.EX_UNAVAILABLE
    assert "sudo apt-get install mosquitto" in capsys.readouterr().err


def test_a_dry_run_as_json(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert hall(capsys, monkeypatch, "--dry-run", "--json", "--root", str(tmp_path)) == 0
    told = json.loads(capsys.readouterr().out)
    steps = {step["step"]: step for step in told["steps"]}
    assert steps["/etc/hallkit/keys"]["mode"] == 0o700
    assert steps[layout.BROKER_CONF]["text"].endswith("allow_zero_length_clientid false\n")
    assert not list(tmp_path.iterdir())


def test_a_dry_run_to_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert hall(capsys, monkeypatch, "--dry-run", "--root", str(tmp_path)) == 0
    lines = capsys.readouterr().out.splitlines()
    assert "due        /etc/hallkit/keys: folder, hallkit, 0700" in lines
    assert "    | listener 8883" in lines
    assert lines[-1] == "22 of 24 steps would be done; nothing was changed"


@pytest.mark.parametrize(
    ("uid", "gid", "mode", "may"),
    [
        (7, 1, 0o400, True),
        (7, 8, 0o044, False),
        (1, 8, 0o040, True),
        (1, 8, 0o404, False),
        (1, 1, 0o004, True),
        (1, 1, 0o440, False),
    ],
)
def test_who_may_read(uid: int, gid: int, mode: int, may: bool) -> None:
    """As the kernel has it: the owner's bits alone for the owner, the group's for its members."""
    account = Account("someone", 7, 8, frozenset({8}))
    assert account.has(uid, gid, mode, 4) is may
    assert Account("root", 0, 0, frozenset()).has(uid, gid, mode, 4)


def test_a_file_in_a_closed_folder_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "closed").mkdir(mode=0o700)
    file = tmp_path / "closed/file"
    file.touch(mode=0o644)
    stranger = Account("stranger", file.stat().st_uid + 1, 9999, frozenset({9999}))
    assert not stranger.may(file, 4)
    assert not stranger.may(tmp_path / "absent", 4)
