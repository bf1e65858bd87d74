"""hls4ml's layers: one row each, which operation it is in the graph and how its attributes and weights are read."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pquant_hls.qor import FixedGrid, FixedType
from pquant_hls.qor.ops import load_installed
from pquant_hls.qor.registry import Registry
from pquant_hls.qor.tables import table_codes

Attrs = dict[str, Any]


@dataclass(frozen=True)
class LayerRule:
    """How one layer of an hls4ml ModelGraph (``node``) becomes one of the FixedPointGraph.

    ``attrs`` reads the attributes of the operation, beside those that every layer may have. ``weights`` shapes the
    array ``weight`` as the graph holds it, after hls4ml's transposition is undone. ``arrays`` names what it has beside
    ``weight``, ``bias`` and ``scale``. ``table`` gives the codes of a look-up table of this type and size. ``grid`` reads
    the types of single values.
    """

    op: str
    attrs: Callable[[Any], Attrs] = lambda _: {}
    weights: Callable[[Any, NDArray[Any]], NDArray[Any]] = lambda _, data: data
    arrays: tuple[str, ...] = ()
    table: Callable[[FixedType, int], list[int]] | None = None
    grid: Callable[[Any], FixedGrid | None] = lambda _: None


_rows: Registry[LayerRule] = Registry("hls4ml layer", load_installed)


def register_layer(row: LayerRule, *layers: str) -> LayerRule:
    """Read these hls4ml layers by ``row``: a class (``"PReLU"``), or a class and its function (``"Activation relu"``,
    ``"Merge add"``, ``"Pooling2D max"``).

    Raises
    ------
    SpecError : another row reads one of them.
    """
    for layer in layers:
        _rows.add(layer, row)
    return row


def row_of(node: Any) -> LayerRule:
    """The row of an hls4ml layer; that of ``other`` where it has none."""
    return _rows.get(_word(node), _OTHER)


def _word(node: Any) -> str:
    """The layer's class, with its function where one class has several."""
    kind = str(node.class_name)
    if kind in ("Activation", "HardActivation", "ParametrizedActivation"):
        return f"Activation {node.get_attr('activation', '').lower()}"
    if kind == "Merge":
        return f"Merge {node.get_attr('op', '').lower()}"
    if kind in ("Pooling1D", "Pooling2D", "GlobalPooling1D", "GlobalPooling2D"):
        return f"{kind} {node.get_attr('pool_op').lower()}"
    if kind == "Resize":
        return f"{kind} {node.get_attr('algorithm', '').lower()}"
    if kind == "BatchNormalizationQuantizedTanh":
        return f"{kind} {node.get_attr('quantize')}"
    return kind


def plain(value: Any) -> Any:
    """``value`` as JSON can hold it."""
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, list | tuple | np.ndarray):
        return [plain(entry) for entry in value]
    return value


def _ints(node: Any, names: Sequence[str]) -> list[int]:
    return [int(node.get_attr(name, 0)) for name in names]


def _number(attr: str, word: str, default: float | None = None) -> Callable[[Any], Attrs]:
    """Reads one number, where it is missing ``default``."""

    def read(node: Any) -> Attrs:
        found = node.get_attr(attr)
        return {word: float(default if found is None and default is not None else found)}

    return read


def _sides(node: Any) -> Attrs:
    """Explicit pads, outermost axis first."""
    pads = [_ints(node, ("pad_left", "pad_right"))]
    if node.get_attr("pad_top") is not None:
        pads.insert(0, _ints(node, ("pad_top", "pad_bottom")))
    return {"padding": pads}


def _cropped(node: Any) -> Attrs:
    """Values left out before and behind, outermost axis first."""
    pairs = [_ints(node, ("crop_left", "crop_right"))]
    if node.get_attr("crop_top") is not None:
        pairs.insert(0, _ints(node, ("crop_top", "crop_bottom")))
    return {"cropping": pairs}


def _factors(node: Any) -> Attrs:
    """How often each row and column is repeated."""
    height, width, _ = node.get_output_variable().shape
    return {
        "factors": [
            int(height) // int(node.get_attr("in_height")),
            int(width) // int(node.get_attr("in_width")),
        ]
    }


def _axes(node: Any, what: str) -> list[str]:
    return ["width"] if node.get_attr(f"{what}_height") is None else ["height", "width"]


def _conv(node: Any) -> Attrs:
    axes = _axes(node, "filt")
    dilation = node.get_attr("dilation_width", node.get_attr("dilation", 1))
    strides = _ints(node, [f"stride_{axis}" for axis in axes])
    return {"strides": strides, **_sides(node), "dilation": [int(dilation)] * len(axes)}


def _pool(node: Any) -> Attrs:
    axes = _axes(node, "pool")
    return {
        "strides": _ints(node, [f"stride_{axis}" for axis in axes]),
        **_sides(node),
        "pool": _ints(node, [f"pool_{axis}" for axis in axes]),
        "count_pad": bool(node.get_attr("count_pad", False)),
    }


def _hard(node: Any) -> Attrs:
    return {"slope": float(node.get_attr("slope")), "shift": float(node.get_attr("shift"))}


