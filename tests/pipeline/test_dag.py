"""dvc.yaml, the code, the configuration groups and the output folders tell one story."""

import ast
import importlib
import inspect

import pytest
import yaml

from stages.core.config import Config, compose, validate
from stages.core.settings import Settings
from tests.pipeline.imports import ROOT, code_of, expected_deps, read_dag

DAG = read_dag()["stages"]
#: Sections that a stage reads and DVC need not know of: how work is spread over processes never changes a result.
UNTRACKED = {"compute"}
STAGES = list(DAG)


@pytest.mark.parametrize("stage", STAGES)
def test_deps_of_a_stage_are_what_it_imports(stage):
    assert sorted(DAG[stage]["deps"]) == sorted(expected_deps(read_dag(), stage)), (
        "run `python -m tests.pipeline.imports`"
    )


@pytest.mark.parametrize("command", ["convert", "build", "validate", "release", "audit", "find", "report", "update"])
def test_what_follows_training_does_not_load_torch(command):
    trees = {name: ast.parse((ROOT / name).read_text()) for name in code_of(command) if name.endswith(".py")}
    loads = {
        name: {getattr(node, "module", None) or node.names[0].name for node in tree.body if is_import(node)}
        for name, tree in trees.items()
    }
    assert [name for name, modules in loads.items() if any("torch" in module for module in modules)] == []


def is_import(node):
    return isinstance(node, ast.Import | ast.ImportFrom)


@pytest.mark.parametrize("stage", STAGES)
def test_params_of_a_stage_are_the_sections_its_code_declares(stage):
    module = importlib.import_module(f"stages.{stage}")
    kinds = [
        kind
        for _, kind in inspect.getmembers(module, inspect.isclass)
        if issubclass(kind, Settings) and kind.__module__ == module.__name__
    ]
    declared = {field.alias or name for kind in kinds for name, field in kind.model_fields.items()}
    listed = [section for entry in DAG[stage].get("params", []) for section in entry["data/config.yaml"] or []]
    assert declared - UNTRACKED == set(listed)


def test_stage_module_command_and_folder_share_one_name_in_one_order():
    for stage in STAGES:
        assert DAG[stage]["cmd"].startswith(f"python -m stages.{stage} ")
        own = [next(iter(out)) if isinstance(out, dict) else out for out in DAG[stage]["outs"]]
        assert own[0] in {f"data/{stage}", f"models/{stage}", "data/config.yaml"}


def test_every_path_a_command_names_is_a_declared_dep_or_out():
    for stage, definition in DAG.items():
        paths = {word for word in definition["cmd"].split() if "/" in word or word.endswith(".yaml")}
        outs = {next(iter(out)) if isinstance(out, dict) else out for out in definition["outs"]}
        params = {path for entry in definition.get("params", []) for path in entry}
        # DVC itself notices a changed dvc.yaml, and refuses it as a dependency.
        declared = set(definition["deps"]) | outs | params | {"dvc.yaml"}
        undeclared = {path for path in paths if not any(path == one or path.startswith(f"{one}/") for one in declared)}
        assert undeclared == set(), stage


def configurations():
    """Every task; and for the default task, every option of every other group that is complete by itself."""
    for task in sorted((ROOT / "conf/task").glob("*.yaml")):
        yield task.stem, {}
    for option in sorted((ROOT / "conf").glob("*/*.yaml")):
        if option.parent.name not in {"task", "board"} and "???" not in option.read_text():
            yield "vibration", {option.parent.name: option.stem}
    yield "vibration", {"board": ["native"]}


@pytest.mark.parametrize("task, overrides", list(configurations()))
def test_every_configuration_composes_and_validates(task, overrides, tmp_path):
    params = tmp_path / "params.yaml"
    params.write_text(yaml.safe_dump({"task": task, "overrides": overrides}))
    config = validate(compose(params, ROOT / "conf"), "params.yaml")
    assert isinstance(config, Config)
    assert config.task == task
