"""Where the time of one clip goes, and what a set costs beside its clips.

Processor time of one thread, not the clock, so that other work on the machine counts for little.
The stages are those of `serval.predict`, one after the other on the same clips.

    python benchmarks/clip_cost.py CORPUS [--model MODEL] [--clips 300] [--split validation]
"""

from __future__ import annotations

import argparse
import hashlib
import io
import tempfile
import time
from collections import Counter, deque
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import numpy as np
import soundfile

from serval.audio import decode, encoded_bytes
from serval.bench.bench import disclosure, load_average
from serval.evaluation import open_dataset
from serval.models.load import load_model
from serval.options import EvalOptions
from serval.predict import predict_clip
from serval.records import Prediction
from serval.run import Journal, Provenance

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from serval.models.onnx import OnnxModel
    from serval.records import Clip, Dataset

T = TypeVar("T")


class Spent(Counter[str]):
    """Seconds of this thread's processor time, by stage."""

    def on(self, stage: str, work: Callable[..., T], *arguments: object) -> T:
        """Return what the work returns, and note what it took."""
        start = time.thread_time()
        answer = work(*arguments)
        self[stage] += time.thread_time() - start
        return answer


def stages_of(model: OnnxModel, dataset: Dataset, n: int, journal: Journal) -> tuple[Spent, int]:
    """Return the seconds in each stage for the first n clips, and how many were usable."""
    spent, usable = Spent(), 0
    clips: Iterator[Clip] = dataset.clips(0, n)
    while (clip := spent.on("reading the row", next, clips, None)) is not None:
        record = predict_clip(model, clip)
        if not isinstance(record, Prediction):
            continue
        usable += 1
        encoded = spent.on("reading the row", encoded_bytes, clip.audio)
        rate = soundfile.info(io.BytesIO(encoded)).samplerate
        spent.on("decoding alone", decode, encoded, rate)
        audio = spent.on("decoding and resampling", decode, encoded, model.sample_rate)
        batch, lengths = audio.samples[np.newaxis], np.array([len(audio.samples)])
        prepared = spent.on("normalizing", model.prepared, batch, lengths)
        feeds = model.backend.feeds(*prepared)
        spent.on("the model", model.backend.session.run, None, feeds)
        spent.on("hash", hashlib.sha256, encoded)
        spent.on("journal", journal.append, record, 0.0)
    return spent, usable


def costs_of_a_set(corpus: str, split: str) -> Iterator[str]:
    """Yield what opening a set, counting its labels and finding its last clip cost."""
    spent = Spent()
    options = EvalOptions(dataset=corpus, split=split)
    dataset = spent.on("open", open_dataset, options)
    size = sum(file.stat().st_size for file in Path(corpus).rglob(f"{split}*"))
    yield f"{size / 1e6 / spent['open']:,.0f} MB/s: opening the set, whose files are hashed"
    spent.on("labels", deque, dataset.metadata(0, None), 0)
    yield f"{dataset.n_clips / spent['labels']:,.0f} clips/s: labels, before the first clip"
    last = dataset.n_clips - 1
    spent.on("names", deque, dataset.metadata(last, last + 1), 0)
    yield f"{last / spent['names']:,.0f} rows/s: names of the set, up to a worker's first range"


def main() -> None:
    """Print milliseconds of one core for each stage, and the rates of the set."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("corpus")
    parser.add_argument("--model", default="serval-tiny")
    parser.add_argument("--split", default="validation")
    parser.add_argument("--clips", type=int, default=300)
    given = parser.parse_args()
    loads = [load_average()]
    model = load_model(given.model)
    dataset = open_dataset(EvalOptions(dataset=given.corpus, split=given.split))
    provenance = Provenance(
        labels=model.labels, model={}, dataset={}, options={}, platform={}, identity={}
    )
    with (
        tempfile.TemporaryDirectory() as folder,
        Journal(folder=Path(folder), provenance=provenance) as journal,
    ):
        spent, usable = stages_of(model, dataset, given.clips, journal)
    for stage, seconds in spent.most_common():
        print(f"{1000 * seconds / usable:8.3f} ms a clip: {stage}")
    for line in costs_of_a_set(given.corpus, given.split):
        print(line)
    told = disclosure({}, ())
    machine = f"{told['processor']}, {' '.join(told['instruction_sets'])}"
    print(f"mean of {usable} clips, one thread; {machine}, load {[*loads, load_average()]}")


if __name__ == "__main__":
    main()
