"""The texts beside an emulator: header, the program that checks it, Makefile, README and CMSSW's plug-in."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from importlib import metadata

from pquant_hls.csim import cpp_standard
from pquant_hls.errors import UnsupportedModel
from pquant_hls.hls import HlsProject, Port
from pquant_hls.programs.quoting import comment, cpp_string, make
from pquant_hls.store import versions


def origin(project: HlsProject) -> str:
    """What made this, and of what; one line that may stand in a C++ comment."""
    made = f"pquant_hls {metadata.version('pquant_hls')}"
    wrote = versions().get("hls4ml") if project.spec is not None else None
    by = f", written by hls4ml {wrote}" if wrote else ""
    return comment(f"Made by {made} from the HLS project {project.name}{by} (sha256 {project.digest()}).")


def origin_line(project: HlsProject) -> str:
    return f"// {origin(project)}"


def _arguments(project: HlsProject) -> str:
    return ", ".join(f"double *{port.name}" for port in (*project.inputs, *project.outputs))


def header_text(project: HlsProject, namespace: str) -> str:
    return (
        f"{origin_line(project)}\n#ifndef {namespace}_EMULATOR_H\n#define {namespace}_EMULATOR_H\n\n#include <cstddef>\n\n"
        f"namespace {namespace} {{\n\n{size_lines(project)}\n\n"
        "// One event, bit for bit as the firmware: inputs are rounded to the input type, outputs are exact.\n"
        "// From any number of threads: the first call fills the tables of all.\n"
        f"void predict({_arguments(project)});\n\n}} // namespace {namespace}\n\n#endif\n"
    )


def size_lines(project: HlsProject) -> str:
    """Constants of a header: how many values each port has."""
    return "\n".join(
        f"constexpr std::size_t n_{port.name} = {port.size}; // {port.shape}, {port.type or 'not fixed point'}"
        for port in (*project.inputs, *project.outputs)
    )


def check_text(project: HlsProject, namespace: str, weights: Sequence[str] = ()) -> str:
    """The program that compares with csim's values: of one design, or of a bank's ``weights``, one set after the other."""
    ports, inputs = (*project.inputs, *project.outputs), len(project.inputs)
    sizes = ", ".join(str(port.size) for port in ports)
    names = ", ".join(cpp_string(port.name) for port in ports)
    pointers = ", ".join(f"row[{place}]" for place in range(len(ports)))
    files = [f"vectors/{name}.txt" for name in weights] or ["vectors.txt"]
    first = "weights[set], " if weights else ""
    of_each = " of each of %zu weights" if weights else ""
    return f"""// Runs {namespace} on vectors: inputs, then csim's outputs for them; `{namespace}_check 8` in 8 threads.
#include "{namespace}.h"
#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <thread>
#include <vector>

static const std::size_t sizes[] = {{{sizes}}};
static const char *const names[] = {{{names}}};
static const char *const weights[] = {{{", ".join(map(cpp_string, weights or [""]))}}};
static const char *const files[] = {{{", ".join(map(cpp_string, files))}}};
static const std::size_t ports = {len(ports)}, inputs = {inputs}, sets = {len(files)};
typedef std::vector<std::vector<double>> Event;

static bool read(std::FILE *file, Event &event) {{
    event.clear();
    for (std::size_t port = 0; port < ports; port++) {{
        event.emplace_back(sizes[port]);
        for (double &value : event.back())
            if (std::fscanf(file, "%lf", &value) != 1) return false;
    }}
    return true;
}}

static bool equal(std::size_t set, std::size_t index, const Event &event, Event &room) {{
    double *row[ports];
    for (std::size_t port = 0; port < ports; port++) {{
        if (port < inputs) room[port] = event[port];
        row[port] = room[port].data();
    }}
    {namespace}::predict({first}{pointers});
    for (std::size_t port = inputs; port < ports; port++)
        for (std::size_t i = 0; i < sizes[port]; i++)
            if (room[port][i] != event[port][i]) {{
                std::printf("%s%svector %zu differs: %s[%zu] is %.17g, csim gave %.17g\\n", weights[set],
                            *weights[set] ? ": " : "", index, names[port], i, room[port][i], event[port][i]);
                return false;
            }}
    return true;
}}

