"""The whole comparison of two or more runs; the first is what the others are measured against."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING, Any

import numpy as np

from serval.comparison.align import Aligned, AlignedRun, aligned
from serval.comparison.dimensions import (
    compare_dimensions,
    dimension_comparison_document,
    write_dimension_comparison,
)
from serval.comparison.flips import divergence, flips, group_changes
from serval.comparison.multilabel import compare_multilabel, write_multilabel_comparison
from serval.comparison.pair import Against, Comparison, PairScores, pair_scores, pair_tests, ranks
from serval.comparison.partners import Partners, partners, refuse_odd_margin, task_of_runs
from serval.comparison.words import pair_verdict, sentences
from serval.files import csv_writer, write_json
from serval.groups import group_columns
from serval.plots.comparison import MOST_LABELS, Forest, save_forests
from serval.scores import HEADLINES, METRICS, whole_intervals
from serval.scores.clusters import Clustering, cluster_tables, clustering_of
from serval.scores.paired import PairOptions
from serval.tasks import CATEGORICAL, DIMENSIONAL, MULTILABEL, only
from serval.wording import counted, csv_cell, without_nan

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from serval.comparison.dimensions import DimensionComparison
    from serval.comparison.flips import Flip
    from serval.comparison.multilabel import MultilabelComparison
    from serval.comparison.pair import ClassChange
    from serval.run import Run
    from serval.scores.stats import Interval
    from serval.tasks import Task

    Compared = Comparison | DimensionComparison | MultilabelComparison

__all__ = [
    "Against",
    "Comparison",
    "PairOptions",
    "Partners",
    "compare",
    "partners",
    "sentences",
    "write_comparison",
]


COMPARED = only(CATEGORICAL, "this comparison is of", "use serval compare")


def compare(runs: Sequence[Run], options: PairOptions | None = None) -> Comparison:
    """Return what differs between runs, the baseline first, on their common clips.

    Raises:
        ConfigError: Fewer than two runs, no common clip, or a margin outside (0, 1).
        LabelError: The runs have different labels, or disagree on the truth of a clip.
    """
    options = options or PairOptions()
    if runs:
        COMPARED.of(task_of_runs(runs), runs[0].folder)
    refuse_odd_margin(options.margin)
    clips = aligned(runs)
    clustering = clustering_of(clips.speakers)
    pairs = {
        (a.name, b.name): pair_scores(clips, a, b, clustering, options)
        for a, b in combinations(clips.columns, 2)
    }
    tests = pair_tests(pairs)
    return Comparison(
        runs={column.name: str(column.folder) for column in clips.columns},
        only_in={column.name: column.only_here for column in clips.columns},
        n=len(clips),
        other_audio=clips.other_audio,
        classes_averaged=len(np.unique(clips.truth)),
        clustering=_facts(clustering),
        options=options,
        against=tuple(_against(clips, b, pairs, clustering) for b in clips.columns[1:]),
        tests=tests,
        ranks=ranks(_scores(clips, clustering, options), tests),
        warnings=clips.warnings + clustering.warnings,
    )


def _against(
    clips: Aligned,
    b: AlignedRun,
    pairs: Mapping[tuple[str, str], PairScores],
    clustering: Clustering,
) -> Against:
    """Return how a run differs from the first."""
    a = clips.columns[0]
    columns = group_columns(clips.speakers, clips.groups, clips.duration_s)
    changes = (group_changes(clips, a, b, name, values) for name, values in columns.items())
    return Against(
        a=a.name,
        b=b.name,
        scores=pairs[a.name, b.name],
        divergence=divergence(a, b, clustering),
        flips=flips(clips, a, b),
        groups=tuple(change for of_column in changes for change in of_column),
    )


def _scores(
    clips: Aligned, clustering: Clustering, options: PairOptions
) -> dict[str, dict[str, Interval]]:
    k = len(clips.labels)
    found = {}
    for column in clips.columns:
        tables = cluster_tables(clips.truth * k + column.predicted, k * k, clustering)
        rng = np.random.default_rng(options.seed)
        found[column.name] = whole_intervals(tables, k, options.resamples, rng)
    return found


def _facts(clustering: Clustering) -> dict[str, Any]:
    return {
        "by": clustering.by,
        "clusters": len(clustering),
        "effective": round(clustering.effective, 1),
    }


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


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskComparison:
    """How runs of a task are compared.

    Attributes:
        compare: Runs, the baseline first, and options -> what differs.
        document: What differs -> `comparison.json`.
        write: What differs, the runs and a folder -> the files by kind.
        draws: Whether its intervals are drawn; those of dimensions are computed.
    """

    compare: Callable[[Sequence[Run], PairOptions], Compared]
    document: Callable[[Any], dict[str, Any]]
    write: Callable[[Any, Sequence[Run], Path], dict[str, Path]]
    draws: bool = True


COMPARISONS: Mapping[Task, TaskComparison] = {
    CATEGORICAL: TaskComparison(
        compare=compare,
        document=comparison_document,
        write=lambda found, _runs, folder: write_comparison(found, folder),
    ),
    MULTILABEL: TaskComparison(
        compare=compare_multilabel,
        document=lambda found: found.document,
        write=lambda found, _runs, folder: write_multilabel_comparison(found, folder),
    ),
    DIMENSIONAL: TaskComparison(
        compare=lambda runs, options: compare_dimensions(runs, options.margin),
        document=dimension_comparison_document,
        write=write_dimension_comparison,
        draws=False,
    ),
}


def compared(runs: Sequence[Run], options: PairOptions) -> Compared:
    """Return what differs between runs of one task on their common clips.

    Raises:
        ConfigError: They are not of one task, or have no clip in common.
        LabelError: They have different labels, or disagree on the truth of a clip.
    """
    return COMPARISONS[task_of_runs(runs)].compare(runs, options)
