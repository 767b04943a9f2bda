"""What the first convolutions of a network need not compute again where a window begins one hop after the last one.

The output of a layer at position t of a window lies `hop / s` positions earlier in the next window, where s is the
product of the strides up to that layer. It is the same there, unless padding had a part in it in either window:

    y'[t] = y[t + hop / s]        for begin <= t and t + hop / s < end

where [begin, end) are the positions that depend on samples alone. The layer keeps these, and computes the others.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from stages.core.dsp.contract import Preprocess, Raw
from stages.core.errors import ConfigError
from stages.core.graph.ir import Conv1d, Graph, Widen

_WHERE = "convert.streaming_layers"


@dataclass(frozen=True)
class Kept:
    """The positions of a layer's output that stay from one window to the next.

    Attributes
    ----------
    shift : int
        Positions by which they move towards the start.
    begin, end : int
        Where they lie after that.
    """

    shift: int
    begin: int
    end: int


@dataclass(frozen=True)
class Part:
    """A convolution that computes a range of another one's output.

    Attributes
    ----------
    op : Conv1d
    input_begin, output_begin : int
        Positions of the whole layer's tensors at which those of `op` begin.
    """

    op: Conv1d
    input_begin: int
    output_begin: int


@dataclass(frozen=True)
class _Clean:
    """The positions of a tensor that depend on samples alone, and samples per position."""

    begin: int
    end: int
    stride: int


def kept_layers(graph: Graph, preprocess: Mapping[str, Any], layers: int) -> dict[str, Kept]:
    """Find what the first convolutions keep.

    Parameters
    ----------
    graph : Graph
    preprocess : mapping
        The preprocess contract.
    layers : int
        How many convolutions, in execution order; 0 for none.

    Returns
    -------
    dict of str to Kept
        By name of the layer's output tensor.

    Raises
    ------
    ConfigError
        If codes are not of one sample each, if the layers are not those next to the input, if the hop does not fall on
        whole positions of one of them, or if one has nothing to keep.
    """
    if layers == 0:
        return {}
    contract = Preprocess.from_json(dict(preprocess))
    if not (isinstance(contract.extractor, Raw) and contract.dc == "none" and contract.epsilon is None):
        raise _refused(
            layers,
            "codes depend on the whole window",
            "features.extractor raw, features.dc none and features.normalise null, so that each code is of one sample",
        )
    clean = {graph.input.name: _Clean(0, graph.input.length, 1)}
    kept: dict[str, Kept] = {}
    for op in graph.ops:
        before = clean.get(op.inputs[0].name)
        if isinstance(op, Widen) and before is not None:
            clean[op.output.name] = before
        elif isinstance(op, Conv1d) and before is not None and len(kept) < layers:
            clean[op.output.name] = _clean(op, before)
            kept[op.output.name] = _kept(op, clean[op.output.name], contract.hop, layers)
    if len(kept) < layers:
        raise _refused(layers, f"{len(kept)} convolutions lead from the input", f"at most {len(kept)}")
    return kept


def parts(op: Conv1d, kept: Kept) -> list[Part]:
    """Split off the ranges of a layer's output that are not kept."""
    ranges = [(0, kept.begin), (kept.end, op.output.length)]
    return [_part(op, begin, end) for begin, end in ranges if begin < end]


def _clean(op: Conv1d, before: _Clean) -> _Clean:
    begin = -(-(before.begin + op.pad_left) // op.stride)
    end = (before.end + op.pad_left - op.weight.shape[2]) // op.stride + 1
    return _Clean(begin, min(end, op.output.length), before.stride * op.stride)


def _kept(op: Conv1d, clean: _Clean, hop: int, layers: int) -> Kept:
    if hop % clean.stride:
        raise _refused(
            layers,
            f"{op.name} has a position every {clean.stride} samples and window.hop is {hop}",
            f"a window.hop that {clean.stride} divides, or fewer layers",
        )
    shift = hop // clean.stride
    if clean.begin >= clean.end - shift:
        raise _refused(
            layers,
            f"{op.name} computes no position that the window before had: {clean.begin} to {clean.end} of "
            f"{op.output.length} are free of padding, and they move by {shift}",
            "a shorter window.hop, or fewer layers",
        )
    return Kept(shift, clean.begin, clean.end - shift)


def _part(op: Conv1d, begin: int, end: int) -> Part:
    first = begin * op.stride - op.pad_left
    last = (end - 1) * op.stride - op.pad_left + op.weight.shape[2]
    x_begin, x_end = max(first, 0), min(last, op.input.length)
    part = replace(
        op,
        input=replace(op.input, length=x_end - x_begin),
        output=replace(op.output, length=end - begin),
        pad_left=x_begin - first,
        pad_right=last - x_end,
    )
    return Part(part, x_begin, begin)


def _refused(layers: int, found: str, expected: str) -> ConfigError:
    return ConfigError(
        found=f"streaming_layers is {layers} and {found}",
        where=_WHERE,
        expected=expected,
        remedy="Change it in params.yaml (under `overrides`), or set convert.streaming_layers to 0",
    )
