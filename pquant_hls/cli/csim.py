"""``csim``: golden vectors of HLS projects, and where a project leaves its Keras model."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pquant_hls.cli.life import busy
from pquant_hls.cli.plain import echo
from pquant_hls.cli.ptq import PtqBits, calibrated
from pquant_hls.cli.runs import project_in

if TYPE_CHECKING:
    from pquant_hls.csim import Comparison
    from pquant_hls.golden import CheckResult, Golden, Review, Rule
    from pquant_hls.hls import HlsProject
    from pquant_hls.spec import HlsSpec

EXIT_FAILED = 1
TEXT_SUFFIXES = {".dat", ".txt"}
SHOWN_VECTORS = 3

Project = Annotated[
    Path,
    typer.Argument(
        help="folder of hls4ml firmware, or the .cpp of its top function; or a run folder",
        callback=project_in,
    ),
]
GoldenFile = Annotated[Path, typer.Option("--golden", help="golden file, to be kept in version control")]
Mode = Annotated[str | None, typer.Option("--mode", help="exact | lsb | argmax | decision")]
Tolerance = Annotated[int | None, typer.Option("--tolerance-lsb", help="LSBs allowed with --mode lsb")]
Threshold = Annotated[float | None, typer.Option("--threshold", help="fires above it, --mode decision")]
Channel = Annotated[int | None, typer.Option("--channel", help="output that decides, --mode decision")]
Agreement = Annotated[float | None, typer.Option("--agreement", help="share of inputs that must agree")]
Timeout = Annotated[float, typer.Option("--timeout", help="seconds for compiling, and for running")]
Inputs = Annotated[
    list[Path] | None, typer.Option("--inputs", help=".npy (n, ...) or tb_input_features.dat, one a port")
]
Labels = Annotated[Path | None, typer.Option("--labels", help=".npy of class indices (n,), for efficiencies")]
Count = Annotated[int, typer.Option("--random", min=1, help="random inputs, where no --inputs are given")]
Pinned = Annotated[bool, typer.Option("--pinned", help="refuse a project that is not the one recorded")]
Data = Annotated[
    list[str], typer.Option("--data", help=".npy (n, ...), one a port, or a data set: its validation split")
]
OfModel = Annotated[
    Path | None, typer.Option("--project", help="HLS project of the model; left out: it is converted")
]
Json = Annotated[bool, typer.Option("--json", help="print one JSON object")]


def register(app: typer.Typer) -> None:
    group = typer.Typer(help="C simulation: golden vectors, differences from Keras.", no_args_is_help=True)
    group.command()(record)
    group.command()(check)
    group.command()(show)
    group.command()(diff)
    group.command()(compare)
    app.add_typer(group, name="csim")


def record(
    project: Project,
    golden: GoldenFile,
    *,
    inputs: Inputs = None,
    random: Count = 256,
    seed: Annotated[int, typer.Option("--seed", help="of the random inputs")] = 0,
    labels: Labels = None,
    mode: Mode = None,
    tolerance_lsb: Tolerance = None,
    threshold: Threshold = None,
    channel: Channel = None,
    agreement: Agreement = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="replace an existing golden")] = False,
    force: Annotated[bool, typer.Option("--force", help="record even where no output ever moves")] = False,
    timeout: Timeout = 600.0,
) -> int:
    """Run csim of a project and keep inputs and outputs as golden vectors."""
    from pquant_hls import golden as csim
    from pquant_hls.errors import OutputError
    from pquant_hls.hls import load_project

    if golden.exists() and not overwrite:
        raise OutputError("exists already", where=golden, mend="--overwrite replaces it")
    rule = _rule(csim.Rule(), mode, tolerance_lsb, threshold, channel, agreement)
    known = None if labels is None else _array(labels)
    with busy("csim: reading the project") as life:
        found = load_project(project)
        x = csim.random_inputs(found, random, seed) if not inputs else input_arrays(inputs)
        life.at(f"csim: {found.name} compiled and run")
        made = csim.record(found, x, rule=rule, labels=known, timeout_s=timeout, force=force)
    made.save(golden)
    size = f"{golden.stat().st_size:,} bytes"
    echo(f"{golden}: {made.count:,} vectors of {made.project}, {size}, compared by: {made.rule}")
    share = csim.label_accuracy(made)
    if share is not None:
        echo(f"accuracy on the labels: {100 * share:.2f} %")
    for text in csim.blind_spots(made):
        echo(f"warning: {text}", err=True)
    return 0


def check(
    project: Project,
    golden: GoldenFile,
    *,
    mode: Mode = None,
    tolerance_lsb: Tolerance = None,
    threshold: Threshold = None,
    channel: Channel = None,
    agreement: Agreement = None,
    pinned: Pinned = False,
    junit: Annotated[Path | None, typer.Option("--junit", help="write JUnit XML")] = None,
    json: Json = False,
    timeout: Timeout = 600.0,
) -> int:
    """Compile a project as it is now and compare it with a golden, and its .txt with its .h weights."""
    from pquant_hls import golden as csim
    from pquant_hls.cli.console import print_json

    known = csim.Golden.load(golden)
    rule = _rule(known.rule, mode, tolerance_lsb, threshold, channel, agreement)
    with busy(f"csim: {known.project} compiled and run"):
        result = csim.check(project, known, rule=rule, pinned=pinned, timeout_s=timeout)
    if junit is not None:
        _write_junit(junit, result)
    if json:
        print_json(result.to_json())
    else:
        echo("\n".join(result.lines()))
    return 0 if result.passed else EXIT_FAILED


def _write_junit(path: Path, result: CheckResult) -> None:
    """Outputs, ports and both copies of the weights, a test case each."""
    from pquant_hls.cli.junit import JunitCase, write_cases

    cases = [
        JunitCase.of("outputs", [] if result.outputs.passed else ["\n".join(result.lines())]),
        JunitCase.of("ports", result.interface if result.rule.mode == "exact" else ()),
        JunitCase.of("weights", map(str, result.weights)),
    ]
    write_cases(path, f"csim {result.project}", cases)


def show(golden: Annotated[Path, typer.Argument(help="golden file")]) -> int:
    """Print what a golden file holds."""
    from pquant_hls.golden import Golden

    echo("\n".join(_described(Golden.load(golden))))
    return 0


def diff(
    model: Annotated[Path, typer.Argument(help="Keras or QKeras model: .keras, or .h5 of Keras 2 or 3")],
    data: Data,
    *,
    project: OfModel = None,
    recipe: Annotated[str | None, typer.Option("--recipe", help="HLS options of the conversion")] = None,
    fix: Annotated[
        Path | None,
        typer.Option(
            "--fix", help="mend MODEL without retraining into this file; firmware and reference are of it"
        ),
    ] = None,
    ptq: PtqBits = None,
    count: Annotated[int, typer.Option("--count", min=1, help="inputs to run at most")] = 1000,
    json: Json = False,
    timeout: Timeout = 600.0,
) -> int:
    """Run csim beside the Keras model: the first layer that differs, by how much, and the likely rule."""
    from pquant_hls.cli.console import clean_stdout, load_tensorflow, print_json
    from pquant_hls.cli.lint import check_new, fixed_model
    from pquant_hls.spec import HlsSpec, Recipe

    check_new(fix)
    spec, apart = HlsSpec() if recipe is None else Recipe.load(recipe).hls, list[Any]()
    with busy("loading TensorFlow, QKeras and hls4ml") as life, clean_stdout():
        load_tensorflow()
        life.at("the model converted, compiled and run")
        from pquant_hls.csim import compare
        from pquant_hls.network import load_model

        loaded = load_model(model)
        x = _inputs(loaded, data, count)
        if ptq is not None:
            loaded, apart = calibrated(loaded, x, ptq, spec)
        if fix is not None:
            loaded, _, apart = fixed_model(loaded, fix, x, spec)
        with _project(project, loaded, spec) as found:
            result = compare(found, loaded, x, timeout_s=timeout)
    if json:
        print_json({**_comparison(result), "moved": [part._asdict() for part in apart]})
    else:
        made = f"{ptq} bits" if fix is None else fix
        lines = [f"{made} beside {model}: {part}" for part in apart]
        echo("\n".join([*lines, *_difference(result)]))
    return 0 if result.first is None else EXIT_FAILED


def compare(
    old: Annotated[
        Path, typer.Argument(help="folder of hls4ml firmware, or a run folder", callback=project_in)
    ],
    new: Annotated[Path, typer.Argument(help="the other one", callback=project_in)],
    *,
    inputs: Inputs = None,
    random: Count = 1000,
    seed: Annotated[int, typer.Option("--seed", help="of the random inputs")] = 0,
    threshold: Threshold = None,
    channel: Channel = None,
    part: Annotated[str | None, typer.Option("--part", help="AMD part, where build files tell none")] = None,
    clock: Annotated[str | None, typer.Option("--clock", help="its clock: 2.5 (ns) or '360 MHz'")] = None,
    json: Json = False,
    timeout: Timeout = 600.0,
) -> int:
    """Two firmwares on the same inputs: same ports, same numbers, where not, how often, by how many LSB, at what cost."""
    from dataclasses import asdict

    from pquant_hls import golden as csim
    from pquant_hls.cli.console import print_json
    from pquant_hls.cli.measure import target_asked
    from pquant_hls.hls import load_project

    spec = target_asked(part, clock, None)
    rule = None if threshold is None else _rule(csim.Rule("decision"), None, None, threshold, channel, None)
    with busy("csim: both firmwares compiled and run") as life:
        before = load_project(old)
        x = csim.random_inputs(before, random, seed) if not inputs else input_arrays(inputs)
        found = csim.review(before, new, x, decision=rule, timeout_s=timeout)
        life.at("their costs estimated")
        costs = [_cost(path, spec) for path in (old, new)]
    if json:
        print_json({"schema_version": 1, "same": found.same, **asdict(found), "cost": costs})
    else:
        echo("\n".join([*_reviewed(found), *_costs(costs)]))
    return 0 if found.same else EXIT_FAILED


def _cost(path: Path, spec: HlsSpec | None) -> dict[str, Any]:
    """The estimator's figures of a firmware; the reason where it gives none."""
    from pquant_hls.errors import PquantError
    from pquant_hls.measure import measure_project

    try:
        qor = measure_project(path, "estimate", spec=spec)
    except PquantError as cause:
        return {"reason": str(cause)}
    latency = None if qor.latency is None else qor.latency.cycles_max
    used = {} if qor.resources is None else qor.resources.model_dump(include={"lut", "ff", "dsp", "bram_18k"})
    return {"cycles": latency, **used}


