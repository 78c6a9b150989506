"""The back office of many halls: what takes their events from JetStream and keeps them.

Here: the record in PostgreSQL, what fills it, and the page that shows it. Not here: anything that
runs in a hall (hall_gateway, which never imports this package).
"""
