"""The stage: every precision that could be made becomes C, and the one that ships also lies where build expects it."""

from __future__ import annotations

import json
from argparse import Namespace

import numpy as np
import pytest
import yaml

from stages import convert
from stages.core.cgen.emit import FILES
from stages.core.errors import ArtifactError, GateRefused
from stages.core.runtime.limits import measure
from stages.core.runtime.measures_file import save_measures
from tests.core.device.boards import ROOT
from tests.core.graph.networks import exported
from tests.kernels.random_networks import preprocess_contract

THRESHOLDS = {"float": 1_066_000_000, "int16": -700, "ptq": 12}
RAILS = [(-100, 99), (-1000, 999)]
WINDOWS = np.random.Generator(np.random.PCG64(2)).integers(-80, 80, (20, 128, 2))


@pytest.fixture
def paths(tmp_path):
    """What the stage reads; the int16 rung is in the gate's table, but its network could not be made."""
    labels = {"kind": "ordered", "classes": ["normal", "worn", "broken"], "min_overlap": 0.5}
    runtime = yaml.safe_load((ROOT / "conf/runtime/default.yaml").read_text())
    decision = yaml.safe_load((ROOT / "conf/decision/default.yaml").read_text()) | {"accumulate": 3}
    config = {"seed": 1, "task": "test", "labels": labels, "decision": decision, "runtime": runtime}
    config |= {"convert": {"streaming_layers": 0}}
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(config))
    for folder in ("split", "features", "quantize"):
        (tmp_path / folder).mkdir()
    write(tmp_path / "split" / "split.json", {"leaky": False})
    contract = preprocess_contract(np.random.Generator(np.random.PCG64(1)), 128, 2)
    write(tmp_path / "features" / "contract.json", contract)
    save_measures(tmp_path / "features" / "measures.parquet", measure(WINDOWS, RAILS), RAILS)
    write(tmp_path / "quantize" / "gate.json", {"selected": "ptq", "rungs": {name: [] for name in THRESHOLDS}})
    thresholds = {name: [{"code": code, "logit": 0.5}] * 2 for name, code in THRESHOLDS.items()}
    write(tmp_path / "quantize" / "thresholds.json", thresholds)
    for rung, precision in {"ptq": "int8", "float": "float"}.items():
        (tmp_path / "quantize" / f"{rung}.onnx").write_bytes(exported(precision))
    names = ("split", "features", "quantize", "generated", "out")
    return Namespace(config=tmp_path / "config.yaml", **{name: tmp_path / name for name in names})


def write(path, value):
    path.write_text(json.dumps(value))


def test_every_rung_with_a_network_is_converted_at_its_own_thresholds(paths):
    closing_line = convert.main(paths)
    assert closing_line.startswith("convert: ptq of float, ptq: ")
    assert sorted(path.name for path in (paths.out / "rungs").iterdir()) == ["float", "ptq"]
    for rung in ("float", "ptq"):
        folder = paths.out / "rungs" / rung
        contract = json.loads((folder / "contract.json").read_text())
        assert contract["decision"]["threshold_codes"] == [THRESHOLDS[rung]] * 2
        assert {path.name for path in (folder / "generated").iterdir()} == set(FILES)
        codes = ", ".join([str(THRESHOLDS[rung])] * 4)
        assert f"{{ {{ {codes} }}, {{ {codes} }} }}" in (folder / "generated" / "contract.h").read_text()


def test_the_rung_that_ships_lies_where_build_expects_it_with_the_same_bytes(paths):
    convert.main(paths)
    rung = paths.out / "rungs" / "ptq"
    assert (paths.out / "model.onnx").read_bytes() == exported("int8")
    for name in ("contract.json", "weights.bin", "plan.png"):
        assert (paths.out / name).read_bytes() == (rung / name).read_bytes()
    for name in FILES:
        assert (paths.generated / name).read_bytes() == (rung / "generated" / name).read_bytes()


def test_device_and_contract_raise_the_alarm_at_the_configured_level(paths):
    convert.main(paths)
    assert json.loads((paths.out / "contract.json").read_text())["decision"]["rules"]["accumulate"] == 3
    assert "#define TG_DECISION_ACCUMULATE 3\n" in (paths.generated / "contract.h").read_text()


def test_a_rung_that_ships_without_a_network_is_refused(paths):
    (paths.quantize / "ptq.onnx").unlink()
    with pytest.raises(ArtifactError, match=r"ptq\.onnx"):
        convert.main(paths)
    assert not paths.out.exists()


def test_nothing_is_converted_where_nothing_passed(paths):
    write(paths.quantize / "gate.json", {"selected": None, "rungs": {"ptq": []}})
    with pytest.raises(GateRefused, match="no precision was selected"):
        convert.main(paths)


def test_fault_gate_is_fitted_to_the_training_windows_unless_there_is_none(paths):
    convert.main(paths)
    limits = json.loads((paths.out / "contract.json").read_text())["stream"]["limits"]
    reach = np.abs(WINDOWS).max(axis=(0, 1))
    # Twice the reach of the training windows, but no farther than the sensor goes.
    assert [each["high"] for each in limits] == [99, pytest.approx(2 * reach[1], abs=4)]
    assert "#define TG_FAULT_GATE 1" in (paths.generated / "contract.h").read_text()

    config = yaml.safe_load(paths.config.read_text())
    config["runtime"]["fault_gate"] = None
    paths.config.write_text(yaml.safe_dump(config))
    convert.main(paths)
    assert json.loads((paths.out / "contract.json").read_text())["stream"]["limits"] == []
    assert "#define TG_FAULT_GATE 0" in (paths.generated / "contract.h").read_text()
