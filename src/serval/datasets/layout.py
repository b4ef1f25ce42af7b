"""What a set consists of: the files of each split, and those that are in none."""

from __future__ import annotations

import posixpath
import re
from dataclasses import dataclass, field, replace
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from serval.audio import decodable_suffixes, sound_suffixes
from serval.datasets.listing import is_hidden
from serval.datasets.manifest import SUFFIXES
from serval.datasets.splits import Splits, folders_of, is_named_as_split, splits_by_name
from serval.errors import DatasetError, DatasetNotFoundError

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
    useful = [file for file in files if _is_useful(file) and not is_hidden(file)]
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


def _is_useful(file: str) -> bool:
    return is_audio(file) or is_metadata(file) or _is_table(file)


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
