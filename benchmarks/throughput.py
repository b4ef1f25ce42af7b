r"""How many times the clips/s of the plain loop serval reaches, end to end, on real clips.

Every contender runs the same 100 clips in every round, in turn; the ratio is that of the rounds,
so it holds on a busy machine. Serval writes its journal meanwhile. Predictions are compared on
the whole set: what fills no round is predicted after the last one, not timed.

    python benchmarks/throughput.py CORPUS MODEL [--plain OTHER_MODEL] [--limit N]

The built-in model against the loop on the same file, and on the `quantize_dynamic` default:

    python benchmarks/throughput.py CORPUS serval-tiny --default-of FP32_MODEL

A full-size model, on files that `quantize_full_size.py` leaves behind:

    python benchmarks/throughput.py CORPUS FOLDER/full-24.default.onnx --chunk 40 --limit 240
    python benchmarks/throughput.py CORPUS FOLDER/full-24.static.onnx \
        --plain FOLDER/full-24.default.onnx --chunk 40 --limit 240

A round ends when its last clip does, while the other workers rest: of 5 clips two workers do the
last alone, which costs a sixth of their speed; of 40 clips, a hundredth.

Needs what the plain loop needs: pip install --group bench
"""

from __future__ import annotations

import argparse
import tempfile
from functools import partial
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from onnxruntime.quantization import quantize_dynamic

from plain_loop import plain_loop, rows_of
from serval.bench import Effort, interleaved, ratio_of
from serval.bench.bench import disclosure, load_average
from serval.evaluation import open_dataset
from serval.machine import available_cores
from serval.models.load import load_model, model_path
from serval.options import EvalOptions
from serval.predict import predict
from serval.records import Dataset, Prediction
from serval.run import Journal, Provenance

if TYPE_CHECKING:
    from collections.abc import Iterator

FEWEST_ROUNDS = 3


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
        # Each round drains the workers, so that they rest in those of the others.
        for _ in range(-(-(dataset.n_clips or 10**9) // size)):
            for record in predict(opened, islice(clips, size), workers=workers):
                journal.append(record, 0.0)
                predicted = record.predicted if isinstance(record, Prediction) else ""
                yield opened.labels.id_of(predicted) if predicted else -1


def take(predicted: Iterator[int], found: list[int], size: int) -> None:
    """Add the next `size` predictions to those that were found."""
    found.extend(islice(predicted, size))


def plain_models(given: argparse.Namespace, folder: Path) -> list[Path]:
    """Return what the plain loop runs: the model, and the others that were asked for."""
    models = [model_path(model) for model in (given.model, given.plain) if model]
    if given.default_of:
        default = folder / f"{Path(given.default_of).stem}.default.onnx"
        quantize_dynamic(given.default_of, default)
        models.append(default)
    return models


def main() -> None:
    """Print clips/s and ratios."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("corpus")
    parser.add_argument("model", help="what serval runs, and the plain loop too")
    parser.add_argument("--plain", help="a second model for the plain loop")
    parser.add_argument("--default-of", metavar="FP32_MODEL",
                        help="the plain loop on its `quantize_dynamic` default too")  # fmt: skip
    parser.add_argument("--split", default="validation")
    parser.add_argument("--limit", type=int)
    parser.add_argument("--workers", type=int, nargs="+", default=[available_cores()])
    parser.add_argument("--chunk", type=int, default=100, help="clips in a round")
    given = parser.parse_args()
    size = given.chunk

    dataset = open_dataset(EvalOptions(dataset=given.corpus, split=given.split))
    total = min(given.limit or 10**9, dataset.n_clips or 10**9)
    rounds = total // size - 1
    if rounds < FEWEST_ROUNDS:
        parser.error(f"{total} clips are {rounds} rounds of {size} and one to warm up: "
                     f"too few for a spread; give a smaller --chunk")  # fmt: skip
    rows = rows_of(given.corpus, given.split)
    normalize = load_model(given.model).contract.normalize
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        predicted = {
            f"plain loop on {model.name}": plain_loop(model, rows, normalize)
            for model in plain_models(given, folder)
        }
        for n in given.workers:
            loop = serval_loop(given.model, dataset, n, folder / str(n), size)
            predicted[f"serval on {Path(given.model).name}, {n} workers"] = loop
        found: dict[str, list[int]] = {name: [] for name in predicted}
        works = {name: partial(take, predicted[name], found[name], size) for name in predicted}
        loads = [load_average()]
        times = interleaved(works, Effort(warm_up=1, fewest=rounds, most=rounds))
        for name in predicted:
            take(predicted[name], found[name], total - len(found[name]))
    report(times, found, size, [*loads, load_average()])


def report(
    times: dict[str, np.ndarray], found: dict[str, list[int]], size: int, loads: list
) -> None:
    """Print what was measured, on what."""
    told = disclosure({"all": 1}, ())
    print(f"{told['processor']}, {told['cores']} cores, {' '.join(told['instruction_sets'])}, "
          f"onnxruntime {told['packages']['onnxruntime']}, one round to warm up, "
          f"end to end, batch 1, load average {loads}")  # fmt: skip
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
