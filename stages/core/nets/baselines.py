"""What a network has to beat: an energy threshold and a logistic regression, on the same windows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

_BANDS = 16
_BLOCK = 512


def energy(codes: NDArray[np.int8]) -> NDArray[np.float64]:
    """Return the log mean square of each window's codes over all channels.

    Parameters
    ----------
    codes : ndarray of int8, shape (windows, length, channels)

    Returns
    -------
    ndarray of float64, shape (windows,)
    """
    return _in_single(np.concatenate([np.log(_mean_square(block).mean(axis=1)) for block in _blocks(codes)]))


def describe(codes: NDArray[np.int8]) -> NDArray[np.float64]:
    """Return the usual hand-made features of each window, per channel.

    Log mean square, crest factor, excess kurtosis and the log energies of 16 equal frequency bands; of windows
    that are too short for those, the codes themselves.

    Parameters
    ----------
    codes : ndarray of int8, shape (windows, length, channels)

    Returns
    -------
    ndarray of float64, shape (windows, 19 * channels) or (windows, length * channels)
    """
    if codes.shape[1] < 2 * _BANDS:
        return codes.reshape(len(codes), -1).astype(np.float64)
    return _in_single(np.concatenate([_describe_block(block) for block in _blocks(codes)]))


def baseline_scores(codes: NDArray[np.int8], logistic: Sequence[Logistic]) -> dict[str, NDArray[np.float64]]:
    """Score windows by every baseline.

    Parameters
    ----------
    codes : ndarray of int8, shape (windows, length, channels)
    logistic : sequence of Logistic
        One per output of the network.

    Returns
    -------
    dict of str to ndarray of float64, shape (windows, outputs)
        ``energy`` is the same for every output.
    """
    described = describe(codes)
    return {
        "energy": np.repeat(energy(codes)[:, np.newaxis], len(logistic), axis=1),
        "logistic": np.stack([each.score(described) for each in logistic], axis=1),
    }


def _in_single(values: NDArray[np.float64]) -> NDArray[np.float64]:
    # The last bits of a logarithm or an exponential are the C library's, which has several versions, by processor.
    return values.astype(np.float32).astype(np.float64)


def _blocks(codes: NDArray[np.int8]) -> list[NDArray[np.float64]]:
    return [codes[start : start + _BLOCK].astype(np.float64) for start in range(0, len(codes), _BLOCK)]


def _mean_square(block: NDArray[np.float64]) -> NDArray[np.float64]:
    # A code of one half keeps the logarithm of a silent window finite.
    return np.mean(block**2, axis=1) + 0.25


def _describe_block(block: NDArray[np.float64]) -> NDArray[np.float64]:
    mean_square = _mean_square(block)
    crest = np.abs(block).max(axis=1) / np.sqrt(mean_square)
    kurtosis = np.mean(block**4, axis=1) / mean_square**2 - 3
    power = np.abs(np.fft.rfft(block, axis=1)[:, 1:]) ** 2
    bands = [band.mean(axis=1) for band in np.array_split(power, _BANDS, axis=1)]
    return np.concatenate([np.log(mean_square), crest, kurtosis, *(np.log(band + 1) for band in bands)], axis=1)


@dataclass(frozen=True)
class Logistic:
    """A standardised logistic regression, as plain numbers.

    Attributes
    ----------
    mean, scale, weight : tuple of float
        One per feature of `describe`.
    bias : float
    """

    mean: tuple[float, ...]
    scale: tuple[float, ...]
    weight: tuple[float, ...]
    bias: float

    @classmethod
    def fit(cls, features: NDArray[np.float64], labels: NDArray[np.int8]) -> Logistic:
        """Fit with both classes weighing the same."""
        scaler = StandardScaler().fit(features)
        # Newton steps end at the optimum, to more digits than are kept; L-BFGS ends near it, where the C library leads.
        solver = LogisticRegression(class_weight="balanced", solver="newton-cholesky", tol=1e-10)
        model = solver.fit(scaler.transform(features), labels)
        found = (scaler.mean_, scaler.scale_, model.coef_[0], model.intercept_)
        mean, scale, weight, bias = (_in_single(values).tolist() for values in found)
        return cls(tuple(mean), tuple(scale), tuple(weight), bias[0])

    def score(self, features: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return logits, shape (windows,)."""
        standard = (features - np.array(self.mean)) / np.array(self.scale)
        return standard @ np.array(self.weight) + self.bias

    def to_json(self) -> dict[str, Any]:
        """Return the model as JSON."""
        return {key: list(value) if isinstance(value, tuple) else value for key, value in asdict(self).items()}

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> Logistic:
        """Rebuild the model from its JSON form."""
        return cls(tuple(value["mean"]), tuple(value["scale"]), tuple(value["weight"]), value["bias"])
