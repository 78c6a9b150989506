"""The gateway's settings: what is accepted, and what every mistake is told."""

from pathlib import Path

import pytest
from hall_gateway.config import load_config
from hall_gateway.toml_input import ConfigError

EXAMPLE = Path(__file__).parents[2] / "docs" / "gateway.example.toml"

GOOD = """\
hall = "demo"
[store]
path = "hall.db"
[broker]
[upstream]
host = "127.0.0.1"
[[window]]
id = "1"
[[device]]
id = "kp-1"
profile = "keypad-5"
window = "1"
[[device]]
id = "floor-1"
profile = "wet-floor-mains"
zone = "entrance"
"""


def errors_of(tmp_path: Path, text: str) -> list[str]:
    path = tmp_path / "hall.toml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError) as caught:
        load_config(path)
    return str(caught.value).replace(f"{path}", "hall.toml").splitlines()


def test_the_example_is_good() -> None:
    config = load_config(EXAMPLE)
    assert config.hall == "demo"
    assert config.store.path == EXAMPLE.parent / "hall.db"
    assert [window.name for window in config.windows] == ["综合业务", "电费缴纳"]
    assert [device.subject for device in config.devices][-2:] == ["zone/entrance"] * 2


def test_a_byte_order_mark_is_no_mistake(tmp_path: Path) -> None:
    """Windows' own editor begins files with one."""
    path = tmp_path / "hall.toml"
    path.write_text(GOOD, encoding="utf-8-sig")
    assert load_config(path).hall == "demo"


def test_an_area_is_a_zone_of_this_hall(tmp_path: Path) -> None:
    path = tmp_path / "hall.toml"
    path.write_text(GOOD + '[occupancy]\nareas = ["entrance"]\nreset_hour = 4\n')
    occupancy = load_config(path).occupancy
    assert (occupancy.areas, occupancy.reset_hour, occupancy.utc_offset_min) == (
        ("entrance",),
        4,
        480,
    )
    [error] = errors_of(tmp_path, GOOD + '[occupancy]\nareas = ["entrence"]\n')
    assert 'no [[device]] stands in a zone "entrence"' in error
    assert "entrance" in error.split("; ")[1]
    [error] = errors_of(tmp_path, GOOD + "[occupancy]\nreset_hour = 24\n")
    assert "the hour at which nobody is inside" in error


