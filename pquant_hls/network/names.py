"""Names that neither C++ nor hls4ml changes."""

from __future__ import annotations

import itertools
import re
from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pquant_hls.network.graph import Call

_WORDS = (
    "input output auto bool break case char class const default delete do double else enum extern false float"
    " for if int long namespace new return short signed sizeof static struct switch template this true typedef"
    " union unsigned using void while nnet hls std max min relu sigmoid tanh softmax linear dense main"
)
_TYPE_WORDS = (
    "activation array both_binary class config_t data_binary io_type layer_t mult nnet op op_add op_and op_max op_min op_or"
    " pool_op product scale_index_regular scale_index_unscaled strategy weight_binary weight_exponential weight_ternary"
)
_TYPES = frozenset(_TYPE_WORDS.split())
"""Types and namespaces in hls4ml's namespace ``nnet``, beside those that end in ``_config`` or ``_class``."""
_KEYWORDS = frozenset(_WORDS.split())
_HLS_NAME = re.compile(r"(?:[a-z]|config|layer)\d+(?:_\w*)?")


def is_reserved(name: str) -> bool:
    """Whether C++ or hls4ml's generated code uses this name itself."""
    return name.lower() in _KEYWORDS or _HLS_NAME.fullmatch(name) is not None


def _is_word(name: str) -> bool:
    """Whether the name can be no function in ``nnet``."""
    return name.lower() in _KEYWORDS | _TYPES or name.endswith(("_config", "_class"))


def identifier(name: str) -> str:
    """The name with what no C identifier may hold replaced by ``_``."""
    return re.sub(r"\W", "_", name, flags=re.ASCII)


def unused(wanted: str, taken: Collection[str]) -> str:
    """``wanted``, or with a number behind it where that is taken, case not counting."""
    numbered = (wanted if count == 1 else f"{wanted}_{count}" for count in itertools.count(1))
    lower = {name.lower() for name in taken}
    return next(name for name in numbered if name.lower() not in lower)


def safe_names(calls: Sequence[Call]) -> tuple[str, ...]:
    """A name for each call that neither C++ nor hls4ml changes.

    Unique without regard to case, as hls4ml looks names up in lower case; hls4ml renames what is called after
    one letter of the word input. Only input layers become C++ variables and only ``FixedPointQuantizer`` functions in
    ``nnet``, so only these avoid its words.
    """
    used: set[str] = set()
    found = []
    for call in calls:
        base = identifier(call.name)
        avoided = base == "input" or (call.kind == "InputLayer" and is_reserved(base))
        avoided |= call.kind == "FixedPointQuantizer" and _is_word(base)
        if not base[:1].isalpha() or len(base) == 1 or avoided:
            base = f"l_{base.strip('_')}"
        found.append(unused(base, used))
        used.add(found[-1])
    return tuple(found)
