"""Cells of models of dimensions -> tables by mean CCC, one for each set and what is asked of it."""

from __future__ import annotations

from dataclasses import asdict
from itertools import combinations
from pathlib import Path
from typing import TYPE_CHECKING, Any

from serval.comparison.dimensions import MEAN, compare_dimensions
from serval.files import is_file
from serval.scores.dimensions import dimension_scores
from serval.scores.stats import LEVEL, holm
from serval.wording import counted, numbered

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from serval.dimensions import DimensionRun
    from serval.sweep.sweep import CellResult

    Document = Mapping[str, Any]

__all__ = ["page_of", "value_tables"]

MARGIN = 0.01
"""Of a comparison whose verdict is not used: pairs are told apart by corrected p-values."""


def value_tables(results: Iterable[CellResult], output: Path) -> list[dict[str, Any]]:
    """Return models of the same dimensions on the same set, the highest mean CCC first.

    Each pair is tested on its common clips by the paired difference of its mean CCC, and p-values
    are corrected by Holm for the number of pairs.
    """
    groups: dict[tuple[str, frozenset[str], str], list[CellResult]] = {}
    for result in results:
        if (values := result.values) is not None:
            key = (result.cell.dataset, frozenset(values.names), str(values.scale))
            groups.setdefault(key, []).append(result)
    return [_table(own, output) for own in groups.values()]


def page_of(result: CellResult, output: Path) -> str:
    """Return where the page of a cell is, or its summary, below the folder of the sweep."""
    folder = Path(result.cell.settings.output)
    report = folder / "report.html"
    page = report if is_file(report) else folder / "summary.md"
    return page.relative_to(output).as_posix()


def _table(results: Sequence[CellResult], output: Path) -> dict[str, Any]:
    known = [(result, result.values) for result in results if result.values is not None]
    first = known[0][1]
    rows = [_row(result, values.ordered(first.names), output) for result, values in known]
    tests = list(_tests([(result.contender, values) for result, values in known]))
    rows.sort(key=lambda row: -(row["scores"][MEAN]["value"] or 0.0))
    table = {
        "dataset": results[0].cell.dataset,
        "dimensions": list(first.names),
        "scale": str(first.scale),
        "rows": rows,
        "tests": tests,
    }
    return table | {"sentences": list(_sentences(table))}


def _row(result: CellResult, values: DimensionRun, output: Path) -> dict[str, Any]:
    scores = dimension_scores(values.truth, values.predicted, values.run.speakers, values.names)
    each = {name: asdict(own["ccc"]) for name, own in scores.per_dimension.items()}
    return {
        "model": result.contender,
        "corpus": result.cell.corpus,
        "scores": {MEAN: asdict(scores.mean["ccc"])} | each,
        "mae": asdict(scores.mean["mae"]),
        "clips": result.clips,
        "failed": result.failed,
        "rtfx": result.rtfx,
        "page": page_of(result, output),
    }


def _tests(known: Sequence[tuple[str, DimensionRun]]) -> Iterator[dict[str, Any]]:
    """Yield the test of each pair."""
    pairs = list(combinations(known, 2))
    gaps = [
        compare_dimensions([a.run, b.run], MARGIN).against[0].changes[MEAN]["ccc"].difference
        for (_, a), (_, b) in pairs
    ]
    corrected = holm([gap.p for gap in gaps])
    for ((a, _), (b, _)), gap, p in zip(pairs, gaps, corrected, strict=True):
        ends = {"difference": gap.value, "low": gap.low, "high": gap.high}
        yield {"a": a, "b": b, **ends, "p_corrected": float(p)}


def _sentences(table: Document) -> Iterator[str]:
    best = table["rows"][0]
    many = len(table["rows"]) > 1
    yield (
        f"On {table['dataset']} {best['model']} has {'the highest' if many else 'a'} mean CCC"
        f"{':' if many else ' of'} {numbered(best['scores'][MEAN])} on "
        f"{counted(best['clips'], 'clip')}."
    )
    alike = [test for test in table["tests"] if not test["p_corrected"] <= 1 - LEVEL]
    pairs = "; ".join(
        f"{test['a']} and {test['b']} ({test['difference']:+.3f}, p = {test['p_corrected']:.2g})"
        for test in alike
    )
    if alike:
        yield f"On {table['dataset']}, by mean CCC, cannot be told apart: {pairs}."
    elif many:
        yield f"On {table['dataset']}, by mean CCC, every pair can be told apart."
