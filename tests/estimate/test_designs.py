"""Reading designs for the benchmark: whatever a file lacks or has wrong is unknown or a stated reason."""

from __future__ import annotations

import copy
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"
TYPE = {"text": "ap_fixed<16,6>", "width": 16, "integer": 6, "signed": True}
WEIGHT = {"text": "ap_fixed<8,1>", "width": 8, "integer": 1, "signed": True}
JUNK: tuple[Any, ...] = (
    None,
    0,
    -1,
    1e308,
    float("nan"),
    "",
    "27%",
    "5 ns",
    [],
    {},
    [1, 2],
    {"a": 1},
    True,
    10**12,
)


@pytest.fixture(scope="module")
def scripts() -> Iterator[Any]:
    """The benchmark's modules, which live outside the package."""
    sys.path.insert(0, str(BENCHMARKS))
    import _designs
    import estimator

    yield _designs, estimator
    sys.path.remove(str(BENCHMARKS))


def dense(n_in: int, n_out: int, key: str) -> dict[str, Any]:
    """One dense layer as the corpus writes it."""
    return {
        "op": "dense",
        "name": key,
        "n_in": n_in,
        "n_out": n_out,
        "strategy": "latency",
        "reuse_factor": 1,
        "input_type": TYPE,
        "output_type": TYPE,
        "weight_type": WEIGHT,
        "accum_type": TYPE,
        "n_zeros": 2,
        "arrays": {
            "weight": {"key": f"{key}.weight", "shape": [n_in, n_out], "axes": "in,out", "frac_bits": 7}
        },
    }


def record() -> dict[str, Any]:
    """A tagger of two dense layers with the report of its top."""
    relu = {"op": "relu", "name": "act", "n_in": 8, "input_type": TYPE, "output_type": TYPE}
    return {
        "schema": "synthesis-corpus-design/1",
        "id": "mine",
        "kind": "parallel_mlp_latency",
        "source": {"repo": "owner/name"},
        "trust": {"level": "high"},
        "tool": {"name": "Vitis HLS", "version": "2023.1"},
        "target": {"part": "xcvu13p-flga2577-2-e", "clock_target_ns": 5.0, "clock_uncertainty_ns": 0.62},
        "hls4ml": {"io_type": "io_parallel", "backend": "Vitis"},
        "input": {"name": "x", "type": TYPE, "shape": [6]},
        "layers": [dense(6, 8, "a"), relu, dense(8, 3, "b")],
        "result": {"latency_cycles_max": 5, "used": {"lut": 3000, "ff": 700, "dsp": 0, "bram_18k": None}},
        "weights_file": "mine.npz",
    }


def write(folder: Path, entry: object, *, weights: bool = True) -> Path:
    """The folder with one design in it."""
    (folder / "mine.json").write_text(json.dumps(entry))
    if weights:
        rng = np.random.default_rng(0)
        arrays: dict[str, Any] = {
            "a.weight": rng.integers(-90, 90, (6, 8)),
            "b.weight": rng.integers(-90, 90, (8, 3)),
        }
        np.savez(folder / "mine.npz", **arrays)
    return folder


def test_a_whole_design_is_read_and_judged(scripts: Any, tmp_path: Path) -> None:
    designs, estimator = scripts
    read = designs.read_designs(write(tmp_path, record()))
    verdicts = estimator.judge(read.designs)
    (row, total) = estimator.table(verdicts.found)
    assert read.unread == {}
    assert row["designs"] == "parallel_mlp_latency | Vitis HLS | ultrascale+ | 5 ns"
    ((_, qor),) = verdicts.found
    inside = qor.latency.cycles_max_lo <= 5 <= qor.latency.cycles_max_hi
    assert (row["n"], total["n"], row["in interval"]) == (1, 1, float(inside))
    assert row["MAE"] == abs(qor.latency.cycles_max - 5)
    assert estimator.left_out(read, verdicts) == []


def test_missing_or_broken_weights_are_unknown_weights(scripts: Any, tmp_path: Path) -> None:
    designs, estimator = scripts
    (design,) = designs.read_designs(write(tmp_path, record(), weights=False)).designs
    assert "weight" not in design.graph.node("n0").arrays
    (tmp_path / "mine.npz").write_bytes(b"PK\x03\x04 cut short")
    (again,) = designs.read_designs(tmp_path).designs
    assert again.graph.node("n0").attrs["n_zeros"] == 2
    ((_, qor),) = estimator.judge([again]).found
    assert any("weights unknown" in note for note in qor.notes)


