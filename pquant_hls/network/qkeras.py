"""QKeras as a front-end: the only file that knows its quantizers by name."""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from pquant_hls.network.frontend import FrontEnd, Reading, Remark, Remarks, Shape
from pquant_hls.qor import FixedType

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from pquant_hls.network.graph import Call, NewLayer
    from pquant_hls.network.kinds import Context

_SHAPES: Mapping[str, Shape] = {
    "quantized_bits": "linear",
    "quantized_relu": "relu",
    "quantized_tanh": "tanh",
    "quantized_sigmoid": "sigmoid",
    "binary": "binary",
    "ternary": "ternary",
}
_SIGNS = ("binary", "ternary", "binary_tanh", "ternary_tanh", "stochastic_binary", "stochastic_ternary")
"""Quantizers whose values are -1, 0 and 1."""


def _linear(quantizer: Any) -> tuple[bool, int]:
    return bool(quantizer.keep_negative), int(quantizer.integer)


_GRIDS: Mapping[str, Callable[[Any], tuple[bool, int]]] = {
    "quantized_bits": _linear,
    "quantized_linear": _linear,
    "quantized_relu": lambda quantizer: (False, int(quantizer.integer)),
    "quantized_tanh": lambda _: (True, 0),
    "quantized_sigmoid": lambda _: (False, 0),
}
"""(signed, integer bits without the sign) by name."""


def _name(quantizer: Any) -> str:
    return str(getattr(quantizer, "__name__", type(quantizer).__name__))


class QKeras(FrontEnd):
    """qkeras-v3."""

    module = "qkeras"

    def stands_for(self, layer: Any) -> str | None:
        return type(layer).__name__.removeprefix("Q")

    def read(self, quantizer: Any) -> Reading:
        name = _name(quantizer)
        return Reading(
            name=name,
            shape=_SHAPES.get(name, "other"),
            type=_type(quantizer, name),
            bits=_bits(quantizer, name),
            plain=_is_plain(quantizer, name),
            random=name == "bernoulli",
            threshold=_threshold(quantizer) if name == "ternary" else None,
            native=_is_native(quantizer, name),
        )

    def remarks(self, quantizer: Any, call: Call, context: Context) -> Remarks:
        name = _name(quantizer)
        yield from _own_remarks(quantizer, name)
        if name == "quantized_bits" and quantizer.bits >= 2 and _narrows(call, context):
            yield Remark("linear-quantizer", "the result type of the layer before is set to this quantizer's")
        if name == "ternary" and context.streams and (axes := context.axes(call)) > 1:
            yield Remark("stream-ternary", f"over {axes} axes")

    def quantizers(self, layer: Any) -> list[Any]:
        given = list(layer.get_quantizers()) if hasattr(layer, "get_quantizers") else []
        count = len(layer.weights)
        return [*given, *[None] * count][:count]

    def quantizer(self, layer: Any, role: str) -> Any:
        return getattr(layer, f"{role}_quantizer_internal", None)

    def put(self, layer: Any, role: str, quantizer: Any) -> None:
        before = self.quantizer(layer, role)
        setattr(layer, f"{role}_quantizer_internal", quantizer)
        setattr(layer, f"{role}_constraint", None)  # QKeras clips weights to the range of its own quantizer
        layer.quantizers = [quantizer if own is before else own for own in layer.quantizers]

    def option(self, role: str) -> str:
        return f"{role}_quantizer"

    def make(self, shape: Shape, bits: int, integer: int = 0) -> Any:
        import qkeras

        makers: Mapping[Shape, Callable[[], Any]] = {
            "linear": lambda: qkeras.quantized_bits(bits, integer, alpha=1.0),
            "relu": lambda: qkeras.quantized_relu(bits, max(0, integer)),  # QKeras fails below 0
            "tanh": lambda: qkeras.quantized_tanh(bits),
            "sigmoid": lambda: qkeras.quantized_sigmoid(bits),
            "binary": lambda: qkeras.binary(alpha=1.0),
            "ternary": lambda: qkeras.ternary(alpha=1.0),
        }
        return makers[shape]()

    def activation(self, quantizer: Any, name: str) -> Any:
        import qkeras

        return qkeras.QActivation(quantizer, name=name)

    def layer(self, kind: str) -> Any:
        import qkeras

        return getattr(qkeras, f"Q{kind}", None)

    def settled(self, quantizer: Any) -> Any:
        if not hasattr(quantizer, "get_config"):
            return quantizer
        config = quantizer.get_config()
        wanted = {"use_stochastic_rounding": False, "qnoise_factor": 1.0}
        changes = {key: value for key, value in wanted.items() if key in config and config[key] != value}
        if isinstance(config.get("alpha"), str):
            changes["alpha"] = 1
        return type(quantizer).from_config({**config, **changes}) if changes else quantizer

    def scale(self, quantizer: Any) -> Any:
        return getattr(quantizer, "alpha", None)

    def mask(self, layer: Any) -> NDArray[Any] | None:
        found = getattr(layer, "_mask", None)
        return None if found is None else np.asarray(found)

    def convertible(self, quantizer: Any) -> Any:
        """``binary`` and ``ternary`` with alpha=1 for alpha=None, which leaves 1e-7 of a tanh in its values."""
        if _name(quantizer) in ("binary", "ternary") and quantizer.alpha is None:
            return type(quantizer).from_config({**quantizer.get_config(), "alpha": 1})
        return quantizer

    def unfolded(self, layer: Any) -> NewLayer | None:
        """QConv2DBatchnorm and its likes: kernel and bias as they multiply them into the normalization, in float64."""
        import qkeras

        from pquant_hls.network.folding import scaled_after
        from pquant_hls.network.graph import NewLayer

        plain = getattr(qkeras, type(layer).__name__.removesuffix("Batchnorm"), None)
        if plain is None or not type(layer).__name__.endswith("Batchnorm") or not hasattr(layer, "kernel"):
            return None
        config = layer.get_config()
        known = plain(**{key: 1 for key in ("units", "filters", "kernel_size") if key in config}).get_config()
        made = plain.from_config({**{key: config[key] for key in known}, "use_bias": True})
        own = [
            np.asarray(part, np.float64) for part in (layer.kernel, *([layer.bias] if layer.use_bias else []))
        ]
        arrays = scaled_after(layer, own, layer.batchnorm)
        return NewLayer(made, [array.astype(np.float32) for array in arrays])

    def objects(self) -> dict[str, Any]:
        return dict(_objects())


