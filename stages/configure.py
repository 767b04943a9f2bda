"""Compose params.yaml and conf/ into data/config.yaml, resolved and validated."""

from __future__ import annotations

import argparse
from pathlib import Path

from stages.core.config import compose, validate, write_config
from stages.core.stage import exit_with
from stages.core.tracking import track


def main() -> None:
    """Run the stage."""
    parser = argparse.ArgumentParser(description=__doc__)
    for name in ("params", "conf", "out"):
        parser.add_argument(f"--{name}", type=Path, required=True)
    paths = parser.parse_args()
    config = validate(compose(paths.params, paths.conf), str(paths.params))
    paths.out.parent.mkdir(parents=True, exist_ok=True)
    partial = paths.out.with_suffix(".partial")
    with track("configure", config.model_dump(by_alias=True), paths.out):
        write_config(partial, config)
        partial.replace(paths.out)
    print(f"configure: task {config.task}, seed {config.seed}, boards {', '.join(sorted(config.board))}")


if __name__ == "__main__":
    exit_with(main)