@pytest.mark.parametrize(
    ("path", "value", "reason"),
    [
        (("schema",), "other/1", "not a design of schema"),
        (("layers",), [], "no layers"),
        (("target", "part"), None, "no part"),
        (("target", "clock_target_ns"), None, "no clock"),
        (("target", "clock_target_ns"), -5, "no clock"),
        (("layers", 0, "n_out"), 10**9, "values"),
        (("input", "shape"), [10**12], "an input of shape"),
    ],
)
def test_what_makes_no_design_is_left_out_with_its_reason(
    scripts: Any, tmp_path: Path, path: tuple[str | int, ...], value: Any, reason: str
) -> None:
    designs, estimator = scripts
    entry = record()
    place: Any = entry
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = value
    read = designs.read_designs(write(tmp_path, entry))
    assert read.designs == []
    assert reason in read.unread["mine.json"]
    (line,) = estimator.left_out(read, estimator.judge([]))
    assert (line["designs"], line["first"]) == (1, "mine.json")


def test_nulls_an_unknown_tool_and_a_foreign_operation_are_taken_as_they_are(
    scripts: Any, tmp_path: Path
) -> None:
    designs, estimator = scripts
    entry = record()
    entry["tool"] = {"name": None, "version": "2024.1"}
    entry["target"] = {"family": "7series", "part": None, "clock_target_ns": 5, "clock_uncertainty_ns": None}
    entry["result"] = {"latency_cycles_max": None, "used": None}
    (design,) = designs.read_designs(write(tmp_path, entry)).designs
    assert (design.target.tool, design.family, design.truth.cycles) == ("vitis", "7series", None)
    entry["layers"][1]["op"] = "somebodys_kernel"
    read = designs.read_designs(write(tmp_path, entry))
    verdicts = estimator.judge(read.designs)
    assert verdicts.refused == {"mine": "no latency rule for somebodys_kernel"}
    assert estimator.left_out(read, verdicts)[0]["reason"].startswith("NotMeasured")


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("dense", ("dense", "dense", False)),
        ("conv_2d_cl_me", ("conv2d", "conv_2d_cl", True)),
        ("clone_stream_ss", ("clone", "clone_stream", True)),
        ("resize_nearest", ("other", "Resize", False)),
        ("gru_stack", ("other", "GRU", False)),
        ("film_ss", ("other", "film_ss", True)),
    ],
)
def test_kernels_that_somebody_rewrote_are_told_from_those_of_hls4ml(
    scripts: Any, name: str, expected: tuple[str, str, bool]
) -> None:
    import _firmware

    assert _firmware.operation(name) == expected


def test_damaged_designs_never_end_the_benchmark(scripts: Any, tmp_path: Path) -> None:
    designs, estimator = scripts
    rng = np.random.default_rng(7)
    kinds = set()
    for _ in range(250):
        entry = damaged(record(), rng)
        text = json.dumps(entry)
        write(tmp_path, entry)
        if rng.random() < 0.05:
            (tmp_path / "mine.json").write_text(text[: int(rng.integers(len(text)))])
        read = designs.read_designs(tmp_path)
        verdicts = estimator.judge(read.designs)
        rows, missing = estimator.table(verdicts.found), estimator.left_out(read, verdicts)
        assert rows or missing
        kinds.add("judged" if rows else missing[0]["reason"].split(":")[0])
    assert {"judged", "cannot be read"} <= kinds


def damaged(entry: dict[str, Any], rng: np.random.Generator) -> dict[str, Any]:
    """The record with one to three values replaced or taken out."""
    for _ in range(int(rng.integers(1, 4))):
        places = list(_places(entry))
        parent, key = places[int(rng.integers(len(places)))]
        if rng.random() < 0.3 and isinstance(parent, dict):
            del parent[key]
        else:
            parent[key] = copy.deepcopy(JUNK[int(rng.integers(len(JUNK)))])
    return entry


def _places(value: Any) -> Iterator[tuple[Any, Any]]:
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in list(items):
        if key != "schema":
            yield value, key
            yield from _places(inner)