def _costs(costs: Sequence[dict[str, Any]]) -> list[str]:
    old, new = costs
    if "reason" in old or "reason" in new:
        return [f"no estimate: {old.get('reason') or new.get('reason')}"]
    known = [name for name in old if old[name] is not None and new.get(name) is not None]
    return [f"{name}: {old[name]:,.0f} -> {new[name]:,.0f} (estimated)" for name in known]


def _reviewed(found: Review) -> list[str]:
    lines = [f"{found.old} -> {found.new}, {found.count:,} inputs", *found.ports]
    if not found.differing:
        lines.append("every output value is equal")
    else:
        share = 100 * len(found.differing) / found.count
        lines.append(f"outputs differ on {share:.3g} % of the inputs, by up to {found.worst_lsbs:g} LSB")
        lines += [
            f"  input {one.index}, {one.output}[{one.channel}]: {one.expected:g} -> {one.obtained:g} ({one.lsbs:+g} LSB)"
            for one in found.mismatches[:5]
        ]
    if found.layer is not None:
        lines.append(f"first layer that differs: {found.layer}, on {found.layer_inputs:,} inputs")
    if found.decision is not None:
        rates = (found.decision.rate_expected or 0.0, found.decision.rate_obtained or 0.0)
        events = ", ".join(map(str, found.flipped[:10])) or "none"
        lines.append(
            f"fires on {100 * rates[0]:.4g} % -> {100 * rates[1]:.4g} %; events that change sides: {events}"
        )
    lines += [f"changed: {', '.join(found.changed[:10])}"] if found.changed else []
    return [*lines, *(f"note: {note}" for note in found.notes)]


