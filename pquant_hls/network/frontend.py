"""Front-ends: libraries whose layers carry quantizers, and all that this package asks of one.

QKeras is built in (``network/qkeras.py``). Another one is a subclass of ``FrontEnd`` given to
``register_front_end``, or named by an entry point of the group ``pquant_hls.front_ends``; nothing else in the
package knows a quantizer by its name.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.metadata import entry_points
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, TypeVar

from pquant_hls.errors import SpecError, UnsupportedModel
from pquant_hls.qor import FixedType
from pquant_hls.qor.registry import Registry
from pquant_hls.spec.plugins import load

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from pquant_hls.network.graph import Call, NewLayer
    from pquant_hls.network.kinds import Context

GROUP = "pquant_hls.front_ends"
"""Entry-point group of other packages' front-ends: the object is the FrontEnd subclass."""

T = TypeVar("T")
Shape = Literal["linear", "relu", "tanh", "sigmoid", "binary", "ternary", "other"]
"""What function a quantizer is, beside rounding and clipping."""


class Remark(NamedTuple):
    """What is to be said of a layer: a lint rule, the case at hand, and a mend that is not the rule's own."""

    rule: str
    text: str
    mend: str | None = None
    fixable: bool | None = None


Remarks = Iterator[Remark]


@dataclass(frozen=True)
class Reading:
    """A quantizer as the firmware sees it.

    ``type`` is that of its values, None where no single one holds them. ``bits`` are what one weight takes.
    ``plain``: hls4ml reads weights behind it as they are. ``random``: drawn in inference too. ``threshold``: the
    magnitude from which on a ternary gives 1 or -1, None for others. ``native``: hls4ml has a function for it as an
    activation, and computes it exactly.
    """

    name: str
    shape: Shape
    type: FixedType | None
    bits: int | None
    plain: bool = False
    random: bool = False
    threshold: float | None = None
    native: bool = True


class FrontEnd(ABC):
    """A library of layers and quantizers; ``module`` is the root of its modules."""

    module: str

    @abstractmethod
    def stands_for(self, layer: Any) -> str | None:
        """The Keras class that a layer of this library quantizes (``Dense``); None for what stands alone."""

    @abstractmethod
    def read(self, quantizer: Any) -> Reading:
        """What one of its quantizers is."""

    @abstractmethod
    def remarks(self, quantizer: Any, call: Call, context: Context) -> Remarks:
        """What keeps the firmware from computing an activation quantizer as Keras does."""

    @abstractmethod
    def quantizers(self, layer: Any) -> list[Any]:
        """One entry for each of the layer's weights, None without."""

    @abstractmethod
    def quantizer(self, layer: Any, role: str) -> Any:
        """The quantizer of the layer's weights of this role (``kernel``, ``bias``, ``gamma``, ...), None without."""

    def put(self, layer: Any, role: str, quantizer: Any) -> None:  # noqa: ARG002
        """Let a layer that is not built yet pass its weights of this role through ``quantizer``, any callable, and
        keep within no bounds.

        Raises UnsupportedModel for a library whose layers take none but its own, which is what is assumed.
        """
        raise UnsupportedModel(f"a {type(layer).__name__} takes no other quantizer", where=layer.name)

    @abstractmethod
    def option(self, role: str) -> str:
        """The layer option that holds the quantizer of ``kernel``, ``depthwise``, ``bias``, ..."""

    @abstractmethod
    def make(self, shape: Shape, bits: int, integer: int = 0) -> Any:
        """A quantizer without a scale; ``integer`` bits do not count the sign."""

    @abstractmethod
    def activation(self, quantizer: Any, name: str) -> Any:
        """A layer that applies a quantizer."""

    @abstractmethod
    def layer(self, kind: str) -> Any:
        """The class of its layer for a Keras class name; None where it has none."""

    @abstractmethod
    def settled(self, quantizer: Any) -> Any:
        """The quantizer without random or partial rounding and data-dependent scale, itself where it has none."""

    @abstractmethod
    def scale(self, quantizer: Any) -> Any:
        """The factor on its values, a number or a word such as ``auto``; None without one."""

    def mask(self, layer: Any) -> NDArray[Any] | None:
        """What the layer multiplies its quantized kernel by, an array that broadcasts with it; None for nothing. Its
        option is called ``mask``.
        """
        del layer
        return None

    def convertible(self, quantizer: Any) -> Any:
        """The same function, as hls4ml reads it."""
        return quantizer

    def lowered(
        self, call: Call, changes: Mapping[str, Any], weights: Sequence[NDArray[Any]]
    ) -> Sequence[NewLayer] | None:
        """A layer of this library as a chain of layers that hls4ml reads; None where it reads this one.

        ``changes`` to its configuration and ``weights`` as ``Kind.parts`` takes them.
        """
        del call, changes, weights
        return None

    def unfolded(self, layer: Any) -> NewLayer | None:
        """A layer that folds a batch normalization into its kernel, without it, in inference; None for others."""
        del layer
        return None

    def objects(self) -> dict[str, Any]:
        """Its classes by name, as Keras' loaders want them."""
        return {}


def _load() -> None:
    """The built-in front-end and those of installed packages."""
    from pquant_hls.network.qkeras import QKERAS

    register_front_end(QKERAS)
    for added in installed_classes(GROUP, FrontEnd):  # type: ignore[type-abstract]  # looks for subclasses
        register_front_end(added())


def installed_classes(group: str, base: type[T]) -> Iterator[type[T]]:
    """The subclasses of ``base`` that installed packages name in an entry-point group; SpecError for anything else."""
    for point in entry_points(group=group):
        found = load(base.__name__, point)
        if not (isinstance(found, type) and issubclass(found, base)):
            raise SpecError(f"{point.name!r} is {found!r}, not a {base.__name__} class", where=group)
        yield found


FRONT_ENDS: Registry[FrontEnd] = Registry("front-end", _load)
"""By the root of their modules."""


def register_front_end(added: FrontEnd) -> FrontEnd:
    """Let layers and quantizers of a library be read; raises SpecError where another has its module."""
    return FRONT_ENDS.add(added.module, added)


def front_of(value: Any) -> FrontEnd | None:
    """The front-end of a layer, quantizer or quantizing function; None for what is not one's."""
    if value is None:
        return None
    roots = {
        str(module).split(".")[0] for module in (type(value).__module__, getattr(value, "__module__", ""))
    }
    return next((FRONT_ENDS[root] for root in sorted(roots) if root in FRONT_ENDS), None)


def reading_of(quantizer: Any) -> Reading | None:
    """What a quantizer is; None for none and for plain functions."""
    front = front_of(quantizer)
    return None if front is None else front.read(quantizer)


def shape_of(activation: Any) -> Shape | None:
    """What function a quantizer is; None for plain functions and none."""
    found = reading_of(activation)
    return None if found is None else found.shape


@cache
def standard() -> FrontEnd:
    """The front-end that quantization steps and mended models are made with."""
    from pquant_hls.network.qkeras import QKERAS

    return QKERAS
