"""What an image is made of comes from the gateway's folder; what is missing there is told."""

import os
from pathlib import Path

import pytest
from hall_gateway.files import write_secret
from hall_gateway.keys import KeyStore
from hall_profiles import load
from hall_tools.errors import UserError
from hall_tools.image import wifi
from hall_tools.image.order import Hall
from support import releases
from support.hall_folder import DEVICES, hall_folder, hall_toml


def refusal(hall: Path, device: str = "kp-1") -> UserError:
    with pytest.raises(UserError) as refused:
        Hall(hall).order(device)
    return refused.value


def test_config_and_identity_come_from_the_folder(tmp_path: Path):
    hall = hall_folder(tmp_path, broker='device_host = "10.0.0.2"\ndevice_port = 18883')
    order = Hall(hall).order("disp-1")
    assert order.flash_mb == 8
    assert order.config["profile"] == "call-display-hub75-64x32"
    assert order.config["hall"] == "demo"
    assert order.config["broker"] == {"host": "10.0.0.2", "port": 18883, "tls": "psk"}
    keys = KeyStore(tmp_path / "keys").get("disp-1")
    assert keys is not None
    assert order.ident == {
        "device": "disp-1",
        "psk": keys.psk,
        "wifi": [["营业厅", "correct-horse"]],
        "claim": keys.claim,
    }
    assert repr(order) == "Order(disp-1, call-display-hub75-64x32)"


def test_settings_of_hall_toml_are_compiled_in(tmp_path: Path):
    hall = hall_folder(tmp_path)
    hall.write_text(
        hall.read_text().replace('"keypad-5"', '"keypad-5"\nsettings = {debounce_ms=30}')
    )
    assert Hall(hall).order("kp-1").config["settings"]["debounce_ms"] == 30


def test_enrolling_again_makes_another_image(tmp_path: Path):
    hall = hall_folder(tmp_path)
    before = Hall(hall).order("kp-1").ident
    hall_folder(tmp_path)
    after = Hall(hall).order("kp-1").ident
    assert before["psk"] != after["psk"]
    assert before["claim"] != after["claim"]


def test_a_device_of_another_profile_is_refused_when_one_is_named(tmp_path: Path):
    hall = hall_folder(tmp_path)
    assert Hall(hall).order("kp-1", "keypad-5").flash_mb == 4
    with pytest.raises(UserError, match=r"hall\.toml says keypad-5, not keypad-3$"):
        Hall(hall).order("kp-1", "keypad-3")


def test_a_hall_that_is_wrong_is_told_with_its_line(tmp_path: Path):
    hall = hall_folder(tmp_path)
    hall.write_text(hall.read_text().replace('hall = "demo"', 'hall = "Demo"'))
    with pytest.raises(UserError, match=r"hall\.toml:1: hall: ") as refused:
        Hall(hall)
    assert refused.value.exit_code == os.EX_CONFIG
    with pytest.raises(UserError, match=r"none\.toml: No such file"):
        Hall(tmp_path / "none.toml")


def test_a_device_without_a_place_is_refused_with_the_nearest(tmp_path: Path):
    error = refusal(hall_folder(tmp_path), "kp-2")
    assert str(error) == (
        f'{tmp_path}/hall.toml: no [[device]] has the id kp-2; nearest: "kp-1"; '
        "a new device is enrolled first: hall enroll"
    )


def test_a_spare_has_an_image_before_it_has_a_place(tmp_path: Path):
    hall = hall_folder(tmp_path)
    keys = KeyStore(tmp_path / "keys")
    spare = keys.enrol("kp-9", load("keypad-5"))
    order = Hall(hall).order("kp-9", "keypad-5")
    assert (order.config["device"], order.ident["psk"]) == ("kp-9", spare.psk)
    keys.revoke("kp-9")
    assert str(refusal(hall, "kp-9")).startswith("kp-9: revoked at ")


def test_a_device_that_is_not_enrolled_is_told_how(tmp_path: Path):
    hall = hall_folder(tmp_path)
    (tmp_path / "keys" / "kp-1.json").unlink()
    assert str(refusal(hall)) == (
        f"kp-1: not enrolled: there is no {tmp_path}/keys/kp-1.json; run: hall enroll kp-1"
    )


def test_a_revoked_device_gets_no_image(tmp_path: Path):
    hall = hall_folder(tmp_path)
    revoked = KeyStore(tmp_path / "keys").revoke("kp-1").revoked
    assert (
        str(refusal(hall)) == f"kp-1: revoked at {revoked}; to have it back, run: hall enroll kp-1"
    )
    hall.write_text(hall.read_text().replace('"kp-1"', '"kp-9"'))  # it was replaced
    assert str(refusal(hall)).startswith(f"kp-1: revoked at {revoked}")
    assert Hall(hall).order("disp-1")


def test_keys_of_another_profile_are_refused(tmp_path: Path):
    hall_folder(tmp_path)
    hall = hall_toml(tmp_path, {**DEVICES, "kp-1": "keypad-3"})
    assert str(refusal(hall)) == (
        f"kp-1: enrolled as keypad-5, but {hall} says keypad-3; run: hall enroll kp-1"
    )


def test_keys_that_are_damaged_or_open_are_refused(tmp_path: Path):
    hall = hall_folder(tmp_path)
    keys = tmp_path / "keys" / "kp-1.json"
    keys.chmod(0o644)
    assert "chmod 600" in str(refusal(hall))
    keys.chmod(0o600)
    psk = KeyStore(tmp_path / "keys").get("kp-1")
    assert psk is not None
    assert psk.psk is not None
    keys.write_text(keys.read_text().replace('"psk"', '"pks"'))
    error = refusal(hall)
    assert "damaged" in str(error)
    assert psk.psk not in str(error)


