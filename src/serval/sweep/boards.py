"""Cells of models of dimensions, or of several emotions a clip -> a table for each set.

Models of one emotion a clip are ranked together instead: see `standings`.
"""

from __future__ import annotations

import math
import os
from dataclasses import asdict, dataclass
from itertools import combinations
from pathlib import Path
from typing import TYPE_CHECKING, Any

from serval.comparison.compare import compared
from serval.dimensions import dimension_run
from serval.errors import ConfigError, LabelError
from serval.files import is_file
from serval.multilabel import multilabel_run
from serval.results.dimensions import scores_of_values
from serval.results.multilabel import scores_of_sets
from serval.scores.dimensions import MEAN
from serval.scores.multilabel import MULTILABEL_METRICS
from serval.scores.paired import PairOptions
from serval.scores.stats import LEVEL, holm
from serval.tasks import DIMENSIONAL, MULTILABEL, task_in
from serval.wording import counted, decimals, numbered, points, printable, scored, scored_short

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from serval.run import Run
    from serval.scores.stats import Difference
    from serval.sweep.sweep import CellResult
    from serval.tasks import Task

    Document = Mapping[str, Any]
    Score = Mapping[str, float | None]

MOST_PAIRS = 12
"""That a sentence names; the document has all of them."""

OF_SETS = {key: MULTILABEL_METRICS[key].title for key in ("macro_f1", "micro_f1", "mean_ap")}
"""Of several emotions a clip, the scores of a table."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Board:
    """How the models of a task are put into tables.

    Attributes:
        facts: Of a run, what a table has once: models of other facts stand in another one.
        scores: Of a run whose table has those facts, what a row has of scores.
        key: Of the score that rows are sorted by.
        title: Of that score, in sentences.
        change: What differs between two runs -> the difference of that score, B minus A.
        told: A score in sentences.
        gap: A difference in sentences.
        lead: A table -> what it holds, as the begin of a sentence.
        column: Of that score, in `sweep.csv`.
        columns: A table -> the titles of its scores.
        cells: A row -> its scores, under these titles.
    """

    facts: Callable[[Run], dict[str, Any]]
    scores: Callable[[Run, Document], dict[str, Any]]
    key: str
    title: str
    change: Callable[[Any], Difference]
    told: Callable[[Score], str]
    gap: Callable[[float], str]
    lead: Callable[[Document], str]
    column: str
    columns: Callable[[Document], list[str]]
    cells: Callable[[Document], list[str]]


def board_tables(results: Iterable[CellResult], task: Task, output: Path) -> list[dict[str, Any]]:
    """Return the models of a task on the same set, the highest score first.

    Each pair is tested on its common clips by the paired difference of that score, and p-values are
    corrected by Holm for the number of pairs. Pairs that cannot be compared, as for other ratings
    of a clip, are in `untested` with the reason.
    """
    board = BOARDS[task]
    groups: dict[tuple[object, ...], list[tuple[CellResult, Run]]] = {}
    for result in results:
        if (run := result.run) is not None and run.provenance.task is task:
            key = (result.cell.dataset, *map(_in_any_order, board.facts(run).values()))
            groups.setdefault(key, []).append((result, run))
    return [_table(own, task, output) for own in groups.values()]


def _in_any_order(fact: object) -> object:
    return frozenset(fact) if isinstance(fact, list) else fact


def page_of(result: CellResult, output: Path) -> str:
    """Return where the page of a cell is, or its summary, below the folder of the sweep."""
    folder = Path(result.cell.settings.output)
    report = folder / "report.html"
    page = report if is_file(report) else folder / "summary.md"
    return page.relative_to(output).as_posix()


def _table(known: Sequence[tuple[CellResult, Run]], task: Task, output: Path) -> dict[str, Any]:
    board, (first, its_run) = BOARDS[task], known[0]
    facts = board.facts(its_run)
    tests, untested = _tests([(result.contender, run) for result, run in known], board, output)
    table = {
        "task": task.key,
        "dataset": first.cell.dataset,
        **facts,
        "rows": sorted(
            (_row(result, board.scores(run, facts), output) for result, run in known),
            key=lambda row: _from_the_best(row["scores"][board.key]["value"]),
        ),
        "tests": tests,
        "untested": untested,
    }
    return table | {"sentences": list(_sentences(table))}


def _from_the_best(score: float) -> tuple[bool, float]:
    """Return a key that puts the highest score first and one that is not defined last."""
    return math.isnan(score), -score


def _row(result: CellResult, scores: Document, output: Path) -> dict[str, Any]:
    return {
        "model": result.contender,
        "corpus": result.cell.corpus,
        **scores,
        "clips": result.clips,
        "failed": result.failed,
        "rtfx": result.rtfx,
        **result.probed,
        "page": page_of(result, output),
    }


def _tests(
    known: Sequence[tuple[str, Run]], board: Board, output: Path
) -> tuple[list[dict[str, Any]], list[dict[str, str]]]:
    """Return the test of each pair, and the pairs that cannot be compared."""
    gaps: list[tuple[str, str, Difference]] = []
    untested = []
    for (a, one), (b, other) in combinations(known, 2):
        try:
            found = compared([one, other], PairOptions()).against[0]
        except (ConfigError, LabelError) as error:
            # The document may be published: its readers have no use for paths of this machine.
            reason = str(error).replace(f"{output}{os.sep}", "")
            untested.append({"a": a, "b": b, "reason": reason})
        else:
            gaps.append((a, b, board.change(found)))
    corrected = holm([gap.p for _, _, gap in gaps])
    tests = [
        {"a": a, "b": b, "difference": gap.value, "low": gap.low, "high": gap.high,
         "p_corrected": float(p)}
        for (a, b, gap), p in zip(gaps, corrected, strict=True)
    ]  # fmt: skip
    return tests, untested


def some_pairs(pairs: Sequence[str]) -> str:
    """Return the first pairs as a sentence lists them, and how many more there are."""
    more = len(pairs) - MOST_PAIRS
    return "; ".join([*pairs[:MOST_PAIRS], *([f"and {counted(more, 'more pair')}"] * (more > 0))])


def _sentences(table: Document) -> Iterator[str]:
    best, board = table["rows"][0], BOARDS[task_in(table)]
    many = len(table["rows"]) > 1
    yield (
        f"On {table['dataset']} {best['model']} has {'the highest' if many else 'a'} {board.title}"
        f"{':' if many else ' of'} {board.told(best['scores'][board.key])} on "
        f"{counted(best['clips'], 'clip')}."
    )
    yield from _pair_sentences(table, board)


def _pair_sentences(table: Document, board: Board) -> Iterator[str]:
    """Yield which pairs cannot be told apart, and which were not compared at all."""
    by_score = f"On {table['dataset']}, by {board.title},"
    alike = [
        f"{test['a']} and {test['b']} ({board.gap(test['difference'])}, "
        f"p = {test['p_corrected']:.2g})"
        for test in table["tests"]
        if not test["p_corrected"] <= 1 - LEVEL
    ]
    apart = [
        f"{pair['a']} and {pair['b']} ({pair['reason'].partition(';')[0]})"
        for pair in table["untested"]
    ]
    if alike:
        yield f"{by_score} cannot be told apart: {some_pairs(alike)}."
    elif table["tests"]:
        yield f"{by_score} every {'other ' * bool(apart)}pair can be told apart."
    if apart:
        yield f"{by_score} cannot be compared: {some_pairs(apart)}."


def _value_scores(run: Run, facts: Document) -> dict[str, Any]:
    scores = scores_of_values(dimension_run(run).ordered(facts["dimensions"]))
    each = {name: asdict(own["ccc"]) for name, own in scores.per_dimension.items()}
    return {
        "scores": {MEAN: asdict(scores.mean["ccc"])} | each,
        "mae": asdict(scores.mean["mae"]),
    }


def _value_columns(table: Document) -> list[str]:
    several = len(table["dimensions"]) > 1
    return [*(["mean CCC", *table["dimensions"]] if several else ["CCC"]), "MAE"]


def _value_cells(row: Document) -> list[str]:
    scores = list(row["scores"].values())
    return [*map(numbered, scores if len(scores) > 2 else scores[:1]), numbered(row["mae"])]


def _set_scores(run: Run, _facts: Document) -> dict[str, Any]:
    overall = scores_of_sets(multilabel_run(run)).overall
    return {"scores": {key: asdict(overall[key]) for key in OF_SETS}}


BOARDS: Mapping[Task, Board] = {
    DIMENSIONAL: Board(
        facts=lambda run: {
            "dimensions": list(run.labels),
            "scale": run.provenance.dataset[DIMENSIONAL.key]["scale"],
        },
        scores=_value_scores,
        key=MEAN,
        title="mean CCC",
        change=lambda against: against.changes[MEAN]["ccc"].difference,
        told=numbered,
        gap=lambda gap: decimals(gap, sign=True),
        lead=lambda table: (
            f"CCC of ratings and predictions on the scale {table['scale']}, and the mean absolute "
            "error"
        ),
        column="mean_ccc",
        columns=_value_columns,
        cells=_value_cells,
    ),
    MULTILABEL: Board(
        facts=lambda run: {"emotions": list(run.labels)},
        scores=_set_scores,
        key=MULTILABEL.headline,
        title=OF_SETS[MULTILABEL.headline],
        change=lambda against: against.overall[MULTILABEL.headline].difference,
        told=scored,
        gap=lambda gap: f"{points(gap, sign=True)} points",
        lead=lambda table: (
            f"Scores of several emotions a clip ({', '.join(map(printable, table['emotions']))}), "
            "in percent"
        ),
        column="multilabel_macro_f1",
        columns=lambda _table: [f"{title} %" for title in OF_SETS.values()],
        cells=lambda row: [scored_short(row["scores"][key], 1) for key in OF_SETS],
    ),
}
"""Of the tasks whose models are not ranked together."""
