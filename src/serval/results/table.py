"""One row for each clip: `detailed_results.csv` and `predictions.parquet`."""

from __future__ import annotations

import csv
import json
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.parquet as pq

from serval.files import whole_file
from serval.wording import csv_cell

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from serval.records import Failure
    from serval.run import Run

__all__ = ["write_csv", "write_parquet"]

GROUP_ROWS = 2_048
"""Rows of the parquet file that are in memory at once."""


def write_csv(run: Run, path: Path) -> Path:
    """Return `path` after writing one row for each clip: the predicted ones, then the failed ones.

    A failed clip has its reason in the column `failure` and no prediction.
    """
    fixed = _fixed_columns(run)
    groups = _column_names(run.groups, fixed)
    with whole_file(path) as part, part.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow([csv_cell(name) for name in (*fixed, *groups.values())])
        for i, row in enumerate(_rows(run)):
            writer.writerow([*row, *(csv_cell(run.groups[name][i] or "") for name in groups)])
        for failure in run.failures:
            cells = (csv_cell(failure.groups.get(name, "")) for name in groups)
            writer.writerow([*_failed_row(failure, run), *cells])
    return path


def write_parquet(run: Run, path: Path) -> Path:
    """Return `path` after writing every prediction with its logits and probabilities."""
    labels = list(run.labels)
    notes = {"serval.failed_clips": str(len(run.failures)), "serval.labels": json.dumps(labels)}
    schema = _table(run, slice(0)).schema.with_metadata(notes)
    with whole_file(path) as part, pq.ParquetWriter(part, schema) as writer:
        for start in range(0, len(run), GROUP_ROWS):
            rows = _table(run, slice(start, start + GROUP_ROWS))
            writer.write_table(rows.replace_schema_metadata(notes))
    return path


def _table(run: Run, rows: slice) -> pa.Table:
    """Return some rows of a run: all at once, a large run would be in memory twice."""
    labels = pa.array(list(run.labels), pa.string())
    logits, probs = (pa.array(scores[rows].ravel()) for scores in (run.logits, run.probs))
    columns = {
        "clip_id": pa.array(run.clip_ids[rows], pa.string()),
        "index": pa.array(run.index[rows]),
        "truth": pa.DictionaryArray.from_arrays(run.truth[rows].astype("int32"), labels),
        "predicted": pa.DictionaryArray.from_arrays(run.predicted[rows].astype("int32"), labels),
        "logits": pa.FixedSizeListArray.from_arrays(logits, len(labels)),
        "probs": pa.FixedSizeListArray.from_arrays(probs, len(labels)),
        "duration_s": pa.array(run.duration_s[rows]),
        "inference_s": pa.array(run.inference_s[rows]),
        "audio_sha256": pa.array(run.audio_sha256[rows], pa.string()),
        "speaker": pa.array(run.speakers[rows], pa.string()),
    }
    names = _column_names(run.groups, columns)
    groups = {names[name]: pa.array(v[rows], pa.string()) for name, v in run.groups.items()}
    return pa.table(groups | columns)


def _column_names(groups: Iterable[str], taken: Iterable[str]) -> dict[str, str]:
    """Return the column of each group: its own name, with `group_` before one that is taken."""
    fixed = set(taken)
    return {name: f"group_{name}" if name in fixed else name for name in groups}


def _fixed_columns(run: Run) -> tuple[str, ...]:
    return (
        *("sample_index", "predicted_emotion", "true_emotion", "predicted_id", "true_id"),
        *("correct", "clip_id", "confidence", *(f"prob_{label}" for label in run.labels)),
        *("duration_s", "inference_s", "failure", "speaker"),
    )


def _rows(run: Run) -> Iterator[list[object]]:
    for i, clip_id in enumerate(run.clip_ids):
        truth, predicted = int(run.truth[i]), int(run.predicted[i])
        probs = [str(p) for p in run.probs[i]]
        yield [
            *(int(run.index[i]), csv_cell(run.labels[predicted]), csv_cell(run.labels[truth])),
            *(predicted, truth, predicted == truth, csv_cell(clip_id), probs[predicted], *probs),
            *(run.duration_s[i], run.inference_s[i], "", csv_cell(run.speakers[i] or "")),
        ]


def _failed_row(failure: Failure, run: Run) -> list[object]:
    truth = run.labels.id_of(failure.truth) if failure.truth else ""
    unknown = [""] * (1 + len(run.labels) + 2)
    return [
        *(failure.index, "", csv_cell(failure.truth), "", truth, "", csv_cell(failure.clip_id)),
        *(*unknown, csv_cell(f"{failure.stage}: {failure.reason}")),
        csv_cell(failure.speaker or ""),
    ]
