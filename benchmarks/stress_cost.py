"""Where the time of `serval stress --suite full` goes: the model, the perturbations, the decoding.

Processor time of one thread on the same clips, so that other work on the machine counts for little.
What a room's echo takes is computed once for all clips, and left out here by computing it before.

    python benchmarks/stress_cost.py CORPUS --model MODEL.onnx [--split validation] [--clips 6]
"""

from __future__ import annotations

import argparse
import time
from collections import Counter
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from serval.audio import decode, encoded_bytes
from serval.bench.bench import disclosure, load_average
from serval.evaluation import EvalOptions, open_dataset
from serval.models.load import load_model
from serval.stress.channel import PLACES, impulse_response
from serval.stress.suite import FULL, Draws, perturbed, voices_of

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")
SHOWN = 6


class Spent(Counter[str]):
    """Seconds of this thread's processor time, by stage."""

    def on(self, stage: str, work: Callable[..., T], *arguments: object) -> T:
        """Return what the work returns, and note what it took."""
        start = time.thread_time()
        answer = work(*arguments)
        self[stage] += time.thread_time() - start
        return answer


def warm_rooms(sample_rate: int) -> None:
    """Compute the echo of every place of every room, as the first clips of a suite have it done."""
    for case in FULL:
        if case.family == "room":
            room, metres = case.parameters["room"], case.parameters["distance_m"]
            for place in range(PLACES):
                impulse_response(room, metres, sample_rate, place)


def main() -> None:
    """Print milliseconds a clip of each stage of the whole suite."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("corpus")
    parser.add_argument("--model", default="serval-tiny")
    parser.add_argument("--split", default="validation")
    parser.add_argument("--clips", type=int, default=6)
    given = parser.parse_args()
    model = load_model(given.model)
    dataset = open_dataset(EvalOptions(dataset=given.corpus, split=given.split))
    voices = voices_of(dataset, model, limit=100)
    warm_rooms(model.sample_rate)
    stages, kinds, seconds = Spent(), Spent(), 0.0
    for clip in dataset.clips(0, given.clips):
        encoded = encoded_bytes(clip.audio)
        audio = stages.on("decoding", decode, encoded, model.sample_rate)
        seconds += audio.duration_s / given.clips
        for case in FULL:
            changed = kinds.on(
                case.kind, perturbed, case, audio.samples, audio.sample_rate, clip, Draws(0, voices)
            )
            lengths = np.array([len(changed)])
            stages.on("the model", model.logits, changed[np.newaxis], lengths)
    stages["decoding"] *= len(FULL)
    stages["perturbing"] = sum(kinds.values())
    total = sum(stages.values())
    print(f"{1000 * total / given.clips:,.0f} ms for a clip of {seconds:.1f} s, {len(FULL)} cases")
    for stage, spent in stages.most_common():
        print(f"{1000 * spent / given.clips:8.0f} ms {100 * spent / total:5.1f} %  {stage}")
    for kind, spent in kinds.most_common(SHOWN):
        n = sum(case.kind == kind for case in FULL)
        print(f"{1000 * spent / given.clips:8.0f} ms {100 * spent / total:5.1f} %    {kind}, {n}x")
    told = disclosure({}, ())
    print(f"{told['processor']}, {' '.join(told['instruction_sets'])}; load {load_average()}")


if __name__ == "__main__":
    main()
