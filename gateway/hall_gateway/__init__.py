"""The gateway of a service hall: devices on one side, the hall system on the other."""
