"""Section `capture`: one class per source of recordings, told apart by the key `source`."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from stages.core.schema.bearing_datasets import BearingDatasets
from stages.core.schema.files import Files
from stages.core.schema.gesture_log import GestureLog
from stages.core.schema.serial import SerialLine
from stages.core.schema.synthetic_bearing import SyntheticBearing
from stages.core.schema.synthetic_gestures import SyntheticGestures
from stages.core.schema.synthetic_shock import SyntheticShock
from stages.core.schema.table import Table

Capture = Annotated[
    SyntheticBearing | SyntheticShock | SyntheticGestures | BearingDatasets | SerialLine | Files | Table | GestureLog,
    Field(discriminator="source"),
]
