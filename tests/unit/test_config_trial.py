"""Settings on trial: what is on the disk, what a gateway makes of it, and what is different."""

from __future__ import annotations

import asyncio
import json
import stat
from collections.abc import AsyncGenerator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from hall_gateway import settings_file
from hall_gateway.config import GatewayConfig, load_config
from hall_gateway.settings_file import SettingsFile
from hall_gateway.toml_input import parse_toml
from hall_gateway.trial import on_trial, record, settings_on_trial
from hall_tools.commands import gateway_config
from hall_tools.config_diff import changes, restarts
from hall_tools.config_versions import KEEP, Versions
from hall_tools.errors import UserError

BASE = 'hall = "demo"\n[store]\npath = "hall.db"\n[upstream]\nport = 1884\n[[window]]\nid = "1"\n'
SECOND = BASE + '[[window]]\nid = "2"\n'
BROKER = BASE + "[broker]\nport = 1999\n"
NOW = 1_800_000_000_000


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "hall.toml"
    path.write_text(BASE)
    return path


def test_a_trial_leaves_the_settings_file_as_it_is(config: Path) -> None:
    versions = Versions(config)
    trial = versions.begin(SECOND.encode(), "li", 60, NOW)
    assert config.read_text() == BASE
    assert (trial.version, trial.by) == (2, "li")
    assert on_trial(config, NOW + 59_999) == trial
    assert on_trial(config, NOW + 60_000) is None
    assert on_trial(config, NOW - 1) is None  # a clock that forgot the time of day
    assert [v.by for v in versions.all()] == ["by hand"]


def test_confirmed_it_becomes_the_settings_and_what_was_is_kept(config: Path) -> None:
    versions = Versions(config)
    config.chmod(0o640)
    versions.begin(SECOND.encode(), "li", 60, NOW)
    assert versions.confirm(NOW + 1000).number == 2
    assert config.read_text() == SECOND
    assert stat.S_IMODE(config.stat().st_mode) == 0o640
    assert versions.content(1) == BASE.encode()
    assert versions.current() == versions.all()[-1]
    assert not record(config).exists()
    assert not settings_on_trial(config).exists()


def test_given_up_or_out_of_time_nothing_has_changed(config: Path) -> None:
    versions = Versions(config)
    versions.begin(SECOND.encode(), "li", 60, NOW)
    versions.revert(NOW)
    with pytest.raises(UserError, match=r"^no settings are on trial$"):
        versions.confirm(NOW)
    versions.begin(SECOND.encode(), "li", 60, NOW)
    with pytest.raises(UserError, match="the last one was not confirmed in time"):
        versions.confirm(NOW + 60_000)
    assert config.read_text() == BASE
    assert versions.begin(SECOND.encode(), "li", 60, NOW + 61_000).version == 2


def test_what_came_into_the_file_meanwhile_is_not_lost(config: Path) -> None:
    versions = Versions(config)
    versions.begin(SECOND.encode(), "li", 60, NOW)
    with pytest.raises(UserError, match="on trial already"):
        versions.begin(BROKER.encode(), "li", 60, NOW)
    config.write_text(BASE + "# enrolled meanwhile\n")
    with pytest.raises(UserError, match="was changed since the trial began"):
        versions.confirm(NOW)


def test_two_at_once_are_one_and_one_that_is_told_so(config: Path) -> None:
    def apply(number: int) -> str:
        text = f"{BASE}# {number}\n"
        try:
            return Versions(config).begin(text.encode(), str(number), 60, NOW).by
        except UserError as error:
            return str(error)

    with ThreadPoolExecutor(8) as pool:
        told = list(pool.map(apply, range(8)))
    trial = on_trial(config, NOW)
    assert trial is not None
    refused = [text for text in told if text != trial.by]
    assert refused == ["settings are on trial already: confirm or revert them"] * 7
    assert settings_on_trial(config).read_text() == f"{BASE}# {trial.by}\n"
    with pytest.raises(UserError, match="on trial already"):
        Versions(config).write(SECOND.encode(), "li", NOW)  # nor past it
    Versions(config).give_up(trial.model_copy(update={"by": "another"}))
    assert on_trial(config, NOW) == trial
    Versions(config).give_up(trial)
    assert on_trial(config, NOW) is None


def test_what_is_torn_or_changed_is_no_trial(config: Path) -> None:
    Versions(config).begin(SECOND.encode(), "li", 60, NOW)
    settings_on_trial(config).write_text(BROKER)
    assert on_trial(config, NOW) is None
    record(config).write_text('{"version":')
    assert on_trial(config, NOW) is None


def test_versions_are_bounded_and_numbers_go_on(config: Path) -> None:
    versions = Versions(config)
    for number in range(KEEP + 5):
        versions.write(f"{BASE}# {number}\n".encode(), "li", NOW)
    kept = versions.all()
    assert (len(kept), kept[-1].number) == (KEEP, KEEP + 6)
    assert len(list(versions.folder.glob("0*.toml"))) == KEEP
    with pytest.raises(UserError, match="there is no version 1; kept are: 7, 8"):
        versions.content(1)


