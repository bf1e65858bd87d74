"""A design as one reproducible archive, and its proof on another machine: g++ and the light install."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from pquant_hls.errors import DataError, OutputError, PquantError
from pquant_hls.errors.bounds import json_values
from pquant_hls.export.archive import digest, read_archive, write_archive
from pquant_hls.files import replacing, scratch
from pquant_hls.firmware import examine
from pquant_hls.golden import Golden, check
from pquant_hls.hls import HlsProject, load_project, say_where
from pquant_hls.hls.place import RECORD, told_to_lie_in
from pquant_hls.hls.project import BUILT
from pquant_hls.measure import measure_project
from pquant_hls.store import versions

PROJECT, GOLDEN, LINT, ESTIMATE, LICENCES = (
    "project/",
    "golden.npz",
    "lint.json",
    "estimate.json",
    "LICENCES.md",
)
LICENCE_TEXT = """# Licences

The design (weights, types, the top function) is its authors'. Files of others that lie in `project`:

* `ap_types`: AMD's (Xilinx) arbitrary precision types, Apache License 2.0
* `nnet_utils`: hls4ml, Apache License 2.0
* what this archive was made by: pquant_hls, Apache License 2.0
"""


@dataclass(frozen=True)
class Bundled:
    """A written bundle: its place, the archive's sha256, how many files it holds, and of which parts by their names."""

    path: Path
    sha256: str
    files: int
    parts: dict[str, int]


@dataclass(frozen=True)
class Verified:
    """What held on this machine, a line each, and what did not; ``sha256`` of the archive."""

    sha256: str
    held: tuple[str, ...]
    faults: tuple[str, ...]

    @property
    def passed(self) -> bool:
        return not self.faults


def bundle(design: Path, out: Path, *, golden: Path | None = None, timeout_s: float = 600.0) -> Bundled:
    """Write a run's handover, or a firmware with its golden, as one archive: same input, same bytes.

    Project, golden, lint's remarks, the estimator's record, licences, and of a run the model, recipe, QoR and Verilog. The golden
    is checked by csim before anything is written.

    Raises
    ------
    OutputError : ``out`` exists. DataError : no finished run, no golden, or one that csim does not give any more.
    UnsupportedModel, ToolNotFound, ToolFailed : as csim.
    """
    if out.exists():
        raise OutputError("exists already", where=out, mend="give a new file")
    run = design / "handover"
    of_run = run.is_dir()
    place = run / "project" if of_run else design
    known = golden if golden is not None else (run / "project.golden" if of_run else None)
    if known is None or not known.is_file():
        raise DataError("a bundle needs a golden", where=design, mend="--golden FILE of csim record")
    project = load_project(place)
    result = check(project, Golden.load(known), timeout_s=timeout_s)
    if not result.passed:
        raise DataError(f"csim does not give the golden: {result.lines()[0]}", where=design)
    files = dict(_project_files(project)) | {GOLDEN: known.read_bytes(), LICENCES: LICENCE_TEXT.encode()}
    files |= {LINT: _lines(_remarks(project)), ESTIMATE: _lines(_estimate(project))}
    if of_run:
        files |= dict(_run_files(design, run))
    about = {"name": project.name, "project": project.digest(), "made_by": versions()}
    parts = Counter(name.partition("/")[0] for name in files)
    return Bundled(out, write_archive(out, files, about), len(files), dict(sorted(parts.items())))


def _project_files(project: HlsProject) -> Iterator[tuple[str, bytes]]:
    """All of the folder but for what was built or simulated in it, and links."""
    for path in sorted(project.path.rglob("*")):
        if path.is_file() and not path.is_symlink() and path.suffix not in BUILT:
            place = path.relative_to(project.path).as_posix()
            yield f"{PROJECT}{place}", _nowhere(path) if place == RECORD else path.read_bytes()


