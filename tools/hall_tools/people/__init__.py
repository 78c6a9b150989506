"""People who walk through a doorway, and what a counter's sensors see of them.

Here: a physical simulation below the firmware's drivers (bodies, a VL53L1X, a pair of beams, an
LD2450), the yardsticks that see the same, and how events are scored. Not here: the firmware's own
tracker, which is imported as it ships, and the tables (`hall_tools.bench.people`).
"""
