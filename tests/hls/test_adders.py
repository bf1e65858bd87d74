"""Adders read from the C++ of hls4ml's distributed arithmetic."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np

from pquant_hls.hls.adders import read_adders, widened_results, with_adders
from pquant_hls.qor import FixedArray, FixedPointGraph, FixedType, Node

CODE = """template <typename inp_t, typename out_t>
void dense_da_3(inp_t model_inp[3], out_t model_out[2]) { // ap_fixed<8,4> -> ap_fixed<16,8>
    ap_ufixed<1, 0> model_inp_q_2 = 0;
    ap_fixed<6, 4, AP_RND, AP_SAT> model_inp_q_0 = model_inp[0];
    ap_fixed<8,4> v0 = model_inp_q_0; // 0.0
    ap_fixed<8,4> v1 = model_inp[1]; // 0.0
    ap_fixed<10,5> v3 = v1 + bit_shift<-1>(v0); // 1.0
    ap_fixed<11,5> v4 = -v3; // 1.0
    ap_ufixed<12,6> v5 = v4 - bit_shift<2>(v1); // 2.0
    ap_fixed<13,-6> v6 = v5 + ap_ufixed<4,5>(18.0); // 3.0
    ap_fixed<9,5> v7 = v3 + v6; // 4.0
    model_out[0] = ap_fixed<16,8>(bit_shift<-2>(v7));
    model_out[1] = ap_fixed<16,8>(v1);
}
"""


def test_each_sum_is_an_adder_and_a_sign_alone_is_none() -> None:
    assert read_adders(CODE).tolist() == [[-1, -1, 10], [0, -1, 12], [1, -1, 13], [0, 2, 9]]


def test_code_without_sums_has_no_adder() -> None:
    assert read_adders("ap_fixed<8,4> v0 = model_inp[0];").shape == (0, 3)


def test_a_result_gets_bits_down_to_the_step_it_is_rounded_to() -> None:
    code = "model_out[0] = ap_ufixed<1,-4>(v6);\n model_out[11] = ap_fixed<12,6>(-v7);"
    stored = FixedType(4, 3, True, "RND_CONV", "SAT")
    assert (
        widened_results(code, stored)
        == "model_out[0] = ap_ufixed<5,0>(v6);\n model_out[11] = ap_fixed<12,6>(-v7);"
    )
    assert widened_results(code, FixedType(8, 2)) == code


def graph() -> FixedPointGraph:
    kind = FixedType(8, 4)
    weight = {"weight": FixedArray(np.array([[1, 2], [3, 0], [0, 0]]), 0)}
    attrs = {"strategy": "latency"}
    return FixedPointGraph(
        (
            Node("x", "input", (), (3,), kind),
            Node("d", "dense", ("x",), (2,), kind, arrays=weight, attrs=attrs),
            Node("r", "relu", ("d",), (2,), kind),
        ),
        ("r",),
    )


def told() -> FixedPointGraph:
    layers: Any = {"d": SimpleNamespace(attributes={"da_codegen": SimpleNamespace(code=CODE)})}
    return with_adders(graph(), SimpleNamespace(graph=layers))


def test_the_adders_belong_to_these_weights_alone() -> None:
    node = told().node("d")
    assert node.strategy == "distributed_arithmetic"
    assert node.adders is not None
    assert node.adders.tolist() == read_adders(CODE).tolist()
    other = FixedArray(node.arrays["weight"].codes * 0, 0)
    assert replace(node, arrays={**node.arrays, "weight": other}).adders is None
    assert graph().node("d").adders is None
    assert told().node("r") == graph().node("r")


def test_a_file_keeps_the_adders() -> None:
    again = FixedPointGraph.from_bytes(told().to_bytes())
    assert again.digest() == told().digest()
    assert np.array_equal(again.node("d").arrays["adders"].codes, read_adders(CODE))
    assert again.node("d").adders is not None
