"""A run folder's verdict comes from its figures: whatever is recorded, MET needs every leg it rests on."""

from __future__ import annotations

import json
import math
import shutil
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from pquant_hls.errors import PquantError
from pquant_hls.reporting import read_run
from pquant_hls.store import digest_of
from tests.compat.conftest import unpack
from tests.helpers import Shell

Json = dict[str, Any]
ABSENT = "(absent)"
JUNK: tuple[Any, ...] = (ABSENT, None, math.nan, -1, "x", [], {})


def rewrite(file: Path, change: Callable[[Json], object]) -> None:
    told = json.loads(file.read_text())
    change(told)
    file.write_text(json.dumps(told))


def put(told: Json, path: str, value: Any) -> None:
    *parents, last = path.split(".")
    for name in parents:
        told = told[name]
    if value == ABSENT:
        told.pop(last, None)
    else:
        told[last] = value


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Runs of 0.1.0 whose records give MET: a loop, a pipeline and a study."""
    found = {}
    for name in ("loop", "standard", "study"):
        folder = tmp_path_factory.mktemp(name)
        unpack(name, folder)
        found[name] = folder / name
    rewrite(found["loop"] / "run.json", roomy)
    return found


def roomy(run: Json) -> None:
    """A budget that the estimate of the old loop does not merely touch, as if it had been asked."""
    run["identity"]["recipe"]["budget"]["latency_ns"] = 60.0
    run["digest"] = digest_of(run["identity"])


@pytest.fixture(params=["loop", "standard", "study"])
def folder(request: pytest.FixtureRequest, folders: dict[str, Path], tmp_path: Path) -> Path:
    copied = tmp_path / str(request.param)
    (copied / "handover" / "project").mkdir(parents=True)
    for name in ("run.json", "ledger.jsonl", "handover/qor.json"):
        shutil.copy(folders[request.param] / name, copied / name)
    return copied


def verdict(folder: Path) -> str:
    """What a report says of the folder; ``refused`` for one that it does not read."""
    try:
        return str(read_run(folder).verdict)
    except PquantError:
        return "refused"


def test_a_record_that_is_whole_is_met(folder: Path, shell: Shell) -> None:
    assert verdict(folder) == "MET"
    assert shell("report", folder)[0] == 0


LEGS = {
    "run.json": ("status", "verdict", "identity", "digest"),
    "handover/qor.json": (
        *("latency", "latency.cycles_max", "latency.clock_target_ns", "latency.clock_estimated_ns"),
        *("resources", "resources.lut", "resources.ff", "resources.dsp", "resources.bram_18k"),
        *("csim_match", "accuracy"),
    ),
}


@pytest.mark.parametrize(("file", "path"), [(file, path) for file, paths in LEGS.items() for path in paths])
def test_no_leg_can_be_taken_away(folder: Path, file: str, path: str) -> None:
    if path == "accuracy" and folder.name == "study":
        pytest.skip("a study without a floor on accuracy says that no quality was judged")
    for junk in JUNK:
        kept = (folder / file).read_text()
        if path == "verdict" and junk not in (ABSENT, None):
            continue  # any other word is recorded, and not believed
        rewrite(folder / file, partial(put, path=path, value=junk))
        assert verdict(folder) != "MET", junk
        (folder / file).write_text(kept)


@pytest.mark.parametrize("gone", ["handover/qor.json", "handover/project"])
def test_a_design_that_is_gone_meets_nothing(folder: Path, gone: str, shell: Shell) -> None:
    shutil.rmtree(folder / gone) if (folder / gone).is_dir() else (folder / gone).unlink()
    status, said, _ = shell("report", folder)
    assert status == 4
    assert f"{gone} is not there" in said


def test_the_part_must_be_known(folder: Path) -> None:
    file = folder / "handover" / "qor.json"
    rewrite(file, lambda told: put(told, "part", None))
    assert verdict(folder) == "MET", "the record says itself what the part has"
    rewrite(file, lambda told: put(told, "resources.available", None))
    assert verdict(folder) == "UNKNOWN"


@pytest.mark.parametrize(
    ("path", "value", "said"),
    [
        (
            "latency",
            {"cycles_max": 999, "clock_target_ns": 5.0, "clock_estimated_ns": 3.0},
            "latency 4,995 ns",
        ),
        ("resources.lut", 1e9, "lut of the part"),
        ("csim_match", 0.99, "csim match 0.99"),
        ("accuracy", 0.1, "accuracy 0.1"),
    ],
)
def test_a_stored_verdict_is_not_believed(
    folder: Path, shell: Shell, path: str, value: Any, said: str
) -> None:
    if path == "accuracy" and folder.name == "study":
        pytest.skip("a study without a floor on accuracy")
    rewrite(folder / "handover" / "qor.json", lambda told: put(told, "resources.intervals", {}))
    rewrite(folder / "handover" / "qor.json", lambda told: put(told, path, value))
    status, out, _ = shell("report", folder, "--html", folder / "page.html", "--junit", folder / "run.xml")
    assert status == 1
    assert "recorded MET, the record gives MISSED" in out
    assert said in " ".join(out.split())
    assert "record gives MISSED" in (folder / "page.html").read_text()
    assert "<failure" in (folder / "run.xml").read_text()
    assert json.loads(shell("report", folder, "--json")[1])["recorded_verdict"] == "MET"


@pytest.mark.parametrize("status", ["running", "interrupted", "", None, "done"])
def test_a_run_that_did_not_end_is_never_met(folder: Path, shell: Shell, status: str | None) -> None:
    rewrite(folder / "run.json", lambda told: put(told, "status", status))
    assert shell("report", folder)[0] == 4


def test_a_better_verdict_than_the_record_gives_is_said_and_a_worse_one_too(
    folder: Path, shell: Shell
) -> None:
    rewrite(folder / "run.json", lambda told: put(told, "verdict", "MISSED"))
    status, out, _ = shell("report", folder)
    assert (status, "recorded MISSED, the record gives MET" in out) == (0, True)
    rewrite(folder / "run.json", lambda told: put(told, "verdict", "MET"))
    rewrite(folder / "handover" / "qor.json", lambda told: put(told, "verdict", "MISSED"))
    assert "recorded MISSED, the record gives MET" in shell("report", folder)[1]


def test_a_goal_of_the_pipelines_own_must_stand_in_the_record(
    folders: dict[str, Path], tmp_path: Path
) -> None:
    folder = tmp_path / "run"
    shutil.copytree(folders["standard"], folder)
    whole = json.loads((folder / "run.json").read_text())
    for index, text in enumerate(whole["checks"]):
        left = [other for at, other in enumerate(whole["checks"]) if at != index]
        (folder / "run.json").write_text(json.dumps({**whole, "checks": left}))
        of_budget = index < 3  # latency, accuracy and csim match are judged anew
        assert verdict(folder) == ("MET" if of_budget or text.startswith("accuracy") else "UNKNOWN"), text
        names = [check.rpartition(" (")[0].rpartition(" ")[0] for check in whole["checks"]]
        (folder / "run.json").write_text(json.dumps({**whole, "checks": left, "legs": names}))
        assert verdict(folder) == "UNKNOWN", "it is told what the verdict rested on"
    (folder / "run.json").write_text(json.dumps({**whole, "checks": []}))
    assert verdict(folder) == "UNKNOWN"
    worse = [text.replace("compression ratio 6.37", "compression ratio 5.9") for text in whole["checks"]]
    (folder / "run.json").write_text(json.dumps({**whole, "checks": worse}))
    assert verdict(folder) == "MISSED", "by its figures, whatever its own word"


def paths(told: Any, before: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in told.items():
        if "." in name:
            continue  # a study's parameters
        yield f"{before}{name}", value
        if isinstance(value, dict):
            yield from paths(value, f"{before}{name}.")


@pytest.mark.slow
def test_whatever_is_changed_a_report_reads_or_refuses_and_met_has_its_legs(folder: Path) -> None:
    """Every key of both files, by every kind of junk: some 1,500 records for a folder."""
    for file in LEGS:
        whole = json.loads((folder / file).read_text())
        for path, value in paths(whole):
            for junk in (junk for junk in JUNK if junk != value):
                rewrite(folder / file, partial(put, path=path, value=junk))
                if verdict(folder) == "MET":
                    found = read_run(folder)
                    rested = {check.name for check in found.checks}
                    assert rested >= {"latency", "csim match", "lut of the part", "dsp of the part"}, path
                    assert not path.startswith("identity"), "what was asked was changed"
                (folder / file).write_text(json.dumps(whole))
