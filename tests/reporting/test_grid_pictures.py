"""Heat maps and frames of a study."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from pquant_hls.decide import Judgement
from pquant_hls.errors import NotMeasured
from pquant_hls.reporting import RunReport, frame, read_run
from pquant_hls.reporting.of_grid import heat_figure
from pquant_hls.store import Entry
from tests.reporting import made


def designs(*told: tuple[dict[str, Any], float | None, tuple[str, ...]]) -> RunReport:
    """A sweep: parameters, accuracy and broken limits of each design."""
    records = tuple(
        Entry(
            kind="trial",
            name=f"trial {number}",
            number=number,
            settings={"params": params},
            figures={"accuracy": accuracy, "worst_ns": 10.0 * number + 20, "broke": list(broke)},
            status="rolled_back" if broke else "kept",
        )
        for number, (params, accuracy, broke) in enumerate(told)
    )
    return RunReport(
        Path("runs/a"), {}, "finished", None, "", (Entry(kind="step"), *records), Judgement.of([])
    )


GRID = designs(
    ({"bits": 4, "sparsity": 0.0}, 0.70, ()),
    ({"bits": 4, "sparsity": 0.5}, 0.60, ("accuracy",)),
    ({"bits": 8, "sparsity": 0.0}, 0.80, ("latency",)),
    ({"bits": 8, "sparsity": 0.5}, None, ()),
)


def test_a_cell_holds_the_design_of_its_parameters() -> None:
    found = heat_figure(GRID)
    assert found.table.heads == ("sparsity", "bits 4", "bits 8")
    assert found.table.rows == (("0.0", "70.00", "80.00*"), ("0.5", "60.00*", "-"))
    assert found.title == "Accuracy, % over bits and sparsity"
    assert "60 to 80" in found.alt
    assert "* breaks a limit" in found.alt
    height, body = found.draw(640)
    assert (body.count("<rect"), height > 100) == (3, True), "what was not measured has no colour"


def test_other_figures_and_other_sizes_of_grid() -> None:
    assert heat_figure(GRID, "worst_ns").table.rows[0] == ("0.0", "20", "40*")
    line = heat_figure(designs(({"bits": 4}, 0.7, ()), ({"bits": 6}, 0.8, ())))
    assert line.table.rows == (("accuracy, %", "70.00", "80.00"),)
    cube = designs(
        ({"bits": 4, "rank": 2, "seed": 0}, 0.9, ("latency",)),
        ({"bits": 4, "rank": 2, "seed": 1}, 0.7, ()),
        ({"bits": 4, "rank": 2, "seed": 2}, 0.75, ()),
    )
    assert heat_figure(cube).table.rows == (("2", "75.00"),), "the best of those that are allowed"
    assert "the best over seed" in heat_figure(cube).alt


def test_a_run_without_a_grid_has_no_heat_map() -> None:
    with pytest.raises(NotMeasured, match="designs of a grid"):
        heat_figure(designs())


def test_a_frame_has_a_row_a_trial_and_a_column_a_parameter(tmp_path: Path) -> None:
    pytest.importorskip("pandas")
    found = frame(read_run(made.study(tmp_path / "study")), kinds=("trial",))
    assert len(found) == 40
    assert {"quantize.bits", "prune.sparsity", "accuracy", "worst_ns", "outcome", "broke"} <= set(
        found.columns
    )
    assert found.attrs["budget"]["latency_ns"] == 45
    failed = found.iloc[17]
    assert (failed["outcome"], failed["why"]) == ("failed", "NoGain: nothing to gain")
    assert failed[["accuracy", "worst_ns"]].isna().all(), "what was not measured is missing, not 0"
