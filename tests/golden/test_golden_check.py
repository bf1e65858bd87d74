"""A check finds what changed in the generated project, and says where."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from pquant_hls.csim import build
from pquant_hls.errors import GoldenError, OutputError, SpecError
from pquant_hls.golden import Golden, Rule, check, random_inputs, record, write_testbench
from pquant_hls.hls import load_project
from tests.helpers import Edit, known, single

pytestmark = pytest.mark.gxx


def reference(x: np.ndarray) -> np.ndarray:
    """The mini project's network in numpy, with its types' rounding and overflow."""

    def fixed(v: np.ndarray, width: int, integer: int, *, saturate: bool) -> np.ndarray:
        scale = 2.0 ** (width - integer)
        low, high = -(2.0 ** (width - 1)), 2.0 ** (width - 1) - 1
        if saturate:
            return np.clip(np.rint(v * scale), low, high) / scale
        return ((np.floor(v * scale) - low) % 2.0**width + low) / scale

    w2 = np.array([[0.5, -0.25], [0.75, 0.96875], [-0.5, 0.125]])
    w4 = np.array([[0.53125, -0.75], [0.90625, 0.375]])
    hidden = fixed(fixed(x, 8, 4, saturate=True) @ w2 + [0.25, -0.125], 16, 8, saturate=False)
    hidden = fixed(np.maximum(hidden, 0), 8, 5, saturate=True)
    return fixed(hidden @ w4 + [-0.5, 0.15625], 12, 6, saturate=False)


def test_a_golden_holds_what_the_firmware_computes(golden: Golden) -> None:
    assert golden.count == 128
    assert np.array_equal(golden.y, reference(single(golden.x)))
    assert golden.outputs[0].lsb == 2.0**-6
    assert list(golden.layers) == ["fc1", "relu1", "out"]
    # finer than the input type, so that its rounding is exercised
    assert not np.array_equal(golden.x, known(golden.inputs[0].type).quantize(single(golden.x)))


def test_an_unchanged_project_passes_wherever_it_lies(
    golden: Golden, mini_project: Path, tmp_path: Path, csim_cache: Path
) -> None:
    moved = tmp_path / "elsewhere" / "copy"
    shutil.copytree(mini_project, moved)
    result = check(moved, golden, cache=csim_cache)
    assert result.passed
    assert result.lines() == ["csim passed: mini, 128 inputs, every bit equal"]
    assert json.loads(json.dumps(result.to_json()))["passed"] is True


def test_a_copy_is_checked_itself(
    golden: Golden,
    mini_project: Path,
    tmp_path: Path,
    csim_cache: Path,
    edit: Edit,
) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(mini_project, copy)
    edit(copy, "firmware/weights/w2.txt", "0.75000", "0.78125")
    assert not check(copy, golden, cache=csim_cache).passed
    assert check(mini_project, golden, cache=csim_cache).passed


def test_a_wrong_weight_is_found_with_its_layer(
    golden: Golden, mini_project: Path, csim_cache: Path, edit: Edit
) -> None:
    edit(mini_project, "firmware/weights/w4.txt", "0.53125", "0.56250")
    result = check(mini_project, golden, cache=csim_cache)
    assert not result.passed
    assert result.layer == "out"
    assert [str(difference) for difference in result.weights] == [
        "weights w4[0]: csim reads 0.5625, synthesis 0.53125"
    ]
    first = result.mismatches[0]
    hidden = first.expected * 64, first.obtained * 64
    assert first.output == "layer4_out"
    assert first.channel == 0
    assert hidden[1] - hidden[0] == first.lsbs != 0
    assert result.changed == ("firmware/weights/w4.txt",)
    assert any("first divergent layer: out" in line for line in result.lines())


def test_altered_headers_are_found_though_csim_cannot_see_them(
    golden: Golden, mini_project: Path, csim_cache: Path, edit: Edit
) -> None:
    edit(mini_project, "firmware/weights/w2.h", "0.96875", "0.93750")
    result = check(mini_project, golden, cache=csim_cache)
    assert result.outputs.passed
    assert not result.passed
    assert result.weights[0].index == 3
    with pytest.raises(GoldenError, match=r"w2\[3\]: csim reads 0.96875, synthesis 0.9375"):
        record(mini_project, golden.x, cache=csim_cache)


def test_a_narrower_layer_is_named_though_few_outputs_change(
    golden: Golden, mini_project: Path, csim_cache: Path, edit: Edit
) -> None:
    edit(mini_project, "firmware/defines.h", "ap_fixed<16,8> layer2_t", "ap_fixed<12,4> layer2_t")
    result = check(mini_project, golden, cache=csim_cache)
    assert result.layer == "fc1"
    assert 0 < len(result.outputs.wrong_inputs) < 128
    loose = check(mini_project, golden, rule=Rule("decision", threshold=60.0), cache=csim_cache)
    assert loose.passed
    assert known(loose.outputs.decision).agreement == 1.0


def test_another_output_word_fails_the_exact_rule_only(
    golden: Golden, mini_project: Path, csim_cache: Path, edit: Edit
) -> None:
    edit(mini_project, "firmware/defines.h", "ap_fixed<12,6> result_t", "ap_fixed<14,6> result_t")
    result = check(mini_project, golden, cache=csim_cache)
    assert not result.passed
    assert result.interface == ("port layer4_out: type ap_fixed<14,6>, recorded as ap_fixed<12,6>",)
    assert check(mini_project, golden, rule=Rule("lsb", tolerance_lsb=1), cache=csim_cache).passed


def test_inputs_truncated_to_integers_are_found(
    golden: Golden, mini_project: Path, csim_cache: Path, edit: Edit
) -> None:
    truncated = "for (int i = 0; i < 3; i++) x[i] = int(double(x[i]));"
    edit(
        mini_project,
        "firmware/mini.cpp",
        "    layer2_t layer2_out",
        f"    {truncated}\n    layer2_t layer2_out",
    )
    result = check(mini_project, golden, cache=csim_cache)
    assert not result.passed
    assert result.layer == "fc1"


def test_trigger_decisions_are_compared_as_rates_and_efficiency(
    golden: Golden, mini_project: Path, csim_cache: Path, edit: Edit
) -> None:
    labels = np.arange(128) % 3  # class 0, the channel that decides, is the signal
    rule = Rule("decision", threshold=1.0)
    ours = record(mini_project, golden.x, labels=labels, rule=rule, cache=csim_cache)
    for copy in ("txt", "h"):
        edit(mini_project, f"firmware/weights/b4.{copy}", "-0.50000", "0.25000")
    result = check(mini_project, ours, cache=csim_cache)
    y = single(golden.y)[:, 0]
    before, after = y > 1, y + 0.75 > 1
    decision = known(result.outputs.decision)
    assert not result.passed
    assert (decision.rate_expected, decision.rate_obtained) == (before.mean(), after.mean())
    assert decision.efficiency_expected == before[labels == 0].mean()
    assert decision.efficiency_obtained == after[labels == 0].mean()
    assert result.outputs.wrong_inputs == tuple(np.flatnonzero(before != after))
    loose = Rule("decision", threshold=1.0, agreement=0.5)
    assert check(mini_project, ours, rule=loose, cache=csim_cache).passed


def test_rules_that_mean_nothing_are_refused(golden: Golden, mini_project: Path, csim_cache: Path) -> None:
    with pytest.raises(SpecError, match="unknown mode 'close'"):
        Rule("close")  # type: ignore[arg-type]  # refused is what is tested
    with pytest.raises(SpecError, match="agreement"):
        Rule("argmax", agreement=0.0)
    with pytest.raises(SpecError, match="no channel 2"):
        check(mini_project, golden, rule=Rule("decision", channel=2), cache=csim_cache)


def test_a_pinned_golden_refuses_another_design(
    golden: Golden, mini_project: Path, csim_cache: Path, edit: Edit
) -> None:
    edit(mini_project, "firmware/mini.cpp", "// relu1", "// relu one")
    assert check(mini_project, golden, cache=csim_cache).passed
    with pytest.raises(GoldenError, match="recorded from"):
        check(mini_project, golden, pinned=True, cache=csim_cache)


def test_a_cache_that_cannot_be_written(
    golden: Golden, mini_project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("not a folder")
    monkeypatch.setenv("XDG_CACHE_HOME", str(blocked))
    assert check(mini_project, golden).passed
    with pytest.raises(OutputError, match="cache cannot be written"):
        check(mini_project, golden, cache=blocked)
    assert blocked.read_text() == "not a folder"


def test_checks_side_by_side_share_a_cache(golden: Golden, mini_project: Path, tmp_path: Path) -> None:
    golden.save(tmp_path / "mini.golden")
    code = (
        "import sys; from pathlib import Path; from pquant_hls.golden import check\n"
        "sys.exit(0 if check(Path(sys.argv[1]), Path(sys.argv[2]), cache=Path(sys.argv[3])).passed else 1)"
    )
    command = [
        sys.executable,
        "-c",
        code,
        str(mini_project),
        str(tmp_path / "mini.golden"),
        str(tmp_path / "cache"),
    ]
    with ThreadPoolExecutor(2) as pool:
        runs = list(
            pool.map(lambda _: subprocess.run(command, capture_output=True, text=True, check=False), range(2))
        )
    assert [run.returncode for run in runs] == [0, 0], [run.stderr for run in runs]
    assert len(list((tmp_path / "cache").glob("*/*"))) == 1


def test_two_projects_in_one_process_do_not_share_symbols(
    golden: Golden,
    mini_project: Path,
    tmp_path: Path,
    csim_cache: Path,
    edit: Edit,
) -> None:
    other = tmp_path / "other"
    shutil.copytree(mini_project, other)
    for copy in ("txt", "h"):
        edit(other, f"firmware/weights/b4.{copy}", "-0.50000", "0.50000")
    libraries = [build(load_project(path), cache=csim_cache).path for path in (mini_project, other)]
    code = (
        "import ctypes, sys\n"
        "loaded = [ctypes.CDLL(path, mode=ctypes.RTLD_LOCAL) for path in sys.argv[1:]]\n"
        "for library in loaded:\n"
        "    x, out = (ctypes.c_double * 3)(1, 1, 1), (ctypes.c_double * 2)()\n"
        "    sides = [(ctypes.c_void_p * 1)(ctypes.addressof(side)) for side in (x, out)]\n"
        "    library.pquant_csim(ctypes.c_size_t(1), *sides, None)\n"
        "    print(out[0])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, *map(str, libraries)], capture_output=True, text=True, check=True
    )
    one, two = map(float, done.stdout.split())
    assert two - one == 1.0


def test_the_vendors_test_bench_gets_the_same_vectors(golden: Golden, mini_project: Path) -> None:
    features, predictions = write_testbench(mini_project, golden.x, golden.y)
    assert features == mini_project / "tb_data" / "tb_input_features.dat"
    assert np.array_equal(np.loadtxt(features), known(golden.inputs[0].type).quantize(single(golden.x)))
    assert np.array_equal(np.loadtxt(predictions), golden.y)


def test_random_inputs_repeat_and_reach_beyond_the_type(mini_project: Path) -> None:
    project = load_project(mini_project)
    x = single(random_inputs(project, 300, seed=3))
    assert np.array_equal(x, random_inputs(project, 300, seed=3))
    assert x.shape == (300, 3)
    assert x.min() < -8
    assert x.max() > 7.9375
