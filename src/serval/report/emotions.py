"""Runs of emotions -> what their page shows of answers that are right or wrong."""

from __future__ import annotations

import re
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import numpy as np

from serval.comparison import compare
from serval.comparison.words import pair_verdict
from serval.groups import gap_sentence, groups_of
from serval.report.charts import (
    BOUNDS,
    CLIPS,
    RUN,
    Chart,
    Column,
    bounds,
    per_class_chart,
    speakers_chart,
)
from serval.report.columns import listed
from serval.report.pairing import difference_chart, group_changes_chart, pair_content, relabelled
from serval.report.parts import PageParts, group_chart, id_of, of_each, section
from serval.report.stressed import stressed
from serval.results.domain_shift import SOUNDS, domain_shift_part
from serval.results.observations import observations_of, sentences
from serval.results.verdict import sentences_of, verdict_of
from serval.scores import SHOWN, scores_of, title_of
from serval.scores.calibration import abstention_sentence, calibration_of, confidence_sentence
from serval.scores.metrics import confusion_matrix
from serval.tasks import CATEGORICAL

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from numpy.typing import NDArray

    from serval.comparison import Comparison
    from serval.groups import Groups, GroupTable
    from serval.report.columns import Listed
    from serval.run import Run
    from serval.scores import Scores
    from serval.scores.calibration import Calibration


PROBABILITY_STEPS = 10_000

ORDER = "The most confident mistakes come first: some of them are wrong labels, not wrong answers."


def emotion_parts(runs: Sequence[Run]) -> PageParts:
    """Return what a page shows of one run of emotions, or of two on the same labels.

    Raises:
        ConfigError: Two runs have no clip in common.
        LabelError: They have different labels, or disagree on the truth of a clip.
    """
    first = runs[0]
    comparison = compare(runs) if len(runs) > 1 else None
    clips = listed([first, *(relabelled(run, first.labels) for run in runs[1:])])
    scores = [scores_of(run) for run in clips.runs]
    said = [*(own.warnings for own in scores), comparison.warnings if comparison else ()]
    names = _names(runs, comparison)
    columns, answers = answer_columns(clips)
    return PageParts(
        task=CATEGORICAL.key,
        clips=clips,
        names=names,
        worth_hearing=is_wrong(clips),
        first=confidences(clips),
        verdict=pair_verdict(comparison, comparison.against[0])
        if comparison
        else verdict_of(names[0], scores[0]),
        sentences=sentences_of(scores[0], first.labels),
        warnings=[line for lines in said for line in lines],
        order=ORDER,
        runs=[_run_part(run, own) for run, own in zip(clips.runs, scores, strict=True)],
        columns=columns,
        answers=answers,
        value_columns=(),
        shown={"labels": list(first.labels)},
        sections=_sections(clips.runs, names, scores, comparison),
        stressed=stressed,
        pair=pair_content(comparison) if comparison else None,
    )


