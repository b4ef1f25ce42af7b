"""Which clips are one recording: by fingerprint, then laid over each other sample by sample."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass, field
from functools import cache
from typing import IO, TYPE_CHECKING, ClassVar, Self

import numpy as np
from numpy.typing import NDArray
from scipy import fft, sparse

from serval.audio import resampled

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from serval.audio import Waveform

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


SAMPLE_RATE = 8000
WINDOW = 512
HOP = 128
LOW_HZ, HIGH_HZ = 200.0, 3400.0
"""Hum and rumble below are alike in many recordings; telephones carry nothing above."""

BANDS = 33
ACTIVE_DB = 35.0
LONGEST_S = 120
"""Of a longer clip the beginning is compared."""

MODULATIONS, AVERAGED, PERIOD = 24, 3, 512

Floats = NDArray[np.float32]


@dataclass(frozen=True, slots=True, kw_only=True)
class Fingerprint:
    """About 1.5 kB for a clip of three seconds.

    Attributes:
        words: `(T,) uint32`, one word of 32 bits for each 16 ms.
        active: `(T,) bool`, where the clip is loud enough for its word to mean something.
        outline: `(384,) float32` of length 1, the same wherever in the file the speech begins.
    """

    words: NDArray[np.uint32]
    active: NDArray[np.bool_]
    outline: Floats


def fingerprint_of_audio(samples: Waveform, sample_rate: int) -> Fingerprint | None:
    """Return the fingerprint of at most the first two minutes, or `None` of digital silence.

    A bit says whether the energy difference between two neighbouring bands grew since the frame
    before. The outline is the magnitude of the spectrum of each band over time, which a shift in
    time leaves alone.

    Source: bits as in Haitsma and Kalker, A Highly Robust Audio Fingerprinting System (ISMIR
    2002), with a band of 200-3400 Hz so that 8 kHz telephone audio keeps them all; modulation
    spectrum as in Greenberg and Kingsbury (ICASSP 1997).
    """
    start = samples[: LONGEST_S * sample_rate]
    energy = _band_energy(resampled(start, sample_rate, SAMPLE_RATE))
    loudness = energy.sum(axis=1)
    loudest = loudness.max()
    if not loudest > 0:
        return None
    active = loudness > loudest * 10 ** (-ACTIVE_DB / 10)
    slopes = np.diff(np.log(energy + loudest * 1e-7), axis=1)
    growth = np.diff(slopes, axis=0, prepend=slopes[:1])
    bits = np.packbits(growth > 0, axis=1, bitorder="little")
    return Fingerprint(
        words=bits.view(np.uint32)[:, 0], active=active, outline=_outline(slopes, active)
    )


def _band_energy(samples: Waveform) -> Floats:
    """Return `(T, 33)` energies, with a window's length of silence before and after the clip."""
    silence = np.zeros(WINDOW - HOP, np.float32)
    padded = np.concatenate([silence, samples, silence])
    frames = np.lib.stride_tricks.sliding_window_view(padded, WINDOW)[::HOP]
    spectrum = fft.rfft(frames * np.hanning(WINDOW).astype(np.float32), axis=1)
    power = np.square(np.abs(spectrum))
    return np.ascontiguousarray((_filters() @ power.T).T, dtype=np.float32)


@cache
def _filters() -> sparse.csr_array[np.float32]:
    """Return `(33, 257)` triangles evenly spaced in log frequency, two bins wide at least.

    Sparse, because a dense product would start BLAS threads inside of each worker thread.
    """
    edges = np.geomspace(LOW_HZ, HIGH_HZ, BANDS + 2)
    bins = np.fft.rfftfreq(WINDOW, 1 / SAMPLE_RATE)[:, np.newaxis]
    width = np.maximum(edges[2:] - edges[:-2], 2 * SAMPLE_RATE / WINDOW)
    triangles = np.clip(1 - np.abs(bins - edges[1:-1]) / (width / 2), 0, None)
    return sparse.csr_array(triangles.T.astype(np.float32))


def _outline(slopes: Floats, active: NDArray[np.bool_]) -> Floats:
    centred = (slopes - slopes[active].mean(axis=0)) * active[:, np.newaxis]
    halved = centred.reshape(len(centred), -1, 2).sum(axis=2)
    stretch = 1
    while PERIOD * stretch < len(halved):
        stretch *= 2
    spectrum = np.abs(fft.rfft(halved, PERIOD * stretch, axis=0))[::stretch]
    used = spectrum[1 : 1 + MODULATIONS * AVERAGED].reshape(MODULATIONS, AVERAGED, -1)
    outline = np.sqrt(used.mean(axis=1)).ravel()
    return np.asarray(outline / max(float(np.linalg.norm(outline)), 1e-12), dtype=np.float32)


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
