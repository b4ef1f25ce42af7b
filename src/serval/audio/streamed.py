"""Encoded bytes -> a waveform a block at a time, for clips that are too long to be held whole."""

from __future__ import annotations

import math
from collections import deque
from dataclasses import replace
from itertools import chain
from typing import TYPE_CHECKING

import numpy as np

from serval.audio.decode import (
    NO_SAMPLES,
    Reading,
    faults_of_the_clip,
    joined_note,
    none_left,
    notes_on_level,
    notes_on_streams,
)
from serval.audio.parts import parts_of
from serval.audio.waveform import mixed_blocks, resampled_blocks
from serval.errors import AudioError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from serval.audio.encoded import Part
    from serval.audio.waveform import Waveform

LONGEST_S = 86_400.0
"""A day. A few bytes of a lossless format can stand for any number of zeros."""


class Streamed:
    """One clip, decoded while it is read: the samples that `decode` gives, in blocks.

    Attributes:
        sample_rate: In Hz, after resampling.
        duration_s: How much of the file was read, in seconds at its own rate.
        notes: What was done to the sound until then, as `Audio.notes`.
    """

    def __init__(self, encoded: bytes, sample_rate: int) -> None:
        self._encoded = encoded
        self._peak = 0.0
        self.sample_rate = sample_rate
        self.duration_s = 0.0
        self.notes: tuple[str, ...] = ()

    def blocks(self) -> Iterator[Waveform]:
        """Yield the samples, `(n,) float32` at `sample_rate`.

        Raises:
            AudioError: As `decode` does, where the fault lies; what came before it was yielded.
        """
        with faults_of_the_clip():
            parts = parts_of(self._encoded)
            for part in parts:
                yield from self._part(_readable(part))
            more = [joined_note(len(parts))] if len(parts) > 1 else []
            self._note(*more, *notes_on_level(self._peak))

    def _part(self, part: Part) -> Iterator[Waveform]:
        reading = Reading(part, LONGEST_S - self.duration_s, LONGEST_S, most_values=math.inf)
        mono, kept, before_s = self._checked(reading), 0, self.duration_s
        first = next(mono, None)
        if first is None:
            raise AudioError(NO_SAMPLES)
        self._note(*notes_on_streams(reading.streams))
        for block in resampled_blocks(chain([first], mono), reading.sample_rate, self.sample_rate):
            kept += len(block)
            yield block
        if not kept:
            n = round((self.duration_s - before_s) * reading.sample_rate)
            raise AudioError(none_left(n, reading.sample_rate, self.sample_rate))

    def _checked(self, reading: Reading) -> Iterator[Waveform]:
        before_s, n = self.duration_s, 0
        for block in mixed_blocks(reading.blocks, self._note):
            if bad := np.count_nonzero(~np.isfinite(block)):
                raise AudioError(f"{bad} samples are NaN or infinite")
            n += len(block)
            self._peak = max(self._peak, float(np.abs(block).max(initial=0.0)))
            self.duration_s = before_s + n / reading.sample_rate
            yield block

    def _note(self, *notes: str) -> None:
        self.notes = tuple(dict.fromkeys([*self.notes, *notes]))


def _readable(part: Part) -> Part:
    """Return the part in the way in which it can be read to its end, where there are two."""
    if not part.otherwise:
        return part
    whole = Reading(part, LONGEST_S, LONGEST_S, most_values=math.inf)
    try:
        deque(whole.blocks(), maxlen=0)
    except AudioError:
        return replace(part, encoded=part.otherwise, otherwise=b"")
    return part
