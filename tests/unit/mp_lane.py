"""The VL53L1X's lane in the real MicroPython: rangings from stdin, passages and heap to stdout.

stdin: {"settings": ..., "rangings": [[zone, mm, status], ...]}, 38 ms apart. stdout, at the end:
{"said": [[now, direction]], "state", "heap"}: bytes that the last 26 rangings, a second, allocated.
"""

import gc
import json
import sys

from hall.roles.people_counter import PeopleCounter
from hall.roles.tof_lane import TofLane

job = json.loads(sys.stdin.readline())
rangings = [tuple(each) for each in job["rangings"]]


class Sensor:
    ranging = None

    def poll(self):
        return self.ranging

    def fault(self):
        return None


class Context:
    now = 0
    said = []

    def emit(self, kind, data):
        self.said.append([self.now, data["dir"]])


sensor = Sensor()
context = Context()
role = PeopleCounter(job["settings"], TofLane(job["settings"], sensor), context)


def run(some):
    for ranging in some:
        context.now += 38
        sensor.ranging = ranging
        role.step(context.now)


run(rangings)
state = role.state()
said = list(context.said)
last = rangings[-26:]
gc.collect()
gc.disable()
before = gc.mem_alloc()
run(last)
heap = gc.mem_alloc() - before
print(json.dumps({"said": said, "state": state, "heap": heap}))
