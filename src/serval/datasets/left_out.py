"""What lies in a set's place and is none of its clips, counted by reason.

Whoever reads a score must know how much of the folder it is about. So after the split is chosen,
every audio file that is there and not another split's is a clip or stands here.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

from serval.datasets.layout import ARCHIVES, PARQUET, is_audio, is_decoded, missing_parts, suffix_of
from serval.datasets.listing import HIDDEN, NOT_DECODED, SHOWN, as_left_out, is_hidden
from serval.datasets.tables import FolderTable, ListedTable
from serval.errors import DatasetError
from serval.records import LeftOut
from serval.wording import composed, counted

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from pathlib import Path

    from serval.datasets.layout import Layout
    from serval.datasets.rows import ClipSource


def left_out_of(
    layout: Layout, source: ClipSource, named_by: Callable[[str], Iterable[Path]]
) -> Iterator[LeftOut]:
    """Yield what is there and is no clip of the source."""
    named = _named(source)
    left = [f for f in layout.sounds_of(source.split) if composed(f) not in named]
    if left and not (layout.folders or source.columns.embedded):
        named = _named_elsewhere(layout, source, named_by)
        left = [file for file in left if composed(file) not in named]
    reasons: dict[str, list[str]] = {}
    for file in left:
        reasons.setdefault(_reason(file, layout, source), []).append(file)
    if isinstance(source.table, ListedTable):
        reasons["named by a row, but in no split"] = list(source.table.astray())
    if isinstance(source.table, FolderTable):
        beside = [f for f in layout.splits[source.split] if suffix_of(f) == PARQUET]
        reasons["in parquet beside audio files (move the ones or the others)"] = beside
    for reason, names in reasons.items():
        if names:
            yield as_left_out(reason, names)


def rows_in_missing_parts(files: Sequence[str], n_rows: int) -> Iterator[LeftOut]:
    """Yield how many rows the parts of a split hold that are not there, if all are of a size."""
    missing = missing_parts(files)
    if missing:
        n = max(1, round(n_rows * len(missing) / len(files)))
        reason = (
            f"in {counted(len(missing), 'part that is', 'parts that are')} missing, judged by the "
            "others (fetch them)"
        )
        yield LeftOut(reason=reason, n=n, examples=tuple(missing[:SHOWN]))


def _named(source: ClipSource) -> frozenset[str]:
    """Return the audio files that the clips are."""
    if isinstance(source.table, FolderTable):
        return frozenset(composed(file) for file in source.table.files)
    return _names(source, source.audio_paths())


def _names(source: ClipSource, paths: Iterable[Path]) -> frozenset[str]:
    return frozenset(composed(source.relative(path)) for path in paths)


def _named_elsewhere(
    layout: Layout, source: ClipSource, named_by: Callable[[str], Iterable[Path]]
) -> frozenset[str]:
    """Return the files that the tables of the other splits name; those are not lost."""
    found: frozenset[str] = frozenset()
    for split in layout.splits:
        if split != source.split:
            try:
                found |= _names(source, named_by(split))
            except DatasetError:
                # A split of another shape is no reason not to read this one.
                continue
    return found


def _reason(file: str, layout: Layout, source: ClipSource) -> str:
    """Return why a file is no clip, in words that fit one and many."""
    if is_hidden(file):
        return HIDDEN
    if not is_decoded(file):
        return NOT_DECODED
    if file not in layout.splits[source.split] and layout.folders:
        return "in the folder of no split"
    if source.columns.embedded:
        return "beside parquet files, which hold their own audio"
    return "named by no row"


NO_SOUND = frozenset(
    (".txt", ".md", ".csv", ".tsv", ".json", ".jsonl", ".ndjson", ".parquet", ".xml", ".yaml",
     ".yml", ".py", ".m", ".html", ".pdf", ".doc", ".docx", ".xls", ".xlsx", ".jpg", ".jpeg",
     ".png", ".gif", ".svg", ".npy", ".npz", ".pt", ".pth", ".h5", ".hdf5", ".mat", ".onnx",
     ".textgrid", ".lab", ".eaf", ".srt", ".anvil", ".log", ".ini", ".sh", ".tex", ".bib")
)  # fmt: skip
"""Suffixes of files that nobody takes for sound; the first bytes of all others are looked at."""

SOUND = re.compile(
    rb"(RIFF|RF64|BW64).{4}(WAVE|AVI )|FORM.{4}AIF|fLaC|OggS|caff|ID3|\.snd|NIST_1A|wvpk|MAC "
    rb"|\xff[\xfb\xfa\xf3\xf2\xf1\xf9]|.{4}ftyp|\x1a\x45\xdf\xa3|#!AMR|\x30\x26\xb2\x75\x8e\x66",
    re.DOTALL,
)
"""How files with sound begin."""

HEAD_BYTES = 16


def unaccounted(root: Path, files: Iterable[str]) -> Iterator[LeftOut]:
    """Yield how many archives there are, and how many audio files that are not named as such."""
    others = [file for file in files if not (is_hidden(file) or is_audio(file))]
    archives = [file for file in others if suffix_of(file) in ARCHIVES]
    if archives:
        # Most often what the clips were unpacked from: no reason to think little of them.
        reason = "archives, whose content is not looked at (unpack them if clips are missing)"
        yield replace(as_left_out(reason, archives), expected=True)
    rest = (file for file in others if suffix_of(file) not in ARCHIVES | NO_SOUND)
    if disguised := [file for file in rest if _begins_as_sound(root / file)]:
        yield as_left_out(
            "audio that is not named as such (rename them, as to CLIP.wav)", disguised
        )


def _begins_as_sound(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            return SOUND.match(file.read(HEAD_BYTES)) is not None
    except OSError:
        return False