def _nowhere(record: Path) -> bytes:
    """hls4ml's record without the folder that the project lay in, so that the same design gives the same bytes."""
    try:
        return told_to_lie_in(record.read_text(encoding="utf-8"), ".").encode()
    except (UnicodeDecodeError, yaml.YAMLError):
        return record.read_bytes()


def _run_files(design: Path, run: Path) -> Iterator[tuple[str, bytes]]:
    for path in sorted(run.rglob("*")):
        name = path.relative_to(run).as_posix()
        if path.is_file() and not name.startswith(PROJECT) and name != "project.golden":
            yield name, path.read_bytes()
    asked = json_values((design / "run.json").read_bytes())
    recipe = asked.get("recipe") if isinstance(asked, dict) else None
    if recipe is not None:
        yield "recipe.json", _lines(recipe)


def _lines(value: Any) -> bytes:
    return (json.dumps(value, indent=1, sort_keys=True) + "\n").encode()


def _remarks(project: HlsProject) -> list[str]:
    return [str(remark).replace(str(project.path), ".") for remark in examine(project.read)]


def _estimate(project: HlsProject) -> dict[str, Any] | None:
    """Latency and resources by the estimator; None where it gives none."""
    try:
        found = measure_project(project.path, "estimate")
    except PquantError:
        return None
    return found.model_dump(mode="json", include={"latency", "resources", "part"})


def verify_bundle(path: Path, *, unpack: Path | None = None, timeout_s: float = 600.0) -> Verified:
    """Unpack into a passing folder, compile anew and check all that can be checked without TensorFlow.

    Parameters
    ----------
    unpack : a new folder, which gets the files if all of it holds; hls4ml's record of the project then says where that lies.
    timeout_s : seconds for compiling csim, and for running it.

    Raises
    ------
    DataError : the archive was altered, or is hostile; see ``archive.read_archive``.
    OutputError : ``unpack`` exists, or cannot be written.
    UnsupportedModel, ToolNotFound, ToolFailed : as csim.
    """
    if unpack is not None and unpack.exists():
        raise OutputError("exists already", where=unpack, mend="give a new folder")
    files, manifest = read_archive(path)
    held, faults = [f"{len(files)} files, each byte as the manifest says"], list[str]()

    def note(good: bool, text: str, otherwise: str) -> None:
        (held if good else faults).append(text if good else otherwise)

    with scratch() as folder:
        _unpacked(files, folder)
        project = load_project(folder / PROJECT)
        same = project.digest() == manifest.get("project")
        note(same, "the project is the one that was bundled", "the project is not the one that was bundled")
        result = check(project, Golden.load(folder / GOLDEN), timeout_s=timeout_s)
        said = f"csim, compiled here, gives the golden on {result.count:,} vectors"
        note(result.passed, said, "; ".join(line.strip() for line in result.lines()))
        remarks = _remarks(project)
        note(
            _lines(remarks) == files.get(LINT),
            f"lint says the same {len(remarks)} things",
            "lint says other things",
        )
        same = _lines(_estimate(project)) == files.get(ESTIMATE)
        note(same, "the estimate is the same", "the estimate is another: of another version of pquant_hls?")
    if unpack is not None and not faults:
        _keep(files, unpack)
    return Verified(digest(path.read_bytes()), tuple(held), tuple(faults))


def _unpacked(files: Mapping[str, bytes], folder: Path) -> None:
    for name, blob in files.items():
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(blob)
        if target.suffix == ".sh":  # hls4ml starts its build script, and no mode is in the archive
            target.chmod(0o755)


def _keep(files: Mapping[str, bytes], out: Path) -> None:
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        with replacing(out) as folder:
            _unpacked(files, folder)
            if (folder / PROJECT / RECORD).is_file():
                say_where(folder / PROJECT, (out / PROJECT).absolute())
    except OSError as cause:
        raise OutputError(f"cannot be written: {cause.strerror or cause}", where=out) from cause
