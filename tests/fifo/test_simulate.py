"""Tasks and FIFOs by themselves: what each waits for, how many places a branch needs, who gets stuck."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pquant_hls.errors import UnsupportedModel
from pquant_hls.fifo import Task, Traffic, run_tasks
from pquant_hls.fifo.depths import DRAWS, Rates, smallest
from pquant_hls.fifo.traffic import Steps

TOKENS = 12
A, B, LONG, SKIP, OUT = range(5)
EACH = tuple(((A,), (B,)) for _ in range(TOKENS))


def window(source: int, into: int, lines: int, tokens: int = TOKENS) -> Steps:
    """A convolution of ``lines`` tokens: nothing until so many were read, then one for each; the rest at the end."""
    steps: Steps = tuple(((source,), (into,) if index >= lines else ()) for index in range(tokens))
    return (*steps, *(((), (into,)) for _ in range(min(lines, tokens))))


def residual(lines: int, written: int = TOKENS) -> Traffic:
    """input -> clone -> (window, or nothing) -> add -> output, in tokens."""
    clone = tuple(((A,), (B, SKIP)) for _ in range(TOKENS))
    add = tuple(((LONG, SKIP), (OUT,)) for _ in range(TOKENS))
    source = tuple(((), (A,)) for _ in range(TOKENS))
    sink = tuple(((OUT,), ()) for _ in range(TOKENS))
    return Traffic(
        ("clone", "window", "add"),
        ("a", "b", "long", "skip", "out"),
        (clone, window(B, LONG, lines), add, source, sink),
        dict.fromkeys(("b", "long", "skip"), written),
    )


def tasks_of(traffic: Traffic, cycles: float = 0.0) -> list[Task]:
    names = (*traffic.tasks, "in", "out")
    return [Task(name, steps, cycles) for name, steps in zip(names, traffic.steps, strict=True)]


def test_a_chain_takes_its_slowest_task_for_each_token() -> None:
    slow = Task("slow", EACH, 4.0 * TOKENS)
    source = Task("in", tuple(((), (A,)) for _ in range(TOKENS)), 0)
    sink = Task("out", tuple(((B,), ()) for _ in range(TOKENS)), 0)
    flow = run_tasks([source, slow, sink], [2, 2], 3)
    assert [b - a for a, b in zip(flow.ends, flow.ends[1:], strict=False)] == [4.0 * TOKENS] * 2
    assert flow.ends[0] == 1 + 4.0 * TOKENS + 1
    assert max(flow.most) <= 2
    assert not flow.stuck


@pytest.mark.parametrize("lines", [1, 3, 7])
def test_a_skip_connection_that_holds_less_than_the_long_branch_gets_stuck(lines: int) -> None:
    traffic = residual(lines)
    places = {"a": 2, "b": 2, "long": 2, "out": 2}
    held = []
    for skip in range(1, TOKENS + 1):
        depths = [{**places, "skip": skip}[name] for name in traffic.streams]
        if not run_tasks(tasks_of(traffic), depths, 3).stuck:
            held.append(skip)
    assert held == list(range(lines + 1, TOKENS + 1))
    few = [{**places, "skip": lines}[name] for name in traffic.streams]
    stuck = dict(run_tasks(tasks_of(traffic), few, 3).stuck)
    assert stuck["clone"] == traffic.streams.index("skip")
    assert stuck["add"] == traffic.streams.index("long")


@given(
    st.integers(0, 8),
    st.lists(st.floats(0, 50), min_size=5, max_size=5),
    st.lists(st.integers(1, 9), min_size=5, max_size=5),
)
def test_who_gets_stuck_is_no_matter_of_speed(lines: int, cycles: list[float], depths: list[int]) -> None:
    traffic = residual(lines)
    at_rest = run_tasks(tasks_of(traffic), depths, 2)
    paced = [Task(task.name, task.steps, c) for task, c in zip(tasks_of(traffic), cycles, strict=True)]
    assert run_tasks(paced, depths, 2).stuck == at_rest.stuck


@given(st.integers(0, 8), st.integers(0, 4), st.lists(st.floats(0, 80), min_size=5, max_size=5))
def test_more_places_are_never_slower(lines: int, stream: int, cycles: list[float]) -> None:
    traffic = residual(lines)
    tasks = [Task(task.name, task.steps, c) for task, c in zip(tasks_of(traffic), cycles, strict=True)]
    depths = [lines + 2] * 5
    more = [depth + (number == stream) for number, depth in enumerate(depths)]
    before, after = run_tasks(tasks, depths, 3), run_tasks(tasks, more, 3)
    assert not before.stuck
    assert all(b <= a + 1e-9 for a, b in zip(before.ends, after.ends, strict=True))


@given(st.integers(0, 8), st.floats(0, 60))
def test_a_pipeline_puts_its_writes_off_and_loses_none(lines: int, cycles: float) -> None:
    task = Task("window", window(B, LONG, lines), cycles)
    late = task.late()
    for side in (0, 1):
        assert sum((step[side] for step in late.steps), ()) == sum((step[side] for step in task.steps), ())
    reads = [sum(len(step[0]) for step in late.steps[: index + 1]) for index in range(len(late.steps))]
    done = [sum(len(step[1]) for step in late.steps[: index + 1]) for index in range(len(late.steps))]
    early = dict.fromkeys(range(TOKENS + 1), 0)
    for index in range(len(task.steps)):
        before = task.steps[: index + 1]
        early[sum(len(step[0]) for step in before)] = sum(len(step[1]) for step in before)
    assert all(made <= early[read] for read, made in zip(reads, done, strict=True))


@given(st.integers(0, 8), st.lists(st.floats(0, 80), min_size=3, max_size=3))
def test_the_depths_found_hold_and_one_place_less_does_not(lines: int, cycles: list[float]) -> None:
    traffic = residual(lines)
    rates = dict(zip(traffic.tasks, cycles, strict=True))
    found = smallest(traffic, Rates(rates))
    whole = [traffic.depths.get(name, 2) for name in traffic.streams]
    tasks = [
        Task(n, s, rates.get(n, 0.0)) for n, s in zip((*traffic.tasks, "i", "o"), traffic.steps, strict=True)
    ]
    wanted = run_tasks(tasks, whole, 3).ends
    assert found.cycles == wanted
    places = [found.depths.get(name, 2) for name in traffic.streams]
    assert not run_tasks([task.late() for task in tasks], places, 3).stuck
    for number, name in enumerate(traffic.streams):
        if found.depths.get(name, 2) > 2:
            fewer = [depth - (place == number) for place, depth in enumerate(places)]
            slower = run_tasks(tasks, fewer, 3)
            assert (
                slower.stuck or slower.ends > wanted or run_tasks([t.late() for t in tasks], fewer, 3).stuck
            )


def test_the_skip_connection_alone_is_deep() -> None:
    found = smallest(residual(5), None)
    assert found.depths["b"] == 2
    assert 6 <= found.depths["skip"] <= 9
    fifo = next(one for one in found.fifos if one.name == "skip")
    assert (fifo.writer, fifo.tokens, fifo.written) == ("clone", TOKENS, TOKENS)


def test_depths_that_get_stuck_as_they_are_written_are_told() -> None:
    with pytest.raises(UnsupportedModel, match=r"waits for ever for 'skip'"):
        smallest(residual(6, written=4), None)


def test_depths_hold_for_other_cycles_within_the_interval() -> None:
    traffic = residual(4)
    rates = Rates({"clone": 12.0, "window": 30.0, "add": 24.0}, 0.6, 1.5)
    narrow, wide = smallest(traffic, Rates(rates.cycles)), smallest(traffic, rates)
    assert all(wide.depths[name] >= depth for name, depth in narrow.depths.items())
    assert wide.cycles == narrow.cycles
    rng = np.random.default_rng(0)
    places = [wide.depths.get(name, 2) for name in traffic.streams]
    whole = [traffic.depths.get(name, 2) for name in traffic.streams]
    for _ in range(DRAWS):
        drawn = rates.drawn(rng)
        tasks = [Task(t.name, t.steps, drawn.get(t.name, 0.0)) for t in tasks_of(traffic)]
        found, best = (run_tasks(tasks, depths, 3).ends for depths in (places, whole))
        assert found == pytest.approx(best)
