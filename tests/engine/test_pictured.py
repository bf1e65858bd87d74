"""A real run leaves what its page draws, and its result shows itself."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from pquant_hls.engine.pictured import command_given
from pquant_hls.qor.ranges import ValueRange
from pquant_hls.reporting import read_run, to_html
from pquant_hls.store import read_json
from tests.engine.conftest import Finished

pytestmark = pytest.mark.gxx


def test_hand_over_leaves_the_figures_of_the_page(finished: Finished) -> None:
    told = read_json(finished.folder / "handover" / "figures.json")
    assert told["data"] == {
        "name": "few",
        "classes": ["g", "q", "t", "w", "z"],
        "events": {"train": 1000, "val": 1000, "test": 1000},
    }
    assert (told["split"], told["command"]) == ("test", None), "pytest is no command of ours"
    (output,) = told["outputs"]
    for side, right in (("csim", "test_accuracy"), ("float", "test_accuracy_float")):
        cells = np.array(output["confusion"][side])
        assert cells.sum() == 1000
        assert np.trace(cells) / 1000 == pytest.approx(finished.result.qor.metrics[right])
    assert len(output["classes"]) == 5
    rows = [ValueRange.model_validate(row) for row in told["ranges"]]
    assert rows[0].what == "input"
    assert {"fc1", "output"} <= {row.layer for row in rows if row.what == "result"}
    assert all(row.values % 1000 == 0 for row in rows), "every event of the split"


def test_no_digest_of_a_run_counts_the_figures(finished: Finished) -> None:
    assert "figures" not in str(read_json(finished.folder / "run.json")["identity"])


def test_the_epochs_of_each_training_are_kept(finished: Finished) -> None:
    found = [read_json(path)["epochs"] for path in finished.folder.glob("steps/quantize-*/epochs.json")]
    assert found
    assert all([row["epoch"] for row in epochs] == [1, 2] for epochs in found)


def test_a_result_shows_itself(finished: Finished) -> None:
    pytest.importorskip("pandas")
    result = finished.result
    shown = result._repr_html_()
    assert f"<strong>{result.verdict}</strong>" in shown
    assert "Where the nanoseconds go" in shown
    for figure in (result.plot.layers(), result.plot.fronts(), result.plot.ranges(), result.plot.roc()):
        assert "<svg" in figure._repr_html_()
    frame = result.rounds
    assert list(frame["step"][:2]) == ["float", "round 1"]
    assert {"bits", "sparsity", "accuracy", "worst_ns", "lut", "why"} <= set(frame.columns)
    assert frame["accuracy"].iloc[-1] == pytest.approx(read_run(finished.folder).lines[-1].accuracy)
    page = to_html(read_run(finished.folder)).replace("The command was not recorded", "")
    assert "not recorded" not in page


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (
            ["/usr/bin/pquant-hls", "compress", "--model", "my model.keras"],
            "pquant-hls compress --model 'my model.keras'",
        ),
        ([str(Path("site", "pquant_hls", "__main__.py")), "quickstart"], "pquant-hls quickstart"),
        (["/usr/lib/ipykernel_launcher.py", "-f", "kernel.json"], None),
        ([], None),
    ],
)
def test_the_command_is_kept_where_it_was_one_of_ours(words: list[str], said: str | None) -> None:
    assert command_given(words) == said
