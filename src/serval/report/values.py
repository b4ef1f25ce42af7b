"""Runs of dimensions -> what their page shows of predictions beside ratings."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import numpy as np

from serval.comparison import PairOptions
from serval.comparison.dimensions import compare_dimensions
from serval.dimensions import dimension_run
from serval.groups.dimensions import (
    averaged_cccs,
    averaged_sentences,
    dimension_group_sentences,
    dimension_groups,
)
from serval.report.charts import CLIPS, RUN, Chart, Column, bounds
from serval.report.columns import listed
from serval.report.pairing import change_cells, differences_chart, margin_sentence
from serval.report.parts import PageParts, group_chart, section
from serval.report.stressed import Stressed
from serval.results.dimensions import (
    dimension_cells,
    dimension_sentences,
    dimension_verdict,
    scores_of_values,
)
from serval.scores.dimensions import DIMENSION_METRICS, MEAN
from serval.stress.dimensions import (
    HEAD,
    dimension_findings,
    dimension_stress_cells,
    dimension_stress_document,
)
from serval.tasks import DIMENSIONAL
from serval.wording import without_nan

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from numpy.typing import NDArray

    from serval.comparison.dimensions import DimensionComparison
    from serval.dimensions import DimensionRun
    from serval.report.columns import Listed
    from serval.run import Run
    from serval.scores.dimensions import DimensionScores
    from serval.scores.paired import IntervalChange
    from serval.stress import StressRuns

    Floats = NDArray[np.float64]

BINS = 6
"""Parts of the scale, equally wide, in the tables below the clouds."""

MOST_LINES = 36
"""A column with more groups times dimensions than this is a table without a drawing."""

DECIMALS = 6

ENDS = (
    Column(key="low", title="95 % from", kind="correlation"),
    Column(key="high", title="to", kind="correlation"),
)
CHANGE = (
    Column(key="a", title="A", kind="correlation"),
    Column(key="b", title="B", kind="correlation"),
    Column(key="value", title="B minus A", kind="signed"),
    Column(key="low", title="95 % from", kind="signed"),
    Column(key="high", title="to", kind="signed"),
    Column(key="verdict", title="verdict"),
)


def value_parts(runs: Sequence[Run]) -> PageParts:
    """Return what a page shows of one run of dimensions, or of two on the same dimensions.

    Raises:
        ConfigError: Two runs have no clip in common, other dimensions, another scale, or are not
            of one task.
        RunError: A run has no true values.
    """
    comparison = compare_dimensions(runs, PairOptions().margin) if len(runs) > 1 else None
    values = [dimension_run(run) for run in runs]
    first, clips = values[0], listed(runs)
    values = [one.ordered(first.names) for one in values]
    scores = [scores_of_values(one) for one in values]
    names = list(comparison.runs) if comparison else [first.run.name]
    said = [*(own.warnings for own in scores), comparison.warnings if comparison else ()]
    return PageParts(
        task=DIMENSIONAL.key,
        clips=clips,
        names=names,
        worth_hearing=[True] * len(clips),
        first=clips.first_of([_errors(one) for one in values]).tolist(),
        verdict=comparison.verdict[0] if comparison else dimension_verdict(first.run, scores[0]),
        sentences=[] if comparison else dimension_sentences(scores[0], first),
        warnings=[line for lines in said for line in lines],
        order="The largest errors come first: some of them are odd ratings, not odd predictions.",
        runs=[{"tiles": list(_tiles(own, str(first.scale)))} for own in scores],
        columns={"rated": _plain(clips.first_of([one.truth for one in values]))},
        answers=[{"values": _plain(own)} for own in _listed_values(clips, values)],
        value_columns={column for one in values for column in one.columns},
        shown=_shown(first),
        sections=_sections(clips, names, values, scores, comparison),
        stressed=_stressed,
        pair=_pair(comparison) if comparison else None,
    )


def _tiles(scores: DimensionScores, scale: str) -> Iterator[dict[str, Any]]:
    """Yield CCC of each dimension, behind the mean of several, and how far off the values are."""
    several = {f"{MEAN} CCC": scores.mean["ccc"]} if len(scores.per_dimension) > 1 else {}
    each = {f"CCC of {name}": own["ccc"] for name, own in scores.per_dimension.items()}
    for name, score in (several | each).items():
        yield {"name": name, "kind": "correlation", **bounds(score)}
    error = f"MAE, scale {scale}"
    yield {"name": error, "kind": "error", **bounds(scores.mean["mae"])}


def _shown(first: DimensionRun) -> dict[str, Any]:
    return {
        "dimensions": list(first.names),
        "scale": [first.scale.low, first.scale.high],
        "plane": _plane(first.names),
    }


def _plane(names: Sequence[str]) -> dict[str, Any]:
    """Return the two dimensions whose plane is drawn, across and up; of one, rated and predicted.

    Valence goes across and arousal up, as in Russell (1980), A circumplex model of affect.
    """
    if len(names) == 1:
        dimensions, axes = [0], [f"{names[0]}, rated", f"{names[0]}, predicted"]
        title = f"Every clip by its {names[0]}"
    else:
        usual = [name for name in ("valence", "arousal") if name in names]
        rest = [name for name in names if name not in usual]
        across, up = [*usual, *rest][:2]
        dimensions = [names.index(across), names.index(up)]
        axes = [across, up]
        title = f"The {up}-{across} plane"
    return {
        "dimensions": dimensions,
        "axes": axes,
        "title": title,
        "note": "Every clip where it is predicted. Choose one to hear it; the cross is where it "
        "was rated. What the filters leave out is pale.",
        "keys": "Arrow keys go to the next clip in a direction, Enter plays or pauses it; the "
        "list of clips holds the same ones.",
    }


def _errors(values: DimensionRun) -> Floats:
    """Return how far off each clip is, its dimensions together; -1 of one without a rating."""
    far = np.abs(values.predicted - values.truth)
    known = ~np.isnan(far)
    mean = np.where(known, far, 0.0).sum(axis=1) / np.maximum(known.sum(axis=1), 1)
    return np.where(known.any(axis=1), mean, -1.0)


def _listed_values(clips: Listed, values: Sequence[DimensionRun]) -> Iterator[Floats]:
    """Yield the predictions of each run for the listed clips; NaN where it has none."""
    for one, places in zip(values, clips.positions, strict=True):
        at = np.array(places, dtype=np.int64)
        yield np.where(at[:, None] >= 0, one.predicted[at], np.nan)


def _plain(table: Floats) -> list[float | None]:
    return [None if np.isnan(x) else round(float(x), DECIMALS) for x in table.ravel()]


def _sections(
    clips: Listed,
    names: Sequence[str],
    values: Sequence[DimensionRun],
    scores: Sequence[DimensionScores],
    comparison: DimensionComparison | None,
) -> list[dict[str, Any]]:
    changed: tuple[Chart, ...] = ()
    agreed: tuple[Chart, ...] = ()
    if comparison:
        changed = (_difference_chart(comparison), _differences_chart(comparison))
        agreed = tuple(_agreements(clips, values))
    return [
        section("change", "What changed", "The same clips, answered by both.", *changed),
        section("agreement", "Where both runs agree", "The distance of both predictions over their "
                "mean, whatever the ratings.", *agreed),
        section("scores", "Every score", "CCC is 1 where predictions equal the ratings; it counts "
                "shifts and a narrow range as errors, which correlations do not.",
                _scores_chart(names, scores)),
        section("values", "True against predicted", "Each dot is a clip. "
                "Below the dots are means over equal parts of the scale.",
                *_clouds(names, values)),
        section("who", "For whom it works", "Whether it serves all alike, with 95 % intervals.",
                *_group_charts(names, values)),
    ]  # fmt: skip


def _scores_chart(names: Sequence[str], scores: Sequence[DimensionScores]) -> Chart:
    rows = [
        {"run": name, "label": label, "clips": own.clips.get(label, own.n),
         **dict(zip(DIMENSION_METRICS, dimension_cells(_cells(cells)), strict=True))}
        for name, own in zip(names, scores, strict=True)
        for label, cells in (*own.per_dimension.items(), (MEAN, own.mean))
        if label != MEAN or len(own.per_dimension) > 1
    ]  # fmt: skip
    metrics = (
        Column(key=key, title=metric.title, kind="cell")
        for key, metric in DIMENSION_METRICS.items()
    )
    return Chart(
        id="scores",
        kind="table",
        title="Scores of each dimension",
        note="In brackets the 95 % interval, clustered by speaker where speakers are known. MAE, "
        "RMSE and bias are in units of the scale; bias is predicted minus rated.",
        columns=(RUN, Column(key="label", title="dimension"), *metrics, CLIPS),
        rows=rows,
        wide=True,
    )


def _cells(scores: Mapping[str, Any]) -> dict[str, Any]:
    return {key: without_nan(asdict(score)) for key, score in scores.items()}


def _clouds(names: Sequence[str], values: Sequence[DimensionRun]) -> Iterator[Chart]:
    """Yield truth against prediction, and the errors, of each dimension."""
    columns = (
        RUN,
        Column(key="from", title="rated from", kind="number"),
        Column(key="to", title="to", kind="number"),
        Column(key="rated", title="mean rating", kind="error"),
        Column(key="predicted", title="mean prediction", kind="error"),
        Column(key="spread", title="s.d. of the error", kind="error"),
        CLIPS,
    )
    for d, dimension in enumerate(values[0].names):
        rows = [row for name, one in zip(names, values, strict=True) for row in _bins(name, one, d)]
        yield Chart(
            id=f"predicted-{d}",
            kind="predicted",
            title=f"{dimension}: rated and predicted",
            note="On the dashed line predictions equal the ratings.",
            columns=columns,
            rows=rows,
            dimension=d,
        )
        yield Chart(
            id=f"residuals-{d}",
            kind="residuals",
            title=f"{dimension}: errors",
            note="Above the dashed line a clip is predicted too high. A slope downwards says that "
            "the model stays near the middle.",
            columns=columns,
            rows=rows,
            dimension=d,
        )


def _bins(name: str, values: DimensionRun, d: int) -> Iterator[dict[str, Any]]:
    truth, predicted = values.truth[:, d], values.predicted[:, d]
    edges = np.linspace(values.scale.low, values.scale.high, BINS + 1)
    place = np.clip(np.digitize(truth, edges) - 1, 0, BINS - 1)
    for number in range(BINS):
        here = (place == number) & ~np.isnan(truth)
        if here.any():
            yield {
                "run": name,
                "from": round(edges[number], DECIMALS),
                "to": round(edges[number + 1], DECIMALS),
                "rated": float(truth[here].mean()),
                "predicted": float(predicted[here].mean()),
                "spread": float((predicted[here] - truth[here]).std()),
                "clips": int(here.sum()),
            }


def _group_charts(names: Sequence[str], values: Sequence[DimensionRun]) -> Iterator[Chart]:
    """Yield CCC and bias of the groups of each column."""
    tables = [dimension_groups(one) for one in values]
    averaged = [averaged_cccs(one) for one in values]
    for column in dict.fromkeys(table.column for own in tables for table in own):
        rows = [
            {"run": name, "label": f"{dimension}, {group.name}", "clips": group.n,
             **bounds(group.scores.per_dimension[dimension]["ccc"]),
             "bias": bounds(group.scores.per_dimension[dimension]["bias"])["value"]}
            for dimension in values[0].names
            for name, own in zip(names, tables, strict=True)
            for table in own
            if table.column == column
            for group in table.groups
        ]  # fmt: skip
        few = column != "speaker" and len({row["label"] for row in rows}) <= MOST_LINES
        said = [
            [
                *dimension_group_sentences([table for table in own if table.column == column]),
                *averaged_sentences([one for one in means if one.column == column]),
            ]
            for own, means in zip(tables, averaged, strict=True)
        ]
        yield group_chart(
            column,
            "CCC",
            list(map(" ".join, said)),
            rows,
            *(RUN, Column(key="label", title=f"dimension, {column}"),
             Column(key="value", title="CCC", kind="correlation"), *ENDS,
             Column(key="bias", title="bias", kind="error"), CLIPS),
            drawn=few,
            wide=not few,
        )  # fmt: skip


def _pair(comparison: DimensionComparison) -> dict[str, Any]:
    """Return the tiles with the difference of both scores, and the sentences."""
    (against,) = comparison.against
    changes = against.changes
    several = [f"{MEAN} CCC"] if len(comparison.names) > 1 else []
    keys = [(MEAN, "ccc")] if several else []
    keys += [(name, "ccc") for name in comparison.names] + [(MEAN, "mae")]
    titles = [*several, *(f"CCC of {name}" for name in comparison.names), "MAE"]
    return {
        "margin": margin_sentence(f"CCC of up to {comparison.margin:g}"),
        "clips": comparison.n,
        "tiles": [
            {"name": title, "kind": "signed", **_difference(changes[name][key])}
            for title, (name, key) in zip(titles, keys, strict=True)
        ],
        "sentences": against.sentences(comparison.scale),
    }


def _difference_chart(comparison: DimensionComparison) -> Chart:
    """Return the difference of CCC, of each dimension and of their mean."""
    rows = [
        {"label": f"{MEAN} CCC" if name == MEAN else f"CCC of {name}", "clips": comparison.n,
         **_difference(changes["ccc"])}
        for name, changes in _changes(comparison)
    ]  # fmt: skip
    margin = comparison.margin
    return differences_chart(rows, (*CHANGE, CLIPS), margin, f"{margin:g}")


def _differences_chart(comparison: DimensionComparison) -> Chart:
    """Return the difference of every score as a table."""
    rows = [
        {"label": name, "metric": metric.title, "clips": comparison.n, **_difference(changes[key])}
        for name, changes in _changes(comparison)
        for key, metric in DIMENSION_METRICS.items()
    ]
    labels = (Column(key="label", title="dimension"), Column(key="metric", title="score"))
    return Chart(
        id="differences",
        kind="table",
        title="Every score, before and after",
        note="Differences on the same clips, with 95 % intervals; MAE, RMSE and bias in units of "
        "the scale.",
        columns=(*labels, *CHANGE, CLIPS),
        rows=rows,
        wide=True,
    )


def _changes(
    comparison: DimensionComparison,
) -> Iterator[tuple[str, Mapping[str, IntervalChange]]]:
    """Yield what changed in each dimension, and in the mean of several."""
    for name, changes in comparison.against[0].changes.items():
        if name != MEAN or len(comparison.names) > 1:
            yield name, changes


def _difference(change: IntervalChange) -> dict[str, Any]:
    return {**change_cells(change), "verdict": change.verdict or ""}


def _agreements(clips: Listed, values: Sequence[DimensionRun]) -> Iterator[Chart]:
    """Yield how far two runs are apart over their mean, of each dimension.

    Source: Bland and Altman (1986), Statistical methods for assessing agreement between two
    methods of clinical measurement.
    """
    a, b = _listed_values(clips, values)
    columns = (
        Column(key="value", title="mean difference", kind="signed"),
        Column(key="lower", title="lower limit", kind="signed"),
        Column(key="upper", title="upper limit", kind="signed"),
        Column(key="largest", title="largest, either way", kind="error"),
        CLIPS,
    )
    for d, (dimension, gap) in enumerate(zip(values[0].names, (b - a).T, strict=True)):
        yield Chart(
            id=f"agreement-{d}",
            kind="agreement",
            title=f"{dimension}: do both runs agree?",
            note="Each dot is a clip. The lines are the mean difference, and 1.96 standard "
            "deviations above and below, between which 95 % of such clips are expected.",
            columns=columns,
            rows=[_limits(gap[~np.isnan(gap)])],
            dimension=d,
        )


def _limits(gap: Floats) -> dict[str, Any]:
    """Return the limits of agreement of differences, of which there is one at least."""
    middle = float(gap.mean())
    reach = 1.96 * float(gap.std(ddof=1)) if len(gap) > 1 else 0.0
    ends = {"value": middle, "lower": middle - reach, "upper": middle + reach}
    return {**ends, "largest": float(np.abs(gap).max()), "clips": len(gap)}


def _stressed(stress: StressRuns, name: str, *, audio: bool) -> Stressed:  # noqa: ARG001 - as of emotions
    """Return what a stress test adds: its table. No value turns into another emotion to hear."""
    document = dimension_stress_document(dimension_findings(stress))
    keys = [f"cell {number}" for number in range(len(HEAD))]
    rows = [
        dict(zip(keys, [case, *dimension_stress_cells(found)], strict=True))
        for case, found in document["cases"].items()
    ]
    titles = zip(keys, HEAD, strict=True)
    chart = Chart(
        id="stress-cases",
        kind="table",
        title=f"{name} under every perturbation",
        note=" ".join(document["verdict"]),
        columns=tuple(
            Column(key=key, title=title, kind="cell" if key != keys[0] else "text")
            for key, title in titles
        ),
        rows=rows,
        wide=True,
    )
    return Stressed(charts=(chart,), examples=(), sounds={})
