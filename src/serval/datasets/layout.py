"""What a set consists of: the files of each split, those that are in none, which split is read.

Only the whole name of a folder or of a table of clips makes a split: the words in the names of
audio files are what somebody said, and no reason to leave a clip out.
"""

from __future__ import annotations

import posixpath
import re
from dataclasses import dataclass, field, replace
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from serval.audio import decodable_suffixes, sound_suffixes
from serval.datasets.listing import is_hidden
from serval.datasets.manifest import SUFFIXES
from serval.errors import DatasetError, DatasetNotFoundError
from serval.wording import printable

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from serval.datasets.card import Card

METADATA_NAMES = ("metadata.csv", "metadata.jsonl", "metadata.parquet")
PARQUET = ".parquet"
ARCHIVES = frozenset(
    (".zip", ".tar", ".tgz", ".gz", ".bz2", ".xz", ".txz", ".7z", ".rar", ".zst", ".tbz2")
)

MOST_STARS = 8
"""In one pattern of a card; the time that a match may take grows with each."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """The files of a set, as paths relative to its folder with `/` in them.

    Attributes:
        files: All of them.
        splits: Split -> its files; the split of a set that has none is called `""`.
        folders: Split -> the folder that is named after it, if there is one.
        card: What the set's card says beside.
        unnamed: Nothing in the set is named after a split.
    """

    files: tuple[str, ...]
    splits: Mapping[str, tuple[str, ...]]
    card: Card
    folders: Mapping[str, str] = field(default_factory=dict)
    unnamed: bool = False

    def metadata_of(self, split: str) -> tuple[str, ...]:
        """Return the files that label a split's audio files: its own, else of a folder above."""
        files = self.splits[split]
        own = tuple(file for file in files if is_metadata(file))
        ends = [PurePosixPath(folder, METADATA_NAMES[0]) for folder in folders_of(files)]
        above = {up for end in ends for up in end.parents}
        shared = (file for file in self.files if is_metadata(file) and not is_hidden(file))
        return own or tuple(file for file in shared if PurePosixPath(file).parent in above)

    def sounds_of(self, split: str) -> Iterator[str]:
        """Yield every audio file that is not another split's, decoded or not, hidden or not."""
        own = set(self.splits[split])
        others = {file for files in self.splits.values() for file in files} - own
        folders = tuple(f"{path}/" for name, path in self.folders.items() if name != split)
        for file in self.files:
            elsewhere = file in others or file.startswith(folders)
            if is_audio(file) and (file in own or not elsewhere):
                yield file


def layout_of(files: Sequence[str], card: Card, subject: str) -> Layout:
    """Return the layout of a set, from the names of its files and its card alone.

    Raises:
        DatasetError: There is nothing in it that could be a dataset.
    """
    useful = [
        file
        for file in files
        if (is_audio(file) or is_metadata(file) or _is_table(file)) and not is_hidden(file)
    ]
    if not useful:
        raise DatasetError(_nothing(files, subject))
    if card.patterns is not None:
        splits = Splits(files=_by_pattern(useful, card, card.patterns))
    else:
        tables = frozenset(file for file in useful if _is_table(file))
        splits = splits_by_name(useful, tables, card.folder, subject)
        if card.folder and not any(file.startswith(f"{card.folder}/") for file in useful):
            raise DatasetNotFoundError(f"{subject}: there is no configuration '{card.folder}'")
    return Layout(
        files=tuple(files),
        splits={name: tuple(found) for name, found in splits.files.items()},
        folders=splits.folders,
        card=card,
        unnamed=card.patterns is None and "" in splits.files,
    )


