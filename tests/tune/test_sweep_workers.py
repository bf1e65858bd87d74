"""Sweeps by several processes: the result of one alone, whatever becomes of them."""

from __future__ import annotations

import os
import signal
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pquant_hls.datasets import Dataset
from pquant_hls.datasets.assemble import assemble
from pquant_hls.engine import Event
from pquant_hls.errors import SpecError
from pquant_hls.spec import Recipe
from pquant_hls.tune.worker import SharedRun, check_workers, claim, designs_of, get_data, put_data

RECIPE = Recipe.parse(
    {
        "steps": [
            {"step": "prune", "sparsity": 0.0},
            {"step": "quantize", "bits": 8, "epochs": 1, "batch_size": 64},
        ],
        "budget": {"latency_ns": 1000, "max_accuracy_loss": 0.5},
    }
)
GRID: dict[str, list[Any]] = {"steps.0.sparsity": [0.0, 0.5], "steps.1.bits": [4, 8]}


@pytest.mark.parametrize("workers", [0, -1, 1.5, True, "two"])
def test_a_number_of_workers_that_cannot_be_meant_is_told(workers: Any) -> None:
    with pytest.raises(SpecError, match=r"workers: got .*a whole number from 1"):
        check_workers(workers)


def test_each_design_is_made_by_one_worker_and_one_left_behind_by_the_next(tmp_path: Path) -> None:
    first, second = designs_of(tmp_path, 4), designs_of(tmp_path, 4)
    assert [next(first), next(second), next(first)] == [0, 1, 2]
    dead = claim(tmp_path, 3)
    assert dead is not None
    assert list(second) == []
    os.close(dead)  # as the kernel does when its worker is killed
    assert list(first) == [3]
    assert list(designs_of(tmp_path, 4)) == []


def test_work_that_another_is_at_is_waited_for(tmp_path: Path) -> None:
    (tmp_path / "locks").mkdir()
    one, other = (SharedRun(tmp_path, tmp_path / "locks") for _ in range(2))
    assert not one.has("steps/a")
    asked = threading.Event()

    def ask() -> bool:
        asked.set()
        return other.has("steps/a")

    with ThreadPoolExecutor(1) as pool:
        waits = pool.submit(ask)
        asked.wait()
        with one.work("steps/a") as folder:
            (folder / "made").write_text("by one")
            time.sleep(0.2)
            assert not waits.done()
        assert waits.result(timeout=30)
    assert (tmp_path / "steps" / "a" / "made").read_text() == "by one"


def test_work_that_failed_is_free_for_the_next(tmp_path: Path) -> None:
    (tmp_path / "locks").mkdir()
    one, other = (SharedRun(tmp_path, tmp_path / "locks") for _ in range(2))
    assert not one.has("steps/a")
    with pytest.raises(ValueError, match="no"), one.work("steps/a"):
        raise ValueError("no")
    assert not other.has("steps/a")
    assert not (tmp_path / "steps" / "a").exists()


def test_a_data_set_goes_to_workers_as_it_is(tmp_path: Path) -> None:
    from dataclasses import replace

    on_disk = np.memmap(tmp_path / "x", np.float32, "w+", shape=(500, 5))
    on_disk[:] = np.random.default_rng(0).normal(size=(500, 5))
    on_disk.flush()
    plain = events()
    data = replace(plain, x_train=on_disk[: len(plain.x_train)], name="on disk")
    put_data(data, tmp_path / "data")
    found = get_data(tmp_path / "data")
    assert found.digest == data.digest
    assert dict(found.meta) == dict(data.meta)
    assert isinstance(found.x_train, np.ndarray)


def events() -> Dataset:
    rng = np.random.default_rng(3)
    y = np.arange(500) % 2
    x = rng.normal(0, 1, (500, 5)) + np.where(y[:, None] == 1, 0.8, -0.8) * np.array([1, 1, 0, 0, 1])
    return assemble({"x": x.astype(np.float32), "y": y}, name="toy", where="toy", seed=0)


class Killer:
    """A listener that kills the first worker which says that it begins a design."""

    def __init__(self) -> None:
        self.killed: list[int] = []
        self.said: list[str] = []

    def __call__(self, event: Event) -> None:
        self.said.append(event.text)
        if event.text.startswith("worker ") and " trial " in event.text and not self.killed:
            found = [
                int(path.parent.name)
                for path in Path("/proc").glob("[0-9]*/cmdline")
                if b"pquant_hls.tune.worker" in _read(path) and b"_warden.py" not in _read(path)
            ]
            self.killed = found[:1]
            os.kill(found[0], signal.SIGKILL)


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        return b""


@pytest.mark.gxx
@pytest.mark.slow
def test_two_workers_give_what_one_process_gives_even_where_one_is_killed(tmp_path: Path) -> None:
    pytest.importorskip("pandas")
    from pquant_hls import sweep
    from pquant_hls.network import build_mlp

    model, data, killer = build_mlp(5, (8,), 2, seed=0), events(), Killer()
    alone = sweep(model, data, RECIPE, GRID, tmp_path / "alone")
    shared = sweep(model, data, RECIPE, GRID, tmp_path / "shared", workers=2, listen=killer)
    assert killer.killed
    assert any("died by SIGKILL" in text for text in killer.said)
    assert shared.frame.equals(alone.frame)
    assert shared.reason == alone.reason
    assert shared.qor.digest == alone.qor.digest
    assert not list((tmp_path / "shared").glob("*.part*"))
    names = [
        sorted(path.name for path in (tmp_path / run / "steps").iterdir()) for run in ("alone", "shared")
    ]
    assert names[0] == names[1]


def test_a_worker_alone_makes_every_design(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """In this process: what a worker does, with a line for each design."""
    from types import SimpleNamespace

    from pquant_hls.network import build_mlp
    from pquant_hls.tune import sweep, worker

    in_turn = threading.Lock()

    def here(command: tuple[str, ...], *_: Any, **__: Any) -> SimpleNamespace:
        with in_turn:  # Keras has settings of the whole process, and a worker is a process
            worker.serve(Path(command[-1]))
        return SimpleNamespace(ok=True)

    monkeypatch.setattr(worker, "run", here)
    grid: dict[str, list[Any]] = {"steps.1.bits": [4, 8]}
    found = sweep(build_mlp(5, [4], 2, seed=0), events(), RECIPE, grid, tmp_path / "shared", workers=2)
    assert "trial 0 of 2" in capsys.readouterr().out
    assert len(found.frame) == 2
