"""Which files make up each split of a set, found by the rules of the hub's own client."""

from __future__ import annotations

import os
import tempfile
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from serval.datasets.manifest import SUFFIXES
from serval.errors import DatasetError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from datasets import DatasetBuilder

__all__ = [
    "AUDIO_SUFFIXES",
    "METADATA_NAMES",
    "Layout",
    "Stored",
    "class_names_of",
    "layout_of_folder",
    "licence_text",
    "only_metadata",
    "open_builder",
    "split_files",
    "stored_as",
]

AUDIO_SUFFIXES = frozenset(
    (
        *(".aif", ".aifc", ".aiff", ".au", ".caf", ".flac", ".mp3", ".oga", ".ogg", ".opus"),
        *(".rf64", ".voc", ".w64", ".wav", ".wave"),
    )
)
METADATA_NAMES = ("metadata.csv", "metadata.jsonl", "metadata.parquet")


class Stored(Enum):
    """How a split is stored."""

    PARQUET = "parquet"
    AUDIO_FILES = "audio files"
    MANIFESTS = "manifests"


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """The files of a set.

    Attributes:
        splits: Split -> its files, as paths relative to the set's folder with `/` in them.
        class_names: Column -> the texts that its integers stand for, as the set's card says.
        n_clips: Split -> number of clips, as the set's card says.
        licence: As the set's card says, else `not stated`.
        metadata: The files in the whole set that may label audio files.
    """

    splits: Mapping[str, tuple[str, ...]]
    class_names: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    n_clips: Mapping[str, int] = field(default_factory=dict)
    licence: str = "not stated"
    metadata: tuple[str, ...] = ()


def layout_of_folder(root: Path) -> Layout:
    """Return the layout of a local folder.

    Raises:
        DatasetError: There is nothing in it that could be a dataset.
    """
    try:
        builder = open_builder(str(root.resolve()))
    except Exception as error:
        raise DatasetError(
            f"folder {root} is not a dataset: {' '.join(str(error).split())}; it needs parquet "
            "files, or audio files with a metadata.csv or in one folder for each label"
        ) from error
    return Layout(
        splits=_named_splits(builder, root.resolve().as_posix()),
        class_names=class_names_of(builder),
        licence=_licence(root / "README.md"),
        metadata=only_metadata(path.relative_to(root).as_posix() for path in root.rglob("meta*")),
    )


def only_metadata(files: Iterable[str]) -> tuple[str, ...]:
    """Return the files among `files` that may label audio files, sorted."""
    return tuple(sorted(file for file in files if PurePosixPath(file).name in METADATA_NAMES))


def stored_as(files: Sequence[str], subject: str) -> Stored:
    """Return how the files of a split are to be read.

    Raises:
        DatasetError: They are of a kind that is not read here.
    """
    suffixes = {PurePosixPath(file).suffix.lower() for file in files}
    if suffixes & AUDIO_SUFFIXES:
        return Stored.AUDIO_FILES
    if suffixes == {".parquet"}:
        return Stored.PARQUET
    if suffixes and suffixes <= set(SUFFIXES):
        return Stored.MANIFESTS
    raise DatasetError(
        f"{subject} is stored as {', '.join(sorted(suffixes)) or 'no files'}, which is not read "
        "here; turn it into parquet with load_dataset(...).to_parquet(...) of `datasets`, or try "
        "--revision refs/convert/parquet, the hub's own copy, if it is a hub set"
    )


def open_builder(
    path: str, config: str | None = None, revision: str | None = None
) -> DatasetBuilder:
    """Return what `datasets` knows of a set before it reads a clip, without its progress bars."""
    import datasets

    had_bars = not datasets.are_progress_bars_disabled()
    if had_bars:
        datasets.disable_progress_bars()
    try:
        # Nothing is prepared, so its cache is of no use to anyone afterwards.
        with tempfile.TemporaryDirectory(prefix="serval-") as cache:
            return datasets.load_dataset_builder(path, config, revision=revision, cache_dir=cache)
    finally:
        if had_bars:
            datasets.enable_progress_bars()


def split_files(builder: DatasetBuilder, root: str) -> dict[str, tuple[str, ...]]:
    """Return the files of each split, relative to `root`."""
    found = builder.config.data_files or {}
    return {str(name): tuple(_below(str(f), root) for f in files) for name, files in found.items()}


def class_names_of(builder: DatasetBuilder) -> dict[str, tuple[str, ...]]:
    """Return the names of the classes in each column that has such, as the set's card says."""
    features: Mapping[str, Any] = builder.info.features or {}
    named = {column: getattr(feature, "names", None) for column, feature in features.items()}
    return {column: tuple(names) for column, names in named.items() if names}


def _named_splits(builder: DatasetBuilder, root: str) -> dict[str, tuple[str, ...]]:
    """Return the splits; a lone `train` that no file or folder is named after is no split."""
    splits = split_files(builder, root)
    only = splits.get("train", ()) if len(splits) == 1 else ()
    unnamed = only and not any("train" in file.casefold() for file in only)
    return {"": only} if unnamed else splits


def _below(file: str, root: str) -> str:
    return os.path.relpath(file, root).replace(os.sep, "/")


def _licence(card: Path) -> str:
    from huggingface_hub import DatasetCard

    if not card.is_file():
        return "not stated"
    return licence_text(DatasetCard.load(card).data.to_dict().get("license"))


def licence_text(stated: object) -> str:
    """Return a card's licence as text: one name, or several."""
    names = stated if isinstance(stated, list) else [stated]
    return ", ".join(str(name) for name in names if name) or "not stated"
