"""What the caller may say about an audit."""

from __future__ import annotations

from dataclasses import dataclass

from serval.datasets import DatasetOptions
from serval.labels import EMOTIONS

__all__ = ["AuditOptions"]


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditOptions(DatasetOptions):
    """Every option of an audit, with its default; what is read of `against` is read alike.

    Attributes:
        dataset: `demo`, `ssi`, `hf:ORG/NAME`, a folder, or a .csv, .jsonl or .parquet file.
        against: What the split must share nothing with: another split of the set, or a dataset.
        labels: The labels that are expected.
        label_map: The name of a preset, `RAW=label,...`, both, or a JSON file.
        text_column: Column with the spoken text; by default `text`, `sentence` and the like.
        workers: Clips at once; by default one for each core.
    """

    dataset: str
    against: str | None = None
    labels: tuple[str, ...] = EMOTIONS
    label_map: str | None = None
    text_column: str | None = None
    workers: int | None = None
