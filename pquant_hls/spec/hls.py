"""What the firmware is built for: backend, part, clock, strategy."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from pquant_hls.qor import Target
from pquant_hls.spec.model import Spec
from pquant_hls.spec.units import ClockNs, Uncertainty, parse_uncertainty

DEFAULT_UNCERTAINTY = {"Vitis": "27%", "Vivado": "12.5%"}
"""What hls4ml 1.3.0 writes into the project when nothing is said (its backends' create_initial_config)."""


class HlsSpec(Spec):
    """Options of the HLS project, in hls4ml's own words."""

    backend: Literal["Vitis", "Vivado"] = "Vitis"
    part: str = Field("xcvu13p-flga2577-2-e", min_length=3, description="AMD part number")
    clock_ns: ClockNs = Field(5.0, description="clock period in ns, or a frequency such as '200 MHz'")
    clock_uncertainty: Uncertainty = Field(
        None, description="'27%' of the clock or a number of ns; left out: the backend's own default"
    )
    io_type: Literal["io_parallel", "io_stream"] = "io_parallel"
    strategy: Literal["latency", "resource", "distributed_arithmetic"] = "latency"
    reuse_factor: int = Field(1, ge=1)
    precision: str = Field(
        "ap_fixed<16,6>", description="type of layers that carry no quantizer of their own"
    )
    wide_accumulators: bool = Field(
        False,
        description="accumulators wider than any product: same values, a few LUTs more, sums that the tool balances",
    )
    keep_softmax: bool = Field(
        False, description="keep a final softmax or sigmoid in the firmware, with its look-up tables"
    )
    tool_prefix: tuple[str, ...] = Field(
        (),
        description="command that runs the vendor's tool elsewhere, e.g. [ssh, build01] or [apptainer, exec, image.sif]",
    )
    project_name: str = Field("myproject", pattern=r"^[A-Za-z][A-Za-z0-9_]*$")

    @property
    def target(self) -> Target:
        """Part, clock and tool, as the estimator takes them."""
        return Target(
            part=self.part,
            clock_ns=self.clock_ns,
            clock_uncertainty_ns=self.clock_uncertainty_ns,
            tool="vitis" if self.backend == "Vitis" else "vivado",
        )

    @property
    def clock_uncertainty_ns(self) -> float:
        """The uncertainty in ns, from a share of the clock or from the backend's default."""
        value = self.clock_uncertainty
        text = parse_uncertainty(DEFAULT_UNCERTAINTY[self.backend] if value is None else value)
        if isinstance(text, str):
            return self.clock_ns * float(text.removesuffix("%")) / 100.0
        return float(text or 0.0)
