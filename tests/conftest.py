"""Fixtures shared by all rooms."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from tests.helpers import Edit, Shell, Tiny

# A random case that fails prints what replays it, here as in continuous integration; none fails by its time.
settings.register_profile("replay", print_blob=True, deadline=None)
settings.register_profile("few", max_examples=25, deadline=None)
settings.load_profile("replay")

# One thread each: the machine has few cores, and repeatable training needs it.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("TF_NUM_INTRAOP_THREADS", "1")
os.environ.setdefault("TF_NUM_INTEROP_THREADS", "1")

SHARED = Path(__file__).resolve().parents[2] / "shared"


@pytest.fixture(autouse=True)
def keras_is_left_as_it_was() -> Iterator[None]:
    """A test that leaves Keras computing in float64 fails itself, instead of the tests after it."""
    yield
    if "keras" in sys.modules:
        import keras

        left = keras.config.floatx()
        keras.config.set_floatx("float32")
        assert left == "float32"


@pytest.fixture(scope="session")
def corpus() -> Path:
    """The folder of real reports, designs and trigger data; skips where it is absent."""
    if not (SHARED / "synthesis_corpus").is_dir():
        pytest.skip(f"needs real reports and data in {SHARED.name}/ beside the checkout")
    return SHARED


@pytest.fixture
def mini_project(tmp_path: Path) -> Path:
    """A copy of the hand-written project in tests/mini_project, to be edited at will."""
    return Path(shutil.copytree(Path(__file__).with_name("mini_project"), tmp_path / "mini"))


@pytest.fixture(scope="session")
def csim_cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One cache of compiled csim libraries for the session."""
    return tmp_path_factory.mktemp("csim-cache")


@pytest.fixture
def edit() -> Edit:
    """``edit(project, file, old, new)`` replaces a text that must be there."""

    def replace(project: Path, file: str, old: str, new: str) -> None:
        path = project / file
        text = path.read_text()
        assert old in text
        path.write_text(text.replace(old, new))

    return replace


@pytest.fixture
def shell(capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Shell:
    """``shell(*words)`` gives (exit status, stdout, stderr) of the command line, run in this process."""
    from pquant_hls.cli import main

    monkeypatch.delenv("COLUMNS", raising=False)  # workers of xdist are told the width of the terminal
    monkeypatch.setattr("pquant_hls.cli.life.SOON_S", 3600.0)  # whatever else the machine is busy with

    def run(*words: object) -> tuple[int, str, str]:
        capfd.readouterr()
        with pytest.raises(SystemExit) as left:
            main([str(word) for word in words])
        assert isinstance(left.value.code, int)
        return left.value.code, *capfd.readouterr()

    return run


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Tiny:
    """The smallest real network, converted once in a session; copy the project before editing it."""
    import keras
    from qkeras import QActivation, QDense, quantized_bits, quantized_relu

    from pquant_hls.hls import convert
    from pquant_hls.spec import HlsSpec

    folder = tmp_path_factory.mktemp("tiny")
    keras.utils.set_random_seed(1)
    grid = {name: quantized_bits(6, 0, alpha=1) for name in ("kernel_quantizer", "bias_quantizer")}
    model = keras.Sequential(
        [
            keras.Input((4,)),
            QActivation(quantized_bits(8, 3, alpha=1), name="q_in"),
            QDense(3, name="fc1", kernel_initializer="he_uniform", bias_initializer="random_normal", **grid),
            QActivation(quantized_relu(6, 2), name="relu1"),
            QDense(2, name="out", **grid),
        ]
    )
    model.save(folder / "tiny.keras")
    convert(model, HlsSpec(project_name="tiny"), folder / "project")
    return Tiny(folder / "tiny.keras", folder / "project")
