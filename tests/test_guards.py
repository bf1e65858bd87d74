"""The guards see what they are there for: rooms and modules planted in a copy of the package are found."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PLANTED = {
    "decide/planted.py": "import hls4ml\nimport alkaid\nimport pyosys\nimport subprocess\nimport multiprocessing\nimport keras\n"
    "import tree_sitter\n",
    "qor/planted.py": "from pquant_hls.engine import compress_model\n",
}


def lint_imports(folder: Path) -> str:
    code = "from importlinter.cli import lint_imports_command; lint_imports_command(['--no-cache'])"
    env = {**os.environ, "PYTHONPATH": str(folder), "COLUMNS": "200"}
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=folder, env=env, capture_output=True, text=True, check=False
    )
    assert "Contracts" in done.stdout or "exhaustive" in done.stdout.lower(), done.stdout + done.stderr
    return done.stdout


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """The package and its contracts in a folder of their own."""
    shutil.copytree(
        ROOT / "pquant_hls", tmp_path / "pquant_hls", ignore=shutil.ignore_patterns("__pycache__")
    )
    shutil.copy(ROOT / ".importlinter", tmp_path)
    return tmp_path


def test_a_module_outside_its_door_is_found(copy: Path) -> None:
    for name, text in PLANTED.items():
        (copy / "pquant_hls" / name).write_text(text)
    said = lint_imports(copy)
    assert "Contracts: 0 kept, 6 broken." in said
    for forbidden in ("hls4ml", "alkaid", "pyosys", "subprocess", "multiprocessing", "keras", "tree_sitter"):
        assert re.search(rf"pquant_hls\.decide\.planted\s+->\s+{forbidden}\b", said), forbidden
    assert "pquant_hls.qor.planted" in said


def test_a_room_that_nobody_listed_is_found(copy: Path) -> None:
    (copy / "pquant_hls" / "attic").mkdir()
    (copy / "pquant_hls" / "attic" / "__init__.py").write_text("import subprocess\nimport hls4ml\n")
    said = lint_imports(copy)
    assert "attic" in said
    assert "broken" in said
    assert "0 broken" not in said


@pytest.mark.parametrize(
    "line",
    [
        "import os\nos.system('true')\n",
        "from os import popen\npopen('true')\n",
        "import os\nos.fork()\n",
        "import os\nos.posix_spawn('true', ['true'], {})\n",
        "from concurrent.futures import ProcessPoolExecutor\n",
        "from keras.src import models\n",
        "import keras\nkeras.src.models\n",
        "import tensorflow.python.framework\n",
        "print('hello')\n",
    ],
)
def test_names_that_are_barred_are_found(line: str) -> None:
    ruff = shutil.which("ruff") or str(Path(sys.executable).with_name("ruff"))
    command = [ruff, "check", "--no-cache", "--stdin-filename", "pquant_hls/decide/planted.py", "-"]
    done = subprocess.run(command, cwd=ROOT, input=line, capture_output=True, text=True, check=False)
    assert re.search(r"TID251|T201", done.stdout), done.stdout + done.stderr
