"""Quantised ONNX models written by hand: every value behind a QuantizeLinear and a DequantizeLinear of its own."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from stages.core.graph.export import OPSET
from stages.core.graph.onnx_view import INPUT, SCORE, SCORE_CODE


class Writer:
    """A model under construction; methods return the names of dequantised values."""

    def __init__(self, shape: tuple[int, ...], scale: float, zero_point: int, seed: int) -> None:
        self.rng = np.random.Generator(np.random.PCG64(seed))
        self.shape = shape
        self.nodes: list[onnx.NodeProto] = []
        self.constants: dict[str, np.ndarray] = {}
        self.scales: dict[str, tuple[np.float32, int]] = {}
        self.input = self.dequantize(INPUT, scale, zero_point, "input")

    def node(self, op_type: str, inputs: list[str], output: str, **kept: Any) -> str:
        self.nodes.append(helper.make_node(op_type, inputs, [output], name=f"{output}_node", **kept))
        return output

    def constant(self, name: str, value: Any) -> str:
        self.constants[name] = np.asarray(value)
        return name

    def dequantize(self, code: str, scale: float, zero_point: int, output: str) -> str:
        names = [self.constant(f"{output}_s", np.float32(scale)), self.constant(f"{output}_z", np.int8(zero_point))]
        self.scales[output] = np.float32(scale), zero_point
        return self.node("DequantizeLinear", [code, *names], output)

    def quantized(self, value: str, scale: float, zero_point: int) -> str:
        """The value through codes."""
        names = [self.constant(f"{value}_s", np.float32(scale)), self.constant(f"{value}_z", np.int8(zero_point))]
        code = self.node("QuantizeLinear", [value, *names], f"{value}_code")
        return self.dequantize(code, scale, zero_point, f"{value}_real")

    def layer(
        self, op_type: str, *inputs: str, ends: str = "", kept: bool = False, codes: Any = None, **attributes: Any
    ) -> str:
        """An operator, a Relu or Clip behind it if `ends` says so, and codes of a scale of its own or as given."""
        value = self.node(op_type, list(inputs), f"v{len(self.nodes)}", **attributes)
        scale, zero_point = codes or (self.rng.uniform(0.02, 0.08), int(self.rng.integers(-60, 60)))
        if kept:
            scale, zero_point = self.scales[inputs[0]]
        if ends:
            zero_point = -128
            limits = [self.constant("six_low", np.float32(0)), self.constant("six_high", np.float32(6))]
            value = self.node(ends, [value, *(limits if ends == "Clip" else [])], f"{value}_ends")
        return self.quantized(value, scale, zero_point)

    def weighted(self, op_type: str, x: str, *shape: int, ends: str = "", **attributes: Any) -> str:
        """A convolution or a fully connected layer of random weights."""
        name = f"w{len(self.nodes)}"
        fan_in = int(np.prod(shape[1:]))
        scale = self.rng.uniform(0.5, 1.5, shape[0]).astype(np.float32) / np.float32(73 * np.sqrt(fan_in))
        weight = self.rng.integers(-127, 128, shape).astype(np.int8)
        bias = (self.rng.normal(0, 73 * 73, shape[0]) * np.sqrt(fan_in)).astype(np.int32)
        constants = [
            self.weight(name, weight, scale, np.int8),
            self.weight(f"{name}_bias", bias, np.asarray(self.scales[x][0] * scale, np.float32), np.int32),
        ]
        return self.layer(op_type, x, *constants, ends=ends, **attributes)

    def weight(self, name: str, codes: np.ndarray, scale: np.ndarray, dtype: Any) -> str:
        zero_point = self.constant(f"{name}_zero", np.zeros(len(scale), dtype))
        inputs = [self.constant(f"{name}_codes", codes), self.constant(f"{name}_scale", scale), zero_point]
        return self.node("DequantizeLinear", inputs, name, axis=0)

    def model(self, output: str, shape: tuple[int, ...]) -> onnx.ModelProto:
        """The model whose score is the given value."""
        for node in self.nodes:
            for names in (node.input, node.output):
                renamed = {output: SCORE, output.removesuffix("_real") + "_code": SCORE_CODE}
                names[:] = [renamed.get(name, name) for name in names]
        graph = helper.make_graph(
            self.nodes,
            "network",
            [helper.make_tensor_value_info(INPUT, TensorProto.INT8, self.shape)],
            [
                helper.make_tensor_value_info(SCORE_CODE, TensorProto.INT8, shape),
                helper.make_tensor_value_info(SCORE, TensorProto.FLOAT, shape),
            ],
            [numpy_helper.from_array(value, name) for name, value in self.constants.items()],
        )
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=10)
        return onnx.shape_inference.infer_shapes(model, check_type=True, strict_mode=True)
