"""Every layer and form that networks are made of: exact as it is, mended, calibrated, or refused with the reason."""

from __future__ import annotations

from pathlib import Path

import pytest

from pquant_hls.spec import HlsSpec
from pquant_hls.testing.forms import forms
from pquant_hls.testing.trials import check_forms

pytestmark = [pytest.mark.gxx, pytest.mark.slow, pytest.mark.usefixtures("quick_compiles")]

REFUSED = {"quantized_hswish, after a quantizer"}
"""What Keras itself cannot compute."""
CHEAP = {"io_stream": 3, "io_parallel": 4}
"""Of so many forms one is compiled."""


@pytest.mark.parametrize(("io_type", "backend"), [("io_parallel", "Vitis"), ("io_stream", "Vivado")])
def test_every_form_is_exact_mended_or_refused(
    io_type: str, backend: str, tmp_path: Path, cache: Path
) -> None:
    spec = HlsSpec.parse({"io_type": io_type, "backend": backend})
    names = list(forms())[:: CHEAP[io_type]]
    found = check_forms(names, spec, tmp_path / "projects", cache=cache, rows=100)
    assert [(trial.name, trial.said) for trial in found if trial.result in ("WRONG", "CRASH")] == []
    assert [trial.name for trial in found if trial.emulated is False and not trial.bounded] == []
    refused = {trial.name for trial in found if trial.result == "refused"}
    assert refused <= REFUSED or io_type == "io_stream"
