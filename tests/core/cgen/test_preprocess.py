"""What the generated preprocessing may be asked for."""

from dataclasses import replace

import pytest

from stages.core.cgen.preprocess import contract_problems, preprocess_context
from stages.core.dsp.contract import Affine, Code, Preprocess, Raw, Table
from stages.core.dsp.extractors import Stats

WIDE = Preprocess(1.0, ("x",), 1, 1, "none", None, Raw(), (Code("x", 0, Table(tuple(range(255)))),), "int32")
AFFINE = (Code("x", 0, Affine(2**31 - 1, 4095, 46)),)


def problems(contract):
    return contract_problems(contract.to_json(), *contract.shape)


def test_samples_have_the_type_of_the_contract():
    assert preprocess_context(WIDE.to_json())["sample_type"] == "int32_t"
    assert preprocess_context(replace(WIDE, sample_type="int16").to_json())["sample_type"] == "int16_t"


def test_int32_samples_may_be_shifted_further():
    assert problems(WIDE) == problems(replace(WIDE, codes=AFFINE)) == []
    narrow = replace(WIDE, codes=AFFINE, sample_type="int16")
    assert problems(narrow) == ["code 'x' has multiplier 4095 and shift 46"]


@pytest.mark.parametrize(
    "changes", [{"dc": "window_mean"}, {"epsilon": 3}, {"extractor": Stats(2, 2), "window": 2}], ids=str
)
def test_int32_samples_that_are_not_raw_are_refused(changes):
    assert "int32 counts are not raw, or have their mean removed or are normalised" in problems(
        replace(WIDE, **changes)
    )


def test_unknown_type_of_sample_is_refused():
    assert problems(replace(WIDE, sample_type="uint8")) == ["sample_type is 'uint8', neither 'int16' nor 'int32'"]
