"""The whole way from encoded bytes to one channel at the wanted rate, at once or block by block."""

from __future__ import annotations

import math
from collections import deque
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from itertools import chain
from typing import TYPE_CHECKING

import numpy as np

from serval.audio import ffmpeg, libsndfile
from serval.audio.encoded import LARGEST_VALUES, is_missing_much, too_long
from serval.audio.kinds import demuxer_of, not_audio
from serval.audio.libsndfile import UnknownSoundError
from serval.audio.parts import parts_of
from serval.audio.waveform import Waveform, mixed, mixed_blocks, resampled, resampled_blocks
from serval.errors import AudioError, TruncatedError
from serval.wording import one_line

if TYPE_CHECKING:
    from collections.abc import Iterator

    from serval.audio.encoded import Blocks, Part, Stream

SILENT = "the model heard digital silence"
NO_SAMPLES = "no samples in the file (zero length or truncated)"

MOST_PEAK = 32.0
"""Where 1 is full scale: 30 dB more than that is no loud sound, but another scale."""

OVER_SCALE = (
    "its samples are not on the scale where 1 is full scale, such as integers kept as floats"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Audio:
    """One decoded clip.

    Attributes:
        samples: `(T,) float32`, mono, at `sample_rate`.
        sample_rate: In Hz, after resampling.
        duration_s: Length of the file in seconds, at its own rate.
        source_rate: Sample rate of the file in Hz.
        channels: Channel count of the file.
        notes: What was done to the sound beside resampling, as the end of a sentence each.
        encoding: Container and codec, such as `FLAC/PCM_16`.
    """

    samples: Waveform
    sample_rate: int
    duration_s: float
    source_rate: int
    channels: int
    notes: tuple[str, ...] = ()
    encoding: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Header:
    """What a file says of itself before it is decoded.

    Attributes:
        sample_rate: In Hz.
        channels: Channel count.
        frames: Samples of each channel; 0 where the file does not say.
        encoding: Container and codec, such as `FLAC/PCM_16`.
    """

    sample_rate: int
    channels: int
    frames: int
    encoding: str

    @property
    def duration_s(self) -> float:
        """Length in seconds; 0 where it is not known."""
        return self.frames / self.sample_rate


def decode(
    encoded: bytes, sample_rate: int | None = None, *, max_seconds: float = math.inf
) -> Audio:
    """Return the clip as mono float32 at `sample_rate`: channels by mean, resampled by soxr HQ.

    The format is found from the content, never from a file name. Files joined end to end are
    decoded one after the other. At most `max_seconds` are ever decoded, so that a ten-hour file
    costs nothing. Where the mean of the channels cancels out, the loudest is taken and noted.

    Args:
        encoded: The contents of a file.
        sample_rate: In Hz; by default the file's own.
        max_seconds: The longest clip that is taken.

    Raises:
        AudioError: Not audio, no samples, NaN or infinite samples, too long, or more than fits
            into memory. As `TruncatedError`: cut off.
    """
    with _faults_of_the_clip():
        return _decoded(encoded, sample_rate, max_seconds)


def header_of(encoded: bytes) -> Header:
    """Return what the first sound of a file says of itself, without decoding it.

    Raises:
        AudioError: It is not an audio file that can be decoded.
    """
    with _faults_of_the_clip():
        part = parts_of(encoded)[0]
        with _opened(part) as stream:
            return Header(
                sample_rate=stream.sample_rate,
                channels=stream.channels,
                frames=_promised(part, stream),
                encoding=stream.encoding,
            )


@contextmanager
def _faults_of_the_clip() -> Iterator[None]:
    """Turn whatever a library raises on a clip into that clip's AudioError."""
    try:
        yield
    except AudioError:
        raise
    except Exception as error:
        reason = f"{type(error).__name__}: {one_line(error)}"
        raise AudioError(f"not decodable as audio: {reason}") from error


def _decoded(encoded: bytes, sample_rate: int | None, max_seconds: float) -> Audio:
    sounds: list[Audio] = []
    duration_s = 0.0
    for part in parts_of(encoded):
        sounds.append(_sound(part, max_seconds - duration_s, max_seconds))
        duration_s += sounds[-1].duration_s
    rate = sample_rate or sounds[0].sample_rate
    samples = np.concatenate([_resampled(sound, rate) for sound in sounds])
    notes = [note for sound in sounds for note in sound.notes]
    if len(sounds) > 1:
        notes.append(_joined_note(len(sounds)))
    peak = max(float(samples.max()), -float(samples.min()))
    notes += _notes_on_level(peak)
    return Audio(
        samples=samples,
        sample_rate=rate,
        duration_s=duration_s,
        source_rate=sounds[0].sample_rate,
        channels=max(sound.channels for sound in sounds),
        notes=tuple(dict.fromkeys(notes)),
        encoding=sounds[0].encoding,
    )


def _joined_note(n: int) -> str:
    """Return what is said of a file that is several, joined."""
    return f"it is {n} files joined end to end; all were decoded"


def _none_left(n: int, from_rate: int, to_rate: int) -> str:
    """Return what is said of so few samples that resampling leaves none of them."""
    return f"{n} samples at {from_rate} Hz leave none at {to_rate} Hz"


def _notes_on_level(peak: float) -> list[str]:
    """Return what is said of a clip with samples of at most that magnitude."""
    if not peak:
        return [SILENT]
    return [OVER_SCALE] if peak > MOST_PEAK else []


def _resampled(sound: Audio, sample_rate: int) -> Waveform:
    n, rate = len(sound.samples), sound.sample_rate
    if n * sample_rate / rate > LARGEST_VALUES:
        raise AudioError(f"{n} samples at {rate} Hz are too many at {sample_rate} Hz")
    samples = resampled(sound.samples, rate, sample_rate)
    if not len(samples):
        raise AudioError(_none_left(n, rate, sample_rate))
    return samples


def _sound(part: Part, left_s: float, max_seconds: float) -> Audio:
    """Return a part decoded at its own rate, in the one way or the other."""
    try:
        return _read(part, left_s, max_seconds)
    except AudioError:
        if not part.otherwise:
            raise
    return _read(replace(part, encoded=part.otherwise, otherwise=b""), left_s, max_seconds)


def _read(part: Part, left_s: float, max_seconds: float) -> Audio:
    reading = _Reading(part, left_s, max_seconds)
    samples, notes = mixed(reading.blocks)
    if not len(samples):
        raise AudioError(NO_SAMPLES)
    if not np.isfinite(samples).all():
        n = np.count_nonzero(~np.isfinite(samples))
        raise AudioError(f"{n} samples are NaN or infinite")
    return Audio(
        samples=samples,
        sample_rate=reading.sample_rate,
        duration_s=len(samples) / reading.sample_rate,
        source_rate=reading.sample_rate,
        channels=reading.channels,
        encoding=reading.encoding,
        notes=(*notes, *_notes_on_streams(reading.streams)),
    )


def _notes_on_streams(n: int) -> list[str]:
    """Return what is said of a file with that many sounds beside each other."""
    return [f"it holds {n} sounds that play at the same time; the first was taken"] * (n > 1)


class _Reading:
    """Decodes a part within bounds, as often as it is asked, and knows then what it was.

    Args:
        part: What is decoded.
        left_s: Seconds that it may have.
        max_seconds: What all parts may have together, for the message.
        most_values: Values over all channels that it may have; by default `LARGEST_VALUES`.
    """

    def __init__(
        self,
        part: Part,
        left_s: float,
        max_seconds: float,
        *,
        most_values: float | None = None,
    ) -> None:
        self._part = part
        self._most_values = LARGEST_VALUES if most_values is None else most_values
        self._left_s = left_s
        self._max_seconds = max_seconds
        self.sample_rate = self.channels = self.streams = 0
        self.encoding = ""

    def blocks(self) -> Blocks:
        """Yield the decoded sound, from its beginning at each call."""
        with _opened(self._part) as stream:
            self.sample_rate, self.channels = stream.sample_rate, stream.channels
            self.encoding = stream.encoding
            self.streams = max(self._part.streams, stream.streams)
            promised = _promised(self._part, stream)
            if stream.counts_exactly:
                self._refuse_too_long(promised, promised)
            yield from self._bounded(_undamaged(stream), promised)

    def _bounded(self, blocks: Blocks, promised: int) -> Blocks:
        n = 0
        for block in blocks:
            n += len(block)
            self._refuse_too_long(n, promised)
            if n * self.channels > self._most_values:
                size = LARGEST_VALUES * 4 // 2**20
                raise AudioError(f"more than {size} MiB when decoded; cut it up")
            yield block
        if n and is_missing_much(n, promised, least=0):
            raise TruncatedError(f"truncated: {n} of {promised} samples are there")

    def _refuse_too_long(self, n: int, promised: int) -> None:
        limit = self._left_s * self.sample_rate
        if math.isfinite(limit) and n > math.ceil(limit):
            before_s = self._max_seconds - self._left_s
            raise too_long(before_s + max(n, promised) / self.sample_rate, self._max_seconds)


def _promised(part: Part, stream: Stream) -> int:
    return stream.frames if part.promised is None else part.promised


def _undamaged(stream: Stream) -> Blocks:
    """Yield the blocks; where the decoder gives up, say whether sound came before that."""
    n = 0
    try:
        for block in stream.blocks:
            n += len(block)
            yield block
    except (AudioError, MemoryError):
        raise
    except Exception as error:
        reason = one_line(libsndfile.reason_of(error))
        if n:
            after = f"truncated or damaged after {n / stream.sample_rate:.3f} s"
            raise TruncatedError(f"{after}: {reason}") from error
        raise AudioError(f"not decodable as audio: {reason}") from error


@contextmanager
def _opened(part: Part) -> Iterator[Stream]:
    with ExitStack() as stack:
        yield _entered(stack, part)


def _entered(stack: ExitStack, part: Part) -> Stream:
    """Open a part with the decoder that knows it.

    Raises:
        AudioError: None does; the error says what the file is, if it is known.
    """
    if part.demuxer:
        return stack.enter_context(ffmpeg.opened(part.encoded, part.demuxer))
    try:
        return stack.enter_context(libsndfile.opened(part.encoded))
    except UnknownSoundError as error:
        demuxer = demuxer_of(part.encoded)
        if demuxer and ffmpeg.is_installed():
            return stack.enter_context(ffmpeg.opened(part.encoded, demuxer))
        what = not_audio(part.encoded)
        raise AudioError(f"not decodable as audio: {what or error}") from error


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
        with _faults_of_the_clip():
            parts = parts_of(self._encoded)
            for part in parts:
                yield from self._part(_readable(part))
            more = [_joined_note(len(parts))] if len(parts) > 1 else []
            self._note(*more, *_notes_on_level(self._peak))

    def _part(self, part: Part) -> Iterator[Waveform]:
        reading = _Reading(part, LONGEST_S - self.duration_s, LONGEST_S, most_values=math.inf)
        mono, kept, before_s = self._checked(reading), 0, self.duration_s
        first = next(mono, None)
        if first is None:
            raise AudioError(NO_SAMPLES)
        self._note(*_notes_on_streams(reading.streams))
        for block in resampled_blocks(chain([first], mono), reading.sample_rate, self.sample_rate):
            kept += len(block)
            yield block
        if not kept:
            n = round((self.duration_s - before_s) * reading.sample_rate)
            raise AudioError(_none_left(n, reading.sample_rate, self.sample_rate))

    def _checked(self, reading: _Reading) -> Iterator[Waveform]:
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
    whole = _Reading(part, LONGEST_S, LONGEST_S, most_values=math.inf)
    try:
        deque(whole.blocks(), maxlen=0)
    except AudioError:
        return replace(part, encoded=part.otherwise, otherwise=b"")
    return part
