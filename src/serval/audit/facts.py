"""One clip -> what the audit remembers of it, which is small whatever the clip's length."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from serval.audio import Header, decode, encoded_bytes, header_of, resampled
from serval.audit.findings import Kind
from serval.audit.fingerprint import Fingerprint, fingerprint_of_audio
from serval.audit.signal import Signal, signal_of
from serval.audit.sketch import Sketch, sketch_of
from serval.errors import AudioError, TooLongError, TruncatedError

if TYPE_CHECKING:
    from serval.audio import Audio, Waveform
    from serval.records import Clip

__all__ = ["LONGEST_S", "ClipFacts", "clip_facts", "is_silent"]

LONGEST_S = 600.0
"""A clip that is longer is not decoded: ten minutes is no clip."""

SILENT_PEAK = 0.001
"""-60 dB of full scale; speech that peaks below it is not to be heard."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClipFacts:
    """What is known of a clip after it was decoded once.

    Attributes:
        split: The split, as the audit calls it.
        clip_id: `Clip.id`.
        label: After the label map; the dataset's own where the map has none.
        raw_label: As the dataset writes it.
        speaker: Who speaks, if known.
        text: What is said, if known.
        sha256: Of the encoded file.
        samples_sha256: Of the decoded samples and their rate; `""` if silent or not decoded.
        header: Format and length, as found or, where it was not decoded, as the file says; if any.
        signal: What the samples are like, if there are any.
        print: Acoustic fingerprint; `None` if silent or not decoded.
        sketch: A narrow-band copy of the clip, taken out once it is stored elsewhere.
        faults: What is wrong with the file, with a sentence for each.
    """

    split: str
    clip_id: str
    label: str
    raw_label: str
    speaker: str | None
    text: str | None
    sha256: str = ""
    samples_sha256: str = ""
    header: Header | None = None
    signal: Signal | None = None
    print: Fingerprint | None = None
    sketch: Sketch | None = None
    faults: tuple[tuple[Kind, str], ...] = ()


def clip_facts(clip: Clip, blank: ClipFacts) -> ClipFacts:
    """Return `blank`, which knows what the dataset says, with what the audio says."""
    try:
        encoded = encoded_bytes(clip.audio)
    except AudioError as error:
        return replace(blank, faults=((Kind.UNDECODABLE, str(error)),))
    known = replace(blank, sha256=hashlib.sha256(encoded).hexdigest())
    try:
        audio = decode(encoded, max_seconds=LONGEST_S)
    except AudioError as error:
        faults = ((_kind_of(error), str(error)),)
        return replace(known, header=_header_if_any(encoded), faults=faults)
    return _with_audio(known, audio)


def is_silent(signal: Signal) -> bool:
    """Tell whether nothing is to be heard."""
    return signal.peak < SILENT_PEAK


def _with_audio(known: ClipFacts, audio: Audio) -> ClipFacts:
    samples, rate = audio.samples, audio.sample_rate
    signal = signal_of(samples)
    known = replace(known, header=_header(audio), signal=signal)
    if is_silent(signal):
        return known
    return replace(
        known,
        samples_sha256=_samples_sha256(samples, rate),
        print=fingerprint_of_audio(samples, rate),
        sketch=sketch_of(resampled(samples, rate, Sketch.sample_rate)),
    )


def _header(audio: Audio) -> Header:
    """Return the header with the length that was found, whatever the file promises."""
    return Header(
        sample_rate=audio.source_rate,
        channels=audio.channels,
        frames=len(audio.samples),
        encoding=audio.encoding,
    )


def _header_if_any(encoded: bytes) -> Header | None:
    try:
        return header_of(encoded)
    except AudioError:
        return None


def _kind_of(error: AudioError) -> Kind:
    if isinstance(error, TruncatedError):
        return Kind.TRUNCATED
    return Kind.TOO_LONG if isinstance(error, TooLongError) else Kind.UNDECODABLE


def _samples_sha256(samples: Waveform, sample_rate: int) -> str:
    digest = hashlib.sha256(str(sample_rate).encode())
    digest.update(samples.tobytes())
    return digest.hexdigest()
