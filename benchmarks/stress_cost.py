"""Where the time of `serval stress --suite full` goes, and what it was before anything was kept.

Processor time of one thread on the same clips, so that other work on the machine counts for little.
Each clip goes through all perturbations once. The model and what only one perturbation needs count
for both columns; decoding, and noise of several levels, are done both ways, one right after the
other. With `--stopped`, a perturbation counts by the share of the clips that it was asked in a
stored test. What a room's echo takes is computed once for all clips, and left out here.

    python benchmarks/stress_cost.py CORPUS --model MODEL.onnx [--split validation] [--clips 6]
    python benchmarks/stress_cost.py CORPUS --model MODEL.onnx --stopped stress_results/stress.json
"""

from __future__ import annotations

import argparse
import json
import time
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from serval.audio import decode, encoded_bytes
from serval.bench.bench import disclosure, load_average
from serval.evaluation import open_dataset
from serval.models.load import load_model
from serval.options import EvalOptions
from serval.stress.channel import PLACES, impulse_response
from serval.stress.kept import MadeOnce, decoder
from serval.stress.suite import DEAR, FULL, Draws, perturbed, voices_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

T = TypeVar("T")
SHOWN = 6
AGAIN, NOW = "before", "now"


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


def shares_of(path: str | None) -> dict[str, float]:
    """Return the share of the clips that each perturbation was asked in a stored test."""
    if path is None:
        return {}
    document = json.loads(Path(path).read_text(encoding="utf-8"))
    clips = document["clips_clean"]
    return {
        name: case.get("stopped_after", clips) / clips for name, case in document["cases"].items()
    }


def measured(model: Any, clip: Any, voices: Any, shares: Mapping[str, float]) -> dict[str, Spent]:  # noqa: ANN401
    """Return what one clip took before and now, by stage, and by kind of perturbation."""
    spent = {AGAIN: Spent(), NOW: Spent(), "kind": Spent()}
    encoded, rate, decoded = encoded_bytes(clip.audio), model.sample_rate, decoder()
    anew = Draws(0, voices)
    kept = Draws(0, voices, MadeOnce(lambda made: made.nbytes))
    for case in FULL:
        share, one = shares.get(case.name, 1.0), Spent()
        audio = one.on("decode", decode, encoded, rate)
        one.on("look up", decoded, encoded, rate)
        changed = one.on("perturb", perturbed, case, audio.samples, rate, clip, anew)
        again = one["perturb"]
        if case.kind in DEAR:
            one.on("again", perturbed, case, audio.samples, rate, clip, kept)
            again = one["again"]
        one.on("model", model.logits, changed[np.newaxis], np.array([len(changed)]))
        for when, parts in (
            (AGAIN, (one["decode"], one["perturb"], one["model"])),
            (NOW, (share * one["look up"], share * again, share * one["model"])),
        ):
            spent[when].update(dict(zip(("decoding", "perturbing", "the model"), parts)))  # noqa: B905
        spent["kind"][case.kind] += again
    return spent


def main() -> None:
    """Print milliseconds a clip of each stage of the whole suite, before and now."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("corpus")
    parser.add_argument("--model", default="serval-tiny")
    parser.add_argument("--split", default="validation")
    parser.add_argument("--clips", type=int, default=6)
    parser.add_argument("--stopped", help="stress.json of a test with --stop-when-sure")
    given = parser.parse_args()
    model = load_model(given.model)
    dataset = open_dataset(EvalOptions(dataset=given.corpus, split=given.split))
    voices = voices_of(dataset, model, limit=100)
    warm_rooms(model.sample_rate)
    shares = shares_of(given.stopped)
    step = max(1, (dataset.n_clips or given.clips) // given.clips)
    clips = [c for i in range(given.clips) for c in dataset.clips(i * step, i * step + 1)]
    found = [measured(model, clip, voices, shares) for clip in clips]
    ratios = [one[AGAIN].total() / one[NOW].total() for one in found]
    for when in (AGAIN, NOW):
        stages = sum((one[when] for one in found), Spent())
        print(f"{when}: {1000 * stages.total() / len(found):,.0f} ms a clip, {len(FULL)} cases")
        for stage, spent in stages.most_common():
            share = 100 * spent / stages.total()
            print(f"{1000 * spent / len(found):8.0f} ms {share:5.1f} %  {stage}")
    kinds = sum((one["kind"] for one in found), Spent())
    for kind, spent in kinds.most_common(SHOWN):
        n = sum(case.kind == kind for case in FULL)
        print(f"{1000 * spent / len(found):8.0f} ms          {kind}, {n}x")
    low, middle, high = np.quantile(ratios, [0.25, 0.5, 0.75])
    print(f"before / now: {middle:.2f} (quartiles {low:.2f} to {high:.2f}, {len(found)} clips)")
    if shares:
        print(f"mean share of the clips that are asked: {np.mean(list(shares.values())):.3f}")
    told = disclosure({}, ())
    print(f"{told['processor']}, {' '.join(told['instruction_sets'])}; load {load_average()}")


if __name__ == "__main__":
    main()
