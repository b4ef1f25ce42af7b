"""One row for each clip: `detailed_results.csv`, `failures.csv` and `predictions.parquet`."""

from __future__ import annotations

import csv
import json
from contextlib import contextmanager
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from serval.files import whole_file
from serval.multilabel import TRUTH, MultilabelRun
from serval.wording import csv_cell

if TYPE_CHECKING:
    from _csv import Writer
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from serval.dimensions import DimensionRun
    from serval.run import Run

__all__ = ["table_of", "write_csv", "write_failures", "write_parquet"]

FAILURE_COLUMNS = ("index", "clip_id", "true_emotion", "stage", "reason", "speaker")

COLUMNS_OF_CLIP = ("duration_s", "inference_s", "index", "speaker", "notes")
"""Behind what the model said."""

GROUP_ROWS = 2_048
"""Rows of the parquet file that are in memory at once, at most."""

GROUP_SCORES = 1 << 17
"""Logits that are in memory at once: with many labels, fewer rows."""


def write_csv(run: Run, path: Path, values: DimensionRun | MultilabelRun | None = None) -> Path:
    """Return `path` after writing one row for each scored clip, the published columns first.

    `sample_index` counts the rows from 0, as published; `index` is the position in the dataset.

    Args:
        run: As stored.
        path: Where to.
        values: Of a run of dimensions or of several emotions a clip, whose columns are these
            instead of one label.
    """
    fixed, rows = _fixed_columns(run), _rows(run)
    if isinstance(values, MultilabelRun):
        fixed, rows = _set_columns(run), _set_rows(values)
    elif values is not None:
        fixed, rows = _value_columns(values), _value_rows(values)
    groups = _column_names((name for name in run.groups if name != TRUTH), fixed)
    with _csv_writer(path) as writer:
        writer.writerow([csv_cell(name) for name in (*fixed, *groups.values())])
        for i, row in enumerate(rows):
            writer.writerow([*row, *(csv_cell(run.groups[name][i] or "") for name in groups)])
    return path


def write_failures(run: Run, path: Path) -> Path:
    """Return `path` after writing one row for each clip that failed: which, where and why."""
    names = sorted({name for failure in run.failures for name in failure.groups})
    groups = _column_names(names, FAILURE_COLUMNS)
    with _csv_writer(path) as writer:
        writer.writerow([*FAILURE_COLUMNS, *map(csv_cell, groups.values())])
        for failure in run.failures:
            texts = (failure.clip_id, failure.truth, failure.stage, failure.reason)
            cells = (*texts, failure.speaker or "", *(failure.groups.get(n, "") for n in groups))
            writer.writerow([failure.index, *map(csv_cell, cells)])
    return path


@contextmanager
def _csv_writer(path: Path) -> Iterator[Writer]:
    """Yield what writes rows; half a character of an older encoding becomes a question mark."""
    with (
        whole_file(path) as part,
        part.open("w", encoding="utf-8", errors="replace", newline="") as file,
    ):
        yield csv.writer(file, lineterminator="\n")


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


def table_of(run: Run, rows: slice = slice(None)) -> pa.Table:
    """Return some rows of a run: all at once, a large run would be in memory twice."""
    labels = pa.array(list(run.labels), pa.string())
    logits, probs = (pa.array(scores[rows].ravel()) for scores in (run.logits, run.probs))
    columns = {
        "clip_id": pa.array(run.clip_ids[rows], pa.string()),
        "index": pa.array(run.index[rows]),
        "truth": _truths(run, rows, labels),
        "predicted": pa.DictionaryArray.from_arrays(run.predicted[rows].astype("int32"), labels),
        "logits": pa.FixedSizeListArray.from_arrays(logits, len(labels)),
        "probs": pa.FixedSizeListArray.from_arrays(probs, len(labels)),
        "duration_s": pa.array(run.duration_s[rows]),
        "inference_s": pa.array(run.inference_s[rows]),
        "audio_sha256": pa.array(run.audio_sha256[rows], pa.string()),
        "speaker": pa.array(run.speakers[rows], pa.string()),
        "notes": pa.array(run.notes[rows], pa.list_(pa.string())),
    }
    names = _column_names((name for name in run.groups if name != TRUTH), columns)
    groups = {of: pa.array(run.groups[name][rows], pa.string()) for name, of in names.items()}
    return pa.table(groups | columns)


