"""Which tensors become integers and how: exactly what the device kernels compute, in terms of PT2E annotations."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch.fx import GraphModule, Node
from torchao.quantization.pt2e import (
    FakeQuantize,
    MinMaxObserver,
    MovingAverageMinMaxObserver,
    MovingAveragePerChannelMinMaxObserver,
    PerChannelMinMaxObserver,
)
from torchao.quantization.pt2e.quantizer import (
    FixedQParamsQuantizationSpec,
    QuantizationAnnotation,
    QuantizationSpec,
    Quantizer,
)

from stages.core.errors import ConfigError, OperatorError
from stages.core.quant.observers import OBSERVERS, observer_arguments

ANNOTATION = "quantization_annotation"

#: The smallest weight scale, by type of the activations. A channel that training switched off would otherwise get a
#: scale so small that its bias, in units of ``s_x * s_w[c]``, leaves int32. With these, a bias of 16 and of 4 times the
#: largest input still fits.
SMALLEST_WEIGHT_SCALE = {"int8": 2.0**-20, "int16": 2.0**-14}

aten = torch.ops.aten
CONVOLUTIONS = (aten.conv1d.default, aten.conv1d.padding)
NORMS = (aten.batch_norm.default,)
RELUS = (aten.relu.default, aten.relu_.default)
#: Operators whose output gets a scale and a zero point of its own.
ENDINGS = (aten.linear.default, aten.mean.dim)
#: Operators that move codes without changing them.
MOVES = (aten.flatten.using_ints, aten.squeeze.dim, aten.view.default, aten.reshape.default)


@dataclass(frozen=True)
class QuantOptions:
    """What may be chosen about the quantisation.

    Attributes
    ----------
    input_scale : float
        Scale of the int8 input codes (zero point 0), from the preprocess contract.
    observer : str
        How activation ranges are found, see `stages.core.quant.observers`.
    per_channel : bool
        One weight scale per output channel, or one per tensor.
    activation : {"int8", "int16"}
        Type of the tensors between the layers. An int16 tensor is symmetric: its zero point is 0. Input codes are int8
        in either case.
    score : {"int8", "int32"}
        The score is quantised as any other tensor, or the last layer's accumulator is kept whole.
    percentile_share : float
        Share of the values within a range of the percentile observer.
    """

    input_scale: float
    observer: str = "minmax"
    per_channel: bool = True
    activation: Literal["int8", "int16"] = "int8"
    score: Literal["int8", "int32"] = "int8"
    percentile_share: float = 0.9999


class DeviceQuantizer(Quantizer):
    """Annotates an exported network with the integer scheme of the device kernels.

    Parameters
    ----------
    options : QuantOptions
    training : bool
        Put fake quantisation (for training) rather than observers (for calibration).

    Raises
    ------
    ConfigError
        If the input scale is not positive, or the observer is unknown.
    """

    def __init__(self, options: QuantOptions, *, training: bool) -> None:
        super().__init__()
        if not options.input_scale > 0.0:
            raise ConfigError(
                found=f"the input scale is {options.input_scale}",
                where="quantizer",
                expected="a positive number of units per code",
                remedy="Take it from the preprocess contract",
            )
        if options.observer not in OBSERVERS:
            raise ConfigError(
                found=f"there is no activation observer '{options.observer}'",
                where="quantizer",
                expected=f"one of {', '.join(OBSERVERS)}",
                remedy="Choose another observer in conf/quantize",
            )
        self._input = _input_spec(options.input_scale)
        self._activation = _activation_spec(options, training=training)
        self._whole_score = options.score == "int32"
        self._weight = _weight_spec(options, training=training)

    def annotate(self, model: GraphModule) -> GraphModule:
        """Mark each tensor of the graph that the device holds as codes.

        Raises
        ------
        OperatorError
            If the accumulator of the last layer is to be the score, and the last layer is not Linear.
        """
        whole = _last_layer(model) if self._whole_score else None
        for node in model.graph.nodes:
            if node.target in CONVOLUTIONS:
                self._annotate_convolution(node)
            elif node.target in ENDINGS:
                weights = {node.args[1]: self._weight} if node.target == aten.linear.default else {}
                node.meta[ANNOTATION] = self._annotation(node, weights, output=node is not whole)
        return model

    def validate(self, model: GraphModule) -> None:
        """Refuse operators that would silently stay in float.

        Raises
        ------
        OperatorError
            Naming the first such operator.
        """
        for node in model.graph.nodes:
            if node.op == "call_function" and ANNOTATION not in node.meta and not _needs_no_annotation(node):
                raise OperatorError(
                    found=f"the operator {node.target} would not be quantised",
                    where=f"node {node.name}",
                    expected="Conv1d with optional batch norm and ReLU, mean over length, Linear",
                    remedy="Build the network from these operators",
                )

    def _annotate_convolution(self, conv: Node) -> None:
        """The scale belongs to what leaves the kernel: the output after batch norm and ReLU, where there are any."""
        last = conv
        for kinds in (NORMS, RELUS):
            user = only_user(last)
            if user is not None and user.target in kinds:
                last = user
                last.meta[ANNOTATION] = QuantizationAnnotation(_annotated=True)
        conv.meta[ANNOTATION] = self._annotation(conv, {conv.args[1]: self._weight}, output=last is conv)
        if last is not conv:
            last.meta[ANNOTATION] = QuantizationAnnotation(output_qspec=self._activation, _annotated=True)

    def _annotation(self, node: Node, weights: dict[Any, Any], *, output: bool) -> QuantizationAnnotation:
        source: Any = node.args[0]
        inputs = {source: self._input if source.op == "placeholder" else self._activation}
        return QuantizationAnnotation(
            input_qspec_map={**inputs, **weights},
            output_qspec=self._activation if output else None,
            _annotated=True,
        )


def _input_spec(scale: float) -> FixedQParamsQuantizationSpec:
    return FixedQParamsQuantizationSpec(
        dtype=torch.int8, scale=scale, zero_point=0, quant_min=-128, quant_max=127, qscheme=torch.per_tensor_affine
    )


def _activation_spec(options: QuantOptions, *, training: bool) -> QuantizationSpec:
    observer, arguments = OBSERVERS[options.observer], observer_arguments(options.observer, options.percentile_share)
    constructor = (
        FakeQuantize.with_args(observer=observer, **arguments) if training else observer.with_args(**arguments)
    )
    dtype, qscheme = {
        "int8": (torch.int8, torch.per_tensor_affine),
        "int16": (torch.int16, torch.per_tensor_symmetric),
    }[options.activation]
    limits = torch.iinfo(dtype)
    return QuantizationSpec(
        dtype=dtype,
        observer_or_fake_quant_ctr=constructor,
        quant_min=limits.min,
        quant_max=limits.max,
        qscheme=qscheme,
    )


def _weight_spec(options: QuantOptions, *, training: bool) -> QuantizationSpec:
    constructor: Any
    per_channel, smallest = options.per_channel, SMALLEST_WEIGHT_SCALE[options.activation]
    if training:
        # averaging_constant 1 follows the weights as they are now, not as they were some steps ago.
        observer = MovingAveragePerChannelMinMaxObserver if per_channel else MovingAverageMinMaxObserver
        constructor = FakeQuantize.with_args(observer=observer, eps=smallest, averaging_constant=1.0)
    else:
        observer = PerChannelMinMaxObserver if per_channel else MinMaxObserver
        constructor = observer.with_args(eps=smallest)
    return QuantizationSpec(
        dtype=torch.int8,
        observer_or_fake_quant_ctr=constructor,
        quant_min=-127,
        quant_max=127,
        qscheme=torch.per_channel_symmetric if per_channel else torch.per_tensor_symmetric,
        ch_axis=0 if per_channel else None,
    )


def _last_layer(model: GraphModule) -> Node:
    last: Any = model.graph.output_node().args[0]
    last = last[0] if isinstance(last, (tuple, list)) else last
    if last.target != aten.linear.default:
        raise OperatorError(
            found=f"the network ends in {last.target}",
            where=f"node {last.name}",
            expected="Linear as the last layer, whose int32 accumulator is to be the score",
            remedy="End the network in nn.Linear, or choose score: int8 in conf/quantize",
        )
    return last


def only_user(node: Node) -> Node | None:
    """Return the node that alone reads a node's value, if there is one."""
    return next(iter(node.users)) if len(node.users) == 1 else None


def _needs_no_annotation(node: Node) -> bool:
    """Moves, and calls whose result nobody reads, hold no activations of their own."""
    return node.target in MOVES or not node.users
