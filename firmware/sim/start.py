"""Power on: the stock interpreter's part of starting a device, on the simulated board.

A chip that sleeps does not start: until it wakes, only the world goes on. Run as
`-m start FLASH RTC`, with UART0 (a terminal) as stdin and stdout, and the world's lines on
descriptors 3 (in) and 4 (out). Here: what the ESP32 port does around the application (mount `vfs`
at the root, run boot.py, then main.py, then the prompt) and the world's own task beside it. Not
here: anything that the firmware does.
"""

import asyncio
import gc
import json
import os
import sys

import board
import report
import vfs

report.speak(open(4, "w"))  # noqa: SIM115
board.current = board.Board(sys.argv[1], sys.argv[2])

# The firmware's `import machine` finds these, not the unix port's own.
import esp32  # noqa: E402
import machine  # noqa: E402, F401
import network  # noqa: E402, F401
import world  # noqa: E402


def _wire():
    """A config that names nothing solderable leaves the chip alone on the board."""
    try:
        with open("/flash/config.json") as file:
            board.current.wire(json.load(file))
    except (OSError, ValueError, KeyError, TypeError) as error:
        print("sim: nothing is wired to the chip: config.json:", repr(error))


def _run(name):
    try:
        with open(name) as file:
            source = file.read()
    except OSError:
        return
    exec(compile(source, name, "exec"), {"__name__": "__main__"})


# The board is wired while its own modules can still be imported; from then on the device's file
# system is all there is.
(partition,) = esp32.Partition.find(esp32.Partition.TYPE_DATA, label="vfs")
try:
    vfs.mount(partition, "/flash")
except OSError:
    import corrupted  # noqa: F401 (it does not return)
_wire()
vfs.umount("/flash")
sleep = board.current.power.sleep
if sleep:
    import sleeping

    sleeping.restore(sleep)
    if not board.current.power.woken:
        import asleep

        asyncio.run(asleep.run(open(3, "rb"), sleep))  # noqa: SIM115
if os.getenv("HALL_SIM_CUT"):
    import cuts

    cuts.arm(os.getenv("HALL_SIM_CUT"))
vfs.umount("/")
vfs.mount(partition, "/")
os.chdir("/")
sys.path[:] = ["", ".frozen", "/lib"]
asyncio.create_task(world.run(open(3, "rb")))  # noqa: SIM115
gc.collect()
print("sim: heap %d bytes free, %d taken by the world" % (gc.mem_free(), gc.mem_alloc()))
# However the scripts end, what follows is the prompt.
os.putenv("MICROPYINSPECT", "1")
_run("boot.py")
_run("main.py")
