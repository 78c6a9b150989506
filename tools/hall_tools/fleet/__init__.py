"""A back office on one machine, for a trial: its servers, their settings and keys.

Not here: what runs in it (hall_fleet).
"""
