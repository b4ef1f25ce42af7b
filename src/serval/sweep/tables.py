"""A finished sweep -> `sweep.md` and `sweep.csv`, one row for each cell."""

from __future__ import annotations

import csv
import io
import math
from collections import defaultdict
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from serval.files import write_text
from serval.probe import COSTS, EncoderCost, cost_cells
from serval.scores import SHOWN
from serval.sweep.boards import BOARDS, page_of
from serval.sweep.leaderboard import tables_in
from serval.tasks import task_in
from serval.wording import (
    counted,
    csv_cell,
    markdown_table,
    printable,
    scored,
    three_digits,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from serval.scores.stats import Interval
    from serval.sweep.plan import Cell, Plan
    from serval.sweep.sweep import CellResult, Sweep

    Document = Mapping[str, Any]

NOT_DONE = "Not done, or not as it should be:"
NO_SCORE = dict.fromkeys(("value", "low", "high"), "")
ENDS = ("", "_low", "_high")

LESS_IS_BETTER = ("MAE", *COSTS)
"""Of the titles of a table of another task."""

COUNTS = ("labels", "clips", "left out", "failed")


def write_tables(finished: Sweep, document: Document) -> dict[str, Path]:
    """Return the path of each table, by kind, after writing it.

    Args:
        finished: The sweep.
        document: Its leaderboard.
    """
    folder = finished.plan.output
    return {
        "markdown": write_text(folder / "sweep.md", _markdown(finished, document)),
        "csv": write_text(folder / "sweep.csv", _csv(finished, document)),
    }


def _scores_shown(plan: Plan) -> tuple[str, ...]:
    """Return the names of the scores in the tables, the one that they are sorted by first."""
    return (plan.sort_by, *(name for name in SHOWN if name != plan.sort_by))


def _markdown(finished: Sweep, document: Document) -> str:
    plan = finished.plan
    head = (
        "model", "dataset", "options", *COUNTS, *_scores_shown(plan), "full set", "rank",
        "trained on", *(COSTS if finished.of_probes else ["rtfx"]), "folder",
    )  # fmt: skip
    rows = [
        list(map(_markdown_cell, _cells_of(r, finished))) for r in finished.results if r.run is None
    ]
    problems = problem_lines(finished)
    if problems:
        problems = [NOT_DONE, "", *(f"- {line}" for line in problems)]
    parts = [[*map(printable, document["verdict"])]]
    if rows:
        caption = [_caption(finished, document), *standing_sentences(document)]
        parts.append([markdown_table(head, rows, left=3), *map(printable, caption)])
    parts += [_board_lines(table) for table in tables_in(document)]
    return "\n\n".join("\n".join(part).rstrip() for part in [*parts, problems] if part) + "\n"


def _board_lines(table: Document) -> list[str]:
    """Return the models of another task on one set."""
    rows = [list(map(_markdown_cell, board_cells(table, row))) for row in table["rows"]]
    lead = f"{printable(table['dataset'])}: {BOARDS[task_in(table)].lead(table)}"
    return [
        f"{lead}; in brackets the 95 % interval.",
        "",
        markdown_table(["model", *board_titles(table)], rows),
    ]


def board_titles(table: Document) -> list[str]:
    """Return the titles of a table of another task behind that of the model."""
    own = BOARDS[task_in(table)].columns(table)
    return [*own, "clips", *(COSTS if _of_probes(table) else ())]


def board_cells(table: Document, row: Document) -> list[str]:
    """Return model, scores, clips and cost of a row of such a table."""
    cells = [row["model"], *BOARDS[task_in(table)].cells(row), f"{row['clips']:,}"]
    return [*cells, *(cost_cells(EncoderCost(**row["cost"])) if "cost" in row else ())]


def _of_probes(table: Document) -> bool:
    return any("cost" in row for row in table["rows"])


def problem_lines(finished: Sweep) -> list[str]:
    """Return what could not be done, or is not as it should be, a line each."""
    return [printable(f"{_name(r.cell)}: {r.problem or r.warning}") for r in finished.problems]


def standing_sentences(document: Document) -> list[str]:
    """Return which models cannot be told apart, and their means over corpora."""
    said = list(document["sentences"])
    averages = [
        f"{row['model']} {scored(row['scores'][document['ranked_by']])}"
        for row in document["averages"]
        if row["scores"][document["ranked_by"]]["value"] is not None
    ]
    corpora = max((row["of"] for row in document["averages"]), default=0)
    if averages and corpora > 1:
        said.append(
            f"Mean {document['ranked_by']} over {corpora} corpora, with the "
            f"95 % interval over corpora: {'; '.join(averages)}."
        )
    return said


def _cells_of(result: CellResult, finished: Sweep) -> list[str]:
    plan, cell = finished.plan, result.cell
    counts = [str(n) if not result.problem else "" for n in _counts(result)]
    scores = (result.scores.get(name) for name in _scores_shown(plan))
    return [
        cell.model, cell.dataset, cell.options, *counts,
        *("" if score is None else _cell(asdict(score)) for score in scores),
        _cell(result.full_set_uar),
        rank_text(*result.rank) if result.rank else "",
        "" if result.problem else result.training,
        *(cost_cells(result.cost) if finished.of_probes
          else ["" if math.isnan(result.rtfx) else three_digits(result.rtfx)]),
        Path(cell.settings.output).relative_to(plan.output).as_posix(),
    ]  # fmt: skip


def rank_text(best: int, worst: int) -> str:
    """Return a range of ranks.

    Examples:
        >>> rank_text(1, 1), rank_text(1, 3)
        ('1', '1-3')
    """
    return str(best) if best == worst else f"{best}-{worst}"


def _counts(result: CellResult) -> tuple[int, ...]:
    return result.labels, result.clips, result.left_out, result.failed


def _cell(score: Mapping[str, float | None] | None) -> str:
    """Return a score with its interval, or an empty cell where there is none."""
    known = score is not None and score["value"] is not None and not math.isnan(score["value"])
    return scored(score) if score is not None and known else ""


def _caption(finished: Sweep, document: Document) -> str:
    said = (
        f"Sorted by {finished.plan.sort_by}; in brackets the 95 % interval. "
        "Scores are of the clips that any model on the set has a label for, no answer being an "
        "error. full set: UAR with clips as errors too whose label the model does not know. "
        f"rank: by {document['ranked_by']}, from the best to the worst that it may be. trained on: "
        "what the model, its card or the plan says of this corpus. "
        + (
            "parameters, MB, ms: of the encoder up to that layer; the last is the time for a clip "
            "of 3 s on one thread of this machine."
            if finished.of_probes
            else "rtfx: seconds of audio a second."
        )
    )
    return " ".join([said, *_other_tasks(finished.results)])


def _other_tasks(results: Sequence[CellResult]) -> Iterator[str]:
    """Yield a warning for each dataset whose rows are scored on other labels or other clips."""
    tasks: dict[str, set[tuple[int, int]]] = defaultdict(set)
    for result in results:
        if not result.problem and result.run is None:
            tasks[result.cell.dataset].add((result.labels, result.left_out))
    for dataset, seen in tasks.items():
        if len(seen) > 1:
            rows = ", ".join(
                f"{counted(k, 'label')} with {counted(n, 'clip')} left out" for k, n in sorted(seen)
            )
            yield (
                f"On {dataset} the rows are not of one task ({rows}): with fewer labels the same "
                "model tends to score higher, and a clip left out is an error of it where another "
                "model has a label for it."
            )


def _markdown_cell(cell: str) -> str:
    return printable(cell.replace("|", "\\|"))


def _csv(finished: Sweep, document: Document) -> str:
    """Return the table with plain numbers: each score in [0, 1] with the ends of its interval."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    names_of_scores = _scores_shown(finished.plan)
    ends = [f"{name}{end}" for name in names_of_scores for end in ENDS]
    counts = [name.replace(" ", "_") for name in COUNTS]
    more = ["full_set_uar", "rank_best", "rank_worst", "trained_on"]
    more += [f"{board.column}{end}" for board in BOARDS.values() for end in ENDS]
    more += ["parameters", "size_mb", "ms"] if finished.of_probes else []
    headlines = {
        (task_in(table), row["page"]): row["scores"][BOARDS[task_in(table)].key]
        for table in tables_in(document)
        for row in table["rows"]
    }
    writer.writerow(["model", "dataset", "options", *counts, *ends, "rtfx", "problem", *more])
    for result in finished.results:
        cell = result.cell
        scores = [n for name in names_of_scores for n in _numbers(result.scores.get(name))]
        speed = "" if math.isnan(result.rtfx) else round(result.rtfx, 3)
        names = map(csv_cell, (cell.model, cell.dataset, cell.options))
        problem = csv_cell(result.problem or result.warning)
        full, page = result.full_set_uar, page_of(result, finished.plan.output)
        behind = (
            full["value"] if full else "",
            *(result.rank or ("", "")),
            "" if result.problem else result.training,
            *(end for task in BOARDS for end in headlines.get((task, page), NO_SCORE).values()),
            *(asdict(result.cost).values() if result.cost else ()),
        )
        writer.writerow([*names, *_counts(result), *scores, speed, problem, *behind])
    return text.getvalue()


def _numbers(score: Interval | None) -> Sequence[object]:
    return ("", "", "") if score is None else (score.value, score.low, score.high)


def _name(cell: Cell) -> str:
    return " x ".join(part for part in (cell.model, cell.dataset, cell.options) if part)
