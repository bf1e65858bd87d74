"""From a Keras model to an HLS project folder that computes the same numbers."""

from __future__ import annotations

import hashlib
import json
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from pquant_hls.hls.design import checked_form, designed
from pquant_hls.hls.project import (
    GRAPH_FILE,
    NORMAL_MODEL,
    PROJECT_FILE,
    SCHEMA_VERSION,
    HlsProject,
    load_project,
)
from pquant_hls.hls.record import check_empty, check_project_name, new_project, save_info
from pquant_hls.network.capture import captured
from pquant_hls.spec import HlsSpec

if TYPE_CHECKING:
    from pquant_hls.network.model import Model

LOG_FILE = "hls4ml.log"
_PACKAGES = ("pquant_hls", "hls4ml", "keras", "qkeras-v3", "tensorflow", "numpy")


def convert(model: Model, spec: HlsSpec, out: Path, *, exact: bool = True) -> HlsProject:
    """Write ``model`` as an hls4ml project into the folder ``out``, which must be empty or absent.

    Parameters
    ----------
    model : Keras or QKeras model, Sequential or functional; it is not changed.
    spec : backend, part, clock and strategy.
    exact : refuse what the firmware would compute differently from Keras. With False, layers without a
        quantizer are taken at ``spec.precision`` and rounded.

    Raises
    ------
    UnsupportedModel : lint errors (layer, rule, mend), or a layer hls4ml cannot take.
    OutputError : ``out`` is not empty or cannot be written.
    SpecError : the strategy needs a package that is not installed, or the project's name is a word of C++.
    """
    out = Path(out).absolute()
    check_empty(out)
    check_project_name(spec)
    normal, notes = checked_form(model, spec, exact=exact)
    with new_project(out) as folder:
        _write(normal, spec, folder, exact, notes)
    return load_project(out)


def _write(normal: Any, spec: HlsSpec, folder: Path, exact: bool, notes: list[str]) -> None:
    with captured() as talk:
        hls_model, graph = designed(normal, spec, folder, exact=exact)
        _trace_everything(hls_model)
        hls_model.config.config.pop("KerasModel", None)
        hls_model.write()
        normal.save(folder / NORMAL_MODEL)
    graph.save(folder / GRAPH_FILE)
    (folder / LOG_FILE).write_text(talk.getvalue())
    written = HlsProject(folder, spec.project_name, (), ())
    made = _info(normal, spec, hls_model, exact)
    info = {**made, "notes": notes, "sources": written.source_digests()}
    save_info(folder / PROJECT_FILE, info)


def _trace_everything(hls_model: Any) -> None:
    """Write calls that report each layer's result in csim; synthesis does not see them."""
    hls_model.config.trace_output = True
    for layer in hls_model.get_layers():
        layer.set_attr("trace", True)


def _info(normal: Any, spec: HlsSpec, hls_model: Any, exact: bool) -> dict[str, Any]:
    shapes = {layer.name: list(layer.get_output_variable().shape) for layer in hls_model.get_layers()}
    # Keras' own shapes: hls4ml leaves out a Flatten or Reshape that ends the model
    pairs = [
        *zip(hls_model.get_input_variables(), normal.inputs, strict=True),
        *zip(hls_model.get_output_variables(), normal.outputs, strict=True),
    ]
    ports = {variable.name: list(tensor.shape[1:]) for variable, tensor in pairs}
    weights = [
        (w.path, hashlib.sha256(np.ascontiguousarray(w.numpy()).tobytes()).hexdigest())
        for w in normal.weights
    ]
    config = json.dumps(normal.to_json(), sort_keys=True)
    return {
        "schema_version": SCHEMA_VERSION,
        "exact": exact,
        "spec": spec.model_dump(mode="json"),
        "versions": {name: version for name in _PACKAGES if (version := _version(name)) is not None},
        "model_digest": hashlib.sha256((config + json.dumps(weights)).encode()).hexdigest(),
        "weights_digests": dict(weights),
        "shapes": {**shapes, **ports},
    }


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None
