"""Kinds of layers, one class each: what the normal form, types, the linter, the steps and the conversion ask of one.

To add one, subclass ``Kind``, name the classes it handles and say what differs from the defaults::

    @register_kind
    class Swap(Kind):
        handles = ("Permute",)          # a Keras class name, or a class of any package
        operation = "reshape"
        moves = True                    # the result has the input's type

In this package the class goes into the module of its likes, and the hls4ml layer behind it gets a row in
``hls/layers.py``; from another one an entry point of the group ``pquant_hls.kinds`` names the class. An operation that
the graph does not have yet is added as docs/architecture.md says.
"""

from pquant_hls.network.kinds.base import (
    KINDS,
    UNKNOWN,
    Context,
    Kind,
    LayerPlan,
    Operation,
    Planning,
    acting,
    activated,
    acts_alone,
    function_name,
    is_exact,
    layer_kind,
    register_kind,
    rounded_by_readers,
)

__all__ = [
    "KINDS",
    "UNKNOWN",
    "Context",
    "Kind",
    "LayerPlan",
    "Operation",
    "Planning",
    "acting",
    "activated",
    "acts_alone",
    "function_name",
    "is_exact",
    "layer_kind",
    "register_kind",
    "rounded_by_readers",
]
