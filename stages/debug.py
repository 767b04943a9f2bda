"""Name the layers that cost a quantised network its tail, worst first, with the reasons."""

from __future__ import annotations

import argparse
from pathlib import Path

from rich.console import Console
from rich.table import Table

from stages.core.artifacts import json_ready, output_directory, read_json, write_json
from stages.core.evaluation import REFERENCE
from stages.core.graph.lower import read_graph
from stages.core.graph.onnx_view import read_model
from stages.core.nets.examples import load_examples
from stages.core.quant.debug import Diagnosis, diagnose, pair_layers, sample
from stages.core.report.debug_figure import save_diagnosis
from stages.core.schema.labels import Labels
from stages.core.settings import Settings, load
from stages.core.stage import exit_with


class DebugSettings(Settings):
    """The section that this command reads."""

    labels: Labels


def main(paths: argparse.Namespace) -> str:
    """Run the command."""
    labels = load(paths.config, DebugSettings).labels
    rung = paths.rung or chosen_rung(paths.quantize)
    reference = read_graph(read_model(paths.reference or float_of(paths.quantize, rung)))
    graph = read_graph(read_model(paths.quantize / f"{rung}.onnx"))
    (val,) = load_examples(paths.split, paths.features, labels, "val")
    windows = sample(val, paths.windows)
    diagnosis = diagnose(reference, graph, windows)
    with output_directory(paths.out) as out:
        write_json(out / "debug.json", {"rung": rung, **json_ready(diagnosis)})
        layers = [op.name for _, op in pair_layers(reference, graph)]
        title = f"{rung}, {diagnosis.windows} windows of val: distance from float, by layer"
        save_diagnosis(out / "debug.png", title, diagnosis, layers)
    console = Console()
    console.width = max(console.width, 160)  # a log has no width of its own
    console.print(table(rung, diagnosis))
    worst, cost = diagnosis.reasons[0], diagnosis.cost
    return (
        f"debug: {rung} is {cost.tail_error:.3g} logits from float in the tail; leaving {worst.noise.layer} in float "
        f"heals {worst.healed:.0%} of it; {paths.out}"
    )


def chosen_rung(quantize: Path) -> str:
    """Return the rung that ships or, where float does or none, the first that was tried."""
    gate = read_json(quantize / "gate.json")
    return str(next(iter(gate["rungs"])) if gate["selected"] in (None, REFERENCE) else gate["selected"])


def float_of(quantize: Path, rung: str) -> Path:
    """Return the float network that a rung was quantised from: its own, where it was pruned or equalised before."""
    own = quantize / f"{rung}_float.onnx"
    return own if own.exists() else quantize / f"{REFERENCE}.onnx"


def table(rung: str, diagnosis: Diagnosis) -> Table:
    """Lay the ranked reasons out for a terminal."""
    cost = diagnosis.cost
    title = (
        f"{rung}: tail error {cost.tail_error:.3g} logits, AUC drop {cost.auc_drop:.4f}, TPR at 1 % FPR drop "
        f"{cost.tpr_at_fpr_1_drop:.3f}, on {diagnosis.windows} windows of val"
    )
    result = Table(title=title, title_justify="left", title_style="bold")
    for column in ("layer", "healed", "AUC drop", "TPR drop", "SQNR", "alone", "weights", "worst channel"):
        result.add_column(column, justify="left" if column == "layer" else "right", no_wrap=True)
    for column in ("saturated: healthy", "anomalous", "range", "codes"):
        result.add_column(column, justify="right", no_wrap=True)
    for reason in diagnosis.reasons:
        noise, left = reason.noise, reason.in_float
        channel = "-" if noise.worst_channel is None else f"{noise.worst_channel}: {_db(noise.worst_channel_sqnr_db)}"
        result.add_row(
            noise.layer,
            f"{reason.healed:.1%}",
            f"{left.auc_drop:.4f}",
            f"{left.tpr_at_fpr_1_drop:.3f}",
            _db(noise.sqnr_db),
            _db(noise.own_sqnr_db),
            _db(noise.weight_sqnr_db),
            channel,
            f"{noise.saturated_healthy:.3%}",
            f"{noise.saturated_anomalous:.3%}",
            "-" if noise.range_use is None else f"{noise.range_use:.0%}",
            "-" if noise.distinct_codes is None else str(noise.distinct_codes),
        )
    return result


def _db(value: float | None) -> str:
    return "-" if value is None else f"{value:.1f} dB"


def arguments() -> argparse.Namespace:
    """Parse the command line; everything has a default on the working directory's artifacts."""
    parser = argparse.ArgumentParser(prog="python -m stages.debug", description=__doc__)
    parser.add_argument("--rung", help="precision to explain; by default the one that ships")
    parser.add_argument("--reference", type=Path, help="float network; by default <rung>_float.onnx, else float.onnx")
    parser.add_argument("--windows", type=int, default=512, help="of val, evenly over each class")
    parser.add_argument("--config", type=Path, default=Path("data/config.yaml"))
    parser.add_argument("--split", type=Path, default=Path("data/split"))
    parser.add_argument("--features", type=Path, default=Path("data/features"))
    parser.add_argument("--quantize", type=Path, default=Path("models/quantize"))
    parser.add_argument("--out", type=Path, default=Path("models/debug"))
    return parser.parse_args()


if __name__ == "__main__":
    exit_with(lambda: print(main(arguments())))
