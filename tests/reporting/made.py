"""Whole run folders made of arrays alone: no training, no C++."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from pquant_hls.engine.curves import binned, class_curves, confusion, value_curves
from pquant_hls.qor import FixedArray, FixedPointGraph, FixedType, LayerQoR, Node, QoR
from pquant_hls.qor.ranges import value_range
from pquant_hls.spec import Recipe, StudySpec
from pquant_hls.store import Entry, RunFolder
from tests.helpers import PART

CLASSES = ("g", "q", "t")
LAYERS = ("fc1", "relu1", "fc2")
RECIPE = {
    "name": "tagger",
    "steps": [{"step": "quantize"}],
    "budget": {"latency_ns": 40, "max_accuracy_loss": 0.02},
}


def graph() -> FixedPointGraph:
    """Three layers; the last one's bias has bits to spare."""
    draw, byte = np.random.default_rng(0), FixedType.parse("ap_fixed<8,3>")
    types = {
        "weight": FixedType.parse("ap_fixed<6,2>"),
        "bias": byte,
        "accum": FixedType.parse("ap_fixed<16,7>"),
    }

    def dense(name: str, source: str, inputs: int, outputs: int) -> Node:
        weights = draw.integers(-32, 32, (inputs, outputs)) * (draw.random((inputs, outputs)) < 0.6)
        arrays = {"weight": FixedArray(weights, 4), "bias": FixedArray(draw.integers(-2, 3, outputs), 5)}
        return Node(name, "dense", (source,), (outputs,), types["accum"], types=types, arrays=arrays)

    ends = FixedType.parse("ap_ufixed<6,3,AP_RND_CONV,AP_SAT>")
    nodes = (
        Node("features", "input", (), (16,), FixedType.parse("ap_fixed<8,4,AP_RND_CONV,AP_SAT>")),
        dense("fc1", "features", 16, 12),
        Node("relu1", "relu", ("fc1",), (12,), ends),
        dense("fc2", "relu1", 12, 3),
    )
    return FixedPointGraph(nodes, ("fc2",))


def qor(**parts: Any) -> QoR:
    """A record by the estimator, with its layers."""
    told = {
        "cycles_max": 7,
        "cycles_max_lo": 6,
        "cycles_max_hi": 8,
        "ii_cycles": 1,
        "clock_target_ns": 5,
        "clock_estimated_ns": 3.6,
    }
    layers = [
        LayerQoR(
            name=name, op="dense", cycles=2 + n, cycles_lo=n, cycles_hi=4 + n, lut=900.0 * n, ff=10.0, dsp=0.0
        )
        for n, name in enumerate(LAYERS)
    ]
    resources = {
        "lut": 2700.0,
        "ff": 30.0,
        "dsp": 0.0,
        "bram_18k": 0.0,
        "intervals": {"lut": (2000.0, 4000.0)},
        "available": {"lut": 1728000.0, "ff": 3456000.0, "dsp": 12288.0, "bram_18k": 5376.0},
    }
    record = {
        "part": PART,
        "source": "estimate",
        "accuracy": 0.74,
        "accuracy_source": "csim",
        "csim_match": 1.0,
    }
    metrics = {"accuracy_error": 0.004, "loss_error": 0.002, "events": 10000.0, "baseline_accuracy": 0.75}
    notes = ["softmax: left out: the firmware's outputs are logits [softmax]"]
    whole = {"latency": told, "resources": resources, "layers": layers, "metrics": metrics, "notes": notes}
    return QoR.model_validate({**record, **whole, **parts})


def figures(design: FixedPointGraph) -> dict[str, Any]:
    """What hand-over writes for the page."""
    draw = np.random.default_rng(3)
    labels = draw.integers(0, 3, 3000)
    floating = draw.normal(size=(3000, 3)) + 1.6 * np.eye(3)[labels]
    sides = {"float": floating, "csim": np.round(floating * 4) / 4}
    x = draw.normal(scale=3.0, size=(200, 16))
    seen = [value_range("features", "input", design.node("features").result, x)]
    for node in design.nodes[1:]:
        values = np.abs(draw.normal(scale=4.0, size=(200, *node.shape)))
        seen.append(value_range(node.name, "result", node.result, values).with_(beyond=None))
    return {
        "schema_version": 1,
        "date": "2026-11-30T12:00:00+00:00",
        "command": "pquant-hls compress --model m.keras --data d.npz --out runs/a",
        "model": {"name": "tagger", "parameters": 4389},
        "data": {
            "name": "lhc_jets",
            "classes": list(CLASSES),
            "events": {"train": 9000, "val": 3000, "test": 3000},
        },
        "split": "test",
        "ranges": [found.model_dump() for found in seen],
        "outputs": [
            {
                "name": "fc2",
                "classes": class_curves(sides, labels, CLASSES, (0.02,)),
                "confusion": {
                    side: confusion(scores, labels, 3, threshold=0.0) for side, scores in sides.items()
                },
            }
        ],
    }


