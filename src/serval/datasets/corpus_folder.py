"""A folder that holds a known corpus as it was unzipped: its clips, and why other files are none.

The file name decides what is in a clip; folders may have been renamed since. Every audio file is a
clip, or is left out for a reason that is counted.
"""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

import numpy as np

from serval.audio import (
    LONGEST_CLIP_S,
    SILENT_PEAK,
    decodable_suffixes,
    decode,
    encoded_bytes,
)
from serval.corpora import ENOUGH, fitting, has_tables, lacking_tables, recognised
from serval.datasets.corpus_tables import told_by_tables
from serval.datasets.dataset import short_name
from serval.datasets.layout import (
    PARQUET,
    is_audio,
    is_metadata,
    is_named_as_split,
    splits_by_name,
    suffix_of,
)
from serval.datasets.listing import HIDDEN, NOT_DECODED, as_left_out, is_hidden
from serval.datasets.manifest import SUFFIXES
from serval.errors import AudioError, ConfigError, DatasetError
from serval.files import sha256_of
from serval.labels import EMOTIONS, LabelMap, LabelSet
from serval.wording import composed, counted, percent

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from serval.corpora import Corpus
    from serval.datasets.corpus_tables import TableLabels
    from serval.records import LeftOut

KINDS = {
    "macos": "what macOS keeps beside files (._*)",
    "dialogues": "recordings of whole dialogues, which the clips are cut from",
    "song": "song, not speech",
    "video": "videos beside the corpus's own audio",
    "copies": "second copies of clips, with the same content",
    "formats": "the same clips in another format",
    "versions": "of the same name as a clip, with other content",
    "silent": "without sound",
    "no-agreement": "without a label that the raters agreed on",
}
"""Kinds of recordings of a corpus that are none of its clips by default, and what they are."""

UNCLEAR = "versions"
"""Which of several files is the clip is not known: the first is taken, but that is not enough."""

FOR_GOOD = ("macos", "dialogues")
"""Kinds that have no label of their own and are never clips."""

VIDEO = frozenset(
    (".mp4", ".avi", ".mkv", ".mov", ".flv", ".webm", ".mpg", ".mpeg", ".wmv", ".3gp", ".m4v")
)

HEADER_BYTES = 44
"""A file that is no longer has no sample in it, whatever its format."""

EIGHT = LabelMap(labels=LabelSet(EMOTIONS), explicit={})
"""What folders and labels mean among the usual eight emotions, if anything."""

FEW = 3
"""Clips that may all have one label in any corpus."""