def _concatenate(node: Any) -> Attrs:
    """The axis counted without the batch axis, as an index from 0."""
    axis, rank = int(node.get_attr("axis")), len(node.get_output_variable().shape)
    return {"axis": axis - 1 if axis > 0 else axis + rank}


def _other(node: Any) -> Attrs:
    """The class and the sizes that its cost depends on, as far as it has them."""
    names = ("n_out", "recurrent_reuse_factor", "n_contract", "vocab_size")
    sizes = {name: int(node.get_attr(name)) for name in names if node.get_attr(name) is not None}
    if node.class_name in ("LSTM", "GRU", "SimpleRNN", "Bidirectional"):
        units = node.get_attr("forward_n_states", node.get_attr("n_out"))
        sizes.update(n_state=int(units), n_sequence=int(node.get_attr("n_timesteps")))
    named = node.get_attr("activation") if node.class_name == "Activation" else None
    cell = {"cell": node.get_attr("forward_class_name")} if node.class_name == "Bidirectional" else {}
    return {"op_name": named or node.class_name, **sizes, **cell}


def _matrix(node: Any, data: NDArray[Any]) -> NDArray[Any]:
    return data.reshape(node.get_attr("n_in"), node.get_attr("n_out"))


def _kernel(node: Any, data: NDArray[Any]) -> NDArray[Any]:
    """(*kernel, channels, filters), or (*kernel, channels, multiplier)."""
    window = _ints(node, [f"filt_{axis}" for axis in _axes(node, "filt")])
    return data.reshape(*window, int(node.get_attr("n_chan")), -1)


def _elements(node: Any) -> FixedGrid:
    keep, width, integer = (part[0] for part in node.mask_kbi)
    return FixedGrid(width, integer, keep.astype(bool), node.RND, node.SAT)


_OTHER = LayerRule("other", _other)
_ternary = _number("threshold", "threshold", 0.5)
_slope = _number("activ_param", "slope")
_softmax = LayerRule("softmax", lambda node: {"axis": plain(node.get_attr("axis", -1))})
_shape = LayerRule("reshape", lambda node: {"target_shape": plain(list(node.get_output_variable().shape))})
_transpose = LayerRule("transpose", lambda node: {"perm": plain(node.get_attr("perm"))})
_scale = LayerRule("batchnorm", lambda node: {"n_filt": int(node.get_attr("n_filt", -1))})

register_layer(LayerRule("input"), "Input")
register_layer(LayerRule("upsampling2d", _factors), "Resize nearest")
register_layer(LayerRule("dense", weights=_matrix), "Dense")
register_layer(_scale, "BatchNormalization", "ApplyAlpha", "FixedPointScale")
register_layer(LayerRule("lookup", arrays=("table",)), "UnaryLUT")
register_layer(_shape, "Reshape", "Repack")
register_layer(_transpose, "Transpose")
register_layer(LayerRule("clone"), "Clone")
register_layer(LayerRule("concatenate", _concatenate), "Concatenate")
register_layer(LayerRule("quantize"), "Activation linear")
register_layer(LayerRule("quantize", grid=_elements), "FixedPointQuantizer")
register_layer(
    LayerRule("relu", _number("activ_param", "threshold", 0.0)),
    "Activation relu",
    "Activation thresholdedrelu",
)
register_layer(LayerRule("leaky_relu", _slope), "LeakyReLU", "Activation leaky_relu", "Activation leakyrelu")
register_layer(LayerRule("elu", _slope), "Activation elu")
register_layer(LayerRule("hard_sigmoid", _hard), "Activation hard_sigmoid")
register_layer(LayerRule("hard_tanh", _hard), "Activation hard_tanh")
register_layer(LayerRule("binary_tanh"), "Activation binary_tanh")
register_layer(
    LayerRule("ternary_tanh", _ternary),
    "TernaryTanh",
    "Activation ternary_tanh",
    "BatchNormalizationQuantizedTanh 3",  # a scale fused with the activation behind it, as two thresholds
)
register_layer(LayerRule("sigmoid", table=partial(table_codes, "sigmoid")), "Activation sigmoid")
register_layer(LayerRule("tanh", table=partial(table_codes, "tanh")), "Activation tanh")
register_layer(_softmax, "Softmax", "Activation softmax")
for _name in ("add", "subtract", "multiply", "average", "maximum", "minimum"):
    register_layer(LayerRule(_name), f"Merge {_name}")
for _rank in ("1D", "2D"):
    register_layer(LayerRule(f"conv{_rank.lower()}", _conv, _kernel), f"Conv{_rank}", f"PointwiseConv{_rank}")
    register_layer(LayerRule(f"depthwise_conv{_rank.lower()}", _conv, _kernel), f"DepthwiseConv{_rank}")
    register_layer(LayerRule(f"zero_padding{_rank.lower()}", _sides), f"ZeroPadding{_rank}")
    register_layer(LayerRule(f"cropping{_rank.lower()}", _cropped), f"Cropping{_rank}")
    for _what in ("max", "average"):
        _pooling = f"{_what}_pooling{_rank.lower()}"
        register_layer(LayerRule(_pooling, _pool), f"Pooling{_rank} {_what}")
        register_layer(LayerRule(f"global_{_pooling}"), f"GlobalPooling{_rank} {_what}")
