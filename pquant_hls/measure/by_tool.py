"""``csynth``, ``cosim`` and ``vsynth``: the backend's own tool runs the project, and its reports are read."""

from __future__ import annotations

from typing import ClassVar

from pquant_hls.errors import NotMeasured
from pquant_hls.measure.evaluator import Design, Evaluator, measured_or_reason
from pquant_hls.programs import locate
from pquant_hls.qor import QoR
from pquant_hls.readers import From
from pquant_hls.spec import HlsSpec
from pquant_hls.toolchain import backend_of_project, synthesize


class ByTool(Evaluator):
    """Runs the backend's flow for ``source``.

    ``metrics`` then hold the estimator's error on this very design (``estimate_error_cycles``,
    ``estimate_error_lut``...: estimated minus synthesised).
    """

    source: ClassVar[From]

    def missing(self, spec: HlsSpec) -> str | None:
        if self.source not in spec.tools.flow:
            return f"{spec.backend} has no {self.source}"
        return (
            None if has_synthesis(spec) else f"{self.source} needs {spec.backend} HLS, which is not on PATH"
        )

    def measure(self, design: Design) -> QoR:
        backend = backend_of_project(design.path)
        steps = backend.flow.get(self.source)
        if steps is None:
            raise NotMeasured(f"{backend.name} has no {self.source}", where=design.path)
        spec = design.project.spec
        prefix = design.prefix or (() if spec is None else spec.tool_prefix)
        qor = synthesize(design.path, steps=steps, on_line=design.on_line, prefix=prefix, source=self.source)
        return with_error(qor, measured_or_reason("estimate", design))


class ByCsynth(ByTool):
    """C synthesis."""

    source = "csynth"


class ByCosim(ByTool):
    """C synthesis and RTL co-simulation, whose counted cycles decide."""

    source = "cosim"


class ByVsynth(ByTool):
    """C and logic synthesis, whose resources and clock decide."""

    source = "vsynth"


def has_synthesis(spec: HlsSpec) -> bool:
    """Whether the C synthesis tool of the backend is on PATH, or a prefix says where it is."""
    return bool(spec.tool_prefix) or any(locate(name) is not None for name in spec.tools.program_names)


def with_error(qor: QoR, guess: QoR) -> QoR:
    """With the estimate's error on this design, estimated minus synthesised, for each figure both have."""
    pairs: dict[str, tuple[float | None, float | None]] = {"cycles": (_worst(guess), _worst(qor))}
    pairs |= {name: (_used(guess, name), _used(qor, name)) for name in ("lut", "ff", "dsp", "bram_18k")}
    errors = {
        f"estimate_error_{name}": round(one - other, 1)
        for name, (one, other) in pairs.items()
        if one is not None and other is not None
    }
    return qor.with_(metrics={**qor.metrics, **errors})


def _worst(qor: QoR) -> int | None:
    return None if qor.latency is None else qor.latency.cycles_max


def _used(qor: QoR, name: str) -> float | None:
    used: float | None = None if qor.resources is None else getattr(qor.resources, name)
    return used
