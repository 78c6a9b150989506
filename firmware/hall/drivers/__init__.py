"""Thin hardware: what a part's data sheet says, and nothing of what a hall means by it.

A driver gets the pin objects, bus objects or registers of hal.py; it never imports machine.
"""
