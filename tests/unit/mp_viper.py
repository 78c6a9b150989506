"""The viper player's machine code beside the native module's, on this port's registers: an array.

Stdin: JSON, [{"description", "picture", "program_bytes", "log_bytes", "outputs"}], bytes in hex.
stdout, a line for each: {"viper": [...], "native": [...]}, which should be equal: the error or the
length of the build, and its program's CRC; the error of the frame, and the registers after it when
GPIO_OUT is plain memory; the same of blank. The native module only logs its stores: they are made
here. With the argument `kinds` they are the errors for what is no such buffer.
"""

import json
import sys
from array import array
from binascii import crc32, unhexlify

import scan
from hall.drivers import scan_viper

OUT, SET, CLEAR = 0, 1, 2
DATA, CLOCK = 5, 4


def tried(function, *arguments):
    try:
        return function(*arguments)
    except ValueError as error:
        return error.args[0]


def stored(log, words, outputs, description):
    """The registers once the log's stores were made."""
    registers = array("I", [outputs, 0, 0])
    if words < 0:
        return list(registers)
    kept = outputs & ~(description[CLOCK] | description[DATA])
    at = 1
    while at < words:
        first, second = log[at], log[at + 1]
        at += 2
        if first == 0xFFFFFFFE:
            for level in log[at : at + second]:
                registers[OUT] = level & description[DATA] | kept
                registers[SET] = description[CLOCK]
            at += second
        elif first == 0xFFFFFFFF:
            registers[CLEAR] = registers[SET] = 0
        else:
            registers[CLEAR], registers[SET] = first, second
    return list(registers)


def viper(job, description, picture, program):
    registers = array("I", [job["outputs"], 0, 0])
    done = [tried(scan_viper.build, program, picture, description), crc32(program)]
    done.append(tried(scan_viper.frame, program, description, registers) or 0)
    done.append(list(registers))
    registers = array("I", [job["outputs"], 0, 0])
    done.append(tried(scan_viper.blank, description, registers) or 0)
    return done + [list(registers)]


def native(job, description, picture, program):
    log = array("I", bytes(job["log_bytes"]))
    log[0] = job["outputs"]
    done = [tried(scan.build, program, picture, description), crc32(program)]
    for play, buffers in ((scan.frame, (program, description)), (scan.blank, (description,))):
        log[0] = job["outputs"]
        words = tried(play, *buffers, log)
        done += [min(words, 0), stored(log, words, job["outputs"], array("I", description))]
    return done


def kinds(job, build, frame, blank, last):
    """What is raised for wrong arguments; `last` is the log or the registers."""
    description = array("I", unhexlify(job["description"]))
    program, picture = bytearray(job["program_bytes"]), unhexlify(job["picture"])
    build(program, picture, description)
    raised = []
    for function, arguments in (
        (build, (bytes(program), picture, description)),
        (build, (len(program), picture, description)),
        (build, (program, 0, description)),
        (build, (program, [1] * len(picture), description)),
        (build, (program, picture, None)),
        (build, (program, picture, list(description))),
        (build, (program, memoryview(program)[: len(picture)], description)),
        (build, (program, picture, memoryview(program)[: 4 * len(description)])),
        (frame, (None, description, last)),
        (frame, (0, description, last)),
        (frame, (program, 0x3FFB0000, last)),
        (frame, (bytearray(len(program)), description, last)),
        (blank, (bytes(20), last)),
        (blank, ({}, last)),
    ):
        if function is build and arguments[2].__class__ is memoryview:
            program[: 4 * len(description)] = bytes(description)
        try:
            function(*arguments)
            raised.append("nothing")
        except (TypeError, ValueError) as error:
            code = error.args[0] if isinstance(error, ValueError) else ""
            raised.append("%s %s" % (type(error).__name__, code))
    return raised


for job in json.load(sys.stdin):
    if "kinds" in sys.argv:
        registers, log = array("I", [0, 0, 0]), bytearray(job["log_bytes"])
        results = {
            "viper": kinds(job, scan_viper.build, scan_viper.frame, scan_viper.blank, registers),
            "native": kinds(job, scan.build, scan.frame, scan.blank, log),
        }
    else:
        arguments = [unhexlify(job[name]) for name in ("description", "picture")]
        results = {}
        for player in (viper, native):
            results[player.__name__] = player(job, *arguments, bytearray(job["program_bytes"]))
    print(json.dumps(results))
