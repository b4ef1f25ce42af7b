"""A stored run -> the page, on disk."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal
from urllib.parse import quote

from serval.compare import compare
from serval.files import whole_file, write_text
from serval.report.columns import Listed, heard, listed
from serval.report.content import report_content
from serval.report.page import page_html
from serval.report.pairing import relabelled
from serval.report.sound import Sound, Sounds, sounds_of
from serval.scores import scores_of

if TYPE_CHECKING:
    from pathlib import Path

    from serval.run import Run

__all__ = ["EMBED_MB", "AudioChoice", "Page", "write_report"]

AudioChoice = Literal["wrong", "all", "none"]

EMBED_MB = 40.0
"""Audio up to this many MB goes into the page; more goes into a folder beside it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """A page that was written.

    Attributes:
        path: The HTML file.
        size_mb: Its size.
        sounds: Number of clips that can be heard.
        beside: The folder with the audio, where it was too much for the page.
        notes: One sentence on each thing that is missing.
    """

    path: Path
    size_mb: float
    sounds: int
    beside: Path | None
    notes: tuple[str, ...]


def write_report(
    run: Run, path: Path, *, against: Run | None = None, audio: AudioChoice = "wrong"
) -> Page:
    """Return the page of a run, or of two runs on the same labels, after writing it.

    Args:
        run: The run, or A of two.
        path: Where to write the HTML file.
        against: B, another run on the same clips.
        audio: Which clips can be heard: those that any run got wrong, all, or none.

    Raises:
        ConfigError: The two runs have no clip in common.
        LabelError: They have different labels, or disagree on the truth of a clip.
    """
    comparison = compare([run, against]) if against else None
    clips = listed([run, relabelled(against, run.labels)] if against else [run])
    sounds = _sounds(clips, audio)
    content = report_content(clips, [scores_of(each) for each in clips.runs], sounds, comparison)
    beside = path.with_name(f"{path.stem}-audio") if _megabytes(sounds) > EMBED_MB else None
    write_text(path, page_html(content, _sources(sounds, beside)))
    return Page(
        path=path,
        size_mb=round(path.stat().st_size / 1e6, 2),
        sounds=len(sounds.by_sha256),
        beside=beside,
        notes=sounds.notes,
    )


def _sounds(clips: Listed, audio: AudioChoice) -> Sounds:
    by_sha256: dict[str, Sound] = {}
    notes: list[str] = []
    for side, wanted in heard(clips, audio).items():
        found = sounds_of(clips.runs[side], wanted)
        by_sha256 |= found.by_sha256
        notes += found.notes
    return Sounds(by_sha256=by_sha256, notes=tuple(dict.fromkeys(notes)))


def _megabytes(sounds: Sounds) -> float:
    return sum(len(sound.ogg) for sound in sounds.by_sha256.values()) / 1e6


def _sources(sounds: Sounds, beside: Path | None) -> list[dict[str, str]]:
    return [
        {
            "src": _source(sound, sha256, beside),
            "outline": _text(sound.outline),
            "mel": _text(sound.mel),
        }
        for sha256, sound in sounds.by_sha256.items()
    ]


def _source(sound: Sound, sha256: str, beside: Path | None) -> str:
    if beside is None:
        return f"data:audio/ogg;base64,{_text(sound.ogg)}"
    name = f"{sha256[:20]}.ogg"
    with whole_file(beside / name) as part:
        part.write_bytes(sound.ogg)
    return f"{quote(beside.name)}/{name}"


def _text(content: bytes) -> str:
    return base64.b64encode(content).decode("ascii")
