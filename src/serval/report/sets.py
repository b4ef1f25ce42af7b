"""Runs of several emotions a clip -> what their page shows of emotions that are named or missed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from serval.comparison.multilabel import compare_multilabel
from serval.groups.multilabel import multilabel_group_sentences, multilabel_groups
from serval.multilabel import TRUTH
from serval.report.charts import BOUNDS, CLIPS, RUN, Chart, Column, bounds, defined, per_class_chart
from serval.report.columns import listed
from serval.report.emotions import in_steps
from serval.report.pairing import (
    CHANGE,
    MANY_TESTS,
    change_cells,
    differences_chart,
    margin_sentence,
)
from serval.report.parts import PageParts, group_chart, section
from serval.report.stressed import stressed
from serval.results.multilabel import MultilabelResults
from serval.scores.multilabel import EMOTION_METRICS, MULTILABEL_METRICS
from serval.tasks import MULTILABEL
from serval.wording import in_points, percent

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from numpy.typing import NDArray

    from serval.comparison.multilabel import MultilabelComparison
    from serval.labels import LabelSet
    from serval.multilabel import MultilabelRun
    from serval.report.columns import Listed
    from serval.run import Run
    from serval.scores.multilabel import MultilabelScores, SetAnswers
    from serval.scores.paired import IntervalChange

    Bools = NDArray[np.bool_]

ORDER = (
    "The emotions that were missed or named in error with the surest scores come first: some of "
    "them are wrong labels, not wrong answers."
)

TILES = ("macro_f1", "micro_f1", "mean_ap", "subset_accuracy")


def set_parts(runs: Sequence[Run]) -> PageParts:
    """Return what a page shows of one run of several emotions a clip, or of two on the same labels.

    Raises:
        ConfigError: Two runs have no clip in common, or are not of one task.
        LabelError: They have different labels, or disagree on the truth of a clip.
        RunError: A run has no true emotions.
    """
    comparison = compare_multilabel(runs) if len(runs) > 1 else None
    results = [MultilabelResults(run=run, thresholds_from=run) for run in runs]
    first, clips, labels = results[0], listed(runs), runs[0].labels
    values, scores = [one.values for one in results], [one.scores for one in results]
    answers = [one.answers_in(labels) for one in values]
    truth = clips.first_of([one.truth_in(labels) for one in values])
    names = list(comparison.runs) if comparison else [first.run.name]
    said = [*(own.warnings for own in results), comparison.warnings if comparison else ()]
    return PageParts(
        task=MULTILABEL.key,
        clips=clips,
        names=names,
        worth_hearing=list(map(any, _wrong(clips, truth, answers))),
        first=_surest_error(clips, truth, answers[0]),
        verdict=comparison.verdict[0] if comparison else first.verdict[0],
        sentences=[] if comparison else first.verdict[1:],
        warnings=[line for lines in said for line in lines],
        order=ORDER,
        runs=[_run_part(labels, *of) for of in zip(scores, values, answers, strict=True)],
        columns={"truth": _ids(truth)},
        answers=[_listed_answers(*of) for of in zip(answers, clips.positions, strict=True)],
        value_columns={TRUTH, *(name for one in values for name in one.columns)},
        shown={"labels": list(labels)},
        sections=_sections(names, values, scores, comparison),
        stressed=stressed,
        pair=_pair(comparison) if comparison else None,
    )


def _wrong(clips: Listed, truth: Bools, answers: Sequence[SetAnswers]) -> list[list[bool]]:
    """Return of each listed clip whether each run misses an emotion or names one in error."""
    sides = zip(answers, clips.positions, strict=True)
    placed = ((said, np.array(places, dtype=np.int64)) for said, places in sides)
    wrong = [(at >= 0) & (said.predicted[at] != truth).any(axis=1) for said, at in placed]
    found: list[list[bool]] = np.stack(wrong, axis=1).tolist()
    return found


def _surest_error(clips: Listed, truth: Bools, said: SetAnswers) -> list[float]:
    """Return how far the score of the worst wrong answer is from right, in [0, 1]; 0 of none."""
    at = np.array(clips.positions[0], dtype=np.int64)
    wrong = (said.predicted[at] != truth) & (at >= 0)[:, np.newaxis]
    far = np.where(wrong, np.abs(said.scores[at] - truth), 0.0)
    return [float(most) for most in far.max(axis=1, initial=0.0)]


def _ids(marks: Bools) -> list[list[int]]:
    return [np.flatnonzero(row).tolist() for row in marks]


def _listed_answers(said: SetAnswers, places: Sequence[int]) -> dict[str, Any]:
    """Return which emotions a run names of each listed clip, `None` without an answer; scores."""
    at = np.array(places, dtype=np.int64)
    named = _ids(said.predicted[at])
    return {
        "named": [own if place >= 0 else None for own, place in zip(named, places, strict=True)],
        "probs": in_steps(said.scores, at),
    }


def _run_part(
    labels: LabelSet, scores: MultilabelScores, values: MultilabelRun, said: SetAnswers
) -> dict[str, Any]:
    outcomes = _outcomes(values.truth_in(labels), said)
    return {"tiles": list(_tiles(scores)), "outcomes": outcomes}


def _tiles(scores: MultilabelScores) -> Iterator[dict[str, Any]]:
    for key in TILES:
        title = MULTILABEL_METRICS[key].title
        yield {"name": title, "kind": "share", **bounds(scores.overall[key])}


def _outcomes(truth: Bools, said: SetAnswers) -> dict[str, list[int]]:
    """Return of each emotion how many clips have it and are told so, miss it, or are told it."""
    counted = {
        "found": truth & said.predicted,
        "missed": truth & ~said.predicted,
        "extra": said.predicted & ~truth,
    }
    return {name: marks.sum(axis=0).tolist() for name, marks in counted.items()}


def _sections(
    names: Sequence[str],
    values: Sequence[MultilabelRun],
    scores: Sequence[MultilabelScores],
    comparison: MultilabelComparison | None,
) -> list[dict[str, Any]]:
    changed = (_difference_chart(comparison), _differences_chart(comparison)) if comparison else ()
    return [
        section("change", "What changed", "The same clips, answered by both.", *changed),
        section("scores", "Every score", "Of all emotions together.", _scores_chart(names, scores)),
        section("emotions", "Emotion by emotion", values[0].thresholds.sentence,
                per_class_chart(names, [own.per_emotion for own in scores]),
                _ap_chart(names, scores)),
        section("who", "For whom it works", "Whether it serves all alike, with 95 % intervals.",
                *_group_charts(names, values)),
    ]  # fmt: skip


def _scores_chart(names: Sequence[str], scores: Sequence[MultilabelScores]) -> Chart:
    rows = [
        {"run": name, "label": metric.title, **bounds(own.overall[key]),
         "baseline": defined(own.baseline[key]), "clips": own.n}
        for name, own in zip(names, scores, strict=True)
        for key, metric in MULTILABEL_METRICS.items()
    ]  # fmt: skip
    return Chart(
        id="scores",
        kind="table",
        title="Scores of the whole run",
        note="Beside them what an answer would score that names every emotion of every clip. "
        "Of the Hamming loss less is better.",
        columns=(RUN, Column(key="label", title="score"), *BOUNDS,
                 Column(key="baseline", title="all emotions always", kind="share"), CLIPS),
        rows=rows,
        wide=True,
    )  # fmt: skip


def _ap_chart(names: Sequence[str], scores: Sequence[MultilabelScores]) -> Chart:
    rows = [
        {"run": name, "label": label, **bounds(one.ap), "clips": one.support}
        for label in scores[0].per_emotion
        for name, own in zip(names, scores, strict=True)
        for one in (own.per_emotion[label],)
    ]
    return Chart(
        id="average-precision",
        kind="intervals",
        title="Average precision of each emotion",
        note="How well its scores rank the clips that have it before the others, whatever the "
        "threshold; at random it is about the share of clips that have it.",
        columns=(RUN, Column(key="label", title="emotion"), *BOUNDS, CLIPS),
        rows=rows,
        wide=True,
    )


def _group_charts(names: Sequence[str], values: Sequence[MultilabelRun]) -> Iterator[Chart]:
    """Yield macro F1 of the groups of each column."""
    tables = [multilabel_groups(one) for one in values]
    said = [multilabel_group_sentences(own) for own in tables]
    for column in dict.fromkeys(table.column for own in tables for table in own):
        rows = [
            {"run": name, "label": group.name, **bounds(group.scores["macro_f1"]),
             "ap": bounds(group.scores["mean_ap"])["value"], "clips": group.n}
            for name, own in zip(names, tables, strict=True)
            for table in own
            if table.column == column
            for group in table.groups
        ]  # fmt: skip
        yield group_chart(
            column,
            "Macro F1",
            [" ".join(line for line in own if line.startswith(f"By {column},")) for own in said],
            rows,
            *(RUN, Column(key="label", title=column), *BOUNDS,
             Column(key="ap", title="mean AP", kind="share"), CLIPS),
            drawn=column != "speaker",
            wide=column == "speaker",
        )  # fmt: skip


def _pair(comparison: MultilabelComparison) -> dict[str, Any]:
    """Return the tiles with the difference of both scores, and the sentences."""
    (against,) = comparison.against
    both = percent(against.agreement, 1)
    return {
        "margin": margin_sentence(f"up to {in_points(comparison.margin)}"),
        "clips": comparison.n,
        "tiles": [
            {"name": MULTILABEL_METRICS[key].title, "kind": "points",
             **change_cells(against.overall[key])}
            for key in TILES
        ],
        "sentences": [
            f"Both name exactly the same emotions on {both} of the clips.",
            *dict.fromkeys(comparison.thresholds.values()),
        ],
    }  # fmt: skip


def _difference_chart(comparison: MultilabelComparison) -> Chart:
    """Return the difference of every score of which more is better, and of each emotion's F1."""
    (against,) = comparison.against
    changes = {
        metric.title: against.overall[key]
        for key, metric in MULTILABEL_METRICS.items()
        if metric.higher_is_better
    } | {f"F1 of {label}": own["f1"] for label, own in against.per_emotion.items()}
    rows = _change_rows({(title,): change for title, change in changes.items()}, comparison.n)
    margin = comparison.margin
    return differences_chart(rows, (*CHANGE, CLIPS), margin, in_points(margin), MANY_TESTS)


def _differences_chart(comparison: MultilabelComparison) -> Chart:
    """Return the difference of every score of every emotion as a table."""
    (against,) = comparison.against
    changes: dict[tuple[str, ...], IntervalChange] = {
        (label, title): own[key]
        for label, own in against.per_emotion.items()
        for key, title in EMOTION_METRICS.items()
    }
    return Chart(
        id="differences",
        kind="table",
        title="Every score of each emotion, before and after",
        note="Differences on the same clips, with 95 % intervals.",
        columns=(Column(key="label", title="emotion"), Column(key="metric", title="score"),
                 *CHANGE, CLIPS),
        rows=_change_rows(changes, comparison.n),
        wide=True,
    )  # fmt: skip


def _change_rows(changes: Mapping[tuple[str, ...], IntervalChange], n: int) -> list[dict[str, Any]]:
    return [
        {**dict(zip(("label", "metric"), names, strict=False)), **change_cells(change), "clips": n}
        for names, change in changes.items()
    ]
