"""Settings of every pipeline: what is wrong is named before any work, in one line."""

from __future__ import annotations

import logging
import math
import re
from typing import Any

import numpy as np
import pytest

from pquant_hls.engine import Event
from pquant_hls.engine.watch import LOG
from pquant_hls.errors import PquantError, SpecError, ToolNotFound
from pquant_hls.pipelines import (
    AdaptivePipeline,
    AutoTuningPipeline,
    CompressionPipeline,
    HEPCompressionPipeline,
    StandardCompressionPipeline,
    ValidationPipeline,
    prune,
    quantize,
)
from pquant_hls.pipelines.setup import Setup
from pquant_hls.pipelines.trigger import TriggerPipeline

MAKERS: dict[str, Any] = {
    "standard": StandardCompressionPipeline,
    "adaptive": lambda **options: AdaptivePipeline(**{"budget": 50, **options}),
    "validation": lambda **options: ValidationPipeline(["quantization"], **options),
    "compression": lambda **options: CompressionPipeline(["quantization"], **options),
    "auto": AutoTuningPipeline,
    "hep": HEPCompressionPipeline,
}
EVERYWHERE: list[tuple[str, Any]] = [
    ("seed", -1),
    ("seed", "first"),
    ("epochs", -1),
    ("epochs", math.nan),
    ("verbose", -1),
    ("verbose", "loud"),
    ("resume", "perhaps"),
    ("out", 3),
    ("hls", {"clok_ns": 5}),
    ("hls", 5),
    ("gates", 3),
    ("gates", [1]),
    ("gates", [{"metric": "auc"}]),
    ("training", {"learning_rat": 1e-3}),
    ("training", 3),
    ("listen", "me"),
    ("budget", 0),
    ("budget", -5),
    ("budget", math.nan),
    ("budget", math.inf),
    ("budget", "soon"),
    ("budget", {}),
    ("budget", {"latencyns": 5}),
]
OWN: dict[str, list[tuple[str, Any]]] = {
    "standard": [
        ("target_compression", value) for value in (0, 1, -3, math.nan, math.inf, "eight", None, [8])
    ]
    + [("preserve_accuracy", value) for value in (0, 1.5, 98, math.nan, "all", None)],
    "adaptive": [("max_accuracy_loss", value) for value in (-0.1, 2, math.nan, "some", None)]
    + [("budget", None)],
    "validation": [("max_degradation", value) for value in (-0.1, 1, math.nan, "some", None)],
    "auto": [
        ("n_trials", 0),
        ("timeout", 0),
        ("objective", "speed"),
        ("tolerance", 2),
        ("search_space", {"bitz": [3, 5]}),
        ("search_space", {"bits": [0, 8]}),
        ("search_space", {"bits": ["a", "b"]}),
        ("search_space", {"sparsity": [0, 2]}),
        ("search_space", {"reuse_factor": [0, 1]}),
        ("search_space", 3),
        ("search_space", {"bits": 4}),
    ],
    "hep": [
        ("sparsity", 1),
        ("sparsity", math.nan),
        ("bits", 1),
        ("bits", "six"),
        ("max_rounds", 0),
        ("allow", "magic"),
        ("allow", None),
        ("clocks_ns", (0,)),
        ("reuse_factors", (1,)),
        ("max_accuracy_loss", -1),
        ("rank", 0),
        ("rare_classes", None),
        ("background_rate", 0),
        ("background_rate", math.nan),
        ("max_efficiency_loss", 2),
    ],
}


@pytest.mark.parametrize("name", list(MAKERS))
def test_a_wrong_setting_is_a_spec_error_that_names_it(name: str) -> None:
    for key, value in [*EVERYWHERE, *OWN.get(name, [])]:
        with pytest.raises(SpecError) as caught:
            MAKERS[name](**{key: value})
        text = str(caught.value)
        assert key.removeprefix("search_") in text, f"{name} {key}={value!r} gave {text!r}"
        assert "\n" not in text


@pytest.mark.parametrize(
    ("name", "wrong", "right"),
    [
        ("standard", "target_compresion", "target_compression"),
        ("validation", "max_degradaton", "max_degradation"),
        ("auto", "n_trial", "n_trials"),
        ("hep", "max_round", "max_rounds"),
        ("compression", "sed", "seed"),
    ],
)
def test_a_misspelt_option_is_told_the_right_name(name: str, wrong: str, right: str) -> None:
    with pytest.raises(SpecError, match=f"{wrong}: unknown option, did you mean '{right}'"):
        MAKERS[name](**{wrong: 3})