def test_a_display_on_the_gateway_has_no_image(tmp_path: Path):
    hall = hall_folder(tmp_path)
    hall_toml(tmp_path, {**DEVICES, "disp-2": "call-display-p10-64x16-pi"})
    assert str(refusal(hall, "disp-2")) == (
        "disp-2: call-display-p10-64x16-pi is a part of the gateway, so there is nothing to flash"
    )


def test_without_an_address_for_devices_it_says_which_line_to_write(tmp_path: Path):
    error = refusal(hall_folder(tmp_path, broker='host = "127.0.0.1"'))
    assert str(error).startswith(f"{tmp_path}/hall.toml: [broker]: device_host is missing: ")
    assert '"192.168.1.10"' in str(error)
    assert error.exit_code == os.EX_CONFIG


def test_without_a_network_it_says_how_to_write_one(tmp_path: Path):
    hall = hall_folder(tmp_path)
    (tmp_path / "wifi.toml").unlink()
    error = refusal(hall)
    assert str(error).startswith(f"{tmp_path}/wifi.toml: there is none, so no device could join")
    assert str(error).endswith(f"chmod 600 {tmp_path}/wifi.toml")


def test_a_wifi_file_that_others_can_read_is_refused(tmp_path: Path):
    hall = hall_folder(tmp_path)
    (tmp_path / "wifi.toml").chmod(0o640)
    assert f"chmod 600 {tmp_path}/wifi.toml" in str(refusal(hall))


NETWORK = '[[network]]\nssid = "hall"\npassword = "{}"\n'


def test_networks_are_tried_in_their_order(tmp_path: Path):
    text = '[[network]]\nssid = "a"\npassword = ""\n' + NETWORK.format("x" * 63)
    write_secret(tmp_path / "wifi.toml", text.encode())
    assert wifi.networks(tmp_path) == [["a", ""], ["hall", "x" * 63]]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('[[network]]\nssid = "hall"\npassword = "hunter2-hunter2', "not TOML; right: [[network]]"),
        ("", "right: [[network]], ssid"),
        ("network = []", "right: [[network]], ssid"),
        ('network = "hunter2-hunter2"', "right: [[network]], ssid"),
        ('[network]\nssid = "a"\npassword = "hunter2-hunter2"', "right: [[network]], ssid"),
        (NETWORK.format("hunter2-hunter2") + "[more]\n", "right: [[network]], ssid"),
        ('network = ["hunter2-hunter2"]', "network[1]: right: ssid and password, and nothing"),
        ('[[network]]\nssid = "a"', "network[1]: right: ssid and password, and nothing else"),
        ('[[network]]\nssid = 1\npassword = "hunter2-hunter2"', "network[1]: right: ssid and pa"),
        (NETWORK.format("hunter2-hunter2") + "psk = 1", "network[1]: right: ssid and password, a"),
        ('[[network]]\nssid = ""\npassword = "hunter2-hunter2"', "network[1]: ssid: right: 1 to"),
        (f'[[network]]\nssid = "{"厅" * 11}"\npassword = ""', "network[1]: ssid: right: 1 to 32 b"),
        (NETWORK.format("good-good") + NETWORK.format("hunter2"), "network[2]: password: right: 8"),
        (NETWORK.format("hunter2-" * 8), "network[1]: password: right: 8 to 63 ASCII characters"),
        (NETWORK.format("hunter2-密码"), "network[1]: password: right: 8 to 63 ASCII characters"),
        ('[[network]]\nssid = "a"\npassword = 12345678', "network[1]: password: right: 8 to 63 A"),
    ],
)
def test_a_wifi_file_that_will_not_do_is_told_without_its_password(
    tmp_path: Path, text: str, message: str
):
    write_secret(tmp_path / "wifi.toml", text.encode())
    with pytest.raises(UserError) as refused:
        wifi.networks(tmp_path)
    assert str(refused.value).startswith(f"{tmp_path}/wifi.toml: {message}")
    assert "hunter2" not in str(refused.value)


def test_a_wifi_file_that_is_not_utf8(tmp_path: Path):
    write_secret(tmp_path / "wifi.toml", "密码".encode("gb18030"))
    with pytest.raises(UserError, match="not TOML"):
        wifi.networks(tmp_path)


def test_a_device_gets_the_keys_that_its_updates_are_signed_with(tmp_path: Path):
    hall = hall_folder(tmp_path)
    assert Hall(hall).order("kp-1").keys == ()
    file = releases.write_release(tmp_path / "new.release")
    with pytest.raises(UserError, match=r"new.release: a device can update only with keys") as told:
        Hall(hall).release(file)
    assert told.value.exit_code == os.EX_CONFIG
    releases.write_public(tmp_path / "release.pub")
    hall.write_text(hall.read_text() + '\n[updates]\nkeys = ["release.pub"]\n')
    assert Hall(hall).order("kp-1").keys == (releases.public_key(),)
    assert Hall(hall).release(file) == releases.release()
    file.write_bytes(releases.unsigned().content())
    with pytest.raises(UserError, match=r"new.release: riscv: not signed"):
        Hall(hall).release(file)
    file.write_bytes(b"PK")
    with pytest.raises(UserError, match=r"new.release: damaged, or no release"):
        Hall(hall).release(file)
    file.unlink()
    with pytest.raises(UserError, match=r"new.release: No such file or directory"):
        Hall(hall).release(file)
