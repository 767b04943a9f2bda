from types import SimpleNamespace

from stages.core.sweep.reproduce import exit_code, stage_key


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
