"""Which faults in a generated project does ``csim check`` find, and does it name the right layer?

A small QKeras network is converted, golden vectors are recorded, and faults are put in one at a time:

* ``bit``: one bit of one weight or bias flipped; ``swap``: two different weights of one array exchanged. Each
  in the ``.txt`` copy (read by csim), in the ``.h`` copy (read by synthesis), and in both.
* ``narrow``, ``shift``: one declared type loses its last bit, or its binary point moves by one bit.
* ``relu``: one ReLU copies its input; ``relu signed``: and its unsigned type becomes signed, one bit wider.
* ``to_int``: the bridge truncates the inputs to integers.

Columns: faults tried; ``visible``: change an output on the golden inputs; ``found``: make the check fail, by
``outputs`` (or port types) or by ``weights`` (the two copies differ); ``missed``: do not. What is missed runs
on many more random inputs: ``needed`` is the median number of inputs up to the first that shows the fault,
``equal`` counts faults that none of them shows. ``layer``: how often the first divergent layer is the faulty
one, among faults that change any layer.

Weight faults run in the unaltered library, which reads the weights when it starts; all others are compiled.
One weight fault of each kind (of one with --quick) is compiled by ``csim check`` too and must give the same.
"""

from __future__ import annotations

import re
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from _common import parse, save, show
from numpy.typing import NDArray

from pquant_hls.csim import Library, build, predict
from pquant_hls.firmware.values import SourceNames
from pquant_hls.golden import CheckResult, Golden, check, random_inputs, record
from pquant_hls.golden.check import assess
from pquant_hls.golden.run import run_traced
from pquant_hls.hls import HlsProject, convert, load_project
from pquant_hls.qor import FixedType
from pquant_hls.spec import HlsSpec

TIMEOUT_S = 600.0
COPIES = {"txt": ("txt",), "h": ("h",), "both": ("txt", "h")}


@dataclass(frozen=True)
class Fault:
    """One alteration: ``layer`` is where it first shows, ``apply`` edits a copy of the project."""

    kind: str
    where: str
    layer: str
    compiled: bool
    apply: Callable[[Path], None]


@dataclass(frozen=True)
class Outcome:
    """What the check said of one fault; ``needed`` counts random inputs up to the first that shows it."""

    kind: str
    where: str
    layer: str
    changes_outputs: bool
    by_outputs: bool
    by_weights: bool
    named: str | None
    needed: int | None

    @property
    def found(self) -> bool:
        return self.by_outputs or self.by_weights


@dataclass(frozen=True)
class Bench:
    """The sound project with its library, golden and answers to many more inputs."""

    project: HlsProject
    library: Library
    golden: Golden
    x: NDArray[np.float64]
    y: NDArray[np.float64]
    cache: Path


def network(sizes: tuple[int, ...], seed: int) -> Any:
    """A QKeras MLP with random 6-bit weights and ReLUs between its layers."""
    import keras
    from qkeras import QActivation, QDense, quantized_bits, quantized_relu

    keras.utils.set_random_seed(seed)
    layers = [keras.Input((sizes[0],)), QActivation(quantized_bits(10, 3, alpha=1), name="q_in")]
    for index, size in enumerate(sizes[1:], 1):
        grid = {name: quantized_bits(6, 0, alpha=1) for name in ("kernel_quantizer", "bias_quantizer")}
        last = index == len(sizes) - 1
        layers.append(
            QDense(size, name="out" if last else f"fc{index}", bias_initializer="random_normal", **grid)
        )
        if not last:
            layers.append(QActivation(quantized_relu(6, 2), name=f"relu{index}"))
    return keras.Sequential(layers)


