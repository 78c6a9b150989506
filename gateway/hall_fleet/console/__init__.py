"""The web page of many halls, on the record in PostgreSQL.

Here: what a browser is shown. Not here: the record and its figures (hall_fleet's migrations).
"""
