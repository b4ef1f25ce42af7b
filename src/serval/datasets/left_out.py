"""What lies in a set's place and is none of its clips, counted by reason.

Whoever reads a score must know how much of the folder it is about. So after the split is chosen,
every audio file that is there and not another split's is a clip or stands here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from serval.datasets.layout import is_decoded, suffix_of
from serval.datasets.listing import counted, is_hidden
from serval.datasets.rows import same_name
from serval.datasets.tables import FolderTable, ListedTable
from serval.errors import DatasetError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from serval.datasets.layout import Layout
    from serval.datasets.rows import ClipSource
    from serval.records import LeftOut

__all__ = ["left_out_of"]


def left_out_of(
    layout: Layout, source: ClipSource, other: Callable[[str], ClipSource]
) -> Iterator[LeftOut]:
    """Yield what is there and is no clip of the source.

    Args:
        layout: The files of the set.
        source: The clips of the split.
        other: From the name of another split to its clips.
    """
    named = set(_named(source))
    left = [f for f in layout.sounds_of(source.split) if same_name(f) not in named]
    if any(not is_hidden(file) for file in left) and not layout.folders:
        named = set(_named_elsewhere(layout, source.split, other))
        left = [file for file in left if same_name(file) not in named]
    reasons: dict[str, list[str]] = {}
    for file in left:
        reasons.setdefault(_reason(file, layout, source), []).append(file)
    if isinstance(source.table, ListedTable) and (astray := list(source.table.astray())):
        reasons["rows that name a file of no split"] = astray
    if isinstance(source.table, FolderTable):
        beside = [f for f in layout.splits[source.split] if suffix_of(f) == ".parquet"]
        reasons |= {"parquet files beside audio files (move the ones or the others)": beside}
    for reason, names in reasons.items():
        if names:
            yield counted(reason, names)


def _named(source: ClipSource) -> Iterator[str]:
    for path in source.audio_paths():
        yield same_name(source.relative(path))


def _named_elsewhere(
    layout: Layout, split: str, other: Callable[[str], ClipSource]
) -> Iterator[str]:
    """Yield the files that the tables of the other splits name; those files are not lost."""
    for name in layout.splits:
        if name != split:
            try:
                yield from _named(other(name))
            except DatasetError:
                # A split of another shape is no reason not to read this one.
                continue


def _reason(file: str, layout: Layout, source: ClipSource) -> str:
    if is_hidden(file):
        return "hidden files or files in hidden folders (rename them, or delete them)"
    if not is_decoded(file):
        return (
            "files of a kind that is not decoded (convert them to .wav or .flac: "
            "ffmpeg -i IN OUT.wav)"
        )
    if file not in layout.splits[source.split] and layout.folders:
        return "audio files in the folder of no split"
    if source.columns.embedded:
        return "audio files beside parquet files that hold their own"
    return "audio files that no row of the metadata names"
