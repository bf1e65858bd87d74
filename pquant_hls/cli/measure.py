"""``measure`` and ``doctor``: figures of a design, and what this machine can measure with."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pquant_hls.cli.runs import project_in

if TYPE_CHECKING:
    from rich.console import Console, Group
    from rich.table import Table

    from pquant_hls.qor import LayerQoR, QoR, Resources
    from pquant_hls.spec import HlsSpec

EXIT_NOT_MEASURED = 4
LAYERS = ("layer", "op", "cycles", "II", "LUT", "FF", "DSP", "BRAM_18K", "note")
RESOURCES = ("lut", "ff", "dsp", "bram_18k", "uram")
SOURCES = "auto, report, estimate, rtl, csynth, cosim, vsynth or one that a package adds"
Design = Annotated[
    Path,
    typer.Argument(
        help="project or run folder, or one report file of Vivado HLS, Vitis HLS or Vivado",
        callback=project_in,
    ),
]
Part = Annotated[str | None, typer.Option("--part", help="AMD part of firmware without build files")]
Clock = Annotated[str | None, typer.Option("--clock", help="its clock: 2.5 (ns) or '360 MHz'")]
Json = Annotated[bool, typer.Option("--json", help="print one JSON object on stdout")]


def register(app: typer.Typer) -> None:
    app.command()(measure)
    app.command()(doctor)


def measure(
    path: Design,
    using: Annotated[str, typer.Option("--using", help=f"source: {SOURCES}")] = "auto",
    work: Annotated[
        Path | None, typer.Option("--work", help="where --using rtl puts the Verilog project")
    ] = None,
    top: Annotated[
        str | None, typer.Option("--top", help="function to read reports of, where the folder does not tell")
    ] = None,
    prefix: Annotated[
        str, typer.Option("--prefix", help="command that runs the vendor's tool elsewhere: 'ssh build01'")
    ] = "",
    part: Part = None,
    clock: Clock = None,
    backend: Annotated[
        str | None, typer.Option("--backend", help="Vitis or Vivado, where its build files do not tell")
    ] = None,
    json: Json = False,
) -> int:
    """Latency, clock and resources of a design, from reports, tools, the estimator or its Verilog."""
    from pquant_hls.cli.console import clean_stdout, print_json
    from pquant_hls.cli.life import busy
    from pquant_hls.measure import EVALUATORS, measure_project
    from pquant_hls.spec import AUTO

    if using != AUTO:
        EVALUATORS.find(using, where="--using")
    _check_there(path)
    asked, elsewhere = target_asked(part, clock, backend), shlex.split(prefix)
    with busy(f"measuring {path}") as life, clean_stdout():
        qor = measure_project(
            path, using, work=work, top=top, prefix=elsewhere, spec=asked, on_line=life.said
        )
    if json:
        print_json({**qor.model_dump(mode="json"), "derived": derived(qor)})
    else:
        _show(qor)
    return 0 if is_measured(qor) else EXIT_NOT_MEASURED


def _check_there(path: Path) -> None:
    """Raise SpecError for a path that cannot be read."""
    from pquant_hls.errors import SpecError

    try:
        path.stat()
    except OSError as cause:
        mend = "give a project, a run folder or a report file"
        raise SpecError(f"cannot be read: {cause.strerror}", where=path, mend=mend) from cause


def target_asked(part: str | None, clock: str | None, backend: str | None) -> HlsSpec | None:
    """The HLS options of a firmware as the command line tells them; None where it tells no part and no clock."""
    from pquant_hls.errors import SpecError
    from pquant_hls.spec import HlsSpec

    if part is None and clock is None and backend is None:
        return None
    if part is None or clock is None:
        raise SpecError("--part and --clock go together", where="--part" if part is None else "--clock")
    given: dict[str, object] = {"part": part, "clock_ns": clock}
    return HlsSpec.parse(
        given | ({} if backend is None else {"backend": backend}), path="--part, --clock, --backend"
    )


def is_measured(qor: QoR) -> bool:
    """Whether the record holds any figure of a design's latency, clock or resources; a passed cosim is none."""
    cycles = None if qor.latency is None else qor.latency.cycles_max
    used = () if qor.resources is None else (getattr(qor.resources, name) for name in RESOURCES)
    figures = (value for name, value in qor.metrics.items() if name != "cosim_passed")
    return any(value is not None for value in (cycles, *used, *figures))


DERIVED = ("worst_ns", "worst_ns_lo", "worst_ns_hi", "bunch_crossings", "slack_ns", "timing_met", "clock_met")


