"""What Ray costs and what starting it costs, against the local engine, on this machine's cores.

And how many clips a second the one ledger takes, to which every worker of a cluster speaks.

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
from serval.distributed import imported_ray, ledger_on
from serval.evaluation import EvalOptions, evaluate_named
from serval.machine import available_cores
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
                quiet=True,
            )
        )
        fixed_s.append(time.perf_counter() - start - load_run(folder).seconds)


def ledger_rate(calls: int) -> float:
    """Return how many clips a second the ledger notes, asked by one worker for each core."""
    ray = imported_ray()
    ray.init(address="local", num_cpus=available_cores(), log_to_driver=False)
    ask = ledger_on(ray)

    def work(n: int) -> None:
        for index in range(n):
            ask("begin", 0, index)

    remote = ray.remote(num_cpus=1)(work)
    workers = range(available_cores())
    ray.get([remote.remote(10) for _ in workers])
    start = time.perf_counter()
    ray.get([remote.remote(calls) for _ in workers])
    elapsed = time.perf_counter() - start
    ray.shutdown()
    return calls * len(workers) / elapsed


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
    print(f"{ledger_rate(2_000):.0f} clips/s at most: what the ledger notes")
    print(f"load average {[*loads, load_average()]}")


if __name__ == "__main__":
    main()
