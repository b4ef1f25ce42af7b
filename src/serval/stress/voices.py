"""The other clips of a set, from which babble is made."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from serval.audio import decode, encoded_bytes
from serval.errors import AudioError
from serval.stress.cases import Voice

if TYPE_CHECKING:
    from serval.models.protocol import Model
    from serval.records import Clip, Dataset

__all__ = ["POOL", "voices_of"]

POOL = 32
"""Number of clips in the pool from which babble is made."""

LONGEST_S = 10.0
"""Seconds of each clip that are kept in memory: 20 MB for the whole pool at 16 kHz."""


def voices_of(
    dataset: Dataset, model: Model, *, limit: int | None = None, seed: int = 0
) -> tuple[Voice, ...]:
    """Return up to `POOL` clips of a set, chosen by their ids and the seed, decoded.

    A clip that cannot be decoded is left out.
    """
    chosen = sorted(
        dataset.metadata(0, limit),
        key=lambda clip: hashlib.sha256(f"{seed}|voice|{clip.id}".encode()).digest(),
    )[:POOL]
    voices = (
        _voice(clip, model)
        for index in sorted(clip.index for clip in chosen)
        for clip in dataset.clips(index, index + 1)
    )
    return tuple(voice for voice in voices if voice is not None)


def _voice(clip: Clip, model: Model) -> Voice | None:
    try:
        audio = decode(encoded_bytes(clip.audio), model.sample_rate, max_seconds=model.max_seconds)
    except AudioError:
        return None
    kept = audio.samples[: round(LONGEST_S * model.sample_rate)].copy()
    return Voice(clip_id=clip.id, speaker=clip.speaker, samples=kept) if kept.any() else None
