"""One row for each clip: `detailed_results.csv`, `failures.csv` and `predictions.parquet`."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.parquet as pq

from serval.files import csv_writer, whole_file
from serval.multilabel import TRUTH
from serval.wording import csv_cell, free_name

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    from serval.run import Run

FAILURE_COLUMNS = ("index", "clip_id", "true_emotion", "stage", "reason", "speaker")

COLUMNS_OF_CLIP = ("duration_s", "inference_s", "index", "speaker", "notes")
"""Behind what the model said."""

GROUP_ROWS = 2_048
"""Rows of the parquet file that are in memory at once, at most."""

GROUP_SCORES = 1 << 17
"""Logits that are in memory at once: with many labels, fewer rows."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClipColumns:
    """What a table of clips has of each before its groups.

    Attributes:
        head: The names of the columns.
        rows: The cells of each clip.
    """

    head: Sequence[str]
    rows: Iterable[Sequence[object]]


def write_csv(run: Run, path: Path, columns: ClipColumns) -> Path:
    """Return `path` after writing one row for each scored clip, the published columns first.

    `sample_index` counts the rows from 0, as published; `index` is the position in the dataset.
    """
    groups = _column_names((name for name in run.groups if name != TRUTH), columns.head)
    with csv_writer(path) as writer:
        writer.writerow([csv_cell(name) for name in (*columns.head, *groups.values())])
        for i, row in enumerate(columns.rows):
            writer.writerow([*row, *(csv_cell(run.groups[name][i] or "") for name in groups)])
    return path


def write_failures(run: Run, path: Path) -> Path:
    """Return `path` after writing one row for each clip that failed: which, where and why."""
    names = sorted({name for failure in run.failures for name in failure.groups})
    groups = _column_names(names, FAILURE_COLUMNS)
    with csv_writer(path) as writer:
        writer.writerow([*FAILURE_COLUMNS, *map(csv_cell, groups.values())])
        for failure in run.failures:
            texts = (failure.clip_id, failure.truth, failure.stage, failure.reason)
            cells = (*texts, failure.speaker or "", *(failure.groups.get(n, "") for n in groups))
            writer.writerow([failure.index, *map(csv_cell, cells)])
    return path


def write_parquet(run: Run, path: Path) -> Path:
    """Return `path` after writing every prediction with its logits and probabilities."""
    labels = list(run.labels)
    notes = {"serval.failed_clips": str(len(run.failures)), "serval.labels": json.dumps(labels)}
    schema = table_of(run, slice(0)).schema.with_metadata(notes)
    with whole_file(path) as part, pq.ParquetWriter(part, schema) as writer:
        step = min(GROUP_ROWS, max(1, GROUP_SCORES // len(labels)))
        for start in range(0, len(run), step):
            rows = table_of(run, slice(start, start + step))
            writer.write_table(rows.replace_schema_metadata(notes))
    return path


def table_of(
    run: Run, rows: slice = slice(None), answers: Mapping[str, pa.Array] | None = None
) -> pa.Table:
    """Return some rows of a run: all at once, a large run would be in memory twice.

    Args:
        run: As stored.
        rows: Which of them.
        answers: Columns of truth and answers of those rows; by default those of emotions.
    """
    columns = {
        "clip_id": pa.array(run.clip_ids[rows], pa.string()),
        "index": pa.array(run.index[rows]),
        **(_emotions(run, rows) if answers is None else answers),
        "duration_s": pa.array(run.duration_s[rows]),
        "inference_s": pa.array(run.inference_s[rows]),
        "audio_sha256": pa.array(run.audio_sha256[rows], pa.string()),
        "speaker": pa.array(run.speakers[rows], pa.string()),
        "notes": pa.array(run.notes[rows], pa.list_(pa.string())),
    }
    names = _column_names((name for name in run.groups if name != TRUTH), columns)
    groups = {of: pa.array(run.groups[name][rows], pa.string()) for name, of in names.items()}
    return pa.table(groups | columns)


def _emotions(run: Run, rows: slice) -> dict[str, pa.Array]:
    labels = pa.array(list(run.labels), pa.string())
    logits, probs = (pa.array(scores[rows].ravel()) for scores in (run.logits, run.probs))
    return {
        "truth": _truths(run, rows, labels),
        "predicted": pa.DictionaryArray.from_arrays(run.predicted[rows].astype("int32"), labels),
        "logits": pa.FixedSizeListArray.from_arrays(logits, len(labels)),
        "probs": pa.FixedSizeListArray.from_arrays(probs, len(labels)),
    }


def _truths(run: Run, rows: slice, labels: pa.Array) -> pa.Array:
    """Return the true emotion of each clip, or a list of several."""
    if run.provenance.task.excludes:
        return pa.DictionaryArray.from_arrays(run.truth[rows].astype("int32"), labels)
    cells = run.groups[TRUTH][rows] if len(run) else ()
    return pa.array([json.loads(cell or "[]") for cell in cells], pa.list_(pa.string()))


def _column_names(groups: Iterable[str], taken: Iterable[str]) -> dict[str, str]:
    """Return the column of each group: its own name, with `group_` before one that is taken."""
    names, fixed = list(groups), set(taken)
    used, columns = fixed.union(names), dict[str, str]()
    for name in names:
        columns[name] = free_name(name, "group_", used) if name in fixed else name
        used.add(columns[name])
    return columns


def cells_of_clip(run: Run, i: int) -> list[object]:
    """Return the cells of `COLUMNS_OF_CLIP`."""
    notes = csv_cell("; ".join(run.notes[i]))
    times = (run.duration_s[i], run.inference_s[i], int(run.index[i]))
    return [*times, csv_cell(run.speakers[i] or ""), notes]
