"""The firmware's sources as package data (`hall_firmware`), for the host tools that compile them.

Nothing here is imported by Python on the host, and this file is not deployed to a device.
"""
