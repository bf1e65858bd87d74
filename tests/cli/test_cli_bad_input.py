"""Bad input: one line with the cause and the mend, the right exit status, no traceback, no folder left behind."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.helpers import Shell

RECIPE = "steps: [{step: quantize, bits: 8, epochs: 1}]\nbudget: {latency_ns: 1000}\n"


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model, data that fit it and data that do not, a recipe."""
    from pquant_hls.network import build_mlp, save_model

    folder = tmp_path_factory.mktemp("files")
    save_model(build_mlp(4, (6,), 3), folder / "model.keras")
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(300, 4)).astype(np.float32), rng.integers(0, 3, 300)
    np.savez(folder / "good.npz", x=x, y=y)
    np.savez(folder / "wide.npz", x=np.hstack([x, x]), y=y)
    np.savez(folder / "many.npz", x=x, y=y + 4)
    np.savez(folder / "nan.npz", x=np.where(np.arange(1200).reshape(300, 4) == 77, np.nan, x), y=y)
    np.savez(folder / "pickled.npz", x=x.astype(object), y=y)
    (folder / "text.keras").write_text("not a model")
    (folder / "good.yaml").write_text(RECIPE)
    (folder / "typo.yaml").write_text(RECIPE.replace("bits", "bit"))
    return folder


def fails(shell: Shell, status: int, *words: object) -> str:
    """The one line of a failing command."""
    code, out, err = shell(*words)
    lines = [line for line in err.splitlines() if line.startswith("error: ")]
    assert (code, out) == (status, ""), err
    assert len(lines) == 1, err
    assert "Traceback" not in err
    return lines[0]


def compress(files: Path, out: Path, **changes: str | Path) -> list[str | Path]:
    options = {
        "model": files / "model.keras",
        "data": files / "good.npz",
        "recipe": files / "good.yaml",
        "out": out,
        **changes,
    }
    return ["compress", *[word for name, value in options.items() for word in (f"--{name}", value)]]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"recipe": "typo.yaml"}, ["steps.0.bit", "did you mean 'bits'"]),
        ({"recipe": "none"}, ["no such recipe", "jet_tagger_vu13p_200mhz"]),
        ({"data": "wide.npz"}, ["8", "4"]),
        ({"data": "many.npz"}, ["class"]),
        ({"data": "nan.npz"}, ["NaN"]),
        ({"data": "pickled.npz"}, ["pickled.npz"]),
        ({"data": "none.npz"}, ["none.npz"]),
        ({"data": "no.such.module:function"}, ["no.such.module"]),
        ({"model": "text.keras"}, ["text.keras"]),
        ({"model": "none.keras"}, ["none.keras"]),
        ({"backend": "quartus"}, ["--backend", "Vitis"]),
        ({"budget": "3 parsec"}, ["--budget.latency_ns", "parsec"]),
    ],
)
def test_what_is_wrong_is_named(
    shell: Shell, files: Path, tmp_path: Path, changes: dict[str, str], words: list[str]
) -> None:
    wrong = {k: files / v if (files / v).exists() or "none." in v else v for k, v in changes.items()}
    line = fails(shell, 2, *compress(files, tmp_path / "run", **wrong))
    assert all(word.lower() in line.lower() for word in words), line
    assert not (tmp_path / "run").exists()


