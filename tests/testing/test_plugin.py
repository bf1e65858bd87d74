"""The pytest plugin as a firmware repository meets it: a project folder, a test, goldens beside it."""

from __future__ import annotations

import subprocess
import sys
from importlib.metadata import entry_points
from pathlib import Path

import pytest

import pquant_hls.testing.regression  # noqa: F401  loaded once here, not anew in each run inside this process
from tests.helpers import Edit

pytest_plugins = ["pytester"]
TEST = """
def test_tagger(csim_regression):
    csim_regression.check({project!r})

def test_other():
    pass
"""


@pytest.fixture
def repository(
    pytester: pytest.Pytester, mini_project: Path, csim_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> pytest.Pytester:
    """A repository with one project and one test of it."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(csim_cache))
    monkeypatch.setenv(
        "PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1"
    )  # the other plugins of this environment cost seconds
    pytester.makepyfile(test_firmware=TEST.format(project=str(mini_project)))
    return pytester


def run(repository: pytest.Pytester, *options: str) -> pytest.RunResult:
    return repository.runpytest_inprocess(
        "-p", "no:cacheprovider", "-p", "pquant_hls.testing.plugin", *options
    )


def golden_of(repository: pytest.Pytester, name: str = "test_tagger") -> Path:
    return repository.path / "test_firmware" / f"{name}.golden"


@pytest.mark.gxx
def test_the_first_run_writes_and_fails_the_second_passes(
    repository: pytest.Pytester, mini_project: Path
) -> None:
    first = run(repository)
    first.assert_outcomes(failed=1, passed=1)
    first.stdout.fnmatch_lines(
        ["csim_regression: the golden was recorded, from 256 inputs*", "  golden: *test_tagger.golden"]
    )
    first.stdout.no_fnmatch_line("*regression.py*")
    written = golden_of(repository).read_bytes()
    run(repository).assert_outcomes(passed=2)
    assert golden_of(repository).read_bytes() == written
    # recorded anew and found the same: nothing to look at
    run(repository, "--csim-regen").assert_outcomes(passed=2)
    assert golden_of(repository).read_bytes() == written


@pytest.mark.gxx
def test_a_failure_says_where_and_regeneration_fails_once(
    repository: pytest.Pytester, mini_project: Path, edit: Edit
) -> None:
    run(repository)
    for copy in ("txt", "h"):
        edit(mini_project, f"firmware/weights/w4.{copy}", "0.53125", "0.56250")
    broken = run(repository)
    broken.assert_outcomes(failed=1, passed=1)
    broken.stdout.fnmatch_lines(
        [
            "csim_regression: csim FAILED: mini, 256 inputs, every bit equal",
            "  *values differ, on *inputs, by up to * LSB",
            "*index channel *expected *obtained *LSBs  output",
            "*layer4_out",
            "  first divergent layer: out, on * of 256 inputs",
            "  changed since it was recorded: firmware/weights/w4.h, firmware/weights/w4.txt",
            "  where this is meant to be, --csim-regen records the golden anew",
        ]
    )
    again = run(repository, "--csim-regen")
    again.assert_outcomes(failed=1, passed=1)
    again.stdout.fnmatch_lines(["csim_regression: the golden was recorded anew*"])
    run(repository).assert_outcomes(passed=2)


@pytest.mark.gxx
def test_unused_goldens_are_reported_and_fail_a_strict_session(repository: pytest.Pytester) -> None:
    run(repository)
    old, gone = golden_of(repository, "old"), repository.path / "test_removed" / "test_x.golden"
    gone.parent.mkdir()
    for path in (old, gone):
        path.write_bytes(golden_of(repository).read_bytes())
    told = run(repository)
    assert told.ret == pytest.ExitCode.OK
    told.stdout.fnmatch_lines(["*csim goldens that no test uses*", str(old), str(gone)])
    assert run(repository, "--csim-strict").ret == pytest.ExitCode.TESTS_FAILED
    # a run of some tests only cannot know
    for options in (("-k", "tagger"), (f"{repository.path}/test_firmware.py::test_tagger",)):
        partial = run(repository, "--csim-strict", *options)
        assert partial.ret == pytest.ExitCode.OK
        partial.stdout.no_fnmatch_line("*no test uses*")


@pytest.mark.gxx
def test_inputs_labels_rules_and_names(repository: pytest.Pytester, mini_project: Path) -> None:
    repository.makepyfile(
        test_firmware=f"""
        import numpy as np
        X = np.linspace(-4, 4, 60).reshape(20, 3)

        def test_both(csim_regression):
            check = csim_regression.check
            fires = check({str(mini_project)!r}, X, labels=np.arange(20) % 2, mode="decision", threshold=1.0)
            assert fires.outputs.decision.efficiency_obtained == fires.outputs.decision.efficiency_expected
            check({str(mini_project)!r}, X, name="close by", mode="lsb", tolerance_lsb=1)

        def test_unnamed(csim_regression):
            for _ in range(2):
                csim_regression.check({str(mini_project)!r}, X, mode="argmax")
        """
    )
    for failed in (2, 2):
        run(repository).assert_outcomes(failed=failed)
    last = run(repository)
    last.assert_outcomes(failed=1, passed=1)
    last.stdout.fnmatch_lines(["*a second golden in one test needs a name*"])
    names = sorted(path.name for path in (repository.path / "test_firmware").iterdir())
    assert names == ["close_by.golden", "test_both.golden", "test_unnamed.golden"]
    source = repository.path / "test_firmware.py"
    source.write_text(source.read_text().replace("linspace(-4", "linspace(-3"))
    run(repository).stdout.fnmatch_lines(["*the inputs or labels are not those of the golden*"])


@pytest.mark.gxx
def test_damage_and_missing_parts_are_one_readable_line(
    repository: pytest.Pytester, mini_project: Path, edit: Edit
) -> None:
    run(repository)
    golden_of(repository).write_text(golden_of(repository).read_text()[:900])
    run(repository).stdout.fnmatch_lines(["csim_regression: *test_tagger.golden: is truncated*"])
    run(repository, "--csim-regen").assert_outcomes(failed=1, passed=1)
    edit(mini_project, "firmware/mini.cpp", "layer2_t layer2_out[2];", "layer2_t layer2_out[2]")
    broken = run(repository)
    broken.stdout.fnmatch_lines(["csim_regression: *g++: firmware/mini.cpp:*: error: *"])
    (mini_project / "firmware" / "defines.h").unlink()
    run(repository).stdout.fnmatch_lines(
        ["csim_regression: *defines.h: this file of the HLS project is missing*"]
    )


def test_pytest_finds_the_plugin() -> None:
    (found,) = entry_points(group="pytest11", name="pquant_hls")
    assert found.value == "pquant_hls.testing.plugin"


def test_a_session_without_goldens_pays_nothing() -> None:
    code = (
        "import sys, pquant_hls.testing.plugin\n"
        "heavy = {'numpy', 'tensorflow', 'hls4ml', 'pydantic', 'pquant_hls.measure', 'pquant_hls.hls'}\n"
        "sys.exit(str(sorted(heavy & set(sys.modules))) if heavy & set(sys.modules) else 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.gxx
def test_a_check_needs_neither_keras_nor_tensorflow(mini_project: Path, csim_cache: Path) -> None:
    code = (
        "import sys; from pathlib import Path; import numpy as np\n"
        "from pquant_hls.testing.regression import CsimRegression\n"
        "from pquant_hls.golden import check, record\n"
        "project, cache = Path(sys.argv[1]), Path(sys.argv[2])\n"
        "assert check(project, record(project, np.zeros((2, 3)), cache=cache), cache=cache).passed\n"
        "sys.exit(str({'tensorflow', 'keras', 'hls4ml'} & set(sys.modules) or '') or 0)"
    )
    command = [sys.executable, "-c", code, str(mini_project), str(csim_cache)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
