"""What Ray costs and what starting it costs, against the local engine, on this machine's cores.

python benchmarks/ray_rate.py CORPUS [--model MODEL] [--limit N] [--rounds N]
"""

from __future__ import annotations

import argparse
import tempfile
import time
from functools import partial

import numpy as np

from serval.bench import Effort, interleaved, ratio_of
from serval.bench.bench import load_average
from serval.evaluation import evaluate_named
from serval.options import EvalOptions
from serval.run import load_run


def evaluated(options: EvalOptions, fixed_s: list[float]) -> None:
    """Evaluate into a new folder; note the seconds before the first record and after the last."""
    start = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        evaluate_named(
            EvalOptions(
                model=options.model,
                dataset=options.dataset,
                limit=options.limit,
                engine=options.engine,
                output=folder,
            )
        )
        fixed_s.append(time.perf_counter() - start - load_run(folder).seconds)


def main() -> None:
    """Print whole evaluations with either engine, and their ratio."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("corpus")
    parser.add_argument("--model", default="serval-tiny")
    parser.add_argument("--limit", type=int, default=600)
    parser.add_argument("--rounds", type=int, default=3)
    given = parser.parse_args()
    fixed: dict[str, list[float]] = {"local": [], "ray": []}
    works = {
        engine: partial(
            evaluated,
            EvalOptions(model=given.model, dataset=given.corpus, limit=given.limit, engine=engine),
            fixed[engine],
        )
        for engine in fixed
    }
    loads = [load_average()]
    effort = Effort(warm_up=0, fewest=given.rounds, most=given.rounds)
    times = interleaved(works, effort)
    for engine, seconds in times.items():
        print(f"{given.limit / np.median(seconds):.2f} clips/s, median of whole evaluations of "
              f"{given.limit} clips, {np.median(fixed[engine]):.1f} s of each outside of the "
              f"run: {engine}")  # fmt: skip
    print(ratio_of("local", "ray", times).sentence())
    print(f"load average {[*loads, load_average()]}")


if __name__ == "__main__":
    main()
