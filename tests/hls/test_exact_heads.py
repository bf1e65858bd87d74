"""``keep_softmax: exact``: heads of this package's own tables, which csim gives bit for bit."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from keras import layers as kl

from pquant_hls.csim import build, compare
from pquant_hls.hls import convert
from pquant_hls.lint import errors, fix, lint
from pquant_hls.network import keras_predict
from pquant_hls.rtl import emulate
from pquant_hls.spec import HlsSpec
from tests.helpers import known
from tests.hls.hls_zoo import VECTOR, act, bits, chain, dense, inputs_of, model_of, relu

EXACT = HlsSpec.parse({"keep_softmax": "exact"})


def heads() -> Any:
    return model_of(
        [
            (VECTOR, chain(dense(5), kl.Softmax())),
            (VECTOR, chain(dense(3, activation="softmax"))),
            (VECTOR, chain(dense(4), act(relu(6, 2)), dense(1), kl.Activation("sigmoid"))),
        ]
    )


def test_the_old_values_of_the_option_are_what_they_were() -> None:
    assert [HlsSpec.parse({"keep_softmax": value}).keep_softmax for value in (False, True)] == [False, True]
    rules = {finding.rule for finding in lint(heads(), HlsSpec.parse({"keep_softmax": True}))}
    assert "softmax-kept" in rules
    assert not {"softmax-kept", "table-activation", "softmax"} & {f.rule for f in lint(heads(), EXACT)}


@pytest.mark.gxx
@pytest.mark.usefixtures("quick_compiles")
def test_csim_and_the_emulator_give_what_keras_gives_with_the_same_tables(
    tmp_path: Path, cache: Path
) -> None:
    model = heads()
    assert errors(lint(model, EXACT)) == []
    x = inputs_of(model)
    project = convert(model, EXACT, tmp_path / "project")
    assert compare(build(project, cache=cache), model, x).exact
    wanted = keras_predict(model, x, keep_softmax="exact")
    for found, value in zip(emulate(known(project.graph), x), wanted, strict=True):
        np.testing.assert_array_equal(found, value)
    for found, value in zip(wanted, keras_predict(model, x, keep_softmax=True), strict=True):
        assert 0 < np.abs(found - value).max() < 0.02


def test_a_mended_model_has_them_as_layers() -> None:
    model = model_of([(VECTOR, chain(act(bits(6, 2)), dense(3), kl.Softmax()))])
    mended, left = fix(model, EXACT)
    assert errors(left) == []
    x = inputs_of(model)[0]
    np.testing.assert_array_equal(
        keras_predict(mended, x, keep_softmax=True), keras_predict(model, x, keep_softmax="exact")
    )
