import numpy as np
import onnx
import pytest

from serval.audio import decode
from serval.models.onnx import load_onnx
from serval.web.clips import LIMIT, MASKS, _step, page_clips, trace_of


@pytest.fixture
def model(model_file):
    return load_onnx(model_file)


@pytest.fixture
def trace(model):
    return trace_of(model, page_clips([model], ["emo"], 3)[0])


def test_every_tensor_of_the_graph_is_an_output_and_a_step(trace):
    graph = onnx.load_from_string(trace.graph).graph
    made = {name for node in graph.node for name in node.output}
    assert {value.name for value in graph.output} == made
    assert [step["output"] for step in trace.facts["steps"][1:]] == [
        name for node in graph.node for name in node.output
    ]
    assert trace.facts["limit"] == LIMIT


def test_the_first_step_is_the_waveform_and_the_last_the_logits(trace, model):
    first, last = trace.facts["steps"][0], trace.facts["steps"][-1]
    clip = page_clips([model], ["emo"], 3)[0]
    samples = decode(clip.encoded, 16_000).samples[:16_000]
    assert trace.facts["clip"] == clip.file
    assert trace.facts["samples"] == len(samples) == 16_000
    assert first["shape"] == [1, 16_000]
    assert first["norm"] == pytest.approx(np.linalg.norm(samples / np.abs(samples).max()), rel=1e-5)
    logits = model.logits(samples[np.newaxis], np.array([len(samples)]))[0]
    assert last["norm"] == pytest.approx(np.linalg.norm(logits), rel=1e-5)
    assert last["sums"] == pytest.approx(signed_sums(logits), rel=1e-4)


def signed_sums(values):
    """The same by a plain count of the ones that a place and a mask share."""
    return [
        sum((-1) ** (place & mask).bit_count() * float(value) for place, value in enumerate(values))
        for mask in MASKS
    ]


def test_the_sums_estimate_a_difference_wherever_it_is():
    """One value, or all of them: within what eight sums can say."""
    rng = np.random.default_rng(1)
    for difference in (np.eye(1, 4096, 1234)[0], rng.normal(size=4096)):
        estimate = np.sqrt(np.mean(np.square(signed_sums(difference))))
        assert 0.4 < estimate / np.linalg.norm(difference) < 1.8


def test_what_is_not_finite_counts_as_nothing():
    step = _step("/mask", "Where", ["", "scores"], ("masked", np.array([[-np.inf, 2.0, np.nan]])))
    assert (step["norm"], step["inputs"], step["shape"]) == (2.0, ["scores"], [1, 3])
    assert step["sums"] == signed_sums([0, 2, 0])