def prepare(sizes: tuple[int, ...], seed: int, counts: tuple[int, int], folder: Path) -> Bench:
    """Convert, compile and record; ``counts`` are golden inputs and further random ones."""
    project = convert(network(sizes, seed), HlsSpec(project_name="sound"), folder / "sound")
    cache = folder / "cache"
    golden = record(project, random_inputs(project, counts[0], seed), cache=cache)
    library = build(project, cache=cache)
    x = np.asarray(random_inputs(project, counts[1], seed + 1))
    return Bench(project, library, golden, x, np.asarray(predict(library, x)), cache)


def faults(project: HlsProject, rng: np.random.Generator, per_array: int, compiled: int) -> Iterator[Fault]:
    """``per_array`` weight faults for each array, kind and copy; about ``compiled`` faults of other kinds."""
    layers = layer_of_variable(project)
    defines = project.read.names
    for name in sorted(path.stem for path in project.weights.glob("*.txt")):
        for copies in COPIES:
            for _ in range(per_array):
                yield weight_fault("bit", name, copies, layers, defines, rng)
                if name.startswith("w"):
                    yield weight_fault("swap", name, copies, layers, defines, rng)
    others = list(source_faults(project, layers, defines))
    keep = rng.permutation(len(others))[:compiled]
    always = [index for index, fault in enumerate(others) if fault.kind in {"relu signed", "to_int"}][-2:]
    yield from (others[index] for index in sorted({*always, *keep.tolist()}))


def layer_of_variable(project: HlsProject) -> dict[str, str]:
    """Weight arrays and results by the layer whose call holds them, as the generated comments name it."""
    text = (project.firmware / f"{project.name}.cpp").read_text()
    found: dict[str, str] = {}
    for arguments, layer in re.findall(r"nnet::\w+<[^>]*>\(([^)]*)\);\s*// (\w+)", text):
        for variable in arguments.split(",")[1:]:
            found[variable.strip()] = layer
        found.setdefault(arguments.split(",")[0].strip(), layer)
    return found


def weight_fault(
    kind: str, name: str, copies: str, layers: dict[str, str], defines: SourceNames, rng: np.random.Generator
) -> Fault:
    """A flipped bit or a swap in one or both copies of an array."""
    grid = defines.fixed(("weight" if name.startswith("w") else "bias") + name[1:] + "_t")
    if grid is None:
        raise SystemExit(f"{name}: no fixed-point type in defines.h")
    draw = int(rng.integers(2**31))

    def apply(project: Path) -> None:
        for suffix in COPIES[copies]:
            path = project / "firmware" / "weights" / f"{name}.{suffix}"
            path.write_text(_altered(path.read_text(), grid, kind, draw))

    return Fault(f"{kind} {copies}", name, layers[name], False, apply)


def _altered(text: str, grid: FixedType, kind: str, draw: int) -> str:
    """The list of numbers with one fault; the same in both copies for the same ``draw``."""
    start = text.rfind("{") + 1
    end = text.find("}", start) if start > 0 else len(text)
    values = np.array([float(word) for word in text[start:end].split(",")])
    rng = np.random.default_rng(draw)
    codes = grid.to_codes(values)
    one = int(rng.integers(len(codes)))
    if kind == "bit":
        flipped = (int(codes[one]) ^ (1 << int(rng.integers(grid.width)))) & ((1 << grid.width) - 1)
        codes[one] = flipped - (1 << grid.width) if flipped > grid.code_max else flipped
    else:
        others = np.flatnonzero(codes != codes[one])
        two = int(rng.choice(others))
        codes[[one, two]] = codes[[two, one]]
    words = ", ".join(f"{code * grid.lsb:.{max(1, grid.frac)}f}" for code in codes)
    return text[:start] + words + text[end:]


