"""Forms of embeddings, normalizations, recurrent cells and attention."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import qkeras
from keras import layers as kl

from pquant_hls.network.softmax import FixedPointSoftmax
from pquant_hls.testing.forms.pieces import (
    IMAGE,
    SEQUENCE,
    VECTOR,
    Build,
    Form,
    between_dense,
    dense_rounded,
    fixed_bits,
    fixed_relu,
    in_turn,
    per_object,
    q_conv,
    q_dense,
    rounded_by,
    rounded_first,
    rows_rounded,
    two_branches,
)


def _embeddings() -> Mapping[str, Form]:
    return {
        "Embedding": ((4,), in_turn(kl.Embedding(10, 3), rounded_by(fixed_bits(6, 1)), q_conv(1, 2, 2))),
        "Embedding of 100 rows": (
            (3,),
            in_turn(kl.Embedding(100, 2), kl.Flatten(), rounded_by(fixed_bits(6, 1)), q_dense(3)),
        ),
        "LayerNormalization": (VECTOR, between_dense(kl.LayerNormalization(), rounded_by(fixed_bits(8, 3)))),
        "LayerNormalization over rows": (
            SEQUENCE,
            per_object(kl.LayerNormalization(), rounded_by(fixed_bits(8, 3)), q_conv(1, 2, 1)),
        ),
        "LayerNormalization, not centred or scaled": (
            VECTOR,
            between_dense(kl.LayerNormalization(center=False, scale=False), rounded_by(fixed_bits(8, 3))),
        ),
        "plain causal Conv1D": (
            SEQUENCE,
            in_turn(kl.Conv1D(3, 2, padding="causal"), kl.Flatten(), kl.Dense(2)),
        ),
        "plain LayerNormalization": (VECTOR, in_turn(kl.Dense(5), kl.LayerNormalization(), kl.Dense(3))),
    }


def _norms() -> Mapping[str, Form]:
    """Normalizations over an event's own values, without a mean, over other axes and over groups."""

    def unit(a: Any, b: Any) -> Any:
        return kl.Dot(axes=-1, normalize=True)([a, b])

    rows = {
        "RMSNormalization": kl.RMSNormalization(),
        "RMSNormalization over rows and columns": kl.RMSNormalization(axis=[1, 2]),
        "UnitNormalization": kl.UnitNormalization(),
        "LayerNormalization over columns": kl.LayerNormalization(axis=1),
        "LayerNormalization over rows and columns": kl.LayerNormalization(axis=[1, 2]),
        "GroupNormalization, two groups": kl.GroupNormalization(2),
    }
    images = {
        "UnitNormalization over channels": kl.UnitNormalization(),
        "LayerNormalization over the rows of an image": kl.LayerNormalization(axis=2),
        "GroupNormalization of an image": kl.GroupNormalization(2),
        "GroupNormalization, one group": kl.GroupNormalization(1, center=False, scale=False),
        "GroupNormalization, one channel each": kl.GroupNormalization(-1),
        "GroupNormalization over another axis": kl.GroupNormalization(3, axis=1),
    }
    return {
        **{
            name: (SEQUENCE, per_object(layer, rounded_by(fixed_bits(8, 3)), q_conv(1, 2, 1)))
            for name, layer in rows.items()
        },
        **{
            name: (
                IMAGE,
                rounded_first(q_conv(2, 4, 1), layer, rounded_by(fixed_bits(8, 3)), q_conv(2, 2, 2)),
            )
            for name, layer in images.items()
        },
        "Dot of two unit vectors": (
            VECTOR,
            rounded_first(two_branches(unit, dense_rounded(4), dense_rounded(4))),
        ),
        "Dot of rows of length 1": (
            SEQUENCE,
            rounded_first(
                two_branches(unit, rows_rounded(4), rows_rounded(4)), rounded_by(fixed_bits(10, 2))
            ),
        ),
        "plain RMSNormalization": (VECTOR, in_turn(kl.Dense(5), kl.RMSNormalization(), kl.Dense(3))),
        "plain GroupNormalization": (
            IMAGE,
            in_turn(kl.Conv2D(4, 3), kl.GroupNormalization(2), kl.ReLU(), kl.Flatten(), kl.Dense(3)),
        ),
    }


