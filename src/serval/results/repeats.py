"""What a run counts more than once: the same file, or the same recording in two formats."""

from __future__ import annotations

import posixpath
from typing import TYPE_CHECKING

from serval.audio import sound_suffixes

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from serval.run import Run

__all__ = ["repeat_sentences"]


def repeat_sentences(run: Run) -> Iterator[str]:
    """Yield one sentence for each way in which clips of a run are other clips of it again."""
    copies = _again(run.audio_sha256)
    if copies:
        n_other = sum(run.truth[later] != run.truth[first] for later, first in copies)
        labels = f" {n_other} of them bear another label than the first." if n_other else ""
        yield (
            f"{len(copies)} of {len(run)} clips are the same file as another clip, such as "
            f"{_example(run, copies)}: they count again, and intervals are too narrow.{labels}"
        )
    twins = _again(_names_in_formats(run.clip_ids))
    if twins:
        yield (
            f"{len(twins)} of {len(run)} clips have the name of another clip with another ending, "
            f"such as {_example(run, twins)}: if they are the same recordings in two formats, "
            "leave one format out."
        )


def _again(names: Sequence[str]) -> list[tuple[int, int]]:
    """Return `(position, first position)` of each name that occurred before; `""` is no name."""
    first: dict[str, int] = {}
    found = ((i, first.setdefault(name, i)) for i, name in enumerate(names) if name)
    return [(i, at) for i, at in found if i != at]


def _names_in_formats(clip_ids: Sequence[str]) -> list[str]:
    """Return each name without the ending that says its format; `""` where it has none."""
    parts = [posixpath.splitext(name) for name in clip_ids]
    return [stem if ending.lower() in sound_suffixes() else "" for stem, ending in parts]


def _example(run: Run, pairs: Sequence[tuple[int, int]]) -> str:
    later, first = pairs[0]
    return f"{run.clip_ids[later]} and {run.clip_ids[first]}"
