"""Whether somebody's fold list keeps speakers and recordings apart."""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from serval.audit.facts import members_of
from serval.audit.faults import unnamed_words
from serval.audit.findings import Finding, FindingKind
from serval.datasets.columns import text_of
from serval.datasets.manifest import SUFFIXES, ManifestTable
from serval.errors import DatasetError, DatasetNotFoundError
from serval.files import is_file, is_folder
from serval.wording import counted

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from serval.audit.facts import ClipFacts
    from serval.audit.findings import Member

PARTS = "train|test|validation|valid|val|dev|eval"
IN_NAME = re.compile(
    rf"(?i)(?:.*_)?(?:(?P<part>{PARTS})_fold_?(?P<fold>\w+)|"
    rf"fold_?(?P<fold2>\d+)[._-](?P<part2>{PARTS}))"
)
"""How file names say fold and part: EmoBox's `ravdess_test_fold_1`, and `fold1_test`."""

CLIP_NAMES = ("path", "wav", "file", "file_name", "filename", "audio", "id", "clip_id", "key")
PLACES, OTHER = {"train": "train", "test": "test", "eval": "test"}, "other"
"""How part names begin -> what the part is for."""

SHOWN = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class FoldList:
    """Which clips are in which part of which fold.

    Attributes:
        name: Of the file or folder.
        parts: Fold -> part (`train` or `test`) -> the names of clips, as the list has them.
        left_out: How many names are in other parts alone, such as `valid` beside `test`.
    """

    name: str
    parts: Mapping[str, Mapping[str, frozenset[str]]]
    left_out: int = 0


@dataclass(slots=True, kw_only=True)
class _Parts:
    """A fold list while it is read."""

    found: defaultdict[str, defaultdict[str, set[str]]] = field(
        default_factory=lambda: defaultdict(lambda: defaultdict(set))
    )

    def add(self, fold: str, part: str, clip: str) -> None:
        """Note a clip."""
        begins = part.casefold().startswith
        place = next((place for begin, place in PLACES.items() if begins(begin)), OTHER)
        self.found[fold][place].add(clip)

    def settle(self) -> int:
        """Return how many clips are left out: those of other parts, unless no part is a test."""
        others = [of.pop(OTHER, set()) for of in self.found.values()]
        if not any(of["test"] for of in self.found.values()):
            for of, clips in zip(self.found.values(), others, strict=True):
                of["test"] |= clips
        kept = {clip for of in self.found.values() for clips in of.values() for clip in clips}
        return len(set().union(*others) - kept)


def fold_list_in(place: str) -> FoldList:
    """Return the fold list that a file or folder holds.

    Args:
        place: A .csv, .tsv or .jsonl file with a column for the clip and `fold`, `split` or both;
            or one of EmoBox's files (`..._test_fold_1.jsonl`, its other part beside it); or a
            folder of those.

    Raises:
        DatasetNotFoundError: There is no such file, or no such column in it.
        DatasetError: It is no fold list, or cannot be read.
    """
    path, parts = Path(place).expanduser(), _Parts()
    for file in _files_of(path, place):
        _read(file, parts)
    left_out = parts.settle()
    if not any(clips for of in parts.found.values() for clips in of.values()):
        raise DatasetError(
            f"--folds {place} holds no fold list; give a .csv with the columns path, fold and "
            "split, or the files of EmoBox"
        )
    return FoldList(
        name=path.name,
        parts={
            fold: {part: frozenset(clips) for part, clips in of.items()}
            for fold, of in sorted(parts.found.items(), key=lambda item: (len(item[0]), item[0]))
        },
        left_out=left_out,
    )


def _files_of(path: Path, place: str) -> list[Path]:
    """Return the files of the fold list that a file or folder is, or is a part of."""
    if is_folder(path):
        tables = (file for file in path.rglob("*") if file.suffix.lower() in SUFFIXES)
        return sorted(file for file in tables if _in_name(file))
    if not is_file(path):
        raise DatasetNotFoundError(f"--folds {place} is no file or folder that exists")
    found = _in_name(path)
    if not found:
        return [path]
    beside = (f for f in path.parent.iterdir() if f.suffix == path.suffix and is_file(f))
    return sorted(f for f in beside if (of := _in_name(f)) and of[0] == found[0])