def _recurrent() -> Mapping[str, Form]:
    cell = {
        "kernel_quantizer": fixed_bits(6),
        "recurrent_quantizer": fixed_bits(6),
        "bias_quantizer": fixed_bits(6),
    }
    gates = {"activation": qkeras.quantized_tanh(6), "recurrent_activation": qkeras.quantized_sigmoid(6)}
    state = {"state_quantizer": fixed_bits(8)}
    return {
        "GRU": (SEQUENCE, rounded_first(kl.GRU(3), rounded_by(fixed_bits(8, 0)), q_dense(2))),
        "LSTM": (SEQUENCE, rounded_first(kl.LSTM(3), rounded_by(fixed_bits(8, 0)), q_dense(2))),
        "SimpleRNN": (SEQUENCE, rounded_first(kl.SimpleRNN(3), rounded_by(fixed_bits(8, 0)), q_dense(2))),
        "QGRU": (
            SEQUENCE,
            rounded_first(qkeras.QGRU(3, **cell, **gates, **state), rounded_by(fixed_bits(8, 0)), q_dense(2)),
        ),
        "QLSTM": (
            SEQUENCE,
            rounded_first(
                qkeras.QLSTM(3, **cell, **gates, **state), rounded_by(fixed_bits(8, 0)), q_dense(2)
            ),
        ),
        "QSimpleRNN": (
            SEQUENCE,
            rounded_first(
                qkeras.QSimpleRNN(3, **cell, **state, activation=qkeras.quantized_tanh(6)), q_dense(2)
            ),
        ),
        "QGRU, backwards": (
            SEQUENCE,
            rounded_first(
                qkeras.QGRU(2, **cell, **gates, **state, go_backwards=True),
                rounded_by(fixed_bits(8, 0)),
                q_dense(2),
            ),
        ),
        "QLSTM, both ways": (
            SEQUENCE,
            rounded_first(
                kl.Bidirectional(qkeras.QLSTM(2, **cell, **gates, **state)),
                rounded_by(fixed_bits(8, 0)),
                q_dense(2),
            ),
        ),
    }


def _attention() -> Mapping[str, Form]:
    return {
        "attention, one head": (
            SEQUENCE,
            rounded_first(lambda x: kl.MultiHeadAttention(1, 4)(x, x), rounded_by(fixed_bits(8, 3))),
        ),
        "attention, three heads": (
            SEQUENCE,
            rounded_first(lambda x: kl.MultiHeadAttention(3, 2)(x, x), rounded_by(fixed_bits(8, 3))),
        ),
        "attention, Linformer-like, two heads": (
            SEQUENCE,
            rounded_first(
                lambda x: kl.MultiHeadAttention(2, 2)(x, _fewer_rows(kl.Dense)(x), _fewer_rows(kl.Dense)(x)),
                rounded_by(fixed_bits(8, 3)),
            ),
        ),
        "attention, four heads on two keys": (
            SEQUENCE,
            rounded_first(lambda x: kl.GroupQueryAttention(2, 4, 2)(x, x), rounded_by(fixed_bits(8, 3))),
        ),
        "Attention": (
            SEQUENCE,
            rounded_first(lambda x: kl.Attention()([x, x]), rounded_by(fixed_bits(8, 3))),
        ),
        "Attention, scaled, of three": (
            SEQUENCE,
            rounded_first(
                lambda x: kl.Attention(use_scale=True)([x, rows_rounded(2)(x), rows_rounded(3)(x)]),
                rounded_by(fixed_bits(8, 3)),
            ),
        ),
        "Attention of sums": (
            SEQUENCE,
            rounded_first(
                lambda x: kl.Attention(use_scale=True, score_mode="concat")([x, x]),
                rounded_by(fixed_bits(8, 3)),
            ),
        ),
        "AdditiveAttention": (
            SEQUENCE,
            rounded_first(lambda x: kl.AdditiveAttention()([x, x]), rounded_by(fixed_bits(8, 3))),
        ),
    }


def _attention_blocks() -> Mapping[str, Form]:
    return {
        "attention block with LayerNormalization": (
            SEQUENCE,
            rounded_first(
                lambda x: kl.Add()([x, kl.MultiHeadAttention(2, 2)(x, x)]),
                kl.LayerNormalization(),
                kl.Dense(4, activation="relu"),
            ),
        ),
        "attention of quantized layers": (
            SEQUENCE,
            rounded_first(lambda x: _attended(x, rows_rounded(3)(x), rows_rounded(3)(x))),
        ),
        "attention of quantized layers, Linformer-like": (
            SEQUENCE,
            rounded_first(
                lambda x: _attended(
                    x,
                    *(
                        in_turn(_fewer_rows(q_dense), rounded_by(fixed_bits(6, 2)), rows_rounded(3))(x)
                        for _ in range(2)
                    ),
                )
            ),
        ),
    }


def _fewer_rows(dense: Callable[[int], Any]) -> Build:
    """A dense layer along the sequence, as Linformer's projections (arXiv:2006.04768, equation 7)."""
    return in_turn(kl.Permute((2, 1)), dense(2), kl.Permute((2, 1)))


def _attended(x: Any, keys: Any, values: Any) -> Any:
    scores = kl.Dot(axes=2)([rows_rounded(3)(x), keys])
    return kl.Dot(axes=(2, 1))([rounded_by(fixed_relu(6, 0))(FixedPointSoftmax(3)(scores)), values])


def sequence_forms() -> dict[str, Form]:
    """By name."""
    return {**_embeddings(), **_norms(), **_recurrent(), **_attention(), **_attention_blocks()}
