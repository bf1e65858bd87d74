"""Write a project as a C++ emulator, and prove that it computes what csim does."""

from __future__ import annotations

import re
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pquant_hls.csim import cpp_standard
from pquant_hls.errors import GoldenError, OutputError, SpecError, ToolFailed, UnsupportedModel
from pquant_hls.export.unit import translation_unit
from pquant_hls.files import replacing
from pquant_hls.firmware import includes, top_ports
from pquant_hls.golden import Golden, compare_weights, random_inputs, record
from pquant_hls.hls import HlsProject, Port
from pquant_hls.network import is_reserved
from pquant_hls.programs import Limits, run
from pquant_hls.programs.quoting import comment, make
from pquant_hls.store import versions, write_json

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
    _check_name(namespace)
    if out.exists():
        raise OutputError("exists already", where=out, mend="give a new folder")
    differences = compare_weights(project)
    if differences:
        raise GoldenError(
            f"{differences[0]}", where=project.path, mend="write the project again, then export"
        )
    if golden is None:
        golden = record(project, random_inputs(project, RANDOM_VECTORS), timeout_s=timeout_s)
    elif golden.digest != project.digest():
        raise GoldenError("was recorded from another design", where=golden.project, mend="record this one")
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        with replacing(out) as folder:
            _write(project, folder, namespace, golden)
            _prove(folder, out, timeout_s)
    except OSError as cause:
        raise OutputError(f"cannot be written: {cause.strerror or cause}", where=out) from cause
    return WrittenEmulator(out, namespace, golden.count)


def _check_name(namespace: str) -> None:
    if is_reserved(namespace) or not re.fullmatch(r"[A-Za-z][A-Za-z0-9_]*", namespace) or "__" in namespace:
        raise SpecError(
            f"{namespace!r} cannot be a C++ namespace",
            where="namespace",
            mend="letters, digits and single underscores",
        )


def _write(project: HlsProject, folder: Path, namespace: str, golden: Golden) -> None:
    folder.mkdir()
    shutil.copytree(includes(project.read).folders[0], folder / "ap_types")
    unit = f'{_origin(project)}\n#include "{namespace}.h"\n{translation_unit(project, namespace)}'
    files = {
        f"{namespace}.h": _header(project, namespace),
        f"{namespace}.cpp": unit,
        f"{namespace}_check.cpp": _check_program(project, namespace),
        "vectors.txt": _vectors(golden),
        "Makefile": _makefile(project, namespace),
    }
    if all(
        port.kind is not None and not port.stream and port.parameter is not None
        for side in top_ports(project.read)
        for port in side
    ):
        files[f"{namespace}_cmssw.cpp"] = _cmssw(project, namespace)
    for name, text in files.items():
        (folder / name).write_text(text, encoding="utf-8")
    write_json(
        folder / INFO_FILE,
        {
            "namespace": namespace,
            "project": project.name,
            "digest": project.digest(),
            "vectors": golden.count,
            "inputs": [_described(port) for port in project.inputs],
            "outputs": [_described(port) for port in project.outputs],
        },
    )


def _prove(part: Path, out: Path, timeout_s: float) -> None:
    """Compile and run the check as its users will; raises where a value is not equal."""
    done = run(["make", "check"], part, Limits(timeout_s), part / "check.log")
    words = done.log.read_text(errors="replace").strip().splitlines()
    if not done.ok:
        errors = (
            [line for line in words if "error" in line.lower() or "differs" in line] or words[-1:] or [""]
        )
        raise ToolFailed(f"the emulator {done.reason}: {errors[0]}", where=out)
    run(["make", "clean"], part, Limits(timeout_s), part / "check.log")
    (part / "check.log").unlink()


def _described(port: Port) -> dict[str, object]:
    return {
        "name": port.name,
        "shape": list(port.shape),
        "type": None if port.type is None else str(port.type),
    }


def _origin(project: HlsProject) -> str:
    made = f"pquant_hls {metadata.version('pquant_hls')}"
    wrote = versions().get("hls4ml") if project.spec is not None else None
    by = f", written by hls4ml {wrote}" if wrote else ""
    return f"// {comment(f'Made by {made} from the HLS project {project.name}{by} (sha256 {project.digest()}).')}"


def _arguments(project: HlsProject) -> str:
    return ", ".join(f"double *{port.name}" for port in (*project.inputs, *project.outputs))


def _header(project: HlsProject, namespace: str) -> str:
    sizes = "\n".join(
        f"constexpr std::size_t n_{port.name} = {port.size}; // {port.shape}, {port.type or 'not fixed point'}"
        for port in (*project.inputs, *project.outputs)
    )
    return (
        f"{_origin(project)}\n#ifndef {namespace}_EMULATOR_H\n#define {namespace}_EMULATOR_H\n\n#include <cstddef>\n\n"
        f"namespace {namespace} {{\n\n{sizes}\n\n"
        "// One event, bit for bit as the firmware: inputs are rounded to the input type, outputs are exact.\n"
        "// The first call fills tables; make it before threads start.\n"
        f"void predict({_arguments(project)});\n\n}} // namespace {namespace}\n\n#endif\n"
    )


def _vectors(golden: Golden) -> str:
    ports = (*golden.inputs, *golden.outputs)
    rows: NDArray[np.float64] = np.concatenate(
        [port.values.reshape(golden.count, -1) for port in ports], axis=1
    )
    return "".join(" ".join(f"{value:.17g}" for value in row) + "\n" for row in rows.tolist())


