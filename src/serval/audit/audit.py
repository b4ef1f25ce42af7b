"""The whole audit: every clip read once, everything that the facts tell, and its two files."""

from __future__ import annotations

import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace
from itertools import chain, islice
from typing import TYPE_CHECKING, Any

from serval.audit.facts import ClipFacts, clip_facts, finding_on
from serval.audit.faults import (
    clip_findings,
    duplicate_findings,
    format_findings,
    label_findings,
    leak_line,
    one_label_findings,
    shared_speakers,
)
from serval.audit.findings import Finding, FindingKind, Member
from serval.audit.folds import fold_findings, fold_line, fold_list_in, listed_clips
from serval.audit.matching import Shelf
from serval.audit.ratings import rated_columns, rating_findings
from serval.audit.side import AuditOptions, Side, corpus_findings, open_sides
from serval.errors import ConfigError
from serval.files import csv_writer, existing, write_json, writing
from serval.machine import available_cores, peak_memory_mb
from serval.wording import as_sentence, counted, csv_cell

if TYPE_CHECKING:
    from pathlib import Path

    from serval.records import LeftOut

__all__ = [
    "Audit",
    "AuditOptions",
    "Finding",
    "FindingKind",
    "Member",
    "audit",
    "audit_document",
    "audit_verdict",
    "writable",
    "write_audit",
]


BATCH = 16
"""Clips in memory for each worker."""

