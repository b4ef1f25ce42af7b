"""What one clip may cost. Headers are believed about nothing that has to be allocated."""

from __future__ import annotations

from serval.errors import AudioError, TooLongError

__all__ = [
    "LARGEST_BYTES",
    "LARGEST_VALUES",
    "UNKNOWN_FROM",
    "is_missing_much",
    "refuse_absurd",
    "too_long",
]

LARGEST_BYTES = 2**30
"""Size of an encoded file. An hour of 96 kHz in stereo is 1.4 GB, and no clip."""

LARGEST_VALUES = 2**27
"""Decoded values over all channels, 512 MiB as float32: ten minutes of 96 kHz in stereo."""

RATES_HZ = (1_000, 768_000)
"""Below, there is nothing above 500 Hz and no speech; above, no converter samples."""

MOST_CHANNELS = 64
"""Ambisonics of the seventh order; nothing that records speech has more."""

UNKNOWN_FROM = 2**31 - 2**16
"""A length from here on is what programs write that do not know it, near 2^31, 2^32 or 2^36."""

MISSING = 0.02
"""Share of a promised length that may be missing."""

MISSING_BYTES = 128
"""So many bytes may be missing of any file: 4 ms of 16-bit speech at 16 kHz, or a header that was
counted as sound."""


def refuse_absurd(sample_rate: int, channels: int) -> None:
    """Raise an AudioError where a header cannot be right, before anything is allocated."""
    lowest, highest = RATES_HZ
    if not lowest <= sample_rate <= highest:
        raise AudioError(
            f"its header says {sample_rate} Hz; sample rates from {lowest} to {highest} Hz are read"
        )
    if not 1 <= channels <= MOST_CHANNELS:
        raise AudioError(
            f"its header says {channels} channels; files of up to {MOST_CHANNELS} are read"
        )


def is_missing_much(there: int, promised: int, least: int = MISSING_BYTES) -> bool:
    """Tell whether so much less is there than was promised that sound was lost.

    Args:
        there: Bytes or samples, from 0.
        promised: The same, from 0.
        least: What may be missing of anything.

    Examples:
        >>> is_missing_much(99_000, 100_000), is_missing_much(97_000, 100_000)
        (False, True)
    """
    return promised - there > max(least, MISSING * promised)


def too_long(seconds: float, max_seconds: float) -> TooLongError:
    """Return the error of a clip over the model's limit.

    Args:
        seconds: As far as its length is known.
        max_seconds: The limit.
    """
    shown = f"{seconds:.0f} s long" if seconds > max_seconds + 0.5 else "too long"
    return TooLongError(f"{shown}, but the limit is {max_seconds:g} s")
