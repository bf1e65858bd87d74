"""One machine for every policy: who may open a run folder, what a policy of one's own gets, how results unpack."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

import pytest

import pquant_hls
from pquant_hls.decide import Verdict
from pquant_hls.engine import (
    Bench,
    CompressionResult,
    Ending,
    Event,
    Goal,
    Order,
    Point,
    StudyResult,
    TaggerResult,
    TriggerResult,
    ValidationResult,
    run_policy,
)
from pquant_hls.qor import QoR
from pquant_hls.spec import HlsSpec
from pquant_hls.spec.steps import QuantizeConfig
from pquant_hls.store import Entry, read_json, read_ledger

PACKAGE = Path(pquant_hls.__file__).parent


@pytest.mark.parametrize(
    ("kind", "names"),
    [
        (CompressionResult, ("model", "qor", "verdict", "history", "folder")),
        (StudyResult, ("model", "best_config")),
        (TriggerResult, ("model", "qor", "history")),
        (TaggerResult, ("model", "results")),
        (ValidationResult, ("model", "history")),
    ],
)
def test_results_unpack_index_and_count_as_documented(
    kind: type[CompressionResult], names: tuple[str, ...]
) -> None:
    history = (Entry(kind="note", name="a"),)
    found = kind("model", QoR(), Verdict.MET, history, Path("x"), best_config={"a": 1}, results={"b": 2})
    wanted = [getattr(found, name) for name in names]
    assert isinstance(found, CompressionResult)
    assert list(found) == list(found.parts()) == wanted
    assert len(found) == len(names)
    assert [found[index] for index in range(len(names))] == wanted


def test_only_the_machine_opens_run_folders() -> None:
    openers = [path for path in PACKAGE.rglob("*.py") if "RunFolder.open(" in path.read_text()]
    assert [path.relative_to(PACKAGE).as_posix() for path in openers] == ["engine/policy.py"]


class Eight:
    """A policy without a pipeline around it: 8 bits, once."""

    name: ClassVar[str] = "eight"
    result = ValidationResult

    def identity(self, setup: Order) -> dict[str, Any]:
        return {"eight": setup.hls.model_dump(mode="json")}

    def policy(self, bench: Bench, start: Point, setup: Order) -> Ending:
        point = bench.apply(start, QuantizeConfig(bits=8, mode="ptq"))
        entry = Entry(kind="stage", name="eight", parent=start.digest, digest=point.digest, status="kept")
        bench.record(entry, "eight bits")
        return Ending(point, Goal(gates=setup.gates, budget=setup.budget), "as asked", (entry,))


@pytest.mark.gxx
def test_a_policy_of_ones_own_needs_no_pipeline_and_no_budget(
    small_tagger: Any, few_jets: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    heard: list[Event] = []
    order = Order(HlsSpec(), listener=heard.append)
    found = run_policy(Eight(), small_tagger, few_jets, order)
    model, history = found
    assert (model is found.model, found.verdict, found.reason) == (True, Verdict.MET, "as asked")
    assert found.folder.parent == Path("runs")
    assert [entry.kind for entry in read_ledger(found.folder)] == ["step", "stage"]
    run = read_json(found.folder / "run.json")
    assert (run["status"], run["pipeline"]) == ("finished", "eight")
    assert "csim match 1 (limit >= 1)" in [check["text"] for check in run["checks"]]
    assert run["legs"] == [check["figures"]["name"] for check in run["checks"]]
    said = "rests on csim match, what the part has; no latency was judged; no quality was judged"
    assert found.basis == said
    ledger = found.folder / "ledger.jsonl"
    ledger.write_text(ledger.read_text()[:-9])
    again = run_policy(Eight(), small_tagger, few_jets, order)
    assert any("cut short by a crash" in event.text for event in heard)
    assert again.history == history
    assert [entry.kind for entry in read_ledger(found.folder)] == ["step", "stage"]
