"""The exactness property: what the linter passes or mends, csim and the emulator compute as Keras does.

The reference is the Keras model handed in, by ``network.witness``; where ``fix`` made another model, that model.
A network with float layers is handed in calibrated at 8 bits, every quantizer of it. Each goes through build, lint, fix
and conversion, then before two judges: the emulator, which is cheap, on its own, and csim, many networks in one compile.
Every output value counts.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from pquant_hls.compress import QuantizationCompression
from pquant_hls.csim import build as compiled
from pquant_hls.csim import predict
from pquant_hls.errors import NotMeasured, PquantError
from pquant_hls.hls import HlsProject, convert
from pquant_hls.lint import errors, fix, lint
from pquant_hls.network.capture import captured
from pquant_hls.network.witness import answers
from pquant_hls.qor import FixedPointGraph, FixedType
from pquant_hls.rtl import emulate
from pquant_hls.spec import HlsSpec
from pquant_hls.testing.constructs import constructs
from pquant_hls.testing.networks import draw, sketch_inputs
from pquant_hls.testing.sketch import FLOAT, Sketch, keras_model, reloaded

Result = Literal["exact", "bounded", "refused", "left out", "unbuilt", "unjudged", "wrong", "crash"]
Floats = list[NDArray[np.float64]]
BOUNDED = frozenset({"average-unrounded", "smooth-quantizer", "table-activation", "softmax-kept"})
"""Warnings that promise a bound instead of equality."""
MOVED = 0.5
"""A ``fix`` whose outputs are further off, in mean over spread, has made another model."""


@dataclass(frozen=True)
class Exactness:
    """What became of one network.

    ``unbuilt``: Keras itself cannot build, load or compute it. ``refused``: a lint error that cannot be mended.
    ``left out``: holds what is refused by name, and was not asked for.
    ``bounded``: exact only within what a warning states. ``crash``: after a clean lint, or in the linter.
    ``stage`` is where it ended, ``detail`` the linter's reason, the difference found or the exception.
    ``emulated``: whether the emulator gives csim's values; None where it was not run or cannot take a layer.
    """

    seed: int
    result: Result
    stage: str = ""
    detail: str = ""
    holds: frozenset[str] = frozenset()
    emulated: bool | None = None

    @property
    def failed(self) -> bool:
        return self.result in ("wrong", "crash")

    @property
    def kind(self) -> str:
        """What two failures of one kind share: stage, result and an exception's words without names and numbers."""
        said = (
            re.sub(r"\S*/\S*|\u2018.*?\u2019|'.*?'|\[with.*|\d+", "", self.detail)
            if self.result == "crash"
            else ""
        )
        return " ".join([self.result, self.stage, *said.split()[:12]])


@dataclass
class Case:
    """One network on its way; ``verdict`` once it is judged."""

    sketch: Sketch
    spec: HlsSpec
    inputs: list[NDArray[np.float32]] = field(default_factory=list)
    model: Any = None
    expected: Floats = field(default_factory=list)
    project: HlsProject | None = None
    obtained: Floats = field(default_factory=list)
    bounded: bool = False
    verdict: Exactness | None = None

    def end(self, result: Result, stage: str, detail: str = "") -> None:
        self.verdict = Exactness(self.sketch.seed, result, stage, detail[:500], constructs(self.sketch))

    @property
    def x(self) -> Any:
        return self.inputs if len(self.inputs) > 1 else self.inputs[0]


def check_sketches(
    sketches: Sequence[Sketch],
    spec: HlsSpec,
    folder: Path,
    *,
    cache: Path | None = None,
    rows: int = 200,
    csim: bool = True,
) -> list[Exactness]:
    """Judge each network on ``rows`` inputs, by the emulator and, in one compile, by csim.

    Parameters
    ----------
    folder : a new folder for the projects.
    cache : where the csim libraries go; the default cache without.
    csim : False asks the emulator alone; what it cannot take ends as ``unjudged``.
    """
    folder.mkdir(parents=True)
    cases = [prepared(s, spec, folder / f"n{index}", rows) for index, s in enumerate(sketches)]
    for case in cases:
        emulated(case)
    left = [case for case in cases if case.verdict is None]
    if csim:
        by_csim(left, folder, cache)
    else:
        for case in left:
            case.end("unjudged" if not case.obtained else "bounded" if case.bounded else "exact", "emulator")
    return [case.verdict for case in cases if case.verdict is not None]


def check_networks(
    seeds: Sequence[int], spec: HlsSpec, folder: Path, *, cache: Path | None = None, rows: int = 200
) -> list[Exactness]:
    """``check_sketches`` of ``draw(seed)`` for each seed."""
    return check_sketches([draw(seed) for seed in seeds], spec, folder, cache=cache, rows=rows)


