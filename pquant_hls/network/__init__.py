"""A Keras or QKeras model: the one reading that every other room builds on. No hls4ml here.

A guide to the room, from what is read to what is made of it:

* ``files``       load and save, nothing executed.
* ``graph``       ``topology(model)``: the calls of a model, tensors by identity. ``rebuild`` exchanges layers for
                  chains of others and keeps the rest, ``remake`` makes every call anew, ``clone`` copies. The only
                  file that touches what Keras keeps to itself.
* ``kinds``       one class a kind of layer: what every room asks of it; add one there or with ``register_kind``.
* ``frontend``    libraries of quantizers, and all that is asked of one; ``qkeras`` is the one built in.
* ``table``       what a layer does (``operation``), the layer table, heads and ends, the digest.
* ``quantizers``  the type and the values of a quantizer, whose front-end ever it is.
* ``grids``       numbers alone: the narrowest type for values or a range (one, or one a channel or element),
                  union, accumulator.
* ``elements``    the layer that gives each element a fixed-point type of its own.
* ``types``       the type of every tensor, from quantizers and weights.
* ``folding``     BatchNormalization into the layers beside it.
* ``freeze``, ``names``, ``normal``   the normal form: the same function in the few layer kinds that convert exactly.
* ``plan``        the types that hls4ml is told for a model in normal form.
* ``paths``       which output values depend on an input, and over which weights.
* ``reference``   the answer of the model handed in, free of float32's rounding: what firmware must equal. ``witness``
                  computes it and shares nothing with the conversion.

Attributes are loaded when first used, so importing this package does not import TensorFlow.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pquant_hls._lazy import attach

if TYPE_CHECKING:
    from pquant_hls.network.build import build_mlp as build_mlp
    from pquant_hls.network.elements import FixedPointQuantizer as FixedPointQuantizer
    from pquant_hls.network.files import custom_objects as custom_objects
    from pquant_hls.network.files import load_model as load_model
    from pquant_hls.network.files import save_model as save_model
    from pquant_hls.network.frontend import FrontEnd as FrontEnd
    from pquant_hls.network.frontend import register_front_end as register_front_end
    from pquant_hls.network.graph import Call as Call
    from pquant_hls.network.graph import NewLayer as NewLayer
    from pquant_hls.network.graph import Topology as Topology
    from pquant_hls.network.graph import calls as calls
    from pquant_hls.network.graph import clone as clone
    from pquant_hls.network.graph import copy_layer as copy_layer
    from pquant_hls.network.graph import rebuild as rebuild
    from pquant_hls.network.graph import topology as topology
    from pquant_hls.network.kinds import Kind as Kind
    from pquant_hls.network.kinds import Operation as Operation
    from pquant_hls.network.kinds import register_kind as register_kind
    from pquant_hls.network.names import is_reserved as is_reserved
    from pquant_hls.network.normal import normal_form as normal_form
    from pquant_hls.network.reference import keras_predict as keras_predict
    from pquant_hls.network.sample import unit_inputs as unit_inputs
    from pquant_hls.network.table import LayerRow as LayerRow
    from pquant_hls.network.table import dense_sizes as dense_sizes
    from pquant_hls.network.table import has_softmax_head as has_softmax_head
    from pquant_hls.network.table import head_of as head_of
    from pquant_hls.network.table import heads_of as heads_of
    from pquant_hls.network.table import input_shapes as input_shapes
    from pquant_hls.network.table import layer_table as layer_table
    from pquant_hls.network.table import model_digest as model_digest
    from pquant_hls.network.table import n_outputs as n_outputs
    from pquant_hls.network.table import operation as operation

attach(globals())
