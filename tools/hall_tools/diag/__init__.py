"""A device at the other end of a serial cable: its console, and what a technician sees of it.

Here: the host's side of firmware/hall/console.py. Not here: flashing (hall_tools.flash), and what a
device reports to its gateway.
"""
