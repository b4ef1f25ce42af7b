"""Whether torch gives what ONNX Runtime gives, on real weights and real clips.

Builds the network of serval-tiny (`recipes/serval-tiny/tiny.py`) from the weights of its FP32
file, opens it as any torch module is opened, and compares the answers of both, clip by clip.

    python benchmarks/tiny_in_torch.py MODEL.onnx DATASET --clips 400

Needs the extra: pip install 'serval-ser[torch]'
"""

from __future__ import annotations

import argparse
import sys
import time
from itertools import islice
from pathlib import Path

import numpy as np
import onnx
import torch

from serval.audio import decode, encoded_bytes
from serval.datasets import DatasetOptions, load_dataset
from serval.models.callable import model_of_object
from serval.models.contract import Overrides
from serval.models.load import load_model

RECIPE = Path(__file__).resolve().parents[1] / "recipes" / "serval-tiny"
sys.path.insert(0, str(RECIPE))
from tiny import HALVED_BEFORE, Tiny, is_halved, weights_of  # noqa: E402 - from the recipe, which is no package


def main() -> None:
    """Print how far the answers of both agree, and how long each took."""
    parser = argparse.ArgumentParser()
    parser.add_argument("model")
    parser.add_argument("dataset")
    parser.add_argument("--clips", type=int, default=400)
    flags = parser.parse_args()
    file = load_model(flags.model)
    stated = Overrides(
        labels=tuple(file.labels), sample_rate=file.sample_rate, normalize=file.contract.normalize
    )
    halved = HALVED_BEFORE if is_halved(onnx.load(flags.model).graph) else None
    module = model_of_object(Tiny(weights_of(flags.model), halved), stated)
    torch.set_num_threads(1)
    dataset = load_dataset(flags.dataset, options=DatasetOptions(limit=flags.clips))
    answers: dict[str, list[np.ndarray]] = {"onnx": [], "torch": []}
    seconds = dict.fromkeys(answers, 0.0)
    for clip in islice(dataset.clips(0, flags.clips), flags.clips):
        samples = decode(encoded_bytes(clip.audio), file.sample_rate).samples
        for name, model in (("onnx", file), ("torch", module)):
            start = time.perf_counter()
            answers[name].append(model.logits(samples[None], np.array([len(samples)]))[0])
            seconds[name] += time.perf_counter() - start
    both = [np.stack(answers[name]) for name in answers]
    same = int((both[0].argmax(axis=1) == both[1].argmax(axis=1)).sum())
    print(f"{len(both[0])} clips: same label on {same}, logits differ by at most "
          f"{np.abs(both[0] - both[1]).max():.1e}; "
          f"torch took {seconds['torch'] / seconds['onnx']:.2f} times as long")  # fmt: skip


if __name__ == "__main__":
    main()
