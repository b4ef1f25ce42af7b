"""Sound that FFmpeg decodes, where PyAV is installed (`pip install 'serval-ser[av]'`).

A format is always named to FFmpeg, never guessed by it: among its own guesses are play lists, which
open other files and addresses.
"""

from __future__ import annotations

import io
from contextlib import contextmanager
from importlib.util import find_spec
from itertools import chain
from typing import TYPE_CHECKING

import numpy as np

from serval.audio.encoded import UNKNOWN_FROM, Stream, refuse_absurd
from serval.errors import AudioError
from serval.wording import one_line

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from av import AudioFrame, AudioStream
    from av.container import InputContainer

    from serval.audio.encoded import Blocks

PROMISING = frozenset({"mov", "matroska", "asf"})
"""Formats with a length in their header."""


def is_installed() -> bool:
    """Tell whether PyAV is there."""
    return find_spec("av") is not None


@contextmanager
def opened(encoded: bytes, demuxer: str) -> Iterator[Stream]:
    """Open the first sound of a container; blocks must be read before it is left.

    Raises:
        AudioError: FFmpeg cannot open it, it holds no sound, or its header is absurd.
    """
    import av

    try:
        container = av.open(io.BytesIO(encoded), "r", format=demuxer)
    except (av.FFmpegError, ValueError) as error:
        reason = one_line(getattr(error, "strerror", "") or error)
        raise AudioError(f"not decodable as audio: {reason} (format {demuxer})") from error
    with container:
        yield _stream(container)


def _stream(container: InputContainer) -> Stream:
    stream = next((s for s in container.streams.audio if s.codec_context is not None), None)
    if stream is None:
        raise AudioError(
            f"not decodable as audio: no sound of a known codec (format {container.format.name})"
        )
    refuse_absurd(stream.codec_context.sample_rate or 0, stream.codec_context.channels)
    frames = _as_float(container)
    first = next(frames, None)
    if first is None:
        raise AudioError("no samples in the file (zero length or truncated)")
    refuse_absurd(first.sample_rate, first.layout.nb_channels)
    promised = round(_promised_s(container, stream) * first.sample_rate)
    return Stream(
        blocks=_blocks(chain([first], frames), first.layout.nb_channels),
        sample_rate=first.sample_rate,  # of the decoder: a header of HE-AAC says half of it
        channels=first.layout.nb_channels,
        frames=promised if promised < UNKNOWN_FROM else 0,
        encoding=f"{container.format.name}/{stream.codec_context.name}",
        streams=len(container.streams.audio),
    )


def _blocks(frames: Iterable[AudioFrame], channels: int) -> Blocks:
    for frame in frames:
        yield np.asarray(frame.to_ndarray(), dtype=np.float32).reshape(-1, channels)


def _promised_s(container: InputContainer, stream: AudioStream) -> float:
    """Return the length that the file promises in seconds; 0 where FFmpeg would estimate it."""
    if not PROMISING & set(container.format.name.split(",")):
        return 0.0
    if stream.duration and stream.time_base:
        return float(stream.duration * stream.time_base)
    return (container.duration or 0) / 1e6


def _as_float(container: InputContainer) -> Iterator[AudioFrame]:
    import av

    # Interleaved: of planes, PyAV reads eight and whatever lies in memory behind them.
    to_float = av.AudioResampler(format="flt")  # no other rate, no other channels
    first = None
    for frame in container.decode(audio=0):
        kind = (frame.format.name, frame.layout.nb_channels, frame.sample_rate)
        first = first or kind
        if kind != first:
            raise AudioError(f"damaged: its format changes from {first} to {kind} on the way")
        yield from to_float.resample(frame)
