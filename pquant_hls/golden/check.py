"""Record what a project computes; check that it still does."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pquant_hls.csim import compiled
from pquant_hls.errors import DataError, GoldenError
from pquant_hls.golden.compare import Rule, compare_outputs
from pquant_hls.golden.file import Golden
from pquant_hls.golden.layout import changed_files, file_digests, hls4ml_version, open_project
from pquant_hls.golden.result import CheckResult
from pquant_hls.golden.run import run_traced
from pquant_hls.golden.sight import blind_spots, sees_nothing
from pquant_hls.golden.vectors import Arrays, Vectors, input_vectors
from pquant_hls.golden.weights import compare_weights
from pquant_hls.hls import HlsProject, Port
from pquant_hls.store import versions

MATTER = ("pquant_hls", "hls4ml", "numpy")
"""Packages whose versions can change a golden."""
Sums = Mapping[str, NDArray[np.uint32]]


def record(
    project: Path | HlsProject,
    x: Arrays,
    *,
    rule: Rule | None = None,
    labels: ArrayLike | None = None,
    cache: Path | None = None,
    timeout_s: float = 600.0,
    force: bool = False,
) -> Golden:
    """Run csim of a project on ``x`` and keep what it gives.

    Parameters
    ----------
    x : real inputs (n, *shape), a list of them for several inputs; rounded to 4 bits below the input's LSB.
    rule : how later checks compare, bit for bit by default.
    labels : class indices (n,), for the signal efficiency of the rule ``decision``.
    cache : where compiled libraries are kept; the user's own cache by default.
    force : record even where no output ever moves.

    Raises
    ------
    UnsupportedModel : the project is incomplete, foreign or of an old layout.
    GoldenError : its ``.txt`` and ``.h`` weights differ, so there is no one design to bless; or every output is
        the same on every input, so that the golden would see nothing.
    DataError : ``x`` or ``labels`` do not fit.
    ToolNotFound, ToolFailed : no g++, its error, a crash, or longer than ``timeout_s`` seconds for one step.
    """
    found = open_project(project)
    inputs = input_vectors(found.inputs, x)
    classes = None if labels is None else _labels(labels, len(inputs[0].codes))
    wrong = compare_weights(found)
    if wrong:
        raise GoldenError(f"{wrong[0]}", where=found.path, mend="write the project again, then record")
    with compiled(found, cache, timeout_s) as library:
        outputs, layers = run_traced(library, inputs, timeout_s)
    made = Golden(
        found.name,
        inputs,
        outputs,
        rule or Rule(),
        found.digest(),
        file_digests(found),
        layers,
        classes,
        hls4ml_version(found),
        {name: version for name, version in versions().items() if name in MATTER},
    )
    if not force:
        _check_sight(made, found.path)
    return made


def _check_sight(made: Golden, where: Path) -> None:
    if sees_nothing(made):
        raise GoldenError(
            blind_spots(made)[0],
            where=where,
            mend="give real inputs; a saturated softmax table does this: convert without it; or --force",
        )


def _labels(labels: ArrayLike, count: int) -> NDArray[np.int64]:
    found = np.asarray(labels)
    if found.shape != (count,) or found.dtype.kind not in "iub":
        raise DataError(f"expected class indices ({count},), got {found.dtype} {found.shape}", where="labels")
    return found.astype(np.int64)


def check(
    project: Path | HlsProject,
    golden: Golden | Path,
    *,
    rule: Rule | None = None,
    pinned: bool = False,
    cache: Path | None = None,
    timeout_s: float = 600.0,
) -> CheckResult:
    """Compile a project as it is now, run it on the golden inputs and compare; compare its weight copies too.

    Parameters
    ----------
    rule : in place of the golden's own.
    pinned : refuse a project whose sources or weights are not those that were recorded.

    Raises
    ------
    GoldenError : the golden is damaged, of other shapes or, with ``pinned``, of another design.
    UnsupportedModel, ToolNotFound, ToolFailed : as for ``record``.
    """
    expected = golden if isinstance(golden, Golden) else Golden.load(golden)
    found = open_project(project)
    _check_shapes(expected, found)
    if pinned and expected.digest != found.digest():
        raise GoldenError(
            f"recorded from {expected.digest[:12]}, the project is {found.digest()[:12]}",
            where=found.path,
            mend="record it again",
        )
    with compiled(found, cache, timeout_s) as library:
        outputs, layers = run_traced(library, expected.inputs, timeout_s)
    result = assess(expected, found, outputs, layers, expected.rule if rule is None else rule)
    return replace(result, notes=(*library.notes, *result.notes))


def assess(
    expected: Golden, project: HlsProject, outputs: tuple[Vectors, ...], layers: Sums, rule: Rule
) -> CheckResult:
    """What a run on the golden inputs means, with the project's files beside it."""
    layer, layer_inputs = first_divergent(expected.layers, layers)
    return CheckResult(
        project=project.name,
        rule=rule,
        count=expected.count,
        values=sum(port.codes.size for port in expected.outputs),
        outputs=compare_outputs(expected.outputs, outputs, rule, expected.labels),
        weights=compare_weights(project),
        interface=tuple(_interface(expected, project)),
        layer=layer,
        layer_inputs=layer_inputs,
        changed=tuple(changed_files(expected.files, file_digests(project))),
        notes=tuple(_notes(expected, project, layers)),
    )


def _check_shapes(golden: Golden, project: HlsProject) -> None:
    pairs = ("inputs", golden.inputs, project.inputs), ("outputs", golden.outputs, project.outputs)
    for kind, old, new in pairs:
        sizes = [port.codes.shape[1] for port in old], [port.size for port in new]
        if sizes[0] != sizes[1]:
            raise GoldenError(
                f"the golden's {kind} hold {sizes[0]} values, the project's {sizes[1]}",
                where=project.path,
                mend="give the golden of this project, or record it again",
            )


def first_divergent(expected: Sums, obtained: Sums) -> tuple[str | None, int]:
    """The first layer whose checksums differ, and on how many inputs; others are passed over."""
    for name, sums in expected.items():
        if name in obtained and not np.array_equal(sums, obtained[name]):
            return name, int(np.sum(sums != obtained[name]))
    return None, 0


def _interface(golden: Golden, project: HlsProject) -> list[str]:
    """Ports whose words are no longer the same: another width, binary point or sign."""
    found = []
    for old, new in zip((*golden.inputs, *golden.outputs), (*project.inputs, *project.outputs), strict=True):
        if _words(old) != _words(new):
            found.append(f"port {new.name}: type {new.type}, recorded as {old.type}")
    return found


def _words(port: Vectors | Port) -> tuple[int, int, bool] | None:
    return None if port.type is None else (port.type.width, port.type.integer, port.type.signed)


def _notes(golden: Golden, project: HlsProject, layers: Sums) -> list[str]:
    found = []
    now = hls4ml_version(project)
    if now is not None and golden.hls4ml is not None and now != golden.hls4ml:
        found.append(f"the project was written by hls4ml {now}, the golden's by {golden.hls4ml}")
    if not golden.layers or not layers:
        where = "project" if golden.layers else "recorded project"
        found.append(f"no layers seen in the {where}: outputs are compared, layers are not")
    elif set(golden.layers) != set(layers):
        found.append(f"layers traced on one side only: {', '.join(sorted(set(golden.layers) ^ set(layers)))}")
    return found
