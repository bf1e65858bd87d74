"""One design, measured by the source its budget asks for."""

from __future__ import annotations

from pathlib import Path

from pquant_hls.errors import NotMeasured
from pquant_hls.estimate import estimate
from pquant_hls.hls import HlsProject
from pquant_hls.qor import QoR, Target
from pquant_hls.spec import Budget, HlsSpec


def target_of(spec: HlsSpec) -> Target:
    """The HLS options as the estimator takes them."""
    return Target(
        part=spec.part, clock_ns=spec.clock_ns, clock_uncertainty_ns=spec.clock_uncertainty_ns,
        tool="vitis" if spec.backend == "Vitis" else "vivado",
    )  # fmt: skip


def measure_design(project: HlsProject, budget: Budget, folder: Path) -> QoR:
    """Latency and resources of ``project``, from the source ``budget.measure`` names; work goes into ``folder``.

    What no source can tell is None, with the reason in ``notes``.
    """
    if project.graph is None or project.spec is None:
        return QoR(notes=("no fixed-point graph: not one of this package's projects",))
    try:
        return estimate(project.graph, target_of(project.spec))
    except NotMeasured as cause:
        return QoR(source="estimate", notes=(str(cause),))
