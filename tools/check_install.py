"""Both installs into empty environments: what they download and unpack, and whether each half works and names the other.

    python tools/check_install.py [--quick] [--pythons 3.11 3.13] [--json OUT]

For each Python there is (3.11 to 3.13; with --quick the present one): the wheel of this checkout, made by its sdist, with
nothing else (`pip install pquant_hls`), then with `pquant_hls[compress]` (left out with --quick). Each is downloaded by pip into
a folder of its own, installed from there, and used apart from the checkout. The light one must stay within the limits below,
run csim, gate, measure, lint, report, export and the pytest plugin on a firmware, and name the other half where it lacks: exit
status 3 with the install line. Sizes are MB of 10**6 bytes; pip itself is left out. Exit 1 where anything fails.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from tests.firmware import miniature

ROOT = Path(__file__).resolve().parents[1]
VERSIONS = ("3.11", "3.12", "3.13")
LIGHT_DOWNLOAD_MB, LIGHT_UNPACKED_MB = 120.0, 160.0
WORKS = """
import sys
import pquant_hls
from pathlib import Path
assert Path(pquant_hls.__file__).is_relative_to({prefix!r}), pquant_hls.__file__
from pquant_hls.hls import load_project
from pquant_hls.measure import measure_project, overflow
assert load_project(Path("mini")).name == "mini"
lacking = {{"tensorflow", "keras", "qkeras", "hls4ml", "optuna", "h5py"}} & set(sys.modules)
assert not lacking, lacking
"""


class Failed(Exception):
    """A command that gave another status than it must, with its output."""


def run(words: Sequence[str | Path], folder: Path, status: int = 0, says: str = "") -> str:
    """Run a command apart from the checkout; its output, which must hold ``says``."""
    kept = {
        name: os.environ[name]
        for name in ("PATH", "HOME", "LANG", "PIP_CACHE_DIR", "PIP_INDEX_URL")
        if name in os.environ
    }
    proxies = {
        name: value
        for name, value in os.environ.items()
        if name.lower().endswith(("_proxy", "_bundle", "cert_file"))
    }
    texts = [str(word) for word in words]
    env = {**kept, **proxies}
    done = subprocess.run(texts, cwd=folder, capture_output=True, text=True, check=False, env=env)  # noqa: S603 - our own words
    output = done.stdout + done.stderr
    if done.returncode != status or says not in output:
        wanted = f" with {says!r}" if says else ""
        raise Failed(
            f"{' '.join(texts)}: status {done.returncode}, {status}{wanted} was expected\n{output[-3000:]}"
        )
    return done.stdout


def pythons(asked: Sequence[str] | None) -> dict[str, str]:
    """Interpreters by version: those on PATH, and those of pyenv."""
    found = {}
    for version in asked or VERSIONS:
        places = [
            shutil.which(f"python{version}"),
            *sorted(Path.home().glob(f".pyenv/versions/{version}.*/bin/python")),
        ]
        for place in filter(None, places):
            asks = [str(place), "-c", "import sys; print('.'.join(map(str, sys.version_info[:2])))"]
            told = subprocess.run(asks, capture_output=True, text=True, check=False)  # noqa: S603 - an interpreter
            if told.stdout.strip() == version:
                found[version] = str(place)
                break
    return found


def megabytes(folder: Path) -> float:
    return (
        sum(file.stat().st_size for file in folder.rglob("*") if file.is_file() and not file.is_symlink())
        / 1e6
    )


def wheel(folder: Path) -> Path:
    """The wheel that the sdist makes; both are built from a copy: nothing is left beside the sources."""
    source = folder / "source"
    shutil.copytree(ROOT, source, ignore=shutil.ignore_patterns(".*", "build", "runs", "*.egg-info"))
    run([sys.executable, "-m", "build", "--outdir", folder / "dist", source], folder)
    (built,) = (folder / "dist").glob("*.whl")
    return built


def installed(python: str, built: Path, extra: str, folder: Path) -> dict[str, Any]:
    """A new environment with the wheel and what it needs; sizes, and where its interpreter is."""
    wanted = f"{built}{extra}"
    run([python, "-m", "venv", folder / "env"], folder)
    inside = folder / "env" / "bin" / "python"
    run([inside, "-m", "pip", "download", "-q", "--dest", folder / "packages", wanted], folder)
    download = megabytes(folder / "packages")
    site = next((folder / "env" / "lib").glob("python3.*")) / "site-packages"
    before = megabytes(site)
    run(
        [inside, "-m", "pip", "install", "-q", "--no-index", "--find-links", folder / "packages", wanted],
        folder,
    )
    return {
        "python": inside,
        "download_mb": round(download, 1),
        "unpacked_mb": round(megabytes(site) - before, 1),
    }


def light_works(python: Path, folder: Path) -> None:
    """Every command of the firmware half, on a firmware; and what the other half needs is named."""
    program, mini = python.with_name("pquant-hls"), miniature.project(folder / "mini")
    target = ("--part", "xcvu13p-flga2577-2-e", "--clock", "5")
    run([python, "-I", "-c", WORKS.format(prefix=str(folder))], folder)
    run([program, "--version"], folder)
    run([program, "csim", "record", mini, "--golden", "mini.golden", "--random", "64"], folder)
    run([program, "csim", "check", mini, "--golden", "mini.golden"], folder)
    run(
        [program, "csim", "compare", mini, mini, "--random", "32"], folder, says="every output value is equal"
    )
    run([program, "measure", mini, "--using", "estimate", *target], folder)
    run([program, "gate", mini, "--limit", "latency_ns=500", *target], folder)
    run([program, "lint", mini, "--overflow", "--range=-1:1"], folder)
    run([program, "export", mini, "--namespace", "mini_v1", "--out", "emulator"], folder)
    line = "pip install 'pquant_hls[compress]'"
    (folder / "model.keras").write_bytes(b"")
    for words in (
        ["lint", "model.keras"],
        ["quickstart", "--out", "run"],
        ["compress", "--model", "model.keras", "--data", "lhc_jets", "--out", "run"],
    ):
        run([program, *words], folder, status=3, says=line)
    names = (
        "import pquant_hls\ntry: pquant_hls.compress_model\nexcept ModuleNotFoundError as cause: print(cause)"
    )
    run([python, "-I", "-c", names], folder, says=line)
    run([python, "-m", "pip", "install", "-q", "pytest>=8"], folder)
    run([python, "-m", "pytest", "-q", "--trace-config"], folder, status=5, says="pquant_hls")


def whole_works(python: Path, folder: Path) -> None:
    """A model is made, linted and converted, and csim of the project equals it."""
    program = python.with_name("pquant-hls")
    make = (
        "import keras; keras.utils.set_random_seed(0)\n"
        "layers = [keras.layers.Dense(4, activation='relu'), keras.layers.Dense(5)]\n"
        "keras.Sequential([keras.Input((16,)), *layers]).save('m.keras')\n"
        "import numpy; numpy.save('x.npy', numpy.random.default_rng(0).normal(size=(50, 16)))"
    )
    run([python, "-c", make], folder)
    run([program, "lint", "m.keras"], folder, status=1, says="weights-off-grid")
    run(
        [program, "csim", "diff", "m.keras", "--data", "x.npy"],
        folder,
        status=1,
        says="first divergent layer",
    )
    run([python, "-c", "import scipy.optimize, optuna, qkeras, hls4ml"], folder)


def looked_at(version: str, python: str, built: Path, extra: str, folder: Path) -> dict[str, Any]:
    folder.mkdir()
    row: dict[str, Any] = {"python": version, "install": f"pquant_hls{extra}"}
    found = installed(python, built, extra, folder)
    row |= {"download_mb": found["download_mb"], "unpacked_mb": found["unpacked_mb"]}
    (light_works if not extra else whole_works)(found["python"], folder)
    if not extra and (row["download_mb"] > LIGHT_DOWNLOAD_MB or row["unpacked_mb"] > LIGHT_UNPACKED_MB):
        raise Failed(
            f"{row}: more than {LIGHT_DOWNLOAD_MB:g} MB to download or {LIGHT_UNPACKED_MB:g} MB unpacked"
        )
    return row


def said(row: dict[str, Any]) -> str:
    sizes = f"{row['download_mb']} MB downloaded, {row['unpacked_mb']} MB unpacked"
    return f"Python {row['python']}, {row['install']}: {sizes}, works"


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--quick", action="store_true", help="the light install with the present Python alone"
    )
    parser.add_argument("--pythons", nargs="+", metavar="VERSION", help=f"of {', '.join(VERSIONS)}")
    parser.add_argument("--light", action="store_true", help="leave the whole install out")
    parser.add_argument("--json", type=Path, help="write the sizes to this file")
    args = parser.parse_args()
    present = ".".join(map(str, sys.version_info[:2]))
    there = {present: sys.executable} if args.quick else pythons(args.pythons)
    extras = ("",) if args.quick or args.light else ("", "[compress]")
    rows, failed = list[dict[str, Any]](), 0
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        built = wheel(folder)
        for version, python in there.items():
            for extra in extras:
                place = folder / f"{version}{'-whole' if extra else '-light'}"
                try:
                    rows.append(looked_at(version, python, built, extra, place))
                    print(said(rows[-1]), flush=True)
                except Failed as cause:
                    failed += 1
                    print(f"Python {version}, pquant_hls{extra}: {cause}", file=sys.stderr, flush=True)
                shutil.rmtree(place, ignore_errors=True)
    missing = [
        version for version in args.pythons or ([] if args.quick else VERSIONS) if version not in there
    ]
    if missing:
        print(f"not here, not tried: Python {', '.join(missing)}")
    if args.json is not None:
        args.json.write_text(json.dumps({"schema_version": 1, "installs": rows}, indent=1) + "\n")
    return 1 if failed or not rows else 0


if __name__ == "__main__":
    sys.exit(main())
