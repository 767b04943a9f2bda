"""Float scores as integers: the same order, the same neighbours."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from stages.core.graph.order import from_order_key, order_key

floats = st.floats(width=32, allow_nan=False)


@given(floats, floats)
def test_keys_are_in_the_order_of_the_floats(a: float, b: float) -> None:
    first, second = order_key(np.array([a, b], dtype=np.float32)).tolist()
    if a != b:
        assert (first < second) == (a < b)
    else:
        assert abs(first - second) <= 1  # -0 and +0


@given(st.floats(-(2.0**127), 2.0**127, width=32).filter(bool))
def test_the_next_float_has_the_next_key(value: float) -> None:
    here = np.float32(value)
    pair = np.array([here, np.nextafter(here, np.float32(np.inf))], dtype=np.float32)
    assert np.diff(order_key(pair)).tolist() == [1]


@given(st.integers(-(2**31), 2**31 - 1).filter(lambda key: -0x7F800001 <= key <= 0x7F800000))
def test_keys_lead_back_to_their_floats(key: int) -> None:
    keys = np.array([key], dtype=np.int32)
    np.testing.assert_array_equal(order_key(from_order_key(keys)), keys)


def test_known_keys_in_any_shape() -> None:
    values = np.array([[0.0, -0.0], [1.0, -1.0]], dtype=np.float32)
    assert order_key(values).tolist() == [[0, -1], [0x3F800000, -0x3F800001]]
    assert order_key(values.T).tolist() == [[0, 0x3F800000], [-1, -0x3F800001]]
    assert int(order_key(np.array(2.0, dtype=np.float32))) == 0x40000000
