"""The [jetstream] table and the .creds file that it names: what is taken, and what is said of the
rest, without a secret in it."""

import json
from pathlib import Path

import pytest
from hall_fleet.logins import hall_rights
from hall_gateway.config import load_config
from hall_gateway.jetstream_credentials import read_credentials
from hall_gateway.sinks import plans_of
from hall_gateway.toml_input import ConfigError
from hall_tools.config_diff import changes, restarts
from hall_tools.fleet.credentials import Credentials

HALL = """\
hall = "demo"
[store]
path = "hall.db"
[upstream]
host = "127.0.0.1"
"""


@pytest.fixture
def creds(tmp_path: Path) -> Path:
    (path,) = Credentials(tmp_path / "keys").add(["demo"])
    return path


def write(folder: Path, table: str) -> Path:
    path = folder / "hall.toml"
    path.write_text(f"{HALL}[jetstream]\n{table}", encoding="utf-8")
    return path


def servers(*urls: str) -> str:
    return f'servers = {json.dumps(urls)}\ncreds_file = "hall.creds"\n'


def test_a_table_is_a_sink_that_begins_with_the_oldest_event(tmp_path: Path, creds: Path):
    table = servers("tls://nats-1.example:4222", "tls://[2001:db8::1]:4222", "nats://127.0.0.1")
    path = write(tmp_path, f'{table}types = ["hall.rating.*"]\nname = "城东供电营业厅"\n')
    config = load_config(path)
    assert config.jetstream is not None
    assert config.jetstream.creds_file == tmp_path / "hall.creds"
    plan = plans_of(config)["jetstream"]
    assert plan.types == ("hall.rating.*",)
    assert plan.from_oldest
    creds.rename(tmp_path / "hall.creds")
    config.jetstream.check_files()


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("nats://nats.example:4222", "unencrypted; use tls://"),
        ("nats-1.example:4222", "not an address of a server"),
        ("https://nats.example", "not an address of a server"),
        ("tls://", "not an address of a server"),
        ("tls://nats.example:0", "not an address of a server"),
        ("tls://nats.example:99999", "not an address"),
        ("tls://office:s3cret@nats.example", "no user name or password"),
        ("tls://nats.example:4222/hall?t=s3cret", "nothing goes behind the port"),
        ("tls://nats example", "characters that an address cannot have"),
    ],
)
def test_a_server_that_is_none_is_refused(tmp_path: Path, url: str, said: str):
    path = write(tmp_path, servers("tls://nats-1.example:4222", url))
    with pytest.raises(ConfigError, match=said) as refused:
        load_config(path)
    assert "hall.toml:7: jetstream.servers" in str(refused.value)
    assert "s3cret" not in str(refused.value)


def test_one_server_at_least(tmp_path: Path):
    with pytest.raises(ConfigError, match=r"hall.toml:7: jetstream.servers: .*tls://nats-1"):
        load_config(write(tmp_path, servers()))


def test_credentials_say_whose_they_are_and_never_what_they_are(creds: Path):
    who = read_credentials(creds)
    assert (who.name, who.expires) == ("demo", None)
    assert set(who.publish) == set(hall_rights("demo").publish)
    assert who.seed.decode() in creds.read_text()
    assert who.seed.decode() not in repr(who)
    assert who.token.decode() not in repr(who)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\xff\xfe",
        b"-----BEGIN NATS USER JWT-----\n------END NATS USER JWT------\n",
        b"-----BEGIN NATS USER JWT-----\nnotatoken\n------END NATS USER JWT------\n"
        b"-----BEGIN USER NKEY SEED-----\nSU" + b"A" * 56 + b"\n------END USER NKEY SEED------\n",
        b"-----BEGIN NATS USER JWT-----\na.W10.b\n------END NATS USER JWT------\n"
        b"-----BEGIN USER NKEY SEED-----\nSU" + b"A" * 56 + b"\n------END USER NKEY SEED------\n",
    ],
)
def test_a_file_that_is_none_of_credentials_is_told(tmp_path: Path, content: bytes):
    path = tmp_path / "hall.creds"
    path.touch(0o600)
    path.write_bytes(content)
    with pytest.raises(ConfigError, match=r"hall.creds: credentials: .*\.creds file"):
        read_credentials(path)


def test_files_that_cannot_be_used_are_named(tmp_path: Path, creds: Path):
    config = load_config(write(tmp_path, servers("tls://nats.example:4222"))).jetstream
    assert config is not None
    with pytest.raises(ConfigError, match=r"hall.creds: credentials: there is no such file"):
        config.check_files()
    creds.chmod(0o640)
    with pytest.raises(ConfigError, match="chmod 600"):
        read_credentials(creds)
    creds.chmod(0o600)
    authority = tmp_path / "ca.pem"
    authority.write_text("no certificate")
    config = config.model_copy(update={"creds_file": creds, "ca_file": authority})
    with pytest.raises(ConfigError, match=r"ca\.pem: CA file: "):
        config.check_files()


def test_it_is_told_as_different_and_needs_a_restart(tmp_path: Path):
    first = load_config(write(tmp_path, servers("tls://nats-1.example:4222")))
    other = load_config(write(tmp_path, servers("tls://nats-2.example:4222")))
    (change,) = changes(first, other)
    assert str(change).startswith("~ jetstream.servers = ")
    assert "nats-2.example" in str(change)
    assert restarts(first, other) == ["jetstream"]