def _in_name(path: Path) -> tuple[str, str] | None:
    """Return the fold and part that a file's name tells, if it does."""
    match = IN_NAME.fullmatch(path.stem)
    if match is None:
        return None
    return match["fold"] or match["fold2"], match["part"] or match["part2"]


def _read(file: Path, parts: _Parts) -> None:
    if file.suffix.lower() not in SUFFIXES:
        raise DatasetError(f"{file} is no fold list; give a .csv, .tsv or .jsonl file")
    rows = [dict(row.cells) for row in ManifestTable(files=[file]).rows(0, None, ())]
    names = {name.casefold(): name for row in rows for name in row}
    clip = next((names[name] for name in CLIP_NAMES if name in names), None)
    told = _in_name(file)
    if clip is None or not (told or {"fold", "split"} & names.keys()):
        raise DatasetNotFoundError(
            f"{file} needs a column {' or '.join(CLIP_NAMES[:2])} and a column fold, split or "
            f"both; it has: {', '.join(names.values())}"
        )
    fold, split = names.get("fold"), names.get("split")
    for row in rows:
        name = text_of(row.get(clip)) or ""
        where = (told and told[0]) or (text_of(row.get(fold)) if fold else "1")
        part = (told and told[1]) or (text_of(row.get(split)) if split else "test")
        if name and where and part:
            parts.add(where, part, name)
    if fold and not (split or told):
        _complete(parts)


def _complete(parts: _Parts) -> None:
    """Have each fold trained on what the others test, where a list names test parts alone."""
    tests = {fold: set(of["test"]) for fold, of in parts.found.items()}
    for fold in tests:
        others = (clips for other, clips in tests.items() if other != fold)
        parts.found[fold]["train"] = set().union(*others)


def fold_findings(
    facts: Sequence[ClipFacts], found: Sequence[Finding], folds: FoldList
) -> Iterator[Finding]:
    """Yield for each fold which speakers and recordings are in its train and test part."""
    places = places_of(folds, [clip.clip_id for clip in facts])
    groups = [f.clips for f in found if f.kind in (FindingKind.IDENTICAL_AUDIO,
                                                   FindingKind.NEAR_IDENTICAL_AUDIO)]  # fmt: skip
    listed: set[str] = set()
    unknown: set[str] = set()
    for fold, parts in folds.parts.items():
        clips = {part: _clips(names, facts, places, unknown) for part, names in parts.items()}
        test, train = clips.get("test", {}), clips.get("train", {})
        listed |= test.keys() | train.keys()
        splits = (f"fold{fold}.test", f"fold{fold}.train")
        yield from _shared_speakers(test, train, splits)
        yield from _shared_recordings(groups, test, train, splits)
    yield from _misfits(folds, unknown, [f.clip_id for f in facts if f.clip_id not in listed])


def listed_clips(facts: Sequence[ClipFacts], folds: FoldList) -> list[ClipFacts]:
    """Return the clips that a fold list names."""
    places = places_of(folds, [clip.clip_id for clip in facts])
    return [facts[place] for place in sorted(set(places.values()))]


def fold_line(findings: Iterable[Finding], folds: FoldList, listed: Sequence[ClipFacts]) -> str:
    """Return one sentence on how many folds share something."""
    found = list(findings)

    def sharing(kind: FindingKind) -> int:
        return len({finding.splits[0] for finding in found if finding.kind is kind})

    n = len(folds.parts)
    speakers, clips = map(
        sharing, (FindingKind.FOLDS_SHARE_SPEAKERS, FindingKind.FOLDS_SHARE_RECORDINGS)
    )
    left_out = f"; {counted(folds.left_out, 'clip')} of neither part left out" * bool(
        folds.left_out
    )
    if listed and all(clip.speaker is None for clip in listed):
        return (
            f"speakers cannot be compared: no clip of {folds.name} names one; {clips} of {n} folds "
            f"share recordings{left_out}"
        )
    return (
        f"{speakers} of {n} folds of {folds.name} share speakers between train and test, {clips} "
        f"share recordings{unnamed_words(listed)}{left_out}"
    )


