"""A narrow-band copy of every clip on disk, to lay two clips over each other sample by sample."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass, field
from typing import IO, TYPE_CHECKING, ClassVar, Self

import numpy as np
from scipy import fft

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from serval.audio import Waveform

__all__ = ["Shelf", "Sketch", "overlap", "sketch_of"]

LOW_HZ = 200.0
"""Hum and rumble below are left out of the comparison: they are alike in many recordings."""

LONGEST_S = 120


@dataclass(frozen=True, slots=True, kw_only=True)
class Sketch:
    """The first two minutes of a clip at 4 kHz and 8 bit.

    Attributes:
        samples: `(T,) int8`; 127 is the clip's peak.
    """

    samples: NDArray[np.int8]
    sample_rate: ClassVar[int] = 4000


def sketch_of(samples: Waveform) -> Sketch:
    """Return the sketch of samples that are at 4 kHz already."""
    start = samples[: LONGEST_S * Sketch.sample_rate]
    peak = max(float(np.abs(start).max(initial=0.0)), 1e-9)
    return Sketch(samples=np.round(start / peak * 127).astype(np.int8))


def overlap(one: Sketch, other: Sketch) -> float:
    """Return the correlation of two clips where they fit best: in [0, 1], 1 for the same.

    It is the largest magnitude over all shifts, so a clip with its sign turned is the same; and
    it is divided by the energy of both whole clips, so what only one of them has lowers it.

    Source: normalised cross-correlation, Knapp and Carter, IEEE Trans. ASSP 24 (1976).
    """
    n = fft.next_fast_len(len(one.samples) + len(other.samples), real=True)
    low = int(LOW_HZ * n / Sketch.sample_rate)
    first, second = (fft.rfft(s.samples.astype(np.float32), n)[low:] for s in (one, other))
    spectrum = np.concatenate([np.zeros(low, np.complex64), first * np.conj(second)])
    energy = np.vdot(first, first).real * np.vdot(second, second).real
    if not energy > 0:
        return 0.0
    peak = np.abs(fft.irfft(spectrum, n)).max()
    return min(1.0, float(peak * n / 2 / np.sqrt(energy)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Shelf:
    """Keeps sketches in a nameless file, about 4 kB for each second of audio.

    Attributes:
        file: Open for reading and writing; it goes away when it is closed.
        places: Clip position -> where its sketch begins, and its length.
    """

    file: IO[bytes] = field(default_factory=tempfile.TemporaryFile)
    places: dict[int, tuple[int, int]] = field(default_factory=dict)

    def __enter__(self) -> Self:
        """Return the shelf."""
        return self

    def __exit__(self, *_error: object) -> None:
        """Remove the file."""
        self.file.close()

    def put(self, position: int, sketch: Sketch) -> None:
        """Keep the sketch of the clip at `position`."""
        self.places[position] = (self.file.seek(0, 2), len(sketch.samples))
        self.file.write(sketch.samples.tobytes())

    def get(self, position: int) -> Sketch:
        """Return the sketch of the clip at `position`, which was put here."""
        start, n = self.places[position]
        self.file.seek(start)
        return Sketch(samples=np.frombuffer(self.file.read(n), np.int8))
