"""Outputs appear whole or not at all."""

import pytest

from stages.core.artifacts import output_directory, read_json, sha256_json, write_json
from stages.core.errors import ArtifactError


def test_output_directory_replaces_the_old_one_as_a_whole(tmp_path):
    target = tmp_path / "out"
    for content in ("old", "new"):
        with output_directory(target) as out:
            (out / content).write_text(content)
    assert [path.name for path in target.iterdir()] == ["new"]
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_failed_stage_keeps_the_old_output_and_leaves_nothing_half_written(tmp_path):
    target = tmp_path / "out"
    with output_directory(target) as out:
        (out / "good").write_text("good")
    with pytest.raises(KeyboardInterrupt), output_directory(target) as out:
        (out / "half").write_text("half")
        raise KeyboardInterrupt
    assert [path.name for path in target.iterdir()] == ["good"]
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_leftover_of_a_killed_run_is_cleared(tmp_path):
    leftover = tmp_path / "out.partial"
    leftover.mkdir()
    (leftover / "stale").write_text("stale")
    with output_directory(tmp_path / "out") as out:
        (out / "fresh").write_text("fresh")
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["fresh"]


@pytest.mark.parametrize("content", [None, "{", "\xff"])
def test_missing_or_damaged_json_is_one_paragraph(tmp_path, content):
    path = tmp_path / "file.json"
    if content is not None:
        path.write_bytes(content.encode("latin-1"))
    with pytest.raises(ArtifactError, match=r"file\.json: the file .*dvc repro"):
        read_json(path)


def test_json_not_a_number_is_never_written(tmp_path):
    with pytest.raises(ValueError, match="JSON"):
        write_json(tmp_path / "x.json", {"value": float("nan")})


def test_json_hash_ignores_key_order():
    assert sha256_json({"a": 1, "b": [2.5]}) == sha256_json({"b": [2.5], "a": 1})
