"""Speakers whom a model may have heard before it is tested on them."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from serval.audit.findings import Finding, Kind

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from serval.audit.facts import ClipFacts

__all__ = ["leak_line", "shared_speakers"]


def shared_speakers(facts: Sequence[ClipFacts], splits: Sequence[str]) -> Iterator[Finding]:
    """Yield one finding for each speaker of the first split who is in the second one too."""
    if len(splits) < 2:
        return
    here, there = (_clips_by_speaker(facts, split) for split in splits[:2])
    for speaker in sorted(here.keys() & there.keys()):
        yield Finding(
            kind=Kind.SHARED_SPEAKERS,
            message=f"speaker {speaker}: {here[speaker]} clips in {splits[0]}, "
            f"{there[speaker]} in {splits[1]}",
            splits=(splits[0], splits[1]),
            value=float(there[speaker]),
        )


def leak_line(
    facts: Sequence[ClipFacts], splits: Sequence[str], findings: Sequence[Finding]
) -> str | None:
    """Return one sentence on the recordings and speakers that two splits share; `None` of one.

    Args:
        facts: Every clip of every split.
        splits: The audited one first.
        findings: What was found, of recordings that occur in both among others.
    """
    if len(splits) < 2:
        return None
    clips = _clips_in_both(splits, findings)
    if not clips:
        return _speaker_line(facts, splits)
    total = sum(clip.split == splits[0] for clip in facts)
    return (
        f"{clips} of {total} clips of {splits[0]} are recordings that {splits[1]} has too, whoever "
        f"is named as their speaker: score without them; {_speaker_line(facts, splits)}"
    )


def _clips_in_both(splits: Sequence[str], findings: Sequence[Finding]) -> int:
    """Return how many clips of the first split are one recording with a clip of the second."""
    crossing = (
        finding.clips
        for finding in findings
        if finding.kind in (Kind.IDENTICAL_AUDIO, Kind.NEAR_IDENTICAL_AUDIO)
        if set(splits[:2]) <= set(finding.splits)
    )
    return len({c.clip_id for clips in crossing for c in clips if c.split == splits[0]})


def _speaker_line(facts: Sequence[ClipFacts], splits: Sequence[str]) -> str:
    here, there = (_clips_by_speaker(facts, split) for split in splits[:2])
    if not here or not there:
        return "speakers cannot be compared: not every split names them"
    shared = here.keys() & there.keys()
    n_clips, total = sum(here[speaker] for speaker in shared), sum(here.values())
    if not shared:
        return f"no speaker that {splits[0]} names is named in {splits[1]}"
    return (
        f"{len(shared)} of {len(here)} speakers of {splits[0]} ({n_clips / total:.0%} of its "
        f"clips) also occur in {splits[1]}: a score says "
        f"{'nothing' if n_clips == total else 'too little'} about new speakers"
    )


def _clips_by_speaker(facts: Sequence[ClipFacts], split: str) -> Counter[str]:
    return Counter(f.speaker for f in facts if f.split == split and f.speaker is not None)
