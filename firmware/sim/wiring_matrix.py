"""Joins a matrix of keys to a board, see `wiring`."""

from matrix import Matrix


def join(board, config, driver, pins):
    """The names of the modules with what can be done to it."""
    Matrix(board, driver, pins)
    return ("fingers", "cards") if "d0" in pins else ("fingers",)
