"""Files beside the clips that may hold sound, though their names do not say so."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

from serval.datasets.layout import is_audio, suffix_of
from serval.datasets.listing import as_left_out, is_hidden

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from serval.records import LeftOut

__all__ = ["unaccounted"]

ARCHIVES = frozenset(
    (".zip", ".tar", ".tgz", ".gz", ".bz2", ".xz", ".txz", ".7z", ".rar", ".zst", ".tbz2")
)

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
    """Yield how many archives there are, and how many audio files that are not named as such.

    Args:
        root: The set's folder.
        files: Every file in it.
    """
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
