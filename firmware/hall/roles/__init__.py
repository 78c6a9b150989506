"""What a device is for: call_display, keypad, people_counter, wet_floor.

Here: pure logic. A role is given its settings, its driver and `ctx`, and is stepped with the
uptime. Not here: machine, network, esp32, hal; a role that imports one of them could not be tested.
"""
