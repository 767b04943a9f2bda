"""The network as a graph: ONNX in, the operator contract, the integer IR and its reference interpreter."""
