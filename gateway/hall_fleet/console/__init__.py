"""The back office's web page: many halls, from PostgreSQL.

Here: what a browser is shown of them. It reads, and changes nothing but who may log in. What every
console has (login, guard, look) is the hall's own console's. Not here: how the record comes to be
(ingest), what a figure means (docs/figures.md).
"""
