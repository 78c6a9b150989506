"""Record examples for the contract's documents: `cd tests && python -m support.record_contract`.

Here: a demo of a minute at its own broker, with a watcher who keeps the first message of each kind.
By hand, when messages have changed; then `hall contract build`. Not here: judging the messages
(`support.traffic`).
"""

import json
import os
import subprocess
import sys
import tempfile
import time
import tomllib
from contextlib import suppress
from pathlib import Path

import hall_gateway.contract

from support.paho_client import PlainClient
from support.traffic import Traffic

WANTED = ("hall.", "command.", "reply.", "state", "up.", "down.")
ASKED: tuple[tuple[str, dict[str, object]], ...] = (
    ("take", {"ticket": "B207", "business": "过户", "priority": 2}),
    ("cancel", {"ticket": "B207"}),
    ("pause", {"window": "2"}),
    ("resume", {"window": "2"}),
    ("show", {"window": "2", "text": "请带好证件", "seconds": 2}),
    ("device", {"device": "keypad-1", "do": "selftest"}),
    ("call", {"ticket": "A015", "window": "9"}),
)
"""What the queue system of a demo does not ask for; its report finds these unexpected."""


def main() -> None:
    target = Path(hall_gateway.contract.__file__).parent / "recorded.json"
    with tempfile.TemporaryDirectory() as folder:
        command = "from hall_tools.cli import main; main()"
        demo = subprocess.Popen(
            [sys.executable, "-c", command, "demo", "--headless", *sys.argv[1:]],
            env={**os.environ, "TMPDIR": folder},
        )
        port = None
        while port is None and demo.poll() is None:
            for settings in Path(folder).glob("*/gateway.toml"):
                port = tomllib.loads(settings.read_text(encoding="utf-8"))["broker"]["port"]
            time.sleep(0.05)
        assert port is not None, "the demo ended before its broker was there"
        while True:
            with suppress(OSError), PlainClient(port, ["#"], name="recorder") as recorder:
                topic = "hall/v1/demo/event/call/shown"
                recorder.on_topic(topic, seconds=60)
                for number, (name, fields) in enumerate(ASKED, 1):
                    body = json.dumps({"id": f"c-{number}", **fields}, ensure_ascii=False)
                    recorder.publish(f"hall/v1/demo/command/{name}", body)
                demo.wait()
                break
    traffic = Traffic().take_all(recorder.received)
    assert not traffic.faults, traffic.faults[:3]
    examples = {n: [traffic.first[n]] for n in sorted(traffic.first) if n.startswith(WANTED)}
    text = json.dumps(examples, ensure_ascii=False, indent=1)
    target.write_text(f"{text}\n", encoding="utf-8")
    print(f"{target}: {len(examples)} messages of {len(recorder.received)}")


if __name__ == "__main__":
    main()
