"""Builds and plays pictures with the native module of the unix port.

Stdin: JSON, [{"description", "picture", "program_bytes", "log_bytes", "outputs"}], bytes in hex; a
line for each on stdout: {"program", "log"} in hex.
"""

import binascii
import json
import sys

import scan

for job in json.load(sys.stdin):
    description = binascii.unhexlify(job["description"])
    program = bytearray(job["program_bytes"])
    used = scan.build(program, binascii.unhexlify(job["picture"]), description)
    log = bytearray(job["log_bytes"])
    log[:4] = job["outputs"].to_bytes(4, "little")
    words = scan.frame(program, description, log)
    done = (memoryview(program)[:used], memoryview(log)[: 4 * words])
    program, log = [binascii.hexlify(part).decode() for part in done]
    print(json.dumps({"program": program, "log": log}))
