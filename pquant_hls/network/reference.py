"""The answer of the user's own Keras model, which every check holds the firmware against."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pquant_hls.errors import UnsupportedModel
from pquant_hls.network import witness
from pquant_hls.network.capture import captured
from pquant_hls.network.heads import Keep, exact_heads
from pquant_hls.network.quantizers import keras_computes

Floats = NDArray[np.float64]
Inputs = ArrayLike | Sequence[ArrayLike]


@dataclass(frozen=True)
class Reference:
    """``outputs`` (n, *output shape) in the model's order and ``inside``, by the names that were asked for, float64.

    ``note`` says where this is not the float64 answer of ``network.witness``.
    """

    outputs: list[Floats]
    inside: dict[str, Floats] = field(default_factory=dict)
    note: str | None = None


def keras_predict(model: Any, x: Inputs, *, keep_softmax: Keep = False) -> Floats | list[Floats]:
    """The model's inference, free of float32's rounding, without a final softmax or sigmoid.

    ``keep_softmax`` keeps these, as the recipe's option of this name does in the firmware; ``exact``: those of tables that
    stand there in their place.

    The model's own layers compute, in float64, exact up to 53 bits; QKeras' straight-through estimator
    (``x + (q(x) - x)``) leaves no residue. Nothing of the conversion has a part in it: see ``network.witness``.

    Parameters
    ----------
    x : (n, *input shape), or a list of them for several inputs.

    Returns
    -------
    float64 (n, *output shape), a list for several outputs.

    Raises
    ------
    UnsupportedModel : Keras itself cannot compute it. DataError : ``x`` does not fit.
    """
    found = reference(model, x, keep_softmax=keep_softmax).outputs
    return found[0] if len(found) == 1 else found


def reference(
    model: Any,
    x: Inputs,
    *,
    keep_softmax: Keep | Sequence[bool] = False,
    places: Mapping[str, witness.Place] | None = None,
) -> Reference:
    """What the firmware of a model must give, from the model itself.

    Where a layer cannot compute in float64 (one that holds float32 constants), all compute as they are; a model
    without a fixed graph answers by ``predict``, its heads included. ``note`` then says so.

    Parameters
    ----------
    keep_softmax : whether a final softmax or sigmoid is in the firmware; one for each output where they differ.
    places : tensors of the model's own graph whose values are wanted too, by a name.

    Raises
    ------
    UnsupportedModel : Keras itself cannot compute it. DataError : ``x`` does not fit.
    """
    wanted = dict(places or {})
    if keep_softmax == "exact":
        model, keep_softmax = exact_heads(model), True
    asked: dict[str, Any] = {"keep_softmax": keep_softmax, "places": list(wanted.values())}
    name, note = str(model.name), None
    if not witness.has_graph(model):
        return Reference(_predicted(model, x), note="no fixed graph: compared with model.predict, in float32")
    with captured():
        try:
            with keras_computes(name):
                outputs, inside = witness.answers_at(model, x, **asked)
        except UnsupportedModel as cause:
            with keras_computes(name):
                outputs, inside = witness.answers_at(model, x, mend=False, **asked)
            note = f"compared with the model's float32 answers, as float64 fails: {cause.message}"
    return Reference(outputs, dict(zip(wanted, inside, strict=True)), note)


def _predicted(model: Any, x: Inputs) -> list[Floats]:
    with captured(), keras_computes(str(model.name)):
        found = model.predict(x, verbose=0)
    return [np.asarray(port, np.float64) for port in (found if isinstance(found, list | tuple) else [found])]