int main(int count, char **words) {{
    std::vector<std::vector<Event>> events(sets);
    std::size_t total = 0;
    for (std::size_t set = 0; set < sets; set++) {{
        std::FILE *file = std::fopen(files[set], "r");
        if (!file) {{
            std::printf("error: no %s in this folder\\n", files[set]);
            return 2;
        }}
        for (Event event; read(file, event);) events[set].push_back(event);
        std::fclose(file);
        if (events[set].empty()) return 1;
        total += events[set].size();
    }}
    const std::size_t threads = count > 1 ? std::atoi(words[1]) : 1;
    std::atomic<bool> same(true);
    std::vector<std::thread> running;
    const auto start = std::chrono::steady_clock::now();
    for (std::size_t thread = 0; thread < threads; thread++)
        running.emplace_back([&events, &same, thread] {{
            Event room = events[0][0];
            for (std::size_t turn = 0; turn < sets; turn++) {{ // threads begin with different weights
                const std::size_t set = (thread + turn) % sets;
                for (std::size_t row = 0; same && row < events[set].size(); row++)
                    if (!equal(set, row, events[set][row], room)) same = false;
            }}
        }});
    for (std::thread &thread : running) thread.join();
    const std::chrono::duration<double> spent = std::chrono::steady_clock::now() - start;
    if (!same) return 1;
    std::printf("{namespace}: %zu vectors{of_each}, every value equals csim, in %zu threads, %.0f events per second\\n",
                total{" / sets, sets" if weights else ""}, threads, double(total) * double(threads) / spent.count());
    return 0;
}}
"""


def makefile_text(project: HlsProject, namespace: str, *, plugin: bool) -> str:
    name, standard = make(namespace), cpp_standard(project)
    cmssw = f"""
# The plug-in for CMSSW's loader: EMULATOR_EXTRAS is where hls4mlEmulatorExtras is installed, or the folder of its emulator.h.
EMULATOR_EXTRAS ?= $(error set EMULATOR_EXTRAS to the folder of hls4mlEmulatorExtras)
plugin: {name}_cmssw.so

{name}_cmssw.so: {name}_cmssw.cpp {name}.cpp {name}.h
\t$(CXX) $(CXXFLAGS) -std={standard} -fPIC -shared -I$(AP_TYPES) -I. -I$(EMULATOR_EXTRAS)/include -I$(EMULATOR_EXTRAS) $< -o $@
"""
    return f"""CXX ?= g++
CXXFLAGS ?= -O2 -w
AP_TYPES ?= ap_types
THREADS ?= 8

{name}.so: {name}.cpp {name}.h
\t$(CXX) $(CXXFLAGS) -std={standard} -fPIC -shared -I$(AP_TYPES) -I. $< -o $@
{cmssw if plugin else ""}
check: {name}_check
\t./{name}_check

{name}_check: {name}_check.cpp {name}.cpp {name}.h
\t$(CXX) $(CXXFLAGS) -std={standard} -pthread -I$(AP_TYPES) -I. {name}_check.cpp {name}.cpp -o $@

# The same in several threads, under g++'s ThreadSanitizer.
threads: {name}_threads
\t./{name}_threads $(THREADS)

{name}_threads: {name}_check.cpp {name}.cpp {name}.h
\t$(CXX) $(CXXFLAGS) -g -fsanitize=thread -std={standard} -pthread -I$(AP_TYPES) -I. {name}_check.cpp {name}.cpp -o $@

clean:
\trm -f {name}.so {name}_cmssw.so {name}_check {name}_threads

.PHONY: check threads {"plugin " if plugin else ""}clean
"""


def readme_text(project: HlsProject, namespace: str, *, plugin: bool) -> str:
    """What a producer must pass, port by port."""
    rows = [
        f"| {way} | `{port.name}` | {port.size} | `{port.type or 'not fixed point'}` |"
        for way, ports in (("in", project.inputs), ("out", project.outputs))
        for port in ports
    ]
    types = cmssw_types(project, namespace) if plugin else {}
    passed = [f"* `{call}` takes a `std::any` of `{kind}`" for call, kind in types.items()]
    cmssw = f"""
