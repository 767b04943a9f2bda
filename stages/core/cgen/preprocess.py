"""The preprocess contract as data for the C templates, after a check that the C can carry it out."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from typing import Any

import numpy as np

from stages.core.cgen.literals import array_lines
from stages.core.dsp.contract import (
    MAX_SHIFT,
    MAX_WIDE_SHIFT,
    MULTIPLIER_BITS,
    N_BREAKPOINTS,
    Affine,
    Code,
    Preprocess,
    Program,
    Raw,
    Table,
)
from stages.core.dsp.extractors import Bands
from stages.core.dsp.fft import cosine_table


def preprocess_context(value: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the templates of contract.h and preprocess.c need.

    Parameters
    ----------
    value : mapping
        The preprocess contract, of which `contract_problems` finds nothing wrong.
    """
    contract = Preprocess.from_json(dict(value))
    wide = contract.sample_type == "int32"
    codes = [_code(code, index, contract.value_limit) for index, code in enumerate(contract.codes)]
    return {
        "sample_rate_hz": contract.sample_rate_hz,
        "window": contract.window,
        "window_log2": contract.window.bit_length() - 1,
        "hop": contract.hop,
        "channels": contract.channels,
        "sample_type": f"{contract.sample_type}_t",
        "wide": wide,
        "preprocess_id": value["preprocess_id"],
        "remove_mean": contract.dc == "window_mean",
        "epsilon": contract.epsilon or 0,
        "extractor": contract.extractor.to_json(),
        "features": len(contract.columns) // len(contract.channels),
        "cosine": array_lines(cosine_table(contract.extractor.frame)) if isinstance(contract.extractor, Bands) else [],
        "codes": codes,
        "code_rows": contract.frames,
        "dsp_headers": _headers(contract),
    }


def _headers(contract: Preprocess) -> list[str]:
    kinds = {Affine: "scale.h", Table: "table.h"}
    extractor = [] if isinstance(contract.extractor, Raw) else [f"{contract.extractor.kind}.h"]
    return sorted({*extractor, *(kinds[type(code.program)] for code in contract.codes)})


def _code(code: Code, index: int, value_limit: int) -> dict[str, Any]:
    shared = {"name": code.name, "index": index, "source": code.source, "kind": code.program.kind}
    if isinstance(code.program, Table):
        return {**shared, "lines": array_lines(np.array(code.program.breakpoints))}
    return {**shared, **vars(code.program), "reach": value_limit + abs(code.program.offset)}


def contract_problems(value: Mapping[str, Any], length: int, channels: int) -> list[str]:
    """Say what keeps the generated C from carrying out the contract, or from feeding the network.

    Parameters
    ----------
    value : mapping
        The preprocess contract.
    length, channels : int
        Of the network's input.

    Returns
    -------
    list of str
    """
    contract = Preprocess.from_json(dict(value))
    problems = []
    if (length, channels) != contract.shape:
        problems.append(
            f"the network reads {length} rows of {channels} codes and the preprocessing gives {contract.shape[0]} of "
            f"{contract.shape[1]}"
        )
    if contract.dc not in ("none", "window_mean"):
        problems.append(f"dc is {contract.dc!r}, neither 'none' nor 'window_mean'")
    if contract.dc == "window_mean" and contract.window & (contract.window - 1):
        problems.append(f"the window mean of {contract.window} samples is not a shift")
    if contract.sample_type not in ("int16", "int32"):
        problems.append(f"sample_type is {contract.sample_type!r}, neither 'int16' nor 'int32'")
    wide = contract.sample_type == "int32"
    if wide and not (isinstance(contract.extractor, Raw) and contract.dc == "none" and contract.epsilon is None):
        problems.append("int32 counts are not raw, or have their mean removed or are normalised")
    for code in contract.codes:
        problems += [f"code {code.name!r} {problem}" for problem in _program_problems(code.program, wide)]
        if not 0 <= code.source < len(contract.columns):
            problems.append(f"code {code.name!r} reads column {code.source} of {len(contract.columns)}")
    return problems


def _program_problems(program: Program, wide: bool) -> list[str]:
    if isinstance(program, Affine):
        largest = MAX_WIDE_SHIFT if wide else MAX_SHIFT
        fits = 1 <= program.shift <= largest and 1 <= program.multiplier < 2**MULTIPLIER_BITS
        return [] if fits else [f"has multiplier {program.multiplier} and shift {program.shift}"]
    points = program.breakpoints
    if len(points) != N_BREAKPOINTS:
        return [f"has {len(points)} breakpoints and not {N_BREAKPOINTS}"]
    falls = any(a > b for a, b in pairwise(points))
    return ["has breakpoints that fall"] if falls else []