@pytest.mark.parametrize(
    ("config", "text"),
    [
        ({"methods": None}, "expected a list of steps"),
        ({"methods": "pruning"}, "expected a list of steps"),
        ({"methods": ["pruning"], "pruning": 3}, "pruning: expected settings"),
        ({"methods": [3]}, "methods.0"),
        ({}, "methods: no step is named"),
        ([], "expected a list of steps"),
        (None, "expected a list of steps"),
        ([{"step": "prune", "sparsity": 1.0}], "steps.0.sparsity"),
    ],
)
def test_a_wrong_list_of_steps_is_refused_by_both_pipelines_that_take_one(config: Any, text: str) -> None:
    for made in (CompressionPipeline, ValidationPipeline):
        with pytest.raises(SpecError, match=re.escape(text)):
            made(config)


def test_validation_takes_steps_in_every_form_that_compression_takes() -> None:
    configs: tuple[Any, ...] = ({"methods": ["pruning", "quantization"]}, prune(0.5) >> quantize(6))
    for config in configs:
        assert [getattr(step, "step", "") for step in ValidationPipeline(config).steps] == [
            "prune",
            "quantize",
        ]


def test_numbers_of_numpy_and_single_values_are_taken() -> None:
    four: Any = np.float32(4)
    pipeline = StandardCompressionPipeline(
        four, np.float64(0.5), epochs=np.int64(3), seed=np.int32(2), budget=np.int64(60)
    )
    assert (pipeline.target, pipeline.setup.epochs, pipeline.setup.seed) == (4.0, 3, 2)
    assert HEPCompressionPipeline(allow="clock", clocks_ns=2.5, rare_classes=2).options["allow"] == "clock"


def test_a_bad_latency_or_model_is_refused_before_a_folder_is_made(
    model: Any, train: Any, tmp_path: Any
) -> None:
    pipeline = HEPCompressionPipeline(epochs=1, out=tmp_path / "run")
    wrong: tuple[Any, ...] = (0, -1, math.nan, math.inf, "fast", None, [25])
    for latency in wrong:
        with pytest.raises(SpecError, match="budget"):
            pipeline.compress_trigger_model(model, latency, train)
    for call in (pipeline.compress_trigger_model, pipeline.compress_jet_tagger):
        with pytest.raises(PquantError, match="Keras model"):
            call("model.keras", train=train)
    assert not (tmp_path / "run").exists()


def test_a_budget_beside_the_latency_needs_no_limit_of_its_own(
    model: Any, train: Any, tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Any] = []
    monkeypatch.setattr(TriggerPipeline, "run", lambda pipeline, *_: asked.append(pipeline.setup.budget))
    HEPCompressionPipeline(out=tmp_path / "run").compress_trigger_model(
        model, "25 ns", train, budget={"deliver": "rtl"}
    )
    assert (asked[0].latency_ns, asked[0].deliver) == (25, "rtl")


def test_a_source_whose_tool_is_missing_is_refused_before_any_training(
    model: Any, train: Any, tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pquant_hls.measure.by_tool.has_synthesis", lambda spec: False)
    with pytest.raises(ToolNotFound, match="measure: auto"):
        quantize(6).compress(
            model, train, out=tmp_path / "run", budget={"latency_ns": 50, "measure": "csynth"}
        )
    assert not (tmp_path / "run").exists()


def test_progress_is_silent_plain_or_moving(capsys: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(LOG, "handlers", [])
    events = [
        Event("stage", "prune"),
        Event("epoch", "training", {"epoch": 1, "epochs": 2, "loss": 0.5}),
        Event("round", "round 1", {"qor": {"accuracy": 0.75, "source": "estimate"}, "verdict": "MET"}),
    ]
    said = []
    for verbose in (0, 1, 2):
        for event in events:
            Setup(verbose=verbose).listener(event)
        said.append(capsys.readouterr().err)
    assert said[0] == ""
    assert "prune" in said[1]
    assert "accuracy 75.00 %" in said[1]
    assert "epoch" not in said[1]
    assert "loss 0.5" in said[2]
    assert logging.getLogger("pquant_hls").handlers
    monkeypatch.setattr("sys.stderr.isatty", lambda: True, raising=False)
    assert type(Setup(verbose=1).listener).__name__ == "Terminal"