def test_a_folder_in_use_is_left_alone(shell: Shell, files: Path, tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("keep")
    assert "is not empty" in fails(shell, 2, *compress(files, tmp_path))
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_an_unwritable_folder(shell: Shell, files: Path, tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    assert "cannot be written" in fails(shell, 2, *compress(files, tmp_path / "run"))


def test_no_compiler(shell: Shell, files: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert "apt-get install g++" in fails(shell, 3, *compress(files, tmp_path / "run"))


def test_a_lambda_layer_is_refused_and_not_run(shell: Shell, files: Path, tmp_path: Path) -> None:
    import keras

    trap = tmp_path / "it-ran"

    def twice(x: Any) -> Any:
        trap.touch()
        return x * 2

    keras.Sequential(
        [keras.Input((4,)), keras.layers.Lambda(twice, name="twice"), keras.layers.Dense(3)]
    ).save(tmp_path / "lambda.keras")
    trap.unlink()
    line = fails(shell, 2, *compress(files, tmp_path / "run", model=tmp_path / "lambda.keras"))
    assert "Lambda" in line
    assert not trap.exists()


def test_a_layer_hls4ml_cannot_take_is_named_before_training(
    shell: Shell, files: Path, tmp_path: Path
) -> None:
    import keras

    inputs = keras.Input((4,))
    model = keras.Model(inputs, keras.layers.Dense(3)(keras.layers.UnitNormalization(name="odd_one")(inputs)))
    model.save(tmp_path / "odd.keras")
    line = fails(shell, 2, *compress(files, tmp_path / "run", model=tmp_path / "odd.keras"))
    assert "odd_one" in line or "UnitNormalization" in line
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    "words",
    [["compress"], ["compres"], ["measure"], ["measure", "nowhere"], ["measure", ".", "--using", "guess"]],
)
def test_wrong_words(shell: Shell, words: list[str]) -> None:
    assert fails(shell, 2, *words)


def test_debug_shows_the_traceback(shell: Shell) -> None:
    code, _, err = shell("--debug", "measure", "nowhere")
    assert code == 2
    assert "Traceback" in err


def test_without_a_command_there_is_help_and_no_empty_error(shell: Shell) -> None:
    code, out, err = shell()
    assert code == 2
    assert "Usage: pquant-hls" in out
    assert "error" not in err


def test_help_is_quick_to_import_and_names_every_command() -> None:
    code = (
        "import sys\nsys.argv = ['pquant-hls', '--help']\nfrom pquant_hls.cli import main\n"
        "try:\n    main()\nexcept SystemExit:\n    pass\n"
        "print([name for name in ('tensorflow', 'keras', 'hls4ml', 'numpy.testing') if name in sys.modules], file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stderr.strip() == "[]"
    assert all(name in done.stdout for name in ("quickstart", "compress", "measure", "doctor", "csim"))


def test_output_that_the_disk_has_no_room_for_is_no_fault_of_ours() -> None:
    code = "from pquant_hls.cli import main; main()"
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [sys.executable, "-c", code, "--version"],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert (done.returncode, "no space is left on the disk" in done.stderr) == (2, True), done.stderr


def test_a_smaller_network_is_of_the_loop_alone(shell: Shell, files: Path, tmp_path: Path) -> None:
    words = [*compress(files, tmp_path / "run"), "--smaller", "--pipeline", "standard"]
    assert "--smaller: is of the loop, not of pipeline standard" in fails(shell, 2, *words)


def test_smaller_is_asked_for_as_the_recipe_says() -> None:
    from pquant_hls.cli.compress import training_smaller
    from pquant_hls.spec import Recipe

    plain = Recipe.parse({"steps": [{"step": "quantize"}], "budget": {"latency_ns": 50}})
    assert plain.loop.smaller is None
    assert training_smaller(plain).loop.smaller is not None
    own = plain.with_(loop=plain.loop.with_(smaller={"epochs": 3}))
    assert training_smaller(own) == own


def test_errors_say_what_to_type_next(shell: Shell, tmp_path: Path) -> None:
    none = tmp_path / "none [x]"
    for words, mend in (
        (("comprss",), "Did you mean 'compress'? (pquant-hls --help)"),
        (("compress",), "(pquant-hls compress --help)"),
        (
            ("compress", "--model", none, "--data", "x", "--out", tmp_path / "out"),
            "`pquant-hls quickstart` needs none",
        ),
        (("measure", none), "give a project, a run folder or a report file"),
        (("gate", none, "--limit", "lut=1"), "`pquant-hls measure PROJECT --json > FILE` writes a record"),
        (("csim", "check", tmp_path, "--golden", none), "`pquant-hls csim record` makes it anew"),
        (("report", tmp_path), "give the --out folder of a run"),
        (("export", tmp_path, "--out", tmp_path / "out"), "export PROJECT --namespace NAME"),
    ):
        status, _, err = shell(*words)
        assert status == 2, words
        assert mend in err, words
        assert "none [x]" in err or none not in words
