"""Configuration of quantization: widths given, by sensitivity, or learned."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import Field, model_validator

from pquant_hls.spec.model import Spec
from pquant_hls.spec.step import MAX_BITS, Bits, Place, TrainingConfig, parameter

LEARNING: Mapping[str, Any] = {
    "epochs": 2400,
    "batch_size": 2000,
    "learning_rate": 4e-3,
    "schedule": "restarts",
}
"""What training of learned widths takes where nothing is said: many small steps."""


class Price(Spec):
    """A price that rises from ``start`` to ``end`` by equal factors from epoch to epoch; a number is a steady one."""

    start: Annotated[float, Field(gt=0, lt=1)]
    end: Annotated[float, Field(gt=0, lt=1)]

    @model_validator(mode="before")
    @classmethod
    def _steady(cls, given: Any) -> Any:
        steady = isinstance(given, int | float) and not isinstance(given, bool)
        return {"start": given, "end": given} if steady else given

    @model_validator(mode="after")
    def _rises(self) -> Self:
        if self.end < self.start:
            raise ValueError(f"a price rises: end {self.end:g} is below start {self.start:g}")
        return self


class CostTarget(Spec):
    """What the design may cost, in one figure: EBOPs of the model, or LUT or ns as the design's cost is estimated."""

    ebops: Annotated[float, Field(gt=0)] | None = None
    lut: Annotated[float, Field(gt=0)] | None = None
    ns: Annotated[float, Field(gt=0)] | None = None

    @model_validator(mode="after")
    def _one(self) -> Self:
        if len(self.given) != 1:
            raise ValueError(f"a target is one of ebops, lut and ns, got {', '.join(self.given) or 'none'}")
        return self

    @property
    def given(self) -> dict[str, float]:
        """The one that is aimed at, by name."""
        found = {"ebops": self.ebops, "lut": self.lut, "ns": self.ns}
        return {name: value for name, value in found.items() if value is not None}


def _default(value: Any) -> Any:
    """What 0.1.0 did not know stays out of a run's identity while it is not used, so that its runs can be resumed."""
    return lambda given: given == value


RISING = Price(start=2e-6, end=3e-4)


