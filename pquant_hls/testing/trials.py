"""What becomes of a form of network: exact, mended, bounded or refused, told by the emulator and by csim."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import keras
import numpy as np
from numpy.typing import NDArray

from pquant_hls.csim import build as compiled
from pquant_hls.csim import predict
from pquant_hls.errors import NotMeasured, PquantError
from pquant_hls.hls import convert
from pquant_hls.lint import errors, fix, lint, moved_by_fix
from pquant_hls.network.capture import captured
from pquant_hls.network.reference import reference
from pquant_hls.qor import FixedType
from pquant_hls.rtl import emulate
from pquant_hls.spec import HlsSpec
from pquant_hls.testing.exactness import BOUNDED, outputs_apart, ptq_model
from pquant_hls.testing.forms import form_model, forms

Result = Literal["exact", "mended", "by ptq", "bound", "refused", "WRONG", "CRASH"]
Floats = list[NDArray[np.float64]]
TOGETHER = 20
"""Forms in one compile, whose time grows faster than they do."""


@dataclass
class Trial:
    """One form on its way. ``result`` is None until it is judged; ``emulated``: whether the emulator gives Keras' values,
    None where it cannot take a layer; ``said`` is the linter's reason, the difference, the exception, or what ``fix`` moved.
    """

    name: str
    result: Result | None = None
    said: str = ""
    emulated: bool | None = None
    model: Any = None
    x: Any = None
    expected: Floats | None = None
    bounded: bool = False
    mended: bool = False
    by_ptq: bool = False

    def ends(self, result: Result, said: str) -> Trial:
        self.result, self.said = result, said[:300]
        return self


def check_forms(
    names: Sequence[str],
    spec: HlsSpec,
    folder: Path,
    *,
    cache: Path | None = None,
    csim: bool = True,
    rows: int = 300,
) -> list[Trial]:
    """Judge each form by the emulator and, many in one compile, by csim.

    Parameters
    ----------
    folder : a new folder for the projects. csim : False asks the emulator alone.
    """
    folder.mkdir(parents=True)
    known = forms()
    trials = [_prepared(name, known[name], spec, f"f{place}", rows) for place, name in enumerate(names)]
    for trial in trials:
        if trial.result is None:
            _emulated(trial, spec, folder / f"e_{trial.model.name}")
    left = [trial for trial in trials if trial.result is None]
    for start in range(0, len(left) if csim else 0, TOGETHER):
        _compiled(left[start : start + TOGETHER], spec, folder, cache)
    for trial in left:
        if trial.result is None:
            trial.result = (
                "bound"
                if trial.bounded
                else "by ptq"
                if trial.by_ptq
                else "mended"
                if trial.mended
                else "exact"
            )
    return trials


def _inputs(model: Any, spec: HlsSpec, rows: int) -> Any:
    """Half of the rows off every grid, half on that of ``hls.precision``; whole numbers for an embedding."""
    rng = np.random.default_rng(0)
    found = []
    whole = any(isinstance(layer, keras.layers.Embedding) for layer in model.layers)
    kind = FixedType.parse(spec.precision)
    unquantized = any(finding.rule == "input-unquantized" for finding in lint(model, spec))
    for tensor in model.inputs:
        shape = (rows, *tensor.shape[1:])
        values = rng.integers(0, 10, shape).astype(float) if whole else rng.normal(0.0, 3.0, shape)
        found.append((kind.quantize(values) if unquantized else values).astype(np.float32))
    return found[0] if len(found) == 1 else found


def _prepared(name: str, form: Any, spec: HlsSpec, word: str, rows: int) -> Trial:
    trial = Trial(name)
    try:
        with captured():
            trial.model = form_model(form, word)
            found = lint(trial.model, spec)
            trial.x = _inputs(trial.model, spec, rows)
            if errors(found) and all(finding.fixable for finding in errors(found)):
                original, (trial.model, found) = trial.model, fix(trial.model, spec)
                trial.mended = True
                moved = moved_by_fix(original, trial.model, trial.x, spec)
                trial.said = "; ".join(
                    f"{100 * m.mean / m.spread:.2g} % of its spread" for m in moved if m.differing
                )
            elif errors(found):
                original, trial.model = trial.model, ptq_model(trial.model, trial.x)
                found = lint(trial.model, spec)
                trial.mended = trial.by_ptq = not errors(found)
                moved = moved_by_fix(original, trial.model, trial.x, spec, headless=False)
                trial.said = "; ".join(
                    f"{100 * m.mean / m.spread:.2g} % of its spread" for m in moved if m.differing
                )
            reasons = [f"{each.rule} {each.layer}: {each.message}" for each in errors(found)]
            if reasons:
                return trial.ends("refused", "; ".join(reasons))
            trial.bounded = any(finding.rule in BOUNDED for finding in found)
            trial.expected = reference(
                trial.model, trial.x, keep_softmax=spec.keep_softmax or (trial.mended and not trial.by_ptq)
            ).outputs
    except PquantError as cause:
        return trial.ends("refused", str(cause))
    except Exception as cause:  # noqa: BLE001 whatever comes is what is looked for
        return trial.ends("CRASH", f"{type(cause).__name__}: {cause}")
    return trial


def _emulated(trial: Trial, spec: HlsSpec, folder: Path) -> None:
    try:
        with captured():
            graph = convert(trial.model, spec, folder).graph
        found = None if graph is None else emulate(graph, trial.x)
    except NotMeasured as cause:
        trial.said = f"{trial.said} (no emulator: {cause.message})"
        return
    except Exception as cause:  # noqa: BLE001 whatever comes is what is looked for
        trial.ends("CRASH", f"{type(cause).__name__}: {cause}")
        return
    if found is None:
        return
    apart = outputs_apart(trial.expected or [], found if isinstance(found, list) else [found])
    trial.emulated = not apart
    if apart and not trial.bounded:
        trial.ends("WRONG", f"emulator: {apart}")


def _compiled(trials: list[Trial], spec: HlsSpec, folder: Path, cache: Path | None) -> None:
    """All in one compile, halves where that fails."""
    if not trials:
        return
    try:
        found = _csim(trials, spec, folder, cache)
    except Exception as cause:  # noqa: BLE001 whatever comes is what is looked for
        if len(trials) == 1:
            trials[0].ends("CRASH", f"csim: {type(cause).__name__}: {cause}")
            return
        half = len(trials) // 2
        _compiled(trials[:half], spec, folder, cache)
        _compiled(trials[half:], spec, folder, cache)
        return
    for trial in trials:
        expected = trial.expected or []
        apart = outputs_apart(expected, [found.pop(0) for _ in expected])
        if apart and not trial.bounded:
            trial.ends("WRONG", f"csim: {apart}")


def _csim(trials: list[Trial], spec: HlsSpec, folder: Path, cache: Path | None) -> Floats:
    tensors = [tensor for trial in trials for tensor in trial.model.inputs]
    whole = keras.Model(tensors, [tensor for trial in trials for tensor in trial.model.outputs])
    with captured():
        project = convert(whole, spec, folder / f"c_{trials[0].model.name}_{len(trials)}")
    arrays = [trial.x for trial in trials]
    found = predict(compiled(project, cache=cache), arrays if len(arrays) > 1 else arrays[0])
    return found if isinstance(found, list) else [found]


__all__ = ["Trial", "check_forms"]
