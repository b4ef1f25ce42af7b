"""Clips that are one recording, as groups, and whether they bear one label."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from serval.audit.findings import Finding, FindingKind, Member
from serval.audit.matching import Match, matches

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from serval.audit.facts import ClipFacts
    from serval.audit.matching import Shelf

__all__ = ["duplicate_findings"]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Groups:
    """Positions joined into groups; each group is known by its lowest position."""

    parents: dict[int, int] = field(default_factory=dict)

    def join(self, one: int, other: int) -> None:
        low, high = sorted((self.root(one), self.root(other)))
        self.parents[high] = low

    def root(self, position: int) -> int:
        while (parent := self.parents.get(position, position)) != position:
            position = parent
        return position

    def members(self, positions: Iterable[int]) -> dict[int, list[int]]:
        groups: defaultdict[int, list[int]] = defaultdict(list)
        for position in positions:
            groups[self.root(position)].append(position)
        return {root: group for root, group in groups.items() if len(group) > 1}


def duplicate_findings(facts: Sequence[ClipFacts], shelf: Shelf) -> Iterator[Finding]:
    """Yield one finding for each group of identical or near-identical clips.

    A group whose clips have different labels yields a second one that says so. Of identical clips
    only the first goes into the search for near-identical ones.

    Args:
        facts: Every clip of every split.
        shelf: Has the sketch of each clip that has a fingerprint, under its position in `facts`.
    """
    groups = _identical(facts)
    for group in groups.members(range(len(facts))).values():
        yield _identical_finding([facts[position] for position in group])
    prints = {i: f.print for i, f in enumerate(facts) if f.print and groups.root(i) == i}
    found = list(matches(prints, shelf))
    lowest = _joined(groups, found)
    for root, group in groups.members(range(len(facts))).items():
        clips = [facts[position] for position in group]
        if root in lowest:
            yield _near_finding(clips, lowest[root])
        if len(labels := sorted({clip.label for clip in clips} - {""})) > 1:
            yield _conflict(clips, labels)


def _identical(facts: Sequence[ClipFacts]) -> _Groups:
    groups, first = _Groups(), dict[str, int]()
    for position, clip in enumerate(facts):
        for digest in filter(None, (clip.sha256, clip.samples_sha256)):
            groups.join(first.setdefault(digest, position), position)
    return groups


def _joined(groups: _Groups, found: Sequence[Match]) -> dict[int, float]:
    """Return the lowest overlap by which each group of near-identical clips hangs together."""
    for match in found:
        groups.join(match.first, match.second)
    lowest: dict[int, float] = {}
    for match in found:
        root = groups.root(match.first)
        lowest[root] = min(match.overlap, lowest.get(root, 1.0))
    return lowest


def _identical_finding(clips: Sequence[ClipFacts]) -> Finding:
    same_file = len({clip.sha256 for clip in clips}) == 1
    what = "the same file" if same_file else "the same samples in different files"
    return _group_finding(FindingKind.IDENTICAL_AUDIO, what, clips, 1.0)


def _near_finding(clips: Sequence[ClipFacts], overlap: float) -> Finding:
    what = f"one recording, overlap {overlap:.3f}"
    return _group_finding(FindingKind.NEAR_IDENTICAL_AUDIO, what, clips, overlap)


def _conflict(clips: Sequence[ClipFacts], labels: Sequence[str]) -> Finding:
    what = f"one recording, labelled {' and '.join(labels)}"
    return _group_finding(FindingKind.CONFLICTING_LABELS, what, clips, float(len(labels)))


def _group_finding(
    kind: FindingKind, what: str, clips: Sequence[ClipFacts], value: float
) -> Finding:
    named = ", ".join(f"{clip.split}:{clip.clip_id} ({clip.label})" for clip in clips[:4])
    more = f" and {len(clips) - 4} more" if len(clips) > 4 else ""
    return Finding(
        kind=kind,
        message=f"{what}: {named}{more}",
        splits=tuple(dict.fromkeys(clip.split for clip in clips)),
        clips=tuple(Member(split=c.split, clip_id=c.clip_id, label=c.label) for c in clips),
        value=value,
    )
