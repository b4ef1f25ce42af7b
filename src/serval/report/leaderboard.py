"""`leaderboard.json` -> one page that needs nothing else: models on corpora, ranked, sortable."""

from __future__ import annotations

import html
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import quote

from serval.dress import STYLE, bundled, source_hash
from serval.files import write_text
from serval.report.page import FOOT, framed, script_of
from serval.scores import HEADLINES, METRICS, title_of
from serval.sweep import BOARDS, LESS_IS_BETTER, board_cells, board_titles, tables_in
from serval.tasks import task_in
from serval.wording import counted, hundredths, percent, printable, three_digits

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    Document = Mapping[str, Any]
    Row = Mapping[str, Any]

BAR = (80, 6)
"""Pixels of the drawing of an interval."""

COSTS = (("Parameters", "parameters"), ("MB", "size_mb"), ("ms for 3 s", "ms"))
"""What the rows of probes say of the encoder up to their layer."""

TRAINED = {
    "these clips": "yes, on clips of this set",
    "this corpus": "yes, on other clips of it",
    "other corpora": "no, as far as it says",
    "unknown": "unknown: nobody says",
}
"""The words of `Training`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Column:
    """A column of a table: its title, and how it is sorted at first."""

    title: str
    text: bool = False
    best_first: str = "descending"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Cell:
    """A cell: its markup, and the number that it is sorted by; `None` for its text."""

    markup: str
    value: float | str | None = None
    wrap: bool = False


def write_leaderboard(document: Document, path: Path) -> Path:
    """Return `path` after writing the page of a leaderboard."""
    return write_text(path, leaderboard_html(document))


def leaderboard_html(document: Document) -> str:
    """Return the page of a leaderboard."""
    tasks = [task["dataset"] for task in document["tasks"]]
    names = {task: f"set-{number + 1}" for number, task in enumerate(tasks)}
    boards = {f"rated-{i + 1}": table for i, table in enumerate(tables_in(document))}
    sections = [
        _hero(document),
        *([_overall(document, tasks)] if tasks else []),
        *(
            _task(document, task, names[task["dataset"]], sentence)
            for task, sentence in zip(document["tasks"], document["sentences"], strict=True)
        ),
        *(_board(table, anchor) for anchor, table in boards.items()),
        *([_problems(document)] if document["problems"] else []),
        _reading(document),
    ]
    links = {
        "board": "Overall",
        **{anchor: name for name, anchor in names.items()},
        **{anchor: _board_title(table) for anchor, table in boards.items()},
        "read": "About",
    }
    parts = {
        "version": _text(document["version"]),
        "title": "Leaderboard",
        "skip": '<a class="skip" href="#board">Skip to the leaderboard</a>',
        "navigation": "".join(f'<a href="#{at}">{_text(name)}</a>' for at, name in links.items()),
        "main": "\n".join(sections),
        "foot": FOOT,
    }
    style = STYLE + bundled("report", "assets", "leaderboard.css")
    script = script_of(("dom", "theme", "sideways", "leaderboard"))
    return framed(parts, [script], f"style-src '{source_hash(style)}'", style=style)


def _hero(document: Document) -> str:
    others = [row for table in tables_in(document) for row in table["rows"]]
    models = {row["model"] for row in document["rows"] if not row["baseline"]}
    models |= {row["model"] for row in others}
    corpora = {row["corpus"] for row in (*document["rows"], *others)}
    sets = "1 corpus" if len(corpora) == 1 else f"{len(corpora)} corpora"
    n = f"{counted(len(models), 'model')} on {sets}"
    first, *below = document["verdict"]
    said = "".join(f'<p class="sub">{_text(line)}</p>' for line in below)
    return (
        f'<section class="hero" aria-label="Verdict"><p class="eyebrow">{_text(n)}</p>'
        f"<h1>{_text(first)}</h1>{said}</section>"
    )


def _overall(document: Document, tasks: Sequence[str]) -> str:
    """Return one row for each model: its mean over corpora, then each dataset."""
    score = document["ranked_by"]
    columns = [_Column(title="Model", text=True, best_first="ascending")]
    columns += [_Column(title=f"Mean {METRICS[name].title}") for name in _first(score)]
    columns += [_Column(title=task) for task in tasks]
    by_place = {(row["model"], row["dataset"]): row for row in document["rows"]}
    rows = [
        (
            mean["baseline"],
            [
                _Cell(markup=_text(mean["model"])),
                *(_score(mean["scores"][name]) for name in _first(score)),
                *(_placed(by_place.get((mean["model"], task)), score) for task in tasks),
            ],
        )
        for mean in document["averages"]
    ]
    lead = (
        f"{METRICS[score].full} on each set, with the range of ranks below it, and the mean over "
        "corpora, each of which counts once. Press a title to sort."
    )
    return _section("board", "Overall", lead, _table("Mean scores and each corpus", columns, rows))


def _first(score: str) -> tuple[str, ...]:
    """Return the scores of a page, that by which it ranks first."""
    return (score, *(name for name in HEADLINES if name != score))


def _placed(row: Row | None, score: str) -> _Cell:
    if row is None:
        return _Cell(markup="<small>not done</small>", value="")
    found = row["ranked"][score]
    shown = f"<strong>{percent(found['value'], 1)}</strong><small>rank {_rank(found)}</small>"
    return _Cell(markup=shown, value=_number(found["value"]))


def _task(document: Document, task: Document, anchor: str, sentence: str) -> str:
    score = document["ranked_by"]
    own = [row for row in document["rows"] if row["dataset"] == task["dataset"]]
    extra = [
        (title, part)
        for title, part in (("UAR, full set", "full_set"), ("UAR, restricted", "restricted"))
        if any(row.get(part) for row in own)
    ]
    costs = COSTS if any(row.get("cost") for row in own) else ()
    columns = [
        _Column(title="Model", text=True, best_first="ascending"),
        _Column(title="Rank", best_first="ascending"),
        *(_Column(title=title_of(name)) for name in _first(score)),
        *(_Column(title=title) for title, _ in extra),
        _Column(title="Trained on it", text=True, best_first="ascending"),
        _Column(title="Clips"),
        _Column(title="Left out", best_first="ascending"),
        _Column(title="Failed", best_first="ascending"),
        *(_Column(title=title, best_first="ascending") for title, _ in costs),
        *([] if costs else [_Column(title="Times real time")]),
        _Column(title="Run", text=True, best_first="ascending"),
    ]
    parts = ([part for _, part in extra], [part for _, part in costs])
    rows = [(row["baseline"], _task_cells(row, score, *parts)) for row in own]
    lead = (
        f"{counted(task['clips'], 'clip')}, intervals drawn by {task['by']} ({task['clusters']} of "
        f"them); the most frequent emotion is {task['majority']}."
    )
    table = _table(f"Models on {task['dataset']}", columns, rows)
    said = " ".join([sentence, *task["warnings"]])
    return _section(anchor, task["dataset"], lead, table, f'<p class="said">{_text(said)}</p>')


def _board(table: Document, anchor: str) -> str:
    """Return the models of another task on one set."""
    columns = [
        _Column(title="Model", text=True, best_first="ascending"),
        *map(_board_column, board_titles(table)),
        _Column(title="Run", text=True, best_first="ascending"),
    ]
    rows = []
    for row in table["rows"]:
        name, *cells = board_cells(table, row)
        numbers = map(_with_ends, cells)
        rows.append(
            (False, [_Cell(markup=_text(name)), *numbers, _Cell(markup=_link(row["page"]))])
        )
    said = f'<p class="said">{_text(" ".join(table["sentences"]))}</p>'
    title = _board_title(table)
    lead = f"{BOARDS[task_in(table)].lead(table)}; below each the 95 % interval."
    return _section(anchor, title, lead, _table(f"Models on {title}", columns, rows), said)


def _board_title(table: Document) -> str:
    return f"{table['dataset']}, {task_in(table).said}"


def _board_column(title: str) -> _Column:
    if title in LESS_IS_BETTER:
        return _Column(title=title, best_first="ascending")
    return _Column(title=title)


def _with_ends(cell: str) -> _Cell:
    """Return `0.71 [0.66, 0.75]`, or a count, with the interval below it."""
    value, _, ends = cell.rstrip("]").partition(" [")
    small = f"<small>{ends.replace(', ', ' to ')}</small>" if ends else ""
    number = value.replace(",", "")
    return _Cell(markup=f"<strong>{value}</strong>{small}", value="" if value == "n/a" else number)


def _task_cells(row: Row, score: str, extra: Iterable[str], costs: Sequence[str]) -> list[_Cell]:
    ranked = row["ranked"]
    rank = ranked[score]
    if row["baseline"]:
        behind = [_Cell(markup="", value="") for _ in extra]
        behind += [_Cell(markup="no model", wrap=True)]
        behind += [_Cell(markup=f"{row['clips']:,}", value=row["clips"])]
        behind += [_Cell(markup="", value="") for _ in range(2 + max(1, len(costs)))]
        behind += [_Cell(markup="")]
    else:
        behind = [_score(_in_label_space(row, part)) for part in extra]
        behind += [_Cell(markup=_text(TRAINED[row["trained_on"]]), wrap=True)]
        behind += [
            _Cell(markup=f"{row[name]:,}", value=row[name])
            for name in ("clips", "left_out", "failed")
        ]
        behind += [_cost(row["cost"][part]) for part in costs] if costs else [_speed(row["rtfx"])]
        behind += [_Cell(markup=_link(row["page"]))]
    return [
        _Cell(markup=_text(row["model"])),
        _Cell(markup=_rank(rank), value=rank["best"] + rank["worst"] / 1000),
        *(_score(ranked[name]) for name in _first(score)),
        *behind,
    ]


def _in_label_space(row: Row, part: str) -> Mapping[str, float | None] | None:
    """Return the UAR of a part of the label space; a run that answered all has its full set."""
    if row[part]:
        return cast("Mapping[str, float | None]", row[part]["scores"]["uar"])
    return row["scores"]["uar"] if part == "full_set" else None


def _speed(speed: float | None) -> _Cell:
    if speed is None:
        return _Cell(markup="n/a", value="")
    return _Cell(markup=f"{three_digits(speed)}x", value=speed)


def _cost(number: float) -> _Cell:
    return _Cell(markup=three_digits(number), value=number)


def _link(page: str) -> str:
    """Return a link to the page of a run; nothing where that was left behind."""
    if not page:
        return ""
    kind = "report" if page.endswith(".html") else "summary"
    return f'<a href="{html.escape(quote(page))}">{kind}</a>'


def _rank(found: Row) -> str:
    best, worst = found["best"], found["worst"]
    return str(best) if best == worst else f"{best}-{worst}"


def _score(score: Row | None) -> _Cell:
    """Return a score with its interval, in numbers and drawn."""
    if score is None or score["value"] is None:
        return _Cell(markup="<small>n/a</small>", value="")
    value, low, high = (score[key] for key in ("value", "low", "high"))
    ends = "" if low is None else f"<small>{hundredths(low)} to {hundredths(high)}</small>"
    shown = f"<strong>{percent(value, 1)}</strong>{ends}{_bar(value, low, high)}"
    return _Cell(markup=shown, value=_number(value))


def _bar(value: float, low: float | None, high: float | None) -> str:
    width, height = BAR
    reach = "" if low is None or high is None else (
        f'<rect class="reach" x="{width * low:.1f}" width="{max(1.0, width * (high - low)):.1f}" '
        f'height="{height}" rx="3"/>'
    )  # fmt: skip
    at = min(max(width * value - 1, 0.0), width - 2.0)
    return (
        f'<svg width="{width}" height="{height}" viewBox="0 0 {width} {height}" aria-hidden="true">'
        f'<rect class="back" width="{width}" height="{height}" rx="3"/>{reach}'
        f'<rect class="at" x="{at:.1f}" width="2" height="{height}"/></svg>'
    )


def _number(value: float | None) -> float | str:
    return "" if value is None else value


def _table(
    caption: str, columns: Sequence[_Column], rows: Sequence[tuple[bool, Sequence[_Cell]]]
) -> str:
    head = "".join(
        f'<th scope="col"{_class(column)} data-first="{column.best_first}">'
        f'<button type="button" class="sort">{_text(column.title)}</button></th>'
        for column in columns
    )
    body = "\n".join(_table_row(columns, cells, baseline=baseline) for baseline, cells in rows)
    return (
        f'<div class="card scroll" tabindex="0" role="region" aria-label="{_text(caption)}">'
        f'<table class="board"><caption class="unseen">{_text(caption)}</caption>'
        f"<thead><tr>{head}</tr></thead>\n<tbody>\n{body}\n</tbody></table></div>"
    )


def _table_row(columns: Sequence[_Column], cells: Sequence[_Cell], *, baseline: bool) -> str:
    first, *rest = cells
    name = f'<th scope="row"><bdi>{first.markup}</bdi></th>'
    others = "".join(
        f"<td{_class(column, wrap=cell.wrap)}{_data(cell)}>{cell.markup}</td>"
        for column, cell in zip(columns[1:], rest, strict=True)
    )
    mark = ' class="baseline"' if baseline else ""
    return f"<tr{mark}>{name}{others}</tr>"


def _class(column: _Column, *, wrap: bool = False) -> str:
    names = " ".join(name for name, has in (("text", column.text), ("wrap", wrap)) if has)
    return f' class="{names}"' if names else ""


def _data(cell: _Cell) -> str:
    return "" if cell.value is None else f' data-value="{cell.value}"'


def _problems(document: Document) -> str:
    items = "".join(
        f"<li>{_text(one['model'])} on {_text(one['dataset'])}: {_text(one['problem'])}</li>"
        for one in document["problems"]
    )
    lead = "These runs could not be made, or more of their clips failed than the plan allows."
    return _section("undone", "Not done", lead, f'<ul class="read card">{items}</ul>')


READING = """
In small print below a score: its 95 % interval, drawn by speaker where speakers are known.
Scores are of the clips that at least one of the models has a label for; a clip that a model does
 not answer is an error of it.
