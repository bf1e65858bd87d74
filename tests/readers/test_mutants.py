"""Damaged reports: never a wrong figure, never another exception than ReportError."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from pquant_hls.errors import ReportError
from pquant_hls.readers import CsynthReport, read_text
from tests.readers.mutants import MUTATIONS, compare, judge
from tests.readers.report_factory import Fake, csynth_rpt, csynth_xml, every_kind


def verdicts(texts: dict[str, str], count: int, seed: int) -> list[str]:
    """Verdicts on ``count`` mutants, with what made them where a figure came out wrong."""
    rng = random.Random(seed)  # noqa: S311
    originals = {name: read_text(text, name) for name, text in texts.items()}
    found = []
    for number in range(count):
        name = rng.choice(sorted(originals))
        mutation = sorted(MUTATIONS)[number % len(MUTATIONS)]
        verdict = judge(originals[name], MUTATIONS[mutation](texts[name], rng))
        found.append(f"{verdict} ({mutation} of {name})" if verdict.startswith("WRONG") else verdict)
    return found


@pytest.mark.parametrize("seed", [1, 2])
def test_300_mutants_of_made_reports_give_no_wrong_figure(seed: int) -> None:
    found = verdicts(every_kind(), 300, seed)
    assert [verdict for verdict in found if verdict.startswith("WRONG")] == []
    assert {"right", "none", "error"} <= set(found)


@pytest.mark.corpus
def test_300_mutants_of_real_reports_give_no_wrong_figure(corpus: Path) -> None:
    texts = {}
    for path in sorted((corpus / "synthesis_corpus" / "reports").glob("*")):
        text = path.read_bytes().decode("utf-8", "replace")
        try:
            read_text(text, path.name)
        except ReportError:
            continue
        texts[path.name] = text
    found = verdicts(texts, 300, 3)
    assert [verdict for verdict in found if verdict.startswith("WRONG")] == []


def test_the_judge_finds_a_wrong_figure() -> None:
    text = csynth_rpt(Fake())
    original = read_text(text, "file")
    assert isinstance(original, CsynthReport)
    latency = original.latency.model_copy(update={"cycles_max": 60})
    assert compare(original, original.model_copy(update={"latency": latency}), text).startswith("WRONG")
    nowhere = original.model_copy(update={"part": "a part that stands nowhere"})
    assert compare(original, nowhere, text).startswith("WRONG")
    assert compare(original, original, text) == "right"


def test_a_figure_stated_once_and_changed_is_another_report() -> None:
    text = csynth_xml(Fake())
    assert judge(read_text(text, "file"), text.replace("<LUT>6207", "<LUT>6217")) == "restated"
