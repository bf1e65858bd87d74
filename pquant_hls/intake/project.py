"""An hls4ml project that another tool wrote (HGQ2 or PQuantML through hls4ml, a trigger's repository), with its graph."""

from __future__ import annotations

import shutil
from importlib import metadata
from pathlib import Path

from pquant_hls.errors import OutputError, PquantError, SpecError, UnsupportedModel
from pquant_hls.files import replacing
from pquant_hls.firmware.target import read_spec
from pquant_hls.hls import HlsProject, load_project, say_where
from pquant_hls.hls.project import BUILT, GRAPH_FILE, PROJECT_FILE, SCHEMA_VERSION
from pquant_hls.hls.record import check_empty, save_info
from pquant_hls.intake.taken import VECTORS, Taken, keep_golden
from pquant_hls.measure import prove
from pquant_hls.qor import FixedPointGraph
from pquant_hls.spec import HlsSpec

_Known = tuple[FixedPointGraph | None, tuple[str, ...]]
"""A graph that csim has borne out, or None, with what was compared or the reason."""


def import_project(
    path: Path, out: Path, spec: HlsSpec | None = None, *, vectors: int = VECTORS, timeout_s: float = 600.0
) -> Taken:
    """Copy an hls4ml project into ``out`` with its graph, which csim has borne out layer by layer, and golden vectors.

    Parameters
    ----------
    spec : backend, part and clock; those of its own build files when left out.
    vectors : random inputs of the golden file and of the proof.

    Raises
    ------
    UnsupportedModel : no hls4ml project, or one of this package already.
    SpecError : its part and clock are not told.
    OutputError : ``out`` is not empty or cannot be written.
    ToolNotFound, ToolFailed : csim cannot be built or run.
    """
    out = Path(out).absolute()
    check_empty(out)
    project = load_project(path)
    if project.spec is not None:
        mend = "measure, csim, gate, report and export take it as it is"
        raise UnsupportedModel("is a project of this package already", where=project.path, mend=mend)
    asked = spec or read_spec(project.read)
    if asked is None:
        raise SpecError("its build files tell no part and clock", where=path, mend="give --part and --clock")
    asked = asked.with_(project_name=project.name)
    known = _known(project, vectors, timeout_s)
    try:
        with replacing(out) as folder:
            _copy(project, folder)
            _describe(project, folder, asked, known, out)
    except OSError as cause:
        raise OutputError(f"cannot be written: {cause.strerror}", where=cause.filename or out) from cause
    taken = load_project(out)
    return Taken(taken, "hls4ml project", known[1], keep_golden(taken, vectors, timeout_s))


def _known(project: HlsProject, vectors: int, timeout_s: float) -> _Known:
    try:
        proof = prove(project, vectors=vectors, timeout_s=timeout_s)
    except PquantError as cause:
        if cause.exit_code == 3:
            raise  # a tool is missing or failed, which says nothing of the graph
        return None, (f"no graph: {cause}",)
    return proof.graph, proof.notes


def _copy(project: HlsProject, folder: Path) -> None:
    """Sources and build files, without what was built of them and without links that lead out."""
    for file in sorted(project.path.rglob("*")):
        place = file.relative_to(project.path)
        built = any(part.endswith("_prj") or part.startswith(".") for part in place.parts)
        if file.is_file() and not file.is_symlink() and not built and file.suffix not in BUILT:
            (folder / place).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(file, folder / place)


def _describe(project: HlsProject, folder: Path, spec: HlsSpec, known: _Known, out: Path) -> None:
    graph, proof = known
    if graph is not None:
        graph.save(folder / GRAPH_FILE)
    if (folder / "hls4ml_config.yml").is_file():
        say_where(folder, out)
    ports = (*project.inputs, *project.outputs)
    copied = load_project(folder)
    info = {
        "schema_version": SCHEMA_VERSION,
        "exact": True,
        "imported": "hls4ml",
        "spec": spec.model_dump(mode="json"),
        "versions": {"pquant_hls": metadata.version("pquant_hls")},
        "shapes": {port.name: list(port.shape) for port in ports},
        "notes": list(proof),
        "sources": copied.source_digests(),
    }
    save_info(folder / PROJECT_FILE, info)
