"""From the configuration to the contract that it asks for, before anything is fitted."""

from __future__ import annotations

from stages.core.dsp.contract import Extractor, Preprocess, Raw
from stages.core.dsp.extractors import Bands, Stats, band_edges
from stages.core.schema.features import BandsExtractor, Features, RawExtractor
from stages.core.schema.window import Window


def unfitted_contract(
    features: Features,
    window: Window,
    sample_rate_hz: float,
    channels: tuple[str, ...],
    sample_type: str = "int16",
) -> Preprocess:
    """Return the contract without codes, for which statistics of its values are needed.

    Parameters
    ----------
    features : Features
    window : Window
    sample_rate_hz : float
    channels : tuple of str
    sample_type : {"int16", "int32"}

    Raises
    ------
    ConfigError
        If the extractor does not fit the window or the sample rate.
    """
    contract = Preprocess(
        sample_rate_hz=sample_rate_hz,
        channels=channels,
        window=window.length,
        hop=window.hop,
        dc=features.dc,
        epsilon=features.normalise.epsilon if features.normalise else None,
        extractor=_extractor(features, sample_rate_hz),
        sample_type=sample_type,
    )
    _ = contract.frames  # refuses a frame that is longer than the window
    return contract


def _extractor(features: Features, sample_rate_hz: float) -> Extractor:
    section = features.extractor
    if isinstance(section, RawExtractor):
        return Raw()
    if isinstance(section, BandsExtractor):
        edges = band_edges(
            section.frame,
            sample_rate_hz,
            bands=section.bands,
            spacing=section.spacing,
            low_hz=section.low_hz,
            high_hz=sample_rate_hz / 2 if section.high_hz is None else section.high_hz,
        )
        return Bands(section.frame, section.hop, section.window, edges)
    return Stats(section.frame, section.hop)