QKERAS = QKeras()


@functools.cache
def _objects() -> dict[str, Any]:
    from qkeras.utils import _add_supported_quantized_objects

    found: dict[str, Any] = {}
    _add_supported_quantized_objects(found)
    _tell_the_bound(found["quantized_relu"])
    _take_what_it_writes(found["QDenseBatchnorm"])
    _leave_the_operation(found["Clip"])
    return found


def _tell_the_bound(quantizer: Any) -> None:
    """QKeras' configuration of a ``quantized_relu`` forgets that an upper bound of its own takes the place of the type's: without
    this a copy, or a saved file, computes something else."""
    told = quantizer.get_config

    def get_config(self: Any) -> dict[str, Any]:
        own = (
            {} if self.is_quantized_clip else {"is_quantized_clip": False}
        )  # the default stays out of digests
        return {**told(self), **own}

    quantizer.get_config = get_config


def _take_what_it_writes(layer: Any) -> None:
    """A batch-normalized dense layer refuses the configuration that it writes itself: of its batch normalization's words those
    that Keras has got since, which ``QConv2DBatchnorm`` leaves out."""
    made = layer.from_config.__func__

    def from_config(cls: Any, config: dict[str, Any]) -> Any:
        return made(cls, {key: value for key, value in config.items() if key not in _OF_KERAS})

    layer.from_config = classmethod(from_config)


def _leave_the_operation(constraint: Any) -> None:
    """QKeras' constraint has the name of Keras' operation ``clip``, which a file of a model that clips holds."""
    made = constraint.from_config.__func__

    def from_config(cls: Any, config: dict[str, Any]) -> Any:
        import keras

        if "x_min" not in config:
            return made(cls, config)
        return sys.modules[keras.ops.clip.__module__].Clip(**config)

    constraint.from_config = classmethod(from_config)


_OF_KERAS = ("synchronized", "renorm", "renorm_clipping", "renorm_momentum")


def _narrows(call: Call, context: Context) -> bool:
    """Whether what a quantizer rounds is made by a layer, not by an input port."""
    sources = context.graph.sources(call)
    return call.kind != "QActivation" or any(source.kind != "InputLayer" for source in sources)


def _own_remarks(quantizer: Any, name: str) -> Remarks:
    """What keeps hls4ml's function from being this quantizer, wherever it stands."""
    if name not in _SHAPES:
        yield Remark("unsupported-activation", f"{name} is not exact in firmware")
        return
    if getattr(quantizer, "qnoise_factor", 1) != 1:
        yield Remark("part-quantized", f"qnoise_factor is {float(quantizer.qnoise_factor):g}")
    if getattr(quantizer, "alpha", None) is not None and not _unit_alpha(quantizer, name):
        yield _scaled(quantizer, name)
    yield from _REMARKS[_SHAPES[name]](quantizer)


def _is_native(quantizer: Any, name: str) -> bool:
    return next(_own_remarks(quantizer, name), None) is None


