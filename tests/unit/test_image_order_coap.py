"""What is built for a battery device, from its enrolment and hall.toml."""

import time
from pathlib import Path

import pytest
from hall_gateway.files import write_secret
from hall_gateway.keys import FOLDER, KeyStore
from hall_tools.errors import UserError
from hall_tools.image.order import Hall, first_number
from support.battery_hall import battery_toml, enrolled
from support.hall_folder import WIFI


def hall(folder: Path, coap: str = 'host = "127.0.0.1"', more: str = "") -> Hall:
    enrolled(folder, "floor-1")
    write_secret(folder / "wifi.toml", WIFI.encode())
    path = battery_toml(folder, ["floor-1"], coap)
    text = path.read_text().replace('zone = "hall"\n', f'zone = "hall"\n{more}', 1)
    path.write_text(text)
    return Hall(path)


def test_the_keys_as_the_device_has_them(tmp_path: Path) -> None:
    order = hall(tmp_path).order("floor-1")
    keys = KeyStore(tmp_path / FOLDER).get("floor-1")
    assert keys is not None
    assert keys.oscore is not None
    assert order.ident["psk"] is None
    start = order.ident["oscore"].pop("start")
    assert first_number(time.time() - 60) <= start <= first_number(time.time())
    assert order.ident["oscore"] == {
        "secret": keys.oscore.master_secret,
        "salt": keys.oscore.master_salt,
        "id": keys.oscore.recipient_id,
        "gateway_id": keys.oscore.sender_id,
    }
    assert len(bytes.fromhex(order.ident["oscore"]["id"])) == 2
    assert keys.oscore.master_secret not in repr(order)


def test_numbers_begin_above_all_that_an_earlier_image_has_used() -> None:
    day, year = 86_400, 365 * 86_400
    now = 1_795_000_000.0
    blocks_a_day = 200  # a start without power each seven minutes, all day
    assert first_number(now + day) - first_number(now) > 8 * blocks_a_day
    assert first_number(now + 30 * year) < 2**32
    assert first_number(0) == 0


@pytest.mark.parametrize(
    ("coap", "host", "port"),
    [
        ('host = "192.168.7.1"\nport = 5700', "192.168.7.1", 5700),
        ("", "192.168.1.10", 5683),
    ],
)
def test_where_it_finds_the_gateway(tmp_path: Path, coap: str, host: str, port: int) -> None:
    config = hall(tmp_path, coap).order("floor-1").config
    assert config["gateway"] == {"host": host, "port": port}
    assert "broker" not in config
    assert "ip" not in config, "it asks DHCP"


def test_its_own_address(tmp_path: Path) -> None:
    more = 'ip = "192.168.1.61"\ngateway = "192.168.1.1"\n'
    config = hall(tmp_path, more=more).order("floor-1").config
    assert config["ip"] == ["192.168.1.61", "255.255.255.0", "192.168.1.1"]


def test_an_address_without_a_router(tmp_path: Path) -> None:
    config = hall(tmp_path, more='ip = "10.1.2.3"\nnetmask = "255.0.0.0"\n').order("floor-1").config
    assert config["ip"] == ["10.1.2.3", "255.0.0.0", "10.1.2.3"]


def test_a_gateway_that_nobody_could_find(tmp_path: Path) -> None:
    found = hall(tmp_path, "")
    file = tmp_path / "hall.toml"
    file.write_text(file.read_text().replace('device_host = "192.168.1.10"\n', ""))
    with pytest.raises(UserError, match="says not where devices find this gateway"):
        Hall(file).order("floor-1")
    assert found.order("floor-1")


@pytest.mark.parametrize(
    ("more", "wrong"),
    [
        ('ip = "192.168.1.300"\n', "not an IPv4 address with a netmask"),
        ('ip = "192.168.1.0"\n', "no host's address in 192.168.1.0/24"),
        ('ip = "192.168.1.61"\nnetmask = "255.0.255.0"\n', "not an IPv4 address with a netmask"),
        ('ip = "192.168.1.61"\ngateway = "192.168.2.1"\n', "no other host's address in"),
        ('ip = "192.168.1.61"\ngateway = "192.168.1.61"\n', "no other host's address in"),
        ('gateway = "192.168.2.1"\n', "netmask and gateway go with ip"),
    ],
)
def test_addresses_that_cannot_be(tmp_path: Path, more: str, wrong: str) -> None:
    with pytest.raises(UserError, match=wrong):
        hall(tmp_path, more=more)


def test_two_devices_at_one_address(tmp_path: Path) -> None:
    path = battery_toml(tmp_path, ["floor-1", "floor-2"])
    text = path.read_text().replace('zone = "hall"\n', 'zone = "hall"\nip = "10.0.0.7"\n')
    path.write_text(text)
    with pytest.raises(UserError, match=r'"10.0.0.7" is already the ip of device\[1\]'):
        Hall(path)
