"""The evidence for the linter's rules: hls4ml alone on what they are about, and the mended model, in g++ csim."""

from __future__ import annotations

import gc
from functools import reduce
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from keras import layers as kl

from pquant_hls.csim import Library, build, predict
from pquant_hls.errors import PquantError, ToolFailed, UnsupportedModel
from pquant_hls.hls import HlsProject, convert, load_project
from pquant_hls.hls.handlers import teach_hls4ml
from pquant_hls.lint import RULES, errors, fix, lint
from pquant_hls.network import keras_predict
from pquant_hls.network.capture import captured
from pquant_hls.spec import HlsSpec
from pquant_hls.testing.networks import combined
from tests.hls.hls_refused import REFUSED, STREAMED, Case, halves, keras_answers
from tests.hls.hls_zoo import (
    ALIKE,
    ELEMENTS,
    IMAGE,
    MENDED,
    VECTOR,
    act,
    chain,
    conv2d,
    dense,
    depthwise,
    inputs_of,
    model_of,
    relu,
)
from tests.testing.test_faults import REFUSED_BY

pytestmark = [pytest.mark.gxx, pytest.mark.slow, pytest.mark.usefixtures("quick_compiles")]

ALL = {**REFUSED, **STREAMED}
DIFFER = [name for name, case in REFUSED.items() if case.alone == "differs"]
STOPPED = ["alpha None", "alpha auto_po2", "quantized_linear", "powers of two", "three added"]
STOPPED += ["three concatenated", "the sum of tensors", "noise"]
SAME = ["dropout", "twice", "rounded only"]
"""Read right by hls4ml: the conversion changes their form, or has nothing left of them."""


def convert_alone(
    model: Any,
    folder: Path,
    *,
    strategy: str = "Latency",
    reuse_factor: int = 1,
    io_type: str = "io_parallel",
    **options: Any,
) -> HlsProject:
    """hls4ml's own way, as its tutorial goes, with nothing of this package but the reader of QActivation."""
    import hls4ml

    teach_hls4ml()
    with captured():
        config = hls4ml.utils.config_from_keras_model(model, granularity="name", backend="Vitis")
        for layer in config["LayerName"].values():
            layer |= {"Strategy": strategy, "ReuseFactor": reuse_factor}
        hls4ml.converters.convert_from_keras_model(
            model, hls_config=config, backend="Vitis", output_dir=str(folder), io_type=io_type, **options
        ).write()
    return load_project(folder)


def test_hls4ml_refuses_types_of_single_values_in_streams_as_the_rule_quotes_it(tmp_path: Path) -> None:
    shape, build_branch = ELEMENTS["behind sums"]
    with pytest.raises(NotImplementedError) as raised:
        convert_alone(
            model_of([(shape, build_branch)]), tmp_path / "project", io_type="io_stream", bit_exact=False
        )
    assert RULES["stream-elements"].summary == f"hls4ml: '{raised.value}'"


def outputs_of(library: Library, x: list[np.ndarray]) -> list[np.ndarray]:
    found = predict(library, x if len(x) > 1 else x[0])
    return found if isinstance(found, list) else [found]


def equal_shares(library: Library, model: Any) -> list[float]:
    """Share of each output's values within 1e-5 of Keras: far below every LSB, above float32's own rounding."""
    x = [halves(array) for array in inputs_of(model)]
    pairs = zip(outputs_of(library, x), keras_answers(model, x), strict=True)
    return [float(np.mean(np.abs(y.reshape(k.shape) - k) < 1e-5)) for y, k in pairs]


def as_advised(case: Case, spec: HlsSpec) -> Any:
    """The mended model: the message's advice, and ``fix`` where errors are left."""
    build_it = case.build if case.mended is None else case.mended
    model = model_of([(case.mended_shape or case.shape, build_it)])
    return fix(model, spec)[0] if errors(lint(model, spec)) else model


def test_alone_they_compute_other_values(tmp_path: Path, cache: Path) -> None:
    branches = {name: (REFUSED[name].shape, REFUSED[name].build) for name in [*DIFFER, "rounded only"]}
    branches["softmax"] = ALIKE["softmax"][1:]
    branches |= {name: ALIKE[name][1:] for name in SAME if name in ALIKE}
    model = model_of(list(branches.values()))
    library = build(convert_alone(model, tmp_path / "alone"), cache=cache)
    shares = dict(zip(branches, equal_shares(library, model), strict=True))
    assert {name: share for name, share in shares.items() if share == 1.0} == dict.fromkeys(SAME, 1.0)


@pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("name", [*(n for n, case in REFUSED.items() if case.alone == "raises"), *STOPPED])
def test_alone_they_stop_the_conversion(name: str, tmp_path: Path) -> None:
    model = model_of([REFUSED[name][1:3] if name in REFUSED else ALIKE[name][1:]])
    # hls4ml raises what it likes: bare Exception, AssertionError, AttributeError
    with pytest.raises((Exception, AssertionError)) as caught:
        convert_alone(model, tmp_path / "alone")
    assert not isinstance(caught.value, PquantError)
    del caught
    gc.collect()  # a file that hls4ml left open is to be complained of here, where that is ignored


BROKEN: list[tuple[str, dict[str, Any]]] = [
    (name, {}) for name, case in REFUSED.items() if case.alone == "breaks"
]
BROKEN += [(name, {"io_type": "io_stream"}) for name in STREAMED]