def source_faults(project: HlsProject, layers: dict[str, str], defines: SourceNames) -> Iterator[Fault]:
    """Faults in the C++: narrower or shifted types, a dropped ReLU, inputs truncated to integers."""
    first = layers[project.inputs[0].name]
    for name, text in defines.declared.types.items():
        layer = _layer_of_type(name, layers, project, first)
        if layer is not None and text.startswith(("ap_fixed<", "ap_ufixed<")):
            width, integer = map(int, re.findall(r"-?\d+", text)[:2])
            head = f"typedef {text} {name};"
            for kind, new in (("narrow", f"<{width - 1},{integer}"), ("shift", f"<{width},{integer - 1}")):
                tail = head.replace(f"<{width},{integer}", new)
                yield Fault(kind, name, layer, True, _replacing("firmware/defines.h", head, tail))
    source = f"firmware/{project.name}.cpp"
    text = (project.path / source).read_text()
    for call, into, out, layer in re.findall(r"(nnet::relu<[^>]*>\((\w+), (\w+)\);) // (\w+)", text):
        size = project.traced[layer][0]
        copy = f"for (int i = 0; i < {size}; i++) {out}[i] = {into}[i];"
        drop = _replacing(source, call, copy)
        yield Fault("relu", layer, layer, True, drop)
        kind = f"{out.removesuffix('_out')}_t"
        width, integer = map(int, re.findall(r"-?\d+", defines.declared.types[kind])[:2])
        signed = defines.declared.types[kind].replace(
            f"ufixed<{width},{integer}", f"fixed<{width + 1},{integer + 1}"
        )
        types = f"typedef {defines.declared.types[kind]} {kind};", f"typedef {signed} {kind};"
        yield Fault("relu signed", layer, layer, True, _both(drop, _replacing("firmware/defines.h", *types)))
    port, place = project.inputs[0], "    // hls-fpga-machine-learning insert layers"
    cast = f"    for (int i = 0; i < {port.size}; i++) {port.name}[i] = int({port.name}[i]);"
    yield Fault("to_int", port.name, first, True, _replacing(source, place, f"{place}\n{cast}"))


def _layer_of_type(name: str, layers: dict[str, str], project: HlsProject, first: str) -> str | None:
    """The layer in which a typedef acts; None for types the network never computes with."""
    if name == "input_t":
        return first
    if name == "result_t":
        return layers[project.outputs[0].name]
    numbered = re.fullmatch(r"(layer|weight|bias)(\d+)_t", name)
    if numbered is not None:
        pattern = {"layer": "layer{}_out", "weight": "w{}", "bias": "b{}"}[numbered[1]]
        return layers.get(pattern.format(numbered[2]))
    return name.removesuffix("_accum_t") if name.endswith("_accum_t") else None


def _replacing(file: str, old: str, new: str) -> Callable[[Path], None]:
    def apply(project: Path) -> None:
        path = project / file
        text = path.read_text()
        if old not in text:
            raise SystemExit(
                f"{file}: no {old!r}: the generated code looks otherwise than this script expects"
            )
        path.write_text(text.replace(old, new))

    return apply


def _both(one: Callable[[Path], None], two: Callable[[Path], None]) -> Callable[[Path], None]:
    def apply(project: Path) -> None:
        one(project)
        two(project)

    return apply


def try_fault(bench: Bench, fault: Fault, folder: Path) -> Outcome:
    """Put one fault into a copy of the project and ask the check."""
    copy = Path(shutil.copytree(bench.project.path, folder))
    fault.apply(copy)
    project = load_project(copy)
    library = build(project, cache=bench.cache) if fault.compiled else borrowed(bench, project)
    outputs, layers = run_traced(library, bench.golden.inputs, TIMEOUT_S)
    result = assess(bench.golden, project, outputs, layers, bench.golden.rule)
    needed = first_shown(bench, library) if result.passed else None
    visible = result.outputs.wrong_values > 0
    return Outcome(
        fault.kind,
        fault.where,
        fault.layer,
        visible,
        visible or bool(result.interface),
        bool(result.weights),
        result.layer,
        needed,
    )


