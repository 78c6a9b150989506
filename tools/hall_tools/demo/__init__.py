"""A small hall that runs by itself: real firmware, gateway and broker, simulated people.

Here: the hall's layout, the seeded plan of the day, the people, the queue system, what the world
knows to be true, and how it is compared with what the hall system received. Not here: how a device
or the gateway works; they run as they ship, each as its own process.
"""