FIRST_SUFFIXES = (".wav", ".flac")
"""What is taken of a clip that is there in several formats: those that lose nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CorpusFolder:
    """What is in a corpus's folder.

    Attributes:
        corpus: The corpus.
        root: Its folder.
        rows: Audio file, relative to `root` -> its columns; sorted.
        left_out: What is no clip, by reason.
        tables: The corpus's own tables, relative to `root`.
    """

    corpus: Corpus
    root: Path
    rows: Mapping[str, Mapping[str, str]]
    left_out: tuple[LeftOut, ...] = ()
    tables: tuple[str, ...] = ()

    def read_as(self) -> str:
        """Return how the folder was read, for people."""
        speakers = {row.get("speaker") for row in self.rows.values()} - {None}
        n, whole = len(self.rows), self.corpus.clips
        clips = f"{n:,} of {whole:,} clips" if whole else counted(n, "clip")
        return f"read as {self.corpus.name}: {clips}, {counted(len(speakers), 'speaker')}"


@dataclass(slots=True, kw_only=True)
class _Sorting:
    """Audio files on the way to being clips, and why some did not become any.

    Attributes:
        include: Kinds that are clips on request.
        reasons: Kind, or reason where it is of no kind -> files.
    """

    include: frozenset[str]
    reasons: defaultdict[str, list[str]] = field(default_factory=lambda: defaultdict(list))

    def keep(self, files: Iterable[str], why: Mapping[str, str]) -> list[str]:
        """Return the files that stay, having noted why the others do not."""
        kept = []
        for file in files:
            if file in why and why[file] not in self.include:
                self.reasons[why[file]].append(file)
            else:
                kept.append(file)
        return kept

    def left_out(self) -> tuple[LeftOut, ...]:
        """Return what was left out, what is of a kind of its own first."""
        kinds = [kind for kind in KINDS if kind in self.reasons]
        named = (
            replace(
                as_left_out(_told(kind), self.reasons[kind]), kind=kind, expected=kind != UNCLEAR
            )
            for kind in kinds
        )
        others = (reason for reason in self.reasons if reason not in KINDS)
        return (*named, *(as_left_out(reason, self.reasons[reason]) for reason in others))


def kinds_of(include: str | None) -> frozenset[str]:
    """Return the kinds that `--include` names, with commas.

    Raises:
        ConfigError: There is no such kind.

    Examples:
        >>> sorted(kinds_of("song, video"))
        ['song', 'video']
    """
    names = [name.strip() for name in (include or "").split(",") if name.strip()]
    if unknown := [name for name in names if name not in KINDS or name in FOR_GOOD]:
        known = ", ".join(kind for kind in KINDS if kind not in FOR_GOOD)
        raise ConfigError(f"unknown --include '{unknown[0]}'; known: {known}")
    return frozenset(names)


def corpus_in(
    root: Path, files: Sequence[str], asked: Corpus | None, include: str | None
) -> tuple[CorpusFolder | None, str]:
    """Return what a folder holds if it is a corpus, and else what its owner should know.

    Raises:
        DatasetError: It does not hold the corpus that was asked for, or may hold one of two.
        ConfigError: There is no such kind of recording.
    """
    kinds = kinds_of(include)
    visible = [file for file in files if not is_hidden(file)]
    if asked:
        _refuse_misfit(asked, root, visible)
        return _read(asked, root, files, kinds), ""
    corpus = _corpus_of(root, visible)
    if corpus is None:
        return None, ""
    try:
        found = _read(corpus, root, files, kinds)
    except DatasetError:
        # Tables that are not the corpus's own: somebody has named theirs alike.
        return None, ""
    return (found, "") if _is_sure(found) else (None, _unlike(found))


def _is_sure(found: CorpusFolder) -> bool:
    """Tell whether tables and labels are those of the corpus, and the folders do not contradict."""
    unknown = sum(part.n for part in found.left_out if part.reason == _unlisted(found.corpus))
    labels = {row["label"] for row in found.rows.values()}
    # One letter everywhere, in names that could be anybody's, is most likely no emotion.
    if found.corpus.layout and len(labels) == 1 and len(found.rows) > FEW:
        return False
    enough = ENOUGH * (len(found.rows) + unknown)
    return len(found.rows) >= enough and _n_conflicts(found) <= (1 - ENOUGH) * len(found.rows)


def _unlike(found: CorpusFolder) -> str:
    """Return what the owner of a folder should know whose files are named as a corpus's are."""
    n, name = _n_conflicts(found), found.corpus.name
    if not n:
        return ""
    return (
        f"its file names are those of {name}, but {n:,} of {len(found.rows):,} clips lie in "
        f"folders that name another emotion, which was taken; {name}:PATH takes that of the names"
    )


def _corpus_of(root: Path, visible: Sequence[str]) -> Corpus | None:
    """Return the corpus that a folder holds whose owner has not said what it holds."""
    if any(is_metadata(file) for file in visible) or _has_own_lists(visible):
        return None
    sounds = _sounds(visible, videos=False) or _sounds(visible, videos=True)
    placed = [*_placed(root, sounds).values()]
    found = recognised(placed, visible)
    are_sorted = _names_emotions(sounds)
    if not found and not are_sorted and (corpus := lacking_tables(placed, visible)):
        raise DatasetError(_no_tables(corpus, root))
    if len(found) > 1 and not are_sorted:
        names = [corpus.name for corpus in found]
        raise DatasetError(
            f"the file names in {root} are those of {' and of '.join(names)}, which mean "
            f"different things by them; say which it is, as in {names[0]}:{root}"
        )
    return found[0] if len(found) == 1 else None


def _has_own_lists(visible: Iterable[str]) -> bool:
    """Tell whether tables that are named after splits list the clips."""
    return any(
        file.removeprefix("data/").count("/") == 0
        and suffix_of(file) in (*SUFFIXES, PARQUET)
        and is_named_as_split(file)
        for file in visible
    )


def _names_emotions(sounds: Sequence[str]) -> bool:
    named = sum(_folder_emotion(file) is not None for file in sounds)
    return named >= ENOUGH * len(sounds)


def _sounds(files: Iterable[str], *, videos: bool) -> list[str]:
    """Return the audio files, or those with the videos."""
    return [
        file
        for file in files
        if (videos and suffix_of(file) in VIDEO)
        or (is_audio(file) and suffix_of(file) not in VIDEO)
    ]


