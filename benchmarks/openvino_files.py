"""ONNX Runtime against OpenVINO on the same files: agreement, speed, memory, what runs in integers.

    python benchmarks/openvino_files.py CORPUS FP32.onnx [QUANTIZED.onnx ...]

CORPUS is anything that `serval evaluate -d` takes; its first 400 clips are heard. Every file runs
on both runtimes, one thread each, all in the same rounds, by processor time; agreement is with the
first file on ONNX Runtime. Memory is that of a fresh process with one worker and a clip of ten
seconds.
"""

from __future__ import annotations

import sys
import time
from collections import Counter
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from serval.audio import decode, encoded_bytes
from serval.bench import Effort, interleaved, ratio_of
from serval.bench.loading import measured_loading
from serval.datasets import load_dataset
from serval.errors import ServalError
from serval.machine import instruction_sets
from serval.models.contract import Overrides
from serval.models.load import load_model
from serval.probabilities import probabilities_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from serval.audio import Waveform
    from serval.models.classifier import Classifier
    from serval.models.protocol import Logits

CLIPS = 400
RACE_CLIPS = 12
EFFORT = Effort(warm_up=1, fewest=9, most=25, budget_s=120.0)


def waveforms_of(corpus: str, model: Classifier[Any]) -> list[Waveform]:
    """Return the first clips of a set that the model takes."""
    found = []
    for clip in load_dataset(corpus).clips(0, None):
        try:
            audio = decode(encoded_bytes(clip.audio), model.sample_rate, max_seconds=30)
        except ServalError:
            continue
        found.append(audio.samples)
        if len(found) == CLIPS:
            break
    return found


def passed(model: Classifier[Any], waveforms: Sequence[Waveform]) -> Logits:
    """Return the logits of each waveform."""
    rows = [model.logits(samples[np.newaxis], np.array([len(samples)])) for samples in waveforms]
    return np.concatenate(rows)


def precisions(compiled: Any) -> dict[tuple[str, str], int]:  # noqa: ANN401 - OpenVINO is an extra
    """Return how many operators of each kind OpenVINO runs in which precision."""
    kinds: Counter[tuple[str, str]] = Counter()
    for node in compiled.get_runtime_model().get_ops():
        info = {key: str(value.value) for key, value in node.get_rt_info().items()}
        if info.get("layerType") in {"MatMul", "FullyConnected", "Convolution"}:
            kinds[info["layerType"], info.get("runtimePrecision", "")] += 1
    return dict(kinds)


def opened(paths: Sequence[str]) -> Iterator[tuple[tuple[str, str], Classifier[Any]]]:
    """Yield every file on both runtimes, by name."""
    for path in paths:
        for runtime in ("onnxruntime", "openvino"):
            try:
                yield (path, runtime), load_model(path, runtime=runtime)
            except ServalError as error:
                print(f"{path} on {runtime}: not run: {error}")


def main(corpus: str, *paths: str) -> None:
    """Print everything."""
    models = dict(opened(paths))
    first = next(iter(models))
    waveforms = waveforms_of(corpus, models[first])
    logits = {name: passed(model, waveforms) for name, model in models.items()}
    print(f"{len(waveforms)} clips of {corpus}; {', '.join(instruction_sets())}")
    race = waveforms[:: max(1, len(waveforms) // RACE_CLIPS)][:RACE_CLIPS]
    works = {" on ".join(name): partial(passed, model, race) for name, model in models.items()}
    seconds = interleaved(works, EFFORT, time.process_time)
    loading = measured_loading({" on ".join(name): name for name in models}, Overrides(), 1)
    for name, model in models.items():
        said, key = logits[name], " on ".join(name)
        same = (said.argmax(axis=1) == logits[first].argmax(axis=1)).mean()
        moved = np.abs(probabilities_of(said) - probabilities_of(logits[first])).max()
        own = logits.get((name[0], "onnxruntime"), said)
        twin = np.abs(said - own).max()
        print(
            f"{key}: same label as the first {same:.2%}, probabilities moved by at most "
            f"{moved:.4f}, logits off this file's own on ONNX Runtime by {twin:.2e}, "
            f"{1000 * np.median(seconds[key]) / len(race):.1f} ms a clip, "
            f"{loading[key].peak_memory_mb:.0f} MB, opens in {loading[key].load_s:.2f} s"
        )
        print(f"  {ratio_of(key, ' on '.join(first), seconds).sentence()}")
        if name[1] == "openvino":
            print(f"  {precisions(model.backend.compiled)}")


if __name__ == "__main__":
    main(*sys.argv[1:])
