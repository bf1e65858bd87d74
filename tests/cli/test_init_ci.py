"""The CI files, by their own commands: a sample repository that passes, and four that fail in the one job that must."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
import yaml
from defusedxml import ElementTree

from pquant_hls.cli.init_ci import PLACES
from tests.firmware import miniature
from tests.helpers import Edit, Shell

ROOT = Path(__file__).resolve().parents[2]
PROGRAM = (
    '#!/bin/sh\nexec {python} -c "import sys; from pquant_hls.cli import main; main(sys.argv[1:])" "$@"\n'
)
RANGE = "-8:7.5"


class Repository(NamedTuple):
    """A checkout with a firmware, its golden and its record."""

    path: Path
    environment: dict[str, str]

    def run(self, script: str) -> subprocess.CompletedProcess[str]:
        words = ["bash", "-eo", "pipefail", "-c", script]
        return subprocess.run(
            words, cwd=self.path, env=self.environment, capture_output=True, text=True, check=False
        )

    def scripts(self, server: str) -> dict[str, str]:
        """What each job runs, the installation left out."""
        file = yaml.safe_load((self.path / PLACES[server]).read_text())
        if server == "gitlab":
            return {name: "\n".join(job["script"]) for name, job in file.items() if name != ".firmware"}
        return {
            name: "\n".join(step["run"] for step in job["steps"] if step.get("name") == name)
            for name, job in file["jobs"].items()
        }

    def statuses(self, server: str) -> dict[str, int]:
        return {name: self.run(script).returncode for name, script in self.scripts(server).items()}

    def faults(self, job: str) -> list[str]:
        """Names of the test cases that failed."""
        suite = ElementTree.fromstring((self.path / "reports" / f"{job}.xml").read_text())
        return [case.attrib["name"] for case in suite.iter("testcase") if case.find("failure") is not None]


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Repository:
    """As `init-ci` finds it the first time: the golden of small inputs, the record, and both files."""
    folder = tmp_path_factory.mktemp("ci")
    path, bin_ = folder / "repository", folder / "bin"
    miniature.project(path / "nn")
    bin_.mkdir()
    (bin_ / "pquant-hls").write_text(PROGRAM.format(python=sys.executable))
    (bin_ / "pquant-hls").chmod(0o755)
    environment = {
        **os.environ,
        "PATH": f"{bin_}:{os.environ['PATH']}",
        "PYTHONPATH": str(ROOT),
        "XDG_CACHE_HOME": str(folder / "cache"),
    }
    found = Repository(path, environment)
    np.save(path / "inputs.npy", np.random.default_rng(0).normal(0, 0.7, (64, 3)))
    first = found.run(
        "pquant-hls csim record nn --golden firmware.golden --inputs inputs.npy\n"
        "pquant-hls measure nn --json > firmware.qor.json"
    )
    assert first.returncode == 0, first.stderr
    limit = json.loads((path / "firmware.qor.json").read_text())["derived"]["worst_ns_hi"]
    for server in PLACES:
        words = f"--project nn --limit latency_ns={limit} --range={RANGE}"
        told = found.run(f"pquant-hls init-ci {server} {words}")
        assert (told.returncode, told.stdout) == (0, f"{PLACES[server]}: jobs csim, gate, lint, report\n")
    return found


@pytest.fixture
def repository(sample: Repository, tmp_path: Path) -> Repository:
    """A copy, to be edited."""
    return sample._replace(path=Path(shutil.copytree(sample.path, tmp_path / "repository")))


@pytest.mark.gxx
def test_both_servers_run_the_same_commands(sample: Repository) -> None:
    one, other = (sample.scripts(server) for server in PLACES)
    assert {name: text.strip() for name, text in one.items()} == {
        name: text.strip() for name, text in other.items()
    }
    assert list(one) == ["csim", "gate", "lint", "report"]


@pytest.mark.gxx
def test_a_repository_that_is_right_passes_and_keeps_its_reports(repository: Repository) -> None:
    assert repository.statuses("github") == dict.fromkeys(("csim", "gate", "lint", "report"), 0)
    kept = {path.name for path in (repository.path / "reports").iterdir()}
    assert kept == {"csim.xml", "gate.xml", "lint.xml", "qor.json", "firmware.html"}
    assert [repository.faults(job) for job in ("csim", "gate", "lint")] == [[], [], []]
    page = (repository.path / "reports" / "firmware.html").read_text()
    assert "ap_fixed&lt;12,6&gt;" in page
    assert "sum-cuts fc1" in page


@pytest.mark.gxx
@pytest.mark.parametrize(
    ("job", "file", "old", "new", "word"),
    [
        ("gate", "parameters.h", "reuse_factor = 2", "reuse_factor = 4", "latency"),
        ("csim", "weights.h", "{0.75000, -0.50000", "{0.78125, -0.50000", "outputs"),
        ("gate", "defines.h", "ap_fixed<16,8> layer2_t", "ap_fixed<40,32> layer2_t", "ff"),
        (
            "lint",
            "defines.h",
            "ap_fixed<16,8> model_default_t",
            "ap_fixed<12,4> model_default_t",
            "fc1 accum",
        ),
    ],
    ids=["latency", "one LSB", "resources", "overflow"],
)
def test_each_fault_fails_the_job_that_is_there_for_it(
    repository: Repository, edit: Edit, job: str, file: str, old: str, new: str, word: str
) -> None:
    edit(repository.path, f"nn/firmware/{file}", old, new)
    statuses = repository.statuses("gitlab")
    assert [name for name, status in statuses.items() if status != 0] == [job]
    assert statuses[job] == 1
    assert any(word in name.lower() for name in repository.faults(job)), repository.faults(job)


def test_a_file_that_is_there_stays(tmp_path: Path, shell: Shell) -> None:
    miniature.project(tmp_path / "nn")
    words = ("init-ci", "gitlab", "--project", "nn", "--out", tmp_path)
    status, told, _ = shell(*words, "--part", "xcvu9p-flga2104-2-e", "--clock", "240 MHz")
    measured = "pquant-hls measure nn --part xcvu9p-flga2104-2-e --clock '240 MHz' --json"
    assert status == 0
    assert told.splitlines()[1:] == [
        "not there yet, to be kept in the repository: pquant-hls csim record nn --golden firmware.golden",
        f"not there yet, to be kept in the repository: {measured} > firmware.qor.json",
    ]
    before = (tmp_path / PLACES["gitlab"]).read_text()
    status, _, said = shell(*words)
    assert (status, "exists already" in said) == (2, True)
    assert (tmp_path / PLACES["gitlab"]).read_text() == before
    assert shell(*words, "--overwrite")[0] == 0


def test_a_folder_without_firmware_is_said_at_once(tmp_path: Path, shell: Shell) -> None:
    (tmp_path / "nn").mkdir()
    status, _, _ = shell("init-ci", "github", "--project", "nn", "--out", tmp_path)
    assert status == 2
    assert not (tmp_path / PLACES["github"]).exists()


def test_words_of_the_shell_are_quoted(tmp_path: Path) -> None:
    from pquant_hls.cli.init_ci import jobs, rendered

    found = jobs(Path("n n"), Path("g"), Path("q"), ["latency_ns=60 ns"], "5%", ["$(rm -rf /):1"], [])
    for server in PLACES:
        file: Any = yaml.safe_load(rendered(server, found))
        assert "'n n'" in json.dumps(file)
        assert "'--range=$(rm -rf /):1'" in json.dumps(file)
