"""Clips whose audio is broken, and formats that differ within a split."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import numpy as np

from serval.audit.facts import is_silent
from serval.audit.findings import Finding, FindingKind, Member
from serval.wording import percent

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from serval.audio import Header
    from serval.audit.facts import ClipFacts, Signal

__all__ = ["clip_findings", "format_findings"]

CLIPPED = 0.001
"""Share of samples in flat tops from which a clip counts as clipped."""

OFFSET = 0.01
"""Mean sample, as a share of full scale, from which a clip has a DC offset."""

SHORTEST_S, LONGEST_S = 0.3, 30.0
"""No emotion can be told from less; a clip of more holds several."""

FAR = 4.0
"""So many times the median length, or its inverse, is far from the rest."""


def clip_findings(facts: Sequence[ClipFacts], split: str) -> Iterator[Finding]:
    """Yield what is wrong with single clips of one split."""
    lengths = [clip.header.duration_s for clip in facts if clip.header and clip.header.frames]
    median = float(np.median(lengths)) if lengths else 0.0
    for clip in facts:
        for kind, message in clip.faults:
            yield _finding(kind, message, clip, split, None)
        if clip.signal:
            yield from _signal_findings(clip, clip.signal, split)
        if clip.header and clip.signal:
            yield from _length_findings(clip, clip.header.duration_s, median, split)


def format_findings(facts: Sequence[ClipFacts], split: str) -> Iterator[Finding]:
    """Yield one finding if the sample rates of a split differ, and one if its channels do."""
    headers = [clip.header for clip in facts if clip.header]
    rates = _mixture(headers, lambda header: f"{header.sample_rate} Hz")
    channels = _mixture(headers, lambda header: f"{header.channels} channels")
    for kind, counts in (
        (FindingKind.MIXED_SAMPLE_RATES, rates),
        (FindingKind.MIXED_CHANNELS, channels),
    ):
        if len(counts) > 1:
            parts = ", ".join(f"{n} clips with {what}" for what, n in counts.most_common())
            yield Finding(
                kind=kind,
                message=f"{split}: {parts}",
                splits=(split,),
                value=float(len(counts)),
            )


def _signal_findings(clip: ClipFacts, signal: Signal, split: str) -> Iterator[Finding]:
    if is_silent(signal):
        level = f"{20 * np.log10(signal.peak):.0f} dBFS" if signal.peak else "digital zero"
        yield _finding(FindingKind.SILENT, f"peak {level}", clip, split, signal.peak)
    elif signal.clipped >= CLIPPED:
        message = f"{percent(signal.clipped)} of its samples are in flat tops"
        yield _finding(FindingKind.CLIPPED, message, clip, split, signal.clipped)
    if abs(signal.offset) >= OFFSET:
        message = f"its mean is {signal.offset:+.3f} of full scale"
        yield _finding(FindingKind.DC_OFFSET, message, clip, split, signal.offset)


def _length_findings(
    clip: ClipFacts, seconds: float, median: float, split: str
) -> Iterator[Finding]:
    beside = f"{seconds:.2f} s; half of {split} is shorter than {median:.2f} s"
    if seconds < SHORTEST_S or seconds * FAR < median:
        yield _finding(FindingKind.TOO_SHORT, beside, clip, split, seconds)
    elif seconds > LONGEST_S or seconds > median * FAR:
        yield _finding(FindingKind.TOO_LONG, beside, clip, split, seconds)


def _finding(
    kind: FindingKind, message: str, clip: ClipFacts, split: str, value: float | None
) -> Finding:
    return Finding(
        kind=kind,
        message=f"{split}:{clip.clip_id}: {message}",
        splits=(split,),
        clips=(Member(split=split, clip_id=clip.clip_id, label=clip.label),),
        value=value,
    )


def _mixture(headers: Sequence[Header], name_of: Callable[[Header], str]) -> Counter[str]:
    return Counter(name_of(header) for header in headers)