def places_of(folds: FoldList, clip_ids: Sequence[str]) -> dict[str, int]:
    """Return the place of the clip that each name of a list names, without those that name none.

    A name is compared without its suffix, by as much of the end of its path as is in both and as
    tells the clip from all others. Of two that name one clip and contradict each other above it,
    such as `a/1.wav` and `b/1.wav`, the one that has more in common with the clip names it.
    """
    ends: defaultdict[tuple[str, ...], list[int]] = defaultdict(list)
    for place, clip_id in enumerate(clip_ids):
        for end in _ends_of(clip_id):
            ends[end].append(place)
    named: defaultdict[int, list[tuple[int, str]]] = defaultdict(list)
    for name in {name for of in folds.parts.values() for names in of.values() for name in names}:
        alike = next((end for end in _ends_of(name) if len(ends.get(end, ())) == 1), None)
        if alike is not None:
            named[ends[alike][0]].append((len(alike), name))
    return {name: place for place, found in named.items() for name in _agreeing(found)}


def _agreeing(found: Sequence[tuple[int, str]]) -> Iterator[str]:
    """Yield the names of one clip that do not contradict those with most in common with it.

    Args:
        found: How many parts of its path a name has in common with the clip, and the name.
    """
    most = max(n for n, _ in found)
    paths = {name: _ends_of(name)[0] for _, name in found}
    best = [paths[name] for n, name in found if n == most]
    return (name for name, path in paths.items() if all(_is_end(path, one) for one in best))


def _is_end(one: tuple[str, ...], other: tuple[str, ...]) -> bool:
    """Tell whether one of two paths is the end of the other."""
    n = min(len(one), len(other))
    return one[-n:] == other[-n:]


def _ends_of(name: str) -> list[tuple[str, ...]]:
    path = PurePosixPath(name.replace("\\", "/"))
    parts = path.with_suffix("").parts if path.name else path.parts
    return [parts[start:] for start in range(len(parts))]


def _clips(
    names: Iterable[str],
    facts: Sequence[ClipFacts],
    places: Mapping[str, int],
    unknown: set[str],
) -> dict[str, ClipFacts]:
    """Return the clips of one part by id, noting the names of none in `unknown`."""
    unknown |= {name for name in names if name not in places}
    found = (facts[places[name]] for name in names if name in places)
    return {clip.clip_id: clip for clip in found}


def _shared_speakers(
    test: Mapping[str, ClipFacts], train: Mapping[str, ClipFacts], splits: tuple[str, str]
) -> Iterator[Finding]:
    heard = {clip.speaker for clip in train.values()} - {None}
    here = {clip.speaker for clip in test.values()} - {None}
    shared = sorted(str(speaker) for speaker in here & heard)
    if shared:
        n = sum(clip.speaker in heard for clip in test.values())
        yield Finding(
            kind=FindingKind.FOLDS_SHARE_SPEAKERS,
            message=f"{splits[0]}: {len(shared)} of its {len(here)} speakers, with {n:,} of "
            f"{len(test):,} clips, are in {splits[1]} too: {_some(shared)}",
            splits=splits,
            value=float(len(shared)),
        )


def _shared_recordings(
    groups: Sequence[Sequence[Member]],
    test: Mapping[str, ClipFacts],
    train: Mapping[str, ClipFacts],
    splits: tuple[str, str],
) -> Iterator[Finding]:
    both = test.keys() & train.keys()
    if both:
        yield _crossing(f"{counted(len(both), 'clip')} in both parts", sorted(both), test, splits)
    for group in groups:
        ids = [member.clip_id for member in group]
        here = [i for i in ids if i in test and i not in both]
        there = [i for i in ids if i in train and i not in both]
        if here and there:
            what = f"one recording: {_some(here)} in {splits[0]}, {_some(there)} in {splits[1]}"
            yield _crossing(what, [*here, *there], {**test, **train}, splits)


def _crossing(
    what: str, ids: Sequence[str], clips: Mapping[str, ClipFacts], splits: tuple[str, str]
) -> Finding:
    return Finding(
        kind=FindingKind.FOLDS_SHARE_RECORDINGS,
        message=f"{splits[0]}: {what}",
        splits=splits,
        clips=members_of(clips[i] for i in ids if i in clips),
        value=float(len(ids)),
    )


def _misfits(folds: FoldList, unknown: set[str], unlisted: Sequence[str]) -> Iterator[Finding]:
    for where, names in (
        ("in the list and of no clip of the set", sorted(unknown)),
        ("of the set and in no fold", sorted(unlisted)),
    ):
        if names:
            yield Finding(
                kind=FindingKind.FOLDS_MISFIT,
                message=f"{counted(len(names), 'name')} {where}: {_some(names)}",
                splits=(folds.name,),
                value=float(len(names)),
            )


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return ", ".join(names[:SHOWN]) + more
