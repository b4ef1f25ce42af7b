"""How long a model takes to open and how much memory it needs, each time in a fresh process."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from serval.errors import ModelError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from serval.models.contract import Overrides

PROGRAM = "serval.models.alone"
"""What a fresh process runs: it loads no more of serval than a model needs."""

ALONE = (1, 1)
"""One worker with one thread."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Loading:
    """What it costs to have a model at hand.

    Attributes:
        load_s: From the path to an opened model that was tried once, best of the repetitions.
        peak_memory_mb: Highest resident memory of one worker with one thread after a clip of
            `clip_s`, highest of all.
        peak_memory_by_setup_mb: `WxT`, W workers at once with T threads each -> the same, once.
        n: Repetitions.
        clip_s: What the model heard of a clip of ten seconds.
    """

    load_s: float
    peak_memory_mb: float
    peak_memory_by_setup_mb: Mapping[str, float]
    n: int
    clip_s: float


def measured_loading(
    named: Mapping[str, tuple[str, str]],
    overrides: Overrides,
    repetitions: int,
    setups: Sequence[tuple[int, int]] = (ALONE,),
) -> dict[str, Loading]:
    """Return the cost of opening each model, the models taking turns.

    Args:
        named: What each model was named by, and its runtime, by its name in the benchmark.
        overrides: What the user states about them.
        repetitions: With one worker and one thread.
        setups: Workers and threads to measure the memory of.

    Raises:
        ModelError: A fresh process cannot open what this one could.
    """
    order = [ALONE] * repetitions + [setup for setup in setups if setup != ALONE]
    measured: dict[str, list[tuple[tuple[int, int], dict[str, float]]]] = {n: [] for n in named}
    for setup in order:
        for name, model in named.items():
            measured[name].append((setup, _in_a_process(model, overrides, setup)))
    return {name: _summary(runs) for name, runs in measured.items()}


def _summary(runs: list[tuple[tuple[int, int], dict[str, float]]]) -> Loading:
    alone = [run for setup, run in runs if setup == ALONE]
    peak = max(run["peak_memory_mb"] for run in alone)
    others = {f"{w}x{t}": run["peak_memory_mb"] for (w, t), run in runs if (w, t) != ALONE}
    return Loading(
        load_s=min(run["load_s"] for run in alone),
        peak_memory_mb=peak,
        peak_memory_by_setup_mb={"1x1": peak} | others,
        n=len(alone),
        clip_s=alone[0]["clip_s"],
    )


def _in_a_process(
    model: tuple[str, str], overrides: Overrides, setup: tuple[int, int]
) -> dict[str, float]:
    stated = json.dumps(asdict(overrides))
    command = [sys.executable, "-m", PROGRAM, *model, stated, *map(str, setup)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise ModelError(
            f"{model[0]}: a fresh process could not open it: {done.stderr[-300:].strip()}"
        )
    measured: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return measured
