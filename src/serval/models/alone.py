"""What a model costs in a process that does nothing else: `python -m serval.models.alone`."""

from __future__ import annotations

import json
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import numpy.random  # before the clock runs: a trial draws noise

import serval.models.onnx  # noqa: F401 - to load ONNX Runtime is no part of opening a model
from serval.machine import peak_memory_mb
from serval.models.contract import Overrides
from serval.models.load import load_model
from serval.models.protocol import heard_s

LONG_CLIP_S = 10.0


def measured(
    model: tuple[str, str], overrides: Overrides, workers: int, threads: int
) -> dict[str, float]:
    """Return what it costs to open a model and to answer a clip with each worker at once.

    Args:
        model: What it is named by, and its runtime.
        overrides: What the user states about it.
        workers: Clips at once.
        threads: Threads inside one operator.
    """
    start = time.perf_counter()
    opened = load_model(model[0], overrides, threads=threads, runtime=model[1])
    load_s = time.perf_counter() - start
    clip_s = heard_s(opened, LONG_CLIP_S)
    samples = np.zeros((1, round(clip_s * opened.sample_rate)), "f4")
    lengths = np.array([samples.shape[1]])
    with ThreadPoolExecutor(workers) as pool:
        for call in [pool.submit(opened.logits, samples, lengths) for _ in range(workers)]:
            call.result()
    return {"load_s": load_s, "peak_memory_mb": peak_memory_mb(), "clip_s": clip_s}


if __name__ == "__main__":
    name, runtime, stated, workers, threads = sys.argv[1:]
    entries = json.loads(stated)
    entries["labels"] = entries["labels"] and tuple(entries["labels"])
    found = measured((name, runtime), Overrides(**entries), int(workers), int(threads))
    sys.stdout.write(json.dumps(found) + "\n")