class QuantizeConfig(TrainingConfig):
    """Turn layers into QKeras layers on fixed-point grids that hls4ml keeps exactly."""

    made_by: ClassVar[str] = "pquant_hls.compress.quantization:QuantizationCompression"
    place: ClassVar[Place] = Place.GRID

    step: Literal["quantize"] = "quantize"
    bits: Bits = parameter(
        6,
        "width of weights and biases; by sensitivity: the uniform width whose EBOPs are spent",
        search=(3, 8),
        ladder="bits",
    )
    layers: dict[str, Bits] = parameter({}, "width of single layers' weights")
    kernel: Literal["fixed", "binary", "ternary"] = parameter(
        "fixed", "kind of weight: fixed point, +-1, or -1 0 +1"
    )
    bias_bits: Bits | None = parameter(None, "width of biases; left out: the layer's weights', at least 6")
    activation_bits: Bits | None = parameter(None, "width of activations; left out: bits", search=(3, 8))
    activations: dict[str, Bits] = parameter(
        {}, "width of single layers' activations, by the layer they follow"
    )
    input_bits: Bits | None = parameter(None, "width of inputs; left out: the activations', at least 8")
    allocation: Literal["uniform", "sensitivity", "learned"] = parameter(
        "uniform",
        "sensitivity: bits by measured loss against EBOPs saved; learned: fraction bits of weights are trained with them",
        search=["uniform", "sensitivity"],
    )
    granularity: Literal["weight", "channel", "layer"] = parameter(
        "weight",
        "learned: what has fraction bits of its own, a weight, an output channel or a kernel",
        exclude_if=_default("weight"),
    )
    activation_granularity: Literal["fixed", "channel", "element"] = parameter(
        "fixed",
        "learned: what of the activations has trained bits of its own, a channel or an element; fixed: their types are those "
        "of activation_bits and calibration",
        exclude_if=_default("fixed"),
    )
    overflow: Literal["wrap", "saturate"] = parameter(
        "wrap",
        "learned types of activations: what happens to values beyond those that training and validation inputs give",
        exclude_if=_default("wrap"),
    )
    price: Price = parameter(
        RISING,
        "learned: what the loss pays for one EBOP, {start, end}: rising, so that one training passes through designs of "
        "all sizes",
        exclude_if=_default(RISING),
    )
    target: CostTarget | None = parameter(
        None,
        "learned: what the design may cost, one of ebops, lut, ns; the price is steered towards it",
        exclude_if=_default(None),
    )
    tolerance: float = parameter(
        0.005,
        "learned, without a target: share of the best validation score that may be lost for a cheaper design",
        ge=0,
        lt=1,
        exclude_if=_default(0.005),
    )
    min_bits: Bits = parameter(2, "least width that sensitivity may give")
    max_bits: Bits | None = parameter(None, "largest width that sensitivity may give; left out: bits + 4")
    mode: Literal["ptq", "qat"] = parameter(
        "qat", "ptq: calibrate only; qat: then train with the quantizers in place"
    )
    calibration: Literal["mse", "percentile", "max"] = parameter(
        "mse", "how integer bits are read off weights and data", search=["mse", "percentile", "max"]
    )
    percentile: float = parameter(99.9, "percentile of |x| that must fit, in percent", gt=50, le=100)
    samples: int = parameter(4096, "inputs used for calibration", ge=1)
    rounding: Literal["half_even", "odd_bias"] = parameter(
        "half_even",
        "odd_bias: biases get one more, always odd, bit, so that no sum lies half way between two steps and the "
        "firmware truncates where Keras rounds; the same values in fewer LUTs",
        exclude_if=_default("half_even"),
    )

    @model_validator(mode="before")
    @classmethod
    def _name(cls, values: Any) -> Any:
        """``method: ptq`` is ``mode: ptq``: the word that pruning has for it. Learned bits are trained for long."""
        if isinstance(values, Mapping) and values.get("allocation") == "learned":
            values = {**LEARNING, **values}
        if not isinstance(values, Mapping) or "method" not in values:
            return values
        if "mode" in values:
            raise ValueError("method and mode are the same: give one of them")
        return {("mode" if name == "method" else name): value for name, value in values.items()}

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.min_bits > self.top_bits:
            raise ValueError(f"min_bits {self.min_bits} exceeds max_bits {self.top_bits}")
        if self.kernel != "fixed" and (self.layers or self.allocation == "sensitivity"):
            raise ValueError(
                f"a {self.kernel} kernel has one width: layers and allocation 'sensitivity' do not apply"
            )
        return self

    @model_validator(mode="after")
    def _learns(self) -> Self:
        if self.allocation == "learned":
            wrong = {
                "mode": self.mode != "qat",
                "epochs": self.epochs == 0,
                "kernel": self.kernel != "fixed",
                "layers": bool(self.layers),
                "patience": self.patience is not None,
            }
            for name, found in wrong.items():
                if found:
                    raise ValueError(
                        f"allocation 'learned' trains all widths for all epochs: no {name}={getattr(self, name)!r}"
                    )
            return self
        for name in ("granularity", "activation_granularity", "overflow", "price", "target", "tolerance"):
            if getattr(self, name) != type(self).model_fields[name].default:
                raise ValueError(f"{name} belongs to allocation 'learned', not to {self.allocation!r}")
        return self

    @property
    def top_bits(self) -> int:
        """``max_bits`` or its default."""
        return min(MAX_BITS, self.bits + 4) if self.max_bits is None else self.max_bits

    @property
    def default_activation_bits(self) -> int:
        return self.bits if self.activation_bits is None else self.activation_bits

    @property
    def default_input_bits(self) -> int:
        return max(8, self.default_activation_bits) if self.input_bits is None else self.input_bits
