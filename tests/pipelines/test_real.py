"""The pipelines on a tiny network, with training, conversion and csim for real."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pquant_hls.decide import Verdict
from pquant_hls.errors import OutputError, SpecError
from pquant_hls.network import load_model, model_digest
from pquant_hls.pipelines import (
    CompressionPipeline,
    Gate,
    HEPCompressionPipeline,
    StandardCompressionPipeline,
    ValidationPipeline,
    fine_tune,
    prune,
    quantize,
)
from pquant_hls.store import read_ledger
from tests.helpers import known, latency_of

pytestmark = [pytest.mark.gxx, pytest.mark.slow]
DOCS = Path(__file__).resolve().parents[2] / "docs" / "pipelines.md"


@pytest.fixture(scope="module")
def standard(
    model: Any, train: Any, val: Any, test_events: Any, tmp_path_factory: pytest.TempPathFactory
) -> Any:
    out = tmp_path_factory.mktemp("standard") / "run"
    model.compile("adam", "sparse_categorical_crossentropy")
    before = _state(model)
    result = StandardCompressionPipeline(6, 0.9, epochs=3, learned_epochs=0, out=out).execute(
        model, train, val, test_events
    )
    assert _state(model) == before, "the caller's model is never changed"
    return result


def _state(model: Any) -> list[Any]:
    """Weights and configuration, trainable flags, compilation."""
    flags = [layer.trainable for layer in model.layers]
    return [model_digest(model), model.get_config(), flags, model.optimizer, model.loss]


def test_standard_reaches_its_ratio_in_real_firmware(standard: Any) -> None:
    assert standard.verdict is Verdict.MET
    assert standard.ratio >= 6
    assert standard.qor.csim_match == 1.0
    assert standard.qor.accuracy >= 0.9 * standard.baseline_accuracy
    assert standard.qor.metrics["test_accuracy"] is not None
    kinds = [
        entry.settings["config"].get("method")
        for entry in read_ledger(standard.folder)
        if entry.kind == "step"
    ]
    assert "magnitude" in kinds, "zero weights save hardware here"
    assert standard.ratio < 8, "no more is taken than was asked for"


def test_a_result_unpacks_and_leaves_a_run_folder(standard: Any) -> None:
    model, qor, verdict, history, folder = standard
    assert (len(standard), standard[1]) == (5, qor)
    assert (model, qor, verdict, history, folder) == (
        standard.model,
        standard.qor,
        standard.verdict,
        standard.history,
        standard.folder,
    )
    for name in ("run.json", "ledger.jsonl", "handover/model.keras", "handover/qor.json", "handover/project"):
        assert (folder / name).exists(), name
    assert json.loads((folder / "run.json").read_text())["status"] == "finished"
    assert model_digest(load_model(folder / "handover" / "model.keras")) == model_digest(model)
    steps = [entry for entry in read_ledger(folder) if entry.kind == "step"]
    assert steps
    assert all(entry.parent and entry.digest for entry in steps)


def test_a_run_is_taken_up_where_it_stopped(
    standard: Any, model: Any, train: Any, val: Any, test_events: Any
) -> None:
    heard: list[str] = []
    options = {"epochs": 3, "out": standard.folder, "listen": lambda event: heard.append(event.kind)}
    again = StandardCompressionPipeline(6, 0.9, learned_epochs=0, **options).execute(
        model, train, val, test_events, resume=True
    )
    assert "epoch" not in heard, "nothing is trained twice"
    assert again.history == standard.history
    assert model_digest(again.model) == model_digest(standard.model)
    with pytest.raises(OutputError, match="not empty"):
        StandardCompressionPipeline(6, 0.9, learned_epochs=0, **options).execute(
            model, train, val, test_events
        )
    with pytest.raises(OutputError, match="another"):
        StandardCompressionPipeline(7, 0.9, **options).execute(model, train, val, test_events, resume=True)


def test_wider_accumulators_change_no_value_and_no_type_but_their_own(
    standard: Any, val: Any, tmp_path: Path
) -> None:
    from pquant_hls.csim import build, predict
    from pquant_hls.hls import convert
    from pquant_hls.network import keras_predict
    from pquant_hls.spec import HlsSpec

    plain = convert(standard.model, HlsSpec(), tmp_path / "plain")
    wide = convert(standard.model, HlsSpec(wide_accumulators=True), tmp_path / "wide")
    outputs = predict(build(wide, cache=tmp_path / "cache"), val[0])
    np.testing.assert_array_equal(outputs, keras_predict(standard.model, val[0]))
    assert plain.graph is not None
    assert wide.graph is not None
    for before, after in zip(plain.graph.nodes, wide.graph.nodes, strict=True):
        assert before.result == after.result
        if before.op == "dense":
            weight, source = after.types["weight"], wide.graph.node(after.inputs[0]).result
            assert after.types["accum"].width > source.width + weight.width
            assert after.types["accum"].frac == before.types["accum"].frac


def test_evaluate_measures_both_models_on_the_same_events(standard: Any, model: Any, val: Any) -> None:
    found = CompressionPipeline({"methods": ["pruning"]}).evaluate(model, standard, val)
    assert found["total_compression"]["compression_ratio"] == pytest.approx(standard.ratio)
    assert found["original_accuracy"] == pytest.approx(standard.baseline_accuracy)
    assert found["compressed_accuracy"] == pytest.approx(standard.qor.accuracy), "csim equals Keras"
    assert set(found["per_class"]) == {"0", "1", "2"}
    assert found["ebops"]["compressed"] > 0
    assert found["ebops"]["original"] is None


def test_validation_stops_at_a_broken_step_and_keeps_the_good_one(
    model: Any, train: Any, val: Any, tmp_path: Path
) -> None:
    steps = [
        {"step": "quantize", "bits": 8, "epochs": 1},
        {"step": "quantize", "bits": 2, "mode": "ptq"},
        {"step": "fine_tune"},
    ]
    result = ValidationPipeline(steps, 0.05, out=tmp_path / "run").execute(model, train, val)
    compressed, history = result
    assert result.verdict is Verdict.MISSED
    assert [entry["kept"] for entry in history] == [True, False]
    assert model_digest(compressed) == history[0]["digest"]
    assert result.qor.metrics["test_accuracy"] is None, "no test events were given"


def test_steps_join_loaders_fit_and_an_interrupted_run_goes_on_in_silence(
    model: Any, train: Any, val: Any, tmp_path: Path, capfd: Any
) -> None:
    import tensorflow as tf

    def interrupt(event: Any) -> None:
        if event.text.startswith("quantize"):
            raise KeyboardInterrupt

    pipeline = prune(0.2) >> quantize(6, epochs=1) >> fine_tune(1)
    loader = tf.data.Dataset.from_tensor_slices(train).batch(100)
    options = {"out": tmp_path / "run", "gates": [{"metric": "auc", "minimum": 0.99999}]}
    with pytest.raises(KeyboardInterrupt):
        pipeline.compress(model, loader, val, listen=interrupt, **options)
    run = tmp_path / "run" / "run.json"
    assert json.loads(run.read_text())["status"] == "interrupted"
    capfd.readouterr()
    result = pipeline.compress(model, loader, val, resume=True, **options)
    said = capfd.readouterr()
    assert (said.out, said.err) == ("", "")
    assert [entry["step"] for entry in result.history] == ["prune", "quantize", "fine_tune"]
    assert result.verdict is Verdict.MISSED, "the gate on the worst class's AUC decides with the rest"
    assert result.qor.csim_match == 1.0
    run.write_text("{")
    with pytest.raises(OutputError, match=r"run\.json: cannot be read"):
        pipeline.compress(model, loader, val, resume=True, **options)


def test_a_gate_on_an_unknown_figure_is_refused_before_training(
    model: Any, train: Any, val: Any, tmp_path: Path
) -> None:
    heard: list[str] = []
    gate, listen = Gate("efficency@0.01", minimum=0.1), lambda event: heard.append(event.kind)
    with pytest.raises(SpecError, match=re.escape("did you mean 'efficiency@0.01'")):
        quantize(6).compress(model, train, val, gates=[gate], out=tmp_path / "run", listen=listen)
    assert "epoch" not in heard


def test_a_trigger_model_without_data_meets_its_latency_or_says_why(model: Any, tmp_path: Path) -> None:
    options = {"epochs": 1, "max_rounds": 2, "sparsity": 0.3, "learned_epochs": 20}
    pipeline = HEPCompressionPipeline(**options)
    met = pipeline.compress_trigger_model(model, 200, out=tmp_path / "met")
    assert met.verdict is Verdict.MET
    assert known(latency_of(met.qor).worst_ns_hi) <= 200
    assert any("standard normal" in note for note in met.qor.notes)
    missed = pipeline.compress_trigger_model(
        model, 5, calibration=np.zeros((50, 6)) + np.arange(50)[:, None] / 25, out=tmp_path / "no"
    )
    assert missed.verdict is Verdict.MISSED
    assert "fc1" in missed.reason
    _, qor, history = missed
    assert qor is missed.qor
    knobs = [entry["knobs"] for entry in history if entry["kind"] == "round"]
    assert {tuple(asked) for asked in knobs} == {("design",), ("sparsity", "bits")}
    assert next(asked for asked in knobs if "sparsity" in asked) == {"sparsity": 0.3, "bits": 6}


def test_a_jet_tagger_reports_each_class_before_and_after(
    model: Any, train: Any, val: Any, tmp_path: Path
) -> None:
    result = HEPCompressionPipeline(epochs=2).compress_jet_tagger(
        model, train, val=val, max_efficiency_loss=0.3, background_rate=0.1, out=tmp_path / "run"
    )
    compressed, results = result
    assert compressed is result.model
    assert set(results) == {"original", "compressed", "0", "1", "2"}
    assert results["compressed"]["accuracy"] is not None
    for name in ("0", "1", "2"):
        figures = results[name]
        assert set(figures) == {"auc", "efficiency@0.01", "efficiency@0.1"}
        for figure in figures.values():
            assert 0 <= figure["after"][0] <= 1
            assert figure["before"][1] >= 0


def test_the_documented_pipeline_and_step_run(model: Any, train: Any, val: Any, tmp_path: Path) -> None:
    (code,) = re.findall(r"```python\n(.*?)```", DOCS.read_text(), re.DOTALL)
    space: dict[str, Any] = {"__name__": "documented"}
    exec(compile(code, str(DOCS), "exec"), space)  # noqa: S102 - the example in the docs is what is tested
    result = space["NarrowestPipeline"](epochs=1, gates=[Gate("accuracy", max_loss=0.4)]).execute(
        model, train, val, out=tmp_path / "run"
    )
    assert result.verdict is Verdict.MET
    assert result.history[0]["step"] == "clip"
    assert result.history[1]["kept"]


@pytest.mark.parametrize(
    ("make", "where"),
    [
        (lambda: CompressionPipeline({"methods": ["prunning"]}), "methods.0"),
        (lambda: CompressionPipeline({"methods": ["pruning"], "quantization": {"bits": 4}}), "quantization"),
        (lambda: CompressionPipeline({"methods": ["pruning"], "pruning": {"sparsty": 0.5}}), "sparsty"),
        (lambda: StandardCompressionPipeline(0.5), "target_compression"),
        (lambda: StandardCompressionPipeline(bugdet=3), "bugdet"),
        (lambda: HEPCompressionPipeline(epoch=3), "epoch"),
    ],
)
def test_wrong_settings_are_named(make: Any, where: str) -> None:
    with pytest.raises(SpecError, match=re.escape(where)):
        make()