def several_outputs() -> list[dict[str, Any]]:
    """What is written of a network with values to be met beside a score without labels."""
    draw = np.random.default_rng(4)
    truth = draw.exponential(30.0, (2000, 1))
    floating = truth * draw.normal(1.0, 0.1, truth.shape)
    values = value_curves({"float": floating, "csim": np.round(floating)}, truth, (0.5,))
    score = draw.exponential(1.0, 2000)
    return [
        {"name": "pt", "values": values},
        {"name": "strangeness", "score": binned({"float": score, "csim": np.round(score * 8) / 8})},
    ]


def epochs(count: int, start: float) -> list[dict[str, Any]]:
    return [
        {
            "epoch": n,
            "epochs": count,
            "loss": start * 0.9**n,
            "val_loss": start * 0.91**n,
            "val_accuracy": 0.75 - 0.1 * 0.8**n,
            "seconds": 1.0,
        }
        for n in range(1, count + 1)
    ]


def _leave(run: RunFolder, told: dict[str, Any]) -> None:
    """What hand-over leaves in a run's folder."""
    place, design = run.path / "handover", graph()
    (place / "project").mkdir(parents=True)
    design.save(place / "project" / "pquant_graph.zip")
    (place / "qor.json").write_text(qor().model_dump_json())
    (place / "figures.json").write_text(json.dumps({**figures(design), **told}))


def tagger(path: Path, **told: Any) -> Path:
    """A finished run of the loop with everything recorded: two trainings, a round that missed, one that met."""
    identity = {"recipe": Recipe.parse(RECIPE).model_dump(mode="json"), "model": "m" * 64, "data": "d" * 64}
    with RunFolder.open(path, identity) as run:
        for number, (name, count) in enumerate((("prune", 4), ("quantize", 6))):
            folder = f"steps/{name}-{number}"
            (path / folder).mkdir(parents=True)
            (path / folder / "epochs.json").write_text(
                json.dumps({"epochs": epochs(count, 1.2 - 0.3 * number)})
            )
            ends = ("original", "pruned", "quantized")[number : number + 2]
            run.append(
                Entry(kind="step", name=name, parent=ends[0], digest=ends[1], settings={"folder": folder})
            )
        for number, cycles, verdict in ((0, 15, "MISSED"), (1, 9, "UNKNOWN"), (2, 7, "MET")):
            record = qor().model_dump(mode="json")
            record["latency"] |= {
                "cycles_max": cycles,
                "cycles_max_lo": cycles - 1,
                "cycles_max_hi": cycles + 1,
            }
            record["accuracy"] = 0.75 - 0.005 * number
            checks = [{"text": "latency", "verdict": verdict, "figures": {"name": "latency"}}]
            run.append(
                Entry.read(
                    {
                        "schema_version": 2,
                        "kind": "round" if number else "float",
                        "name": f"round {number}" if number else "float",
                        "number": number,
                        "digest": "quantized",
                        "settings": {"knobs": {"steps.0.bits": 8 - number}, "action": "tighten"},
                        "figures": {"qor": record, "account": {"nonzero_weights": 3000 - 900 * number}},
                        "reason": "most cycles are in fc1 of 9 and fc2, bits 8 -> 7 (predicted 45 ns)",
                        "verdict": verdict,
                        "checks": checks,
                    }
                )
            )
        _leave(run, told)
        run.set_status(
            "finished", verdict="MET", reason="fits", baseline_accuracy=0.75, handed_over=2, checks=[]
        )
    return path


def study(path: Path) -> Path:
    """A finished study of 40 trials, some over a limit, one that failed."""
    spec = StudySpec.parse({"name": "sweep", "budget": {"latency_ns": 45, "max_accuracy_loss": 0.03}})
    draw = np.random.default_rng(5)
    with RunFolder.open(
        path, {"study": spec.model_dump(mode="json"), "model": "m" * 64, "data": "d" * 64}
    ) as run:
        for number in range(40):
            bits, sparsity = int(draw.integers(3, 10)), float(draw.random())
            worst = 20.0 + 5.0 * bits * (1 - 0.5 * sparsity)
            accuracy = 0.76 - 0.1 * sparsity**2 - 0.15 / bits**2
            broke = [*(["latency"] if worst > 45 else []), *(["accuracy"] if accuracy < 0.72 else [])]
            told = {
                "value": accuracy,
                "excess": len(broke) / 10,
                "accuracy": accuracy,
                "accuracy_error": 0.004,
                "worst_ns": worst,
                "broke": broke,
            }
            failed = number == 17
            run.append(
                Entry(
                    kind="trial",
                    name=f"trial {number}",
                    number=number,
                    settings={"params": {"quantize.bits": bits, "prune.sparsity": sparsity}},
                    figures={"value": None, "excess": 1e6} if failed else told,
                    status="failed" if failed else "rolled_back" if broke else "kept",
                    reason="NoGain: nothing to gain" if failed else "",
                )
            )
        _leave(run, {"study": {"importance": {"quantize.bits": 0.7, "prune.sparsity": 0.3}}})
        run.set_status("finished", verdict="MET", reason="trial 3 of 40", baseline_accuracy=0.75)
    return path
