"""What the gateway's process must not carry around for years: imports that a hall may not need."""

import json
import subprocess
import sys

HEAVY = ("aiocoap", "amqtt", "esptool", "jinja2", "littlefs", "matplotlib", "numpy", "PIL")


def test_the_gateway_imports_nothing_heavy_that_its_settings_may_not_want() -> None:
    program = (
        "import json, sys, hall_tools.commands.gateway, hall_gateway.service;"
        "print(json.dumps(sorted({name.partition('.')[0] for name in sys.modules})))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True)
    imported = set(json.loads(done.stdout))
    assert "aiohttp" in imported  # of the control socket: it does import what it needs
    assert imported.isdisjoint(HEAVY), imported & set(HEAVY)