Watch = Callable[[int, int, int], None]
"""`(done, total, undecodable)`, called after each clip."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Looked:
    """How much of a split was looked at.

    Attributes:
        name: What findings call it.
        dataset: Name of the dataset.
        location: Where it was found.
        fingerprint: Hash of what the dataset holds.
        clips: Number of clips.
        decoded: How many of them could be decoded.
        hours: Length of all clips whose header could be read.
        speakers: Number of speakers that are named.
        labels: Label -> number of clips.
        encodings: Container and codec -> number of clips.
        left_out: What lies in the set's place and is none of its clips.
        read_as: How it was read as a known corpus, if it was.
        is_rated: Its clips have ratings of dimensions instead of labels.
        ratings: The columns of ratings that were judged.
        scale: Of these, such as `1..7`; empty where nobody states it.
    """

    name: str
    dataset: str
    location: str
    fingerprint: str
    clips: int
    decoded: int
    hours: float
    speakers: int
    labels: dict[str, int]
    encodings: dict[str, int]
    left_out: tuple[LeftOut, ...] = ()
    read_as: str = ""
    is_rated: bool = False
    ratings: tuple[str, ...] = ()
    scale: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Audit:
    """What an audit found.

    Attributes:
        looked: One for each split, the audited one first.
        findings: In the order of `FindingKind`; those that concern both splits first.
        leak: One sentence on the recordings and speakers that two compared splits, or the parts of
            folds, share.
        unnamed: How many of the clips that are held against each other name no speaker.
        seconds: Wall time.
        peak_memory_mb: Highest resident memory of this process, in 10^6 bytes.
    """

    looked: tuple[Looked, ...]
    findings: tuple[Finding, ...]
    leak: str | None
    unnamed: int = 0
    seconds: float
    peak_memory_mb: float

    def counts(self) -> dict[FindingKind, int]:
        """Return the number of findings of each kind, 0 included."""
        found = Counter(finding.kind for finding in self.findings)
        return {kind: found[kind] for kind in FindingKind}


def audit(options: AuditOptions, watch: Watch | None = None) -> Audit:
    """Return what is wrong with a dataset, having decoded each clip once and kept none.

    Raises:
        ServalError: Something is wrong with the options, the dataset or its labels; no clip was
            decoded then.
    """
    if options.workers is not None and options.workers < 1:
        raise ConfigError(f"--workers is {options.workers}; give at least 1")
    start = time.perf_counter()
    sides = open_sides(options)
    folds = None if options.folds is None else fold_list_in(options.folds)
    with Shelf() as shelf:
        facts = _all_facts(sides, options.workers or available_cores(), shelf, watch)
        findings = [*_split_findings(facts, sides), *duplicate_findings(facts, shelf)]
    names = [side.name for side in sides]
    leak, held = leak_line(facts, names, findings), facts if len(names) > 1 else []
    if folds is not None:
        held = listed_clips(facts, folds)
        findings += list(fold_findings(facts, findings, folds))
        leak = fold_line(findings, folds, held)
    return Audit(
        looked=tuple(_looked(side, _of(facts, side)) for side in sides),
        findings=tuple(sorted([*shared_speakers(facts, names), *findings], key=_place)),
        leak=leak,
        unnamed=sum(clip.speaker is None for clip in held),
        seconds=round(time.perf_counter() - start, 2),
        peak_memory_mb=peak_memory_mb(),
    )


def _all_facts(
    sides: Sequence[Side], workers: int, shelf: Shelf, watch: Watch | None
) -> list[ClipFacts]:
    """Return the facts of every clip, their sketches put on the shelf instead of kept."""
    total = sum(side.dataset.n_clips or 0 for side in sides)
    facts: list[ClipFacts] = []
    failed = 0
    with ThreadPoolExecutor(max_workers=workers, thread_name_prefix="serval") as pool:
        for known in chain.from_iterable(_facts_of(side, pool, workers) for side in sides):
            if known.sketch is not None:
                shelf.put(len(facts), known.sketch)
            facts.append(replace(known, sketch=None))
            failed += known.signal is None
            if watch:
                watch(len(facts), max(total, len(facts)), failed)
    return facts


def _facts_of(side: Side, pool: ThreadPoolExecutor, workers: int) -> Iterator[ClipFacts]:
    clips = side.dataset.clips(0, None)
    while batch := list(islice(clips, workers * BATCH)):
        yield from pool.map(lambda clip: clip_facts(clip, side.blank(clip)), batch)


def _split_findings(facts: Sequence[ClipFacts], sides: Sequence[Side]) -> Iterator[Finding]:
    for side in sides:
        own = _of(facts, side)
        yield from corpus_findings(own, side)
        if not side.dataset.is_rated:
            yield from label_findings(own, side.name, side.labels.labels, side.labels.is_left_out)
            yield from one_label_findings(own, side.name)
        yield from rating_findings(own, side.name, side.scale)
        if own and side.dataset.is_rated and not rated_columns(own):
            yield finding_on(FindingKind.MISSING_RATING, "no number in any rating", own, side.name)
        yield from clip_findings(own, side.name)
        yield from format_findings(own, side.name)


def _of(facts: Sequence[ClipFacts], side: Side) -> list[ClipFacts]:
    return [clip for clip in facts if clip.split == side.name]


def _place(finding: Finding) -> tuple[int, int]:
    return list(FindingKind).index(finding.kind), -len(finding.splits)


def _looked(side: Side, facts: Sequence[ClipFacts]) -> Looked:
    headers = [clip.header for clip in facts if clip.header]
    return Looked(
        name=side.name,
        dataset=side.dataset.name,
        location=side.dataset.location,
        fingerprint=side.dataset.fingerprint,
        clips=len(facts),
        decoded=sum(clip.signal is not None for clip in facts),
        hours=round(sum(header.duration_s for header in headers) / 3600, 3),
        speakers=len({clip.speaker for clip in facts} - {None}),
        labels=dict(Counter(clip.label for clip in facts).most_common()),
        encodings=dict(Counter(header.encoding for header in headers).most_common()),
        left_out=side.dataset.left_out,
        read_as=side.dataset.read_as,
        is_rated=side.dataset.is_rated,
        ratings=rated_columns(facts),
        scale=str(side.scale or ""),
    )


COLUMNS = ("kind", "splits", "clip_ids", "labels", "value", "message")
BETWEEN = " | "


def audit_verdict(audit: Audit) -> list[str]:
    """Return what a reader takes away: how much is wrong, then what two splits share."""
    looked = " and ".join(
        f"{counted(one.clips, 'clip')} of {one.name} ({one.hours:.2f} h)" for one in audit.looked
    )
    found = [f"{n:,} {kind.value}" for kind, n in audit.counts().items() if n]
    said = (
        f"{counted(len(audit.findings), 'finding')} in {looked}: {', '.join(found)}."
        if found
        else f"Nothing was found in {looked}."
    )
    read_as = [as_sentence(one.read_as) for one in audit.looked if one.read_as]
    rated = [_rated(one) for one in audit.looked if one.is_rated or one.ratings]
    return [said, *read_as, *rated, *([as_sentence(audit.leak)] if audit.leak else [])]


def _rated(one: Looked) -> str:
    """Return what was looked for in the ratings of a split."""
    subject = f"The clips of {one.name} have ratings of dimensions{' and no labels' * one.is_rated}"
    if not one.ratings:
        return f"{subject}, but no number in any."
    scale = f", also those outside of {one.scale}" if one.scale else (
        "; whether some lie outside of their scale is not known without --scale LOW..HIGH"
    )  # fmt: skip
    return (
        f"{subject}: of {', '.join(one.ratings)}, missing, constant and contradictory ones were "
        f"looked for{scale}."
    )


def audit_document(audit: Audit) -> dict[str, Any]:
    """Return everything that an audit found, as JSON has it."""
    counts = audit.counts()
    return {
        "verdict": audit_verdict(audit),
        "splits": [asdict(looked) for looked in audit.looked],
        "leak": audit.leak,
        "counts": {kind.value: n for kind, n in counts.items()},
        "meanings": {kind.value: kind.meaning for kind in counts},
        "findings": [asdict(finding) for finding in audit.findings],
        "seconds": audit.seconds,
        "peak_memory_mb": audit.peak_memory_mb,
    }


def write_audit(audit: Audit, folder: Path) -> tuple[Path, Path]:
    """Return the paths of `audit.json` and `audit.csv` after writing them into `folder`."""
    return write_json(audit_document(audit), folder / "audit.json"), _write_csv(audit, folder)


def writable(folder: Path) -> Path:
    """Return `folder` if files can be made there, so that a long audit does not end without any.

    Raises:
        WriteError: They cannot.
    """
    with writing(folder), tempfile.TemporaryFile(dir=existing(folder)):
        return folder


def _write_csv(audit: Audit, folder: Path) -> Path:
    path = folder / "audit.csv"
    with csv_writer(path) as writer:
        writer.writerow(COLUMNS)
        writer.writerows(_row(finding) for finding in audit.findings)
    return path


def _row(finding: Finding) -> list[object]:
    cells = (
        BETWEEN.join(finding.splits),
        BETWEEN.join(f"{member.split}:{member.clip_id}" for member in finding.clips),
        BETWEEN.join(member.label for member in finding.clips),
    )
    value = "" if finding.value is None else f"{finding.value:.6g}"
    return [finding.kind.value, *map(csv_cell, cells), value, csv_cell(finding.message)]
