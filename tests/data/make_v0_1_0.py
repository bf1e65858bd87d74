"""Run folders and a golden file as version 0.1.0 wrote them: what ``tests/compat`` reads.

To be run by 0.1.0 itself, in an environment that holds it: ``python make_v0_1_0.py FOLDER``. It writes one
``.tar.gz`` a run, each with the words of the command line that made it in ``words.json``, relative to the folder the
archive is unpacked in; ``inputs.tar.gz`` with model, data and recipes; ``sources.tar.gz`` with the files that hls4ml
copies into every project, which are taken out of the runs.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import os
import shutil
import sys
import tarfile
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np

from pquant_hls.cli import main
from pquant_hls.engine.progress import Terminal

INPUTS = ["--model", "inputs/model.keras", "--data", "inputs/data.npz"]
RECIPE = """\
name: old
seed: 1
steps:
  - {step: prune, sparsity: 0.2, sparsity_of: units}
  - {step: quantize, bits: 6, epochs: 1, batch_size: 64}
hls: {part: xcvu13p-flga2577-2-e, clock_ns: 200 MHz}
budget: {latency_ns: LIMIT ns, max_accuracy_loss: 0.5}
loop: {max_rounds: 3}
"""
STUDY = """\
seed: 1
space: {bits: [4, 8], sparsity: [0.0, 0.5]}
n_trials: 3
epochs: 1
final_epochs: 1
tolerance: 0.5
budget: {latency_ns: 100}
"""
RUNS: dict[str, list[str]] = {
    "loop": ["compress", *INPUTS, "--recipe", "inputs/tight.yaml", "--out", "loop"],
    "interrupted": ["compress", *INPUTS, "--recipe", "inputs/tight.yaml", "--out", "interrupted"],
    "standard": [
        "compress",
        *INPUTS,
        "--recipe",
        "inputs/easy.yaml",
        "--pipeline",
        "standard",
        "--set",
        "analyse=false",
        "--set",
        "target_compression=6",
        "--set",
        "preserve_accuracy=0.6",
        "--out",
        "standard",
    ],
    "trigger": [
        "compress",
        *INPUTS,
        "--recipe",
        "inputs/easy.yaml",
        "--pipeline",
        "trigger",
        "--budget",
        "25 ns",
        "--out",
        "trigger",
    ],
    "adaptive": [
        "compress",
        *INPUTS,
        "--recipe",
        "inputs/tight.yaml",
        "--pipeline",
        "adaptive",
        "--set",
        "max_accuracy_loss=0.5",
        "--budget",
        "25 ns",
        "--out",
        "adaptive",
    ],
    "study": ["tune", *INPUTS, "--study", "inputs/study.yaml", "--out", "study"],
    "golden": ["csim", "record", "golden/project", "--golden", "golden/old.golden", "--random", "20"],
}
NOT_KEPT = {"cache", ".lock", "hls4ml.log", "normal_form.keras"}
EVERYWHERE = (
    "firmware/ap_types",
    "firmware/nnet_utils",
    "vivado_synth.tcl",
    "build_opt.tcl",
    "build_prj.tcl",
)
"""Parts of a project that are the same in every project of hls4ml 1.3.0."""


def inputs(folder: Path) -> None:
    """A float 4-5-3 network, barely trained, and 600 events on a grid of 1/8, so that they pack well."""
    from pquant_hls.datasets import load_dataset
    from pquant_hls.models import build_mlp, fit, save_model
    from pquant_hls.spec.steps import FineTuneConfig

    folder.mkdir()
    rng = np.random.default_rng(3)
    x = (np.clip(np.rint(8 * rng.normal(size=(600, 4))), -24, 24) / 8).astype(np.float32)
    np.savez_compressed(folder / "data.npz", x=x, y=np.argmax(x[:, :3] + 0.2 * x[:, 3:], axis=1))
    model = build_mlp(4, (5,), 3, seed=1)
    fit(
        model,
        load_dataset(str(folder / "data.npz")),
        FineTuneConfig(epochs=20, batch_size=32, learning_rate=1e-2),
    )
    save_model(model, folder / "model.keras")
    (folder / "tight.yaml").write_text(RECIPE.replace("LIMIT", "25"))
    (folder / "easy.yaml").write_text(RECIPE.replace("LIMIT", "1000"))
    (folder / "study.yaml").write_text(STUDY)


def interrupted_in_round_two() -> Callable[..., None]:
    """A listener in place of the terminal's, that stops the run when it trains for the second time."""
    told = Terminal.__call__
    rounds: list[str] = []

    def listen(self: Terminal, event: Any) -> None:
        told(self, event)
        if getattr(event, "text", "").startswith("quantize"):
            rounds.append("quantize")
            if len(rounds) == 2:
                raise KeyboardInterrupt

    return listen


def command(words: list[str]) -> None:
    try:
        main(words)
    except SystemExit as left:
        print(" ".join(words[:1] + words[-2:]), "left with", left.code, file=sys.stderr)  # noqa: T201


def pack(archive: Path, names: dict[str, Path | bytes]) -> None:
    """A tar whose bytes depend on names and contents alone; like files side by side, where gzip sees them."""
    with (
        gzip.GzipFile(archive, "wb", compresslevel=9, mtime=0) as packed,
        tarfile.open(fileobj=packed, mode="w") as tar,
    ):
        for name, source in sorted(names.items(), key=lambda entry: (Path(entry[0]).name, entry[0])):
            content = source if isinstance(source, bytes) else source.read_bytes()
            content = content.replace(str(Path.cwd()).encode(), b".")
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = len(content), 0o755 if name.endswith(".sh") else 0o644
            tar.addfile(entry, io.BytesIO(content))


def files_of(folder: Path) -> dict[str, Path | bytes]:
    found = sorted(path for path in folder.rglob("*") if path.is_file())
    kept = [path for path in found if not NOT_KEPT.intersection(path.relative_to(folder.parent).parts)]
    return {str(path.relative_to(folder.parent)): path for path in kept}


def shared_part(name: str) -> str | None:
    """The place inside a project, for a file that every project has; None for others."""
    _, project, inside = name.partition("/project/")
    return inside if project and inside.startswith(EVERYWHERE) else None


def make(work: Path, out: Path) -> None:
    os.chdir(work)
    inputs(Path("inputs"))
    pack(out / "inputs.tar.gz", files_of(Path("inputs")))
    shared: dict[str, Path | bytes] = {}
    for name, words in RUNS.items():
        if name == "golden":
            shutil.copytree("loop/handover/project", "golden/project")
        stop = interrupted_in_round_two() if name == "interrupted" else Terminal.__call__
        with mock.patch.object(Terminal, "__call__", stop):
            command(words)
        files = {"words.json": json.dumps(words).encode(), **files_of(Path(name))}
        for place in list(files):
            part = shared_part(place)
            if part is None:
                continue
            content = Path(place).read_bytes()
            known = shared.setdefault(part, content)
            if known == content:
                del files[place]
        pack(out / f"{name}.tar.gz", files)
    pack(out / "sources.tar.gz", shared)
    sums = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(out.glob("*.tar.gz"))}
    (out / "sha256.json").write_text(json.dumps(sums, indent=1) + "\n")


if __name__ == "__main__":
    target = Path(sys.argv[1]).resolve()
    target.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as scratch:
        os.environ["XDG_CACHE_HOME"] = f"{scratch}/xdg"
        make(Path(scratch), target)
