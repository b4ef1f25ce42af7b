"""How fast models are here: latency, throughput, loading, memory; every ratio from one run."""

from serval.bench.bench import Bench, BenchOptions, bench, save_bench
from serval.bench.rounds import Effort, Ratio, interleaved, ratio_of

__all__ = [
    "Bench",
    "BenchOptions",
    "Effort",
    "Ratio",
    "bench",
    "interleaved",
    "ratio_of",
    "save_bench",
]
