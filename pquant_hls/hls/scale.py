"""A layer of hls4ml for ``FixedPointScale``: its batch normalization, which none of its passes fuses with anything.

hls4ml takes a BatchNormalization before a binary or ternary activation as thresholds rounded to the type of the data, and
before another one as their product.
"""

from __future__ import annotations

from functools import cache
from typing import Any


@cache
def add_scale_layer() -> None:
    """Register, once, the layer and its C++ for the backends of AMD."""
    from hls4ml.backends import get_backend
    from hls4ml.backends.vivado.passes.core_templates import (
        BatchNormalizationConfigTemplate,
        BatchNormalizationFunctionTemplate,
        batchnorm_include_list,
    )
    from hls4ml.model.attributes import Attribute, TypeAttribute, WeightAttribute
    from hls4ml.model.layers import Layer, register_layer

    class FixedPointScale(Layer):  # type: ignore[misc]  # hls4ml has no types
        _expected_attributes = (
            Attribute("n_in"),
            Attribute("n_filt", default=-1),
            Attribute("reuse_factor", default=1),
            WeightAttribute("scale"),
            WeightAttribute("bias"),
            TypeAttribute("scale"),
            TypeAttribute("bias"),
        )

        def initialize(self) -> None:
            self.add_output_variable(self.get_input_variable().shape)
            self.add_weights_variable(name="scale", var_name="s{index}")
            self.add_weights_variable(name="bias", var_name="b{index}")

    class ScaleConfig(BatchNormalizationConfigTemplate):  # type: ignore[misc]  # hls4ml has no types
        def __init__(self) -> None:
            super().__init__()
            self.name, self.layer_class = "fixedpointscale_config_template", [FixedPointScale]

    class ScaleCall(BatchNormalizationFunctionTemplate):  # type: ignore[misc]  # hls4ml has no types
        def __init__(self) -> None:
            super().__init__()
            self.name, self.layer_class = "fixedpointscale_function_template", [FixedPointScale]
            self.include_header: Any = batchnorm_include_list

    register_layer("FixedPointScale", FixedPointScale)
    for name in ("Vivado", "Vitis"):
        for template in (ScaleConfig, ScaleCall):
            get_backend(name).register_template(template)
