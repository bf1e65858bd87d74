"""The ledger's entries: one form for all, old lines read as new ones, an append that never reads."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pquant_hls.errors import OutputError
from pquant_hls.store import Checked, Entry, RunFolder, read_ledger

STAGE = Entry(
    kind="stage",
    name="pruning",
    number=3,
    parent="a",
    digest="b",
    settings={"step": "prune", "settings": [{"sparsity": 0.5}]},
    figures={"accuracy": 0.7, "worst_ns": None},
    status="rolled_back",
    reason="accuracy 0.7 (limit >= 0.72): MISSED",
)


def test_an_append_reads_nothing_and_writes_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with RunFolder.open(tmp_path / "run", {}) as run:
        ledger = tmp_path / "run" / "ledger.jsonl"
        opened = Path.open
        asked: list[str] = []

        def watched(self: Path, mode: str = "r", *args: Any, **more: Any) -> Any:
            if self == ledger:
                asked.append(mode)
            return opened(self, mode, *args, **more)

        monkeypatch.setattr(Path, "open", watched)
        for number in range(50):
            run.append(Entry(kind="note", number=number))
            run.append(Entry(kind="note", number=0))
        assert asked == ["ab"] * 50
    assert len(read_ledger(tmp_path / "run")) == 50


def test_two_steps_that_change_nothing_are_two_lines(tmp_path: Path) -> None:
    idle = Entry(kind="step", name="prune", parent="a", digest="a")
    with RunFolder.open(tmp_path, {}) as run:
        for folder in ("steps/prune-1", "steps/prune-2", "steps/prune-1"):
            run.append(idle.with_(settings={"folder": folder}))
    assert len(read_ledger(tmp_path)) == 2


def test_a_line_cut_short_is_taken_away_when_the_run_goes_on(tmp_path: Path) -> None:
    with RunFolder.open(tmp_path, {}) as run:
        run.append(STAGE)
        run.append(STAGE.with_(number=4))
        assert not run.torn
    ledger = tmp_path / "ledger.jsonl"
    ledger.write_text(ledger.read_text()[:-5])
    with RunFolder.open(tmp_path, {}, resume=True) as run:
        assert run.torn
        run.append(STAGE.with_(number=4))
        run.append(STAGE)
    assert [entry.number for entry in read_ledger(tmp_path)] == [3, 4]
    assert [json.loads(line)["schema_version"] for line in ledger.read_text().splitlines()] == [2, 2]


def test_an_entry_reads_as_the_flat_record_of_a_history() -> None:
    assert STAGE["reason"] == "rolled back: accuracy 0.7 (limit >= 0.72): MISSED"
    assert (STAGE["stage"], STAGE["step"], STAGE["accuracy"], STAGE["kept"]) == (
        "pruning",
        "prune",
        0.7,
        False,
    )
    assert STAGE.get("verdict", "-") is None
    assert STAGE.get("nothing") is None
    assert "worst_ns" in STAGE
    assert dict(STAGE)["digest"] == "b"


statuses = st.sampled_from(["kept", "rolled_back", "left_out", "idle", "failed"])
reasons = st.sampled_from(["", "accuracy 0.7: MISSED", "rank: no layer gains", "12: of 3"])


@given(statuses, reasons)
def test_a_flat_stage_of_0_1_0_reads_as_the_entry_it_would_be(status: Any, reason: str) -> None:
    entry = STAGE.with_(status=status, reason="" if status == "kept" else reason)
    flat = {name: value for name, value in entry.told().items() if name not in {"error", "checks"}}
    again = Entry.read({"schema_version": 1, **flat})
    if status == "rolled_back" and not reason:
        return  # never written: what is rolled back has its reason
    assert (again.status, again.reason) == (entry.status, entry.reason)
    assert again.key == entry.key, "a resumed run does not write it twice"
    assert again.settings == entry.settings
    assert again.figures == entry.figures


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ({"kind": "round", "round": 2, "knobs": {"bits": 6}, "reason": "x"}, ("round 2", 2, None)),
        ({"kind": "trial", "number": 1, "excess": -0.5, "value": 2.0}, ("trial 1", 1, "kept")),
        ({"kind": "trial", "number": 1, "excess": 0.5, "value": 2.0}, ("trial 1", 1, "rolled_back")),
        ({"kind": "trial", "number": 1, "excess": 1e6, "error": "no"}, ("trial 1", 1, "failed")),
        (
            {"kind": "relax", "move": "m", "kept": False, "reason": "not better"},
            ("relax", None, "rolled_back"),
        ),
        ({"kind": "target", "reason": "not possible: no"}, ("target", None, "failed")),
        ({"kind": "note", "step": "wider accumulators", "reason": "r"}, ("wider accumulators", None, None)),
        (
            {"kind": "step", "step": "prune", "parent": "a", "child": "b", "figures": {"x": 1}},
            ("prune", None, None),
        ),
    ],
)
def test_lines_of_0_1_0_are_read_whatever_their_kind(line: dict[str, Any], found: tuple[Any, ...]) -> None:
    entry = Entry.read({"schema_version": 1, **line})
    assert (entry.name, entry.number, entry.status) == found
    assert entry.told()["kind"] == line["kind"]
    if "child" in line:
        assert (entry.digest, entry["child"], entry.figures["measured"]) == ("b", "b", {"x": 1})


def test_checks_of_0_1_0_are_texts_and_ours_are_not() -> None:
    text = "latency 30..40 ns (limit <= 40): MET"
    assert Checked.read(text) == Checked(text="latency 30..40 ns (limit <= 40)", verdict="MET")
    assert Checked.read({"text": "a: b", "verdict": "MISSED"}).text == "a: b"
    assert str(Checked.read(text)) == text


@pytest.mark.parametrize("line", [{"kind": "nonsense"}, {"schema_version": 2, "kind": "round", "colour": 1}])
def test_a_line_of_another_version_is_an_error(line: dict[str, Any]) -> None:
    with pytest.raises(OutputError, match="another version"):
        Entry.read(line)
