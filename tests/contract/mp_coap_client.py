"""One request of the device's CoAP client to the port in the first argument, in MicroPython.

Prints one JSON line: {"code", "payload", "stats"} or {"error", "stats"}, and how long it took (ms)
and how often it checked in.
"""

import asyncio
import json
import random
import sys
import time

from hall import coap


class Timings:
    ack = 60
    transmissions = 3
    separate = 400


stats = {}
for name in coap.COUNTED.split():
    stats[name] = 0
checks = [0]


def check_in():
    checks[0] += 1


client = coap.Client(
    ("127.0.0.1", int(sys.argv[1])),
    time.ticks_ms,
    random.randint,
    check_in,
    stats,
    Timings,
)
said = {}
began = time.ticks_ms()
try:
    answer = client.request(0x1234, b"tokn", coap.POST, [(coap.OSCORE, b"\x09\x14")], b"sealed")
    code, options, payload = asyncio.run(answer)
    said = {"code": code, "payload": payload.decode(), "options": len(options)}
except OSError as error:
    said = {"error": str(error)}
finally:
    client.close()
said["stats"] = stats
said["ms"] = time.ticks_ms() - began
said["checks"] = checks[0]
print(json.dumps(said))
