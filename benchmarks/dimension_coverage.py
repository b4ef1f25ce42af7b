"""How often do 95 % intervals of CCC hold the truth? `dimension_coverage.py [SETS [SPEAKERS ...]]`.

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


def held(kind: Kind, speakers: int, rng: np.random.Generator) -> list[bool]:
    """Return whether the intervals of one set hold CCC, correlation and bias."""
    sizes = np.full(speakers, CLIPS) if kind.equal else rng.integers(5, 60, speakers)
    ids = np.repeat(np.arange(speakers), sizes)
    rated: NDArray[np.float64] = kind.rated * rng.normal(size=speakers)[ids]
    rated += rng.normal(size=len(ids))
    predicted = kind.slope * rated + kind.shift + kind.noise * rng.normal(size=len(ids))
    predicted += kind.predicted * rng.normal(size=speakers)[ids]
    names = ids.astype(str).tolist()
    found = dimension_scores(rated[:, None], predicted[:, None], names, ["x"]).per_dimension["x"]
    return [found[key].low <= value <= found[key].high for key, value in kind.truth.items()]


def main(sets: str = "600", *speakers: str) -> None:
    """Print the table."""
    rng = np.random.default_rng(0)
    for n in [int(text) for text in speakers] or SPEAKERS:
        for kind in KINDS:
            share = 100 * np.mean([held(kind, n, rng) for _ in range(int(sets))], axis=0)
            parts = ", ".join(f"{key} {x:.1f}" for key, x in zip(kind.truth, share, strict=True))
            print(f"{n} speakers, {kind}: {parts}", flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
