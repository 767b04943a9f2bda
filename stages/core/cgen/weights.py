"""The network's constants as one block of bytes, in the layout in which the kernels read them."""

from __future__ import annotations

from typing import Any

from stages.core.cgen.operators import kernel_calls
from stages.core.graph.ir import Graph

_ALIGNMENT = 16


def pack_weights(graph: Graph) -> tuple[bytes, list[dict[str, Any]]]:
    """Lay out every array that training determines, little-endian, each at a multiple of 16 bytes.

    Parameters
    ----------
    graph : Graph

    Returns
    -------
    blob : bytes
    table : list of dict
        Operation, array, C type, byte offset and number of elements, in the order of the blob.
    """
    blob, table = b"", []
    for op in graph.ops:
        for array in (array for call in kernel_calls(op) for array in call.constants):
            content = array.values.astype(array.values.dtype.newbyteorder("<")).tobytes()
            entry = {"operation": op.name, "array": array.name, "ctype": array.ctype}
            table.append({**entry, "offset": len(blob), "count": array.count})
            blob += content.ljust(-(-len(content) // _ALIGNMENT) * _ALIGNMENT, b"\0")
    return blob, table