def mended(model: Any, spec: HlsSpec) -> tuple[Any, str]:
    """(the model as it is to be converted, why the linter refuses it or nothing)."""
    found = errors(lint(model, spec))
    if not found:
        return model, ""
    if all(finding.fixable for finding in found):
        model, left = fix(model, spec)
        found = errors(left)
    return model, "; ".join(f"{finding.rule}: {finding.message}" for finding in found)


def prepared(sketch: Sketch, spec: HlsSpec, folder: Path, rows: int = 200) -> Case:
    """The network built, linted, mended and converted into ``folder``, and what Keras answers."""
    case = Case(sketch, spec)
    kind = FixedType.parse(spec.precision)
    case.inputs = sketch_inputs(sketch, rows, (kind.lsb, kind.low, kind.high))
    steps = [("build", "unbuilt", _built), ("lint", "crash", _linted), ("keras", "unbuilt", _answered)]
    for stage, result, step in [*steps, ("convert", "crash", _converted)]:
        try:
            with captured():
                step(case, folder)
        except PquantError as cause:
            case.end("refused" if stage == "lint" else result, stage, _said(cause))  # type: ignore[arg-type]
        except Exception as cause:  # noqa: BLE001 whatever comes is what is looked for
            case.end(result, stage, _said(cause))  # type: ignore[arg-type]
        if case.verdict is not None:
            break
    return case


def _said(cause: Exception) -> str:
    return f"{type(cause).__name__}: {' '.join(str(cause).split())}"


def _built(case: Case, folder: Path) -> None:  # noqa: ARG001
    case.model = keras_model(replace(case.sketch, file=""))
    answers(case.model, case.x)
    if case.sketch.file:
        before, case.model = case.model, reloaded(case.model, case.sketch.file)
        differing = outputs_apart(answers(before, case.x), answers(case.model, case.x))
        if differing:
            case.end("wrong", "load", differing)

    if any(node.kind in FLOAT for node in case.sketch.nodes):
        case.model = ptq_model(case.model, case.x)


def ptq_model(model: Any, x: Any) -> Any:
    """The model at 8 bits, calibrated on ``x`` without training, by its own name, which files of a project carry."""
    import keras

    config = {"mode": "ptq", "bits": 8}
    found = (
        QuantizationCompression(config)
        .compress(model, (x, np.zeros(len(x[0] if isinstance(x, list) else x), int)))
        .model
    )
    return keras.Model(found.inputs, found.outputs, name=model.name)


def _linted(case: Case, folder: Path) -> None:  # noqa: ARG001
    found = lint(case.model, case.spec)
    case.bounded = any(finding.rule in BOUNDED for finding in found)
    if not errors(found):
        return
    before = case.model
    case.model, reason = mended(case.model, case.spec)
    if reason:
        case.end("refused", "lint", reason)
        return
    case.bounded = any(finding.rule in BOUNDED for finding in lint(case.model, case.spec))
    moved = _moved(answers(before, case.x), answers(case.model, case.x, keep_softmax=True))
    if moved > MOVED:
        case.end("wrong", "fix", f"the mended model's outputs are {moved:.2g} of their spread away")


def _moved(before: Floats, after: Floats) -> float:
    """The largest mean difference of an output, over its spread; 0 for outputs that do not change."""
    if [b.shape for b in before] != [a.shape for a in after]:
        return float("inf")
    spreads = [(float(np.abs(b - a).mean()), float(b.std())) for b, a in zip(before, after, strict=True)]
    return max(apart / spread if spread > 0 else float(apart > 0) for apart, spread in spreads)


def _answered(case: Case, folder: Path) -> None:  # noqa: ARG001
    case.expected = answers(case.model, case.x, keep_softmax=bool(case.spec.keep_softmax))


def _converted(case: Case, folder: Path) -> None:
    case.project = convert(case.model, case.spec, folder)


def emulated(case: Case) -> None:
    """The first judge: ends the case only where it fails, for csim decides."""
    if case.verdict is not None or case.project is None or case.project.graph is None:
        return
    try:
        found = emulate(case.project.graph, case.x)
    except NotMeasured:
        return
    except Exception as cause:  # noqa: BLE001 whatever comes is what is looked for
        case.end("crash", "emulator", _said(cause))
        return
    case.obtained = found if isinstance(found, list) else [found]
    differing = "" if case.bounded else outputs_apart(case.expected, case.obtained)
    if differing:
        case.end("wrong", "emulator", differing)