def _placed(root: Path, files: Iterable[str]) -> dict[str, str]:
    """Return file -> its path with the name of the folder itself, which may be a speaker's."""
    base = short_name(root)
    return {file: composed(f"{base}/{file}") for file in files}


def _refuse_misfit(corpus: Corpus, root: Path, visible: Sequence[str]) -> None:
    if not corpus.grammar:
        raise DatasetError(
            f"{corpus.name} is no corpus that is read from a folder; give the folder alone"
        )
    sounds = _sounds(visible, videos=corpus.videos) or _sounds(visible, videos=True)
    placed = [*_placed(root, sounds).values()]
    if fitting(corpus, placed) < ENOUGH:
        n = sum(corpus.named(path) is not None for path in placed)
        raise DatasetError(
            f"{root} is not {corpus.name}: {n:,} of its {len(sounds):,} audio files have names of "
            f"that corpus, {percent(ENOUGH, 0)} are needed; give the corpus's own folder, or leave "
            f"'{corpus.name}:' out"
        )
    if "(?P<label>" not in corpus.grammar and not has_tables(corpus, visible):
        raise DatasetError(_no_tables(corpus, root))


def _no_tables(corpus: Corpus, root: Path) -> str:
    needed = ", ".join(table.shown for table in corpus.tables if table.required)
    return (
        f"{root} has none of {corpus.name}'s tables ({needed}), which hold the labels; copy them "
        "beside the clips, as the corpus has them"
    )


def _read(
    corpus: Corpus, root: Path, files: Sequence[str], include: frozenset[str]
) -> CorpusFolder:
    sorting = _Sorting(include=include)
    decoded = decodable_suffixes()
    left = _sounds(files, videos=True)
    place = _placed(root, left)
    left = sorting.keep(left, {file: _hidden(file) for file in left if is_hidden(file)})
    beside = {file: corpus.kind_beside(place[file]) for file in left}
    left = sorting.keep(left, {file: kind for file, kind in beside.items() if kind})
    said = {file: corpus.named(place[file]) for file in left}
    strange = f"not named as the clips of {corpus.name} are"
    unnamed = (file for file in left if said[file] is None)
    left = sorting.keep(
        left,
        {f: "video" if suffix_of(f) in VIDEO and not corpus.videos else strange for f in unnamed},
    )
    told = told_by_tables(corpus, root, [file for file in files if not is_hidden(file)])
    facts = {file: _facts(corpus, place[file], said[file] or {}, told) for file in left}
    unlisted = [f for f in left if _is_unlisted(corpus, place[f], facts[f], told)]
    left = sorting.keep(left, dict.fromkeys(unlisted, _unlisted(corpus)))
    left = sorting.keep(left, _why_none(corpus, {file: facts[file] for file in left}))
    left = sorting.keep(left, {f: NOT_DECODED for f in left if suffix_of(f) not in decoded})
    split_of = _own_splits(root, left, facts)
    rows = {file: {**split_of.get(file, {}), **corpus.columns(facts[file])} for file in left}
    keys = {f: (rows[f].get("split", ""), corpus.key_of(place[f], facts[f])) for f in left}
    left = sorting.keep(left, _doubled(root, keys))
    left = sorting.keep(left, {file: "silent" for file in left if _is_silent(corpus, root, file)})
    return CorpusFolder(
        corpus=corpus,
        root=root,
        rows={file: rows[file] for file in sorted(left)},
        left_out=sorting.left_out(),
        tables=tuple(file for part in told for file in part.files),
    )


def _told(kind: str) -> str:
    """Return a kind in words, with what brings it back."""
    return KINDS[kind] if kind in FOR_GOOD else f"{KINDS[kind]} (--include {kind} takes them)"


def _hidden(file: str) -> str:
    macos = "__MACOSX" in file.split("/") or file.rpartition("/")[2].startswith("._")
    return "macos" if macos else HIDDEN


def _facts(
    corpus: Corpus, path: str, said: Mapping[str, str], told: Sequence[TableLabels]
) -> dict[str, str]:
    """Return all that names and tables say of a clip, in codes."""
    facts = dict(said)
    for part in told:
        key = facts.get(part.table.of, "") if part.table.of else corpus.key_of(path, said)
        facts = {**part.cells.get(key, {}), **facts}
    return facts


