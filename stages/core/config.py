"""The whole configuration: composed by Hydra from params.yaml and conf/, validated by typed schemas."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml
from pydantic import Field, model_validator

from stages.core.errors import ConfigError
from stages.core.schema.base import Section, flatten
from stages.core.schema.build import Board, Build
from stages.core.schema.capture import Capture
from stages.core.schema.compute import Compute
from stages.core.schema.convert import Convert
from stages.core.schema.decision import Decision
from stages.core.schema.features import Features
from stages.core.schema.gate import Gate
from stages.core.schema.labels import Labels
from stages.core.schema.model import Model
from stages.core.schema.quantize import Quantize
from stages.core.schema.release import Release
from stages.core.schema.runtime import Runtime
from stages.core.schema.split import Split
from stages.core.schema.table import Table
from stages.core.schema.train import Train
from stages.core.schema.validate import Validate
from stages.core.schema.window import Window
from stages.core.settings import REMEDY, check


class Config(Section):
    """The whole configuration; one attribute per section of `data/config.yaml`.

    Attributes
    ----------
    task : str
        Name of the file in conf/task that says what is asked of which data.
    seed : int
        From which every random choice of every stage derives its own.
    board : dict of str to Board
        What the firmware is built for and run on; `native` is always among them.
    capture : Capture
        Where recordings come from, and which of them are good enough.
    split : Split
        What may not be in two of train, val and test at once.
    model : Model
        Architecture of the network.
    """

    task: str
    seed: int = Field(ge=0, lt=2**32)
    window: Window
    labels: Labels
    compute: Compute
    capture: Capture
    split: Split
    features: Features
    model: Model
    train: Train
    quantize: Quantize
    gate: Gate
    decision: Decision
    runtime: Runtime
    convert: Convert
    build: Build
    board: dict[str, Board]
    validation: Validate = Field(alias="validate")  # pydantic keeps the name `validate` for itself
    release: Release

    @model_validator(mode="after")
    def _sections_fit_together(self) -> Config:
        if self.window.hop > self.window.length:
            raise ValueError(f"window.hop ({self.window.hop}) is larger than window.length ({self.window.length})")
        length = self.window.length
        if self.features.dc == "window_mean" and length & (length - 1):
            raise ValueError(f"features.dc=window_mean needs window.length to be a power of two, not {length}")
        frame = getattr(self.features.extractor, "frame", 1)
        if frame > length:
            raise ValueError(f"features.extractor.frame ({frame}) is larger than window.length ({length})")
        if self.features.normalise is not None and length == 1:
            raise ValueError("features.normalise needs window.length above 1: one sample is its own RMS")
        unknown = sorted(set(self.train.threshold.per_class) - set(self.labels.classes[1:]))
        if unknown:
            raise ValueError(f"train.threshold.per_class names {unknown[0]!r}, which is no class above the first")
        self._wide_counts_stay_as_they_are()
        self._device_decides_as_the_classes_relate()
        if "native" not in self.board:
            raise ValueError("board must include native: it is the first link of the parity chain")
        return self

    def _wide_counts_stay_as_they_are(self) -> None:
        """Refuse what is there for int16 counts alone."""
        if not (isinstance(self.capture, Table) and self.capture.wide):
            return
        wide = "columns of capture have counts beyond int16: they need"
        if not self.features.in_counts or self.features.dc != "none":
            raise ValueError(f"{wide} features.extractor raw, features.dc none and features.normalise null")
        if self.train.augment is not None:
            raise ValueError(f"{wide} train.augment null")

    def _device_decides_as_the_classes_relate(self) -> None:
        """Refuse to pick by an order that the outputs do not have, or without one that they have."""
        kind, needed = self.labels.kind, {"ordered": "severest", "exclusive": "highest"}[self.labels.kind]
        if self.labels.outputs > 1 and self.decision.pick != needed:
            raise ValueError(f"labels.kind {kind} needs decision.pick {needed}, not {self.decision.pick}")


def compose(params_file: Path, conf_dir: Path) -> dict[str, Any]:
    """Compose the groups that `params.yaml` selects and apply its overrides.

    Parameters
    ----------
    params_file : Path
        Keys ``task`` and ``overrides``; an override is a group (``board: [native]``) or a value
        (``train.epochs: 30``, or nested).
    conf_dir : Path
        The Hydra configuration directory.

    Returns
    -------
    dict
        The composed configuration, interpolations resolved, not yet validated.

    Raises
    ------
    ConfigError
        If the file is not of that form, or a group or option does not exist.
    """
    from hydra import compose as hydra_compose
    from hydra import initialize_config_dir
    from hydra.errors import HydraException
    from omegaconf import OmegaConf
    from omegaconf.errors import OmegaConfBaseException

    params = _read_params(params_file)
    groups = {path.name for path in conf_dir.iterdir() if path.is_dir()}
    chosen = {"task": params["task"], **flatten(params.get("overrides") or {})}
    selections = [_select(conf_dir, key, value, params_file) for key, value in chosen.items() if key in groups]
    values = {key: value for key, value in chosen.items() if key not in groups}
    try:
        with initialize_config_dir(str(conf_dir.resolve()), version_base="1.3"):
            composed = hydra_compose("config", overrides=selections)
        OmegaConf.set_struct(composed, False)
        for key, value in values.items():
            OmegaConf.update(composed, key, value, force_add=True)
        result = dict(OmegaConf.to_container(composed, resolve=True))  # type: ignore[arg-type]
    except (HydraException, OmegaConfBaseException, yaml.YAMLError) as error:
        message = " ".join(str(error).partition("Config search path")[0].split()).rstrip(".")
        raise ConfigError(
            found=f"the configuration cannot be composed ({message})",
            where=str(params_file),
            expected="overrides that fit the groups under conf/",
            remedy=REMEDY,
        ) from None
    if result.get("task") != params["task"]:
        raise ConfigError(
            found=f"it says `task: {result.get('task')}`",
            where=str(conf_dir / "task" / f"{params['task']}.yaml"),
            expected=f"`task: {params['task']}`, the name of the file: reports and contracts carry it",
            remedy="Correct that line",
        )
    return result


def _select(conf_dir: Path, group: str, value: Any, params_file: Path) -> str:
    """Return Hydra's selection of a group's option, or options, after making sure that they exist."""
    available = sorted(path.stem for path in (conf_dir / group).glob("*.yaml"))
    unknown = [option for option in (value if isinstance(value, list) else [value]) if option not in available]
    if unknown:
        raise ConfigError(
            found=f"{unknown[0]!r} is not an option of {group}",
            where=str(params_file),
            expected=f"one of {', '.join(available)}, the files of {conf_dir / group}",
            remedy="Correct it, or add a file of that name",
        )
    return f"{group}=[{','.join(value)}]" if isinstance(value, list) else f"{group}={value}"


def _read_params(params_file: Path) -> dict[str, Any]:
    try:
        params = yaml.safe_load(params_file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        params = None
        found = f"it cannot be read as YAML ({' '.join(str(error).split())})"
    else:
        found = f"it holds {params!r}"
    if (
        not isinstance(params, dict)
        or not isinstance(params.get("task"), str)
        or not isinstance(params.get("overrides"), dict | None)
        or set(params) - {"task", "overrides"}
        or "task" in (params["overrides"] if params.get("overrides") else {})
    ):
        raise ConfigError(
            found=found,
            where=str(params_file),
            expected="the key `task` (a file name in conf/task) and, if wanted, the mapping `overrides`, nothing else",
            remedy="Write, for example, `task: vibration` and `overrides: {train.epochs: 30}`",
        )
    return params


def validate(composed: dict[str, Any], where: str) -> Config:
    """Check a composed configuration against the schemas.

    Parameters
    ----------
    composed : dict
    where : str
        The file to name in an error.

    Raises
    ------
    ConfigError
        Lists every problem at once: key path, value received, what was expected.
    """
    return check(composed, Config, where)


def write_config(path: Path, config: Config) -> None:
    """Write the validated configuration as YAML with sorted keys."""
    text = yaml.safe_dump(config.model_dump(mode="json", by_alias=True), sort_keys=True, allow_unicode=True)
    path.write_text(text, encoding="utf-8")
