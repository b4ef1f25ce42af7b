"""A stored run -> the page, on disk."""

from __future__ import annotations

import base64
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import quote

from serval.comparison.partners import task_of_runs
from serval.files import write_bytes, write_text
from serval.report.columns import heard
from serval.report.content import report_content
from serval.report.emotions import emotion_parts
from serval.report.page import page_html
from serval.report.sets import set_parts
from serval.report.sound import (
    PageSound,
    Progress,
    Sounds,
    audio_file,
    audio_folder,
    kept_sounds,
    sound_block,
    sounds_of,
)
from serval.report.stressed import lead_of, refuse_other_model
from serval.report.values import value_parts
from serval.tasks import CATEGORICAL, DIMENSIONAL, MULTILABEL, ByTask

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from serval.bench.browser import Timed
    from serval.evaluation import Step
    from serval.report.parts import PageParts
    from serval.report.stressed import Stressed
    from serval.run import Run
    from serval.stress import StressRuns

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


@dataclass(frozen=True, slots=True, kw_only=True)
class Further:
    """What a report shows that is in none of its runs.

    Attributes:
        stress: A stress test of the model of one of the runs, for a section of its own.
        timed: What devices measured, for a table.
    """

    stress: StressRuns | None = None
    timed: Sequence[Timed] = ()


NOTHING_FURTHER = Further()

PAGES: ByTask[Callable[[Sequence[Run]], PageParts]] = ByTask(
    what="the page shows",
    parts={CATEGORICAL: emotion_parts, MULTILABEL: set_parts, DIMENSIONAL: value_parts},
)
"""What the task of the runs decides; nothing else of a page asks for it."""


def write_report(
    run: Run,
    path: Path,
    *,
    baseline: Run | None = None,
    further: Further = NOTHING_FURTHER,
    audio: AudioChoice = "wrong",
    show: Callable[[Step], None] = lambda _step: None,
) -> Page:
    """Return the page of a run, or of two runs of one task, after writing it.

    Args:
        run: The run, or B of two.
        path: Where to write the HTML file.
        baseline: A, an earlier run on the same clips.
        further: What else is known of the models of the runs.
        audio: Which clips can be heard: those that any run got wrong (of dimensions, where none
            is wrong or right, every clip), all, or none. A sound that the page at `path`, or the
            one in the folder of a run, has already is taken from there.
        show: Told of each sound that is there.

    Raises:
        ConfigError: The two runs have no clip in common or are
            not of one task, or the stress test is of another model.
        LabelError: They have different labels, or disagree on the truth of a clip.
    """
    runs = [run] if baseline is None else [baseline, run]
    parts = PAGES.of(task_of_runs(runs), run.folder)(runs)
    pages = [path, *(each.folder / "report.html" for each in parts.clips.runs)]
    sounds = _sounds(parts, audio, pages, show)
    under = _stressed(further.stress, parts, audio) if further.stress else None
    content = report_content(parts, sounds, under, further.timed)
    return _written(path, content, sounds, under)


def _written(path: Path, content: dict[str, Any], sounds: Sounds, under: Stressed | None) -> Page:
    """Return the page, with its sounds inside or, where they are many, beside it."""
    every = {**sounds.by_sha256, **(under.sounds if under else {})}
    beside = audio_folder(path) if _megabytes(every) > EMBED_MB else None
    write_text(path, page_html(content, _sources(every, beside)))
    return Page(
        path=path,
        size_mb=round(path.stat().st_size / 1e6, 2),
        sounds=len(sounds.by_sha256),
        beside=beside,
        notes=(*sounds.notes, *(under.notes if under else ())),
    )


def _stressed(stress: StressRuns, parts: PageParts, audio: AudioChoice) -> Stressed:
    """Return what the stress test adds for the run of its model; of two such it is the later."""
    named = list(zip(parts.clips.runs, parts.names, strict=True))
    of_it = [(run, name) for run, name in named if run.same_model(stress.clean)]
    run, name = (of_it or named)[-1]
    refuse_other_model(stress, run)
    under = parts.stressed(stress, name, audio=audio != "none")
    return replace(under, lead=lead_of(stress, run, name))


def _sounds(
    parts: PageParts, audio: AudioChoice, pages: Sequence[Path], show: Callable[[Step], None]
) -> Sounds:
    by_sha256: dict[str, PageSound] = {}
    notes: list[str] = []
    wanted = heard(parts.clips, audio, parts.worth_hearing, parts.first)
    kept = kept_sounds(pages) if any(wanted.values()) else {}
    progress = Progress(total=sum(map(len, wanted.values())), show=show)
    for side, positions in wanted.items():
        found = sounds_of(parts.clips.runs[side], positions, kept, progress)
        by_sha256 |= found.by_sha256
        notes += found.notes
    return Sounds(by_sha256=by_sha256, notes=tuple(dict.fromkeys(notes)))


def _megabytes(sounds: Mapping[str, PageSound]) -> float:
    return sum(len(sound.ogg) for sound in sounds.values()) / 1e6


def _sources(sounds: Mapping[str, PageSound], beside: Path | None) -> list[dict[str, Any]]:
    return [
        sound_block(sha256, sound, _source(sound, sha256, beside))
        for sha256, sound in sounds.items()
    ]


def _source(sound: PageSound, sha256: str, beside: Path | None) -> str:
    if beside is None:
        return f"data:audio/ogg;base64,{base64.b64encode(sound.ogg).decode('ascii')}"
    name = audio_file(sha256)
    write_bytes(beside / name, sound.ogg)
    return f"{quote(beside.name)}/{name}"
