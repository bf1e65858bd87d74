"""Every command and every piece of Python on README and pages is run, or named here with the test that runs it.

Commands stand indented by four blanks, with words in capitals for what a reader puts in, optional words in brackets and
alternatives behind a bar; each alternative is run. The pages of ``test_pages.py`` are typed there from top to bottom.
"""

from __future__ import annotations

import re
import shlex
import shutil
from collections.abc import Callable, Iterator
from contextlib import suppress
from itertools import zip_longest
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import typer

from tests.helpers import Shell
from tests.test_pages import PAGES as TYPED

ROOT = Path(__file__).resolve().parents[1]
PAGES = [path for path in (ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))) if path not in TYPED]
PYTHON = re.compile(r"```python\n(.*?)```", re.DOTALL)
ELSEWHERE = {
    "docs/compression.md": "tests/compress/test_docs.py",
    "docs/pipelines.md": "tests/pipelines/test_real.py",
}
"""Python that another test runs."""
LONG = ("quickstart --", "--pipeline", "--smaller", "dashboard ", "import ")
"""Commands of minutes, of a server, or of other tools' files (tests/intake, tests/tune): understood here."""
PLACES = {
    "DESIGN": "runs/quickstart",
    "RUN": "runs/quickstart",
    "OTHER": "runs/quickstart",
    "low_pt=RUN2": "low_pt=runs/quickstart",
    "PROJECT3": "project",
    "HLS4ML_PROJECT": "project",
    "PROJECT": "project",
    "OLD": "project",
    "NEW": "project",
    "MODEL": "model.keras",
    "FILE": "made.golden",
    "NEW.keras": "new.keras",
    "P": "xcvu13p-flga2577-2-e",
    "C": "5",
}


def commands(page: Path) -> list[str]:
    """The command lines of a page, without prompt and comment."""
    lines = re.findall(r"^    (?:\$ )?(pquant-hls .*)$", page.read_text(), re.MULTILINE)
    return [re.sub(r"\s+#.*$", "", line) for line in lines]


def alternatives(line: str) -> Iterator[list[str]]:
    """The words of a line without what is optional, then with each alternative; what stands for any more is left out."""
    parts = re.split(r"\[([^\]]*)\]", line)
    options = [
        [words.strip() for words in part.split(" | ") if "..." not in words and words != "rule"]
        for part in parts[1::2]
    ]
    for chosen in [(), *zip_longest(*options)] if options else [()]:
        yield shlex.split(parts[0] + " ".join(filter(None, chosen)) + " ".join(parts[2::2]))


def test_the_words_of_a_line_are_its_alternatives() -> None:
    line = "pquant-hls csim check PROJECT [--inputs x.npy | --random 3] [--data more ...] [--json]"
    assert list(alternatives(line)) == [
        ["pquant-hls", "csim", "check", "PROJECT"],
        ["pquant-hls", "csim", "check", "PROJECT", "--inputs", "x.npy", "--json"],
        ["pquant-hls", "csim", "check", "PROJECT", "--random", "3"],
    ]


