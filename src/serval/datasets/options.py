"""What the caller may say about a dataset beside its name."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["DatasetOptions"]


@dataclass(frozen=True, slots=True, kw_only=True)
class DatasetOptions:
    """Which part of a dataset to read, and which columns hold what.

    Attributes:
        split: The split to read; without it `validation` where there is one, else the only one.
        revision: Branch, tag or commit of a hub set; without it the default branch.
        limit: Read no further than this many clips; without it all.
        sample: Draw this many clips by label; without it take all.
        seed: Of that draw.
        audio_column: Column with the audio; without it the set's own audio column.
        label_column: Column with the label; without it `emotion`, `label` and the like.
        speaker_column: Column that says who speaks; without it `speaker_id` and the like.
        quiet: Show no progress of downloads.
    """

    split: str | None = None
    revision: str | None = None
    limit: int | None = None
    sample: int | None = None
    seed: int = 0
    audio_column: str | None = None
    label_column: str | None = None
    speaker_column: str | None = None
    quiet: bool = False
