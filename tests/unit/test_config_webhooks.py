"""[[webhook]] tables: what is accepted, and what every mistake is told."""

import base64
from pathlib import Path

import pytest
from hall_gateway.config import load_config
from hall_gateway.config_webhooks import WebhookConfig
from hall_gateway.toml_input import ConfigError

BASE = 'hall = "demo"\n[store]\npath = "hall.db"\n[upstream]\n[[window]]\nid = "1"\n'


def load(folder: Path, *lines: str) -> tuple[WebhookConfig, ...]:
    path = folder / "hall.toml"
    path.write_text(BASE + "\n".join(lines))
    return load_config(path).webhooks


def webhook(**fields: str) -> str:
    given = {"id": '"office"', "url": '"https://a.example/"', "secret_file": '"s"'} | fields
    return "[[webhook]]\n" + "\n".join(f"{name} = {value}" for name, value in given.items())


def test_what_is_good(tmp_path: Path) -> None:
    types = '["hall.*", "hall.rating.*", "hall.*.fault", "hall.rating.given"]'
    one, two = load(tmp_path, webhook(types=types), webhook(id='"two"', url='"http://[::1]:8/x"'))
    assert (one.sink, one.mode, len(one.types)) == ("webhook:office", "structured", 4)
    assert one.secret_file == tmp_path / "s"
    assert two.types == ()


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"url": '"http://office.example/"'}, "http:// leaves this machine unencrypted"),
        ({"url": '"ftp://office.example/"'}, "not a URL with https:// and a host"),
        ({"url": '"https://"'}, "not a URL with https:// and a host"),
        ({"url": '"https://u:p@office.example/"'}, "no user name or password in it"),
        ({"url": '"https://office.example/#x"'}, "no #fragment in it"),
        ({"url": '"https://office.example/a b"'}, "characters that a URL cannot have"),
        ({"url": '"https://office.example:99999/"'}, "not a URL: Port out of range"),
        (
            {"types": '["rating.given"]'},
            'types[1]: "rating.given" is no event type; give a list such',
        ),
        ({"types": '["hall.rating.given.*"]'}, "is no event type"),
        ({"types": '["hall.r*.given"]'}, "is no event type"),
        ({"mode": '"batch"'}, "mode: input should be 'structured' or 'binary'"),
        ({"timeout_s": "0"}, "timeout_s: input should be greater than or equal to 1, not 0"),
        ({"secret": '"whsec_x"'}, 'unknown setting; nearest: "secret_file"'),
    ],
)
def test_what_is_wrong_is_told(tmp_path: Path, fields: dict[str, str], told: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load(tmp_path, webhook(**fields))
    assert told in str(caught.value)
    assert "u:p" not in str(caught.value)


def test_each_has_its_own_id(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match='"office" is already the id of webhook'):
        load(tmp_path, webhook(), webhook())


GOOD = "whsec_" + base64.b64encode(bytes(24)).decode()


@pytest.mark.parametrize(
    "content",
    [
        "",
        "nonsense",
        base64.b64encode(bytes(24)).decode(),
        "whsec_" + base64.b64encode(bytes(23)).decode(),
        "whsec_" + base64.b64encode(bytes(65)).decode(),
        "whsec_" + "*" * 40,
        f"{GOOD}\nnonsense\n",
        "\n".join([GOOD] * 5),
    ],
)
def test_a_secret_that_is_none(tmp_path: Path, content: str) -> None:
    [own] = load(tmp_path, webhook())
    own.secret_file.touch(0o600)
    own.secret_file.write_text(content)
    with pytest.raises(ConfigError, match="it needs 1 to 4 lines of whsec_ and") as caught:
        own.check_files()
    assert not content or content not in str(caught.value)


def test_a_secret_that_others_can_read(tmp_path: Path) -> None:
    [own] = load(tmp_path, webhook())
    own.secret_file.write_text(GOOD)
    own.secret_file.chmod(0o640)
    with pytest.raises(ConfigError, match="run: chmod 600"):
        own.check_files()
    own.secret_file.chmod(0o600)
    assert own.secrets() == [bytes(24)]


def test_files_that_are_not_there(tmp_path: Path) -> None:
    [own] = load(tmp_path, webhook(ca_file='"ca.pem"'))
    with pytest.raises(ConfigError, match="there is no such file"):
        own.check_files()
    own.secret_file.touch(0o600)
    own.secret_file.write_text(GOOD)
    with pytest.raises(ConfigError, match=r"ca\.pem: CA file: No such file"):
        own.check_files()
