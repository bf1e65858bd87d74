"""What fits a budget without training: the grid, its order, and what is refused."""

from __future__ import annotations

import subprocess
import sys
import time

import pytest

from pquant_hls.decide import Verdict
from pquant_hls.errors import SpecError
from pquant_hls.estimate import suggest, with_fewer_layers
from pquant_hls.estimate.suggest import sizes_of
from pquant_hls.spec import Budget, HlsSpec
from tests.helpers import cycles_of

PART = "xcvu13p-flga2577-2-e"


def test_what_fits_comes_first_and_the_largest_of_it_before_the_rest() -> None:
    found = suggest("16-32-16-5", part=PART, clock="5 ns", latency="30 ns")
    verdicts = [one.verdict for one in found]
    assert verdicts == sorted(verdicts, key=[Verdict.MET, Verdict.UNKNOWN, Verdict.MISSED].index)
    assert {Verdict.MET, Verdict.MISSED} <= set(verdicts)
    for one in found:
        highest = one.qor.latency.worst_ns_hi if one.qor.latency else None
        assert (one.verdict is Verdict.MET) == (highest is not None and highest <= 30)
    fits = [one for one in found if one.verdict is Verdict.MET]
    assert fits[0].bits * sum(fits[0].sizes) >= fits[-1].bits * sum(fits[-1].sizes)
    assert {one.sizes[0] for one in found} == {16}
    assert {one.sizes[-1] for one in found} == {5}


def test_reuse_is_told_with_its_strategy_and_trades_cycles_for_multipliers() -> None:
    found = suggest((16, 32, 5), latency="1 us")
    shared = {one.reuse_factor: one for one in found if one.sizes == (16, 32, 5) and one.bits == 8}
    assert [shared[reuse].strategy for reuse in (1, 4, 16)] == ["latency", "resource", "resource"]
    cycles = [cycles_of(shared[reuse].qor) for reuse in (1, 4, 16)]
    assert cycles == sorted(cycles)


def test_limits_on_resources_count_too() -> None:
    found = suggest("8-16-4", budget={"latency_ns": "100 ns", "resources": {"dsp": 0}})
    best = found[0]
    assert best.verdict is Verdict.MET
    assert best.qor.resources is not None
    assert best.qor.resources.intervals["dsp"] == (0.0, 0.0)


def test_a_part_of_another_family_and_another_tool_are_estimated_too() -> None:
    found = suggest("7-32-16-1", part="xc7vx690tffg1927-2", clock="160 MHz", latency="2 BX", backend="Vivado")
    assert found[0].qor.part == "xc7vx690tffg1927-2"
    assert found[0].verdict is not Verdict.MISSED


@pytest.mark.parametrize("model", ["16", "0-4", (16,), (16, 2.5), ()])
def test_sizes_that_make_no_network_are_refused(model: object) -> None:
    with pytest.raises(SpecError, match="two or more whole numbers"):
        sizes_of(model)


def test_no_limit_is_refused() -> None:
    with pytest.raises(SpecError, match="no limit"):
        suggest("16-8-2")


def test_sizes_need_no_tensorflow_and_take_seconds() -> None:
    code = (
        "import sys, pquant_hls\nprint(pquant_hls.suggest('16-64-32-32-5', latency='40 ns')[0].verdict)\n"
        "sys.exit(str({'tensorflow', 'keras'} & set(sys.modules) or '') or 0)"
    )
    start = time.monotonic()
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout.strip()) == (0, "MET"), done.stderr
    assert time.monotonic() - start < 60


def test_a_keras_model_of_dense_layers_gives_its_sizes() -> None:
    from pquant_hls.errors import UnsupportedModel
    from pquant_hls.network import build_mlp

    assert sizes_of(build_mlp(16, (64, 32), 5)) == (16, 64, 32, 5)
    import keras

    image = keras.Sequential([keras.Input((8, 8, 1)), keras.layers.Conv2D(2, 3), keras.layers.Flatten()])
    with pytest.raises(UnsupportedModel, match="give the sizes"):
        sizes_of(image)


def test_where_the_depth_is_too_much_the_deepest_that_fits_is_named() -> None:
    target, budget = HlsSpec().target, Budget(latency_ns=25)
    found = with_fewer_layers((16, 64, 32, 32, 5), target, budget)
    assert found is not None
    assert found.verdict is Verdict.MET
    assert (found.sizes[0], found.sizes[-1], len(found.sizes)) == (16, 5, 3)
    deeper = [one.verdict for one in suggest((16, 64, 32, 5), latency=25)]
    assert Verdict.MET not in deeper, "none of two hidden layers fits"
    assert with_fewer_layers((16, 64, 32, 32, 5), target, Budget(latency_ns=1)) is None
