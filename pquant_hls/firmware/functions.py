"""The rows of hls4ml's own functions, of versions 0.3 to 1.4."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace

from pquant_hls.firmware.config import Config
from pquant_hls.firmware.layers import Attrs, CallSite, FunctionRule, Shape, coding, register_function
from pquant_hls.qor.tables import table_codes

OLD_WORDS = {"in_width": "n_in", "out_width": "n_out", "stride_width": "stride"}
"""What 1D convolutions called these up to hls4ml 0.4."""


def _word(config: Config, name: str) -> str:
    """``name``, or what it was called before where the struct has that instead."""
    return name if config.number(name) is not None else OLD_WORDS.get(name, name)


def _sizes(*names: str) -> Callable[[Config], Shape | None]:
    """The sizes of these names; a missing height is no axis."""

    def read(config: Config) -> Shape | None:
        found = config.numbers(*(_word(config, name) for name in names))
        return None if found is None or len(found) < len(names) - 1 else tuple(found)

    return read


def _given(*names: str) -> Callable[[CallSite], Shape | None]:
    read = _sizes(*names)
    return lambda site: read(site.config)


def _window(config: Config, what: str) -> list[int]:
    return config.numbers(f"{what}_height", _word(config, f"{what}_width")) or []


def _padding(config: Config) -> list[list[int]]:
    """(before, after) of each axis, outermost first."""
    pairs = [config.numbers("pad_top", "pad_bottom"), config.numbers("pad_left", "pad_right")]
    return [pair for pair in pairs if pair is not None]


def _sides(site: CallSite) -> Attrs:
    return {"padding": _padding(site.config)}


def _channels(site: CallSite) -> Attrs:
    return {"n_filt": site.number("n_filt", -1)}


def _options(config: Config, *names: str) -> Attrs:
    found: Attrs = {name: config.number(name) for name in names}
    return {name: value for name, value in found.items() if value is not None}


def _weighted(site: CallSite) -> Attrs:
    config = site.config
    coded = coding(config)
    encoding = {} if coded is None else {"weight_encoding": coded}
    return {"strategy": (config.word("strategy") or "latency").lower(), **encoding}


def _convolution(site: CallSite) -> Attrs:
    config = site.config
    rank = len(_window(config, "filt"))
    dilation = config.number("dilation") or config.number("dilation_width") or 1
    implementation = config.word("implementation")
    pixels = config.number("n_pixels")
    return {
        **_weighted(site),
        "strides": _window(config, "stride"),
        "padding": _padding(config),
        "dilation": [dilation] * rank,
        **_options(config, "n_partitions"),
        **({} if pixels is None else {"parallelization_factor": pixels}),
        **({} if implementation is None else {"implementation": implementation}),
    }


def _summed(axes: Sequence[str]) -> Callable[[CallSite], Attrs]:
    """Of a convolution in distributed arithmetic, whose sums and windows are functions of its own."""

    def attrs(site: CallSite) -> Attrs:
        return {
            "strategy": "distributed_arithmetic",
            "implementation": "linebuffer",
            "strides": site.config.numbers(*(f"stride_{axis}" for axis in axes)),
            "dilation": [1] * len(axes),
            "n_partitions": site.number("n_partitions"),
            "parallelization_factor": site.number("n_pixels"),
        }

    return attrs


def _pool(site: CallSite) -> Attrs:
    config = site.config
    implementation = config.word("implementation")
    return {
        "strides": _window(config, "stride"),
        "padding": _padding(config),
        "pool": _window(config, "pool"),
        "count_pad": bool(config.value("count_pad")),
        **({} if implementation is None else {"implementation": implementation}),
    }


def _pooling(rank: int, whole: str = "") -> Callable[[Config], str]:
    def op(config: Config) -> str:
        return (
            f"{whole}{'max' if (config.word('pool_op') or '').lower() == 'max' else 'average'}_pooling{rank}d"
        )

    return op


def _table(function: str) -> Callable[[CallSite], Attrs]:
    def attrs(site: CallSite) -> Attrs:
        kind, size = site.config.type("table_t"), site.number("table_size", 1024)
        codes = {} if kind is None else {"table": table_codes(function, kind, size)}
        return {"table_size": size, **codes}

    return attrs


def _constant(name: str, default: float | None = None) -> Callable[[CallSite], Attrs]:
    """A number among the call's arguments or in its struct."""

    def attrs(site: CallSite) -> Attrs:
        given = [site.config.names.value(node) for node in site.call.arguments]
        found = next((value for value in given if isinstance(value, int | float)), site.config.value(name))
        number = default if not isinstance(found, int | float) else float(found)
        return {**({} if number is None else {name: number}), **_options(site.config, "table_size")}

    return attrs