def by_csim(cases: Sequence[Case], folder: Path, cache: Path | None) -> None:
    """The second judge: all cases in one compile where their names allow it, halves where that fails."""
    for group in _side_by_side(cases):
        _judge(group, folder, cache)


def _side_by_side(cases: Sequence[Case]) -> Iterator[list[Case]]:
    """Groups in which no two layers have one name."""
    groups: list[tuple[set[str], list[Case]]] = []
    for case in cases:
        names = {layer.name.lower() for layer in case.model.layers}
        home = next((group for group in groups if not names & group[0]), None)
        if home is None:
            groups.append((names, [case]))
        else:
            home[0].update(names)
            home[1].append(case)
    yield from (group for _, group in groups)


def _judge(cases: list[Case], folder: Path, cache: Path | None) -> None:
    try:
        found = _csim(cases, folder, cache)
    except Exception as cause:  # noqa: BLE001 whatever comes is what is looked for
        if len(cases) == 1:
            cases[0].end("crash", "csim", _said(cause))
            return
        half = len(cases) // 2
        _judge(cases[:half], folder, cache)
        _judge(cases[half:], folder, cache)
        return
    for case in cases:
        _decide(case, [found.pop(0) for _ in case.expected])


def _decide(case: Case, outputs: Floats) -> None:
    differing = "" if case.bounded else outputs_apart(case.expected, outputs)
    result: Result = "wrong" if differing else "bounded" if case.bounded else "exact"
    case.end(result, "csim", differing)
    if case.obtained and case.verdict is not None:
        same = not outputs_apart(outputs, case.obtained)
        case.verdict = replace(case.verdict, emulated=same)


def _csim(cases: list[Case], folder: Path, cache: Path | None) -> Floats:
    import keras

    project = cases[0].project
    if len(cases) > 1:
        inputs = [tensor for case in cases for tensor in case.model.inputs]
        outputs = [tensor for case in cases for tensor in case.model.outputs]
        whole = keras.Model(inputs, outputs)
        name = f"group{cases[0].sketch.seed}_{len(cases)}"
        with captured():
            project = convert(whole, cases[0].spec, folder / name)
    if project is None:
        raise NotMeasured("a case without a project")
    arrays = [array for case in cases for array in case.inputs]
    found = predict(compiled(project, cache=cache), arrays if len(arrays) > 1 else arrays[0])
    return found if isinstance(found, list) else [found]


def outputs_apart(expected: Floats, obtained: Floats) -> str:
    """Where two lists of outputs differ, or nothing."""
    if len(expected) != len(obtained):
        return f"{len(obtained)} outputs for {len(expected)}"
    for port, (want, got) in enumerate(zip(expected, obtained, strict=True)):
        if want.size != got.size:
            return f"output {port}: {got.shape} for {want.shape}"
        apart = want != got.reshape(want.shape)
        if apart.any():
            at = tuple(int(i) for i in np.argwhere(apart)[0])
            most = float(np.abs(want - got.reshape(want.shape)).max())
            return (
                f"output {port}: {int(apart.sum()):,} of {want.size:,} values differ, by up to {most:g}; at "
                f"{list(at)} Keras gives {want[at]:g}, the firmware {got.reshape(want.shape)[at]:g}"
            )
    return ""


def failing(
    spec: HlsSpec, folder: Callable[[], Path], kind: str, *, cache: Path | None = None, rows: int = 200
) -> Callable[[Sketch], Exactness | None]:
    """What says of a sketch how it fails, if it does so in the same way: the verdict, else None.

    g++ is asked only where the failure is one of csim. ``folder`` gives a new folder each time.
    """

    def fails(sketch: Sketch) -> Exactness | None:
        place = folder()
        case = prepared(sketch, spec, place / "project", rows)
        emulated(case)
        if case.verdict is None and " csim" in kind:
            by_csim([case], place, cache)
        return case.verdict if case.verdict is not None and case.verdict.kind == kind else None

    return fails


def parts(graph: FixedPointGraph) -> list[FixedPointGraph]:
    """For each output the part of the graph it depends on."""
    return [_ending_in(graph, output) for output in graph.outputs]


def _ending_in(graph: FixedPointGraph, output: str) -> FixedPointGraph:
    needed = {output}
    for node in reversed(graph.nodes):
        if node.name in needed:
            needed.update(node.inputs)
    kept = tuple(node for node in graph.nodes if node.name in needed)
    return FixedPointGraph(kept, (output,), graph.io_type)


__all__ = [
    "Exactness",
    "by_csim",
    "check_networks",
    "check_sketches",
    "emulated",
    "failing",
    "mended",
    "outputs_apart",
    "parts",
    "ptq_model",
]
__all__ += ["Case", "prepared"]
