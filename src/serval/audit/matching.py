"""Which fingerprints are of the same recording."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy import fft

from serval.audit.sketch import Shelf, overlap

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from numpy.typing import NDArray

    from serval.audit.fingerprint import Fingerprint

__all__ = ["Match", "agreement", "matches"]

NEIGHBOURS = 8
"""Candidates for each clip: the source of an altered clip was always its first."""

ALIKE = 0.95
"""Cosine of two outlines below which a pair is not worth aligning."""

MAYBE = 0.2
"""Agreement of two fingerprints from which a pair is laid over each other sample by sample."""

SAME = 0.75
"""Overlap from which two clips are one recording: far from both sides, see docs/audit.md."""

BLOCK = 1_000_000
"""Cosines that are held at once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Match:
    """Two clips of one recording, by their positions.

    Attributes:
        first: The lower position.
        second: The higher one.
        overlap: Correlation of the two where they fit best, in [0.75, 1].
    """

    first: int
    second: int
    overlap: float


def matches(prints: Mapping[int, Fingerprint], shelf: Shelf) -> Iterator[Match]:
    """Yield every pair that is one recording, each once, in order.

    The nearest outlines are the candidates; those whose fingerprints agree somewhat are laid over
    each other, and that alone decides.

    Args:
        prints: Clip position -> its fingerprint.
        shelf: Has the sketch of each of these clips.
    """
    positions = sorted(prints)
    for i, j in _candidates([prints[p].outline for p in positions]):
        first, second = positions[i], positions[j]
        if agreement(prints[first], prints[second]) < MAYBE:
            continue
        common = overlap(shelf.get(first), shelf.get(second))
        if common >= SAME:
            yield Match(first=first, second=second, overlap=round(common, 4))


def agreement(one: Fingerprint, other: Fingerprint) -> float:
    """Return how alike two clips are where they fit best: 1 the same, about 0 two recordings.

    It is the share of equal minus unequal bits over the frames that are loud in both, divided by
    the number of loud frames, so that a small overlap cannot score high.
    """
    n = fft.next_fast_len(len(one.words) + len(other.words), real=True)
    spectra = fft.rfft(_signs(one), n, axis=0), fft.rfft(_signs(other), n, axis=0)
    best = fft.irfft((spectra[0] * np.conj(spectra[1])).sum(axis=1), n).max()
    loud = max(int(one.active.sum()), int(other.active.sum()))
    return float(best) / (32 * loud)


def _signs(print_: Fingerprint) -> NDArray[np.float32]:
    """Return `(T, 32)` of +1 and -1, and 0 where the clip is not loud."""
    bits = np.unpackbits(print_.words[:, np.newaxis].view(np.uint8), axis=1)
    return (bits.astype(np.float32) * 2 - 1) * print_.active[:, np.newaxis]


def _candidates(vectors: Sequence[NDArray[np.float32]]) -> list[tuple[int, int]]:
    """Return the pairs of near neighbours, each once, in order."""
    if len(vectors) < 2:
        return []
    outlines, pairs = np.stack(vectors), set[tuple[int, int]]()
    rows = max(1, BLOCK // len(outlines))
    for start in range(0, len(outlines), rows):
        cosines = outlines[start : start + rows] @ outlines.T
        for here, there in _nearest(cosines, start):
            pairs.add((min(here, there), max(here, there)))
    return sorted(pairs)


def _nearest(cosines: NDArray[np.float32], start: int) -> Iterator[tuple[int, int]]:
    """Yield each row's nearest columns but itself; the first row is clip number `start`."""
    rows = np.arange(len(cosines))
    cosines[rows, rows + start] = -1
    k = min(NEIGHBOURS, cosines.shape[1] - 1)
    nearest = np.argpartition(cosines, -k, axis=1)[:, -k:]
    near = np.take_along_axis(cosines, nearest, axis=1) >= ALIKE
    for row, column in zip(*np.nonzero(near), strict=True):
        yield start + int(row), int(nearest[row, column])
