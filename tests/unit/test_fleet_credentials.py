"""The keys of a back office: how they are kept, handed out and revoked."""

import json
import stat
from pathlib import Path

import pytest
from hall_fleet.logins import Rights, hall_rights, role_rights
from hall_tools.cli import app
from hall_tools.errors import UserError
from hall_tools.fleet.credentials import Credentials
from hall_tools.fleet.jwt import Key, Kind, TokenError, claims_of, read_creds
from hall_tools.fleet.layout import Layout
from typer.testing import CliRunner

NOW = 1_790_000_000


@pytest.fixture
def credentials(tmp_path: Path) -> Credentials:
    return Credentials(tmp_path / "keys", lambda: NOW)


def hall(*arguments: str) -> str:
    result = CliRunner().invoke(app, ["fleet", "hall", *arguments], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.stdout


def refusal(*arguments: str) -> UserError:
    with pytest.raises(UserError) as refused:
        CliRunner().invoke(
            app, ["fleet", "hall", *arguments], catch_exceptions=False, standalone_mode=False
        )
    return refused.value


def test_all_keys_are_for_their_owner_alone(credentials: Credentials) -> None:
    credentials.add(["a"])
    folders = [credentials.folder, credentials.folder / "halls"]
    files = [path for folder in folders for path in folder.iterdir() if path.is_file()]
    assert {stat.S_IMODE(folder.stat().st_mode) for folder in folders} == {0o700}
    assert {stat.S_IMODE(path.stat().st_mode) for path in files} == {0o600}
    assert "a.creds" in {path.name for path in files}


def test_a_halls_token_says_who_it_is_and_what_it_may_do(credentials: Credentials) -> None:
    [creds] = credentials.add(["beijing-3"])
    token, key = read_creds(creds.read_bytes())
    claims, rights = claims_of(token), hall_rights("beijing-3")
    assert claims["name"] == "beijing-3"
    assert claims["sub"] == key.public
    assert claims["iat"] == NOW
    assert claims["nats"]["pub"] == {"allow": list(rights.publish)}
    assert claims["nats"]["sub"] == {"allow": list(rights.subscribe)}


def test_keys_are_kept_and_not_made_anew(tmp_path: Path) -> None:
    before = Credentials(tmp_path / "keys", lambda: NOW)
    before.add(["a"])
    again = Credentials(tmp_path / "keys", lambda: NOW)
    assert again.halls() == before.halls()
    assert again.server_settings() == before.server_settings()


def test_a_new_version_gives_the_back_offices_own_logins_the_rights_that_it_needs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fewer(_role: str) -> Rights:
        return Rights(("a",), ("b",))

    with monkeypatch.context() as older:
        older.setattr("hall_tools.fleet.credentials.role_rights", fewer)
        path = Credentials(tmp_path / "keys", lambda: NOW).creds("ingest")
    token, key = read_creds(path.read_bytes())
    assert claims_of(token)["nats"]["pub"] == {"allow": ["a"]}
    Credentials(tmp_path / "keys", lambda: NOW + 1)
    token, now = read_creds(path.read_bytes())
    assert claims_of(token)["nats"]["pub"] == {"allow": list(role_rights("ingest").publish)}
    assert now.public == key.public
    written = path.read_bytes()
    Credentials(tmp_path / "keys", lambda: NOW + 2)
    assert path.read_bytes() == written


def test_a_key_tells_its_secret_to_nobody_who_prints_it() -> None:
    key = Key.make(Kind.USER)
    assert key.seed.decode() not in f"{key} {key!r}"


@pytest.mark.parametrize("seed", [b"", b"SUA", b"not base 32!", b"S" * 58, "密钥".encode()])
def test_what_is_no_seed_is_refused(seed: bytes) -> None:
    with pytest.raises(TokenError, match="not the seed"):
        Key(seed)


@pytest.mark.parametrize(
    "content",
    [b"", b"\xff", b"-----BEGIN NATS USER JWT-----", b"-----BEGIN USER NKEY SEED-----\nSUA"],
)
def test_what_is_no_creds_file_is_refused(content: bytes) -> None:
    with pytest.raises(TokenError):
        read_creds(content)


@pytest.mark.parametrize("token", ["", "a.b", "a.b.c", "a.W10.c", "a.密.c"])
def test_what_is_no_token_is_refused(token: str) -> None:
    with pytest.raises(TokenError):
        claims_of(token)


@pytest.mark.parametrize("hall", ["", "A", "-a", "a.b", "a*", "a/../b", "大厅", "a" * 33])
def test_what_is_no_halls_id_gets_no_key(credentials: Credentials, hall: str) -> None:
    with pytest.raises(UserError, match="no hall's id"):
        credentials.add([hall])


def test_a_hall_that_has_a_key_gets_another_only_when_that_is_meant(
    credentials: Credentials,
) -> None:
    [creds] = credentials.add(["a"])
    before = creds.read_bytes()
    with pytest.raises(UserError, match=r"^a: has a key already; --again"):
        credentials.add(["b", "a"])
    assert creds.read_bytes() == before
    assert not credentials.hall_creds("b").exists()
    credentials.add(["a"], again=True)
    assert creds.read_bytes() != before
    assert [login.revoked for login in credentials.halls()] == [NOW, None]


def test_the_servers_are_told_of_each_key_that_was_revoked(credentials: Credentials) -> None:
    credentials.add(["a", "b"])
    revoked, kept = (login.public for login in credentials.halls())
    credentials.revoke(["a"])
    settings = credentials.server_settings()
    tokens = [line.split(": ")[1] for line in settings.splitlines() if line.startswith("  ")]
    [halls] = [claims_of(token) for token in tokens if claims_of(token)["name"] == "HALLS"]
    assert halls["nats"]["revocations"] == {revoked: NOW}
    assert kept not in settings
    assert not credentials.hall_creds("a").exists()


def test_who_has_no_key_cannot_be_revoked(credentials: Credentials) -> None:
    credentials.add(["a"])
    with pytest.raises(UserError, match=r"^b, c: has no key here"):
        credentials.revoke(["a", "b", "c"])
    assert [login.revoked for login in credentials.halls()] == [None]


@pytest.mark.parametrize("name", ["halls.seed", "logins.json"])
def test_a_key_that_is_gone_is_told_of(credentials: Credentials, name: str) -> None:
    (credentials.folder / name).unlink()
    with pytest.raises(UserError, match=f"{name} is not there: put it back from your backup"):
        credentials.add(["a"])


def test_without_the_operators_key_halls_are_added_and_none_is_revoked(
    credentials: Credentials,
) -> None:
    (credentials.folder / "operator.seed").unlink()
    credentials.add(["a"])
    with pytest.raises(UserError, match=r"operator\.seed is not there: put it back"):
        credentials.server_settings()


@pytest.mark.parametrize("name", ["halls.seed", "logins.json"])
def test_a_key_that_is_spoiled_is_told_of_without_what_is_in_it(
    credentials: Credentials, name: str
) -> None:
    (credentials.folder / name).write_text("SECRET")
    with pytest.raises(UserError, match=f"{name}: .*back from your backup") as refused:
        credentials.add(["a"])
    assert "SECRET" not in str(refused.value)


def test_keys_that_others_can_read_are_not_used(credentials: Credentials) -> None:
    (credentials.folder / "halls.seed").chmod(0o644)
    with pytest.raises(UserError, match="can be read or changed by others"):
        credentials.add(["a"])


def test_halls_are_added_listed_and_revoked_by_command(tmp_path: Path) -> None:
    Credentials(tmp_path / "keys")
    listed = tmp_path / "halls.txt"
    listed.write_text("b\n\nc\n", encoding="utf-8")
    folder = ("--dir", str(tmp_path))
    assert hall("list", *folder) == "no hall has a key yet: hall fleet hall add\n"
    added = json.loads(hall("add", "a", "--from", str(listed), *folder, "--json"))
    assert [row["hall"] for row in added["halls"]] == ["a", "b", "c"]
    assert all(Path(row["creds_file"]).exists() for row in added["halls"])
    told = hall("revoke", "b", *folder)
    assert "b: revoked\n" in told
    assert f"now bring {Layout(tmp_path).accounts} to each node" in told
    assert "as /etc/nats/accounts.conf, and run there: sudo systemctl reload" in told
    rows = json.loads(hall("list", *folder, "--json"))["halls"]
    assert [(row["hall"], "revoked" in row) for row in rows] == [
        ("a", False),
        ("b", True),
        ("c", False),
    ]
    assert len(hall("list", *folder).splitlines()) == 3


def test_wrong_use_is_told_in_a_line(tmp_path: Path) -> None:
    folder = ("--dir", str(tmp_path))
    assert "no back office's folder" in str(refusal("list", *folder))
    Credentials(tmp_path / "keys")
    assert "which halls?" in str(refusal("add", *folder))
    assert "no such file" in str(refusal("add", "--from", str(tmp_path / "none"), *folder))
    (tmp_path / "binary").write_bytes(b"\xff\xfe")
    assert "not UTF-8" in str(refusal("add", "--from", str(tmp_path / "binary"), *folder))
    assert "named twice" in str(refusal("add", "a", "a", *folder))
