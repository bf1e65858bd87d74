"""``gate`` and ``export``: exit statuses, words, JSON and JUnit."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from defusedxml import ElementTree

from pquant_hls.qor import Latency, QoR, Resources
from tests.firmware import miniature
from tests.helpers import PART, Edit, Shell, known

INTERVAL: dict[str, Any] = {"cycles_max_lo": 6, "cycles_max_hi": 8}


def kept(path: Path, source: str = "estimate", lut: float = 900.0, **latency: Any) -> Path:
    found = Latency(cycles_max=7, ii_cycles=1, clock_target_ns=5, clock_estimated_ns=4, **latency)
    qor = QoR(
        source=source,
        latency=found,
        part=PART,
        resources=Resources(lut=lut, ff=5, dsp=0, bram_18k=0),
        csim_match=1.0,
        accuracy=0.74,
        metrics={"baseline_accuracy": 0.75},
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({**qor.model_dump(mode="json"), "verdict": "MET", "versions": {}}))
    return path


def test_limits_decide_the_status(shell: Shell, tmp_path: Path) -> None:
    file = kept(tmp_path / "run" / "handover" / "qor.json", **INTERVAL)
    for limits, status in (
        (("latency_ns=40 ns",), 0),
        (("latency_ns=35",), 4),
        (("latency_ns=25",), 1),
        (("lut=900", "exact=true", "ii_cycles=1"), 0),
        (("lut=900", "uram=10"), 4),
        (("lut=899",), 1),
        (("latency_cycles=8", "timing=true", "min_accuracy=0.74"), 4),  # the clock's uncertainty is not known
    ):
        words = [word for text in limits for word in ("--limit", text)]
        assert shell("gate", file, *words)[0] == status, limits
    sure = kept(tmp_path / "sure.json", clock_uncertainty_ns=0.6, **INTERVAL)
    asked = ("--limit", "latency_cycles=8", "--limit", "timing=true", "--limit", "min_accuracy=0.74")
    assert shell("gate", sure, *asked)[0] == 0
    assert shell("gate", tmp_path / "run", "--recipe", "jet_tagger_vu13p_200mhz")[0] == 0, (
        "a run folder, its recipe"
    )


def test_growth_since_the_last_record_fails_and_is_shown_to_ci(shell: Shell, tmp_path: Path) -> None:
    old, new = kept(tmp_path / "old.json", "csynth"), kept(tmp_path / "new.json", "csynth", lut=940)
    junit = tmp_path / "junit.xml"
    status, said, _ = shell("gate", new, "--against", old, "--tolerance", "2%", "--junit", junit)
    assert (status, "lut 940 (limit <= 918): MISSED" in said) == (1, True)
    suite = known(ElementTree.parse(junit).getroot())
    assert (suite.get("tests"), suite.get("failures")) == ("12", "2"), (
        "the verdict, 7 figures, room on the part"
    )
    found = json.loads(shell("gate", new, "--against", old, "--tolerance", "0.05", "--json")[1])
    assert (found["verdict"], found["source"], len(found["checks"])) == ("MET", "csynth", 11)


def test_bad_input_is_one_line_and_status_two(shell: Shell, tmp_path: Path) -> None:
    file, text = kept(tmp_path / "qor.json"), tmp_path / "text.json"
    text.write_text('{"latency": 5}')
    for words, said in (
        ((file,), "nothing to judge by"),
        ((file, "--limit", "luts=5"), "unknown limit 'luts=5'"),
        ((file, "--limit", "latency_ns=fast"), "latency_ns: expected a time"),
        (
            (file, "--against", kept(tmp_path / "csynth.json", "csynth")),
            "compares estimate (hls design) with csynth",
        ),
        ((file, "--against", file, "--tolerance", "much"), "is no share"),
        ((text, "--limit", "lut=5"), "is no QoR record: latency"),
        ((tmp_path / "none", "--limit", "lut=5"), "no such file or folder"),
    ):
        status, out, complaint = shell("gate", *words)
        assert (status, out) == (2, ""), words
        assert said in complaint
        assert complaint.count("\n") == 1


@pytest.mark.gxx
def test_export_says_what_it_wrote(
    shell: Shell, mini_project: Path, csim_cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(csim_cache))
    golden = tmp_path / "mini.golden"
    assert shell("csim", "record", mini_project, "--golden", golden, "--random", 20)[0] == 0
    words = ("export", mini_project, "--out", tmp_path / "out", "--namespace", "mini_v1", "--golden", golden)
    status, said, _ = shell(*words)
    assert status == 0
    assert "mini_v1::predict equals csim on every value of 20 vectors" in said
    assert "mini_v1_cmssw.cpp" in said
    status, _, complaint = shell(*words)
    assert status == 2
    assert "exists already" in complaint


@pytest.mark.gxx
def test_a_structure_is_kept_and_what_breaks_it_is_named(
    shell: Shell, tmp_path: Path, edit: Edit, csim_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of firmware that somebody else wrote, whose graph csim bears out first."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(csim_cache))
    project, lock = miniature.project(tmp_path / "one"), tmp_path / "lock.json"
    status, said, notes = shell("gate", project, "--lock", lock)
    assert (status, "lock of fc1 0 broken (limit <= 0): MET" in said) == (0, True)
    assert "the structure of" in notes
    kept = lock.read_text()
    edit(project, "firmware/weights.h", "0.50000, -0.25000, 0.75000", "0.68750, 0.25000, 0.75000")
    junit = tmp_path / "junit.xml"
    status, said, _ = shell("gate", project, "--lock", lock, "--junit", junit)
    words = " ".join(said.split())
    assert status == 1
    assert "weight[0, 0] is 0.6875: 3 digits, 1 digit before" in words
    assert "weight[0, 1] is 0.25: 1 digit, negative, 1 digit before" in words
    assert 'failures="2"' in junit.read_text(), "the lock of fc1, and the verdict"
    assert lock.read_text() == kept
    lock.write_text("{}")
    status, _, said = shell("gate", project, "--lock", lock)
    assert (status, "lock the first training again" in " ".join(said.split())) == (2, True)
    status, _, said = shell("gate", kept_qor := tmp_path / "qor.json", "--lock", lock)
    assert (status, "no such file" in said) == (2, True)
    kept_qor.write_text(json.dumps({**QoR(source="estimate").model_dump(mode="json"), "versions": {}}))
    status, _, said = shell("gate", kept_qor, "--lock", lock)
    assert (status, "has no weights to lock" in said) == (2, True)
