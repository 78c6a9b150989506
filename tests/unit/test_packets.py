"""What the device's TLS offers a broker."""

from pathlib import Path

from support import micropython

SCRIPT = Path(__file__).with_name("mp_packets.py")


def test_only_key_exchanges_with_the_shared_key_are_offered_and_forward_secrecy_first():
    assert micropython.run(SCRIPT).output.splitlines() == [
        "TLS-ECDHE-PSK-WITH-AES-256-CBC-SHA384",
        "TLS-ECDHE-PSK-WITH-AES-128-CBC-SHA256",
        "TLS-PSK-WITH-AES-256-GCM-SHA384",
        "TLS-PSK-WITH-AES-128-CBC-SHA256",
    ]
