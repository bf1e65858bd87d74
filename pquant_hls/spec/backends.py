"""The tool chains that turn an HLS project into firmware: one record each, found by name.

A package adds its own by an entry point of the group ``pquant_hls.backends`` that names a ``Backend``, or a program
by ``BACKENDS.register``. hls4ml must know the backend by the same name, or the project come from elsewhere.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from pquant_hls.programs import Executable, Limits
from pquant_hls.qor import QoR
from pquant_hls.spec.plugins import Plugins

SCRIPT = "build_prj.tcl"
OPTIONS = "build_opt.tcl"
SETTINGS = "{settings}"
"""Among a program's arguments: the script's settings as one word, where it reads them there and not from OPTIONS."""
STRATEGIES = ("latency", "resource", "resource_unrolled", "distributed_arithmetic")
IO_TYPES = ("io_parallel", "io_stream")
AMD_FLOW: Mapping[str, tuple[str, ...]] = {
    "csynth": ("csynth",),
    "cosim": ("csynth", "cosim"),
    "vsynth": ("csynth", "export", "vsynth"),
}
FOUR_HOURS = Limits(4 * 3600.0)
LICENSES = ("XILINXD_LICENSE_FILE", "LM_LICENSE_FILE")


_RELEASE = r"\bv?(20\d\d\.\d+(?:\.\d+)?)\b"  # AMD's, e.g. 2023.1


@dataclass(frozen=True)
class Backend:
    """One tool chain.

    Parameters
    ----------
    name : as recipes and hls4ml write it.
    programs : its C synthesis programs; the first that is on PATH runs a project's script.
    uncertainty : clock uncertainty that hls4ml writes where none is given, ``"27%"`` of the period or ns.
    tool : whose scheduling the estimator takes this for, ``"vitis"`` or ``"vivado"``; None: it has no rules, and
        nothing is estimated.
    flow : for each evaluator that runs the tool, the steps of the project's script, some of ``csim``, ``csynth``,
        ``cosim``, ``export`` and ``vsynth``.
    needs : steps that need another program on PATH as well.
    strategies, io_types : what of the recipe's words it can build.
    also : other words for it in a project's own files.
    limits : what one run of the tool may take.
    licenses : environment variables one of which says where the license is; empty: it needs none.
    install : what to do where its programs are not found.
    read : reads what the tool left in a project folder; None: reports of AMD's tools.
    """

    name: str
    programs: tuple[Executable, ...]
    uncertainty: str
    tool: Literal["vitis", "vivado"] | None = None
    flow: Mapping[str, tuple[str, ...]] = field(default_factory=lambda: AMD_FLOW)
    needs: Mapping[str, Executable] = field(default_factory=dict)
    strategies: tuple[str, ...] = STRATEGIES
    io_types: tuple[str, ...] = IO_TYPES
    also: tuple[str, ...] = ()
    limits: Limits = FOUR_HOURS
    licenses: tuple[str, ...] = ()
    install: str = "put its programs on PATH, or give a command prefix for a machine that has it"
    read: Callable[[Path], QoR] | None = None

    @property
    def program_names(self) -> tuple[str, ...]:
        return tuple(program.name for program in self.programs)

    @property
    def all_programs(self) -> tuple[Executable, ...]:
        """With what single steps need."""
        return (*self.programs, *self.needs.values())


_LOGIC = Executable("vivado", ("-version",), _RELEASE)
_SOURCE = "source the tool's settings64.sh, or give a command prefix for a machine that has it"

VITIS = Backend(
    name="Vitis",
    programs=(
        Executable("vitis_hls", ("-version",), _RELEASE, ("-f", SCRIPT, SETTINGS)),
        Executable("vitis-run", ("--version",), _RELEASE, ("--mode", "hls", "--tcl", SCRIPT)),
    ),
    uncertainty="27%",
    tool="vitis",
    needs={"vsynth": _LOGIC},
    licenses=LICENSES,
    install=_SOURCE,
)
VIVADO = Backend(
    name="Vivado",
    programs=(Executable("vivado_hls", ("-version",), _RELEASE, ("-f", SCRIPT, SETTINGS)),),
    uncertainty="12.5%",
    tool="vivado",
    needs={"vsynth": _LOGIC},
    also=("VivadoAccelerator",),
    licenses=LICENSES,
    install=_SOURCE,
)
"""``uncertainty`` as hls4ml 1.3.0 has it in its backends' ``create_initial_config``."""

BACKENDS = Plugins("pquant_hls.backends", "backend", Backend)
"""Every backend there is, by name."""


def backend_of(word: str) -> Backend:
    """The backend that a project's own files call ``word``; SpecError naming the known ones otherwise."""
    for name in BACKENDS.names():
        backend = BACKENDS.find(name)
        if word.lower() in {other.lower() for other in backend.also}:
            return backend
    return BACKENDS.find(word)
