"""The list of all rules: severity, what it is about, the mend."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from pquant_hls.lint.finding import Severity


@dataclass(frozen=True)
class LintRule:
    """``told``: what a conversion does about it is said in the notes of the design."""

    severity: Severity
    summary: str
    mend: str
    fixable: bool = False
    told: bool = False


_CONVERSION = "the conversion does it"

RULES: Mapping[str, LintRule] = {
    # weights
    "weights-scaled": LintRule(
        "note",
        "weights behind a scale (alpha is None, auto or auto_po2), a power of two, an unsigned or 1-bit "
        "quantizer, or a mask, which hls4ml reads wrongly; their values fit a plain type",
        _CONVERSION,
        fixable=True,
    ),
    "weights-off-grid": LintRule(
        "error",
        "weights or biases without a quantizer, or on no grid of 18 bits (alpha='auto', ulaw)",
        "compress --pipeline ptq, or train with quantized_bits(bits, integer, alpha=1) on kernel and bias",
        fixable=True,
    ),
    "random-rounding": LintRule(
        "error",
        "weights drawn at random in inference too: Keras itself gives another value each time",
        "use binary(alpha=1) or ternary(alpha=1)",
    ),
    "wide-sum": LintRule(
        "warning",
        "sums need more than 24 bits; float32 Keras rounds them, the firmware does not",
        "compare with keras_predict, which then sums in float64, or use fewer bits",
    ),
    "half-precision": LintRule(
        "warning",
        "Keras computes the layer in 16-bit floats, which round what the firmware keeps",
        "set_dtype_policy('float32') before the model is made, or compare with keras_predict, which does not round",
    ),
    # activations
    "linear-quantizer": LintRule(
        "note",
        "hls4ml merges a linear quantizer into the layer before and loses its narrowing",
        _CONVERSION,
        fixable=True,
    ),
    "activation-alpha": LintRule(
        "error",
        "an activation with a scale, which hls4ml leaves out; alpha='auto' depends on the batch as well",
        "set alpha=1",
        fixable=True,
    ),
    "one-bit": LintRule(
        "error", "quantized_bits of 1 bit is no number format of hls4ml's", "use binary(alpha=1)"
    ),
    "part-quantized": LintRule(
        "error",
        "qnoise_factor below 1 leaves values between Keras' float and fixed point",
        "qnoise_factor=1",
        fixable=True,
    ),
    "leaky-relu": LintRule(
        "error", "a slope below zero is rounded differently in hls4ml", "use quantized_relu without slope"
    ),
    "relu-bound": LintRule(
        "error",
        "an upper bound that hls4ml does not read",
        "choose the integer bits so that the range is the bound",
    ),
    "smooth-quantizer": LintRule(
        "warning",
        "a real sigmoid or tanh comes from a table: within 0.01 and 1 LSB of the quantizer",
        "use the hard form: use_real_tanh=False, use_real_sigmoid=False",
        told=True,
    ),
    "table": LintRule(
        "note",
        "a function of few bits: the values that it can read are the addresses of a table that holds its results, the same "
        "in Keras and in the firmware",
        _CONVERSION,
        told=True,
    ),
    "ternary-threshold": LintRule(
        "error",
        "a threshold that is itself a value of the input: hls4ml takes > where QKeras takes >=",
        "a threshold between grid values, such as the default 0.33",
    ),
    "table-activation": LintRule(
        "warning",
        "sigmoid and tanh come from a table of 1,024 entries: within 0.01 and 1 LSB of hls.precision",
        "keep_softmax: false leaves a final sigmoid out: a threshold works on the logit",
        told=True,
    ),
    "softmax": LintRule(
        "note",
        "the final softmax or sigmoid is left out of the firmware: argmax and thresholds work on logits",
        _CONVERSION,
        fixable=True,
        told=True,
    ),
    "softmax-kept": LintRule(
        "warning",
        "a softmax is made of tables: probabilities differ from Keras by up to 0.2 and a part that grows with "
        "the range of the logits' type; the finding states the sum",
        "keep_softmax: false",
        told=True,
    ),
    "unsupported-activation": LintRule(
        "error",
        "an activation that hls4ml refuses or computes differently, and that reads more than 12 bits or gives values on no grid",
        "--fix, which makes a table of it; or a quantizer of 12 bits or fewer before it and one behind it; or quantized_relu, "
        "quantized_bits, quantized_tanh, quantized_sigmoid, binary or ternary (alpha=1)",
    ),
    # layers
    "unsupported-layer": LintRule(
        "error",
        "a layer that hls4ml cannot take or gets wrong, or that is not among those tested to be exact",
        "build it from supported layers",
    ),
    "lambda": LintRule("error", "a Lambda layer holds code, not a layer", "replace it by layers"),
    "batchnorm": LintRule(
        "error",
        "a batch normalization's factors lie on no grid, and hls4ml rounds them to the type of its default",
        "--fix folds it into the layer before or behind, or makes it a scale of 16 bits; check the accuracy",
        fixable=True,
    ),
    "dropout": LintRule(
        "note", "does nothing in inference and is left out", _CONVERSION, fixable=True, told=True
    ),
    "dense-on-sequence": LintRule(
        "note",
        "hls4ml drops the quantizer of a QDense over a sequence; it becomes a convolution of width 1",
        _CONVERSION,
        fixable=True,
    ),
    "depthwise-resource": LintRule(
        "error",
        "hls4ml has no depthwise convolution for io_parallel with the resource strategy",
        "strategy: latency, or io_stream",
    ),
    "written-out": LintRule(
        "note",
        "hls4ml ignores dilation and groups, computes a depth multiplier above 1 wrongly and has no depthwise convolution of "
        "QKeras' in one dimension; it becomes a plain convolution with zeros in its kernel, which cost nothing",
        _CONVERSION,
        fixable=True,
        told=True,
    ),
    "channels-first": LintRule("error", "hls4ml's layers take channels last", "data_format='channels_last'"),
    "many-inputs": LintRule(
        "note", "hls4ml merges two tensors; more become a chain of merges", _CONVERSION, fixable=True
    ),
    "broadcast": LintRule(
        "note",
        "a merge of shapes that differ by axes of length 1; these are repeated before it",
        _CONVERSION,
        fixable=True,
        told=True,
    ),
    "merge": LintRule(
        "error",
        "a merge that hls4ml cannot take, or of shapes that broadcast, which is not tested to be exact",
        "merge two tensors of one shape",
    ),
    "average-pool": LintRule(
        "note",
        "hls4ml gives averages the input's type; the conversion gives them bits enough",
        _CONVERSION,
        fixable=True,
    ),
    "average-unrounded": LintRule(
        "warning",
        "an average over a number that is no power of two, with no quantizer after it: the average is within "
        "1 LSB of its type, and layers after it carry that on",
        "put a QActivation after it",
        told=True,
    ),
    "padded-max-pool": LintRule(
        "note",
        "hls4ml pads an unsigned maximum with a large value; the conversion adds a sign bit",
        _CONVERSION,
        fixable=True,
        told=True,
    ),
    "type-widened": LintRule(
        "note",
        "the type of a quantizer's values lacks bits that hls4ml's next function needs: a ternary keeps its thresholds in "
        "the type it reads, and nothing rounds off what has no bits down to the step; the values stay the same",
        _CONVERSION,
        told=True,
    ),
    "stream-pooling": LintRule(
        "error",
        "2D pooling whose windows overlap or leave gaps, and pooling with padding, stop an io_stream design",
        "padding='valid' and strides equal to pool_size, or io_parallel",
    ),
    "stream-ternary": LintRule(
        "error",
        "a ternary activation over more than one axis does not compile in io_stream",
        "quantized_bits(2, 1, symmetric=1, alpha=1), or io_parallel",
    ),
    "stream-elements": LintRule(
        "error",
        "hls4ml: 'Heterogenous quantization for activations is only supported with IOType=io_parallel'",
        "io_parallel",
    ),
    "distributed-arithmetic": LintRule(
        "error",
        "with strategy distributed_arithmetic hls4ml takes binary weights as 0 and 1, and says of what reads a ternary: "
        "'Input to layer NAME is not a fixed point type - DA optimization not supported.'",
        "quantized_bits(2, 1, alpha=1), or strategy: latency",
    ),
    "reuse-factor": LintRule(
        "note",
        "with strategy resource and io_parallel, hls4ml computes a convolution wrongly whose reuse factor is above "
        "kernel x channels; it gets a lower one",
        _CONVERSION,
        told=True,
    ),
    "reuse-rounded": LintRule(
        "note",
        "with strategy resource, hls4ml builds the nearest reuse factor that divides a layer's inputs, or is a multiple "
        "of them that divides its products; latency and resources follow that one",
        "a factor that divides the inputs of every layer",
        told=True,
    ),
    "vivado-unroll": LintRule(
        "warning",
        "Vivado HLS ends with an error where one layer unrolls more than 4,096 products",
        "strategy: resource with a larger reuse_factor, fewer units, or the Vitis backend",
    ),
    "active-dropout": LintRule(
        "error",
        "a dropout or noise layer called with training=True draws at random in Keras; firmware has none",
        "call it without training=True",
    ),
    "weight-mask": LintRule(
        "error",
        "a mask larger than the kernel makes a larger one of it, whose results without padding have not the shape that "
        "Keras tells",
        "a kernel_size as large as the mask, or padding='same'",
    ),
    "inner-probability": LintRule(
        "error",
        "a sigmoid or softmax that is an output is left out, and layers that read it inside the model would read its logits",
        "keep_softmax: true, or a head of its own for the output",
    ),
    "one-value": LintRule(
        "error",
        "two outputs are one value in the firmware, which hls4ml would declare twice",
        "give that value out once",
    ),
    "stream-merge": LintRule(
        "error",
        "hls4ml drops a Flatten in io_stream, and a merge or a kept softmax after it does not see that",
        "merge before the Flatten, keep_softmax: false, or io_parallel",
    ),
    "stream-copies": LintRule(
        "error",
        "hls4ml: 'Cloning output NAME of LAYER (NAME) more than 7 times not currently supported', as a recurrent cell over more "
        "than 7 steps is written out in io_stream",
        "io_parallel, or fewer steps",
    ),
    "stream-flatten": LintRule(
        "note",
        "hls4ml drops a Flatten in io_stream, and an activation after it then reads the wrong words; it moves "
        "before the Flatten",
        _CONVERSION,
        fixable=True,
    ),
    "shared-layer": LintRule(
        "note",
        "a layer used several times is built several times",
        _CONVERSION,
        fixable=True,
        told=True,
    ),
    # the model
    "input-unquantized": LintRule(
        "warning",
        "no single quantizer takes up the input; exact only for inputs on the input type's grid",
        "put QActivation(quantized_bits(bits, integer, alpha=1)) first",
        told=True,
    ),
    "input-rounded-twice": LintRule(
        "note",
        "an input type wider than the first quantizer rounds twice; it is given that quantizer's own type",
        _CONVERSION,
        fixable=True,
    ),
    "input-type": LintRule(
        "error",
        "Keras itself cannot compute a binary or ternary of whole numbers",
        "keras.Input(shape, dtype='float32'), or a quantized_bits before it",
    ),
    "input-shape": LintRule("error", "an axis of unknown length", "give keras.Input a full shape"),
    "no-arithmetic": LintRule(
        "error",
        "an output is an input, unchanged or rounded as its port is: nothing is left to compile",
        "leave it out",
    ),
    "name": LintRule("note", "a name that C++ or hls4ml would change", _CONVERSION, fixable=True, told=True),
}
