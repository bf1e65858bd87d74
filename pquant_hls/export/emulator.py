"""Write a project as a C++ emulator, and prove that it computes what csim does."""

from __future__ import annotations

import re
import shutil
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pquant_hls.errors import GoldenError, OutputError, SpecError, ToolFailed
from pquant_hls.export.texts import (
    check_text,
    cmssw_text,
    cmssw_types,
    header_text,
    makefile_text,
    origin_line,
    readme_text,
)
from pquant_hls.export.unit import translation_unit
from pquant_hls.files import replacing
from pquant_hls.firmware import includes, top_ports
from pquant_hls.golden import Golden, compare_weights, random_inputs, record
from pquant_hls.hls import HlsProject, Port
from pquant_hls.network import is_reserved
from pquant_hls.programs import Limits, run
from pquant_hls.store import write_json

RANDOM_VECTORS = 256
INFO_FILE = "emulator.json"


@dataclass(frozen=True)
class WrittenEmulator:
    """A written emulator: ``#include "<namespace>.h"``, then ``<namespace>::predict(inputs..., outputs...)``."""

    path: Path
    namespace: str
    vectors: int


def export_emulator(
    project: HlsProject, out: Path, namespace: str, *, golden: Golden | None = None, timeout_s: float = 600.0
) -> WrittenEmulator:
    """Write ``project`` as an emulator into the new folder ``out`` and compare it with csim on every vector.

    Parameters
    ----------
    namespace : C++ name that holds all of it; two emulators of different names live in one program.
    golden : vectors to prove it by; 256 random inputs through csim when left out.
    timeout_s : seconds for compiling csim, and for compiling and running the emulator.

    Raises
    ------
    SpecError : ``namespace`` is no C++ name.
    OutputError : ``out`` exists or cannot be written.
    GoldenError : the two copies of the weights differ, or the golden is of another design.
    UnsupportedModel : sources that cannot be taken apart (named).
    ToolNotFound, ToolFailed : no g++ or make, a compiler error, or an output that differs from csim.
    """
    check_name(namespace, "namespace")
    if out.exists():
        raise OutputError("exists already", where=out, mend="give a new folder")
    golden = proven_vectors(project, golden, timeout_s)
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        with replacing(out) as folder:
            _write(project, folder, namespace, golden)
            prove_folder(folder, out, timeout_s)
    except OSError as cause:
        raise OutputError(f"cannot be written: {cause.strerror or cause}", where=out) from cause
    return WrittenEmulator(out, namespace, golden.count)


def check_name(name: str, where: str) -> None:
    """Raises SpecError for what cannot name a C++ namespace."""
    if is_reserved(name) or not re.fullmatch(r"[A-Za-z][A-Za-z0-9_]*", name) or "__" in name:
        raise SpecError(
            f"{name!r} cannot be a C++ namespace", where=where, mend="letters, digits and single underscores"
        )


def proven_vectors(project: HlsProject, golden: Golden | None, timeout_s: float) -> Golden:
    """The vectors to prove an emulator by: ``golden``, or 256 random inputs through csim.

    Raises
    ------
    GoldenError : the two copies of the weights differ, or the golden is of another design. Else as csim.
    """
    differences = compare_weights(project)
    if differences:
        raise GoldenError(
            f"{differences[0]}", where=project.path, mend="write the project again, then export"
        )
    if golden is None:
        return record(project, random_inputs(project, RANDOM_VECTORS), timeout_s=timeout_s)
    if golden.digest != project.digest():
        raise GoldenError("was recorded from another design", where=golden.project, mend="record this one")
    return golden


def _write(project: HlsProject, folder: Path, namespace: str, golden: Golden) -> None:
    folder.mkdir()
    shutil.copytree(includes(project.read).folders[0], folder / "ap_types")
    unit = f'{origin_line(project)}\n#include "{namespace}.h"\n{translation_unit(project, namespace)}'
    files = {
        f"{namespace}.h": header_text(project, namespace),
        f"{namespace}.cpp": unit,
        f"{namespace}_check.cpp": check_text(project, namespace),
        "vectors.txt": vector_lines(golden),
    }
    plugin = all(
        port.kind is not None and not port.stream and port.parameter is not None
        for side in top_ports(project.read)
        for port in side
    )
    files |= {
        "Makefile": makefile_text(project, namespace, plugin=plugin),
        "README.md": readme_text(project, namespace, plugin=plugin),
    }
    if plugin:
        files[f"{namespace}_cmssw.cpp"] = cmssw_text(project, namespace)
    for name, text in files.items():
        (folder / name).write_text(text, encoding="utf-8")
    write_json(
        folder / INFO_FILE,
        {
            "namespace": namespace,
            "project": project.name,
            "digest": project.digest(),
            "vectors": golden.count,
            "inputs": [described(port) for port in project.inputs],
            "outputs": [described(port) for port in project.outputs],
            "cmssw": cmssw_types(project, namespace) if plugin else None,
        },
    )


def prove_folder(part: Path, out: Path, timeout_s: float) -> None:
    """Compile and run the check as its users will; raises ToolFailed where a value is not equal."""
    done = run(["make", "check"], part, Limits(timeout_s), part / "check.log")
    words = done.log.read_text(errors="replace").strip().splitlines()
    if not done.ok:
        errors = (
            [line for line in words if "error" in line.lower() or "differs" in line] or words[-1:] or [""]
        )
        raise ToolFailed(f"the emulator {done.reason}: {errors[0]}", where=out)
    run(["make", "clean"], part, Limits(timeout_s), part / "check.log")
    (part / "check.log").unlink()


def described(port: Port) -> dict[str, object]:
    """A port as ``emulator.json`` tells it."""
    return {
        "name": port.name,
        "shape": list(port.shape),
        "type": None if port.type is None else str(port.type),
    }


def vector_lines(golden: Golden) -> str:
    """A line of numbers for each event: inputs, then csim's outputs."""
    ports = (*golden.inputs, *golden.outputs)
    rows: NDArray[np.float64] = np.concatenate(
        [port.values.reshape(golden.count, -1) for port in ports], axis=1
    )
    return "".join(" ".join(f"{value:.17g}" for value in row) + "\n" for row in rows.tolist())
