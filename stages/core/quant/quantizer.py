"""Which tensors become int8 and how: exactly what the device kernels compute, in terms of PT2E annotations."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch.fx import GraphModule, Node
from torchao.quantization.pt2e import (
    FakeQuantize,
    FusedMovingAvgObsFakeQuantize,
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
from stages.core.quant.observers import CALIBRATION_OBSERVERS, TRAINING_OBSERVERS

ANNOTATION = "quantization_annotation"

#: The smallest weight scale. A channel that training switched off would otherwise get a scale so small that
#: its bias, in units of ``s_x * s_w[c]``, leaves int32.
SMALLEST_WEIGHT_SCALE = 2.0**-20

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
        How activation ranges are found: ``minmax`` (all that was seen, tail included), ``histogram`` (the range of
        least squared error; calibration only) or ``moving_average`` (follows slowly from the first batch, so it clips
        rare extremes, and where training starts far from its end it clips the rest as well).
    per_channel : bool
        One weight scale per output channel, or one per tensor.
    """

    input_scale: float
    observer: str = "minmax"
    per_channel: bool = True


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
        If the input scale is not positive, or the observer is unknown or not available in training.
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
        observers = TRAINING_OBSERVERS if training else CALIBRATION_OBSERVERS
        if options.observer not in observers:
            kind = "quantisation-aware training" if training else "calibration"
            raise ConfigError(
                found=f"the activation observer '{options.observer}' is not available in {kind}",
                where="quantizer",
                expected=f"one of {', '.join(sorted(observers))}",
                remedy="Choose another observer in conf/quantize",
            )
        self._input = _input_spec(options.input_scale)
        self._activation = _activation_spec(observers[options.observer], training=training)
        self._weight = _weight_spec(per_channel=options.per_channel, training=training)

    def annotate(self, model: GraphModule) -> GraphModule:
        """Mark each tensor of the graph that the device holds as int8."""
        for node in model.graph.nodes:
            if node.target in CONVOLUTIONS:
                self._annotate_convolution(node)
            elif node.target in ENDINGS:
                weights = {node.args[1]: self._weight} if node.target == aten.linear.default else {}
                node.meta[ANNOTATION] = self._annotation(node, weights, output=True)
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
            user = _only_user(last)
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


def _activation_spec(observer: Any, *, training: bool) -> QuantizationSpec:
    constructor = observer
    if training:
        fused = observer is MovingAverageMinMaxObserver
        constructor = (FusedMovingAvgObsFakeQuantize if fused else FakeQuantize).with_args(observer=observer)
    return QuantizationSpec(
        dtype=torch.int8,
        observer_or_fake_quant_ctr=constructor,
        quant_min=-128,
        quant_max=127,
        qscheme=torch.per_tensor_affine,
    )


def _weight_spec(*, per_channel: bool, training: bool) -> QuantizationSpec:
    constructor: Any
    if training:
        # averaging_constant 1 follows the weights as they are now, not as they were some steps ago.
        observer = MovingAveragePerChannelMinMaxObserver if per_channel else MovingAverageMinMaxObserver
        constructor = FakeQuantize.with_args(observer=observer, eps=SMALLEST_WEIGHT_SCALE, averaging_constant=1.0)
    else:
        observer = PerChannelMinMaxObserver if per_channel else MinMaxObserver
        constructor = observer.with_args(eps=SMALLEST_WEIGHT_SCALE)
    return QuantizationSpec(
        dtype=torch.int8,
        observer_or_fake_quant_ctr=constructor,
        quant_min=-127,
        quant_max=127,
        qscheme=torch.per_channel_symmetric if per_channel else torch.per_tensor_symmetric,
        ch_axis=0 if per_channel else None,
    )


def _only_user(node: Node) -> Node | None:
    return next(iter(node.users)) if len(node.users) == 1 else None


def _needs_no_annotation(node: Node) -> bool:
    """Moves, and calls whose result nobody reads, hold no activations of their own."""
    return node.target in MOVES or not node.users