def _hard(site: CallSite) -> Attrs:
    found = {name: site.config.value(name) for name in ("slope", "shift")}
    return {name: float(value) for name, value in found.items() if isinstance(value, int | float)}


def _concatenate(site: CallSite) -> Attrs:
    """hls4ml counts the axis with the batch axis."""
    axis = site.config.number("axis")
    rank = len(site.shapes[0])
    return {"axis": rank - 1 if axis is None else axis - 1 if axis > 0 else axis + rank}


def _joined(site: CallSite) -> Shape:
    axis = int(_concatenate(site)["axis"])
    first, second = site.shapes[:2]
    if len(first) != len(second) or not 0 <= axis < len(first):
        return (sum(math.prod(shape) for shape in (first, second)),)
    return (*first[:axis], first[axis] + second[axis], *first[axis + 1 :])


def _transpose(site: CallSite) -> Attrs:
    return {"perm": list(_order(site) or ())}


def _order(site: CallSite) -> Sequence[int] | None:
    name = site.config.structs[0].name if site.config else ""
    return site.config.names.list(f"{name}_perm") or site.config.names.list("perm")


def _turned(site: CallSite) -> Shape | None:
    order, shape = _order(site), site.shapes[0]
    if order is None or sorted(order) != list(range(len(shape))):
        return None
    return tuple(shape[axis] for axis in order)


def _softmax(site: CallSite) -> Attrs:
    size = site.config.number("table_size") or site.config.number("exp_table_size")
    implementation = site.config.word("implementation")
    return {
        "axis": -1,
        **({} if size is None else {"table_size": size}),
        **({} if implementation is None else {"implementation": implementation}),
    }


def _with_table_size(site: CallSite) -> Attrs:
    return _options(site.config, "table_size")


_WEIGHTED = {"weight": "weight_t", "bias": "bias_t", "accum": "accum_t"}
_SOFTMAX = {f"{name}": f"{name}_t" for name in ("table", "exp_table", "inv_table", "inv_inp", "accum")}
_PARAMETER = {"table": "table_t", "param": "param_t"}
_HARD = {"slope": "slope", "shift": "shift", "table": "table_t"}
_SCALED = {"scale": "scale_t", "bias": "bias_t"}
_KERNEL, _FLAT = ("weight", "bias"), _sizes("n_in")


def _flat_result(site: CallSite) -> Shape:
    return (site.number("n_out", site.size),)


register_function(
    FunctionRule("dense", _FLAT, _flat_result, _WEIGHTED, _KERNEL, _weighted), "dense", "compute_layer"
)
for _rank, _axes in ((1, ("width",)), (2, ("height", "width"))):
    _read = [f"in_{axis}" for axis in _axes]
    _made = [f"out_{axis}" for axis in _axes]
    _conv = FunctionRule(
        f"conv{_rank}d", _sizes(*_read, "n_chan"), _given(*_made, "n_filt"), _WEIGHTED, _KERNEL, _convolution
    )
    _old = (f"conv_{_rank}d_latency_cl", f"conv_{_rank}d_resource_cl")  # up to 0.4
    register_function(_conv, f"conv_{_rank}d_cl", *_old, f"pointwise_conv_{_rank}d_cl")
    register_function(replace(_conv, types={}, arrays=(), attrs=_summed(_axes)), f"conv{_rank}d_cl")
    _depth = FunctionRule(
        f"depthwise_conv{_rank}d",
        _sizes(*_read, "n_chan"),
        _given(*_made, "n_filt"),
        _WEIGHTED,
        _KERNEL,
        _convolution,
    )
    register_function(_depth, f"depthwise_conv_{_rank}d_cl")
    _pad = FunctionRule(
        f"zero_padding{_rank}d", _sizes(*_read, "n_chan"), _given(*_made, "n_chan"), {}, attrs=_sides
    )
    register_function(_pad, f"zeropad{_rank}d_cl")
    _places = _read if _rank == 2 else ["n_in"]
    _shrunk = _made if _rank == 2 else ["n_out"]
    register_function(
        FunctionRule(_pooling(_rank), _sizes(*_places, "n_filt"), _given(*_shrunk, "n_filt"), attrs=_pool),
        f"pooling{_rank}d_cl",
    )
    register_function(
        FunctionRule(_pooling(_rank, "global_"), _sizes(*_places, "n_filt"), _given("n_filt")),
        f"global_pooling{_rank}d_cl",
    )
