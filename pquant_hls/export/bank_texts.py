"""The texts of a bank in the layout of CMS' repositories: header, choice by name, plug-in, Makefiles, README."""

from __future__ import annotations

from collections.abc import Mapping

from pquant_hls.export.texts import origin, port_copies, size_lines
from pquant_hls.hls import HlsProject, Port
from pquant_hls.programs.quoting import cpp_string, make

Designs = Mapping[str, HlsProject]
"""The designs of a bank by their names; the first is the one that is taken where none is named."""


def _first(designs: Designs) -> HlsProject:
    return next(iter(designs.values()))


def _ports(designs: Designs) -> tuple[Port, ...]:
    project = _first(designs)
    return (*project.inputs, *project.outputs)


def _arguments(designs: Designs) -> tuple[str, str]:
    """As they are declared, and as they are passed on."""
    names = [port.name for port in _ports(designs)]
    return ", ".join(f"double *{name}" for name in names), ", ".join(names)


def bank_header(designs: Designs, namespace: str) -> str:
    declared, passed = _arguments(designs)
    names = ", ".join(map(cpp_string, designs))
    spaces = "\n".join(f"namespace {name} {{ void predict({declared}); }}" for name in designs)
    origins = "\n".join(f"// {name}: {origin(one)}" for name, one in designs.items())
    return f"""{origins}
#ifndef {namespace}_H
#define {namespace}_H

#include <cstddef>
#include <string>

namespace {namespace} {{

{size_lines(_first(designs))}
constexpr const char *weights[] = {{{names}}};

// One event, bit for bit as the firmware: inputs are rounded to the input type, outputs are exact. From any number of threads.
{spaces}

// By the name of the weights; std::invalid_argument for one that is not among `weights`.
void predict(const std::string &name, {declared});
inline void predict({declared}) {{ {next(iter(designs))}::predict({passed}); }}

}} // namespace {namespace}

#endif
"""


def bank_source(designs: Designs, namespace: str) -> str:
    declared, passed = _arguments(designs)
    chosen = "\n".join(
        f"    if (name == {cpp_string(name)}) return {name}::predict({passed});" for name in designs
    )
    known = ", ".join(designs)
    return f"""#include "{namespace}.h"
#include <stdexcept>

void {namespace}::predict(const std::string &name, {declared}) {{
{chosen}
    throw std::invalid_argument("{namespace} has no weights called " + name + ": it has {known}");
}}
"""


def bank_plugin(designs: Designs, namespace: str, types: Mapping[str, str]) -> str:
    """The plug-in that CMSSW's hls4mlEmulator loader takes; ``types`` of each port, as C++ writes them outside any namespace."""
    project = _first(designs)
    ports, (_, passed) = _ports(designs), _arguments(designs)
    members = "\n".join(f"    {types[p.name]} _{p.name}[{p.size}];" for p in ports)
    kinds = {"ap_fixed.h" if "fixed" in kind else "ap_int.h" for kind in types.values()}
    headers = "\n".join(f'#include "{header}"' for header in sorted(kinds))
    rows = "\n".join(f"        double {p.name}[{p.size}];" for p in ports)
    into = "\n".join(
        f"        for (std::size_t i = 0; i < {p.size}; i++) {p.name}[i] = double(_{p.name}[i]);"
        for p in project.inputs
    )
    back = "\n".join(
        f"        for (std::size_t i = 0; i < {p.size}; i++) _{p.name}[i] = {p.name}[i];"
        for p in project.outputs
    )
    return f"""// Inputs and results are pointers to the firmware's own types, in a std::any; of several ports a std::tuple.
// A std::any of a std::string chooses the weights of the events that follow.
#include "{namespace}.h"
{headers}
#include "emulator.h"
#include <algorithm>
#include <any>
#include <stdexcept>
#include <tuple>

namespace {{
class Emulator final : public hls4mlEmulator::Model {{
{members}
    std::string _weights = {namespace}::weights[0];

  public:
    void prepare_input(std::any given) override {{
        if (const std::string *name = std::any_cast<std::string>(&given)) {{
            const auto end = std::end({namespace}::weights);
            if (std::find(std::begin({namespace}::weights), end, *name) == end)
                throw std::invalid_argument("{namespace} has no weights called " + *name);
            _weights = *name;
            return;
        }}
{port_copies(project.inputs, types, into_member=True)}    }}
    void predict() override {{
{rows}
{into}
        {namespace}::predict(_weights, {passed});
{back}
    }}
    void read_result(std::any given) override {{
{port_copies(project.outputs, types, into_member=False)}    }}
}};
}} // namespace

extern "C" hls4mlEmulator::Model *create_model() {{ return new Emulator; }}
extern "C" void destroy_model(hls4mlEmulator::Model *model) {{ delete model; }}
"""