def _type(quantizer: Any, name: str) -> FixedType | None:
    """QKeras rounds half to even, saturates, and does not count the sign in ``integer``."""
    if name == "binary" and quantizer.use_01:
        return FixedType(1, 1, signed=False)
    if name in _SIGNS:
        return FixedType(2, 2)
    if name not in _GRIDS or np.ndim(getattr(quantizer, "integer", 0)) > 0:
        return None  # QAdaptiveActivation keeps integer bits in a variable
    signed, integer = _GRIDS[name](quantizer)
    saturation = "SAT_SYM" if signed and bool(quantizer.symmetric) else "SAT"
    return FixedType(int(quantizer.bits), integer + int(signed), signed, "RND_CONV", saturation)


def _bits(quantizer: Any, name: str) -> int | None:
    if name in ("binary", "ternary"):
        return 1 if name == "binary" else 2
    bits = getattr(quantizer, "bits", None)
    return None if bits is None else int(bits)


def _threshold(ternary: Any) -> float:
    given = ternary.threshold
    return float(ternary.default_threshold if given is None or isinstance(given, str) else given)


def _unit_alpha(quantizer: Any, name: str) -> bool:
    """Whether the values carry no further scale.

    None is 1 in ``quantized_bits``; in a kernel's quantizer QKeras has replaced it by ``auto_po2`` before.
    """
    alpha = getattr(quantizer, "alpha", 1)
    if alpha is None and name == "quantized_bits":
        return True
    return not isinstance(alpha, str) and alpha is not None and bool(np.all(np.asarray(alpha) == 1))


def _is_plain(quantizer: Any, name: str) -> bool:
    """``quantized_bits`` signed with alpha=1 and at least 2 bits, or ``binary``/``ternary`` with alpha=1."""
    if not _unit_alpha(quantizer, name) or getattr(quantizer, "qnoise_factor", 1) != 1:
        return False
    if name == "quantized_bits":
        return (
            bool(quantizer.keep_negative) and quantizer.bits >= 2 and 0 <= quantizer.integer < quantizer.bits
        )
    return name == "ternary" or (name == "binary" and not quantizer.use_01)


def _scaled(quantizer: Any, name: str) -> Remark:
    text = f"{name} has alpha={quantizer.alpha!r}"
    if isinstance(quantizer.alpha, str):
        return Remark("activation-alpha", text)
    mend = "set alpha=1 and take the factor into the weights that follow"
    return Remark("activation-alpha", text, mend, fixable=False)


def _bits_remarks(quantizer: Any) -> Remarks:
    if quantizer.bits < 2:
        yield Remark("one-bit", "quantized_bits(1) stands for two values of its own")


def _relu_remarks(quantizer: Any) -> Remarks:
    if quantizer.negative_slope:
        yield Remark("leaky-relu", f"negative_slope is {float(quantizer.negative_slope):g}")
    if quantizer.relu_upper_bound is not None and not quantizer.is_quantized_clip:
        yield Remark("relu-bound", f"relu_upper_bound is {float(quantizer.relu_upper_bound):g}")
    if quantizer.integer < 0:
        text = f"QKeras itself cannot compute integer={quantizer.integer}"
        yield Remark("unsupported-activation", text, "integer=0 or more")
    if quantizer.use_sigmoid:
        yield Remark("unsupported-activation", "use_sigmoid=1 is taken as a plain relu", "use_sigmoid=0")


def _smooth_remarks(quantizer: Any) -> Remarks:
    for option in ("use_real_tanh", "use_real_sigmoid"):
        if getattr(quantizer, option, False):
            yield Remark("smooth-quantizer", f"{option}=True comes from a table")
    if _SHAPES.get(type(quantizer).__name__) == "sigmoid" and getattr(quantizer, "symmetric", False):
        text = "symmetric=True starts at 1 LSB in QKeras, at 0 in hls4ml"
        yield Remark("unsupported-activation", text, "symmetric=False")


def _binary_remarks(quantizer: Any) -> Remarks:
    if quantizer.use_01:
        text = "binary(use_01=True) is taken as -1 and 1"
        yield Remark("unsupported-activation", text, "use_01=False")


def _ternary_remarks(quantizer: Any) -> Remarks:
    threshold = _threshold(quantizer)
    if threshold * 2.0**10 % 1 == 0:
        yield Remark("ternary-threshold", f"the threshold {threshold:g} can be a value of the input")


_REMARKS: Mapping[Shape, Callable[[Any], Remarks]] = {
    "linear": _bits_remarks,
    "relu": _relu_remarks,
    "tanh": _smooth_remarks,
    "sigmoid": _smooth_remarks,
    "binary": _binary_remarks,
    "ternary": _ternary_remarks,
}
