"""Releases of the devices' firmware: made, signed and looked at, away from any gateway.

Here: this package's modules, each by the name of what it does. Not here: a release's format
(hall_gateway.release, hall_gateway.bundle), rolling one out (hall_gateway).
"""
