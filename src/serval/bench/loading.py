"""How long a model takes to open and how much memory it needs, each time in a fresh process."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from serval.errors import ModelError
from serval.machine import peak_memory_mb
from serval.models.contract import Overrides

__all__ = ["Loading", "measured_loading"]

LONG_CLIP_S = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Loading:
    """What it costs to have a model at hand.

    Attributes:
        load_s: From the path to an opened model that was tried once, best of the repetitions.
        peak_memory_mb: Highest resident memory after a clip of ten seconds, highest of all.
        n: Repetitions.
    """

    load_s: float
    peak_memory_mb: float
    n: int


def measured_loading(
    paths: dict[str, Path], overrides: Overrides, repetitions: int
) -> dict[str, Loading]:
    """Return the cost of opening each model, the models taking turns.

    Raises:
        ModelError: A fresh process cannot open what this one could.
    """
    measured: dict[str, list[dict[str, float]]] = {name: [] for name in paths}
    for _ in range(repetitions):
        for name, path in paths.items():
            measured[name].append(_in_a_process(path, overrides))
    return {name: _summary(runs) for name, runs in measured.items()}


def _summary(runs: list[dict[str, float]]) -> Loading:
    return Loading(
        load_s=min(run["load_s"] for run in runs),
        peak_memory_mb=max(run["peak_memory_mb"] for run in runs),
        n=len(runs),
    )


def _in_a_process(path: Path, overrides: Overrides) -> dict[str, float]:
    command = [sys.executable, "-m", __name__, str(path), json.dumps(asdict(overrides))]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise ModelError(f"{path}: a fresh process could not open it: {done.stderr[-300:].strip()}")
    measured: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return measured


def _measure(path: Path, overrides: Overrides) -> dict[str, float]:
    from serval.models.onnx import load_onnx

    start = time.perf_counter()
    model = load_onnx(path, overrides)
    load_s = time.perf_counter() - start
    samples = np.zeros((1, round(min(LONG_CLIP_S, model.max_seconds) * model.sample_rate)), "f4")
    model.logits(samples, np.array([samples.shape[1]]))
    return {"load_s": load_s, "peak_memory_mb": peak_memory_mb()}


if __name__ == "__main__":
    stated = json.loads(sys.argv[2])
    stated["labels"] = stated["labels"] and tuple(stated["labels"])
    sys.stdout.write(json.dumps(_measure(Path(sys.argv[1]), Overrides(**stated))) + "\n")
