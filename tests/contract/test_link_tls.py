"""The link's TLS-PSK against whoever pretends to be the broker, or changes what the broker says.

After each attempt the device reaches the real mosquitto and delivers everything.
"""

from __future__ import annotations

import asyncio
import datetime
import random
import ssl
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from support.cutting_proxy import CuttingProxy, Impostor
from support.link_device import LinkDevice
from support.mosquitto import Mosquitto
from support.standin_gateway import StandinGateway

KEY = "0f" * 32
SERVER_HELLO_ALERT = b"\x15\x03\x03\x00\x02\x02\x28"  # fatal, handshake_failure


async def get_through(folder: Path, impostors: list[Impostor], because: str) -> None:
    broker = Mosquitto(folder / "broker", psk={"kp-1": KEY})
    with broker, StandinGateway(broker.port) as gateway:
        async with (
            CuttingProxy(broker.psk_port, impostors) as proxy,
            LinkDevice(proxy.port, folder, psk=KEY) as device,
        ):
            last = await device.append(3)
            await asyncio.to_thread(gateway.wait, lambda: gateway.committed.get("kp-1") == last)
            report = await device.report()
            assert any(because in text for _, _, text in report["errors"]), report["errors"]
            assert report["stats"]["failures"] == len(impostors)
            assert report["stats"]["opened"] == report["stats"]["closed"] + 1


async def says_nothing(reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
    while await reader.read(4096):
        pass


async def closes_at_once(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.close()


async def closes_in_the_handshake(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> None:
    await reader.read(4096)
    writer.close()


async def refuses_the_handshake(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read(4096)
    writer.write(SERVER_HELLO_ALERT)
    await says_nothing(reader, writer)


async def speaks_plain_mqtt(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read(4096)
    writer.write(b"\x20\x02\x00\x00\x90\x06\x00\x01\x01\x01\x01\x01")
    await says_nothing(reader, writer)


@pytest.mark.parametrize(
    ("impostor", "because"),
    [
        (says_nothing, "no TLS handshake in 600 ms"),
        (closes_at_once, "TLS handshake failed"),
        (closes_in_the_handshake, "TLS handshake failed"),
        (refuses_the_handshake, "TLS handshake failed"),
        (speaks_plain_mqtt, "TLS handshake failed"),
    ],
)
async def test_the_handshake_goes_wrong(impostor: Impostor, because: str, tmp_path: Path) -> None:
    await get_through(tmp_path, [impostor], because)


async def test_the_handshake_is_rubbish(tmp_path: Path) -> None:
    def rubbish(seed: int) -> Impostor:
        async def impostor(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.read(4096)
            chance = random.Random(seed)
            data = chance.randbytes(chance.randrange(1, 200))
            writer.write(data if seed % 2 else b"\x16\x03\x03\x00\x40" + data)
            writer.write_eof()
            await says_nothing(reader, writer)

        return impostor

    await get_through(tmp_path, [rubbish(seed) for seed in range(20)], "TLS handshake failed")


async def test_a_certificate_does_not_replace_the_key(tmp_path: Path) -> None:
    """A client that verifies by its key alone must not fall for a broker with any certificate."""
    context = certificate_context(tmp_path)
    shaken: list[str] = []

    async def impostor(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await writer.start_tls(context)
        except ssl.SSLError as error:
            shaken.append(error.reason)
        else:
            shaken.append("the device shook hands")

    await get_through(tmp_path, [impostor], "TLS handshake failed")
    assert shaken == ["NO_SHARED_CIPHER"]


def certificate_context(folder: Path) -> ssl.SSLContext:
    """A server's context with a certificate that it gave itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "gateway")])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    pem = folder / "gateway.pem"
    pem.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        + certificate.public_bytes(serialization.Encoding.PEM)
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    context.load_cert_chain(pem)
    return context


async def test_what_the_broker_says_is_changed_on_the_way(tmp_path: Path) -> None:
    broker = Mosquitto(tmp_path / "broker", psk={"kp-1": KEY})
    with broker, StandinGateway(broker.port) as gateway:
        async with (
            CuttingProxy(broker.psk_port) as proxy,
            LinkDevice(proxy.port, tmp_path, psk=KEY) as device,
        ):
            last = await device.append(1)
            await asyncio.to_thread(gateway.wait, lambda: gateway.committed.get("kp-1") == last)

            def once(data: bytes) -> bytes:
                proxy.corrupt = lambda data: data
                return data[:-1] + bytes([data[-1] ^ 1])

            for n in range(1, 6):
                await device.until(lambda report: report["acked"] == report["next"] - 1)
                proxy.corrupt = once
                await device.append(2)
                report = await device.until(lambda report, n=n: report["stats"]["failures"] == n)
                assert report["errors"][-1][2] == "connection failed: MBEDTLS_ERR_SSL_INVALID_MAC"
            last = await device.append(1)
            await asyncio.to_thread(gateway.wait, lambda: gateway.committed.get("kp-1") == last)
            report = await device.until(lambda report: report["acked"] == last)
            assert report["stats"]["opened"] == report["stats"]["closed"] + 1
