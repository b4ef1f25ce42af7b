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


def leak_line(facts: Sequence[ClipFacts], splits: Sequence[str]) -> str | None:
    """Return one sentence on how many speakers and clips leak, or `None` if it cannot be told."""
    if len(splits) < 2:
        return None
    here, there = (_clips_by_speaker(facts, split) for split in splits[:2])
    if not here or not there:
        return "speakers cannot be compared: not every split names them"
    shared = here.keys() & there.keys()
    n_clips, total = sum(here[speaker] for speaker in shared), sum(here.values())
    if not shared:
        return f"no speaker of {splits[0]} occurs in {splits[1]}"
    return (
        f"{len(shared)} of {len(here)} speakers of {splits[0]} ({n_clips / total:.0%} of its "
        f"clips) also occur in {splits[1]}: a score says "
        f"{'nothing' if n_clips == total else 'too little'} about new speakers"
    )


def _clips_by_speaker(facts: Sequence[ClipFacts], split: str) -> Counter[str]:
    return Counter(f.speaker for f in facts if f.split == split and f.speaker is not None)
