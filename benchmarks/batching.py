"""Whether batches pay: clips of equal length together, and clips of mixed length padded.

Every setup does the same clips in every round, in turn, with as many threads in all as there are
cores. Clips of equal length are the best case of grouping by length; padding is timed as if the
model had a mask, so that only its cost is seen. With a corpus, its own clips are grouped too: those
that are equal to the sample among every 64, decoded beforehand.

    python benchmarks/batching.py [--model MODEL] [--rounds 15] [--corpus CORPUS [--clips 640]]
"""

from __future__ import annotations

import argparse
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from serval.audio import decode, encoded_bytes
from serval.bench import Effort, interleaved, ratio_of
from serval.bench.bench import load_average
from serval.bench.subjects import noise
from serval.evaluation import open_dataset
from serval.machine import available_cores
from serval.models.load import model_path
from serval.models.onnx import load_onnx
from serval.options import EvalOptions

if TYPE_CHECKING:
    from collections.abc import Callable

    from serval.audio import Waveform
    from serval.models.onnx import OnnxModel

CLIPS = 32
WINDOW = 64
"""How many clips ahead one may look without holding the set in memory."""
EQUAL_S = (3.0,) * CLIPS
MIXED_S = tuple(np.random.default_rng(0).gamma(9, 1 / 3, CLIPS).clip(1, 8))
"""About as long as acted clips are: 3 s, give or take one."""


def batches(seconds: tuple[float, ...], size: int, rate: int) -> list[Waveform]:
    """Return the clips in batches `(size, T)`, each as long as its longest clip."""
    parts = [seconds[i : i + size] for i in range(0, len(seconds), size)]
    return [np.stack([noise(max(part), rate)] * len(part)) for part in parts]


def grouped(clips: list[Waveform], window: int, size: int) -> list[Waveform]:
    """Return batches of at most `size` clips of equal length, none from two windows."""
    made = []
    for start in range(0, len(clips), window):
        alike: dict[int, list[Waveform]] = defaultdict(list)
        for clip in clips[start : start + window]:
            alike[len(clip)].append(clip)
        for group in alike.values():
            made += [np.stack(group[i : i + size]) for i in range(0, len(group), size)]
    return made


def real_clips(corpus: str, rate: int, n: int) -> list[Waveform]:
    """Return the first clips of the validation split, decoded."""
    dataset = open_dataset(EvalOptions(dataset=corpus, split="validation"))
    return [decode(encoded_bytes(clip.audio), rate).samples for clip in dataset.clips(0, n)]


def on_real_clips(model: OnnxModel, clips: list[Waveform], cores: int, effort: Effort) -> None:
    """Print what grouping by length gains on them, and what it does to the answers."""
    single, groups = grouped(clips, 1, 1), grouped(clips, WINDOW, 8)
    alone = sum(len(group) for group in groups if len(group) == 1)
    print(f"{len(clips)} clips, {len(clips) - alone} of them with a twin among {WINDOW}")
    own, other = "real clips, one at a time", "real clips of equal length in batches of up to 8"
    works = {own: partial(run, model, single, cores), other: partial(run, model, groups, cores)}
    print(ratio_of(other, own, interleaved(works, effort)).sentence())
    batch = max(groups, key=len)
    together = model.logits(batch, np.full(len(batch), batch.shape[1]))
    apart = [model.logits(clip[np.newaxis], np.array([len(clip)]))[0] for clip in batch]
    print(f"logits of a batch of {len(batch)} differ by {np.abs(together - apart).max():.1e}")


def run(model: OnnxModel, work: list[Waveform], workers: int) -> None:
    """Run the model on every batch, several at once."""

    def call(batch: Waveform) -> None:
        model.logits(batch, np.full(len(batch), batch.shape[1]))

    with ThreadPoolExecutor(workers) as pool:
        for _ in pool.map(call, work):
            pass


def main() -> None:
    """Print the ratio of each setup to the engine's own: one clip at a time, a worker a core."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", default="serval-tiny")
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--corpus", help="group the clips of its validation split, too")
    parser.add_argument("--clips", type=int, default=640)
    given = parser.parse_args()
    path, cores = model_path(given.model), available_cores()
    one, many = load_onnx(path), load_onnx(path, threads=cores)
    effort = Effort(warm_up=1, fewest=given.rounds, most=given.rounds)
    loads = [load_average()]
    for kind, seconds in (("equal", EQUAL_S), ("mixed", MIXED_S)):
        works: dict[str, Callable[[], None]] = {}
        own = f"{kind} lengths, one clip at a time, {cores} workers"
        works[own] = partial(run, one, batches(seconds, 1, one.sample_rate), cores)
        for size in (2, 4, 8):
            part = batches(seconds, size, one.sample_rate)
            said = f"{kind} lengths, batches of {size}"
            works[f"{said}, {cores} workers"] = partial(run, one, part, cores)
            works[f"{said}, one worker of {cores} threads"] = partial(run, many, part, 1)
        times = interleaved(works, effort)
        for name in works:
            if name != own:
                print(ratio_of(name, own, times).sentence(), flush=True)
    if given.corpus:
        clips = real_clips(given.corpus, one.sample_rate, given.clips)
        on_real_clips(one, clips, cores, effort)
    print(f"load average {[*loads, load_average()]}")


if __name__ == "__main__":
    main()
