"""What is wrong with labels, speakers, the sound of single clips and formats."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from serval.audit.facts import finding_on, is_silent, members_of
from serval.audit.findings import Finding, FindingKind
from serval.audit.matching import Match, matches
from serval.audit.ratings import unlike_ratings
from serval.wording import counted, percent

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from serval.audit.facts import ClipFacts, Signal
    from serval.audit.matching import Shelf


RARE = 50
"""Fewer clips leave a recall of 50 % with a 95 % interval wider than ±14 points."""

SIGNIFICANT = 0.01
"""Chance, over all speakers or texts of a split together, below which a tie is reported."""


def label_findings(
    facts: Sequence[ClipFacts],
    split: str,
    expected: Sequence[str],
    is_left_out: Callable[[str], bool] = lambda _label: False,
) -> Iterator[Finding]:
    """Yield what is wrong with the labels of one split, against the labels that were expected."""
    by_label: defaultdict[str, list[ClipFacts]] = defaultdict(list)
    for clip in facts:
        for label in (clip.label,) if clip.labels is None else clip.labels:
            by_label[label].append(clip)
    for label in sorted(by_label.keys() - set(expected)):
        if not is_left_out(label):
            said = f"label '{label}' is unknown" if label else "no label"
            yield finding_on(FindingKind.UNKNOWN_LABEL, said, by_label[label], split)
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
    yield from _tied(facts, split, FindingKind.ONE_LABEL_SPEAKER, lambda clip: clip.speaker)
    yield from _tied(facts, split, FindingKind.ONE_LABEL_TEXT, lambda clip: clip.text)


def _scarce(label: str, n: int, split: str) -> Finding:
    wide = f"a recall of 50 % on them is ±{98 / n**0.5:.0f} points" if n else "no recall at all"
    return Finding(
        kind=FindingKind.RARE_LABEL if n else FindingKind.ABSENT_LABEL,
        message=f"label '{label}' has {counted(n, 'clip')} in {split}: {wide}",
        splits=(split,),
        value=float(n),
    )


def _tied(
    facts: Sequence[ClipFacts],
    split: str,
    kind: FindingKind,
    name_of: Callable[[ClipFacts], str | None],
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
            what = "speaker" if kind is FindingKind.ONE_LABEL_SPEAKER else "text"
            yield Finding(
                kind=kind,
                message=f"{what} '{name}' has only the label '{next(iter(labels))}': "
                f"all {n} clips in {split}",
                splits=(split,),
                value=float(n),
            )


def shared_speakers(facts: Sequence[ClipFacts], splits: Sequence[str]) -> Iterator[Finding]:
    """Yield one finding for each speaker of the first split who is in the second one too."""
    if len(splits) < 2:
        return
    here, there = (_clips_by_speaker(facts, split) for split in splits[:2])
    for speaker in sorted(here.keys() & there.keys()):
        yield Finding(
            kind=FindingKind.SHARED_SPEAKERS,
            message=f"speaker {speaker}: {counted(here[speaker], 'clip')} in {splits[0]}, "
            f"{there[speaker]} in {splits[1]}",
            splits=(splits[0], splits[1]),
            value=float(there[speaker]),
        )


def leak_line(
    facts: Sequence[ClipFacts], splits: Sequence[str], findings: Sequence[Finding]
) -> str | None:
    """Return one sentence on the recordings and speakers that two splits share; `None` of one."""
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
        if finding.kind in (FindingKind.IDENTICAL_AUDIO, FindingKind.NEAR_IDENTICAL_AUDIO)
        if set(splits[:2]) <= set(finding.splits)
    )
    return len({c.clip_id for clips in crossing for c in clips if c.split == splits[0]})


def _speaker_line(facts: Sequence[ClipFacts], splits: Sequence[str]) -> str:
    here, there = (_clips_by_speaker(facts, split) for split in splits[:2])
    if not here or not there:
        return "speakers cannot be compared: not every split names them"
    shared = here.keys() & there.keys()
    own = [[clip for clip in facts if clip.split == split] for split in splits[:2]]
    n_clips, total = sum(here[speaker] for speaker in shared), len(own[0])
    unnamed = unnamed_words([*own[0], *own[1]])
    if not shared:
        return f"no speaker that {splits[0]} names is named in {splits[1]}{unnamed}"
    return (
        f"{len(shared)} of {len(here)} speakers of {splits[0]} ({percent(n_clips / total, 0)} "
        f"of its clips) also occur in {splits[1]}: a score says "
        f"{'nothing' if n_clips == total else 'too little'} about new speakers{unnamed}"
    )


def unnamed_words(clips: Sequence[ClipFacts]) -> str:
    """Return for how many clips speakers cannot be compared, as the end of a sentence, or `""`."""
    unnamed = sum(clip.speaker is None for clip in clips)
    return f"; {unnamed:,} of {counted(len(clips), 'clip')} name no speaker" * bool(unnamed)


def _clips_by_speaker(facts: Sequence[ClipFacts], split: str) -> Counter[str]:
    return Counter(f.speaker for f in facts if f.split == split and f.speaker is not None)


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
    rates = Counter(f"{header.sample_rate} Hz" for header in headers)
    channels = Counter(counted(header.channels, "channel") for header in headers)
    for kind, counts in (
        (FindingKind.MIXED_SAMPLE_RATES, rates),
        (FindingKind.MIXED_CHANNELS, channels),
    ):
        if len(counts) > 1:
            parts = ", ".join(
                f"{counted(n, 'clip')} with {what}" for what, n in counts.most_common()
            )
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
        clips=members_of([clip]),
        value=value,
    )


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

    A group whose clips have different labels or ratings yields another one that says so. Of
    identical clips only the first goes into the search for near-identical ones.

    Args:
        facts: Every clip of every split.
        shelf: Has the sketch of each clip that has a fingerprint, under its position in `facts`.
    """
    groups = _identical(facts)
    for group in groups.members(range(len(facts))).values():
        clips = [facts[position] for position in group]
        same_file = len({clip.sha256 for clip in clips}) == 1
        what = "the same file" if same_file else "the same samples in different files"
        yield _group_finding(FindingKind.IDENTICAL_AUDIO, what, clips, 1.0)
    prints = {i: f.print for i, f in enumerate(facts) if f.print and groups.root(i) == i}
    found = list(matches(prints, shelf))
    lowest = _joined(groups, found)
    for root, group in groups.members(range(len(facts))).items():
        clips = [facts[position] for position in group]
        if root in lowest:
            what = f"one recording, overlap {lowest[root]:.3f}"
            yield _group_finding(FindingKind.NEAR_IDENTICAL_AUDIO, what, clips, lowest[root])
        if len(labels := sorted({clip.label for clip in clips} - {""})) > 1:
            what, n = f"one recording, labelled {' and '.join(labels)}", float(len(labels))
            yield _group_finding(FindingKind.CONFLICTING_LABELS, what, clips, n)
        for column, values in unlike_ratings(clips).items():
            rated = " and ".join(f"{value:g}" for value in values)
            what, apart = f"one recording, '{column}' {rated}", values[-1] - values[0]
            yield _group_finding(FindingKind.CONFLICTING_RATINGS, what, clips, apart)


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


def _group_finding(
    kind: FindingKind, what: str, clips: Sequence[ClipFacts], value: float
) -> Finding:
    named = ", ".join(
        f"{clip.split}:{clip.clip_id}{f' ({clip.label})' if clip.label else ''}"
        for clip in clips[:4]
    )
    more = f" and {len(clips) - 4} more" if len(clips) > 4 else ""
    return Finding(
        kind=kind,
        message=f"{what}: {named}{more}",
        splits=tuple(dict.fromkeys(clip.split for clip in clips)),
        clips=members_of(clips),
        value=value,
    )
