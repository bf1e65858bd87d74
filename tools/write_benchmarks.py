"""docs/benchmarks.md and its figures, from the JSON files that the scripts in ``benchmarks`` write.

    python tools/write_benchmarks.py FOLDER

``FOLDER`` holds ``<script>.json`` of the runs to show (``make build/benchmarks/train.json``). The section of a script without
one stays as an earlier run wrote it; one that never had any is named as not run. Nothing is measured here.
"""

from __future__ import annotations

import ast
import json
import shlex
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
PAGE = Path("docs/benchmarks.md")
PICTURES = Path("docs/benchmarks")
MOST_ROWS = 60
NOT_RUN = "Not run"
HEAD = """# Benchmarks

Written by `make benchmarks` from the JSON files of the scripts in `benchmarks/`; each section is one run, with its command
and machine. Times depend on the machine, ratios of one run less so.
"""
Record = Mapping[str, Any]
Lines = list[str]


def main(folder: Path, root: Path = ROOT) -> int:
    """Write page and figures; returns the exit status."""
    if not folder.is_dir():
        print(
            f"{folder}: no such folder; make build/benchmarks/train.json takes the figures of one script",
            file=sys.stderr,
        )
        return 2
    found = {script.stem: read(folder / f"{script.stem}.json") for script in scripts(root)}
    pictures = drawn({name: record for name, record in found.items() if record}, root)
    kept = earlier(root / PAGE)
    sections = {
        name: section(name, record, root, pictures.get(name, [])) if record else kept.get(name)
        for name, record in found.items()
    }
    missing = [f"`benchmarks/{name}.py`" for name, lines in sections.items() if lines is None]
    text = [HEAD, *(line for lines in sections.values() for line in lines or ())]
    if missing:
        text += [f"## {NOT_RUN}", "", f"No figures yet: {', '.join(missing)}.", ""]
    (root / PAGE).write_text("\n".join(text).rstrip() + "\n")
    print(f"{PAGE}: {sum(map(bool, found.values()))} scripts anew, {len(missing)} not run")
    return 0


def earlier(page: Path) -> dict[str, Lines]:
    """The sections there are, by script."""
    parts = page.read_text().split("\n## ")[1:] if page.is_file() else []
    named = {part.partition("\n")[0]: f"## {part.strip()}\n".split("\n") for part in parts}
    return {name: lines for name, lines in named.items() if name != NOT_RUN}


def scripts(root: Path) -> list[Path]:
    """The benchmark scripts, by name; modules that they share begin with a line."""
    return sorted((root / "benchmarks").glob("[a-z]*.py"))


def read(path: Path) -> Record | None:
    """A script's record; None without a file. Raises SystemExit for one that no such script wrote."""
    if not path.is_file():
        return None
    found = json.loads(path.read_text())
    if not isinstance(found, dict) or not {"tables", "machine", "options"} <= found.keys():
        raise SystemExit(f"{path} holds no tables: run the script again with --json")
    return found


def section(name: str, record: Record, root: Path, pictures: Sequence[Path]) -> Lines:
    """One script: what it measures in its own first sentence, the command, its tables and figures."""
    doc = ast.get_docstring(ast.parse((root / "benchmarks" / f"{name}.py").read_text())) or name
    said = " ".join(doc.split("\n\n")[0].split())
    told = record["machine"]
    machine = f"{told['processor']}, {told['cores']} cores, {told['system']}, Python {told['python']}"
    lines = [f"## {name}", "", said, "", f"`{command(name, record['options'])}` on {machine}.", ""]
    if record["quick"]:
        lines += ["A short run: its figures only show that everything works.", ""]
    for table in record["tables"]:
        lines += [f"**{table['title']}**", "", *rows_of(table["rows"]), ""]
    lines += [f"![{path.stem}]({path.relative_to(PAGE.parent).as_posix()})\n" for path in pictures]
    return lines


def command(name: str, options: Mapping[str, Any]) -> str:
    """The script with its options, those without a value alone."""
    words = ["python", f"benchmarks/{name}.py"]
    for option, value in options.items():
        values = [] if value is True else value if isinstance(value, list) else [value]
        words += [f"--{option.replace('_', '-')}", *(shlex.quote(str(one)) for one in values)]
    return " ".join(words)


