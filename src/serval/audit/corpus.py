"""What a known corpus should hold, against what is here."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from serval.audit.findings import Finding, FindingKind
from serval.corpora import corpus_called
from serval.wording import counted

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from serval.audit.facts import ClipFacts
    from serval.audit.side import Side
    from serval.corpora import Corpus

__all__ = ["corpus_findings"]

DOUBLED = ("copies", "formats", "versions")
"""Kinds of files that are left out of a corpus since the clip is there already."""


def corpus_findings(facts: Sequence[ClipFacts], side: Side) -> Iterator[Finding]:
    """Yield what a known corpus lacks, and what it has twice; nothing of any other set.

    Args:
        facts: Every clip of the side.
        side: Of a whole corpus: of one of its splits or folds nobody knows what it should hold.
    """
    corpus = corpus_called(side.dataset.corpus)
    if corpus is None:
        return
    yield from (
        _finding(FindingKind.DOUBLED_CLIPS, f"{counted(part.n, 'file')}: {part.reason}, such as "
                 f"{', '.join(part.examples)}", side, part.n)
        for part in side.dataset.left_out if part.kind in DOUBLED
    )  # fmt: skip
    whole = side.dataset.n_clips == side.dataset.n_rows  # neither --limit nor --sample
    if whole and not corpus.official and side.dataset.split in ("", "folds"):
        yield from (
            _finding(FindingKind.MISSING_CLIPS, message, side, n)
            for message, n in _missing(corpus, facts)
        )


def _missing(corpus: Corpus, facts: Sequence[ClipFacts]) -> Iterator[tuple[str, int]]:
    """Yield in a sentence each what is not here, and how many clips or speakers that is."""
    if 0 < len(facts) < corpus.clips:
        n = corpus.clips - len(facts)
        yield f"{n:,} of the {corpus.clips:,} clips of {corpus.name} are not here", n
    here = {clip.speaker for clip in facts}
    absent = [name for name in corpus.speaker_names if f"{corpus.name}_{name}" not in here]
    if absent:
        yield (
            f"{len(absent)} of its {corpus.speakers} speakers are not here: {', '.join(absent)}",
            len(absent),
        )
    labels = Counter(clip.raw_label for clip in facts)
    for emotion, n in corpus.counts.items():
        if labels[emotion] < n:
            yield f"{labels[emotion]:,} of {n:,} clips of {emotion} are here", n - labels[emotion]


def _finding(kind: FindingKind, message: str, side: Side, value: float) -> Finding:
    return Finding(kind=kind, message=message, splits=(side.name,), value=float(value))
