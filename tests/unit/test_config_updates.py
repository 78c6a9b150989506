"""[updates] of hall.toml: whose releases are taken, and when."""

from pathlib import Path

import pytest
from hall_gateway.config import GatewayConfig
from hall_gateway.plan import plan_of
from hall_gateway.rollout_model import UpdateHours
from hall_gateway.toml_input import ConfigError, parse_toml
from support import releases

HEAD = 'hall = "demo"\n[store]\npath = "hall.db"\n[upstream]\nhost = "127.0.0.1"\n'


def settings(folder: Path, table: str = "") -> GatewayConfig:
    return parse_toml(HEAD + table, GatewayConfig, folder / "hall.toml")


def test_without_the_table_nobody_is_trusted(tmp_path: Path) -> None:
    config = settings(tmp_path)
    assert config.updates.trusted == ()
    assert config.releases == tmp_path / "releases"
    assert plan_of(config).updates == UpdateHours(22, 6)


def test_keys_hours_and_folder(tmp_path: Path) -> None:
    for name in ("release", "recovery"):
        releases.write_public(tmp_path / f"{name}.pub", name)
    table = '[updates]\nkeys = ["release.pub", "recovery.pub"]\nfrom = 1\nto = 4\nfolder = "up"\n'
    config = settings(tmp_path, table)
    assert config.updates.trusted == (releases.public_key(), releases.public_key("recovery"))
    assert config.releases == tmp_path / "up"
    assert plan_of(config).updates == UpdateHours(1, 4)


@pytest.mark.parametrize(
    ("table", "words"),
    [
        ('keys = ["gone.pub"]', r"hall.toml:7: updates.keys\[1\]: .*gone.pub: No such file"),
        ('keys = ["release.key"]', r"updates.keys\[1\]: .*a private key, which belongs on no"),
        ('keys = ["release.pub", "release.pub"]', r"updates.keys\[2\]: .*the same key twice"),
        ('keys = ["a", "b", "c"]', "one or two files of hall update keys"),
        ("from = 24", "0 to 23"),
        ('to = "6:00"', "0 to 23"),
        ("hours = 5", "unknown setting"),
    ],
)
def test_what_is_wrong_is_told_with_its_line(tmp_path: Path, table: str, words: str) -> None:
    releases.write_public(tmp_path / "release.pub")
    (tmp_path / "release.key").write_text("-----BEGIN PRIVATE KEY-----\nsecret\n")
    with pytest.raises(ConfigError, match=words) as told:
        settings(tmp_path, f"[updates]\n{table}\n")
    assert "secret" not in str(told.value)
