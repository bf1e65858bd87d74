"""A kind of layer: one class holds what every room needs of it."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any, ClassVar, Literal

import keras
import numpy as np
from numpy.typing import NDArray

from pquant_hls.network.frontend import Reading, Remarks, front_of, installed_classes, reading_of
from pquant_hls.network.graph import Call, NewLayer, Topology
from pquant_hls.network.grids import unsigned
from pquant_hls.network.kinds.forms import Form, of_function
from pquant_hls.qor import FixedGrid, FixedType
from pquant_hls.qor.registry import Registry
from pquant_hls.spec import HlsSpec

Operation = Literal[
    "input",
    "dense",
    "conv",
    "depthwise_conv",
    "separable_conv",
    "batchnorm",
    "activation",
    "scale",
    "pool",
    "global_pool",
    "flatten",
    "merge",
    "concatenate",
    "pass",
    "reshape",
    "other",
]
"""What a layer does, with the layers of quantizing front-ends beside Keras' own."""

GROUP = "pquant_hls.kinds"
"""Entry-point group of other packages' kinds: the object is the Kind subclass."""

Types = Sequence[FixedType]


@dataclass(frozen=True)
class LayerPlan:
    """Precisions hls4ml is told for one layer (``auto`` leaves one to it), and the result's type.

    ``bias``, where it is there, takes the place of the layer's own, and what rounds the sums truncates them instead.
    """

    result: FixedType
    precisions: Mapping[str, str] = field(default_factory=dict)
    bias: NDArray[np.float64] | None = field(default=None, compare=False)


@dataclass(frozen=True)
class Context:
    """The model and the options that a layer is looked at in."""

    graph: Topology
    spec: HlsSpec

    @property
    def streams(self) -> bool:
        return self.spec.io_type == "io_stream"

    def axes(self, call: Call) -> int:
        """Axes over which an activation acts, which moves before a Flatten."""
        follows = acts_alone(call) or layer_kind(call.layer).flattens
        before = [self.axes(source) for source in self.graph.sources(call)] if follows else []
        return max(len(call.shape), *before, 1)

    def is_flat(self, call: Call) -> bool:
        """Whether the result comes out of a Flatten, possibly through activations, which move before it."""
        through = acts_alone(call) and any(map(self.is_flat, self.graph.sources(call)))
        return layer_kind(call.layer).flattens or through


@dataclass
class Planning:
    """The types planned so far, by tensor; ``default`` is for what carries no quantizer."""

    graph: Topology
    default: FixedType
    wide: bool = False
    types: dict[str, FixedType] = field(default_factory=dict)
    grids: Mapping[str, FixedGrid | None] = field(default_factory=dict)
    """Types of single values, of the tensors that have them."""
    baked: bool = False
    """Whether hls4ml makes code of the biases while it converts, so that none can be put in their place."""

    def sources(self, call: Call) -> list[FixedType]:
        return [self.types[name] for name in call.inputs]


class Kind:
    """One kind of layer. A subclass names the classes it ``handles`` and says what differs from these defaults.

    ``handles`` are Keras class names (a front-end's layer is handled as the one it stands for), ``ops.Name`` for
    operations on tensors, or classes of any package. ``exact``: among the layers whose firmware is tested to be
    exact. ``twins`` are those of ``handles`` whose quantized layer of a front-end is too. ``roles`` names the weights
    in the layer's order.
    """

    handles: ClassVar[tuple[str | type, ...]] = ()
    operation: ClassVar[Operation] = "other"
    exact: ClassVar[bool] = True
    twins: ClassVar[tuple[str, ...]] = ()
    roles: ClassVar[tuple[str, ...]] = ()
    elementwise: ClassVar[bool] = False
    """Each value is computed from itself alone, so that it may move before a Flatten."""
    moves: ClassVar[bool] = False
    """Values are only moved, repeated or joined by zeros: the result has the input's type."""
    typed: ClassVar[bool] = False
    """The result's type is the layer's own, whatever it reads."""
    flattens: ClassVar[bool] = False
    silent: ClassVar[bool] = False
    """It may leave nothing in the generated C++."""
    chained: ClassVar[bool] = False
    """One of many inputs is a chain of ones of two."""
    averages: ClassVar[bool] = False
    """Results are means, which leave the grid of what they are taken of."""
    folds: ClassVar[bool] = False
    """A batch normalization behind the quantized layer can be taken into it by ``fix``."""

    def passes(self, layer: Any) -> bool:  # noqa: ARG002
        """Whether the layer changes nothing in inference."""
        return False

    def function(self, layer: Any) -> Any:
        """The quantizer or function that the layer holds as its activation; None for none or linear."""
        activation = getattr(layer, "activation", None)
        return None if function_name(activation) == "linear" else activation

    def acts_as(self, layer: Any) -> str:
        """The name of the activation that acts in the layer, ``linear`` for none."""
        return function_name(getattr(layer, "activation", None))

    def text(self, layer: Any) -> str | None:
        """The activation that acts in the layer, in words (``relu``, ``quantized_relu(6,2)``); None for none."""
        activation = self.function(layer)
        if activation is None:
            return None
        if type(activation).__name__ != "function":
            with contextlib.suppress(AssertionError):  # quantized_hswish of QKeras has no text
                return str(activation)
        return function_name(activation)

    def form(self, layer: Any) -> Form | None:
        """The activation that acts in the layer, written with relus and scales; None where it has no such form."""
        text = self.text(layer)
        return None if text is None else of_function(text)

    def has_form(self, layer: Any) -> bool:
        """Whether it has one that is exact."""
        form = self.form(layer)
        return form is not None and form.exact

    def output_type(self, call: Call, sources: Types) -> FixedType | None:
        """Type that holds every output value exactly, given its inputs'; None where none does."""
        del call
        return sources[0] if self.moves else None

    def elements(self, call: Call, sources: Sequence[FixedGrid | None]) -> FixedGrid | None:
        """Types that hold the single values, narrower than ``output_type``, given the inputs'; None where none do."""
        del call, sources
        return None

    def entry(self, layer: Any) -> FixedType | None:  # noqa: ARG002
        """A type in which an input port may hold what the layer alone reads, without a difference to its results; None
        for none, and for layers whose quantizer tells it (``acting``)."""
        return None

    def coarsest(self, layer: Any) -> FixedType | None:  # noqa: ARG002
        """Of several types that the layer rounds to the one of the largest step; None where its quantizer tells the one."""
        return None

    def before_flatten(self, layer: Any, shape: tuple[int, ...]) -> Any:  # noqa: ARG002
        """The layer for values of ``shape``, of which the Flatten before it would make a vector."""
        return layer

    def plan(self, call: Call, planning: Planning) -> LayerPlan:
        """What hls4ml is told of the layer's types, in a model in normal form."""
        kind = self.output_type(call, planning.sources(call))
        return LayerPlan(planning.default if kind is None else kind)

    def parts(
        self, call: Call, changes: Mapping[str, Any], weights: Sequence[NDArray[Any]]
    ) -> Sequence[NewLayer] | None:
        """The chain of layers of other kinds that the normal form has for it; None to keep it.

        ``changes`` to its configuration (name, plain quantizers) and ``weights`` on their grids are to be used.
        """
        del call, changes, weights
        return None

    def remarks(self, call: Call, context: Context) -> Remarks:
        """What is to be said of it before any conversion, weights and activation apart."""
        del call, context
        return iter(())


