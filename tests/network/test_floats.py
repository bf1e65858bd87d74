"""Two threads that change the width Keras computes in leave it as it was."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import keras

from pquant_hls.network.floats import keras_floats


def test_two_threads_leave_the_width_as_it_was() -> None:
    """The second would find the first's float64, outlast it, and put that back."""
    first_in, second_in, first_out = threading.Event(), threading.Event(), threading.Event()

    def first() -> None:
        with keras_floats("float64"):
            first_in.set()
            second_in.wait(0.3)  # in vain, as it waits for its turn
        first_out.set()

    def second() -> None:
        first_in.wait(30)
        with keras_floats("float64"):
            second_in.set()
            assert first_out.wait(30)

    with ThreadPoolExecutor(2) as pool:
        for done in [pool.submit(first), pool.submit(second)]:
            done.result(60)
    assert keras.config.floatx() == "float32"


def test_one_within_another() -> None:
    with keras_floats("float64"):
        with keras_floats("float32"):
            assert keras.config.floatx() == "float32"
        assert keras.config.floatx() == "float64"
    assert keras.config.floatx() == "float32"