def borrowed(bench: Bench, project: HlsProject) -> Library:
    """The sound library reading this project's weights; under no digest, as its entry in the cache is not what it was."""
    for path in project.weights.glob("*.txt"):
        shutil.copyfile(path, bench.library.path.parent / "weights" / path.name)
    return Library(bench.library.path, project, "")


def first_shown(bench: Bench, library: Library) -> int | None:
    """How many random inputs it takes to see the fault; None if none of them shows it."""
    wrong = np.any(np.asarray(predict(library, bench.x)) != bench.y, axis=1)
    return int(np.argmax(wrong)) + 1 if wrong.any() else None


def confirm(bench: Bench, fault: Fault, outcome: Outcome, folder: Path) -> None:
    """The same fault through ``check``, which compiles it: it must say the same."""
    copy = Path(shutil.copytree(bench.project.path, folder))
    fault.apply(copy)
    result: CheckResult = check(copy, bench.golden, cache=bench.cache)
    said = result.passed, result.layer, bool(result.weights)
    if said != (not outcome.found, outcome.named, outcome.by_weights):
        raise SystemExit(f"{fault.kind} {fault.where}: csim check disagrees: {result.lines()}")


def summarise(kind: str, outcomes: list[Outcome]) -> dict[str, object]:
    """One row of the table."""
    missed = [one for one in outcomes if not one.found]
    needed = [one.needed for one in missed if one.needed is not None]
    located = [one for one in outcomes if one.named is not None]
    return {
        "fault": kind,
        "tried": len(outcomes),
        "visible": sum(one.changes_outputs for one in outcomes),
        "found": len(outcomes) - len(missed),
        "outputs": sum(one.by_outputs for one in outcomes),
        "weights": sum(one.by_weights for one in outcomes),
        "missed": len(missed),
        "needed": statistics.median(needed) if needed else None,
        "equal": len(missed) - len(needed),
        "layer": f"{sum(one.named == one.layer for one in located)}/{len(located)}",
    }


def main() -> int:
    """Try all faults and print one row for each kind."""
    args = parse(__doc__)
    sizes, counts = ((8, 6, 4, 3), (256, 4000)) if args.quick else ((16, 32, 16, 5), (256, 20000))
    begun, rng = time.perf_counter(), np.random.default_rng(args.seed)
    with tempfile.TemporaryDirectory(prefix="faults-") as scratch:
        folder = Path(scratch)
        bench = prepare(sizes, args.seed, counts, folder)
        planned = list(faults(bench.project, rng, *((1, 6) if args.quick else (3, 40))))
        weights = [fault for fault in planned if not fault.compiled]
        sources = [fault for fault in planned if fault.compiled]
        outcomes = [try_fault(bench, fault, folder / f"w{index}") for index, fault in enumerate(weights)]
        shutil.rmtree(bench.library.path.parent)  # its weights are those of the last fault
        with ThreadPoolExecutor(2) as pool:
            folders = [folder / f"s{index}" for index in range(len(sources))]
            outcomes += pool.map(lambda pair: try_fault(bench, *pair), zip(sources, folders, strict=True))
        chosen = {fault.kind: index for index, fault in reversed(list(enumerate(weights)))}
        for index in list(chosen.values())[: 1 if args.quick else None]:
            confirm(bench, weights[index], outcomes[index], folder / f"c{index}")
    kinds = list(dict.fromkeys(one.kind for one in outcomes))
    rows = [summarise(kind, [one for one in outcomes if one.kind == kind]) for kind in kinds]
    rows.append(summarise("all", outcomes))
    show(
        f"faults in a {'-'.join(map(str, sizes))} project, {counts[0]} golden inputs, {counts[1]} more", rows
    )
    print(f"{time.perf_counter() - begun:.0f} s")
    save(args, "faults", {"sizes": sizes, "rows": rows, "faults": [asdict(one) for one in outcomes]})
    return 0 if all(one.found for one in outcomes if one.changes_outputs) else 1


if __name__ == "__main__":
    sys.exit(main())
