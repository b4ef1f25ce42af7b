"""How many times the clips/s of the plain loop serval reaches, end to end, on real clips.

Every contender runs the same 100 clips in every round, in turn, until the set is through; the
ratio is that of the rounds, so it holds on a busy machine. Serval writes its journal meanwhile.
For a full-size model take fewer clips: `--chunk 5 --limit 50`.

    python benchmarks/throughput.py CORPUS MODEL [--plain OTHER_MODEL] [--limit N]
"""

from __future__ import annotations

import argparse
import tempfile
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from plain_loop import plain_loop, rows_of
from serval.bench import Effort, interleaved, ratio_of
from serval.bench.disclosure import disclosure, load_average
from serval.evaluate import EvalOptions, open_dataset
from serval.machine import available_cores
from serval.models.builtin import load_model, model_path
from serval.predict import predict
from serval.records import Dataset, Prediction
from serval.run import Journal, Provenance

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


def serval_loop(
    model: str, dataset: Dataset, workers: int, folder: Path, size: int
) -> Iterator[int]:
    """Yield the predicted id of each clip, as `serval evaluate` finds and writes it."""
    opened = load_model(model)
    clips = dataset.clips(0, None)
    provenance = Provenance(
        labels=opened.labels, model={}, dataset={}, options={}, platform={}, identity={}
    )
    with Journal(folder=folder, provenance=provenance) as journal:
        while chunk := list(islice(clips, size)):
            for record in predict(opened, chunk, workers=workers):
                journal.append(record, 0.0)
                predicted = record.predicted if isinstance(record, Prediction) else ""
                yield opened.labels.id_of(predicted) if predicted else -1


def chunks(predicted: Iterator[int], found: list[int], size: int) -> Callable[[], None]:
    """Return a function that takes the next `size` predictions."""
    return lambda: found.extend(islice(predicted, size))


def main() -> None:
    """Print clips/s and ratios."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("corpus")
    parser.add_argument("model", help="what serval runs, and the plain loop too")
    parser.add_argument("--plain", help="a second model for the plain loop")
    parser.add_argument("--split", default="validation")
    parser.add_argument("--limit", type=int)
    parser.add_argument("--workers", type=int, nargs="+", default=[available_cores()])
    parser.add_argument("--chunk", type=int, default=100, help="clips in a round")
    given = parser.parse_args()
    size = given.chunk

    dataset = open_dataset(EvalOptions(dataset=given.corpus, split=given.split))
    total = min(given.limit or 10**9, dataset.n_clips or 10**9)
    rows = rows_of(given.corpus, given.split)
    found: dict[str, list[int]] = {}
    works: dict[str, Callable[[], None]] = {}
    for model in filter(None, (given.model, given.plain)):
        name = f"plain loop on {Path(model).name}"
        works[name] = chunks(plain_loop(model_path(model), rows), found.setdefault(name, []), size)
    with tempfile.TemporaryDirectory() as folder:
        for n in given.workers:
            name = f"serval on {Path(given.model).name}, {n} workers"
            loop = serval_loop(given.model, dataset, n, Path(folder) / str(n), size)
            works[name] = chunks(loop, found.setdefault(name, []), size)
        loads = [load_average()]
        rounds = Effort(warm_up=1, fewest=total // size - 1, most=total // size - 1)
        times = interleaved(works, rounds)
    report(times, found, size, [*loads, load_average()])


def report(
    times: dict[str, np.ndarray], found: dict[str, list[int]], size: int, loads: list
) -> None:
    """Print what was measured, on what."""
    told = disclosure(Effort(), ())
    print(f"{told['processor']}, {told['cores']} cores, {' '.join(told['instruction_sets'])}, "
          f"onnxruntime {told['packages']['onnxruntime']}, load average {loads}")  # fmt: skip
    first = next(iter(found.values()))
    for name, seconds in times.items():
        same = np.mean([a == b for a, b in zip(first, found[name], strict=True)])
        print(f"{size * len(seconds) / seconds.sum():7.2f} clips/s  {name}; "
              f"{same:.2%} of {len(first)} predictions as {next(iter(found))}")  # fmt: skip
    for name in times:
        for other in times:
            if name.startswith("serval") and other.startswith("plain"):
                print(ratio_of(name, other, times).sentence())


if __name__ == "__main__":
    main()