def _truths(run: Run, rows: slice, labels: pa.Array) -> pa.Array:
    """Return the true emotion of each clip, or a list of several."""
    if not run.provenance.is_multilabel:
        return pa.DictionaryArray.from_arrays(run.truth[rows].astype("int32"), labels)
    cells = run.groups[TRUTH][rows] if len(run) else ()
    return pa.array([json.loads(cell or "[]") for cell in cells], pa.list_(pa.string()))


def _column_names(groups: Iterable[str], taken: Iterable[str]) -> dict[str, str]:
    """Return the column of each group: its own name, with `group_` before one that is taken."""
    fixed = set(taken)
    return {name: f"group_{name}" if name in fixed else name for name in groups}


def _fixed_columns(run: Run) -> tuple[str, ...]:
    return (
        *("sample_index", "predicted_emotion", "true_emotion", "predicted_id", "true_id"),
        *("correct", "clip_id", "confidence", *(f"prob_{label}" for label in run.labels)),
        *COLUMNS_OF_CLIP,
    )


def _value_columns(values: DimensionRun) -> tuple[str, ...]:
    each = (f"{kind}_{name}" for kind in ("predicted", "true") for name in values.names)
    return ("sample_index", "clip_id", *each, *COLUMNS_OF_CLIP)


def _value_rows(values: DimensionRun) -> Iterator[list[object]]:
    run = values.run
    for i, clip_id in enumerate(run.clip_ids):
        truth = ["" if np.isnan(value) else value for value in values.truth[i]]
        predicted = [round(value, 6) for value in values.predicted[i].tolist()]
        yield [i, csv_cell(clip_id), *predicted, *truth, *_cells_of_clip(run, i)]


def _set_columns(run: Run) -> tuple[str, ...]:
    each = (f"{kind}_{label}" for kind in ("prob", "true") for label in run.labels)
    fixed = ("sample_index", "predicted_emotions", "true_emotions", "correct", "clip_id")
    return (*fixed, *each, *COLUMNS_OF_CLIP)


def _set_rows(values: MultilabelRun) -> Iterator[list[object]]:
    run, predicted = values.run, values.predicted
    for i, clip_id in enumerate(run.clip_ids):
        named = (
            ";".join(run.labels[k] for k in np.flatnonzero(sets[i]))
            for sets in (predicted, values.truth)
        )
        marks = values.truth[i].astype(int).tolist()
        right = bool((predicted[i] == values.truth[i]).all())
        yield [
            *(i, *map(csv_cell, named), right, csv_cell(clip_id)),
            *(*(str(p) for p in run.probs[i]), *marks, *_cells_of_clip(run, i)),
        ]


def _cells_of_clip(run: Run, i: int) -> list[object]:
    notes = csv_cell("; ".join(run.notes[i]))
    times = (run.duration_s[i], run.inference_s[i], int(run.index[i]))
    return [*times, csv_cell(run.speakers[i] or ""), notes]


def _rows(run: Run) -> Iterator[list[object]]:
    for i, clip_id in enumerate(run.clip_ids):
        truth, predicted = int(run.truth[i]), int(run.predicted[i])
        probs = [str(p) for p in run.probs[i]]
        yield [
            *(i, csv_cell(run.labels[predicted]), csv_cell(run.labels[truth])),
            *(predicted, truth, predicted == truth, csv_cell(clip_id), probs[predicted], *probs),
            *_cells_of_clip(run, i),
        ]