def with_empty_splits(layout: Layout, folders: Iterable[str]) -> Layout:
    """Return the layout with those splits too whose folders lie beside the others and are empty.

    So a `validation` in which nothing is left is not passed over in favour of `train`.
    """
    if layout.unnamed or layout.card.patterns is not None:
        return layout
    above = {posixpath.dirname(path) for path in layout.folders.values()} or {"", "data"}
    names = (posixpath.basename(path) for path in folders if posixpath.dirname(path) in above)
    empty = (name for name in names if is_named_as_split(name) and name not in layout.splits)
    return replace(layout, splits={**layout.splits, **dict.fromkeys(empty, ())})


def suffix_of(file: str) -> str:
    """Return what a name ends in, in small letters."""
    return posixpath.splitext(file)[1].lower()


def is_audio(file: str) -> bool:
    """Tell whether a file holds sound, by its name."""
    return suffix_of(file) in sound_suffixes()


def is_decoded(file: str) -> bool:
    """Tell whether a file is of a kind that can become a clip, by its name."""
    return suffix_of(file) in decodable_suffixes()


def is_metadata(file: str) -> bool:
    """Tell whether a file labels the audio files beside and below it."""
    return file.rpartition("/")[2].lower() in METADATA_NAMES


def _is_table(file: str) -> bool:
    return suffix_of(file) in (*SUFFIXES, PARQUET) and not is_metadata(file)


def _by_pattern(
    files: Sequence[str], card: Card, patterns: Mapping[str, tuple[str, ...]]
) -> dict[str, list[str]]:
    """Return the files of each split that the card's patterns match, in their order."""
    base = f"{card.folder}/" if card.folder else ""
    return {
        split: list(
            dict.fromkeys(
                file
                for pattern in several
                for matches in [_pattern(f"{base}{pattern}").fullmatch]
                for file in files
                if matches(file)
            )
        )
        for split, several in patterns.items()
    }


def _pattern(text: str) -> re.Pattern[str]:
    """Return a pattern of paths, in which `**` alone reaches into folders, as an expression.

    Examples:
        >>> bool(_pattern("./data/train-*").fullmatch("data/train-0.parquet"))
        True
        >>> bool(_pattern("*.csv").fullmatch("a/b.csv")), bool(_pattern("a").fullmatch("a/b.csv"))
        (False, True)
    """
    path = re.sub(r"^(\./)+", "", text).rstrip("/")
    if path.count("*") > MOST_STARS:
        raise DatasetError(
            f"a card's pattern '{text[:80]}' has too many stars; write a plainer one"
        )
    parts = re.split(r"(\*\*/|\*\*|\*|\?|\[[^\]/]+\])", path)
    known = {"**/": "(?:.*/)?", "**": ".*", "*": "[^/]*", "?": "[^/]"}
    expression = "".join(
        known.get(part) or (_one_of(part) if i % 2 else re.escape(part))
        for i, part in enumerate(parts)
    )
    try:
        return re.compile(f"{expression}(/.*)?", re.DOTALL)
    except re.error:
        return re.compile(re.escape(path))


def _one_of(part: str) -> str:
    inner = part[1:-1].replace("\\", r"\\").replace("[", r"\[")
    return f"[^{inner[1:]}]" if inner.startswith(("!", "^")) and len(inner) > 1 else f"[{inner}]"


def _nothing(files: Sequence[str], subject: str) -> str:
    """Return why a set is none, and what it is instead as far as that can be seen."""
    needs = "parquet files, manifests, or audio files with a metadata.csv or in label folders"
    kinds = {suffix_of(file) for file in files if not is_hidden(file)} - {".md", ""}
    if ".py" in kinds and subject.startswith("hf:"):
        return (
            f"{subject} needs its own code, which is never run here; try the copy that the hub "
            "makes of it: --revision refs/convert/parquet"
        )
    if kinds:
        return (
            f"{subject} is stored as {', '.join(sorted(kinds))}, which is not read here; it needs "
            f"{needs}: unpack it, or write it anew, as with to_parquet of `datasets`"
        )
    return f"{subject} has no files that make a dataset: {needs}"