@contextmanager
def _project(path: Path | None, model: Any, spec: HlsSpec) -> Iterator[HlsProject]:
    """The project to look at; without one, the model's own, converted for the time of the comparison."""
    from pquant_hls.files import scratch
    from pquant_hls.hls import convert, load_project

    if path is not None:
        yield load_project(path)
        return
    with scratch() as folder:
        yield convert(model, spec, folder / "project", exact=False)


def _inputs(model: Any, data: Sequence[str], count: int) -> Any:
    """The first ``count`` rows for each input of the model: of the files given, or of a data set's validation split."""
    import numpy as np

    from pquant_hls.datasets import load_dataset
    from pquant_hls.datasets.several import take_rows
    from pquant_hls.train.records import inputs_of

    found, few = list[Any](), slice(count)
    for word in data:
        if Path(word).suffix in {".npy", *TEXT_SUFFIXES} and Path(word).is_file():
            found.append(np.atleast_1d(_array(Path(word)))[few])
        else:
            found += inputs_of(model, take_rows(load_dataset(word).x_val, few))
    return found[0] if len(found) == 1 else found


def _comparison(result: Comparison) -> dict[str, Any]:
    from dataclasses import asdict

    first = result.first
    return {
        "schema_version": 1,
        "passed": first is None,
        "match": result.match,
        **asdict(result),
        "first_divergent_layer": None if first is None else first.layer,
    }


