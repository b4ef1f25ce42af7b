"""One clip -> what the audit remembers of it, which is small whatever the clip's length."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from serval.audio import decode, encoded_bytes, resampled
from serval.audit.container import Header, decodable_frames, header_of, ogg_is_cut_off
from serval.audit.findings import Kind
from serval.audit.fingerprint import Fingerprint, fingerprint_of_audio
from serval.audit.signal import Signal, signal_of
from serval.audit.sketch import Sketch, sketch_of
from serval.errors import AudioError

if TYPE_CHECKING:
    from serval.audio import Waveform
    from serval.records import Clip

__all__ = ["LONGEST_S", "ClipFacts", "clip_facts", "is_silent"]

LONGEST_S = 600.0
"""A clip that is longer is not decoded: ten minutes is no clip."""

MISSING = 0.01
"""Share of the promised samples that may be missing: an MP3's header only estimates."""

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
        header: What the file promises, if it can be opened.
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
        header = header_of(encoded)
    except AudioError as error:
        return replace(known, faults=((Kind.UNDECODABLE, str(error)),))
    known = replace(known, header=header)
    if header.duration_s > LONGEST_S:
        fault = f"{header.duration_s:.0f} s long and not decoded"
        return replace(known, faults=((Kind.TOO_LONG, fault),))
    return _with_audio(known, header, encoded)


def is_silent(signal: Signal) -> bool:
    """Tell whether nothing is to be heard."""
    return signal.peak < SILENT_PEAK


def _with_audio(known: ClipFacts, header: Header, encoded: bytes) -> ClipFacts:
    try:
        samples = decode(encoded, header.sample_rate, max_seconds=LONGEST_S).samples
    except AudioError as error:
        return replace(known, faults=(_decoding_fault(header, encoded, str(error)),))
    signal = signal_of(samples)
    faults = tuple(_cut_off(header, len(samples), encoded))
    known = replace(known, signal=signal, faults=faults)
    if is_silent(signal):
        return known
    return replace(
        known,
        samples_sha256=_samples_sha256(samples, header.sample_rate),
        print=fingerprint_of_audio(samples, header.sample_rate),
        sketch=sketch_of(resampled(samples, header.sample_rate, Sketch.sample_rate)),
    )


def _decoding_fault(header: Header, encoded: bytes, reason: str) -> tuple[Kind, str]:
    """Return whether a file that opened but failed was cut off, or is no audio at all."""
    if reason.startswith("truncated"):
        return Kind.TRUNCATED, reason
    n = decodable_frames(encoded)
    if 0 < n < header.frames:
        return Kind.TRUNCATED, _promise(header, n)
    return Kind.UNDECODABLE, reason


def _cut_off(header: Header, n: int, encoded: bytes) -> list[tuple[Kind, str]]:
    if header.frames * (1 - MISSING) > n:
        return [(Kind.TRUNCATED, _promise(header, n))]
    if ogg_is_cut_off(encoded):
        return [(Kind.TRUNCATED, "the Ogg stream stops before its last page")]
    return []


def _promise(header: Header, n: int) -> str:
    return (
        f"the header promises {header.duration_s:.3f} s, {n / header.sample_rate:.3f} s are there"
    )


def _samples_sha256(samples: Waveform, sample_rate: int) -> str:
    digest = hashlib.sha256(str(sample_rate).encode())
    digest.update(samples.tobytes())
    return digest.hexdigest()