def parsed(text: str) -> GatewayConfig:
    return parse_toml(text, GatewayConfig, Path("hall.toml"))


def test_differences_are_told_setting_by_setting() -> None:
    other = SECOND.replace("1884", "1885").replace('id = "1"', 'id = "1"\nname = "开户"')
    found = [str(change) for change in changes(parsed(BASE), parsed(other))]
    assert "~ upstream.port = 1884 -> 1885" in found
    assert '~ window[1].name = "" -> "开户"' in found
    assert '+ window[2].id = "2"' in found
    assert restarts(parsed(BASE), parsed(other)) == ["upstream"]
    assert changes(parsed(BASE), parsed(BASE + "[rating]\nwindow_s = 30\n")) == []


@pytest.mark.parametrize("scheme", ["https", "HTTPS"])
def test_no_secret_is_in_a_difference(scheme: str) -> None:
    hook = f'[[webhook]]\nid = "a"\nurl = "{scheme}://example.org/x?token={{}}"\n'
    hook += 'secret_file = "s"\n'
    found = str(changes(parsed(BASE + hook.format("one")), parsed(BASE + hook.format("two"))))
    assert "webhook[a].url" in found
    assert "one" not in found
    assert "two" not in found


@asynccontextmanager
async def followed(
    config: Path, monkeypatch: pytest.MonkeyPatch, now: list[int]
) -> AsyncGenerator[tuple[SettingsFile, asyncio.Queue[GatewayConfig], asyncio.Event]]:
    monkeypatch.setattr(settings_file, "LOOK_S", 0.02)
    file = SettingsFile(config, load_config(config), lambda: now[0])
    taken: asyncio.Queue[GatewayConfig] = asyncio.Queue()
    restarted = asyncio.Event()
    file.restart = restarted.set
    task = asyncio.create_task(file.watch(taken.put))
    async with asyncio.timeout(60):
        yield file, taken, restarted
    task.cancel()


async def test_a_gateway_follows_a_trial_and_goes_back_by_itself(
    config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [NOW]
    async with followed(config, monkeypatch, now) as (file, taken, restarted):
        Versions(config).begin(SECOND.encode(), "li", 60, NOW)
        assert len((await taken.get()).windows) == 2
        assert file.trial is not None
        now[0] += 60_000
        assert len((await taken.get()).windows) == 1
        file.look()
        async with file.looked:
            await file.looked.wait()
        assert file.trial is None
        assert not restarted.is_set()


async def test_a_confirmed_trial_changes_nothing_more(
    config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [NOW]
    async with followed(config, monkeypatch, now) as (file, taken, _):
        versions = Versions(config)
        versions.begin(SECOND.encode(), "li", 60, NOW)
        await taken.get()
        versions.confirm(NOW)
        now[0] += 120_000
        file.look()
        async with file.looked:
            await file.looked.wait()
        assert taken.empty()


def write(path: Path, text: str) -> None:
    path.write_text(text)


async def test_what_cannot_be_followed_starts_the_gateway_again_for_a_trial_only(
    config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [NOW]
    async with followed(config, monkeypatch, now) as (file, _, restarted):
        write(config, BASE.replace("1884", "1885"))
        file.look()
        async with file.looked:
            await file.looked.wait()
        assert file.pending == ["upstream"]
        assert not restarted.is_set()
        Versions(config).begin(BROKER.encode(), "li", 60, NOW)
        await restarted.wait()


async def test_wrong_settings_are_no_trial_for_a_gateway(
    config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [NOW]
    async with followed(config, monkeypatch, now) as (file, taken, _):
        trial = Versions(config).begin(b"no = 1\n", "li", 60, NOW)
        file.look()
        async with file.looked:
            await file.looked.wait()
        assert "unknown setting" in file.refused[trial.sha256]
        assert file.trial is None
        assert taken.empty()


def test_without_a_gateway_settings_are_written_at_once(
    config: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    new = tmp_path / "new.toml"
    new.write_text(SECOND)
    gateway_config.apply(new, config=config)
    assert config.read_text() == SECOND
    assert "the gateway does not run" in capsys.readouterr().out
    gateway_config.show(config, as_json=True)
    told = json.loads(capsys.readouterr().out)
    assert (told["version"], told["trial"]) == (2, None)
    gateway_config.apply(version=1, config=config)
    assert config.read_text() == BASE
    gateway_config.diff(version=2, config=config)
    assert '+ window[2].id = "2"' in capsys.readouterr().out


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("hall = 1\n", r"new\.toml:1: hall: "),
        ("x", r"new\.toml:?.*not TOML"),
        (BASE.replace("hall.db", "other.db"), "another store is no trial"),
        (BASE + '[broker]\nusername="g"\npassword_file="none"\n', "none: password file: No such"),
    ],
)
def test_what_will_not_do_is_never_tried(
    config: Path, tmp_path: Path, text: str, said: str
) -> None:
    new = tmp_path / "new.toml"
    new.write_text(text)
    with pytest.raises(UserError, match=said):
        gateway_config.apply(new, config=config)
    assert config.read_text() == BASE
    assert not record(config).exists()
