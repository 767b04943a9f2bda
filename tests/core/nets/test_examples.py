"""Windows come with where they are from."""

import json

import numpy as np
import pandas as pd
import pytest

from stages.core.errors import ArtifactError
from stages.core.nets.examples import Examples, load_examples
from stages.core.recordings.windows import write_windows
from stages.core.schema.labels import Labels

LABELS = Labels(kind="exclusive", classes=("rest", "tap", "shake"), min_overlap=0.5)


@pytest.fixture
def features(tmp_path):
    rows = [
        ("a", "m1", "train", 0, 0),
        ("a", "m1", "train", 50, 1),
        ("b", "m2", "val", 0, 1),
        ("c", "m3", "val", 100, 0),
        ("d", "m2", "val", 0, 0),
        ("d", "m3", "val", 50, 2),
    ]
    index = pd.DataFrame(rows, columns=["session_id", "group_id", "part", "start", "label"])
    write_windows(tmp_path / "windows.parquet", index.astype({"label": "int8"}))
    np.save(tmp_path / "codes.npy", np.arange(24, dtype=np.int8).reshape(6, 4, 1))
    (tmp_path / "contract.json").write_text(json.dumps({"hop": 50, "sample_rate_hz": 200.0}))
    return tmp_path


def test_origins_are_those_of_the_part(features):
    (val,) = load_examples(features, features, LABELS, "val")
    assert val.codes[:, 0, 0].tolist() == [8, 12, 16, 20]
    assert val.origins.session.tolist() == ["b", "c", "d", "d"]
    assert val.origins.group.tolist() == ["m2", "m3", "m2", "m3"]
    assert val.origins.start.tolist() == [0, 100, 0, 50]
    assert val.origins.hop_s == 0.25
    # Class 1 is in one group only, so sessions are what is independent.
    assert val.units.tolist() == ["b", "c", "d", "d"]


def test_targets_are_what_the_kind_of_the_classes_asks(features):
    (val,) = load_examples(features, features, LABELS, "val")
    assert val.targets.tolist() == [[1, 0], [0, 0], [0, 0], [0, 1]]
    (val,) = load_examples(features, features, LABELS.model_copy(update={"kind": "ordered"}), "val")
    assert val.targets.tolist() == [[1, 0], [0, 0], [0, 0], [1, 1]]


def test_without_the_contract_the_hop_is_not_known(features):
    (features / "contract.json").unlink()
    with pytest.raises(ArtifactError, match=r"contract\.json"):
        load_examples(features, features, LABELS, "val")


def test_units_need_origins():
    with pytest.raises(ValueError, match="no origins"):
        _ = Examples(np.zeros((1, 1, 1), np.int8), np.zeros(1, np.int8), 1).units
