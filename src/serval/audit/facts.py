"""One clip -> what the audit remembers of it, which is small whatever the clip's length."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np

from serval.audio import (
    LONGEST_CLIP_S,
    SILENT_PEAK,
    Header,
    decode,
    encoded_bytes,
    header_of,
    resampled,
)
from serval.audit.findings import Finding, FindingKind, Member
from serval.audit.matching import Fingerprint, Sketch, fingerprint_of_audio, sketch_of
from serval.errors import AudioError, TooLongError, TruncatedError
from serval.wording import counted

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from numpy.typing import NDArray

    from serval.audio import Audio, Waveform
    from serval.records import Clip


SHOWN = 10
"""Clips that a finding about several names."""


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
        sha256: Hash of the encoded file.
        samples_sha256: Of the decoded samples and their rate; `""` if silent or not decoded.
        header: Format and length, as found or, where it was not decoded, as the file says; if any.
        signal: What the samples are like, if there are any.
        print: Acoustic fingerprint; `None` if silent or not decoded.
        sketch: A narrow-band copy of the clip, taken out once it is stored elsewhere.
        faults: What is wrong with the file, with a sentence for each.
        labels: Each of the labels that `label` joins where the set may give several; else `None`.
        ratings: Column of a dimension -> what stands in it.
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
    faults: tuple[tuple[FindingKind, str], ...] = ()
    labels: tuple[str, ...] | None = None
    ratings: Mapping[str, str] = field(default_factory=dict)


def members_of(clips: Iterable[ClipFacts]) -> tuple[Member, ...]:
    """Return clips as a finding names them."""
    return tuple(Member(split=c.split, clip_id=c.clip_id, label=c.label) for c in clips)


def finding_on(kind: FindingKind, what: str, clips: Sequence[ClipFacts], split: str) -> Finding:
    """Return what is said of some clips of a split, of which the first are named."""
    return Finding(
        kind=kind,
        message=f"{what}: {counted(len(clips), 'clip')} of {split}; first: {clips[0].clip_id}",
        splits=(split,),
        clips=members_of(clips[:SHOWN]),
        value=float(len(clips)),
    )


def clip_facts(clip: Clip, blank: ClipFacts) -> ClipFacts:
    """Return `blank`, which knows what the dataset says, with what the audio says."""
    try:
        encoded = encoded_bytes(clip.audio)
    except AudioError as error:
        return replace(blank, faults=((FindingKind.UNDECODABLE, str(error)),))
    known = replace(blank, sha256=hashlib.sha256(encoded).hexdigest())
    try:
        audio = decode(encoded, max_seconds=LONGEST_CLIP_S)
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


def _kind_of(error: AudioError) -> FindingKind:
    if isinstance(error, TruncatedError):
        return FindingKind.TRUNCATED
    return FindingKind.TOO_LONG if isinstance(error, TooLongError) else FindingKind.UNDECODABLE


def _samples_sha256(samples: Waveform, sample_rate: int) -> str:
    digest = hashlib.sha256(str(sample_rate).encode())
    digest.update(samples.tobytes())
    return digest.hexdigest()


FULL_SCALE = 1.0
"""What integers cannot exceed; a lossy codec gives more where it was fed with flat tops."""

RUN = 3
"""Samples in a row that make a flat top: a sine never has as many at 16 bit and full scale."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Signal:
    """A clip's samples in three numbers.

    Attributes:
        peak: Largest magnitude, 1 being full scale.
        offset: Mean of all samples, in [-1, 1].
        clipped: Share of samples, in [0, 1], that are in a flat top.
    """

    peak: float
    offset: float
    clipped: float


def signal_of(samples: Waveform) -> Signal:
    """Return the numbers of one clip, which has at least one sample."""
    return Signal(
        peak=float(np.abs(samples).max()),
        offset=float(samples.mean(dtype=np.float64)),
        clipped=clipped_share(samples),
    )


def clipped_share(samples: Waveform) -> float:
    """Return the share of samples that lie in flat tops, in [0, 1].

    A flat top is a run of at least three samples that all have the largest or the smallest value
    of the clip, whatever that is: so it is found in what was turned down afterwards as well. What
    is beyond full scale counts too, since a lossy codec bends the tops that it was given.

    Examples:
        >>> clipped_share(np.float32([0, 0.5, 0.5, 0.5, 0, -0.1, 0, 0, 0.1, 0]))
        0.3
    """
    high, low = float(samples.max()), float(samples.min())
    if high == low:
        return 0.0
    beyond = _in_runs(samples >= min(high, FULL_SCALE)) | _in_runs(samples <= max(low, -FULL_SCALE))
    return float(beyond.mean())


def _in_runs(flags: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return the flags that are part of at least three in a row."""
    middle = flags.copy()
    middle[0] = middle[-1] = False
    middle[1:-1] &= flags[:-2] & flags[2:]
    grown = middle.copy()
    grown[:-1] |= middle[1:]
    grown[1:] |= middle[:-1]
    return grown
