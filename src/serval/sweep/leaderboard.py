"""A finished sweep -> `leaderboard.json`: every score, rank and average, in plain JSON types."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from dataclasses import asdict
from statistics import fmean
from typing import TYPE_CHECKING, Any

import numpy as np

from serval.machine import platform_facts
from serval.plots.cost import CostPoint, save_costs
from serval.scores import HEADLINES, METRICS
from serval.scores.clusters import clustering_of
from serval.scores.stats import LEVEL
from serval.scores.uncertainty import share_of
from serval.sweep.boards import BOARDS, board_tables, page_of, some_pairs
from serval.sweep.standings import MAJORITY
from serval.sweep.sweep import ranked_by
from serval.wording import hundredths, percent, points, three_digits, without_nan

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from serval.scores.stats import Interval
    from serval.sweep.sweep import CellResult, Contest, Sweep

    _ByCorpus = dict[str, list[Mapping[str, Mapping[str, float]]]]
    Document = Mapping[str, Any]
    Row = Mapping[str, Any]


SCHEMA_VERSION = 1
NO_SCORE = dict.fromkeys(("value", "low", "high"), math.nan)


def leaderboard_document(finished: Sweep) -> dict[str, Any]:
    """Return everything that the leaderboard shows; undefined numbers are `None`.

    `dimensions` has a table for each set that models of dimensions were evaluated on, `multilabel`
    one for each of models of several emotions a clip; all else is of models of one. `rows` has one
    entry for each model (with its options) on each dataset, and one for always saying the most
    frequent label; `averages` one for each model over all corpora, of the values that it is ranked
    by, where a clip without an answer is an error; `tasks` the datasets on which models were
    ranked, with the tests of every pair.
    """
    score = ranked_by(finished.plan.sort_by)
    tasks = finished.contests
    place = {cell.settings.output: place for place, cell in enumerate(finished.plan.cells)}
    planned = sorted(finished.results, key=lambda result: place[result.cell.settings.output])
    rows = [row for task in tasks for row in _rows(task, finished.plan.output)]
    order = METRICS[score].order
    document = {
        "schema_version": SCHEMA_VERSION,
        "version": platform_facts()["packages"]["serval"],
        "ranked_by": score,
        "rows": sorted(rows, key=lambda row: order(row["ranked"][score]["value"])),
        "averages": sorted(
            [*_averages(finished.results, tasks), *_majority_average(tasks)],
            key=lambda row: order(row["scores"][score]["value"]),
        ),
        "tasks": [task.as_dict() for task in tasks],
        "sentences": _sentences(tasks, score),
        **{task.key: board_tables(planned, task, finished.plan.output) for task in BOARDS},
        "problems": [
            {"model": r.contender, "dataset": r.cell.dataset, "problem": r.problem or r.warning}
            for r in finished.problems
        ],
    }
    plain = {key: without_nan(value) for key, value in document.items()}
    return plain | {"verdict": _verdict(plain)}


def tables_in(document: Document) -> list[Document]:
    """Return the tables of a leaderboard that are of models of other tasks."""
    return [table for task in BOARDS for table in document.get(task.key, ())]


def _verdict(document: Mapping[str, Any]) -> list[str]:
    """Return what a reader takes away: of one emotion a clip, unless only others were done."""
    tables = tables_in(document)
    of_emotions = [] if tables and not document["rows"] else verdict_of(document)
    return [*of_emotions, *(line for table in tables for line in table["sentences"])]


def _rows(task: Contest, output: Path) -> Iterator[dict[str, Any]]:
    for result in task.results:
        yield {
            "model": result.contender,
            "dataset": task.name,
            "corpus": result.cell.corpus,
            "baseline": False,
            "scores": result.own,
            "ranked": task.ranked(result.contender),
            "full_set": result.label_space["full_set"],
            "restricted": result.label_space["restricted"],
            "trained_on": result.training,
            "labels": result.labels,
            "clips": result.clips,
            "failed": result.failed,
            "left_out": result.left_out,
            "rtfx": result.rtfx,
            **result.probed,
            "page": page_of(result, output),
        }
    yield {
        "model": MAJORITY,
        "dataset": task.name,
        "corpus": task.results[0].cell.corpus,
        "baseline": True,
        "scores": {},
        "ranked": task.ranked(MAJORITY),
        "clips": task.standings.clips,
    }


def _averages(results: Sequence[CellResult], tasks: Sequence[Contest]) -> Iterator[dict[str, Any]]:
    """Yield the mean over corpora of every model that has all of them."""
    corpora = {result.cell.corpus for result in results}
    planned = Counter(result.contender for result in results)
    of_model: defaultdict[str, _ByCorpus] = defaultdict(lambda: defaultdict(list))
    for task in tasks:
        for result in task.results:
            ranked = task.ranked(result.contender)
            of_model[result.contender][result.cell.corpus].append(ranked)
    for model, found in of_model.items():
        whole = sum(map(len, found.values())) == planned[model] and len(found) == len(corpora)
        yield {
            "model": model,
            "baseline": False,
            "corpora": len(found),
            "of": len(corpora),
            "scores": _means(found) if whole else dict.fromkeys(HEADLINES, NO_SCORE),
        }


def _majority_average(tasks: Sequence[Contest]) -> Iterator[dict[str, Any]]:
    """Yield the mean over corpora of always saying the most frequent emotion."""
    found: _ByCorpus = defaultdict(list)
    for task in tasks:
        found[task.results[0].cell.corpus].append(task.ranked(MAJORITY))
    if found:
        n = len(found)
        scores = _means(found)
        yield {"model": MAJORITY, "baseline": True, "corpora": n, "of": n, "scores": scores}


def _means(found: _ByCorpus) -> dict[str, dict[str, float]]:
    """Return the mean over corpora of each score; that of a corpus is the mean of its datasets."""
    values = {
        name: [fmean(one[name]["value"] for one in own) for own in found.values()]
        for name in HEADLINES
    }
    return {name: asdict(_mean_over(own)) for name, own in values.items()}


def _mean_over(corpora: Sequence[float]) -> Interval:
    """Return the mean over corpora, each of which is one observation."""
    return share_of(np.array(corpora), clustering_of([None] * len(corpora)))


def _sentences(tasks: Sequence[Contest], score: str) -> list[str]:
    said = []
    for task in tasks:
        of_score = [test for test in task.standings.tests if test.score == score]
        alike = [test for test in of_score if not test.p_corrected <= 1 - LEVEL]
        pairs = some_pairs(
            [
                f"{test.a} and {test.b} ({points(test.difference, sign=True)} points, "
                f"p = {test.p_corrected:.2g})"
                for test in alike
            ]
        )
        told = "every pair can be told apart" if not alike else f"cannot be told apart: {pairs}"
        said.append(f"On {task.name}, by {METRICS[score].title}, {told}.")
    return said


def verdict_of(document: Document) -> list[str]:
    """Return the sentence that a reader takes away from a leaderboard, then what bounds it.

    Args:
        document: With `averages`, `tasks` and `ranked_by`.
    """
    score = document["ranked_by"]
    known = _averaged(document)
    if not known:
        return ["No model has been evaluated on every corpus."]
    best, mean = known[0], known[0]["scores"][score]
    title = METRICS[score].title
    first = f"the highest {title}:" if len(known) > 1 else f"a {title} of"
    over = f", the mean over {best['of']} corpora" if best["of"] > 1 else ""
    said = [(f"{best['model']} has {first} {percent(mean['value'], 1)}{over}.")]
    if alike := told_from(document, best["model"])[1]:
        where = "on any of the sets" if len(document["tasks"]) > 1 else "on this set"
        said.append(f"It cannot be told apart {where} from: {', '.join(alike)}.")
    said += _cheapest(document, best["model"], alike)
    if best["of"] > 1 and mean["low"] is not None:
        said.append(
            "Over other corpora of this kind the mean may lie from "
            f"{hundredths(mean['low'], 0)} to {percent(mean['high'], 0)} "
            f"(95 % interval over {best['of']} corpora)."
        )
    return said


def _averaged(document: Document) -> list[Row]:
    """Return the averages of models that have one, the best first."""
    score = document["ranked_by"]
    return [
        row
        for row in document["averages"]
        if not row["baseline"] and row["scores"][score]["value"] is not None
    ]


def told_from(document: Document, best: str, dataset: str = "") -> tuple[list[str], list[str]]:
    """Return the models that a test tells apart from one, and those that none does.

    Args:
        document: With `tasks` and `ranked_by`.
        best: Its name.
        dataset: The one set to look at; by default whichever both are on.
    """
    tasks = (task for task in document["tasks"] if dataset in ("", task["dataset"]))
    tests = [test for task in tasks for test in task["tests"]]
    of_it = [t for t in tests if t["score"] == document["ranked_by"] and best in (t["a"], t["b"])]
    others = dict.fromkeys(t["b"] if t["a"] == best else t["a"] for t in of_it)
    told = {
        name
        for t in of_it
        for name in (t["a"], t["b"])
        if t["p_corrected"] is not None and t["p_corrected"] <= 1 - LEVEL
    } - {best}
    return [name for name in others if name in told], [name for name in others if name not in told]


def _cheapest(document: Document, best: str, alike: Sequence[str]) -> list[str]:
    """Return which of the encoders that nothing tells apart from the best is the fastest."""
    ms = {row["model"]: row["cost"]["ms"] for row in document["rows"] if row.get("cost")}
    known = [name for name in alike if name in ms]
    if best not in ms or not known:
        return []
    fastest = min(known, key=ms.__getitem__)
    if ms[fastest] >= ms[best]:
        return ["None of them takes less time for a clip."]
    said = f"The fastest of these is {fastest}: {three_digits(ms[fastest])} ms for a clip of 3 s"
    return [f"{said}, not {three_digits(ms[best])}."]


def write_cost_picture(document: Document, path: Path) -> Path:
    """Return where the picture is, after drawing each set of a leaderboard that has costs."""
    panels = {
        task["dataset"]: list(_points(document, task["dataset"])) for task in document["tasks"]
    }
    drawn = {name: points for name, points in panels.items() if points}
    return save_costs(drawn, METRICS[document["ranked_by"]].title, path)


def _points(document: Document, dataset: str) -> Iterator[CostPoint]:
    """Yield the points of a set, by the scores that its ranks are made of."""
    score = document["ranked_by"]
    rows = [row for row in document["rows"] if row["dataset"] == dataset and row.get("cost")]
    if not rows:
        return
    worse, _ = told_from(document, rows[0]["model"], dataset)  # rows are sorted, best first
    for row in rows:
        value, low, high = (_number(row["ranked"][score][key]) for key in ("value", "low", "high"))
        yield CostPoint(
            encoder=row["encoder"],
            layer=row["layer"],
            ms=row["cost"]["ms"],
            value=value,
            low=low,
            high=high,
            worse=row["model"] in worse,
        )


def _number(value: float | None) -> float:
    return math.nan if value is None else value