def _difference(result: Comparison) -> list[str]:
    first = result.first
    tables = ", within the bound of its tables" if any(output.bound > 0 for output in result.outputs) else ""
    lines = [f"csim equals Keras on {100 * result.match:.4g} % of the output values{tables}"]
    lines += [f"  {part}" for part in (*result.layers, *result.outputs)]
    if first is not None:
        lines.append(f"first divergent layer: {first.layer}")
    lines += [f"weights: {gap}" for gap in result.weights]
    lines += [f"likely: {result.likely}"] if result.likely is not None else []
    return [*lines, *(f"note: {note}" for note in result.notes)]


def _rule(known: Rule, *options: Any) -> Rule:
    """``known`` with what the command line says in its place."""
    from dataclasses import replace

    names = ("mode", "tolerance_lsb", "threshold", "channel", "agreement")
    stated = {name: value for name, value in zip(names, options, strict=True) if value is not None}
    return replace(known, **stated)


def input_arrays(paths: Sequence[Path]) -> Any:
    arrays = [_array(path) for path in paths]
    return arrays[0] if len(arrays) == 1 else arrays


def _array(path: Path) -> Any:
    import numpy as np

    from pquant_hls.errors import DataError

    try:
        if path.suffix in TEXT_SUFFIXES:
            return np.loadtxt(path, ndmin=2)
        return np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError) as cause:
        raise DataError(f"cannot be read: {cause}", where=path, mend="give a .npy or .dat") from cause


def _described(golden: Golden) -> list[str]:
    lines = [f"{golden.project}: {golden.count:,} vectors, compared by: {golden.rule}"]
    for word, ports in (("input", golden.inputs), ("output", golden.outputs)):
        for port in ports:
            kind = port.type or "no fixed-point type"
            lines.append(f"{word:<7} {port.name} {port.shape}, {kind}, kept in steps of {port.lsb:g}")
    lines.append(f"layers  {', '.join(golden.layers) or 'not traced'}")
    origin = f"hls4ml {golden.hls4ml or 'of unknown version'}"
    lines.append(f"project {golden.digest[:12]}, {len(golden.files)} files, written by {origin}")
    lines.append("first vectors, in these steps:")
    for index in range(min(SHOWN_VECTORS, golden.count)):
        ports = (*golden.inputs, *golden.outputs)
        codes = [" ".join(map(str, port.codes[index].tolist())) for port in ports]
        lines.append(f"  {index}: {' | '.join(codes)}")
    return lines
