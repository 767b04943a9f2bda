"""A bundle small enough to look at."""

from stages.core.bundle.format import SECTIONS, Identity

IDENTITY = Identity((1, 2, 3), 5, 6, 6048, "11" * 32, "22" * 32, "33" * 32)
CONTENT = {name: name.encode() * 3 for name in SECTIONS} | {"calibration": b""}
