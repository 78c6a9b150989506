"""`hall doctor` on the CoAP endpoint: who answers there, and whether devices can find it."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hall_gateway.schema import owned
from hall_tools.doctor.coap import endpoint
from hall_tools.doctor.findings import Doctor, Finding, Site
from hall_tools.ports import free_port
from support.battery_hall import battery_toml


def found(config: Path) -> list[Finding]:
    return list(endpoint(Site(config, Doctor())))


@contextmanager
def answering(port: int) -> Iterator[None]:
    """Something that resets what it gets, as CoAP does with a ping."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as own:
        own.bind(("127.0.0.1", port))

        def answer() -> None:
            ping, address = own.recvfrom(64)
            own.sendto(b"\x70" + ping[1:], address)

        thread = threading.Thread(target=answer, daemon=True)
        thread.start()
        yield
        thread.join()


def hall(folder: Path, port: int, host: str = "127.0.0.1") -> Path:
    return battery_toml(folder, ["floor-1"], f'host = "{host}"\nport = {port}')


def test_the_endpoint_answers(tmp_path: Path) -> None:
    port = free_port()
    config = hall(tmp_path, port)
    with owned(tmp_path / "hall.db"), answering(port):
        told = found(config)
    assert [finding.level for finding in told] == ["warning", "good"]
    assert told[0].text == "[coap] host is 127.0.0.1, where no battery device can get to"
    assert told[1].text == f"CoAP at 127.0.0.1:{port} (UDP): the gateway answers"


def test_nobody_answers(tmp_path: Path) -> None:
    port = free_port()
    config = hall(tmp_path, port)
    with owned(tmp_path / "hall.db"):
        told = found(config)
    assert told[-1].level == "fault"
    assert "nobody answers" in told[-1].text
    assert "systemctl restart" in told[-1].advice


def test_another_program_has_the_port(tmp_path: Path) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
        other.bind(("127.0.0.1", 0))
        told = found(hall(tmp_path, other.getsockname()[1]))
    assert told[-1].level == "fault"
    assert told[-1].text.endswith("could not listen there: another program has the port")


@pytest.mark.parametrize(
    ("host", "device_host", "text"),
    [
        ("0.0.0.0", None, "[coap] does not say where battery devices find this gateway"),
        ("0.0.0.0", "192.0.2.7", "at 192.0.2.7: it is no address of this machine now"),
        ("192.0.2.7", "192.168.1.10", "could not listen there: it is no address of this machine"),
    ],
)
def test_where_devices_look(tmp_path: Path, host: str, device_host: str | None, text: str) -> None:
    config = hall(tmp_path, free_port(), host)
    new = "" if device_host is None else f'device_host = "{device_host}"\n'
    config.write_text(config.read_text().replace('device_host = "192.168.1.10"\n', new))
    told = found(config)
    assert [finding.level for finding in told] == ["fault"]
    assert text in told[0].text


def test_without_coap_there_is_nothing_to_say(tmp_path: Path) -> None:
    config = battery_toml(tmp_path, [])
    config.write_text(config.read_text().replace('[coap]\nhost = "127.0.0.1"\n', ""))
    assert found(config) == []
