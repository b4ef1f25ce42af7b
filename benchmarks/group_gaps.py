"""How often a gap between groups is claimed where there is none, and found where there is one.

python benchmarks/group_gaps.py --sets 400
"""

from __future__ import annotations

import argparse

import numpy as np

from serval.groups.gaps import gaps_between, permutation_of
from serval.scores.chance import WORTH_FINDING

SHAPES = {
    "40 and 40 speakers, 20 clips each": [[20] * 40, [20] * 40],
    "10 and 10 speakers, 40 clips each": [[40] * 10, [40] * 10],
    "60 speakers of 20 clips, 10 of 120": [[20] * 60, [120] * 10],
    "6 and 6 speakers, 100 clips each": [[100] * 6, [100] * 6],
    "91 speakers of 13 clips, 2 of 250": [[13] * 91, [250] * 2],
    "30 speakers of 10, 29 of 10 and one of 300": [[10] * 30, [10] * 29 + [300]],
    "three times 60 speakers, 20 clips each": [[20] * 60] * 3,
}
"""Clips of each speaker of each group."""

ACCURACY = 0.8


def finding(sizes: list[list[int]], spread: float, gap: float, rng: np.random.Generator) -> str:
    """Return the verdict on one set of simulated answers.

    Args:
        sizes: Clips of each speaker of each group.
        spread: Standard deviation of the speakers' accuracies, in [0, 1].
        gap: By how much the first group is better than the second, in [0, 1].
        rng: What the answers are drawn from.
    """
    clips = np.concatenate(sizes)
    speaker = np.repeat(np.arange(len(clips)), clips)
    group = np.repeat(np.arange(len(sizes)), [len(own) for own in sizes])[speaker]
    better = np.select([group == 0, group == 1], [gap / 2, -gap / 2], 0.0)
    skill = np.clip(ACCURACY + rng.normal(0, spread, len(clips))[speaker] + better, 0, 1)
    right = (rng.random(len(speaker)) < skill).astype(np.float64)
    names = [str(i) for i in range(len(sizes))]
    permutation = permutation_of(group, [str(i) for i in speaker])
    (found,) = gaps_between(names, permutation, right, (np.zeros_like(group),), 1, rng)
    return found.finding


def main() -> None:
    """Print a table: shares of sets with each verdict, without and with a gap worth finding."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sets", type=int, default=400)
    parser.add_argument("--spread", type=float, default=0.1, help="of speakers, 0 to 1")
    options = parser.parse_args()
    print("| groups | true gap | more than chance | no more | cannot tell |")
    print("|---|---:|---:|---:|---:|")
    for name, sizes in SHAPES.items():
        for gap in (0.0, WORTH_FINDING):
            rng = np.random.default_rng(0)
            found = [finding(sizes, options.spread, gap, rng) for _ in range(options.sets)]
            shares = [100 * found.count(word) / len(found) for word in
                      ("more than chance", "no more than chance", "cannot tell")]  # fmt: skip
            print(
                f"| {name} | {gap:.2f} | {' | '.join(f'{s:.1f} %' for s in shares)} |", flush=True
            )


if __name__ == "__main__":
    main()
