"""The file for support: everything is in it, and no secret."""

import base64
import json
import re
from pathlib import Path

from hall_gateway.keys import KeyStore
from hall_profiles import load
from support.diag import CHATTER, PASSWORD, hall, plugged, reflashed


async def test_a_report_has_everything_and_no_secret(tmp_path: Path):
    folder = tmp_path / "hallkit"
    folder.mkdir()
    keys = KeyStore(folder / "keys").enrol("dev-1", load("wet-floor-mains"))
    wifi = folder / "wifi.toml"
    wifi.touch(mode=0o600)
    wifi.write_text(f'[[network]]\nssid = "hall"\npassword = "{PASSWORD}"\n')
    claim = bytes.fromhex(keys.claim)
    secrets = [claim, bytes.fromhex(keys.psk or ""), PASSWORD.encode()]
    async with plugged("wet-floor-mains", tmp_path / "device", claim) as device:
        await device.device.power_cut()
        # The worst: a program that logs them all.
        leak = [secret.hex() for secret in secrets] + [PASSWORD, base64.b64encode(claim).decode()]
        chatter = CHATTER.replace("somebody@home", keys.claim.upper())
        reflashed(device.device, f"{chatter}\nprint({leak!r})\n")
        await device.device.power_on()
        out = tmp_path / "report.json"
        done = await hall(
            *("report", device.device.port, "--out", str(out)),
            *("--config", str(folder / "hall.toml")),
        )
        assert done.returncode == 0, done.stderr
    text = out.read_text()
    told = json.loads(text)
    assert told["id"]["device"] == "dev-1"
    assert told["config"] == device.device.config
    assert told["selftest"] == {"probe": True, "journal": True}
    assert told["events"][0]["kind"] == "boot"
    assert len(told["samples"]) > 10
    assert any("[removed]" in line for line in told["log"])
    for shown in (text, done.stdout, done.stderr):
        for secret in secrets:
            for spelling in (
                secret.hex(),
                base64.b64encode(secret).decode().rstrip("="),
                base64.urlsafe_b64encode(secret).decode().rstrip("="),
                secret.decode("latin-1"),
            ):
                assert not re.search(re.escape(spelling), shown, re.IGNORECASE), spelling
