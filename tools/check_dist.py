"""Is the distribution whole? Builds sdist and wheel, tests the sdist, installs the wheel apart from the checkout, and uses it.

    python tools/check_dist.py

The new environment sees the packages of the present one, so nothing is downloaded. Exit 1 where a step fails.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import sysconfig
import tarfile
import tempfile
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
IN_SDIST = {
    "LICENSE",
    "README.md",
    "CITATION.cff",
    "pyproject.toml",
    "pquant_hls/py.typed",
    "docs/index.md",
    "tests/conftest.py",
    "tools/check_docs.py",
    "conda/recipe.yaml",
    "Containerfile",
}
TESTED = ("tests/qor", "tests/decide", "tests/habits/test_packaging.py")
"""Pure tests, run in the unpacked sdist."""
USE = """
import pquant_hls
from pathlib import Path
from pquant_hls import Recipe
from pquant_hls.datasets import load_dataset
from pquant_hls.spec.recipe import recipe_names
home = Path(pquant_hls.__file__).parent
assert home.is_relative_to({prefix!r}), home
assert (home / "py.typed").is_file()
assert [Recipe.load(name).name for name in recipe_names()] == recipe_names() != []
assert load_dataset("lhc_jets").x_train.shape[1] == 16
"""


def run(*words: str | Path, cwd: Path) -> None:
    print("$", *words[:4], flush=True)
    subprocess.run([str(word) for word in words], cwd=cwd, check=True)  # noqa: S603 - our own words


def installed(folder: Path, wheel: Path) -> Path:
    """A new environment with the wheel; its other packages are those of the present environment."""
    venv.create(folder, with_pip=False)
    python = folder / "bin" / "python"
    site = folder / "lib" / f"python{sys.version_info.major}.{sys.version_info.minor}" / "site-packages"
    seen = [path for path in sys.path if path.endswith("site-packages")] or [sysconfig.get_path("purelib")]
    (site / "present.pth").write_text("\n".join(seen) + "\n")
    words = ("-q", "--no-deps", "--no-index", "--ignore-installed", wheel)
    run(sys.executable, "-m", "pip", "--python", python, "install", *words, cwd=folder)
    return python


def main() -> int:
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        # A copy: what setuptools leaves beside the sources would hide the installed package's entry points.
        shutil.copytree(
            ROOT, folder / "source", ignore=shutil.ignore_patterns(".*", "build", "runs", "*.egg-info")
        )
        words = ("--no-isolation", "--outdir", folder / "dist", folder / "source")
        run(sys.executable, "-m", "build", *words, cwd=folder)
        sdist, wheel = sorted((folder / "dist").iterdir(), key=lambda path: path.suffix != ".gz")
        with tarfile.open(sdist) as packed:
            names = {name.partition("/")[2] for name in packed.getnames()}
            packed.extractall(folder / "unpacked", filter="data")
        missing = IN_SDIST - names
        if missing:
            print(f"{sdist.name} lacks {', '.join(sorted(missing))}")
            return 1
        (unpacked,) = (folder / "unpacked").iterdir()
        run(sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *TESTED, cwd=unpacked)
        python = installed(folder / "env", wheel)
        run(python, "-I", "-c", USE.format(prefix=str(folder)), cwd=folder)
        run(folder / "env" / "bin" / "pquant-hls", "--version", cwd=folder)
    print("sdist and wheel are whole")
    return 0


if __name__ == "__main__":
    sys.exit(main())
