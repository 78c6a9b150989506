"""Everything that reads bytes from outside, given bytes that nobody thought of.

`targets.py` names each reader with inputs that are right and what must hold whatever comes;
`test_fuzz.py` runs them bounded and always alike, `python -m fuzz` for as long as it is told, and
`mp_run.py` the device's own in the real MicroPython.
"""