Ranks are by {score} on these clips. A range such as 1-3 goes from the best to the worst rank that
 the model may have: all pairs were tested on the same draws of whole speakers, and corrected for
 their number (Holm).
A mean over corpora takes each corpus as one observation; its interval is that of the mean over
 other corpora of this kind, and is wide for a few.
Full set: every clip with a label; those that failed, or whose label the model does not know,
 count as errors. Restricted: only labels that both model and set know may win.
Trained on it: what the model's metadata, its model card or the plan says. Scores of a model on a
 corpus that it was trained on say little about others.
Times real time: seconds of audio in one second of the run; other work on the machine is in it.
majority label: always the most frequent emotion of the set, as a model that hears nothing would.
"""
"""One statement a line; a line that begins with a space belongs to the one above."""


def _reading(document: Document) -> str:
    said = READING.format(score=METRICS[document["ranked_by"]].title).strip().replace("\n ", " ")
    items = "".join(f"<li>{_text(line)}</li>" for line in said.splitlines())
    lead = "What stands behind the numbers."
    return _section("read", "How to read it", lead, f'<ul class="read">{items}</ul>')


def _section(anchor: str, title: str, lead: str, *parts: str) -> str:
    return (
        f'<section id="{anchor}" aria-labelledby="{anchor}-title">'
        f'<h2 id="{anchor}-title" tabindex="-1">{_text(title)}</h2>'
        f'<p class="lead">{_text(lead)}</p>{"".join(parts)}</section>'
    )


def _text(text: str) -> str:
    return html.escape(printable(text))
