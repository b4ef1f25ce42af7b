"""What each step of the recipe brought, on the speakers that it never heard.

    python recipes/serval-tiny/measure.py OUTPUT/plan-fold-*.npz

Accuracy by corpus, on the clips as they are and on perturbed ones, with the change that each step
made and its 95 % interval: a bootstrap that draws speakers, the same for both steps.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

STEPS = {"clean": "head, clips as they are", "frozen": "head, perturbed copies too",
         "tuned": "all layers trained", "averaged": "weights of trainings averaged"}  # fmt: skip
DRAWS, SEED = 5_000, 0


def main(*files: str) -> None:
    """Print the table."""
    folds = [np.load(file) for file in files]
    found = {key: np.concatenate([fold[key] for fold in folds]) for key in folds[0].files}
    for corpus in np.unique(found["corpora"]):
        chosen = found["corpora"] == corpus
        part = {key: values[chosen] for key, values in found.items()}
        print(f"{corpus}: {chosen.sum():,} clips, {len(np.unique(part['speakers']))} speakers")  # noqa: T201 - a command's output
        for copies in pairs(found):
            title = f"copies {' and '.join(map(str, copies))}" if copies != [0] else "as they are"
            for line in rows(part, copies):
                print(f"  {title}: {line}")  # noqa: T201 - a command's output


def pairs(found: dict[str, NDArray[Any]]) -> list[list[int]]:
    """Return the clips as they are, copy 0, then each two copies that were perturbed."""
    perturbed = sorted(int(key.removeprefix("clean")) for key in found if key.startswith("clean"))[
        1:
    ]
    return [[0], *(perturbed[i : i + 2] for i in range(0, len(perturbed), 2))]


def rows(part: dict[str, NDArray[Any]], copies: list[int]) -> list[str]:
    """Return a line for each step: its accuracy, and the change from the step before."""
    right = {step: np.mean([part[f"{step}{copy}"].argmax(axis=1) == part["truth"]
                            for copy in copies], axis=0) for step in STEPS}  # fmt: skip
    lines, before = [], None
    for step, title in STEPS.items():
        line = f"{title} {interval(right[step], part['speakers'])}"
        if before is not None:
            line += f", change {interval(right[step] - before, part['speakers'])}"
        lines.append(line)
        before = right[step]
    return lines


def interval(values: NDArray[np.float64], speakers: NDArray[Any]) -> str:
    """Return the mean in percent, with its 95 % interval by speaker."""
    _, place = np.unique(speakers, return_inverse=True)
    sums, counts = np.bincount(place, values), np.bincount(place)
    drawn = np.random.default_rng(SEED).integers(len(counts), size=(DRAWS, len(counts)))
    means = sums[drawn].sum(axis=1) / counts[drawn].sum(axis=1)
    low, high = np.quantile(means, (0.025, 0.975))
    return f"{100 * values.mean():.1f} ({100 * low:.1f} to {100 * high:.1f})"


if __name__ == "__main__":
    main(*sys.argv[1:])
