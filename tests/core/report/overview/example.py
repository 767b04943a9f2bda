"""A small release with two outputs, one of its rungs refused, and one board with limits."""

import struct
import zlib
from dataclasses import fields

import numpy as np
import pandas as pd

from stages.core.report.curves import roc_table
from stages.core.report.overview.facts import Judged, Node, Overview
from stages.core.report.overview.history import History, Ran, Since
from stages.core.schema.gate import METRICS

CLASSES = ["healthy", "worn_out", "broken"]
LABELS = np.repeat(np.array([0, 1, 2], dtype=np.int8), 40)
RUNGS = ["ptq", "qat", "float"]


def png():
    """One white pixel."""

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", 1, 1, 8, 0, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"\0\xff")) + chunk(b"IEND", b"")
    )


def limit(metric, value, *, minimum=None, maximum=None, passed=True, output="broken"):
    ends = {"minimum": minimum, "maximum": maximum, "low": None, "high": None}
    return {"output": output, "metric": metric, "value": value, "passed": passed, "bound": "estimate", **ends}


def rows(drop, *, passed=True):
    return [
        limit("auc", 0.9, minimum=0.8),
        limit("auc_drop", drop, maximum=0.005, passed=passed),
        limit("compression", 0.99, minimum=0.8, maximum=1.25, output="worn_out"),
    ]


def _detection():
    rates = {"auc": 0.9625, "tpr_at_threshold": 0.875, "fpr_at_threshold": 0.0125, "false_alarms_per_hour": 12345.0}
    return rates | {"tpr_at_fpr_0_1": None, "tpr_at_fpr_1": 0.75, "tpr_at_fpr_5": 0.8125}


def _stream():
    run = dict.fromkeys(("windows", "hits", "misses", "doubles", "false_alarms", "passed_over_frames"), 4)
    return run | {"counters": {"fault.unknown": 2}, "slack": None}