register_function(
    FunctionRule("batchnorm", types=_SCALED, arrays=("scale", "bias"), attrs=_channels), "normalize"
)
register_function(FunctionRule("quantize", attrs=_with_table_size), "linear")
register_function(
    FunctionRule("relu", attrs=lambda site: {"threshold": 0.0, **_with_table_size(site)}), "relu"
)
register_function(FunctionRule("relu", types=_PARAMETER, attrs=_constant("threshold")), "thresholded_relu")
register_function(FunctionRule("leaky_relu", types=_PARAMETER, attrs=_constant("slope")), "leaky_relu")
register_function(FunctionRule("elu", types=_PARAMETER, attrs=_constant("slope", 1.0)), "elu")
register_function(FunctionRule("hard_sigmoid", types=_HARD, attrs=_hard), "hard_sigmoid")
register_function(FunctionRule("hard_tanh", types=_HARD, attrs=_hard), "hard_tanh")
register_function(FunctionRule("binary_tanh", attrs=_with_table_size), "binary_tanh")
register_function(FunctionRule("ternary_tanh", attrs=_constant("threshold", 0.5)), "ternary_tanh")
register_function(
    FunctionRule(
        "ternary_tanh", types={}, arrays=("threshold_hi", "threshold_lo"), attrs=_constant("threshold", 0.5)
    ),
    "normalize_ternary_tanh",
)
register_function(FunctionRule("sigmoid", attrs=_table("sigmoid")), "sigmoid")
register_function(FunctionRule("tanh", attrs=_table("tanh")), "tanh")
register_function(FunctionRule("softmax", types=_SOFTMAX, attrs=_softmax), "softmax", "softmax_multidim")
for _name in ("add", "subtract", "multiply", "average", "maximum", "minimum"):
    register_function(FunctionRule(_name), _name)
register_function(FunctionRule("clone", types={}), "clone_stream")
register_function(
    FunctionRule("reshape", types={}, gives=lambda _: None), "repack_stream", "broadcast_stream"
)
register_function(
    FunctionRule("concatenate", gives=_joined, attrs=_concatenate),
    *(f"concatenate{rank}d" for rank in (1, 2, 3)),
)
register_function(
    FunctionRule("transpose", gives=_turned, attrs=_transpose), "transpose", "transpose_2d", "transpose_3d"
)


def _opaque(called: str, *sizes: str) -> FunctionRule:
    """A layer that the graph knows by its class alone: estimated where there is a rule for it, never emulated."""

    def attrs(site: CallSite) -> Attrs:
        return {"op_name": called, **_options(site.config, *sizes)}

    return FunctionRule("other", gives=lambda _: None, types=_WEIGHTED, attrs=attrs)


def _recurrent(called: str) -> FunctionRule:
    """A recurrent layer: over a sequence, giving its last state or all of them."""

    def gives(site: CallSite) -> Shape | None:
        steps, units = site.number("n_sequence_out"), site.config.number("n_out")
        return None if units is None else (steps, units) if steps > 1 else (units,)

    def attrs(site: CallSite) -> Attrs:
        named = _options(site.config, "n_out", "n_state", "n_sequence")
        return {"op_name": called, "strategy": (site.config.word("strategy") or "latency").lower(), **named}

    return FunctionRule("other", _sizes("n_sequence", "n_in"), gives, _WEIGHTED, attrs=attrs)


for _called, _stem in (("LSTM", "lstm"), ("GRU", "gru"), ("SimpleRNN", "simple_rnn")):
    register_function(_recurrent(_called), _stem, f"{_stem}_stack")


def _resized(site: CallSite) -> Shape | None:
    return _sizes("new_height", "new_width", "n_chan")(site.config)


register_function(replace(_opaque("Resize"), gives=_resized), "resize_bilinear")
for _called, _functions in {
    "Embedding": ("embedding",),
    "LayerNormalization": ("layernormalize",),
    "PReLU": ("prelu",),
    "Dot": ("dot1d",),
    "EinsumDense": ("einsum_dense",),
    "Einsum": ("einsum",),
    "softsign": ("softsign",),
    "softplus": ("softplus",),
    "selu": ("selu",),
    "relu1": ("relu1",),
    "relu6": ("relu6",),
    "relu_max": ("relu_max",),
}.items():
    register_function(_opaque(_called, "n_out", "n_contract", "vocab_size"), *_functions)
