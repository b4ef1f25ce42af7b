"""What the caller may say about an audit."""

from __future__ import annotations

from dataclasses import dataclass

from serval.labels import EMOTIONS

__all__ = ["AuditOptions"]


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditOptions:
    """Every option of an audit, with its default.

    Attributes:
        dataset: `demo`, `ssi`, `hf:ORG/NAME`, a folder, or a .csv, .jsonl or .parquet file.
        split: Split to audit; by default `validation` where there is one.
        against: What the split must share nothing with: another split of the set, or a dataset.
        revision: Branch, tag or commit of a hub set.
        limit: Only the first clips of each split.
        labels: The labels that are expected.
        label_map: `RAW=label,...` or a JSON file.
        audio_column: Column with the audio or its path.
        label_column: Column with the emotion.
        speaker_column: Column with the speaker.
        text_column: Column with the spoken text; by default `text`, `sentence` and the like.
        workers: Clips at once; by default one for each core.
    """

    dataset: str
    split: str | None = None
    against: str | None = None
    revision: str | None = None
    limit: int | None = None
    labels: tuple[str, ...] = EMOTIONS
    label_map: str | None = None
    audio_column: str | None = None
    label_column: str | None = None
    speaker_column: str | None = None
    text_column: str | None = None
    workers: int | None = None