def overview(**changes):
    cost = dict.fromkeys(METRICS, 0.001) | {"auc_drop": -0.0000625, "tpr_at_threshold_drop": 0.0025}
    noise = dict.fromkeys(("sqnr_db", "own_sqnr_db", "weight_sqnr_db"), 31.25)
    noise |= dict.fromkeys(("saturated_healthy", "saturated_anomalous", "range_use"), 0.5)
    scores = {"label": LABELS}
    for rung in RUNGS:
        for k, name in enumerate(CLASSES[1:]):
            scores |= {f"{rung}_{name}": np.linspace(-4, 4, 120) + k, f"{rung}_{name}_code": np.arange(120) - 60}
    logits = {name: np.linspace(-4, 4, 120) for name in ("float", "shipped")}
    board = {"flash_bytes": 30_000, "ram_bytes": 2048, "arena_high_water_bytes": 100}
    steps = {"model": 400, "decide": 5, "take": 9}
    facts = {
        "task": "demo",
        "version": "1.2.3",
        "leaky": False,
        "simulated": False,
        "classes": CLASSES,
        "ordered": True,
        "dataset": {
            "sessions": [{"excluded": None, "flags": {"gaps": 0.25}}, {"excluded": "gaps", "flags": {"gaps": 9.0}}],
            "limits": {"gaps": 0.5},
            "totals": {"sessions": 2, "groups": 2, "hours": 0.5, "excluded": 1, "flagged": 0},
            "artefacts": [{"name": "unit", "found": True}],
            "dataset_id": "f00d" * 16,
        },
        "split": {
            "by": "group",
            "groups": {"train": ["a"], "test": ["b"]},
            "sessions": {"train": ["a"], "test": ["b"]},
            "windows": {"train": {"healthy": 7}, "test": dict.fromkeys(CLASSES, 40)},
        },
        "proof": {"holds": True, "checks": [{"check": "no group_id in two parts", "compared": 2, "crossing": []}]},
        "scaling": {
            "scaler": "robust",
            "costs": {
                "robust": {
                    "x": {"distinct_codes": 9, "band_sqnr_db": None, "events_sqnr_db": 4.0, "healthy_clipped": 0.0}
                    | {"events_clipped": 0.125, "order_kept": None}
                }
            },
        },
        "history": [{"epoch": n, "train_loss": 1 / n, "val_loss": 2 / n} for n in (1, 2, 3)],
        "gate": {
            "selected": "qat",
            "ladder": RUNGS,
            "missing": {},
            "rungs": {"ptq": rows(0.01, passed=False), "qat": rows(0.004), "float": rows(0.0)},
        },
        "thresholds": {rung: [{"logit": 1.0, "code": 8}, {"logit": 1.5, "code": 9}] for rung in RUNGS},
        "layers": {
            "qat": {"reasons": [{"noise": noise | {"layer": name}, "healed": 0.5} for name in ("head", "stem")]}
        },
        "contract": {
            "operators": [{"name": "stem"}, {"name": "head"}],
            "arena_bytes": 104,
            "arena_lower_bound_bytes": 100,
        },
        "size": {
            "m4": {
                "components": {"app": {"flash_bytes": 1, "ram_bytes": 2, "meaning": "<the loop>"}},
                "total": {"flash_bytes": 1, "ram_bytes": 2},
            }
        },
        "metrics": {
            "test": {name: {output: _detection() for output in CLASSES[1:]} for name in (*RUNGS, "energy")},
            "cost": {rung: dict.fromkeys(CLASSES[1:], cost) for rung in ("ptq", "qat")},
        },
        "intervals": {"cost": {"qat": {"broken": {"auc_drop": {"low": -0.25, "high": 0.5}}}}},
        "parity": [
            {"name": "m4: score code", "windows": 8, "different": 0, "allowed": 0, "unit": "LSB"},
            {"name": "m4, ptq: score code", "windows": 9, "different": 0, "allowed": 0, "unit": "LSB"},
        ],
        "device": {
            "m4": board
            | {
                "instructions": {"operations": {"head": 100, "stem": 300}},
                "stream": {
                    "most_instructions": steps,
                    "most_instructions_per_window": 414,
                    "stack_used_bytes": 10,
                    "load": 0.25,
                },
            },
            "native": board | {"instructions": None, "stream": {"stack_used_bytes": 0}},
        },
        "price": {
            "rungs": {
                rung: {
                    "weight_bytes": 512,
                    "activations": "int8",
                    "score": "int8",
                    "boards": {
                        "m4": {
                            "arena_bytes": 1,
                            "flash_bytes": 2,
                            "ram_bytes": 3,
                            "over_budget": [],
                            "instructions": None,
                        }
                    },
                }
                for rung in RUNGS
            }
        },
        "replay": {"m4": {"s1": {"stuck_axis": _stream()}}},
        "boards": {
            "m4": {
                "cpu": "Cortex-M4",
                "budget": {"flash_bytes": 40_000, "ram_bytes": 4096, "arena_bytes": 1000, "stack_bytes": 1000}
                | {"instructions_per_window": 1000, "load": 0.5},
            },
            "native": {"cpu": "this one"},
        },
        "scores": pd.DataFrame(scores),
        "val": pd.DataFrame(scores),
        "curves": roc_table(logits, np.minimum(LABELS, 1)),
        "pictures": dict.fromkeys(("signals", "flags", "scaling", "plan", "timeline"), png()),
        "nodes": [Node("capture", (), 3, 2048), Node("train", (0,), 1, 10), Node("release", (0, 1), 0, 0)],
    }
    return Overview(**(facts | changes))


def refused():
    """The same network, of whose precisions none holds all limits."""
    given = {field.name: getattr(overview(), field.name) for field in fields(Judged)}
    rungs = {"ptq": rows(0.01, passed=False), "qat": rows(0.007, passed=False), "float": rows(0.0)}
    rungs["float"][0] |= {"passed": False, "value": 0.75}
    return Judged(**(given | {"gate": given["gate"] | {"selected": None, "rungs": rungs}}))


def history(*found):
    """Three stages that ran here, one of them not in the last run, and what changed since a release."""
    runs = {"capture": Ran(3.25, True), "train": Ran(75.0, False), "release": Ran(0.5, False)}
    return History(runs, Since("1a2b3c4", "Halve the <stem>", found))
