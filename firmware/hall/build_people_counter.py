"""Builds a people counter, see build.py: a lane that something senses.

Here: which drivers it may have. Not here: what a passage is (roles/).
"""


def make(driver, pins, settings, hal, ctx, glyph_path):
    """The role; None: no such driver is in this firmware."""
    name = driver["name"]
    if name == "beams":
        from .drivers.beams import Beams
        from .roles.beam_lane import BeamLane

        lane = BeamLane(settings, Beams(driver, pins, hal))
    elif name == "vl53l1x":
        from .drivers.vl53l1x import Vl53l1x
        from .roles.tof_lane import TofLane

        lane = TofLane(settings, Vl53l1x(driver, pins, hal))
    elif name == "ld2450":
        from .drivers.ld2450 import Ld2450
        from .roles.radar_lane import RadarLane

        lane = RadarLane(settings, Ld2450(driver, pins, hal))
    else:
        return None
    from .roles.people_counter import PeopleCounter

    return PeopleCounter(settings, lane, ctx)