VALIDATION = ("validation", "valid", "val", "dev", "devel", "development")
"""Names that sets give to the split on which models are compared."""

TRAIN = ("train", "training")
NAMES = frozenset((*TRAIN, *VALIDATION, "test", "testing", "eval", "evaluation"))

SHARD = re.compile(r"(?P<name>.+)-(?P<number>\d{5})-of-(?P<total>\d{5})")
"""How the hub's tools name the parts of a split: `train-00000-of-00003`."""

MOST_PARTS = 10_000
"""Of one split; a name may claim more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Splits:
    """The files of a set, by split.

    Attributes:
        files: Split -> its files; the split of a set that has none is called `""`.
        folders: Split -> the folder that is named after it, if there is one.
    """

    files: dict[str, list[str]]
    folders: dict[str, str] = field(default_factory=dict)


def splits_by_name(
    files: Sequence[str], tables: frozenset[str], folder: str, subject: str
) -> Splits:
    """Return the splits that folders or tables are named after, else one without a name.

    Args:
        files: The files that may hold clips or speak of them.
        tables: Those of them that list clips, or hold them.
        folder: Where to look; the root and `data` are looked at in any case.
        subject: What the user calls the set.

    Raises:
        DatasetError: Folders named after splits lie below several others.
    """
    files = [file for file in files if not folder or file.startswith(f"{folder}/")]
    for base in _bases(files, folder):
        below = {file: file.removeprefix(base) for file in files if file.startswith(base)}
        found = _named_in(below, base, tables)
        if found.files:
            return found
    _refuse_deeper(files, subject)
    if tables.issuperset(files) and len({_table_name(file) for file in files}) > 1:
        return Splits(files=_grouped({file: _table_name(file) for file in files}))
    return Splits(files={"": list(files)})


ALL_FOLDS = "folds"
"""The test parts of all folds as one set, whose clips bear their fold's name."""

FOLD = re.compile(r"fold(?P<fold>.+)\.(?P<part>test|train)")


def is_fold(split: str) -> bool:
    """Tell whether a split is a part of folds.

    Examples:
        >>> is_fold("fold3.test"), is_fold("folds"), is_fold("test")
        (True, True, False)
    """
    return split == ALL_FOLDS or FOLD.fullmatch(split) is not None


def choose_split(splits: Iterable[str], asked: str | None, subject: str) -> str:
    """Return the split to read: exactly the one asked for, else validation, else the only one.

    Raises:
        DatasetNotFoundError: There is no such split, or no way to tell which one is meant.

    Examples:
        >>> choose_split(["train", "dev"], None, "set")
        'dev'
        >>> choose_split(["train", "validation"], "validation", "set")
        'validation'
    """
    known = list(splits)
    listed = ", ".join(printable(name) for name in known)
    if asked is not None and asked not in known:
        if is_fold(asked) and not any(map(is_fold, known)):
            raise DatasetNotFoundError(
                f"{subject} has no folds of its own; a probe makes some with --folds speaker:5, or "
                "as many as it has speakers; any other command reads it without --split"
            )
        if not any(known):
            raise DatasetNotFoundError(f"{subject} has no splits; leave out --split {asked}")
        raise DatasetNotFoundError(f"{subject} has no split '{asked}'; it has: {listed}")
    if asked is not None:
        return asked
    folded = {name.casefold(): name for name in reversed(known)}
    usual = next((folded[name] for name in VALIDATION if name in folded), None)
    if usual is not None:
        return usual
    if len(known) != 1:
        raise DatasetNotFoundError(
            f"{subject} has no validation split; choose one with --split: {listed}"
        )
    return known[0]


def folders_of(files: Iterable[str]) -> frozenset[str]:
    """Return the folders that files lie in; `""` is the set's own."""
    return frozenset(file.rpartition("/")[0] for file in files)


