"""A hall's figures for people: the words, tables and charts of `hall report`.

Here: how a Report is shown. Not here: the figures themselves (hall_gateway.kpis), options and files
(hall_tools.commands.report).
"""