def answer_columns(clips: Listed) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Return the true labels of the clips, and of each run what it says; -1 stands for none."""
    columns = {"truth": clips.first_of([run.truth for run in clips.runs]).tolist()}
    sides = zip(clips.runs, clips.positions, strict=True)
    return columns, [_answers(run, places) for run, places in sides]


def is_wrong(clips: Listed) -> list[bool]:
    """Return whether any run got each clip wrong."""
    return [
        any(
            places[i] >= 0 and run.predicted[places[i]] != run.truth[places[i]]
            for run, places in zip(clips.runs, clips.positions, strict=True)
        )
        for i in range(len(clips))
    ]


def confidences(clips: Listed) -> list[float]:
    """Return how sure the first run that has a clip is of its answer, in [0, 1]."""
    sure: list[float] = clips.first_of([run.probs.max(axis=1) for run in clips.runs]).tolist()
    return sure


def _names(runs: Sequence[Run], comparison: Comparison | None) -> list[str]:
    """Return what each run is called: its name, or what tells two runs apart."""
    if comparison:
        return [comparison.against[0].a, comparison.against[0].b]
    return [run.name for run in runs]


def _answers(run: Run, places: Collection[int]) -> dict[str, Any]:
    """Return what a run says of each clip; probabilities as ten-thousandths, clip after clip."""
    at = np.array(places, dtype=np.int64)
    return {
        "predicted": np.where(at >= 0, run.predicted[at], -1).tolist(),
        "probs": in_steps(run.probs, at),
    }


def in_steps(probs: NDArray[Any], at: NDArray[np.int64]) -> list[int]:
    """Return the probabilities of the clips at some positions as ten-thousandths, clip after clip.

    Args:
        probs: `(N, K)` in [0, 1].
        at: Positions; of -1, a clip without an answer, they are 0.
    """
    known = np.where(at[:, None] >= 0, probs[at], 0.0)
    steps: list[int] = (known * PROBABILITY_STEPS).round().astype(int).ravel().tolist()
    return steps


def _run_part(run: Run, scores: Scores) -> dict[str, Any]:
    counts = confusion_matrix(run.truth, run.predicted, run.labels)
    return {
        "counts": counts.tolist(),
        "tiles": [
            {"name": title_of(key), "kind": "share", **bounds(scores.overall[key])} for key in SHOWN
        ],
        "observations": [
            line
            for line in sentences(observations_of(counts, run.labels))
            if not line.startswith("Most frequent confusions")
        ],
    }


def _sections(
    runs: Sequence[Run],
    names: Sequence[str],
    scores: Sequence[Scores],
    comparison: Comparison | None,
) -> list[dict[str, Any]]:
    fits = [calibration_of(run) for run in runs]
    changed = (difference_chart(comparison), group_changes_chart(comparison)) if comparison else ()
    return [
        section("change", "What changed", "The same clips, answered by both.", *changed),
        section("emotions", "Emotion by emotion", "Which emotions it knows, and which it guesses.",
                per_class_chart(names, [own.per_class for own in scores])),
        section("trust", "When to believe it", "What its confidence is worth.",
                reliability_chart(names, fits), coverage_chart(names, fits)),
        section("who", "For whom it works", "Whether it serves all alike, with 95 % intervals.",
                *group_charts(names, [groups_of(run) for run in runs]),
                speakers_chart(names, runs)),
        section("shift", "How this set differs from the model's own",
                "What is known of labels, answers and sound; nothing of it is a guess.",
                *(shift_chart(name, run) for name, run in zip(names, runs, strict=True))),
    ]  # fmt: skip


ENDS = ("5th", "median", "95th")


def shift_chart(name: str, run: Run) -> Chart | None:
    """Return a table of the sound of a run's clips beside the model's own, with what is known.

    `None` where the model says that it was trained on this corpus.
    """
    part = domain_shift_part(run)
    if not part["sentences"]:
        return None
    return Chart(
        id=f"shift-{id_of(name)}",
        kind="table",
        title=name,
        note=" ".join(part["sentences"]),
        columns=(
            Column(key="what", title="of the sound"),
            *(Column(key=f"here {end}", title=f"these clips, {end}", kind="number")
              for end in ENDS),
            *(Column(key=f"own {end}", title=f"the model's, {end}", kind="number")
              for end in ENDS),
            Column(key="below", title="below its range", kind="share"),
            Column(key="above", title="above it", kind="share"),
        ),
        rows=[_row(sound) for sound in part["sound"]],
        wide=True,
    )  # fmt: skip


def _row(sound: Mapping[str, Any]) -> dict[str, Any]:
    title, unit, times = SOUNDS[sound["name"]]
    own = sound["own"] or (None,) * len(ENDS)
    return {
        "what": f"{title}, {unit}",
        **{f"here {end}": times * n for end, n in zip(ENDS, sound["here"], strict=True)},
        **{
            f"own {end}": None if n is None else times * n for end, n in zip(ENDS, own, strict=True)
        },
        "below": None if sound["own"] is None else sound["below"],
        "above": None if sound["own"] is None else sound["above"],
    }


MOST_VALUES = 30
"""A column with more groups than this is a table without a drawing."""


def reliability_chart(names: Sequence[str], fits: Sequence[Calibration]) -> Chart:
    """Return how often each run was right where it was how sure."""
    rows = [
        {
            "run": name,
            "confidence": part.confidence,
            **bounds(accuracy),
            "clips": part.n,
        }
        for name, fit in zip(names, fits, strict=True)
        for part, accuracy in zip(fit.as_is.bins, fit.as_is.bin_accuracy, strict=True)
    ]
    said = [confidence_sentence(fit) for fit in fits]
    return Chart(
        id="reliability",
        kind="reliability",
        title="Can its confidence be believed?",
        note=f"On the dashed line a clip of 80 % confidence is right four times in five; below it "
        f"the model is too sure. {of_each(said)} Each dot stands for equally many "
        "clips; its line is the 95 % interval.",
        columns=(RUN, Column(key="confidence", title="mean confidence", kind="share"),
                 Column(key="value", title="share right", kind="share"), *BOUNDS[1:], CLIPS),
        rows=rows,
    )  # fmt: skip


def coverage_chart(names: Sequence[str], fits: Sequence[Calibration]) -> Chart:
    """Return how often each run is right when it answers only where it is sure."""
    rows = [
        {
            "run": name,
            "coverage": point.n / fit.n,  # of few clips another share than was wished
            **bounds(point.accuracy),
            "threshold": point.threshold,
            "clips": point.n,
        }
        for name, fit in zip(names, fits, strict=True)
        for point in {point.n: point for point in fit.coverage}.values()
    ]
    said = [abstention_sentence(fit) for fit in fits]
    return Chart(
        id="risk-coverage",
        kind="risk",
        title="Selective prediction",
        note=of_each(said),
        columns=(RUN, Column(key="coverage", title="answered", kind="share"), *BOUNDS,
                 Column(key="threshold", title="when at least this sure", kind="share"), CLIPS),
        rows=rows,
    )  # fmt: skip


def group_charts(names: Sequence[str], groups: Sequence[Groups]) -> list[Chart]:
    """Return one chart for each column of groups; speakers have a chart of their own."""
    columns = list(dict.fromkeys(table.column for own in groups for table in own.tables))
    tables = [
        [
            (name, table)
            for name, own in zip(names, groups, strict=True)
            for table in own.tables
            if table.column == column
        ]
        for column in columns
        if column != "speaker"
    ]
    return [_group_chart(of_column) for of_column in tables]


def _seconds_of(label: str) -> float:
    """Return where a group of lengths begins; 0 where the set calls them something else."""
    found = re.match(r"[0-9.]+(?=-[0-9.]+ s$)", label)
    return float(found[0]) if found else 0.0


def _group_chart(tables: Sequence[tuple[str, GroupTable]]) -> Chart:
    column = tables[0][1].column
    rows = [
        {"run": name, "label": group.name, **bounds(group.accuracy), "clips": group.n,
         "uar": bounds(group.uar)["value"]}
        for name, table in tables
        for group in table.groups
    ]  # fmt: skip
    if column == "duration":
        rows.sort(key=lambda row: _seconds_of(str(row["label"])))
    return group_chart(
        column,
        "Accuracy",
        [gap_sentence(asdict(table.accuracy_gap)) for _, table in tables],
        rows,
        *(RUN, Column(key="label", title=column), *BOUNDS,
         Column(key="uar", title="UAR", kind="share"), CLIPS),
        drawn=len({row["label"] for row in rows}) <= MOST_VALUES,
    )  # fmt: skip