@pytest.fixture
def folder(prepared: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of what a reader has, as the present folder."""
    shutil.copytree(prepared, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What a reader has: a model, data, a recipe, a run, its project, records of an earlier design."""
    from pquant_hls import Recipe, compress_model
    from pquant_hls.datasets import load_dataset
    from pquant_hls.network import build_mlp

    made = tmp_path_factory.mktemp("reader")
    jets = load_dataset("lhc_jets")
    np.savez(made / "jets.npz", x=jets.x_train[:2000], y=jets.y_train[:2000])
    for name in ("x.npy", "inputs.npy"):
        np.save(made / name, jets.x_train[:64])
    np.save(made / "y.npy", jets.y_train[:64])
    model = build_mlp(16, [8], 5, seed=0)
    model.save(made / "tagger.keras")
    (yaml,) = re.findall(r"```yaml\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    (made / "recipe.yaml").write_text(yaml)
    run = made / "runs" / "quickstart"
    compress_model(model, load_dataset(made / "jets.npz"), Recipe.load(made / "recipe.yaml"), run)
    for name in ("project", "nn"):
        shutil.copytree(run / "handover" / "project", made / name)
    for source, copy in (
        ("project.golden", "project.golden"),
        ("model.keras", "model.keras"),
        ("qor.json", "last/qor.json"),
        ("qor.json", "qor/main.json"),
    ):
        (made / copy).parent.mkdir(exist_ok=True)
        shutil.copy2(run / "handover" / source, made / copy)
    return made


@pytest.mark.slow
@pytest.mark.parametrize(
    "page", [page for page in PAGES if commands(page)], ids=lambda page: str(page.relative_to(ROOT))
)
def test_the_commands_of_a_page_run(page: Path, folder: Path, shell: Shell) -> None:
    """By status 0, 1 or 4: a verdict may go either way, bad input and missing tools may not."""
    places = PLACES | ({"PROJECT": "stream"} if page.stem == "fifo" else {})
    if page.stem == "fifo":
        streamed(folder)
    for line in commands(page):
        for words in alternatives(line):
            filled = [places.get(word, word) for word in words[1:]]
            if "record" in filled:  # an alternative writes what the first has written
                (folder / places["FILE"]).unlink(missing_ok=True)
            if any(part in line for part in LONG):
                understood(filled)
            else:
                typed, target = (filled[:-2], filled[-1]) if ">" in filled else (filled, "")
                code, out, err = shell(*typed)
                if target:
                    (folder / target).write_text(out)
                assert code in (0, 1, 4), f"{shlex.join(filled)}: {code}\n{out[-2000:]}{err[-2000:]}"


def streamed(folder: Path) -> None:
    """A project of io_stream."""
    from pquant_hls.hls import convert
    from pquant_hls.network import load_model
    from pquant_hls.spec import HlsSpec

    spec = HlsSpec(project_name="myproject", io_type="io_stream")
    convert(load_model(folder / "model.keras"), spec, folder / "stream")


def understood(words: list[str]) -> None:
    """The command and its options are there; whether its files are is not asked."""
    from typer.main import get_command

    from pquant_hls.cli.app import app

    command: Any = get_command(app)
    name, *rest = [word for word in words if word != "..."]
    with suppress(typer.BadParameter):  # a file that is not there, an option for which "..." stands
        command.commands[name].make_context(name, rest)


@pytest.mark.slow
@pytest.mark.parametrize(
    "page",
    [page for page in PAGES if PYTHON.search(page.read_text())],
    ids=lambda page: str(page.relative_to(ROOT)),
)
@pytest.mark.usefixtures("folder")
def test_the_python_of_a_page_runs(page: Path) -> None:
    place = str(page.relative_to(ROOT))
    if place in ELSEWHERE:
        assert (ROOT / ELSEWHERE[place]).is_file()
        return
    names: dict[str, Any] = GIVEN.get(place, dict)()
    for number, text in enumerate(PYTHON.findall(page.read_text())):
        exec(compile(text, f"{page}, block {number}", "exec", dont_inherit=True), names)  # noqa: S102 - our own page


def _for_results() -> dict[str, Any]:
    """The names that the page on results takes as given."""
    from pquant_hls import Recipe, compress_model
    from pquant_hls.datasets import load_dataset
    from pquant_hls.network import build_mlp
    from pquant_hls.reporting import Plots

    shutil.copytree("runs/quickstart", "runs/old", dirs_exist_ok=True)

    recipe = Recipe.load("recipe.yaml")
    short = tuple(step.model_copy(update={"epochs": 1}) for step in recipe.steps)
    recipe = recipe.model_copy(update={"steps": short})

    class Study:
        trials = None

    return {
        "compress_model": compress_model,
        "Plots": Plots,
        "model": build_mlp(16, [8], 5, seed=0),
        "data": load_dataset("jets.npz"),
        "recipe": recipe,
        "study": Study(),
    }


def _for_reports() -> dict[str, Any]:
    """A project whose reports of synthesis, simulation and Vivado are there, and a solution beside it."""
    from tests.readers.report_factory import Fake, cosim_rpt, timing_rpt, utilization_rpt, write_project

    solution = write_project(Path("my_hls_project"))
    (solution / "sim" / "report").mkdir(parents=True)
    (solution / "sim" / "report" / "myproject_cosim.rpt").write_text(cosim_rpt())
    Path("my_hls_project", "vivado_synth.rpt").write_text(utilization_rpt(Fake()))
    Path("my_hls_project", "vivado_timing.rpt").write_text(timing_rpt(Fake()))
    shutil.copytree(solution, "solution1")
    return {}


GIVEN: dict[str, Callable[[], dict[str, Any]]] = {
    "docs/results.md": _for_results,
    "docs/reports.md": _for_reports,
}
