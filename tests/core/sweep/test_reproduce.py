from types import SimpleNamespace

from dvc.utils.serialize import _yaml

from stages.core.sweep.reproduce import exit_code, parsed_once, stage_key


def stage(name, params):
    return SimpleNamespace(addressing=name, params=[SimpleNamespace(read_params=lambda: params)])


def test_stages_have_one_key_if_they_and_all_before_them_read_the_same():
    key = stage_key(stage("train", {"seed": 1}), ["a", "b"])
    assert stage_key(stage("train", {"seed": 1}), ["b", "a"]) == key
    assert stage_key(stage("train", {"seed": 2}), ["a", "b"]) != key
    assert stage_key(stage("train", {"seed": 1}), ["a", "c"]) != key
    assert stage_key(stage("split", {"seed": 1}), ["a", "b"]) != key


def test_the_exit_code_is_that_of_the_stage():
    outer = RuntimeError("failed to reproduce 'quantize'")
    outer.__cause__ = RuntimeError("failed to run: python -m stages.quantize, exited with 3")
    assert exit_code(outer) == 3


def test_a_failure_without_a_stage_is_one():
    assert exit_code(RuntimeError("disk full")) == 1


def test_dvc_parses_a_text_once_and_gets_a_copy_each_time(tmp_path, monkeypatch):
    (tmp_path / "a.yaml").write_text("x: [1]\n")
    parsed = []
    parse = _yaml.parse_yaml
    monkeypatch.setattr(_yaml, "parse_yaml", lambda *words: parsed.append(words) or parse(*words))
    with parsed_once():
        _yaml.load_yaml(tmp_path / "a.yaml")["x"].append(2)
        assert _yaml.load_yaml(tmp_path / "a.yaml") == {"x": [1]}
        assert len(parsed) == 1
        (tmp_path / "a.yaml").write_text("x: [3]\n")
        assert _yaml.load_yaml(tmp_path / "a.yaml") == {"x": [3]}
    assert _yaml.load_yaml(tmp_path / "a.yaml") == {"x": [3]}
    assert len(parsed) == 3
