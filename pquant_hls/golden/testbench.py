"""The vendor's test bench reads its vectors from ``tb_data``; these are the golden ones."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pquant_hls.errors import DataError, OutputError
from pquant_hls.golden.vectors import Arrays, port_arrays
from pquant_hls.hls import HlsProject, Port, load_project
from pquant_hls.store import write_bytes

INPUTS, PREDICTIONS = "tb_input_features.dat", "tb_output_predictions.dat"


def write_testbench(project: Path | HlsProject, inputs: Arrays, outputs: Arrays) -> tuple[Path, Path]:
    """Write inputs and expected outputs where ``<name>_test.cpp`` reads them in csim and cosim.

    Parameters
    ----------
    inputs, outputs : real numbers (n, *shape) for each port, a list for several. Inputs are written as the
        input type stores them, since the test bench reads single precision.

    Returns
    -------
    Paths of the two files: one line for each vector, the ports side by side.

    Raises
    ------
    DataError : arrays that do not fit the ports or each other.
    OutputError : ``tb_data`` cannot be written.
    """
    found = project if isinstance(project, HlsProject) else load_project(Path(project))
    x, y = _rows(found.inputs, inputs, quantize=True), _rows(found.outputs, outputs, quantize=False)
    if len(x) != len(y):
        raise DataError(f"{len(x)} inputs and {len(y)} outputs")
    folder = found.path / "tb_data"
    try:
        folder.mkdir(exist_ok=True)
    except OSError as cause:
        raise OutputError(f"cannot be written: {cause.strerror}", where=folder) from cause
    for name, rows in ((INPUTS, x), (PREDICTIONS, y)):
        write_bytes(folder / name, "".join(" ".join(map(repr, row.tolist())) + "\n" for row in rows).encode())
    return folder / INPUTS, folder / PREDICTIONS


def _rows(ports: tuple[Port, ...], arrays: Arrays, *, quantize: bool) -> NDArray[np.float64]:
    """All ports side by side, (n, sum of sizes)."""
    found = zip(ports, port_arrays(ports, arrays), strict=True)
    columns = [
        port.type.quantize(values) if quantize and port.type is not None else values for port, values in found
    ]
    return np.concatenate(columns, axis=1)
