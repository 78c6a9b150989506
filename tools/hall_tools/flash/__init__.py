"""Bringing an image onto a board: find its port, see what it is, write what differs, verify.

Here: serial ports, esptool, what a board held before, and several boards at once. Not here: what an
image consists of (hall_tools.image), and the terminal (hall_tools.commands.flash).
"""
