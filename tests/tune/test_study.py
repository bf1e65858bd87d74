"""Studies: strict specs, guarded scores, and a real one whose budget is a constraint on every trial."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pquant_hls.decide import Verdict
from pquant_hls.engine import Score
from pquant_hls.errors import NotMeasured, SpecError
from pquant_hls.spec import StudySpec
from pquant_hls.tune import OBJECTIVES, TrialFigures, gain, tune_model
from pquant_hls.tune.space import orders, steps_in
from tests.helpers import known

FIGURES = TrialFigures(0.7, 0.7, 10.0, 50.0, 1000.0, 100.0, 5000.0, Score({}))


@pytest.mark.parametrize(
    ("values", "text"),
    [
        ({"space": {"bitz": [3, 6]}}, "did you mean 'bits'"),
        ({"space": {"bits": [8, 3]}}, "exceeds high"),
        ({"space": {"prune.sparsty": [0, 0.5]}}, "did you mean 'prune.sparsity'"),
        ({"n_trails": 3}, "did you mean 'n_trials'"),
        ({"objective": "speed"}, "objective"),
        ({"gates": [{"metric": "auc"}]}, "max_loss or minimum"),
        ({"space": {"reuse_factor": []}}, "choices is empty"),
    ],
)
def test_a_wrong_study_names_the_key(values: dict[str, Any], text: str) -> None:
    with pytest.raises(SpecError, match=text):
        StudySpec.parse(values)


def test_a_study_survives_yaml(tmp_path: Path) -> None:
    path = tmp_path / "study.yaml"
    path.write_text(
        "space: {bits: [4, 6], rank: true, order: true, reuse_factor: [1, 2]}\nbudget: {latency_ns: 60 ns}\n"
    )
    spec = StudySpec.load(path)
    assert known(spec.budget).latency_ns == 60
    assert StudySpec.parse(spec.model_dump(mode="json")) == spec
    assert steps_in(spec) == ("low_rank", "quantize")
    assert orders(spec) == ["low_rank quantize"]


def test_layers_go_before_factors_are_made_and_both_before_the_grids() -> None:
    space = {"prune_layers.dropped_layers": True, "rank": True, "sparsity": True, "order": True}
    found = orders(StudySpec.parse({"space": space}))
    assert len(found) == 4, "prune may stand anywhere"
    for order in found:
        steps = order.split()
        assert steps.index("prune_layers") < steps.index("low_rank") < steps.index("quantize")


@given(st.floats(0, 1), st.floats(0, 1), st.floats(0.01, 1000))
def test_no_score_takes_the_log_of_a_ratio_below_one(low: float, high: float, ratio: float) -> None:
    worse, better = sorted((low, high))
    assert math.isfinite(gain(low, ratio))
    assert gain(better, ratio) >= gain(worse, ratio), "a better accuracy never scores lower"
    assert gain(low, ratio) <= gain(low, ratio * 1.1), "nor does a better ratio"


@pytest.mark.parametrize("name", list(OBJECTIVES))
def test_objectives_need_their_figures(name: str) -> None:
    assert OBJECTIVES[name](FIGURES) > 0
    with pytest.raises(NotMeasured):
        OBJECTIVES[name](TrialFigures(None, None, None, None, None, None, None, Score({})))


@pytest.fixture(scope="module")
def data() -> Any:
    from pquant_hls.datasets.assemble import assemble

    rng = np.random.default_rng(3)
    y = np.arange(500) % 2
    x = rng.normal(0, 1, (500, 5)) + np.where(y[:, None] == 1, 0.8, -0.8) * np.array([1, 1, 0, 0, 1])
    return assemble({"x": x.astype(np.float32), "y": y}, name="toy", where="toy", seed=0)


@pytest.fixture(scope="module")
def model(data: Any) -> Any:
    from pquant_hls.network import build_mlp
    from pquant_hls.spec.steps import FineTuneConfig
    from pquant_hls.train import fit

    net = build_mlp(5, (6,), 1, seed=0)
    fit(net, data, FineTuneConfig(epochs=10, batch_size=32, learning_rate=1e-2))
    return net


SPEC = {
    "space": {"bits": [4, 8], "sparsity": [0.0, 0.6]},
    "n_trials": 4,
    "epochs": 1,
    "final_epochs": 2,
    "tolerance": 0.2,
    "budget": {"latency_ns": 100},
}


@pytest.mark.gxx
@pytest.mark.slow
def test_every_trial_carries_the_constraint_and_the_study_resumes(
    model: Any, data: Any, tmp_path: Path
) -> None:
    import optuna

    calls = []

    def fussy(found: TrialFigures) -> float:
        calls.append(found)
        if len(calls) == 2:
            raise ZeroDivisionError("an objective with a fault")
        return known(found.accuracy) * math.log(known(found.ratio))

    out = tmp_path / "run"
    result = tune_model(model, data, StudySpec.parse(SPEC), out, objective=fussy)
    final, best = result
    assert result.verdict is Verdict.MET
    assert final is result.model
    assert set(best) == {"bits", "sparsity"}
    assert known(result.results)["reproduced"]
    assert known(result.results)["score_final"] >= known(result.results)["score_trial"] * 0.8
    study = optuna.load_study(study_name="study", storage=f"sqlite:///{out / 'study.db'}")
    constraints = [trial.system_attrs["constraints:budget"] for trial in study.trials]
    assert len(constraints) == 4
    assert all(math.isfinite(value) for value in constraints)
    assert constraints[1] > 0, "a failed trial is infeasible"
    assert "ZeroDivisionError" in (out / "trials" / "1.log").read_text()
    again = tune_model(
        model, data, StudySpec.parse({**SPEC, "n_trials": 5}), out, objective=fussy, resume=True
    )
    assert len(again.history) == 5


@pytest.mark.gxx
@pytest.mark.slow
def test_a_budget_no_trial_meets_is_missed_not_hidden(model: Any, data: Any, tmp_path: Path) -> None:
    spec = StudySpec.parse({**SPEC, "n_trials": 2, "quality": "auc", "budget": {"latency_ns": 5}})
    result = tune_model(model, data, spec, tmp_path / "run")
    assert result.verdict is not Verdict.MET
    assert known(result.results)["feasible"] == 0


@pytest.mark.gxx
@pytest.mark.slow
def test_a_budget_within_the_estimates_interval_is_unknown_not_missed(
    model: Any, data: Any, tmp_path: Path
) -> None:
    """A limit that the same design's interval holds is open: in the trial's words and in the verdict."""
    spec = {**SPEC, "n_trials": 1}
    free = tune_model(model, data, StudySpec.parse(spec), tmp_path / "free")
    latency = known(free.qor.latency)
    inside = (known(latency.worst_ns) + known(latency.worst_ns_hi)) / 2
    assert known(latency.worst_ns) < inside < known(latency.worst_ns_hi)
    tight = {**spec, "budget": {"latency_ns": inside}}
    result = tune_model(model, data, StudySpec.parse(tight), tmp_path / "tight")
    assert result.verdict is Verdict.UNKNOWN
    assert "does not reproduce" not in result.reason
    trial = next(entry for entry in result.history if entry.kind == "trial")
    assert (trial.figures.get("broke"), trial.figures["open"]) == (None, ["latency"])


def test_no_trial_at_all_is_an_error_with_a_log(model: Any, data: Any, tmp_path: Path) -> None:
    def broken(found: TrialFigures) -> float:
        return math.nan

    with pytest.raises(NotMeasured, match="no trial succeeded"):
        tune_model(model, data, StudySpec.parse({**SPEC, "n_trials": 1}), tmp_path / "run", objective=broken)
    assert "nan" in (tmp_path / "run" / "trials" / "0.log").read_text()
