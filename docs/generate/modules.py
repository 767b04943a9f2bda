"""The reference of the modules of stages/core, one page a package, by mkdocstrings."""

from __future__ import annotations

import ast
from pathlib import Path

#: Its classes are the configuration, which has pages of its own.
_ELSEWHERE = {"schema"}


def module_pages(root: Path) -> dict[str, str]:
    """Return the text of each package's page, by the package's name; `core` has the modules of none."""
    core = root / "stages/core"
    packages = {"core": core} | {path.name: path for path in sorted(core.iterdir()) if _is_package(path)}
    return {name: _page(root, name, folder) for name, folder in packages.items()}


def _is_package(path: Path) -> bool:
    return (path / "__init__.py").is_file() and path.name not in _ELSEWHERE


def _page(root: Path, name: str, folder: Path) -> str:
    pattern = "*.py" if name == "core" else "**/*.py"
    files = [path for path in sorted(folder.glob(pattern)) if path.name != "__init__.py"]
    text = ast.get_docstring(ast.parse((folder / "__init__.py").read_text(encoding="utf-8"))) or ""
    package = "stages.core" if name == "core" else f"stages.core.{name}"
    modules = [".".join(path.relative_to(root).with_suffix("").parts) for path in files]
    return "\n".join([f"# {package}", "", text, "", *(f"::: {module}\n" for module in modules)])
