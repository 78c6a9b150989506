"""A hall in which everything fails, and whether anything of it was lost: `hall bench chaos`.

Here: simulated devices, the real gateway, brokers and a hall system, faults by plan, and the
comparison of what happened with what arrived. Not here: options and tables (hall_tools.commands).
"""
