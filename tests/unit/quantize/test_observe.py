"""A graph is run once however often it is looked at, as far as its tensors fit into memory."""

import numpy as np
import pytest

from serval.quantize import observe
from serval.quantize.graph import copied


@pytest.fixture
def sessions(monkeypatch):
    """Every session that was opened to observe."""
    opened, open_session = [], observe.open_session
    monkeypatch.setattr(observe, "open_session", lambda path: opened.append(path) or
                        open_session(path))  # fmt: skip
    return opened


def looked_at(bench, graph, names):
    return [
        {name: values.copy() for name, values in tensors.items()}
        for tensors in bench.observer().tensors(graph, names)
    ]


def same(some, others):
    return all(
        one.keys() == other.keys() and all(np.array_equal(one[name], other[name]) for name in one)
        for one, other in zip(some, others, strict=True)
    )


def test_a_graph_is_run_once_for_tensors_that_were_asked_for_and_again_for_others(bench, sessions):
    first, second, third = [layer.source for layer in bench.layers][:3]
    both = looked_at(bench, bench.graph, [first, second])
    assert len(both) == len(bench.calibration.waveforms)
    assert same([{second: one[second]} for one in both], looked_at(bench, bench.graph, [second]))
    assert len(sessions) == 1
    looked_at(bench, bench.graph, [first, third])
    assert len(sessions) == 2
    looked_at(bench, copied(bench.graph), [third])
    assert len(sessions) == 3, "another graph, though it computes the same"


def test_what_does_not_fit_is_run_again_in_its_place(bench, sessions, monkeypatch):
    name = bench.layers[1].source
    whole = looked_at(bench, bench.graph, [name])
    size = max(one[name].nbytes for one in whole)
    monkeypatch.setattr(observe, "MOST_BYTES", 2 * size)
    twin = copied(bench.graph)
    assert same(looked_at(bench, twin, [name]), whole)
    assert 2 <= len(bench.seen.clips) < len(whole)
    assert same(looked_at(bench, twin, [name]), whole)
    assert len(sessions) == 3
