"""How often do 95 % intervals of CCC hold? `dimension_coverage.py [SETS [SPEAKERS ...]]`.

`dimension_coverage.py SETS clips N ...` draws sets of N clips instead, of speakers not known.

Ratings and predictions are simulated: speakers differ in how they are rated and in how they are
predicted, errors are normal. For each number of speakers and each kind of set it prints, in percent
of the sets, how often the interval holds the true CCC, Pearson correlation and bias. Half a minute
for all of them.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from serval.scores.dimensions import dimension_scores

if TYPE_CHECKING:
    from numpy.typing import NDArray

SPEAKERS = (2, 4, 10, 24, 91)
CLIPS = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """How sets of one kind come about; ratings have a standard deviation of 1 within a speaker.

    Attributes:
        rated: Standard deviation between speakers of their mean rating.
        predicted: The same of their mean error.
        slope: By how much a prediction follows its rating.
        shift: Mean error.
        noise: Standard deviation of the error within a speaker.
        equal: Whether all speakers have 20 clips, else from 5 to 59.
    """

    rated: float
    predicted: float
    slope: float
    shift: float
    noise: float
    equal: bool

    @property
    def truth(self) -> dict[str, float]:
        """CCC, Pearson correlation and bias of all clips that there could be."""
        ratings = self.rated**2 + 1
        predictions = self.slope**2 * ratings + self.predicted**2 + self.noise**2
        shared = self.slope * ratings
        return {
            "ccc": 2 * shared / (ratings + predictions + self.shift**2),
            "pearson": shared / np.sqrt(ratings * predictions),
            "bias": self.shift,
        }


KINDS = (
    Kind(rated=0.3, predicted=0.3, slope=0.7, shift=0.2, noise=0.7, equal=True),
    Kind(rated=0.7, predicted=0.7, slope=0.5, shift=0.3, noise=0.6, equal=False),
    Kind(rated=0, predicted=0, slope=0.8, shift=0, noise=0.5, equal=True),
    Kind(rated=0.5, predicted=1.0, slope=0.9, shift=0, noise=0.2, equal=True),
)


FEW = (
    Kind(rated=0, predicted=0, slope=0.8, shift=0, noise=0.3, equal=True),
    Kind(rated=0, predicted=0, slope=0.8, shift=0, noise=0.8, equal=True),
)
"""Of sets of few clips: a good model and one that is often off."""


def held(kind: Kind, speakers: int, clips: int, rng: np.random.Generator) -> list[bool]:
    """Return whether the intervals of one set hold CCC, correlation and bias.

    Args:
        kind: How the set comes about.
        speakers: Number of them.
        clips: Of each speaker, where these are equal; with 1 nothing is known of speakers.
        rng: The random numbers.
    """
    sizes = np.full(speakers, clips) if kind.equal else rng.integers(5, 60, speakers)
    ids = np.repeat(np.arange(speakers), sizes)
    rated: NDArray[np.float64] = kind.rated * rng.normal(size=speakers)[ids]
    rated += rng.normal(size=len(ids))
    predicted = kind.slope * rated + kind.shift + kind.noise * rng.normal(size=len(ids))
    predicted += kind.predicted * rng.normal(size=speakers)[ids]
    names = ids.astype(str).tolist() if clips > 1 else [None] * len(ids)
    found = dimension_scores(rated[:, None], predicted[:, None], names, ["x"]).per_dimension["x"]
    return [found[key].low <= value <= found[key].high for key, value in kind.truth.items()]


def main(sets: str = "600", *speakers: str) -> None:
    """Print the table."""
    rng, of_clips = np.random.default_rng(0), speakers[:1] == ("clips",)
    kinds, clips, what = (FEW, 1, "clips") if of_clips else (KINDS, CLIPS, "speakers")
    for n in [int(text) for text in speakers[of_clips:]] or SPEAKERS:
        for kind in kinds:
            share = 100 * np.mean([held(kind, n, clips, rng) for _ in range(int(sets))], axis=0)
            parts = ", ".join(f"{key} {x:.1f}" for key, x in zip(kind.truth, share, strict=True))
            print(f"{n} {what}, {kind}: {parts}", flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