def version_makefile(designs: Designs, namespace: str, standard: str, *, plugin: bool) -> str:
    """Of NAME/NAME_vN. It takes the variables that CMS' repositories pass: INCLUDES, LD_FLAGS, CXXFLAGS."""
    name = make(namespace)
    library = f"""# The library that CMSSW's loader opens. EMULATOR_EXTRAS: the folder of hls4mlEmulatorExtras, or of emulator.h.
EMULATOR_EXTRAS ?= $(error set EMULATOR_EXTRAS to the folder of hls4mlEmulatorExtras)
HLS4ML_INCLUDE ?= $(EMULATOR_EXTRAS)/include/hls4ml
INCLUDES ?= -I$(HLS4ML_INCLUDE) -I$(EMULATOR_EXTRAS)/include -I$(EMULATOR_EXTRAS) -I$(AP_TYPES)
{name}.so: emulator.o $(OBJECTS)
\t$(CXX) $(CXXFLAGS) -shared $^ $(LD_FLAGS) -o $@

emulator.o: {plugin_file(namespace)} {name}.h
\t$(CXX) $(CXXFLAGS) $(STANDARD) -fPIC $(INCLUDES) -I. -c $< -o $@

"""
    plain = f"""{name}.so: $(OBJECTS)
\t$(CXX) $(CXXFLAGS) -shared $^ -o $@

"""
    return f"""CXX ?= g++
CXXFLAGS ?= -O2 -w
AP_TYPES ?= ap_types
THREADS ?= 8
STANDARD = -std={standard}
SOURCES = {" ".join([f"{name}.cpp", *(f"NN/{make(one)}.cpp" for one in designs)])}
OBJECTS = $(SOURCES:.cpp=.o)

{library if plugin else plain}%.o: %.cpp {name}.h
\t$(CXX) $(CXXFLAGS) $(STANDARD) -fPIC -I$(AP_TYPES) -I. -c $< -o $@

check: {name}_check
\t./{name}_check

{name}_check: {name}_check.cpp $(OBJECTS)
\t$(CXX) $(CXXFLAGS) $(STANDARD) -pthread -I. $^ -o $@

# The same in several threads, all weights at once, under g++'s ThreadSanitizer.
threads: {name}_threads
\t./{name}_threads $(THREADS)

{name}_threads: {name}_check.cpp $(SOURCES) {name}.h
\t$(CXX) $(CXXFLAGS) -g -fsanitize=thread $(STANDARD) -pthread -I$(AP_TYPES) -I. {name}_check.cpp $(SOURCES) -o $@

clean:
\trm -f *.so *.o NN/*.o {name}_check {name}_threads

.PHONY: check threads clean
"""


def plugin_file(namespace: str) -> str:
    name, _, version = namespace.rpartition("_v")
    return f"{name}_emulator_v{version}.cpp"


def repository_makefile(name: str) -> str:
    """Of NAME, over all of its versions."""
    return f"""# All versions of {name}: make EMULATOR_EXTRAS=FOLDER, make install PREFIX=FOLDER.
# AP_TYPES names other headers of AMD's types.
PREFIX ?= .
VERSIONS = $(patsubst %/Makefile,%,$(wildcard {make(name)}_v*/Makefile))
GIVEN = $(foreach word,EMULATOR_EXTRAS AP_TYPES,$(if $($(word)),$(word)=$(abspath $($(word)))))

all: $(foreach version,$(VERSIONS),$(version)/$(version).so)

%.so: FORCE
\t$(MAKE) -C $(@D) $(@F) $(GIVEN)

install: all
\tmkdir -p $(PREFIX)/lib64
\tcp $(foreach version,$(VERSIONS),$(version)/$(version).so) $(PREFIX)/lib64

check threads clean:
\tfor version in $(VERSIONS); do $(MAKE) -C $$version $@ || exit 1; done

FORCE:
.PHONY: all install check threads clean FORCE
"""


def bank_readme(
    designs: Designs, namespace: str, passed: Mapping[str, str] | None, made: Mapping[str, str]
) -> str:
    """What a producer must pass; ``made`` says of each set of weights how it is computed."""
    project = _first(designs)
    rows = [
        f"| {way} | `{port.name}` | {port.size} | `{port.type or 'not fixed point'}` |"
        for way, ports in (("in", project.inputs), ("out", project.outputs))
        for port in ports
    ]
    sets = [f"| `{name}` | `{one.digest()[:16]}` | {made[name]} |" for name, one in designs.items()]
    calls = [f"* `{call}` takes a `std::any` of `{kind}`" for call, kind in (passed or {}).items()]
    (declared, _), first = _arguments(designs), next(iter(designs))
    cmssw = f"""
## CMSSW

`make EMULATOR_EXTRAS=FOLDER` builds `{namespace}.so` for the loader of hls4mlEmulatorExtras.

{chr(10).join(calls)}
* `prepare_input` of a `std::any` of a `std::string` chooses the weights of the events that follow, at first `{first}`

A pointer to any other type, `double` or an integer among them, is refused by `std::any_cast`.
"""
    return f"""# {namespace}

`#include "{namespace}.h"`, then `{namespace}::predict("{first}", {declared.replace("double *", "")})`.

| | port | values | type |
|---|---|---|---|
{chr(10).join(rows)}

Inputs are real numbers, which `predict` stores in these types as the firmware does. It may be called from any number of threads.

| weights | project (sha256) | computed by |
|---|---|---|
{chr(10).join(sets)}

* `make check` compares every value of all weights with csim's in `vectors`, and prints events per second
* `make threads` does so in 8 threads under ThreadSanitizer, which begin with different weights
* `AP_TYPES` names another folder of AMD's types
{cmssw if passed else ""}"""