def _check_program(project: HlsProject, namespace: str) -> str:
    ports, outputs = (*project.inputs, *project.outputs), project.outputs
    arrays = "\n".join(f"    static double {port.name}[{port.size}];" for port in ports)
    expected = "\n".join(f"    static double expected_{port.name}[{port.size}];" for port in outputs)
    read = " && ".join(
        f"read({'expected_' if port in outputs else ''}{port.name}, {port.size})" for port in ports
    )
    same = "\n".join(
        f'        same = same && equal("{port.name}", row, {port.name}, expected_{port.name}, {port.size});'
        for port in outputs
    )
    return f"""// Runs {namespace} on vectors.txt: inputs, then the outputs that csim gave for them.
#include "{namespace}.h"
#include <cstdio>

static std::FILE *vectors;

static bool read(double *values, std::size_t size) {{
    for (std::size_t i = 0; i < size; i++)
        if (std::fscanf(vectors, "%lf", values + i) != 1) return false;
    return true;
}}

static bool equal(const char *port, int row, const double *found, const double *expected, std::size_t size) {{
    for (std::size_t i = 0; i < size; i++)
        if (found[i] != expected[i]) {{
            std::printf("vector %d differs: %s[%zu] is %.17g, csim gave %.17g\\n", row, port, i, found[i], expected[i]);
            return false;
        }}
    return true;
}}

int main() {{
    vectors = std::fopen("vectors.txt", "r");
    if (!vectors) {{
        std::printf("error: no vectors.txt in this folder\\n");
        return 2;
    }}
{arrays}
{expected}
    int row = 0;
    bool same = true;
    for (; same && {read}; row++) {{
        {namespace}::predict({", ".join(port.name for port in ports)});
{same}
    }}
    if (same && row > 0) std::printf("{namespace}: %d vectors, every value equals csim\\n", row);
    return same && row > 0 ? 0 : 1;
}}
"""


def _makefile(project: HlsProject, namespace: str) -> str:
    name = make(namespace)
    return f"""CXX ?= g++
CXXFLAGS ?= -O2 -w
AP_TYPES ?= ap_types

{name}.so: {name}.cpp {name}.h
\t$(CXX) $(CXXFLAGS) -std={cpp_standard(project)} -fPIC -shared -I$(AP_TYPES) -I. $< -o $@

check: {name}_check
\t./{name}_check

{name}_check: {name}_check.cpp {name}.cpp {name}.h
\t$(CXX) $(CXXFLAGS) -std={cpp_standard(project)} -I$(AP_TYPES) -I. {name}_check.cpp {name}.cpp -o $@

clean:
\trm -f {name}.so {name}_check

.PHONY: check clean
"""


def _cmssw(project: HlsProject, namespace: str) -> str:
    """The plug-in that CMSSW's hls4mlEmulator loader takes (its interface: cms-hls4ml/hls4mlEmulatorExtras)."""
    inputs, outputs = project.inputs, project.outputs
    types = _top_types(project)
    members = "\n".join(f"    {types[p.name]} _{p.name}[{p.size}];" for p in (*inputs, *outputs))
    call = ", ".join(f"_{p.name}" for p in (*inputs, *outputs))
    top = "::".join(part for part in (project.read.namespace, project.name) if part)
    return f"""{_origin(project)}
// Inputs and results are pointers to the firmware's own types, in a std::any; of several ports a std::tuple of them.
#include "{namespace}.cpp"
#include <any>
#include <tuple>
#if __has_include("hls4ml/emulator.h")
#include "hls4ml/emulator.h"
#else
#include "emulator.h"
#endif

namespace {namespace} {{
{f"using namespace {project.read.namespace};" if project.read.namespace else ""}
class Emulator final : public hls4mlEmulator::Model {{
{members}

  public:
    void prepare_input(std::any given) override {{
{_copies(inputs, types, into_member=True)}    }}
    void predict() override {{ {top}({call}); }}
    void read_result(std::any given) override {{
{_copies(outputs, types, into_member=False)}    }}
}};

}} // namespace {namespace}

extern "C" hls4mlEmulator::Model *create_model() {{ return new {namespace}::Emulator; }}
extern "C" void destroy_model(hls4mlEmulator::Model *model) {{ delete model; }}
"""


def _copies(ports: Sequence[Port], types: dict[str, str], *, into_member: bool) -> str:
    pointers = [f"{types[port.name]} *" for port in ports]
    kind = pointers[0] if len(ports) == 1 else f"std::tuple<{', '.join(pointers)}>"
    lines = [f"        auto ports = std::any_cast<{kind}>(given);\n"]
    for index, port in enumerate(ports):
        there = "ports" if len(ports) == 1 else f"std::get<{index}>(ports)"
        left, right = (f"_{port.name}", there) if into_member else (there, f"_{port.name}")
        lines.append(f"        for (std::size_t i = 0; i < {port.size}; i++) {left}[i] = {right}[i];\n")
    return "".join(lines)


def _top_types(project: HlsProject) -> dict[str, str]:
    """The typedef of each port, as the top function names it; raises UnsupportedModel for one without brackets."""
    layout = project.read
    found = {port.name: port for port in layout.top.function.parameters if len(port.lengths) == 1}
    missing = [port.name for port in (*project.inputs, *project.outputs) if port.name not in found]
    if missing:
        raise UnsupportedModel(f"cannot find the type of port {missing[0]}", where=project.source)
    return {name: port.type for name, port in found.items()}
