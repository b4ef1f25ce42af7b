"""Whether torch gives what ONNX Runtime gives, on real weights and real clips.

Builds the network of serval-tiny (`recipes/serval-tiny/tiny.py`) from Whisper tiny.en and a random
head, writes it as ONNX, opens it as any torch module is opened, and compares the answers of both.

    python benchmarks/tiny_in_torch.py openai/whisper-tiny.en DATASET --clips 400

Needs the extra: pip install 'serval-ser[export]'
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from itertools import islice
from pathlib import Path

import numpy as np
import torch

from serval.audio import decode, encoded_bytes
from serval.datasets import DatasetOptions, load_dataset
from serval.models.callable import model_of_object
from serval.models.contract import Overrides
from serval.models.load import load_model

RECIPE = Path(__file__).resolve().parents[1] / "recipes" / "serval-tiny"
sys.path.insert(0, str(RECIPE))
from tiny import Tiny, weights_of, write_onnx  # noqa: E402 - from the recipe, which is no package


def main() -> None:
    """Print how far the answers of both agree, and how long each took."""
    parser = argparse.ArgumentParser()
    parser.add_argument("checkpoint")
    parser.add_argument("dataset")
    parser.add_argument("--clips", type=int, default=400)
    flags = parser.parse_args()
    network = Tiny(weights_of(flags.checkpoint), 1)
    head = network.weights["head_weight"]
    head.copy_(torch.randn(head.shape, generator=torch.Generator().manual_seed(0)) / 100)
    with tempfile.TemporaryDirectory() as folder:
        write_onnx(network, Path(folder) / "tiny.onnx")
        file = load_model(f"{folder}/tiny.onnx")
    stated = Overrides(
        labels=tuple(file.labels), sample_rate=file.sample_rate, normalize=file.contract.normalize
    )
    module = model_of_object(network, stated)
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