def test_what_is_left_out_has_a_default(tmp_path: Path) -> None:
    path = tmp_path / "hall.toml"
    path.write_text(GOOD)
    config = load_config(path)
    assert (config.broker.mode, config.broker.host, config.broker.port) == (
        "external",
        "127.0.0.1",
        1883,
    )
    assert (config.store.max_mb, config.rating.window_s) == (512, 30)


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ('hall = "demo"', 'hall = "Demo"', 'hall.toml:1: hall: "Demo" will not do; right would'),
        ('hall = "demo"', "", "hall.toml:1: hall: is missing; right would be: 1 to 32 of a-z"),
        ('path = "hall.db"', "", "hall.toml:2: store.path: is missing; right would be: the SQL"),
        (
            "[broker]",
            '[broker]\nprot = 1\nmode="external"',
            ':5: broker.prot: unknown setting; nearest: "port"',
        ),
        (
            "[broker]",
            "[broker]\nport = 70000",
            ":5: broker.port: input should be less than or equal to 65535, not 70000; right",
        ),
        (
            "[broker]",
            '[broker]\nport = "1883"',
            ":5: broker.port: input should be a valid integer, not '1883'",
        ),
        (
            "[broker]",
            '[broker]\nmode = "inside"',
            ":5: broker.mode: input should be 'embedded' or 'external', not 'inside'",
        ),
        (
            "[broker]",
            '[broker]\nmode = "embedded"\nhost = "0.0.0.0"',
            ":6: broker.host: the embedded broker has no access control",
        ),
        (
            "[broker]",
            '[broker]\nhost = "192.168.1.9"',
            ':5: broker.host: "192.168.1.9" is another machine, and the password',
        ),
        (
            'host = "127.0.0.1"',
            'host = "hall.example"',
            ':6: upstream.host: "hall.example" is another machine',
        ),
        (
            "[upstream]",
            '[home_assistant]\nhost = "::"\n[upstream]',
            ':6: home_assistant.host: "::" is another machine',
        ),
        (
            "[broker]",
            '[broker]\nmode = "embedded"\ntls = true',
            ":4: broker: the embedded broker has no tls and no users",
        ),
        (
            "[broker]",
            '[broker]\nusername = "u"',
            ":4: broker: username and password_file belong together",
        ),
        (
            "[broker]",
            '[broker]\nca_file = "ca.pem"',
            ":5: broker.ca_file: has no meaning without tls; set tls = true",
        ),
        ("[upstream]", "[upstraem]", ':5: upstraem: unknown setting; nearest: "upstream"'),
        (
            'id = "1"',
            'id = "1/2"',
            ':8: window[1].id: "1/2" will not do; right would be: 1 to 8 printable',
        ),
        (
            'id = "1"',
            'id = "1"\n[[window]]\nid = "1"',
            ':10: window[2].id: "1" is already the id of window[1]',
        ),
        (
            'profile = "wet-floor-mains"',
            'profile = "call-display-p10-64x16-pi"\nzone = "hall"\n[[device]]\nid = "board-2"\n'
            'profile = "call-display-hub75-64x32-pi"',
            ':19: device[3].profile: this machine\'s header drives one panel, which is "floor-1"',
        ),
        (
            'id = "floor-1"',
            'id = "kp-1"',
            ':14: device[2].id: "kp-1" is already the id of device[1]',
        ),
        ('id = "kp-1"', 'id = "gateway"', ':10: device[1].id: "gateway" is the gateway\'s own id'),
        (
            "[broker]",
            '[broker]\ndevice_host = "gateway.local"',
            ':5: broker.device_host: "gateway.local" is not an IPv4 address; right would be: this',
        ),
        (
            "[broker]",
            '[broker]\ndevice_host = "0.0.0.0"',
            ':5: broker.device_host: "0.0.0.0" is nowhere a device could connect to',
        ),
        (
            'id = "kp-1"',
            'id = "kp_1"',
            ':10: device[1].id: "kp_1" will not do; right would be: 1 to 32',
        ),
        ('profile = "keypad-5"', 'profile = "keypad-x"', ":11: device[1].profile: "),
        (
            'profile = "wet-floor-mains"',
            'profile = "wet-floor-battery"',
            ":15: device[2].profile: wet-floor-battery speaks CoAP; add a [coap] table",
        ),
        (
            'window = "1"',
            'window = "9"',
            ':12: device[1].window: no [[window]] has the id "9"; known: "1"',
        ),
        ('window = "1"', 'zone = "desk"', ":9: device[1]: a keypad rates a window; give window"),
        (
            'window = "1"',
            "",
            ":9: device[1]: a device stands at a window or in a zone; give exactly one",
        ),
        (
            'zone = "entrance"',
            'zone = "entrance"\nwindow = "1"',
            ":13: device[2]: a device stands at a window or in a zone",
        ),
        (
            'window = "1"',
            'window = "1"\n[[device]]\nid = "kp-2"\nprofile = "keypad-3"\nwindow = "1"',
            ':16: device[2].window: window "1" has the keypad "kp-1" already',
        ),
        (
            'zone = "entrance"',
            'zone = "entrance"\nsettings = { dry_after = 5 }',
            ":17: device[2].settings: ",
        ),
        (
            'zone = "entrance"',
            'zone = "entrance"\nsettings = { dry_after_s = "5" }',
            ":17: device[2].settings.dry_after_s: input should be a valid integer",
        ),
    ],
)
def test_a_mistake_is_told_with_its_line(tmp_path: Path, old: str, new: str, expected: str) -> None:
    assert GOOD.count(old) >= 1
    errors = errors_of(tmp_path, GOOD.replace(old, new, 1))
    assert any(expected in error for error in errors), errors


def test_every_mistake_is_told_at_once(tmp_path: Path) -> None:
    errors = errors_of(
        tmp_path, GOOD.replace('"demo"', '"Demo"').replace("[broker]", "[broker]\nport = 0")
    )
    assert [error.split(": ")[0] for error in errors] == ["hall.toml:1", "hall.toml:5"]


def test_text_that_is_not_toml(tmp_path: Path) -> None:
    assert errors_of(tmp_path, "hall = demo\n")[0].startswith("hall.toml:1: not TOML: ")


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"No such file or directory; see docs/gateway.example"):
        load_config(tmp_path / "hall.toml")


def test_a_file_that_is_not_utf8(tmp_path: Path) -> None:
    path = tmp_path / "hall.toml"
    path.write_bytes(b'hall = "\xff"')
    with pytest.raises(ConfigError, match=r"not UTF-8: .* at byte 8"):
        load_config(path)


def test_the_password_stays_in_its_file(tmp_path: Path) -> None:
    path = tmp_path / "hall.toml"
    path.write_text(GOOD.replace("[broker]", '[broker]\nusername = "u"\npassword_file = "p"'))
    broker = load_config(path).broker
    with pytest.raises(ConfigError, match=r"p: password file: No such file"):
        broker.check_files()
    (tmp_path / "p").write_text("\n")
    with pytest.raises(ConfigError, match=r"p: password file: its first line is empty"):
        broker.check_files()
    (tmp_path / "p").write_text("secret\n")
    assert broker.password() == "secret"
    assert "secret" not in repr(broker)


def test_a_ca_file_that_is_none(tmp_path: Path) -> None:
    path = tmp_path / "hall.toml"
    path.write_text(GOOD.replace("[broker]", '[broker]\ntls = true\nca_file = "ca.pem"'))
    (tmp_path / "ca.pem").write_text("nothing")
    with pytest.raises(ConfigError, match=r"ca\.pem: CA file: "):
        load_config(path).broker.check_files()
