"""Whether peak memory grows with the number of clips: a set repeated to 2,000 and to 20,000.

Each size is a process of its own that evaluates the clips, saves the run and writes every file. The
peak while predicting depends on which long clips meet in two workers, and the more often a set is
repeated, the more of them do; the median of what is resident after a clip of the second half does
not.

    python benchmarks/memory.py CORPUS [--model MODEL] [--sizes 2000 20000] [--clips 100]
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from array import array
from dataclasses import replace
from itertools import count, islice
from statistics import median
from typing import TYPE_CHECKING

import psutil

from serval.evaluation import evaluate, open_dataset
from serval.machine import peak_memory_mb
from serval.models.load import load_model
from serval.options import EvalOptions

if TYPE_CHECKING:
    from collections.abc import Iterator

    from serval.records import Clip, ClipReader, Dataset


def repeated(dataset: Dataset, size: int, first: int) -> Dataset:
    """Return a set of `size` clips: the first ones of `dataset`, over and over."""

    def reader(read: ClipReader) -> ClipReader:
        def clips(start: int, stop: int | None) -> Iterator[Clip]:
            endless = (clip for _ in count() for clip in read(0, first))
            numbered = (
                replace(clip, index=i, id=f"{i}-{clip.id}") for i, clip in enumerate(endless)
            )
            yield from islice(numbered, start, min(size, stop or size))

        return clips

    return replace(
        dataset, clips=reader(dataset.clips), metadata=reader(dataset.metadata), n_clips=size
    )


def measure(corpus: str, model: str, size: int, first: int) -> dict[str, float]:
    """Return MB: resident after a clip, the peak after the last clip, and after the last file."""
    dataset = open_dataset(EvalOptions(dataset=corpus))
    process, resident = psutil.Process(), array("d")
    with tempfile.TemporaryDirectory() as folder:
        options = EvalOptions(model=model, dataset=corpus, output=folder)
        run = evaluate(
            load_model(model),
            repeated(dataset, size, first),
            options,
            lambda _step: resident.append(process.memory_info().rss / 1e6),
        ).run
    return {
        "clips": len(run) + len(run.failures),
        "resident_mb": round(median(resident[len(resident) // 2 :]), 1),
        "predicting_mb": run.peak_memory_mb,
        "all_mb": peak_memory_mb(),
    }


def main() -> None:
    """Print the peaks and their ratio."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("corpus")
    parser.add_argument("--model", default="serval-tiny")
    parser.add_argument("--sizes", type=int, nargs="+", default=[2_000, 20_000])
    parser.add_argument("--clips", type=int, default=1_999, help="how many are repeated")
    parser.add_argument("--one", type=int, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.one:
        print(json.dumps(measure(given.corpus, given.model, given.one, given.clips)))
        return
    peaks = []
    for size in given.sizes:
        command = [sys.executable, __file__, given.corpus, "--model", given.model]
        command += ["--one", str(size), "--clips", str(given.clips)]
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
        peaks.append(json.loads(done.stdout.splitlines()[-1]))
        print(peaks[-1], flush=True)
    for what in ("resident_mb", "predicting_mb", "all_mb"):
        print(f"{what}: {peaks[-1][what] / peaks[0][what]:.3f}x from {given.sizes}")


if __name__ == "__main__":
    main()
