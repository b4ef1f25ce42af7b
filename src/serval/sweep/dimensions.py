"""Cells of models of dimensions -> tables by mean CCC, one for each set and what is asked of it."""

from __future__ import annotations

import math
import os
from dataclasses import asdict
from itertools import combinations
from pathlib import Path
from typing import TYPE_CHECKING, Any

from serval.comparison.dimensions import compare_dimensions
from serval.errors import ConfigError
from serval.files import is_file
from serval.results.dimensions import scores_of_values
from serval.scores.dimensions import MEAN
from serval.scores.stats import LEVEL, holm
from serval.wording import counted, numbered

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from serval.dimensions import DimensionRun
    from serval.scores.stats import Difference
    from serval.sweep.sweep import CellResult

    Document = Mapping[str, Any]

MOST_PAIRS = 12
"""That a sentence names; the document has all of them."""
MARGIN = 0.01
"""Of a comparison whose verdict is not used: pairs are told apart by corrected p-values."""


def value_tables(results: Iterable[CellResult], output: Path) -> list[dict[str, Any]]:
    """Return models of the same dimensions on the same set, the highest mean CCC first.

    Each pair is tested on its common clips by the paired difference of its mean CCC, and p-values
    are corrected by Holm for the number of pairs. Pairs that cannot be compared, as for other
    ratings of a clip, are in `untested` with the reason.
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
    tests, untested = _tests([(result.contender, values) for result, values in known], output)
    rows.sort(key=_from_the_best)
    table = {
        "dataset": results[0].cell.dataset,
        "dimensions": list(first.names),
        "scale": str(first.scale),
        "rows": rows,
        "tests": tests,
        "untested": untested,
    }
    return table | {"sentences": list(_sentences(table))}


def _from_the_best(row: Document) -> tuple[bool, float]:
    """Return a key that puts the highest mean CCC first and one that is not defined last."""
    value = row["scores"][MEAN]["value"]
    return math.isnan(value), -value


def _row(result: CellResult, values: DimensionRun, output: Path) -> dict[str, Any]:
    scores = scores_of_values(values)
    each = {name: asdict(own["ccc"]) for name, own in scores.per_dimension.items()}
    return {
        "model": result.contender,
        "corpus": result.cell.corpus,
        "scores": {MEAN: asdict(scores.mean["ccc"])} | each,
        "mae": asdict(scores.mean["mae"]),
        "clips": result.clips,
        "failed": result.failed,
        "rtfx": result.rtfx,
        **result.probed,
        "page": page_of(result, output),
    }


def _tests(
    known: Sequence[tuple[str, DimensionRun]], output: Path
) -> tuple[list[dict[str, Any]], list[dict[str, str]]]:
    """Return the test of each pair, and the pairs that cannot be compared."""
    gaps: list[tuple[str, str, Difference]] = []
    untested = []
    for (a, one), (b, other) in combinations(known, 2):
        try:
            found = compare_dimensions([one.run, other.run], MARGIN).against[0]
        except ConfigError as error:
            # The document may be published: its readers have no use for paths of this machine.
            reason = str(error).replace(f"{output}{os.sep}", "")
            untested.append({"a": a, "b": b, "reason": reason})
        else:
            gaps.append((a, b, found.changes[MEAN]["ccc"].difference))
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
    best = table["rows"][0]
    many = len(table["rows"]) > 1
    yield (
        f"On {table['dataset']} {best['model']} has {'the highest' if many else 'a'} mean CCC"
        f"{':' if many else ' of'} {numbered(best['scores'][MEAN])} on "
        f"{counted(best['clips'], 'clip')}."
    )
    yield from _pair_sentences(table)


def _pair_sentences(table: Document) -> Iterator[str]:
    """Yield which pairs cannot be told apart, and which were not compared at all."""
    by_mean = f"On {table['dataset']}, by mean CCC,"
    alike = [
        f"{test['a']} and {test['b']} ({test['difference']:+.3f}, p = {test['p_corrected']:.2g})"
        for test in table["tests"]
        if not test["p_corrected"] <= 1 - LEVEL
    ]
    apart = [
        f"{pair['a']} and {pair['b']} ({pair['reason'].partition(';')[0]})"
        for pair in table["untested"]
    ]
    if alike:
        yield f"{by_mean} cannot be told apart: {some_pairs(alike)}."
    elif table["tests"]:
        yield f"{by_mean} every {'other ' * bool(apart)}pair can be told apart."
    if apart:
        yield f"{by_mean} cannot be compared: {some_pairs(apart)}."
