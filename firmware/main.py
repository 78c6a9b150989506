"""Starts the application in the folder that choose.py names. Never updated over the air."""

import json
import os
import sys
import time

import machine

STATE = "/slot.json"
FAILED_WAIT_S = 2
BENCH_MS = 600_000


class Start:
    """This start, for hall/trials.py. `slot`: a, b or safe. `trial`: it has to be confirmed.
    `state`: what save() writes, see choose.py. `why`: how the start before this one ended."""

    slot, trial, state, why = "", False, {}, ""

    def save(self):
        """Whether it is on the flash. By rename: a cut leaves the old state or the new one."""
        try:
            said = {name: value for name, value in self.state.items() if value}
            with open(STATE + ".new", "w") as file:
                file.write(json.dumps(said, separators=(",", ":")))
            os.rename(STATE + ".new", STATE)
            return True
        except OSError as error:
            print("main: not kept:", error)  # to start matters more than to count
            return False

    def revert(self, why):
        """Gives the trial up, and starts what is in service."""
        self.state["trial"], self.state["reverted"] = None, [self.state["trial"][1], why]
        self.save()
        machine.reset()

    def late(self, _):
        self.revert("no_service")


try:
    import choose

    start = Start()
    choose.begin(start, STATE)
    del choose, sys.modules["choose"]  # its code goes back to the heap
    sys.path.insert(0, "/" + start.slot)
    from hall import app

    app.run("/" + start.slot, start)
except KeyboardInterrupt:
    # Somebody at the bench, right after the start: a watchdog that runs leaves them this long.
    machine.WDT(timeout=BENCH_MS)
except Exception as error:
    sys.print_exception(error)
    time.sleep(FAILED_WAIT_S)
    machine.reset()
