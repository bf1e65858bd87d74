"""Two threads that change the width Keras computes in leave it as it was."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import keras

from pquant_hls.network.floats import keras_floats


def test_two_threads_leave_the_width_as_it_was() -> None:
    inside, let_go = threading.Event(), threading.Event()

    def first() -> None:
        with keras_floats("float64"):
            inside.set()
            let_go.wait(30)

    def second() -> str:
        inside.wait(30)
        let_go.set()  # without turns, "before" of the second would be the first's float64
        with keras_floats("float64"):
            return str(keras.config.floatx())

    for _ in range(50):
        inside.clear()
        let_go.clear()
        with ThreadPoolExecutor(2) as pool:
            one, two = pool.submit(first), pool.submit(second)
            one.result(30)
            assert two.result(30) == "float64"
        assert keras.config.floatx() == "float32"


def test_one_within_another() -> None:
    with keras_floats("float64"):
        with keras_floats("float32"):
            assert keras.config.floatx() == "float32"
        assert keras.config.floatx() == "float64"
    assert keras.config.floatx() == "float32"