@pytest.mark.parametrize(
    ("name", "options"), [*BROKEN, ("a name", {}), ("depthwise", {"strategy": "Resource"})]
)
def test_alone_their_firmware_does_not_run(
    name: str, options: dict[str, Any], tmp_path: Path, cache: Path
) -> None:
    others = {"a name": ALIKE["a name"][1:], "depthwise": (IMAGE, chain(depthwise(3)))}
    model = model_of([others[name] if name in others else ALL[name][1:3]])
    try:
        found = outputs_of(
            build(convert_alone(model, tmp_path / "alone", **options), cache=cache), inputs_of(model, 4)
        )
    except (ToolFailed, UnsupportedModel):  # the latter where the top calls no layer at all
        return
    assert found[0].size != keras_answers(model, inputs_of(model, 4))[0].size


def test_of_some_keras_itself_has_no_answer() -> None:
    for name in ("negative integer bits", "causal"):
        model = model_of([REFUSED[name][1:3]])
        with pytest.raises(UnsupportedModel, match="Keras itself cannot compute"):
            keras_predict(model, inputs_of(model, 2)[0])
    random = model_of([REFUSED["bernoulli"][1:3]])
    x = inputs_of(random)
    assert not np.array_equal(keras_answers(random, x)[0], keras_answers(random, x)[0])


@pytest.mark.parametrize(("cases", "io_type"), [(REFUSED, "io_parallel"), (STREAMED, "io_stream")])
def test_mended_as_the_message_says_every_value_is_equal(
    cases: dict[str, Case], io_type: str, tmp_path: Path, cache: Path
) -> None:
    spec = HlsSpec.parse({"io_type": io_type})
    once = {case.mended or name: (name, case) for name, case in cases.items()}
    models = {name: as_advised(case, spec) for name, case in once.values()}
    whole = combined(list(models.values()))
    library = build(convert(whole, spec, tmp_path / "mended"), cache=cache)
    x = inputs_of(whole)
    parts = zip(models, outputs_of(library, x), models.values(), x, strict=True)
    equal = {name: np.array_equal(y, keras_predict(model, array)) for name, y, model, array in parts}
    assert equal == dict.fromkeys(models, True)


def test_an_activation_behind_a_flatten_is_wrong_in_a_stream_until_it_moves(
    tmp_path: Path, cache: Path
) -> None:
    model = model_of([(IMAGE, chain(conv2d(2, 2), kl.Flatten(), kl.Dropout(0.1), act(relu(4, 1)), dense(2)))])
    spec = HlsSpec.parse({"io_type": "io_stream"})
    assert "stream-flatten" in {finding.rule for finding in lint(model, spec)}
    alone = build(convert_alone(model, tmp_path / "alone", io_type="io_stream"), cache=cache)
    assert equal_shares(alone, model)[0] < 1.0
    x = inputs_of(model)[0]
    found = predict(build(convert(model, spec, tmp_path / "mended"), cache=cache), x)
    assert np.array_equal(found, keras_predict(model, x))


def test_a_large_reuse_factor_of_a_convolution_is_wrong_until_it_is_lowered(
    tmp_path: Path, cache: Path
) -> None:
    model = model_of([(IMAGE, chain(conv2d(2, 1), act(relu(5, 2))))])
    spec = HlsSpec.parse({"strategy": "resource", "reuse_factor": 4})
    alone = convert_alone(model, tmp_path / "alone", strategy="Resource", reuse_factor=4)
    assert equal_shares(build(alone, cache=cache), model)[0] < 1.0
    project = convert(model, spec, tmp_path / "mended")
    x = inputs_of(model)[0]
    assert np.array_equal(predict(build(project, cache=cache), x), keras_predict(model, x))


def test_every_rule_has_its_evidence() -> None:
    """Where it is shown: here, in test_exact (MENDED, bounds), or there is no number to compare with."""
    from pquant_hls.lint import RULES

    shown = {case.rule for case in ALL.values()} | {rule for rule, *_ in [*MENDED.values(), *ALIKE.values()]}
    shown |= {"depthwise-resource", "stream-elements", "stream-flatten", "reuse-factor"}
    shown |= {"stream-copies"}  # the next test
    shown |= {"distributed-arithmetic"}  # in test_distributed, where da4ml is there
    bounded = {"smooth-quantizer", "table-activation", "softmax-kept", "average-unrounded"}
    bounded |= {"wide-sum", "half-precision", "input-unquantized"}
    of_the_build = {"reuse-rounded", "vivado-unroll"}  # the same numbers; test_lint shows them
    assert set(RULES) == shown | bounded | of_the_build | set(REFUSED_BY.values())


def test_hls4ml_refuses_eight_readers_of_a_stream_as_the_rule_quotes_it(tmp_path: Path) -> None:
    def eight(x: Any) -> Any:
        return reduce(lambda a, b: kl.Add()([a, b]), [dense(2)(x) for _ in range(8)])

    model = model_of([(VECTOR, chain(dense(3, name="source"), eight))])
    with pytest.raises(Exception, match="more than 7 times not currently supported"):
        convert_alone(model, tmp_path / "alone", io_type="io_stream")
    with pytest.raises(UnsupportedModel, match="stream-copies"):
        convert(model, HlsSpec.parse({"io_type": "io_stream"}), tmp_path / "project")