class _Unknown(Kind):
    exact = False


UNKNOWN = _Unknown()
_BUILT_IN = ("activations", "elements", "merges", "moves", "pools", "products", "scales", "sums", "tables")


def _load() -> None:
    """The built-in kinds and those of installed packages."""
    for name in _BUILT_IN:
        import_module(f"pquant_hls.network.kinds.{name}")
    for added in installed_classes(GROUP, Kind):
        register_kind(added)


KINDS: Registry[Kind] = Registry("kind of layer", _load)
"""By Keras class name, ``ops.Name`` or full class name."""


def register_kind(added: type[Kind]) -> type[Kind]:
    """Make a kind known to every room (also as a decorator); raises SpecError where another handles its layers."""
    kind = added()
    for handled in added.handles:
        KINDS.add(handled if isinstance(handled, str) else _full_name(handled), kind)
    return added


def _full_name(layer: type) -> str:
    return f"{layer.__module__}.{layer.__qualname__}"


def layer_kind(layer: Any) -> Kind:
    """The kind of a layer or operation; ``UNKNOWN`` where nobody registered it."""
    name, front = type(layer).__name__, front_of(layer)
    if front is not None:
        word = front.stands_for(layer)
    elif type(layer).__module__.split(".")[0] == "keras":
        word = name if isinstance(layer, keras.Layer) else f"ops.{name}"
    else:
        word = None
    return KINDS.get(_full_name(type(layer))) or KINDS.get(word or "") or UNKNOWN


def is_exact(layer: Any) -> bool:
    """Whether the layer is among those whose firmware is tested to be exact."""
    front, kind = front_of(layer), layer_kind(layer)
    return kind.exact if front is None else front.stands_for(layer) in kind.twins


def acts_alone(call: Call) -> bool:
    """Whether the call computes each value from itself alone, so that it may move before a Flatten."""
    kind = layer_kind(call.layer)
    return kind.passes(call.layer) or (kind.elementwise and kind.acts_as(call.layer) != "softmax")


def acting(call: Call) -> Reading | None:
    """The quantizer that a call is; None for what is more or other than one."""
    kind = layer_kind(call.layer)
    return reading_of(kind.function(call.layer)) if kind.operation == "activation" else None


def rounded_by_readers(call: Call, graph: Topology) -> FixedType | None:
    """The one type of the linear quantizers that read a result, which hls4ml merges into the layer before; None where
    something else reads it."""
    found = [acting(reader) for reader in graph.consumers(call.output)]
    after = {None if each is None or each.shape != "linear" else each.type for each in found}
    return after.pop() if len(after) == 1 and call.output not in graph.outputs else None


def function_name(activation: Any) -> str:
    """``linear`` for none, the function's or quantizer's name otherwise."""
    if activation is None:
        return "linear"
    return str(getattr(activation, "__name__", type(activation).__name__))


def activated(layer: Any, source: FixedType | None) -> FixedType | None:
    """Type behind the layer's activation for values of type ``source``."""
    kind = layer_kind(layer)
    found, text = reading_of(kind.function(layer)), kind.text(layer)
    if found is not None:
        return found.type
    if text is None or source is None:
        return source
    if kind.has_form(layer) and text != "relu":
        form = kind.form(layer)
        return None if form is None else form.type(source)
    return _FUNCTIONS[text](source) if text in _FUNCTIONS else None


_FUNCTIONS: Mapping[str, Callable[[FixedType], FixedType | None]] = {"relu": unsigned}
"""Functions whose results lie on a grid if their arguments do."""
