"""Lower every precision to what the device computes, plan its memory, and generate its C."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from stages.core.artifacts import output_directory, read_json, write_json
from stages.core.conversion import Around, Conversion, convert
from stages.core.errors import GateRefused
from stages.core.graph.onnx_view import read_model
from stages.core.report.plan_figure import save_plan
from stages.core.runtime.fault import Limits
from stages.core.runtime.limits import fit_limits
from stages.core.runtime.measures_file import load_measures
from stages.core.schema.convert import Convert
from stages.core.schema.decision import Decision
from stages.core.schema.labels import Labels
from stages.core.schema.runtime import Runtime
from stages.core.settings import Settings, load
from stages.core.stage import run
from stages.core.tracking import Run, track


class ConvertSettings(Settings):
    """The sections that this stage reads."""

    task: str
    labels: Labels
    decision: Decision
    runtime: Runtime
    convert: Convert


def main(paths: argparse.Namespace) -> str:
    """Run the stage."""
    settings = load(paths.config, ConvertSettings)
    params = {"convert": settings.convert.model_dump(), "decision": settings.decision.model_dump()}
    with track("convert", params, paths.out, paths.generated) as record:
        return convert_all(paths, settings, record)


def convert_all(paths: argparse.Namespace, settings: ConvertSettings, record: Run) -> str:
    """Convert every precision, and return the closing line."""
    gate = read_json(paths.quantize / "gate.json")
    selected = gate["selected"]
    if selected is None:
        raise GateRefused(
            found="no precision was selected",
            where=str(paths.quantize / "gate.json"),
            expected="one rung within every limit",
            remedy="See its rows; change what quantize reads and run `dvc repro`",
        )
    # A rung that could not be made has no network; the one that ships must.
    models = {
        rung: read_model(paths.quantize / f"{rung}.onnx")
        for rung in gate["rungs"]
        if rung == selected or (paths.quantize / f"{rung}.onnx").is_file()
    }
    preprocess = read_json(paths.features / "contract.json")
    limits = fault_limits(paths.features, settings.runtime, preprocess["window"])
    around = Around(settings.decision, settings.runtime, limits)
    rungs = {rung: conversion(paths, settings, rung, model, preprocess, around) for rung, model in models.items()}
    ships = rungs[selected]
    with (
        output_directory(paths.out) as out,
        output_directory(paths.generated) as generated,
    ):
        (out / "model.onnx").write_bytes(models[selected])
        write(ships, out, generated)
        for rung, converted in rungs.items():
            folder = out / "rungs" / rung
            (folder / "generated").mkdir(parents=True)
            write(converted, folder, folder / "generated")
        record.params({"precision": selected})
        record.metrics({"weight_bytes": len(ships.weights)})
        record.headline({"arena_bytes": ships.arena.arena_bytes})
        record.hashes({name: ships.contract[name] for name in ("model_version", "graph_hash", "preprocess_id")})
    return (
        f"convert: {selected} of {', '.join(rungs)}: {len(ships.graph.ops)} operations, weights {len(ships.weights)} "
        f"bytes, arena {ships.arena.arena_bytes} bytes (lower bound {ships.arena.lower_bound}), threshold codes "
        f"{ships.contract['decision']['threshold_codes']}"
    )


def conversion(
    paths: argparse.Namespace,
    settings: ConvertSettings,
    rung: str,
    model: bytes,
    preprocess: dict[str, Any],
    around: Around,
) -> Conversion:
    """Convert one precision, at its own thresholds."""
    facts: dict[str, Any] = {"leaky": read_json(paths.split / "split.json")["leaky"], "task": settings.task}
    thresholds = read_json(paths.quantize / "thresholds.json")[rung]
    return convert(
        model,
        rung,
        thresholds,
        preprocess,
        settings.labels.classes,
        facts,
        around=around,
        streaming_layers=settings.convert.streaming_layers,
    )


def fault_limits(features: Path, runtime: Runtime, window: int) -> tuple[Limits, ...]:
    """Fit the fault gate to the training windows, if there is one."""
    if runtime.fault_gate is None:
        return ()
    measures, rails = load_measures(features / "measures.parquet")
    gate = runtime.fault_gate
    return fit_limits(measures, rails, window, quantile=gate.quantile, headroom=gate.headroom)


def write(converted: Conversion, folder: Path, generated: Path) -> None:
    """Write what belongs to one precision."""
    (folder / "weights.bin").write_bytes(converted.weights)
    steps = [op.name for op in converted.graph.ops]
    save_plan(folder / "plan.png", converted.contract["precision"], converted.buffers, converted.arena, steps)
    write_json(folder / "contract.json", converted.contract)
    for name, text in converted.files.items():
        (generated / name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    run(main, "split", "features", "quantize", "generated")