def rows_of(rows: Sequence[Mapping[str, str]]) -> Lines:
    """A table in Markdown; rows beyond MOST_ROWS are counted, not shown."""
    if not rows:
        return ["Nothing to show."]
    names = list(rows[0])
    lines = [_line(names), _line(["---"] * len(names))]
    lines += [_line([row.get(name, "-") for name in names]) for row in rows[:MOST_ROWS]]
    more = len(rows) - MOST_ROWS
    return [*lines, "", f"And {more} more rows in the file."] if more > 0 else lines


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cell.replace('|', '/') for cell in cells)} |"


def drawn(records: Mapping[str, Record], root: Path) -> dict[str, list[Path]]:
    """Figures by script; raises SystemExit where there is one to draw and no matplotlib."""
    wanted = {name: draw for name, draw in FIGURES.items() if name in records}
    if not wanted:
        return {}
    try:
        import matplotlib as mpl
    except ImportError as cause:
        raise SystemExit("figures need matplotlib: pip install 'pquant-hls[plot]'") from cause
    mpl.use("svg")
    mpl.rcParams["svg.hashsalt"] = "pquant-hls"  # the same bytes for the same figures
    (root / PICTURES).mkdir(parents=True, exist_ok=True)
    return {name: draw(records[name]["results"], root) for name, draw in wanted.items()}


def front(results: Mapping[str, Any], root: Path) -> list[Path]:
    """Test accuracy of each contestant's kept designs against LUT, a figure a task."""
    made = []
    for task, found in results.items():
        if not isinstance(found, dict) or "points" not in found:
            continue
        figure, axes = _axes()
        for number, name in enumerate(dict.fromkeys(point["contestant"] for point in found["points"])):
            kept = [p for p in found["points"] if p["contestant"] == name and p["kept"]]
            for seed in sorted({point["seed"] for point in kept}):
                line = sorted((p["lut"], p["test"]) for p in kept if p["seed"] == seed)
                label = name if seed == min(point["seed"] for point in kept) else None
                axes.plot(*zip(*line, strict=True), "o-", ms=3, lw=1, color=f"C{number}", label=label)
        axes.set(xscale="log", xlabel="LUT (alkaid)", ylabel="test accuracy, %", title=task)
        axes.set_ylim(bottom=found["floor"])
        axes.legend()
        made.append(_saved(figure, f"front-{task.replace(' ', '-')}", root))
    return made


def train(results: Mapping[str, Any], root: Path) -> list[Path]:
    """CPU milliseconds of an epoch, ours and Keras' own."""
    rows = results["rows"]
    names = [f"{row['training']}, {row['batch']}" for row in rows]
    return [
        _bars(
            "train", names, {key: [row[key] for row in rows] for key in ("ours, ms", "keras.fit, ms")}, root
        )
    ]


def candidate(results: Mapping[str, Any], root: Path) -> list[Path]:
    """CPU seconds of one candidate, by the way it is looked at."""
    rows = results["rows"]
    ways = ("plain hls4ml", "csim", "csim, kept library", "emulator")
    return [_bars("candidate", list(ways), {row["design"]: [row[way] for way in ways] for row in rows}, root)]


FIGURES: dict[str, Callable[[Mapping[str, Any], Path], list[Path]]] = {
    "front": front,
    "train": train,
    "candidate": candidate,
}


def _bars(name: str, groups: Sequence[str], series: Mapping[str, Sequence[float]], root: Path) -> Path:
    figure, axes = _axes()
    height = 0.8 / len(series)
    for number, (label, values) in enumerate(series.items()):
        axes.barh([place + number * height for place in range(len(groups))], values, height, label=label)
    axes.set_yticks([place + 0.4 - height / 2 for place in range(len(groups))], groups)
    axes.set(xscale="log", xlabel="CPU time, ms an epoch" if name == "train" else "CPU time, s")
    axes.invert_yaxis()
    axes.legend()
    return _saved(figure, name, root)


def _axes() -> tuple[Any, Any]:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 4), layout="constrained")
    return figure, figure.add_subplot()


def _saved(figure: Any, name: str, root: Path) -> Path:
    path = PICTURES / f"{name}.svg"
    figure.savefig(root / path, metadata={"Date": None})
    return path


if __name__ == "__main__":
    if len(sys.argv) != 2:
        raise SystemExit(__doc__)
    sys.exit(main(Path(sys.argv[1])))