def _why_none(corpus: Corpus, facts: Mapping[str, Mapping[str, str]]) -> dict[str, str]:
    """Return why files are no clips; videos are clips where the corpus's audio is not there."""
    why = {f: _why_not(corpus, f, said, videos=corpus.videos) for f, said in facts.items()}
    if all(why.values()):
        why = {f: _why_not(corpus, f, said, videos=True) for f, said in facts.items()}
    return {file: reason for file, reason in why.items() if reason}


def _why_not(corpus: Corpus, file: str, facts: Mapping[str, str], *, videos: bool) -> str:
    """Return why a file is no clip, as a kind or a reason; empty where it is one."""
    columns = corpus.columns(facts)
    for kind, (column, value) in corpus.kinds.items():
        if re.fullmatch(value, columns.get(column, "")) and not (videos and kind == "video"):
            return kind
    if suffix_of(file) in VIDEO and not videos:
        return "video"
    label = facts.get("label")
    if label is None:
        return _unlisted(corpus)
    if label not in corpus.labels:
        return f"with a label that {corpus.name} does not know"
    return "" if corpus.labels[label] else "no-agreement"


def _is_unlisted(
    corpus: Corpus, path: str, facts: Mapping[str, str], told: Sequence[TableLabels]
) -> bool:
    """Tell whether a table that lists all clips of the corpus is here and lacks this one."""
    key = corpus.key_of(path, facts)
    return any(part.table.required and part.files and key not in part.cells for part in told)


def _unlisted(corpus: Corpus) -> str:
    return f"named by no row of the tables of {corpus.name}"


def _own_splits(
    root: Path, files: Sequence[str], facts: Mapping[str, Mapping[str, str]]
) -> dict[str, dict[str, str]]:
    """Return the split of each file where somebody put the corpus into folders named after some."""
    if any({"split", "part"} & facts[file].keys() for file in files):
        return {}
    folders = splits_by_name(files, frozenset(), "", str(root)).folders
    return {
        file: {"split": name}
        for name, folder in folders.items()
        if is_named_as_split(folder)
        for file in files
        if file.startswith(f"{folder}/")
    }


def _doubled(root: Path, keys: Mapping[str, tuple[str, str]]) -> dict[str, str]:
    """Return why all but one of the files of one clip are left out, if there are several.

    Args:
        root: The corpus's folder.
        keys: File -> its split, and the name of the clip.
    """
    same: defaultdict[tuple[str, str], list[str]] = defaultdict(list)
    for file, key in keys.items():
        same[key].append(file)
    found = {}
    for files in same.values():
        first, *others = sorted(files, key=_rank)
        for other in others:
            found[other] = _doubled_how(root, first, other)
    return found


def _rank(file: str) -> tuple[int, int, str]:
    """Return what is taken first of several files of one clip: the least."""
    suffix = suffix_of(file)
    known = FIRST_SUFFIXES.index(suffix) if suffix in FIRST_SUFFIXES else len(FIRST_SUFFIXES)
    return known, file.count("/"), file


def _doubled_how(root: Path, first: str, other: str) -> str:
    try:
        same_size = (root / first).stat().st_size == (root / other).stat().st_size
        if same_size and sha256_of(root / first) == sha256_of(root / other):
            return "copies"
    except OSError:
        return "links to nothing, or not to be read, beside a clip of the same name"
    return "formats" if suffix_of(first) != suffix_of(other) else "versions"


def _is_silent(corpus: Corpus, root: Path, file: str) -> bool:
    """Tell whether a file has no sample in it, or is one that may have no sound and has none."""
    try:
        if (root / file).stat().st_size <= HEADER_BYTES:
            return True
        if PurePosixPath(file).stem not in corpus.suspects:
            return False
        samples = decode(encoded_bytes(root / file), max_seconds=LONGEST_CLIP_S).samples
    except (OSError, AudioError):
        return False
    return not samples.size or float(np.abs(samples).max()) < SILENT_PEAK


def _n_conflicts(found: CorpusFolder) -> int:
    """Return how many clips lie in folders that name another emotion than their file names."""
    named = ((_emotion(row["label"]), _folder_emotion(file)) for file, row in found.rows.items())
    return sum(folder is not None and folder != name for name, folder in named)


def _folder_emotion(file: str) -> str | None:
    """Return the emotion that the folder of a file is named after."""
    return _emotion(file.rpartition("/")[0].rpartition("/")[2])


@lru_cache(maxsize=1024)
def _emotion(name: str) -> str | None:
    return EIGHT[name]
