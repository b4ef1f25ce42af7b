import pytest

from build import voice
from network import speech_network
from serval.models.onnx import load_onnx
from serval.quantize.clips import Clips, logits_of
from serval.quantize.graph import read_graph
from serval.quantize.judged import by_accuracy
from serval.quantize.options import QuantizeOptions
from serval.quantize.workbench import open_workbench


@pytest.fixture
def network(tmp_path):
    return speech_network(tmp_path / "net.onnx")


@pytest.fixture(scope="session")
def waveforms():
    return tuple(voice(seed, seconds=0.5 + 0.1 * (seed % 4)) for seed in range(18))


@pytest.fixture
def bench_of(waveforms, tmp_path):
    """Open a workbench of a file, whose clips are labelled with what FP32 says."""

    def opened(path):
        model = load_onnx(path)
        reference = logits_of(model, waveforms, 1)
        clips = Clips(
            name="voices train",
            waveforms=waveforms,
            reference=reference,
            labels=model.labels,
            truth=reference.argmax(axis=1),
            judge=by_accuracy,
        )
        place = (tmp_path, 1, lambda _line: None)
        return open_workbench(model, read_graph(path), clips, QuantizeOptions(), place)

    return opened


@pytest.fixture
def bench(bench_of, network):
    return bench_of(network)
