"""What section `capture` holds whatever the source."""

from __future__ import annotations

from stages.core.schema.base import Section
from stages.core.schema.quality import Artefacts, QualityLimits
from stages.core.schema.sensor import Sensor


class SourceSection(Section):
    """Base of every source's section; conf/capture/limits/ holds the defaults of the last two.

    Attributes
    ----------
    sensor : Sensor
        Digitises the signal.
    quality : QualityLimits
    artefacts : Artefacts
    """

    sensor: Sensor
    quality: QualityLimits
    artefacts: Artefacts
