"""Which files of `stages/` a stage really imports, read from the code, not by running it.

`python -m tests.pipeline.imports` rewrites the `deps` of dvc.yaml to match.
"""

from __future__ import annotations

import ast
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

ROOT = Path(__file__).parents[2]


def _file_of(module: str) -> Path | None:
    base = ROOT.joinpath(*module.split("."))
    for candidate in (base.with_suffix(".py"), base / "__init__.py"):
        if candidate.is_file():
            return candidate
    return None


def _imported_modules(file: Path) -> set[str]:
    modules: set[str] = set()
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module:
            modules |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
        elif isinstance(node, ast.Import):
            modules |= {alias.name for alias in node.names}
    return {module for module in modules if module.split(".")[0] == "stages"}


def code_of(stage: str) -> set[str]:
    """Files under stages/ that `python -m stages.<stage>` imports, with the packages and templates on the way."""
    found: set[Path] = set()
    todo = [f"stages.{stage}"]
    while todo:
        module = todo.pop()
        parents = module.split(".")
        for name in (".".join(parents[:depth]) for depth in range(1, len(parents) + 1)):
            file = _file_of(name)
            if file and file not in found:
                found.add(file)
                todo += sorted(_imported_modules(file))
    templates = {path for file in found for path in (file.parent / "templates").glob("*.j2")}
    return {file.relative_to(ROOT).as_posix() for file in found | templates}


def read_dag() -> Any:
    return YAML().load(ROOT / "dvc.yaml")


def is_code(dep: str) -> bool:
    return dep.startswith("stages/")


def expected_deps(dag: Any, stage: str) -> list[str]:
    """The deps of a stage: what it reads (kept), then its code; `release` hashes what every stage depends on."""
    definition = dag["stages"][stage]
    data = [dep for dep in definition["deps"] if not is_code(dep)]
    if stage != "release":
        return data + sorted(code_of(stage))
    inputs = {dep for name, other in dag["stages"].items() if name != stage for dep in other["deps"] if is_code(dep)}
    return data + sorted(inputs | code_of(stage))


def main() -> None:
    yaml = YAML()
    yaml.width = 120
    yaml.indent(mapping=2, sequence=4, offset=2)
    dag = yaml.load(ROOT / "dvc.yaml")
    for stage, definition in dag["stages"].items():
        definition["deps"] = expected_deps(dag, stage)
    yaml.dump(dag, ROOT / "dvc.yaml")


if __name__ == "__main__":
    main()
