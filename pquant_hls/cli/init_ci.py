"""``init-ci``: the CI file of a firmware repository, with the jobs csim, gate, lint and report."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from importlib import resources
from pathlib import Path
from typing import Annotated, Literal

import typer

from pquant_hls.cli.life import busy
from pquant_hls.cli.plain import echo

PLACES: Mapping[str, str] = {"github": ".github/workflows/firmware.yml", "gitlab": ".gitlab-ci.yml"}
REPORTS = "reports"


def register(app: typer.Typer) -> None:
    app.command("init-ci")(init_ci)


def init_ci(
    server: Annotated[Literal["github", "gitlab"], typer.Argument(help="whose CI")],
    project: Annotated[Path, typer.Option("--project", help="the firmware's folder in the repository")],
    *,
    golden: Annotated[Path, typer.Option("--golden", help="golden file of csim record")] = Path(
        "firmware.golden"
    ),
    record: Annotated[
        Path, typer.Option("--record", help="record of measure --json that resources are held against")
    ] = Path("firmware.qor.json"),
    limit: Annotated[
        list[str] | None, typer.Option("--limit", help="of gate, such as latency_ns='60 ns'; may be repeated")
    ] = None,
    tolerance: Annotated[str, typer.Option("--tolerance", help="growth of a figure that gate allows")] = "5%",
    ranges: Annotated[
        list[str] | None, typer.Option("--range", help="of the inputs, LOW:HIGH or .npy, for lint --overflow")
    ] = None,
    part: Annotated[
        str | None, typer.Option("--part", help="AMD part of firmware without build files")
    ] = None,
    clock: Annotated[str | None, typer.Option("--clock", help="its clock: 2.5 (ns) or '360 MHz'")] = None,
    out: Annotated[Path, typer.Option("--out", help="root of the repository")] = Path(),
    overwrite: Annotated[bool, typer.Option("--overwrite", help="replace an existing file")] = False,
) -> int:
    """Write the CI file of a firmware repository: csim check, gate, lint, report, each with JUnit and artefacts.

    Paths are of the repository's root, where the jobs run.
    """
    from pquant_hls.errors import OutputError
    from pquant_hls.hls import load_project
    from pquant_hls.store import write_bytes

    place = out / PLACES[server]
    if place.exists() and not overwrite:
        raise OutputError("exists already", where=place, mend="--overwrite replaces it")
    with busy(f"reading {out / project}"):
        load_project(out / project)  # what the jobs could not read is said now
    target = [*_option("--part", part), *_option("--clock", clock)]
    found = jobs(project, golden, record, limit or [], tolerance, ranges or [], target)
    place.parent.mkdir(parents=True, exist_ok=True)
    write_bytes(place, rendered(server, found).encode())
    echo(f"{place}: jobs {', '.join(found)}")
    for file, command in _first(project, golden, record, target).items():
        if not (out / file).exists():
            echo(f"not there yet, to be kept in the repository: {command}")
    return 0


def jobs(
    project: Path,
    golden: Path,
    record: Path,
    limits: Sequence[str],
    tolerance: str,
    ranges: Sequence[str],
    target: Sequence[str],
) -> dict[str, tuple[str, ...]]:
    """The commands of each job, as a shell runs them at the repository's root."""
    name, allowed = project.as_posix(), [word for limit in limits for word in ("--limit", limit)]
    inputs = [f"--range={word}" for word in ranges]  # a range may begin with a minus
    held = ("--against", record.as_posix(), "--tolerance", tolerance)
    lint = _words("lint", name, "--overflow", *inputs, "--junit", f"{REPORTS}/lint.xml")
    return {
        "csim": _job("csim", "check", name, "--golden", golden.as_posix(), "--junit", f"{REPORTS}/csim.xml"),
        "gate": _job("gate", name, *allowed, *held, *target, "--junit", f"{REPORTS}/gate.xml"),
        "lint": (f"mkdir -p {REPORTS}", f"{lint} || [ $? -eq 4 ]"),  # an undecided type fails nobody
        "report": (
            f"mkdir -p {REPORTS}",
            f"{_words('measure', name, *target, '--json')} > {REPORTS}/qor.json",
            _words("report", name, *target, "--html", f"{REPORTS}/firmware.html"),
        ),
    }


def _job(*words: str) -> tuple[str, ...]:
    return (f"mkdir -p {REPORTS}", _words(*words))


def _words(*words: str) -> str:
    return shlex.join(["pquant-hls", *words])


def _option(name: str, value: str | None) -> list[str]:
    return [] if value is None else [name, value]


def _first(project: Path, golden: Path, record: Path, target: Sequence[str]) -> dict[Path, str]:
    """By file: the command that makes it."""
    name = project.as_posix()
    return {
        golden: _words("csim", "record", name, "--golden", golden.as_posix()),
        record: f"{_words('measure', name, *target, '--json')} > {shlex.quote(record.as_posix())}",
    }


def rendered(server: str, found: Mapping[str, Sequence[str]]) -> str:
    """The file's text."""
    from importlib.metadata import version

    texts = resources.files("pquant_hls.cli").joinpath("ci")
    whole, each = (texts.joinpath(f"{server}{end}.yaml").read_text(encoding="utf-8") for end in ("", "_job"))
    install = f"pip install pquant_hls=={version('pquant_hls')}"
    made = [_filled(each, name=[name], install=[install], commands=lines) for name, lines in found.items()]
    return _filled(whole, install=[install], jobs="\n".join(made).splitlines())


def _filled(text: str, **parts: Sequence[str]) -> str:
    """``@word`` replaced; the lines of one that stands alone keep its indent."""
    lines: list[str] = []
    for line in text.splitlines():
        word = line.strip().removeprefix("- ").removeprefix("@")
        if line.strip().startswith("@") and word in parts:
            indent = line[: len(line) - len(line.lstrip())]
            lines += [f"{indent}{part}" if part else "" for part in parts[word]]
            continue
        filled = line
        for name, values in parts.items():
            if len(values) == 1:
                filled = filled.replace(f"@{name}", values[0])
        lines.append(filled)
    return "\n".join(lines) + "\n"
