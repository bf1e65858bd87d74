"""The operations of a FixedPointGraph: one record each, which every reader of a graph asks.

A package adds one by ``register_op``, or by an entry point of the group ``pquant_hls.ops`` that names the ``Op``;
its module is imported when a graph first needs an operation that is not known, and may register what emulates it
(``rtl.computes``), what it costs beyond its family (``estimate.costs``) and the hls4ml layer it stands for
(``hls.register_layer``).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import entry_points
from typing import Literal

from pquant_hls.errors import SpecError, UnsupportedModel
from pquant_hls.qor.registry import Registry

Family = Literal["move", "cast", "clip", "table", "normalize", "scale", "merge", "pool", "product", "opaque"]


@dataclass(frozen=True)
class Op:
    """One operation of the firmware.

    ``family`` is what it does with the values it reads, and so what it costs where it has no rule of its own:
    ``move`` passes them on, in another order or copied; ``cast`` stores them in another type; ``clip`` compares and
    selects, ``table`` looks up and ``scale`` multiplies and adds, each value by itself; ``normalize`` looks up and
    divides by the sum over a place; ``merge`` combines several arrays value by value; ``pool`` reduces windows;
    ``product`` sums products with weights; ``opaque`` is known by its attribute ``op_name`` alone.

    ``rank`` counts the spatial axes it works over. ``pooled`` is what a pool takes of each window, the whole image
    where ``whole``. A ``depthwise`` product gives every channel sums of its own. A ``wire`` keeps even the order of
    the values, so that it costs nothing in a stream either.
    """

    name: str
    family: Family
    rank: int = 0
    pooled: Literal["", "max", "average"] = ""
    whole: bool = False
    depthwise: bool = False
    wire: bool = False

    @property
    def weighted(self) -> bool:
        return self.family == "product"

    @property
    def dense(self) -> bool:
        """One matrix, at every place."""
        return self.weighted and self.rank == 0

    @property
    def convolution(self) -> bool:
        return self.weighted and self.rank > 0

    @property
    def moves(self) -> bool:
        return self.family == "move"

    @property
    def clips(self) -> bool:
        return self.family == "clip"

    @property
    def table(self) -> bool:
        return self.family in ("table", "normalize")

    @property
    def merge(self) -> bool:
        return self.family == "merge"

    @property
    def pool(self) -> bool:
        return self.family == "pool"

    @property
    def elementwise(self) -> bool:
        """Each value depends on the one at its place in the first input, and on nothing else of it."""
        return self.family in ("cast", "clip", "table", "scale")


def load_installed() -> None:
    """Add the operations that installed packages offer; once, whoever asks first.

    Raises
    ------
    SpecError : an entry point that cannot be loaded or names no Op.
    """
    while _groups:
        for point in entry_points(group=_groups.pop()):
            try:
                offered = point.load()
            except (ImportError, AttributeError) as cause:
                raise SpecError(f"cannot be loaded: {cause}", where=f"{GROUP}: {point.name}") from cause
            if not isinstance(offered, Op):
                raise SpecError(f"is a {type(offered).__name__}, not an Op", where=f"{GROUP}: {point.name}")
            register_op(offered)


GROUP = "pquant_hls.ops"
_groups = [GROUP]
_ops: Registry[Op] = Registry("operation", load_installed)
OPS: Mapping[str, Op] = _ops
"""Every operation by name, those of installed packages too."""


def register_op(added: Op) -> Op:
    """Make an operation known to every reader of a graph; raises SpecError where another has its name."""
    return _ops.add(added.name, added)


def op(name: str, where: object = None) -> Op:
    """The operation of this name; raises UnsupportedModel where there is none."""
    if name not in OPS:
        known = ", ".join(OPS)
        raise UnsupportedModel(
            f"unknown operation {name!r}", where=where, mend=f"register it, or one of {known}"
        )
    return OPS[name]


_BUILT_IN = (
    *(Op(name, "move", wire=True) for name in ("input", "reshape")),
    *(Op(name, "move") for name in ("transpose", "clone", "concatenate")),
    *(Op(f"{name}{rank}d", "move", rank) for name in ("zero_padding", "cropping") for rank in (1, 2)),
    Op("upsampling2d", "move", 2),
    Op("quantize", "cast"),
    *(
        Op(name, "clip")
        for name in ("relu", "leaky_relu", "hard_tanh", "hard_sigmoid", "binary_tanh", "ternary_tanh")
    ),
    *(Op(name, "table") for name in ("elu", "tanh", "sigmoid", "lookup")),
    Op("softmax", "normalize"),
    Op("batchnorm", "scale"),
    *(Op(name, "merge") for name in ("add", "subtract", "multiply", "average", "maximum", "minimum")),
    *(Op(f"max_pooling{rank}d", "pool", rank, "max") for rank in (1, 2)),
    *(Op(f"average_pooling{rank}d", "pool", rank, "average") for rank in (1, 2)),
    *(Op(f"global_max_pooling{rank}d", "pool", rank, "max", whole=True) for rank in (1, 2)),
    *(Op(f"global_average_pooling{rank}d", "pool", rank, "average", whole=True) for rank in (1, 2)),
    Op("dense", "product"),
    *(Op(f"conv{rank}d", "product", rank) for rank in (1, 2)),
    *(Op(f"depthwise_conv{rank}d", "product", rank, depthwise=True) for rank in (1, 2)),
    Op("other", "opaque"),
    Op("logic", "opaque"),
)
for _each in _BUILT_IN:
    register_op(_each)
