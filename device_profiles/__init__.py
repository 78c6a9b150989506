"""The device profiles that ship with Hallkit, as package data (`hall_device_profiles`)."""
