"""A gateway's production installation: what it consists of, and bringing a machine to it.

Here: the files, folders, users and services, and the steps that make them. Not here: what the
settings mean (hall_gateway), whether an installation works (hall_tools.doctor), output and exit
codes (commands).
"""