def derived(qor: QoR) -> dict[str, Any]:
    """Figures that follow from the record: ns, bunch crossings, slack, share of the part in percent; None if unknown."""
    from pquant_hls.qor.words import stage_text

    latency, resources = qor.latency, qor.resources
    found: dict[str, Any] = {
        name: None if latency is None else _clean(getattr(latency, name)) for name in DERIVED
    }
    shares = {name: None if resources is None else resources.percent(name) for name in RESOURCES}
    return {**found, "percent": shares, "stage": stage_text(qor)}


def _clean(value: float | None) -> float | None:
    """Without the last bits of binary fractions: 0.301, not 0.3009999999999997."""
    return value if value is None or isinstance(value, bool) else round(value, 9)


DIGITS = 6
"""As many as reports state of a clock."""
YES = {True: "yes", False: "NO", None: "-"}


def _show(qor: QoR) -> None:
    from pquant_hls.cli.console import notes_lines, output_console
    from pquant_hls.qor.words import number, stage_text

    console = output_console()
    console.print(
        f"{qor.design} design, source: {qor.source or 'not measured'}{f' ({qor.tool})' if qor.tool else ''}"
        f"{f', part {qor.part}' if qor.part else ''}"
    )
    if stage := stage_text(qor):
        console.print(f"figures: {stage}")
    console.print(_figures(qor))
    if qor.layers:
        console.print(layers_table(console, qor.layers))
    for name, value in qor.metrics.items():
        console.print(f"{name}: {number(value, DIGITS)}", markup=False)
    console.print(notes_lines(qor.notes), end="")


def _figures(qor: QoR) -> Table:
    from rich.table import Table

    from pquant_hls.qor.words import latency_texts, number

    table = Table(show_header=False)
    cycles, ns = latency_texts(qor.model_dump(mode="json"))
    rows = [("latency, cycles", cycles), ("latency, ns (worst case)", ns)]
    latency = qor.latency
    if latency is not None:
        rows += [
            ("latency, bunch crossings of 25 ns", number(latency.bunch_crossings, DIGITS)),
            ("best case, cycles", number(latency.cycles_min, DIGITS)),
            ("initiation interval, cycles", number(latency.ii_cycles, DIGITS)),
            ("clock target, ns", number(latency.clock_target_ns, DIGITS)),
            ("clock estimated, ns", number(latency.clock_estimated_ns, DIGITS)),
            ("slack, ns", number(latency.slack_ns, DIGITS)),
            ("timing met (estimated + uncertainty <= target)", YES[latency.timing_met]),
        ]
    rows += [(name.upper(), _resource(qor.resources, name)) for name in RESOURCES]
    for row in rows:
        table.add_row(*row)
    return table


def _resource(resources: Resources | None, name: str) -> str:
    """``6,207 [5,900..6,500]  (0.36 % of the part)``, without what is not known."""
    from pquant_hls.qor.words import interval

    if resources is None:
        return "-"
    value, share = getattr(resources, name), resources.percent(name)
    low, high = resources.intervals.get(name, (None, None))
    text = interval(low, value, high)
    return text if share is None else f"{text}  ({share:.2f} % of the part)"


def layers_table(console: Console, layers: Sequence[LayerQoR]) -> Table | Group:
    """One row for each layer or module."""
    from pquant_hls.cli.tables import fitting_table
    from pquant_hls.qor.words import count, interval

    rows = []
    for layer in layers:
        cycles = interval(layer.cycles_lo, layer.cycles, layer.cycles_hi)
        figures = (layer.ii_cycles, layer.lut, layer.ff, layer.dsp, layer.bram_18k)
        rows.append((layer.name, layer.op, cycles, *map(count, figures), layer.note))
    return fitting_table(console, LAYERS, rows, "layers")


def doctor(json: Json = False) -> int:
    """What is installed, what is missing, and what that means for measuring."""
    from rich.table import Table

    from pquant_hls.cli.console import output_console, print_json
    from pquant_hls.toolchain import doctor as examine
    from pquant_hls.toolchain import exit_code

    checks = examine()
    if json:
        rows = [
            {
                "name": c.name,
                "severity": c.severity,
                "version": c.version,
                "means": c.means,
                "install": c.install,
            }
            for c in checks
        ]
        print_json({"schema_version": 1, "ok": exit_code(checks) == 0, "checks": rows})
        return exit_code(checks)
    table = Table()
    for name in ("what", "found", "version"):
        table.add_column(name, no_wrap=True)
    for name in ("means", "install"):
        table.add_column(name, overflow="fold")
    for check in checks:
        state = {"ok": "yes", "optional": "no (optional)", "required": "NO"}[check.severity]
        table.add_row(check.name, state, check.version or "-", check.means, check.install)
    output_console().print(table)
    return exit_code(checks)
