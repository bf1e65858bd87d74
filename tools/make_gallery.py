"""A gallery of four real runs: a tagger, an autoencoder, a network of two heads, and a study. Pages, and one that leads to them.

    python tools/make_gallery.py [--quick] [FOLDER]

FOLDER (build/gallery without it) gets ``index.html``, a page for each run, and the run folders, which a second call takes up
as they are. The tagger learns the bundled jets; those of the others are made by ``benchmarks/tasks.py``, from bundled ones.
``--quick``: a tenth of the training, which shows the pages and no physics.

The pages are then looked at as ``look_at.py`` does: exit 1 where a reader would stumble; without a browser that is left out.
"""

from __future__ import annotations

import argparse
import dataclasses
import os
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

from look_at import all_complaints, browser

from pquant_hls.files import write_bytes
from pquant_hls.programs.quoting import html
from pquant_hls.reporting import Plots, RunReport, facts, read_run, to_html
from pquant_hls.reporting.style import PAGE, STYLE

ROOT = Path(__file__).resolve().parents[1]
TITLES: Mapping[str, str] = {
    "tagger": "A jet tagger within 40 ns",
    "autoencoder": "An anomaly detector at a fixed rate",
    "two_heads": "Class and momentum from one network",
    "study": "A study and its front",
}


def jets(scale: float) -> tuple[Any, Any]:
    """The 16-64-32-32-5 tagger, trained, and the bundled jets; fewer of both with a small scale."""
    from pquant_hls.datasets import load_dataset
    from pquant_hls.network import build_mlp
    from pquant_hls.spec.steps import FineTuneConfig
    from pquant_hls.train import fit

    data = load_dataset("lhc_jets")
    if scale < 1:
        sizes = {"train": 8000, "val": 3000, "test": 3000}
        data = dataclasses.replace(
            data,
            **{f"{x}_{which}": getattr(data, f"{x}_{which}")[:n] for x in "xy" for which, n in sizes.items()},
        )
    model = build_mlp(16, (64, 32, 32), 5, seed=0)
    fit(model, data, FineTuneConfig(epochs=max(4, round(20 * scale)), batch_size=256, learning_rate=3e-3))
    return model, data


def tagger(folder: Path, scale: float) -> None:
    from pquant_hls import Recipe, compress_model

    recipe = Recipe.load("jet_tagger_learned_40ns" if scale == 1 else "jet_tagger_vu13p_200mhz")
    if scale < 1:
        recipe = recipe.with_(budget=recipe.budget.with_(max_accuracy_loss=0.08))
    compress_model(*jets(scale), recipe, folder, resume=True)


def of_task(name: str, budget: Mapping[str, Any], folder: Path, scale: float) -> None:
    sys.path.append(str(ROOT / "benchmarks"))
    from tasks import made

    from pquant_hls import Recipe, compress_model

    train = {"epochs": max(3, round(20 * scale)), "batch_size": 128, "learning_rate": 3e-3}
    steps = [{"step": "prune", "sparsity": 0.2, **train}, {"step": "quantize", "bits": 8, **train}]
    recipe = Recipe.parse({"name": name, "steps": steps, "budget": dict(budget)})
    compress_model(*made(name, 0, scale), recipe, folder, resume=True)


def autoencoder(folder: Path, scale: float) -> None:
    of_task("autoencoder", {"latency_ns": "2 BX", "quality": {"rmse": "15 %"}}, folder, scale)


def two_heads(folder: Path, scale: float) -> None:
    of_task(
        "two_heads",
        {"latency_ns": 60, "quality": {"id.accuracy": "3 points", "pt.rmse": "15 %"}},
        folder,
        scale,
    )


def study(folder: Path, scale: float) -> None:
    from pquant_hls import tune_model
    from pquant_hls.spec import StudySpec

    epochs = max(2, round(8 * scale))
    spec = StudySpec.parse(
        {
            "name": "jets",
            "space": {"bits": [4, 8], "sparsity": [0.0, 0.8], "reuse_factor": [1, 2]},
            "n_trials": 24 if scale == 1 else 12,
            "epochs": epochs,
            "final_epochs": 2 * epochs,
            "budget": {"latency_ns": 60, "max_accuracy_loss": 0.04},
        }
    )
    tune_model(*jets(scale), spec, folder, resume=True)


RUNS: Mapping[str, Callable[[Path, float], None]] = {
    one.__name__: one for one in (tagger, autoencoder, two_heads, study)
}


def pages(folder: Path, names: Mapping[str, str]) -> list[Path]:
    """A page for each run folder below ``folder/runs``, and the one that leads to them, first."""
    runs = {name: read_run(folder / "runs" / name) for name in names}
    for name, run in runs.items():
        write_bytes(folder / f"{name}.html", to_html(run).encode())
    write_bytes(folder / "index.html", index(runs, names).encode())
    return [folder / "index.html", *(folder / f"{name}.html" for name in runs)]


def index(runs: Mapping[str, RunReport], titles: Mapping[str, str]) -> str:
    """The page that leads to the runs: of each the verdict and a picture."""
    cards = "".join(_card(name, titles[name], run) for name, run in runs.items())
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width,initial-scale=1"><meta name="color-scheme" content="light dark">'
        f"<title>pquant_hls: four runs</title><style>{STYLE}{PAGE}</style></head>"
        f'<body class="pquant"><main><header><h1>Four runs</h1></header><div class="side">{cards}</div></main></body></html>\n'
    )


def _card(name: str, title: str, run: RunReport) -> str:
    plots, verdict = Plots(run), facts.outcome(run)
    picture = plots.fronts() if name == "study" else plots.physics()[0]
    return (
        f'<section><h2><a href="{name}.html">{html(title)}</a></h2>'
        f'<p class="facts">{html(" · ".join(facts.what(run)))}</p>'
        f'<div class="verdict {html(verdict)}"><p><strong>{html(verdict)}</strong> {html(run.reason)}</p></div>'
        f"{picture.html()}</section>"
    )


def main() -> int:
    """Runs, pages and the look at them."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", nargs="?", type=Path, default=ROOT / "build" / "gallery")
    parser.add_argument("--quick", action="store_true", help="a tenth of the training")
    asked = parser.parse_args()
    for name, run in RUNS.items():
        place = asked.folder / "runs" / name
        if not (place / "run.json").is_file() or read_run(place).status != "finished":
            run(place, 0.1 if asked.quick else 1.0)
    made = pages(asked.folder, TITLES)
    print("\n".join(f"{page}: {page.stat().st_size / 1e3:,.0f} kB" for page in made))
    if browser() is None:
        print("no chromium on PATH: the pages were not looked at", file=sys.stderr)
        return 0
    found = [word for page in made for word in all_complaints(page)]
    print("\n".join(found) or "every page reads well at 400, 800 and 1280 px, light and dark")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
