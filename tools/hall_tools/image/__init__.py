"""What belongs on a device's flash chip: the image that is shipped, and the simulated device's.

    base = Base.read(Path("ESP32_GENERIC-20260824-v1.29.0.bin"))
    image = build(base, config, ident, flash_mb=4)
    image.bytes, image.regions

Here: the package's public names. Not here: writing it to a chip (hall_tools.flash).
"""

from hall_tools.image.assembly import Image, build, contents
from hall_tools.image.base import Base
from hall_tools.image.layout import Region

__all__ = ["Base", "Image", "Region", "build", "contents"]