def missing_parts(files: Iterable[str]) -> list[str]:
    """Return the names of parts that others of a split tell of and that are not among them.

    Examples:
        >>> missing_parts(["data/dev-00000-of-00003.parquet", "data/dev-00002-of-00003.parquet"])
        ['data/dev-00001-of-00003.parquet']
    """
    paths = [PurePosixPath(file) for file in files]
    told = {
        str(path.with_stem(f"{part['name']}-{number:05d}-of-{part['total']}"))
        for path in paths
        for part in [SHARD.fullmatch(path.stem)]
        if part is not None
        for number in range(min(int(part["total"]), MOST_PARTS))
    }
    return sorted(told - {str(path) for path in paths})


def is_named_as_split(path: str) -> bool:
    """Tell whether a folder or a table of clips is named after a split.

    Examples:
        >>> is_named_as_split("data/train-00000-of-00003.parquet"), is_named_as_split("mine/Test")
        (True, True)
        >>> is_named_as_split("train_sent_emo.csv")
        False
    """
    return _is_split(path, _table_name(path))


def _bases(files: Sequence[str], folder: str) -> list[str]:
    """Return where splits may lie, each ending in `/` or empty.

    The folder itself, a lone folder that holds everything, and `data`.
    """
    base = f"{folder}/" if folder else ""
    bases = [base]
    while below := {file.removeprefix(base).partition("/")[::2] for file in files}:
        first = {name for name, _ in below}
        if len(first) != 1 or not all(rest for _, rest in below):
            break
        base = f"{base}{first.pop()}/"
        bases.append(base)
    return [*bases, *(f"{base}data/" for base in bases)]


def _named_in(below: dict[str, str], base: str, tables: frozenset[str]) -> Splits:
    """Return the splits directly in one folder, or none."""
    folder_of = {file: path.partition("/")[0] for file, path in below.items() if "/" in path}
    table_of = {file: _table_name(path) for file, path in below.items()
                if "/" not in path and file in tables}  # fmt: skip
    named_tables = {file: name for file, name in table_of.items() if _is_split(file, name)}
    if any(name.casefold() in NAMES for name in folder_of.values()):
        folders = {name: f"{base}{name}" for name in folder_of.values()}
        return Splits(files=_grouped(folder_of | named_tables), folders=folders)
    return Splits(files=_grouped(table_of) if named_tables else {})


def _grouped(names: dict[str, str]) -> dict[str, list[str]]:
    """Return split -> its files, from file -> its split; both sorted."""
    groups: dict[str, list[str]] = {name: [] for name in sorted(set(names.values()))}
    for file in sorted(names):
        groups[names[file]].append(file)
    return groups


def _table_name(file: str) -> str:
    """Return the name of a table without the numbers of its parts.

    Examples:
        >>> _table_name("data/train-00000-of-00003.parquet"), _table_name("a/0001.parquet")
        ('train', '')
    """
    stem = PurePosixPath(file).stem
    shard = SHARD.fullmatch(stem)
    return shard["name"] if shard else re.sub(r"(^|[-_. ])\d+$", "", stem)


def _is_split(file: str, name: str) -> bool:
    return name.casefold() in NAMES or SHARD.fullmatch(PurePosixPath(file).stem) is not None


def _refuse_deeper(files: Iterable[str], subject: str) -> None:
    """Refuse what would be read as one set though folders say that it is train and test."""
    found = {
        "/".join(parents[: i + 1])
        for parents in [folder.split("/") for folder in folders_of(files)]
        for i, name in enumerate(parents)
        if name.casefold() in NAMES
    }
    if found:
        above = sorted({str(PurePosixPath(folder).parent) for folder in found})
        way = f"{subject}/CONFIG" if subject.startswith("hf:") else "one of those folders"
        raise DatasetError(
            f"{subject} has folders named after splits in more than one place: "
            f"{', '.join(printable(name) for name in above[:3])}; give {way}, or a manifest with "
            "a column split"
        )