## CMSSW

`make plugin EMULATOR_EXTRAS=FOLDER` builds `{namespace}_cmssw.so` for the loader of hls4mlEmulatorExtras.

{chr(10).join(passed)}

A pointer to any other type, `double` or an integer among them, is refused by `std::any_cast`.
"""
    return f"""# {namespace}

{origin(project)}

`#include "{namespace}.h"`, then `{namespace}::predict({_arguments(project)})`.

| | port | values | type |
|---|---|---|---|
{chr(10).join(rows)}

Inputs are real numbers, which `predict` stores in these types as the firmware does. It may be called from any number of threads.

* `make check` compares every value with csim's in `vectors.txt`, and prints events per second
* `make threads` does so in {8} threads under ThreadSanitizer
* `make` builds `{namespace}.so`; `AP_TYPES` names the folder of AMD's types
{cmssw if plugin else ""}"""


def pointers_to(types: Sequence[str]) -> str:
    """What the ``std::any`` of one side holds."""
    pointers = [f"{kind} *" for kind in types]
    return pointers[0] if len(pointers) == 1 else f"std::tuple<{', '.join(pointers)}>"


_PLAIN = re.compile(r"ap_u?(?:fixed|int) ?<[\w ,-]+>")


def plain_types(project: HlsProject) -> dict[str, str] | None:
    """The C++ type of each port's values where it has a name outside of the sources; None where one has not."""
    names = project.read.names
    found = {port: names.type_text(kind) for port, kind in _top_types(project).items()}
    return found if all(_PLAIN.fullmatch(kind) for kind in found.values()) else None


def producer_types(project: HlsProject, types: Mapping[str, str]) -> dict[str, str]:
    """The exact types that the plug-in's calls take in their ``std::any``; ``types`` by port."""
    sides = (("prepare_input", project.inputs), ("read_result", project.outputs))
    return {call: pointers_to([types[port.name] for port in ports]) for call, ports in sides}


def cmssw_types(project: HlsProject, namespace: str) -> dict[str, str]:
    """As ``producer_types``; a type that has no name outside of the emulator's source has its name in there."""
    plain = plain_types(project)
    own = {port: f"{namespace}::{kind}" for port, kind in _top_types(project).items()}
    return producer_types(project, own if plain is None else plain)


def cmssw_text(project: HlsProject, namespace: str) -> str:
    """The plug-in that CMSSW's hls4mlEmulator loader takes (its interface: cms-hls4ml/hls4mlEmulatorExtras)."""
    inputs, outputs = project.inputs, project.outputs
    types = _top_types(project)
    members = "\n".join(f"    {types[p.name]} _{p.name}[{p.size}];" for p in (*inputs, *outputs))
    call = ", ".join(f"_{p.name}" for p in (*inputs, *outputs))
    top = "::".join(part for part in (project.read.namespace, project.name) if part)
    space = "::".join(part for part in (namespace, project.read.namespace) if part)
    return f"""{origin_line(project)}
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
{port_copies(inputs, types, into_member=True)}    }}
    void predict() override {{ {top}({call}); }}
    void read_result(std::any given) override {{
{port_copies(outputs, types, into_member=False)}    }}
}};

}} // namespace {namespace}

extern "C" hls4mlEmulator::Model *create_model() {{
    {space}::pquant_ready(); // tables are filled before threads start
    return new {namespace}::Emulator;
}}
extern "C" void destroy_model(hls4mlEmulator::Model *model) {{ delete model; }}
"""


def port_copies(ports: Sequence[Port], types: Mapping[str, str], *, into_member: bool) -> str:
    """C++ that moves each port of a producer's ``std::any`` into the members, or back."""
    kind = pointers_to([types[port.name] for port in ports])
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
    wanted = [port.name for port in (*project.inputs, *project.outputs)]
    return {name: found[name].type for name in wanted}
