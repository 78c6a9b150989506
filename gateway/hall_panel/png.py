"""A picture as PNG: round LEDs on black, each in its own light.

Here: the only use of Pillow. Not here: what is shown.
"""

from hall_panel.picture import Picture


def png(picture: Picture, dot: int = 8) -> bytes:
    """PNG of the picture, `dot` (3 to 32) pixels a LED each way. Raises ValueError."""
    raise NotImplementedError
