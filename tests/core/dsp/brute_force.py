"""The extractors by their definitions, one value at a time, in Python integers that cannot overflow."""

from __future__ import annotations

import math
from itertools import pairwise

from stages.core.dsp.extractors import Bands, Stats


def cosine(k: int, n: int) -> int:
    return round(2**30 * math.cos(2 * math.pi * k / n))


def fft(x: list[int]) -> list[tuple[int, int]]:
    """Recursive decimation in time: even and odd halves first, then one rounded butterfly per pair."""
    n = len(x)
    if n == 1:
        return [(x[0], 0)]
    even, odd = fft(x[::2]), fft(x[1::2])
    low, high = [], []
    for j, ((ar, ai), (br, bi)) in enumerate(zip(even, odd, strict=True)):
        wr, wi = cosine(j, n), -round(2**30 * math.sin(2 * math.pi * j / n))
        tr, ti = (br * wr - bi * wi + 2**29) // 2**30, (br * wi + bi * wr + 2**29) // 2**30
        low.append((ar + tr, ai + ti))
        high.append((ar - tr, ai - ti))
    return low + high


def hann(x: list[int]) -> list[int]:
    n = len(x)
    return [(v * (2**30 - cosine(t, n)) + 2**30) // 2**31 for t, v in enumerate(x)]


def log2_q8(e: int) -> int:
    if e == 0:
        return 0
    exponent = e.bit_length() - 1
    return 256 * exponent + (256 * (e - 2**exponent)) // 2**exponent


def stats(x: list[int]) -> list[int]:
    n = len(x)
    s1, s2 = sum(x), sum(v * v for v in x)
    steps = sum(abs(b - a) for a, b in pairwise(x))
    variance = (n * s2 - s1 * s1) // n**2
    mean_step = (steps + (n - 1) // 2) // (n - 1)
    return [(s1 + n // 2) // n, math.isqrt(variance), min(x), max(x), log2_q8(s2), min(mean_step, 2**17 - 1)]


def bands(spec: Bands, x: list[int]) -> list[int]:
    power = [re * re + im * im for re, im in fft(hann(x) if spec.window == "hann" else x)]
    energies = [sum(power[a:b]) for a, b in pairwise(spec.edges)]
    shift = max(0, sum(energies).bit_length() - 40)
    shifted = {k: power[k] >> shift for k in range(spec.edges[0], spec.edges[-1])}
    total, moment = sum(shifted.values()), sum(k * p for k, p in shifted.items())
    centroid = (128 * moment + total // 2) // total if total else 0
    beside = [log2_q8(sum(v * v for v in x)), min(max(x) - min(x), 2**17 - 1), centroid]
    return [*map(log2_q8, energies), *beside]


def features(spec: Bands | Stats, x: list[int]) -> list[int]:
    return bands(spec, x) if isinstance(spec, Bands) else stats(x)
