"""Labels that are unknown, rare or absent, and what gives a label away without listening."""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import TYPE_CHECKING

from serval.audit.findings import Finding, Kind, Member

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from serval.audit.facts import ClipFacts

__all__ = ["label_findings", "one_label_findings"]

RARE = 50
"""Fewer clips leave a recall of 50 % with a 95 % interval wider than +-14 points."""

SIGNIFICANT = 0.01
"""Chance, over all speakers or texts of a split together, below which a tie is reported."""

SHOWN = 10
"""Clips that a finding about a label names."""


def label_findings(
    facts: Sequence[ClipFacts], split: str, expected: Sequence[str]
) -> Iterator[Finding]:
    """Yield what is wrong with the labels of one split, against the labels that were expected."""
    by_label: defaultdict[str, list[ClipFacts]] = defaultdict(list)
    for clip in facts:
        by_label[clip.label].append(clip)
    for label in sorted(by_label.keys() - set(expected)):
        yield _unknown(label, by_label[label], split)
    for label in expected:
        n = len(by_label.get(label, ()))
        if n < RARE:
            yield _scarce(label, n, split)


def one_label_findings(facts: Sequence[ClipFacts], split: str) -> Iterator[Finding]:
    """Yield the speakers and the texts of one split that have one label only, beyond chance.

    `n` clips all bear the same label by chance with the probability `sum(share ** n)` over the
    labels; what stays below 1 % after a Bonferroni correction is reported. A set in which each
    text occurs once has therefore no such finding.
    """
    yield from _tied(facts, split, Kind.ONE_LABEL_SPEAKER, lambda clip: clip.speaker)
    yield from _tied(facts, split, Kind.ONE_LABEL_TEXT, lambda clip: clip.text)


def _unknown(label: str, clips: Sequence[ClipFacts], split: str) -> Finding:
    members = (Member(split=split, clip_id=c.clip_id, label=c.label) for c in clips[:SHOWN])
    said = f"label '{label}' is unknown" if label else "no label"
    return Finding(
        kind=Kind.UNKNOWN_LABEL,
        message=f"{said}: {len(clips)} clips of {split}; first: {clips[0].clip_id}",
        splits=(split,),
        clips=tuple(members),
        value=float(len(clips)),
    )


def _scarce(label: str, n: int, split: str) -> Finding:
    wide = f"a recall of 50 % on them is +-{98 / n**0.5:.0f} points" if n else "no recall at all"
    return Finding(
        kind=Kind.RARE_LABEL if n else Kind.ABSENT_LABEL,
        message=f"label '{label}' has {n} clips in {split}: {wide}",
        splits=(split,),
        value=float(n),
    )


def _tied(
    facts: Sequence[ClipFacts], split: str, kind: Kind, name_of: Callable[[ClipFacts], str | None]
) -> Iterator[Finding]:
    groups: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for clip in facts:
        if (name := name_of(clip)) is not None:
            groups[name][clip.label] += 1
    totals = sum(groups.values(), Counter[str]())
    shares = [n / totals.total() for n in totals.values()]
    for name, labels in sorted(groups.items()):
        n = labels.total()
        by_chance = sum(share**n for share in shares) * len(groups)
        if len(labels) == 1 and by_chance < SIGNIFICANT:
            what = "speaker" if kind is Kind.ONE_LABEL_SPEAKER else "text"
            yield Finding(
                kind=kind,
                message=f"{what} '{name}' has only the label '{next(iter(labels))}': "
                f"all {n} clips in {split}",
                splits=(split,),
                value=float(n),
            )
