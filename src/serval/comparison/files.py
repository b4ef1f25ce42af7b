"""The files that a comparison becomes: `comparison.json`, `flips.csv`, `comparison.png`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from serval.comparison.words import pair_verdict, sentences
from serval.files import csv_writer, write_json
from serval.plots.comparison import MOST_LABELS, Forest, save_forests
from serval.scores import HEADLINES, METRICS
from serval.wording import counted, csv_cell, without_nan

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from serval.comparison.flips import Flip
    from serval.comparison.pair import Against, ClassChange, Comparison

SCHEMA_VERSION = 1
FLIP_COLUMNS = (
    *("run", "index", "kind", "true_emotion", "baseline_emotion", "emotion"),
    *("baseline_confidence", "confidence", "baseline_probability_of_emotion"),
    *("clip_id", "duration_s", "speaker"),
)


def write_comparison(comparison: Comparison, folder: Path) -> dict[str, Path]:
    """Return the path of each file of a comparison, by kind, after writing it whole."""
    return {
        "comparison": write_json(comparison_document(comparison), folder / "comparison.json"),
        "flips": _write_flips(comparison, folder / "flips.csv"),
        "picture": save_forests(
            [forest_of(comparison, against) for against in comparison.against],
            comparison.options.margin,
            folder / "comparison.png",
        ),
    }


def comparison_document(comparison: Comparison) -> dict[str, Any]:
    """Return the comparison in plain JSON types, with its sentences; undefined is `None`."""
    document = {
        "schema_version": SCHEMA_VERSION,
        "verdict": [pair_verdict(comparison, against) for against in comparison.against],
        **comparison.as_dict(),
    }
    for written, against in zip(document["against"], comparison.against, strict=True):
        written["sentences"] = sentences(comparison, against)
    return {key: without_nan(value) for key, value in document.items()}


def _write_flips(comparison: Comparison, path: Path) -> Path:
    with csv_writer(path) as writer:
        writer.writerow(FLIP_COLUMNS)
        for against in comparison.against:
            writer.writerows(_flip_row(against.b, flip) for flip in against.flips)
    return path


def _flip_row(run: str, flip: Flip) -> list[object]:
    return [
        *(csv_cell(run), flip.index, flip.kind),
        *(csv_cell(label) for label in (flip.truth, flip.a, flip.b)),
        *(round(share, 6) for share in (flip.confidence_a, flip.confidence_b, flip.b_in_a)),
        *(csv_cell(flip.clip_id), flip.duration_s, csv_cell(flip.speaker)),
    ]


def forest_of(comparison: Comparison, against: Against) -> Forest:
    """Return what a picture of one run against the first shows."""
    scores = against.scores
    rows = {METRICS[name].title: scores.overall[name].difference for name in HEADLINES}
    labels = _most_changed(scores.per_class)
    rows |= {f"recall {name}": scores.per_class[name].recall.difference for name in labels}
    some = f", the {len(labels)} labels that changed most" * (len(labels) < len(scores.per_class))
    return Forest(
        title=f"{against.b} minus {against.a}\n"
        f"{counted(comparison.n, 'clip')}, {counted(len(against.flips), 'flip')}{some}",
        rows=rows,
        changed={name: (scores.per_class[name].broken, scores.per_class[name].fixed)
                 for name in labels},
    )  # fmt: skip


def _most_changed(per_class: Mapping[str, ClassChange]) -> list[str]:
    """Return the labels to draw, in their order: all, or of many those with most changed clips."""
    most = sorted(per_class, key=lambda name: -(per_class[name].broken + per_class[name].fixed))
    drawn = set(most[:MOST_LABELS])
    return [name for name in per_class if name in drawn]
