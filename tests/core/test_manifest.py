"""The manifest lists every output file and follows exactly the bytes that count."""

import hashlib

import pytest

from stages.core.errors import ArtifactError
from stages.core.manifest import artifacts, hash_path, name_of, provenance

STAGES = {
    "make": {
        "cmd": "python -m stages.make",
        "deps": ["code.py", "inputs"],
        "params": [{"config.yaml": ["seed"]}],
        "outs": ["out", {"single.json": {"cache": False}}],
    }
}


@pytest.fixture
def root(tmp_path):
    for name, text in {
        "code.py": "1",
        "inputs/a": "a",
        "inputs/b": "b",
        "out/x/y.bin": "y",
        "out/z": "",
        "single.json": "{}",
        "out/__pycache__/z.pyc": "skipped",
    }.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return tmp_path


def test_artifacts_lists_every_output_file_with_its_stage(root):
    listed = artifacts(root, STAGES)
    assert [(entry["path"], entry["bytes"]) for entry in listed] == [
        ("out/x/y.bin", 1),
        ("out/z", 0),
        ("single.json", 2),
    ]
    assert listed[0]["sha256"] == hashlib.sha256(b"y").hexdigest()
    assert {entry["stage"] for entry in listed} == {"make"}


def test_missing_output_is_an_artifact_error(root):
    (root / "single.json").unlink()
    with pytest.raises(ArtifactError, match=r"single\.json: it does not exist"):
        artifacts(root, STAGES)


def test_directory_hash_follows_names_and_content_but_not_the_place(root, tmp_path_factory):
    before = hash_path(root, "inputs")
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    (elsewhere / "inputs").mkdir()
    for name in ("b", "a"):
        (elsewhere / "inputs" / name).write_text(name)
    assert hash_path(elsewhere, "inputs") == before
    (elsewhere / "inputs" / "a").rename(elsewhere / "inputs" / "c")
    assert hash_path(elsewhere, "inputs") != before


def test_provenance_hashes_only_the_sections_a_stage_reads(root):
    one = provenance(root, STAGES, {"seed": 1, "train": {"lr": 0.1}})
    other = provenance(root, STAGES, {"seed": 1, "train": {"lr": 0.2}})
    assert one == other
    assert set(one["make"]["deps"]) == {"code.py", "inputs"}
    assert provenance(root, STAGES, {"seed": 2})["make"]["config"] != one["make"]["config"]


def test_release_is_named_by_its_version_and_the_hash_of_its_canonical_content():
    digest = hashlib.sha256(b'{"a":1,"b":[2.5]}').hexdigest()
    assert name_of("1.2.3", {"b": [2.5], "a": 1.0}) == {"version": "1.2.3", "release_id": f"1.2.3+{digest[:12]}"}
